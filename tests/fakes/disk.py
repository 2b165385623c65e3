"""A disk in memory that loses power: what was not synced is gone, torn or scrambled by a seed."""

import errno
import io
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from openalpha.core.errors import StorageError
from openalpha.store.atomic import storage_errors


class _File:
    def __init__(self, disk: "SimulatedDisk", path: Path, *, at: int) -> None:
        self.disk, self.path = disk, path
        self.truncate(at)

    def write(self, content: bytes) -> None:
        self.disk.step("write")
        room = self.disk.capacity - self.disk.used()
        self.disk.files[self.path] += content[: max(room, 0)]
        if room < len(content):
            raise OSError(errno.ENOSPC, "no space left")

    def sync(self) -> None:
        self.disk.step("sync")
        if self.disk.is_broken:
            raise OSError(errno.EIO, "input/output error")
        self.disk.durable[self.path] = self.disk.files[self.path]
        self.disk.step("synced")

    def truncate(self, size: int) -> None:
        self.disk.files[self.path] = self.disk.files[self.path][:size]

    def close(self) -> None:
        pass


@dataclass
class SimulatedDisk:
    """`step` is called before and after what matters, so that a test can end the process there."""

    capacity: int = 1 << 40
    is_broken: bool = False
    step: Callable[[str], object] = lambda what: None
    files: dict[Path, bytes] = field(default_factory=dict)
    durable: dict[Path, bytes] = field(default_factory=dict)
    locks: set[Path] = field(default_factory=set)

    def used(self) -> int:
        return sum(map(len, self.files.values()))

    def crash(self, seed: int, *, keeps_writes: bool = False) -> None:
        """End the process; with `keeps_writes` the machine lives on, else it loses power too."""
        draw = random.Random(seed)
        for path, content in self.files.items():
            safe = self.durable.get(path, b"")
            if keeps_writes or not content.startswith(safe):
                continue
            torn = bytearray(content[len(safe) :])
            del torn[draw.randint(0, len(torn)) :]
            if torn and draw.random() < 0.3:
                torn[draw.randrange(len(torn))] ^= 1 << draw.randrange(8)
            self.files[path] = safe + bytes(torn)
        self.durable = dict(self.files)
        self.locks.clear()

    # the port

    def make_folder(self, folder: Path) -> None:
        pass

    def names(self, folder: Path) -> list[str]:
        return sorted(path.name for path in self.files if path.parent == folder)

    def reader(self, path: Path) -> IO[bytes]:
        return io.BytesIO(self.files[path])

    def write_whole(self, path: Path, content: bytes) -> None:
        self.step("write")
        with storage_errors(str(path)):
            if len(content) > self.capacity - self.used():
                raise OSError(errno.ENOSPC, "no space left")
        self.files[path] = self.durable[path] = content
        self.step("synced")

    def appender(self, path: Path, *, at: int) -> _File:
        return _File(self, path, at=at)

    def lock(self, path: Path, *, what: str) -> Callable[[], None]:
        if path in self.locks:
            raise StorageError(f"{what} is in use by another process; stop that one first")
        self.locks.add(path)
        return lambda: self.locks.discard(path)

"""The disk as a port: the few acts a log needs, real here and simulated where crashes are tried."""

import fcntl
import os
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import IO, Protocol

from openalpha.core.errors import StorageError
from openalpha.store.atomic import storage_errors, sync_folder, write_bytes

__all__ = ["AppendFile", "Disk", "RealDisk"]


class AppendFile(Protocol):
    """A file that only grows, but for a tail that is cut off."""

    def write(self, content: bytes) -> None:
        """Write all of it, or raise OSError; nothing is promised before `sync`."""
        ...

    def sync(self) -> None:
        """Return once all that was written is on the disk."""
        ...

    def truncate(self, size: int) -> None:
        """Cut the file to a size and go on from there."""
        ...

    def close(self) -> None:
        """Let the file go; does not sync."""
        ...


class Disk(Protocol):
    """Where files are."""

    def make_folder(self, folder: Path) -> None:
        """Make a folder and those above it; fine if it is there."""
        ...

    def names(self, folder: Path) -> list[str]:
        """Return the names in a folder, sorted; none where it is not there."""
        ...

    def reader(self, path: Path) -> IO[bytes]:
        """Open a file for reading."""
        ...

    def write_whole(self, path: Path, content: bytes) -> None:
        """Put a file there whole, on the disk before returning, or leave what was there."""
        ...

    def appender(self, path: Path, *, at: int) -> AppendFile:
        """Open a file that is there for appending, cut to a size."""
        ...

    def lock(self, path: Path, *, what: str) -> Callable[[], None]:
        """Take a folder for this process; returns what gives it back.

        Raises
        ------
        StorageError
            If another process has it.
        """
        ...


class _RealFile:
    def __init__(self, path: Path, *, at: int) -> None:
        self._handle = os.open(path, os.O_RDWR)
        # Closed as well when nobody holds it any more: a process may lead many runs.
        self._let_go = weakref.finalize(self, os.close, self._handle)
        self.truncate(at)

    def write(self, content: bytes) -> None:
        view = memoryview(content)
        while view:
            view = view[os.write(self._handle, view) :]

    def sync(self) -> None:
        os.fdatasync(self._handle)

    def truncate(self, size: int) -> None:
        os.ftruncate(self._handle, size)
        os.lseek(self._handle, size, os.SEEK_SET)

    def close(self) -> None:
        self._let_go()


class _Held:
    """A lock's file; given back when it is called, or when nobody holds it any more."""

    def __init__(self, handle: int) -> None:
        self._let_go = weakref.finalize(self, os.close, handle)

    def __call__(self) -> None:
        self._let_go()


class RealDisk:
    """The machine's own disk."""

    def make_folder(self, folder: Path) -> None:
        """See `Disk`."""
        with storage_errors(str(folder)):
            folder.mkdir(parents=True, exist_ok=True)

    def names(self, folder: Path) -> list[str]:
        """See `Disk`."""
        return sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []

    def reader(self, path: Path) -> IO[bytes]:
        """See `Disk`."""
        with storage_errors(str(path)):
            return path.open("rb")

    def write_whole(self, path: Path, content: bytes) -> None:
        """See `Disk`."""
        write_bytes(path, content)

    def appender(self, path: Path, *, at: int) -> AppendFile:
        """See `Disk`."""
        with storage_errors(str(path)):
            return _RealFile(path, at=at)

    def lock(self, path: Path, *, what: str) -> Callable[[], None]:
        """See `Disk`."""
        with storage_errors(str(path)):
            handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(handle)
            raise StorageError(
                f"{what} is in use by another process; stop that one first"
            ) from None
        sync_folder(path.parent)
        return _Held(handle)

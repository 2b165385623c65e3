"""One small record in a file, changed by one process at a time and never left half written.

The lock is the kernel's own (`flock`): it goes with a process that dies. One that is stopped while
it holds the lock keeps it, so every wait here is bounded. The record is written by a single call
over the old one, padded, so a process killed at any moment leaves the old record or the new one.
"""

import fcntl
import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from openalpha.core.errors import StorageError

__all__ = ["FileRecords", "Records", "change_record", "records_in"]

_NAP_S = 0.002
_SMALLEST = 256


class Records(Protocol):
    """Where small records are kept, each changed by one process at a time."""

    def change(
        self, name: str, *, wait_at_most_s: float = 5.0
    ) -> AbstractContextManager[list[object]]:
        """Read a record, let the block change it in place, and write it back."""
        ...


@dataclass(frozen=True, slots=True)
class FileRecords:
    """Records in the files of a folder."""

    folder: Path

    def change(
        self, name: str, *, wait_at_most_s: float = 5.0
    ) -> AbstractContextManager[list[object]]:
        """Read a record, let the block change it in place, and write it back."""
        return change_record(self.folder / f"{name}.json", wait_at_most_s=wait_at_most_s)


def records_in(place: Path | Records) -> Records:
    """Return the records of a folder, or those given."""
    return FileRecords(place) if isinstance(place, Path) else place


@contextmanager
def change_record(
    path: Path, *, wait_at_most_s: float = 5.0, pause: Callable[[float], object] = time.sleep
) -> Iterator[list[object]]:
    """Read a record, let the block change it in place, and write it back.

    Parameters
    ----------
    path : Path
        Created with its folder when missing.
    wait_at_most_s : float
        How long to wait for whoever holds the lock.
    pause : callable
        Waits a number of seconds.

    Yields
    ------
    list
        The record's items; empty where the file is new or damaged. Left by an error, nothing is
        written.

    Raises
    ------
    StorageError
        If the file cannot be read or written, or its lock is not free in time.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise _unwritable(path, error) from None
    try:
        _lock(handle, path, wait_at_most_s=wait_at_most_s, pause=pause)
        try:
            old = os.pread(handle, os.fstat(handle).st_size, 0)
        except OSError as error:
            raise _unwritable(path, error) from None
        items = _read(old)
        yield items
        text = json.dumps(items, separators=(",", ":")).encode()
        try:
            os.pwrite(handle, text.ljust(max(len(old), _SMALLEST)), 0)
        except OSError as error:
            raise _unwritable(path, error) from None
    finally:
        os.close(handle)


def _lock(
    handle: int, path: Path, *, wait_at_most_s: float, pause: Callable[[float], object]
) -> None:
    ends = time.monotonic() + wait_at_most_s
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= ends:
                raise StorageError(
                    f"{path} is held by another process for more than {wait_at_most_s:g} s; "
                    "end the one that hangs"
                ) from None
            pause(_NAP_S)
        except OSError as error:
            raise _unwritable(path, error) from None
        else:
            return


def _read(content: bytes) -> list[object]:
    try:
        items = json.loads(content)
    except ValueError:
        return []
    return items if isinstance(items, list) else []


def _unwritable(path: Path, error: OSError) -> StorageError:
    return StorageError(
        f"{path} cannot be written ({error.strerror or error}); free space or permissions"
    )

"""Writing so that a reader finds the old state or the new one, never half of it."""

import errno
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from openalpha.core.errors import StorageError
from openalpha.store.kept import refuse_kept

__all__ = ["append_line", "new_folder", "storage_errors", "sync_folder", "write_bytes"]


@contextmanager
def storage_errors(what: str) -> Iterator[None]:
    """Turn the system's write errors into a `StorageError` that says what to do."""
    try:
        yield
    except OSError as error:
        hint = {
            errno.ENOSPC: "the disk is full: free some space and try again",
            errno.EDQUOT: "your disk quota is used up: free some space and try again",
            errno.EACCES: "the folder may not be written: check its permissions",
            errno.EPERM: "the folder may not be written: check its permissions",
            errno.EROFS: "the file system is read-only",
        }.get(error.errno or 0, error.strerror or str(error))
        raise StorageError(f"{what} could not be written: {hint}") from error


def write_bytes(path: Path, content: bytes) -> None:
    """Replace a file's content whole, and have it on disk before returning.

    Raises
    ------
    StorageError
        If it could not be written; what was there still is.
    InputError
        If what is there is a record that is kept (see `kept`).
    """
    refuse_kept(path)
    with storage_errors(str(path)):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            Path(name).replace(path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
        sync_folder(path.parent)


def append_line(handle: int, line: bytes, *, what: str) -> None:
    """Add a line to a file that is open to append and held alone; on disk before returning.

    What a crash or a full disk left unfinished before it is ended: that line is no line.

    Raises
    ------
    StorageError
        If the disk refuses; nothing was added.
    """
    size = os.fstat(handle).st_size
    is_torn = size > 0 and os.pread(handle, 1, size - 1) != b"\n"
    content = (b"\n" if is_torn else b"") + line + b"\n"
    with storage_errors(what):
        if os.write(handle, content) < len(content):
            os.ftruncate(handle, size)
            raise StorageError(f"{what} could not be written: the disk is full")
        os.fsync(handle)


@contextmanager
def new_folder(path: Path) -> Iterator[Path]:
    """Fill a folder beside its place and rename it there when the block ends well.

    Yields
    ------
    Path
        An empty staging folder (its name begins with a dot). Left by an error, it is removed.

    Raises
    ------
    StorageError
        If `path` exists already, or the disk refuses.
    """
    if path.exists():
        raise StorageError(f"{path} exists already; nothing was overwritten")
    with storage_errors(str(path)):
        path.parent.mkdir(parents=True, exist_ok=True)
        stage = Path(tempfile.mkdtemp(dir=path.parent, prefix=f".{path.name}."))
        try:
            yield stage
            for file in stage.iterdir():
                _sync(file)
            stage.chmod(0o755)
            stage.rename(path)
        except BaseException:
            shutil.rmtree(stage, ignore_errors=True)
            raise
        sync_folder(path.parent)


def sync_folder(path: Path) -> None:
    """Have a folder's names on disk."""
    _sync(path)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)

"""Writing to the lake: staged whole, then published by renames that a crash cannot leave half done.

A transaction writes finished files into `.staging/<id>/`, then a journal of its renames, then
renames. Whoever opens the lake next looks at staging folders whose writer is gone: with a journal
the renames are completed, without one the folder is dropped. A series is written by one process
at a time (a lock file); readers need no lock, they see an old month file or a new one.
"""

import contextlib
import fcntl
import json
import os
import shutil
import time
import uuid
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from types import TracebackType
from typing import IO

import polars as pl

from openalpha.core.errors import StorageError
from openalpha.market.blocks import Block, Merged, merge, months_of, without_stamps
from openalpha.market.month_files import fsync_path, read_month, write_month
from openalpha.market.series import SeriesKey

__all__ = ["Transaction", "recover"]

_STAGING = ".staging"
_LOCKS = ".locks"
_JOURNAL = "journal.json"
_LOCK_WAIT_S = 20.0


class Transaction:
    """One all-or-nothing change of the lake; use it as a context manager.

    Parameters
    ----------
    root : Path
        The lake's folder.
    lock_wait_s : float
        How long to wait for another writer of the same series.

    Raises
    ------
    StorageError
        From any method: the disk refused or another process holds a series. Nothing is changed.
    """

    def __init__(self, root: Path, *, lock_wait_s: float = _LOCK_WAIT_S) -> None:
        self._root = root
        self._lock_wait_s = lock_wait_s
        self._folder = root / _STAGING / uuid.uuid4().hex
        self._staged: dict[PurePosixPath, Path] = {}
        self._parts = 0
        self._locks: dict[SeriesKey, IO[str]] = {}
        self._own_lock: IO[str] | None = None

    def __enter__(self) -> "Transaction":
        # Held while the folder is born, so that nobody takes it for one left behind.
        with _storage_errors(self._root), _birth_lock(self._root):
            self._folder.mkdir(parents=True)
            self._own_lock = _locked(self._folder / "lock")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            if kind is None:
                with _storage_errors(self._root):
                    self._publish()
        finally:
            # With a journal the change is decided: whoever opens the lake next completes it.
            if not (self._folder / _JOURNAL).exists():
                shutil.rmtree(self._folder, ignore_errors=True)
            for lock in (*self._locks.values(), self._own_lock):
                if lock is not None:
                    lock.close()

    def merge(
        self,
        key: SeriesKey,
        block: Block,
        *,
        source: str,
        replace: bool = False,
        within: tuple[int, int] | None = None,
    ) -> Merged:
        """Add rows to a series; rows already there must agree.

        Parameters
        ----------
        source : str
            Where the rows come from, for messages and the file's metadata.
        replace : bool
            New rows take the place of rows of the same stamp instead (a repair; keyed kinds only).
        within : (from_ms, to_ms), optional
            With `replace`: of the months touched, all other rows in [from, to) go too.

        Returns
        -------
        Merged
            `added` and `known` count over all months; `block` holds the months touched.

        Raises
        ------
        DataError
            If the rows disagree with rows already there.
        """
        self._lock(key)
        added = known = 0
        touched = []
        for month, part in months_of(key, block):
            name = PurePosixPath(key.folder, f"{month}.parquet")
            with _storage_errors(self._root):
                old, sources = self._read(name, key)
                if replace and old is not None:
                    old = without_stamps(old, part, within=within)
                merged = merge(key, part, old=old, source=source, old_source=", ".join(sources))
                if merged.added or old is None:
                    self._write(name, key, merged.block, source=source)
            added += merged.added
            known += merged.known
            touched.append(merged.block.frame)
        frame = pl.concat(touched) if touched else block.frame
        return Merged(Block(frame, block.price_decimals, block.qty_decimals), added, known)

    def put_text(self, name: PurePosixPath, text: str) -> None:
        """Stage a small text file of the lake (instrument rules, findings)."""
        with _storage_errors(self._root):
            path = self._next_part()
            with path.open("w", encoding="utf-8") as handle:
                handle.write(text)
                handle.flush()
                os.fsync(handle.fileno())
            self._staged[name] = path

    def _next_part(self) -> Path:
        # A number of its own each time: a month touched again must not take another's file.
        self._parts += 1
        return self._folder / f"{self._parts}.part"

    def _read(self, name: PurePosixPath, key: SeriesKey) -> tuple[Block | None, tuple[str, ...]]:
        path = self._staged.get(name, self._root / name)
        if not path.exists():
            return None, ()
        block, info = read_month(path, key)
        return block, info.sources

    def _write(self, name: PurePosixPath, key: SeriesKey, block: Block, *, source: str) -> None:
        before = self._staged.get(name, self._root / name)
        path = self._next_part()
        write_month(path, block, key=key, source=source, before=before if before.exists() else None)
        self._staged[name] = path

    def _lock(self, key: SeriesKey) -> None:
        if key in self._locks:
            return
        folder = self._root / _LOCKS
        path = folder / (key.folder.as_posix().replace("/", "@") + ".lock")
        with _storage_errors(self._root):
            folder.mkdir(parents=True, exist_ok=True)
            deadline = time.monotonic() + self._lock_wait_s
            while True:
                with contextlib.suppress(BlockingIOError):
                    self._locks[key] = _locked(path)
                    return
                if time.monotonic() > deadline:
                    raise StorageError(
                        f"{key} is being written by another process; try again when it is done"
                    )
                time.sleep(0.05)

    def _publish(self) -> None:
        if not self._staged:
            return
        moves = {str(name): path.name for name, path in self._staged.items()}
        partial = self._folder / f"{_JOURNAL}.part"
        with partial.open("w", encoding="utf-8") as handle:
            json.dump(moves, handle)
            handle.flush()
            os.fsync(handle.fileno())
        partial.rename(self._folder / _JOURNAL)
        fsync_path(self._folder)
        _complete(self._root, self._folder)


def recover(root: Path) -> None:
    """Finish or drop what writers that are gone left behind; cheap when there is nothing.

    Raises
    ------
    StorageError
        If a half-published change cannot be completed.
    """
    staging = root / _STAGING
    if not staging.is_dir():
        return
    left = sorted(staging.iterdir())
    if not left or not os.access(staging, os.W_OK):
        return
    with _storage_errors(root), _birth_lock(root):
        for folder in left:
            try:
                lock = _locked(folder / "lock")
            except OSError:  # its writer is alive, or it is gone meanwhile
                continue
            with lock:
                if (folder / _JOURNAL).exists():
                    _complete(root, folder)
                shutil.rmtree(folder, ignore_errors=True)


def _complete(root: Path, folder: Path) -> None:
    moves: dict[str, str] = json.loads((folder / _JOURNAL).read_text("utf-8"))
    parents = set()
    for name, part in moves.items():
        target = root / name
        staged = folder / part
        target.parent.mkdir(parents=True, exist_ok=True)
        if staged.exists():
            staged.replace(target)
        parents.add(target.parent)
    for parent in sorted(parents):
        fsync_path(parent)
        fsync_path(parent.parent)
    (folder / _JOURNAL).unlink(missing_ok=True)


@contextlib.contextmanager
def _birth_lock(root: Path) -> Iterator[None]:
    path = root / _LOCKS / "staging.lock"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def _locked(path: Path) -> IO[str]:
    handle = path.open("a", encoding="utf-8")
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        handle.close()
        raise
    return handle


@contextlib.contextmanager
def _storage_errors(root: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StorageError(
            f"the lake {root} cannot be written ({error.strerror or error}); nothing was changed: "
            "free space or permissions and try again"
        ) from None

"""Append-only files of rows, each hashed with the one before it; several processes may append.

    <root>/LOCK
    <root>/cuts.jsonl            what was ever cut off a torn tail, and where
    <root>/000001/rows.bin       fixed-width rows (a NumPy structured array): the commit point
    <root>/000001/texts.bin      UTF-8 JSON of each row, end to end
    <root>/000001/values.f32     little-endian float32 values of each row, end to end
    <root>/000002/...            the next segment, once the first holds `SEGMENT_ROWS`

A row's hash covers the hash before it, its numbers, its text and its values. Texts and values are
written before the row that points to them, so a row that is there is whole; what a crash leaves
beyond the last row is cut off at the next append and noted in cuts.jsonl, never silently.
Columns of rows.bin can be scanned without touching texts or values.
"""

import fcntl
import json
import logging
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from openalpha.core.errors import StorageError
from openalpha.store.atomic import storage_errors, sync_folder
from openalpha.store.chain_block import (
    ChainFault,
    Row,
    columns_differ,
    digest,
    encoded_columns,
    pack,
    read_part,
    segment_column,
    write_at,
)

__all__ = ["SEGMENT_ROWS", "ChainFault", "ChainedRows", "Row"]

SEGMENT_ROWS = 65_536  # that a segment holds

_SYNC_S = 5.0
_HASH = 32
_GENESIS = bytes(_HASH)
_HEAD = [
    ("seq", "<i8"), ("text_at", "<i8"), ("text_len", "<i4"), ("values_len", "<i4"),
    ("values_at", "<i8"),
]  # fmt: skip

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Tail:
    """Where the next row goes, as this process last saw it."""

    segment: int = 1
    rows: int = 0
    text_end: int = 0
    values_end: int = 0
    hash: bytes = _GENESIS
    handles: tuple[int, int, int] | None = None


@dataclass(slots=True)
class ChainedRows:
    """A chained file store with columns of the caller's own.

    Rows reach the operating system with each append; they are synced to the disk on `close`, at a
    segment's end and otherwise at most every five seconds, with the append that finds it due. A
    machine that loses power may lose the last seconds; a killed process loses nothing.

    Parameters
    ----------
    root : Path
        Folder of the store; made by the first append.
    columns : list of (name, dtype)
        Fixed-width columns beside the store's own.
    segment_rows : int
        Rows of a segment.
    """

    root: Path
    columns: list[tuple[str, str]]
    segment_rows: int = SEGMENT_ROWS
    _tail: _Tail = field(default_factory=_Tail)
    _lock: int = -1
    _pid: int = 0
    _threads: threading.Lock = field(default_factory=threading.Lock)
    _synced_s: float = 0.0
    _dtype: np.dtype[Any] = field(init=False)

    def __post_init__(self) -> None:
        self._dtype = np.dtype([*_HEAD, *self.columns, ("hash", f"V{_HASH}")])

    def append(
        self, columns: Mapping[str, Any], text: Mapping[str, Any], *, values: NDArray[np.float32]
    ) -> Row:
        """Append one row.

        Returns
        -------
        Row
            With its position, counted from 0 over all segments, and its hash.

        Raises
        ------
        StorageError
            If the disk refuses; nothing was added.
        """
        encoded = json.dumps(
            text, separators=(",", ":"), ensure_ascii=False, sort_keys=True
        ).encode()
        packed = np.ascontiguousarray(values, dtype="<f4")
        seq, last = self._append(columns, [encoded], [packed])
        return Row(seq, dict(columns), dict(text), packed, last.hex())

    def append_many(
        self,
        columns: Mapping[str, Any],
        texts: Sequence[bytes],
        *,
        values: Sequence[NDArray[np.float32]],
    ) -> int:
        """Append rows in one go, as so many calls of `append` would.

        Parameters
        ----------
        columns : mapping of str to value or array of n values
        texts : sequence of bytes
            JSON of each row, UTF-8.
        values : sequence of float32[k]

        Returns
        -------
        int
            Position of the first; the others follow.

        Raises
        ------
        StorageError
            If the disk refuses; then rows before the one it refused may be there, whole.
        """
        return self._append(columns, texts, values)[0]

    def _append(
        self,
        columns: Mapping[str, Any],
        texts: Sequence[bytes],
        values: Sequence[NDArray[np.float32]],
    ) -> tuple[int, bytes]:
        """Append rows; returns the first's position and the last's hash."""
        rows = encoded_columns(columns, self._dtype, count=len(texts))
        with storage_errors(str(self.root)), self._locked():
            self._refresh()
            first = (self._tail.segment - 1) * self.segment_rows + self._tail.rows
            rows["seq"] = first + np.arange(len(rows))
            done = 0
            while done < len(rows):
                stop = min(len(rows), done + self.segment_rows - self._tail.rows)
                self._append_block(rows[done:stop], texts[done:stop], values[done:stop])
                done = stop
                if done < len(rows):
                    self._refresh()
            self._sync_when_due()
            return first, self._tail.hash

    def column(self, name: str) -> NDArray[Any]:
        """Return one of the caller's columns of all rows, without reading the rest of them."""
        parts = []
        for path in self._segments("rows.bin"):
            rows = path.stat().st_size // self._dtype.itemsize
            is_full = rows >= self.segment_rows
            parts.append(
                segment_column(path.parent, name, dtype=self._dtype, rows=rows, is_full=is_full)
            )
        return np.concatenate(parts) if parts else np.zeros(0, dtype=self._dtype[name])

    def table(self) -> NDArray[Any]:
        """Return the fixed-width columns of all rows: a structured array of length n."""
        parts = [np.fromfile(path, dtype=self._dtype) for path in self._segments("rows.bin")]
        return np.concatenate(parts) if parts else np.zeros(0, dtype=self._dtype)

    def read(self, seq: int) -> Row:
        """Return one row with its text and values.

        Raises
        ------
        StorageError
            If there is no such row or it cannot be read.
        """
        folder = self._folder(seq // self.segment_rows + 1)
        at = seq % self.segment_rows
        size = self._dtype.itemsize
        raw = read_part(folder / "rows.bin", at=at * size, length=size)
        if len(raw) < size:
            raise StorageError(f"{self.root} has no row {seq}")
        row = np.frombuffer(raw, dtype=self._dtype)[0]
        return self._row(row, folder)

    def verify(self) -> ChainFault | None:
        """Read everything and return the first row that does not fit, None when all do."""
        before, seq = _GENESIS, 0
        for path in self._segments("rows.bin"):
            texts = (path.parent / "texts.bin").read_bytes()
            values = (path.parent / "values.f32").read_bytes()
            table = np.fromfile(path, dtype=self._dtype)
            if columns_differ(path.parent, table):
                return ChainFault(seq, "the column file of its segment does not fit its rows")
            for row in table:
                reason = self._misfit(row, seq, before, texts, values)
                if reason:
                    return ChainFault(seq, reason)
                before, seq = row["hash"].tobytes(), seq + 1
        return None

    def close(self) -> None:
        """Sync what was appended and let go of the files; appending again opens them again."""
        self._sync()
        self._drop()

    def _drop(self) -> None:
        self._close_tail()
        if self._lock >= 0:
            os.close(self._lock)
        self._lock, self._tail = -1, _Tail()

    def __del__(self, is_ending: Callable[[], bool] = sys.is_finalizing) -> None:
        """Let go of the files; as the program ends the system does."""
        if not is_ending():
            self._drop()

    def _append_block(
        self, rows: NDArray[Any], texts: Sequence[bytes], values: Sequence[NDArray[np.float32]]
    ) -> None:
        """Write rows that fit the present segment: texts and values before the rows."""
        tail = self._tail
        rows["text_at"][:1], rows["values_at"][:1] = tail.text_end, tail.values_end
        block = pack(rows, texts, values=values, before=tail.hash)
        assert tail.handles is not None
        write_at(tail.handles[1], block.texts, at=tail.text_end)
        write_at(tail.handles[2], block.values, at=4 * tail.values_end)
        write_at(tail.handles[0], block.rows, at=tail.rows * self._dtype.itemsize)
        tail.rows += len(rows)
        tail.text_end += len(block.texts)
        tail.values_end += len(block.values) // 4
        tail.hash = block.hash

    def _misfit(
        self, row: NDArray[Any], seq: int, before: bytes, texts: bytes, values: bytes
    ) -> str:
        text = texts[row["text_at"] : row["text_at"] + row["text_len"]]
        packed = values[4 * row["values_at"] : 4 * (row["values_at"] + row["values_len"])]
        if row["seq"] != seq:
            return f"it says it is row {row['seq']}"
        if len(text) < row["text_len"] or len(packed) < 4 * row["values_len"]:
            return "its text or values are missing"
        if (
            digest(before, row.tobytes()[:-_HASH], text=text, values=packed)
            != row["hash"].tobytes()
        ):
            return "its content does not fit its hash"
        return ""

    def _row(self, row: NDArray[Any], folder: Path) -> Row:
        text = read_part(folder / "texts.bin", at=int(row["text_at"]), length=int(row["text_len"]))
        at, length = 4 * int(row["values_at"]), 4 * int(row["values_len"])
        packed = read_part(folder / "values.f32", at=at, length=length)
        try:
            loaded = json.loads(text)
        except ValueError:
            raise StorageError(
                f"row {row['seq']} of {self.root} is damaged; verify the ledger"
            ) from None
        names = [name for name, _ in self.columns]
        return Row(
            int(row["seq"]), {name: row[name] for name in names}, loaded,
            np.frombuffer(packed, dtype="<f4"), row["hash"].tobytes().hex(),
        )  # fmt: skip

    def _folder(self, segment: int) -> Path:
        return self.root / f"{segment:06d}"

    def _segments(self, name: str) -> Iterator[Path]:
        segment = 1
        while (path := self._folder(segment) / name).exists():
            yield path
            segment += 1

    @contextmanager
    def _locked(self) -> Iterator[None]:
        with self._threads:
            self._own_files()
            fcntl.flock(self._lock, fcntl.LOCK_EX)
            try:
                yield
            finally:
                fcntl.flock(self._lock, fcntl.LOCK_UN)

    def _own_files(self) -> None:
        """Open the lock; a forked child opens its own, since a lock goes with the open file."""
        if self._lock >= 0 and self._pid != os.getpid():
            self._drop()
        if self._lock < 0:
            self.root.mkdir(parents=True, exist_ok=True)
            self._lock = os.open(self.root / "LOCK", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
            self._pid = os.getpid()

    def _refresh(self) -> None:
        """Bring the tail up to date with what other processes appended; roll a full segment."""
        tail = self._tail
        if tail.handles is not None:
            grown = os.fstat(tail.handles[0]).st_size != tail.rows * self._dtype.itemsize
            if not grown and tail.rows < self.segment_rows:
                return
        last = max((int(p.parent.name) for p in self._segments("rows.bin")), default=1)
        self._open(last)
        if self._tail.rows >= self.segment_rows:
            self._open(last + 1)

    def _open(self, segment: int) -> None:
        self._sync()
        self._close_tail()
        folder = self._folder(segment)
        is_new = not (folder / "rows.bin").exists()
        folder.mkdir(parents=True, exist_ok=True)
        names = ("rows.bin", "texts.bin", "values.f32")
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC
        handles = tuple(os.open(folder / name, flags, 0o644) for name in names)
        if is_new:
            sync_folder(folder)
            sync_folder(self.root)
        self._tail = _Tail(segment, handles=(handles[0], handles[1], handles[2]))
        self._read_tail(folder)

    def _read_tail(self, folder: Path) -> None:
        """Find the last whole row and cut off what a crash left behind it."""
        tail, size = self._tail, self._dtype.itemsize
        assert tail.handles is not None
        lengths = [os.fstat(handle).st_size for handle in tail.handles]
        tail.rows = lengths[0] // size
        while tail.rows:
            row = np.frombuffer(
                os.pread(tail.handles[0], size, (tail.rows - 1) * size), self._dtype
            )[0]
            text_end = int(row["text_at"]) + int(row["text_len"])
            values_end = int(row["values_at"]) + int(row["values_len"])
            is_blank = not any(row.tobytes())
            if not is_blank and text_end <= lengths[1] and 4 * values_end <= lengths[2]:
                tail.text_end, tail.values_end = text_end, values_end
                tail.hash = row["hash"].tobytes()
                break
            tail.rows -= 1
        if tail.rows == 0 and tail.segment > 1:
            tail.hash = bytes.fromhex(self.read((tail.segment - 1) * self.segment_rows - 1).hash)
        self._cut(folder, lengths)

    def _cut(self, folder: Path, lengths: list[int]) -> None:
        tail = self._tail
        assert tail.handles is not None
        ends = (tail.rows * self._dtype.itemsize, tail.text_end, 4 * tail.values_end)
        over = {
            name: length - end
            for name, length, end in zip(("rows", "texts", "values"), lengths, ends, strict=True)
            if length > end
        }
        if not over:
            return
        first = (tail.segment - 1) * self.segment_rows + tail.rows
        note = {"before_row": first, "bytes_cut": over}
        with (self.root / "cuts.jsonl").open("a") as file:
            file.write(json.dumps(note) + "\n")
        _log.warning("torn_tail_cut folder=%s before_row=%s bytes=%s", folder, first, over)
        for handle, end in zip(tail.handles, ends, strict=True):
            os.ftruncate(handle, end)

    def _sync_when_due(self) -> None:
        now = time.monotonic()
        if now - self._synced_s >= _SYNC_S:
            if self._synced_s:
                self._sync()
            self._synced_s = now

    def _sync(self) -> None:
        if self._tail.handles is not None:
            for handle in (self._tail.handles[1], self._tail.handles[2], self._tail.handles[0]):
                os.fsync(handle)

    def _close_tail(self) -> None:
        for handle in self._tail.handles or ():
            os.close(handle)
        self._tail.handles = None

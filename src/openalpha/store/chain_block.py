"""Many rows of a chained store at once, packed as they lie in its files; and its columns, cached.

A full segment never changes, so its columns may lie beside it once more, one after another: then a
query over a million rows reads what it asks for, nothing else. `verify` holds the copy to the rows.
"""

import hashlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from openalpha.core.errors import StorageError
from openalpha.store.atomic import write_bytes

__all__ = [
    "Block", "ChainFault", "Row", "columns_differ", "digest", "encoded_columns", "pack",
    "read_part", "segment_column", "write_at",
]  # fmt: skip

COLUMNS_FILE = "columns.bin"


@dataclass(frozen=True, slots=True)
class ChainFault:
    """The first row that does not fit, counted from 0, and why."""

    seq: int
    reason: str


@dataclass(frozen=True, slots=True)
class Row:
    """One row: its numbers by column, its text, its values and its hash (hex)."""

    seq: int
    columns: Mapping[str, Any]
    text: dict[str, Any]
    values: NDArray[np.float32]
    hash: str


@dataclass(frozen=True, slots=True)
class Block:
    """Rows, texts and values as bytes, and the last row's hash."""

    rows: bytes
    texts: bytes
    values: bytes
    hash: bytes


def pack(
    rows: NDArray[Any],
    texts: Sequence[bytes],
    *,
    values: Sequence[NDArray[np.float32]],
    before: bytes,
) -> Block:
    """Chain rows whose numbers are filled in but for texts, values and hash.

    Parameters
    ----------
    rows : structured array of length n
        Its first row's `text_at` and `values_at` say where the block begins.
    texts : sequence of bytes
    values : sequence of float32[k]
    before : bytes
        Hash of the row before the first.
    """
    lengths = np.array([len(text) for text in texts], dtype=np.int64)
    counts = np.array([len(part) for part in values], dtype=np.int64)
    rows["text_len"], rows["values_len"] = lengths, counts
    rows["text_at"] = rows["text_at"][0] + np.cumsum(lengths) - lengths
    rows["values_at"] = rows["values_at"][0] + np.cumsum(counts) - counts
    packed = [np.ascontiguousarray(part, dtype="<f4").tobytes() for part in values]
    raw, size = bytearray(rows.tobytes()), rows.dtype.itemsize
    numbers = size - 32
    for place, text, part in zip(range(0, len(raw), size), texts, packed, strict=True):
        before = digest(before, raw[place : place + numbers], text=text, values=part)
        raw[place + numbers : place + size] = before
    return Block(bytes(raw), b"".join(texts), b"".join(packed), before)


def segment_column(
    folder: Path, name: str, *, dtype: np.dtype[Any], rows: int, is_full: bool
) -> NDArray[Any]:
    """Return one column of a segment; a full segment's from its column file, made where missing.

    Parameters
    ----------
    dtype : numpy.dtype
        Of the rows.
    rows : int
        Rows of the segment that count.
    """
    if is_full:
        path = folder / COLUMNS_FILE
        size = sum(dtype[part].itemsize for part in _kept(dtype)) * rows
        if not path.exists() or path.stat().st_size != size:
            _write_columns(folder, dtype)
        if path.exists() and path.stat().st_size == size:
            at = _place(dtype, name) * rows
            return np.fromfile(path, dtype=dtype[name], count=rows, offset=at)
    table = np.fromfile(folder / "rows.bin", dtype=dtype, count=rows)
    return np.ascontiguousarray(table[name])


def columns_differ(folder: Path, table: NDArray[Any]) -> bool:
    """Say whether a segment's column file, if there is one, holds something else than its rows."""
    path = folder / COLUMNS_FILE
    return path.exists() and path.read_bytes() != _column_bytes(table)


def _kept(dtype: np.dtype[Any]) -> list[str]:
    head = {"seq", "text_at", "text_len", "values_len", "values_at", "hash"}
    return [name for name in dtype.names or () if name not in head]


def _place(dtype: np.dtype[Any], wanted: str) -> int:
    names = _kept(dtype)
    return sum(dtype[name].itemsize for name in names[: names.index(wanted)])


def _column_bytes(table: NDArray[Any]) -> bytes:
    return b"".join(np.ascontiguousarray(table[name]).tobytes() for name in _kept(table.dtype))


def _write_columns(folder: Path, dtype: np.dtype[Any]) -> None:
    table = np.fromfile(folder / "rows.bin", dtype=dtype)
    try:
        write_bytes(folder / COLUMNS_FILE, _column_bytes(table))
    except StorageError:
        return  # a copy only: without it the rows are read


def encoded_columns(
    columns: Mapping[str, Any], dtype: np.dtype[Any], *, count: int
) -> NDArray[Any]:
    """Return rows with their own columns filled in, each from a value or one value a row."""
    rows = np.zeros(count, dtype=dtype)
    for name, value in columns.items():
        rows[name] = value
    return rows


def digest(before: bytes, row: bytes | bytearray, *, text: bytes, values: bytes) -> bytes:
    """Return a row's hash: of the hash before it, its numbers, its text and its values."""
    made = hashlib.sha256(before)
    made.update(row)
    made.update(text)
    made.update(values)
    return made.digest()


def write_at(handle: int, content: bytes, *, at: int) -> None:
    """Write all of a content at a place of an open file."""
    done = 0
    while done < len(content):
        done += os.pwrite(handle, content[done:], at + done)


def read_part(path: Path, *, at: int, length: int) -> bytes:
    """Return a part of a file.

    Raises
    ------
    StorageError
        If it cannot be read.
    """
    try:
        with path.open("rb") as file:
            file.seek(at)
            return file.read(length)
    except OSError as error:
        raise StorageError(f"{path} could not be read: {error.strerror}") from error

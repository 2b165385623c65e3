"""Opens csv, parquet, feather, json, zip and gz files as tables, values as they are."""

import gzip
import io
import json
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from openalpha.core.errors import DataError

__all__ = ["RawTable", "can_open", "open_tables"]

_TABLES = {".csv", ".parquet", ".feather", ".arrow", ".ipc", ".json"}
_PACKED = {".gz", ".zip"}
_FREQTRADE = ["date", "open", "high", "low", "close", "volume"]


@dataclass(frozen=True, slots=True)
class RawTable:
    """One table as found in a file: from a text file every value is text.

    Parameters
    ----------
    name : str
        File name without packing: `BTCUSDT-1m-2024-01.csv`.
    frame : pl.DataFrame
    first_row : int
        Number a person would give the first row: the line in a text file, else 1.
    has_header : bool
        Whether the columns have names; else they are `column_1` …
    """

    name: str
    frame: pl.DataFrame
    first_row: int
    has_header: bool


def can_open(path: Path) -> bool:
    """Say whether the name looks like a table, packed or not."""
    suffix = path.suffix.lower()
    return suffix in _TABLES or suffix in _PACKED


def open_tables(path: Path) -> Iterator[RawTable]:
    """Yield the tables in a file: one, or one a member of a zip archive.

    Raises
    ------
    DataError
        If the file is missing, damaged or of a kind this cannot open.
    """
    try:
        if path.suffix.lower() == ".zip":
            with zipfile.ZipFile(path) as archive:
                for member in archive.infolist():
                    if not member.is_dir():
                        yield _table(Path(member.filename).name, archive.read(member))
        elif path.suffix.lower() == ".gz":
            yield _table(path.stem, gzip.decompress(path.read_bytes()))
        else:
            yield _table(path.name, path.read_bytes())
    except FileNotFoundError:
        raise DataError(f"{path} does not exist") from None
    except (zipfile.BadZipFile, gzip.BadGzipFile, zlib.error, EOFError) as error:
        raise DataError(f"{path} is a damaged archive ({error}); fetch it again") from None
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror or error})") from None
    except (pl.exceptions.PolarsError, ValueError) as error:
        first = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise DataError(f"{path} cannot be used: {first}") from None


def _table(name: str, data: bytes) -> RawTable:
    kind = Path(name).suffix.lower()
    if kind == ".csv":
        return _csv(name, data)
    if kind == ".parquet":
        return RawTable(name, pl.read_parquet(data), 1, has_header=True)
    if kind in (".feather", ".arrow", ".ipc"):
        frame = pl.read_ipc(io.BytesIO(data))
        return RawTable(name, frame, 1, has_header=True)
    if kind == ".json":
        rows = json.loads(data)
        if not (isinstance(rows, list) and rows and isinstance(rows[0], list)):
            raise ValueError("it is JSON, but no list of bars")
        if {len(row) for row in rows} != {6}:
            raise ValueError("it is JSON, but no list of [date, open, high, low, close, volume]")
        frame = pl.DataFrame(rows, schema=_FREQTRADE, orient="row", strict=False)
        return RawTable(name, frame, 1, has_header=True)
    raise ValueError(f"'{name}' is neither csv, parquet, feather nor json")


def _csv(name: str, data: bytes) -> RawTable:
    data = data.rstrip()  # blank lines at the end are no rows
    if not data:
        raise ValueError("the file is empty")
    head = data[:65536].decode("utf-8", "replace").splitlines()[0]
    has_header = not all(_is_number(cell) for cell in head.split(",")[:5])
    # Everything as text: a wrong value is then found row by row, not by a failed guess.
    frame = pl.read_csv(data, has_header=has_header, infer_schema=False, truncate_ragged_lines=True)
    return RawTable(name, frame, 2 if has_header else 1, has_header=has_header)


def _is_number(text: str) -> bool:
    try:
        float(text.strip().strip('"'))
    except ValueError:
        return False
    return True

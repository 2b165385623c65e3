"""One Parquet file a series and month: int64 units, with their decimals in the file's metadata."""

import json
import os
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import polars as pl

from openalpha.core.errors import DataError
from openalpha.market.blocks import Block, content_hash
from openalpha.market.series import SeriesKey

__all__ = ["MonthInfo", "fsync_path", "read_info", "read_month", "write_month"]

_META = "openalpha"
_SCHEMA = 1
_MAX_SOURCES = 20


@dataclass(frozen=True, slots=True)
class MonthInfo:
    """What a month file says about itself, read without its rows.

    Parameters
    ----------
    rows : int
    first_ms, last_ms : int
        First and last stamp, UTC ms.
    price_decimals, qty_decimals : int
    sha256 : str
        Hash of rows and decimals.
    sources : tuple of str
        Names of what it was made from, oldest first.
    """

    rows: int
    first_ms: int
    last_ms: int
    price_decimals: int
    qty_decimals: int
    sha256: str
    sources: tuple[str, ...]


def write_month(
    path: Path, block: Block, *, key: SeriesKey, source: str, before: Path | None
) -> None:
    """Write a whole month file and wait until the disk has it; `before` passes on its sources.

    Raises
    ------
    OSError
        If the disk refuses.
    """
    earlier = read_info(before).sources if before is not None else ()
    sources = earlier if source in earlier else (*earlier, source)[-_MAX_SOURCES:]
    info = MonthInfo(
        rows=block.frame.height,
        first_ms=int(block.frame["ts"].min() or 0),  # type: ignore[arg-type]  # ts is Int64
        last_ms=int(block.frame["ts"].max() or 0),  # type: ignore[arg-type]  # ts is Int64
        price_decimals=block.price_decimals,
        qty_decimals=block.qty_decimals,
        sha256=content_hash(block),
        sources=sources,
    )
    text = json.dumps({"schema": _SCHEMA, "series": str(key), **asdict(info)})
    try:
        block.frame.write_parquet(path, compression="zstd", metadata={_META: text})
    except pl.exceptions.PolarsError as error:
        raise OSError(str(error)) from None
    fsync_path(path)


def fsync_path(path: Path) -> None:
    """Wait until the disk has a file, or a folder's list of names."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def read_info(path: Path) -> MonthInfo:
    """Return what a month file says about itself.

    Raises
    ------
    DataError
        If it is not a whole month file of this program.
    """
    return _info(path, path)


def read_month(
    path: Path, key: SeriesKey, *, span: tuple[int, int] | None = None
) -> tuple[Block, MonthInfo]:
    """Return the rows of a month file, of `span` = [from, to) in UTC ms only where it is given.

    Raises
    ------
    DataError
        If it is not a whole month file of this program.
    """
    # Read once, so that a file replaced in between cannot mix old units with new rows.
    data = path.read_bytes()
    info = _info(data, path)
    try:
        frame = pl.read_parquet(data)
    except pl.exceptions.PolarsError as error:
        raise DataError(f"{path} cannot be read ({error}); import that month again") from None
    if span is not None:
        frame = frame.filter(pl.col("ts").is_between(*span, closed="left"))
    if frame.schema != pl.Schema(key.polars_schema()):
        raise DataError(f"{path} has other columns than {key} should have; import it again")
    return Block(frame, info.price_decimals, info.qty_decimals), info


def _info(source: Path | bytes, path: Path) -> MonthInfo:
    try:
        values = json.loads(pl.read_parquet_metadata(source)[_META])
        if values["schema"] != _SCHEMA:
            raise DataError(f"{path} has schema {values['schema']}; update OpenAlpha to read it")
        names = [item.name for item in fields(MonthInfo) if item.name != "sources"]
        return MonthInfo(**{name: values[name] for name in names}, sources=(*values["sources"],))
    except (KeyError, ValueError, TypeError, OSError, pl.exceptions.PolarsError) as error:
        raise DataError(
            f"{path} is not a readable lake file ({type(error).__name__}); remove it and import or "
            "download that month again"
        ) from None

"""Writes series of the lake as files other programs read, in the layout our own import knows."""

import os
from collections.abc import Sequence
from pathlib import Path

import polars as pl

from openalpha.core.errors import InputError, StorageError, UnknownName
from openalpha.market.blocks import Block
from openalpha.market.grid import to_floats
from openalpha.market.history import RATE_DECIMALS
from openalpha.market.lake import Lake
from openalpha.market.series import COLUMNS, ColumnUnit, SeriesKey, SeriesKind
from openalpha.market.series_list import missing_series
from openalpha.store.kept import refuse_kept

__all__ = ["FORMATS", "as_floats", "export_series", "file_name"]

FORMATS = ("csv", "parquet", "feather")

_FOLDERS = {SeriesKind.BARS: "ohlcv", SeriesKind.QUOTE_BARS: "quotes"}
_NAMES = {
    SeriesKind.FUNDING: {"rate": "funding_rate"},
    SeriesKind.OPEN_INTEREST: {"qty": "open_interest"},
    SeriesKind.TRADES: {"arrival_ns": "local_ts_ns"},
    SeriesKind.BOOK: {"arrival_ns": "local_ts_ns", "is_snapshot": "kind"},
    SeriesKind.QUOTES: {"arrival_ns": "local_ts_ns"},
}
_SIDES = {
    SeriesKind.TRADES: {1: "buy", -1: "sell", 0: "unknown"},
    SeriesKind.BOOK: {1: "bid", -1: "ask", 0: "unknown"},
}


def export_series(
    lake: Lake,
    keys: Sequence[SeriesKey],
    *,
    folder: Path,
    file_format: str = "parquet",
    span: tuple[int | None, int | None] = (None, None),
    force: bool = False,
) -> list[tuple[Path, int]]:
    """Write series as `folder/<kind>/<market>/<SYMBOL>[_<time frame>].<format>`.

    Parameters
    ----------
    lake : Lake
    keys : sequence of SeriesKey
    folder : Path
        Made where it does not exist.
    file_format : str
        csv, parquet or feather.
    span : (start_ms, end_ms)
        Rows with a stamp in [start, end), UTC ms; None is no bound.
    force : bool
        Replace files that are there.

    Returns
    -------
    list of (Path, rows)

    Raises
    ------
    InputError
        If the format is unknown, or a file is there already and `force` is off; nothing is written.
    UnknownName
        If the lake has no such series; nothing is written.
    StorageError
        If the disk refuses; no file is half written.
    """
    if file_format not in FORMATS:
        raise InputError(f"'{file_format}' is no format; choose {', '.join(FORMATS)}")
    targets = {key: folder / file_name(key, file_format) for key in keys}
    known = {info.key for info in lake.series()}
    for key, path in targets.items():
        if key not in known:
            raise UnknownName(missing_series(key, lake.series()))
        if path.exists() and not force:
            raise InputError(f"{path} is there already; --force replaces it")
    written = []
    for key, path in targets.items():
        frame = as_floats(key, lake.read(key, start_ms=span[0], end_ms=span[1]))
        _write(frame, path, file_format)
        written.append((path, frame.height))
    return written


def file_name(key: SeriesKey, file_format: str) -> str:
    """Return where a series is written below the export folder.

    Examples
    --------
    >>> file_name(SeriesKey("bybit_linear", "BTCUSDT", SeriesKind.BARS, "1h"), "csv")
    'ohlcv/bybit_linear/BTCUSDT_1h.csv'
    """
    timeframe = f"_{key.timeframe}" if key.timeframe else ""
    folder = _FOLDERS.get(key.kind, str(key.kind))
    return f"{folder}/{key.market}/{key.symbol}{timeframe}.{file_format}"


def as_floats(key: SeriesKey, block: Block) -> pl.DataFrame:
    """Return a block with prices and quantities as float64 in their own units, named as exported.

    Parameters
    ----------
    key : SeriesKey
    block : Block
        Rows of that series.
    """
    decimals = {
        ColumnUnit.PRICE: block.price_decimals,
        ColumnUnit.QTY: block.qty_decimals,
        ColumnUnit.RATE: RATE_DECIMALS,
    }
    columns = []
    for name, unit in COLUMNS[key.kind].items():
        column = block.frame[name]
        if unit in decimals:
            column = pl.Series(name, to_floats(column.to_numpy(), decimals[unit]))
        columns.append(column)
    frame = pl.DataFrame(columns)
    sides = _SIDES.get(key.kind)
    if sides is not None:
        words = pl.col("side").replace_strict(sides, return_dtype=pl.String)
        frame = frame.with_columns(words)
    if key.kind is SeriesKind.BOOK:
        word = pl.when(pl.col("is_snapshot") == 1).then(pl.lit("snapshot"))
        frame = frame.with_columns(is_snapshot=word.otherwise(pl.lit("delta")))
    return frame.rename(_NAMES.get(key.kind, {}))


def _write(frame: pl.DataFrame, path: Path, file_format: str) -> None:
    refuse_kept(path)
    partial = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            if file_format == "csv":
                frame.write_csv(partial)
            elif file_format == "parquet":
                frame.write_parquet(partial, compression="zstd")
            else:
                frame.write_ipc(partial, compression="zstd")
            partial.replace(path)
        finally:
            partial.unlink(missing_ok=True)
    except (OSError, pl.exceptions.PolarsError) as error:
        why = getattr(error, "strerror", None) or error
        raise StorageError(
            f"{path} cannot be written ({why}); free space or name another folder"
        ) from None

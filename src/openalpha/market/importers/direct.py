"""A file of bars becomes a history at once, without the lake: checked row by row, never mended."""

from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import numpy as np
import polars as pl

from openalpha.core.clock import Clock, format_ms, parse_timeframe
from openalpha.core.errors import DataError
from openalpha.market.frames import history
from openalpha.market.history import History
from openalpha.market.importers.layouts import Canonical, recognise
from openalpha.market.importers.names import Named, what_name_says
from openalpha.market.importers.raw import RawTable, open_tables
from openalpha.market.importers.rows import judge, usual_step_ms
from openalpha.market.series import SeriesKind

__all__ = ["history_of_file"]

_RATE = "funding_rate"


def history_of_file(
    path: Path,
    *,
    clock: Clock,
    instrument: str | None = None,
    timeframe: str | None = None,
    span: tuple[int | None, int | None] = (None, None),
    capital: Decimal | float = 10_000,
) -> History:
    """Read bars from a file in any layout `openalpha data import` knows, and prepare them.

    Unlike an import nothing is sorted, merged or left out: a row that is not fit refuses the file.

    Parameters
    ----------
    path : Path
        CSV, Parquet, Feather or JSON, also as zip or gz; an optional column `funding_rate`
        (a fraction, empty where nothing was settled) is used.
    clock : Clock
        A stamp beyond its now cannot have happened.
    instrument : str, optional
        What is traded, `bybit_linear:BTCUSDT`; else what the file's name says, else unnamed with
        rules inferred from the values.
    timeframe : str, optional
        Else the most frequent distance between rows.
    span : (int or None, int or None)
        Bars that open within [start_ms, end_ms), UTC ms.
    capital : Decimal or float
        See `history`.

    Raises
    ------
    DataError
        If the file is missing, is not bars, holds no bar in the span, or holds an unfit row: the
        first is named by its number in the file and its column.
    """
    tables = [_table(path, table) for table in open_tables(path)]
    if not tables:
        raise DataError(f"{path} holds no table")
    frame = pl.concat([frame for frame, _ in tables], how="diagonal")
    named = tables[0][1]
    timeframe = timeframe or named.timeframe or None
    _refuse_unfit(path, frame, timeframe, now_ms=clock.now_ms())
    start_ms, end_ms = span
    wanted = frame.filter(
        (pl.col("ts") >= (start_ms if start_ms is not None else -(2**62)))
        & (pl.col("ts") < (end_ms if end_ms is not None else 2**62))
    )
    if wanted.height == 0:
        first, last = format_ms(int(frame["ts"][0])), format_ms(int(frame["ts"][-1]))
        raise DataError(f"{path} has no bars in the range asked for; it has {first} to {last}")
    if instrument is None and named.market and named.symbol:
        instrument = f"{named.market}:{named.symbol}"
    found = history(
        wanted.drop("_row"), instrument=instrument, timeframe=timeframe, capital=capital
    )
    return replace(found, notes=(f"read from the file {path.name}", *found.notes))


def _table(path: Path, table: RawTable) -> tuple[pl.DataFrame, Named]:
    named = what_name_says(path, table.name)
    canonical = recognise(table, named)
    if isinstance(canonical, str):
        raise DataError(f"{path} cannot be used: {canonical}")
    if canonical.kind is not SeriesKind.BARS:
        raise DataError(f"{path} holds {canonical.kind}, not bars; a backtest runs on bars")
    if canonical.frame.height == 0:
        raise DataError(f"{path} has no rows")
    frame = canonical.frame
    for name in table.frame.columns:
        if table.has_header and name.strip().lower() == _RATE:
            frame = frame.with_columns(_rates(path, table, name))
    return frame, named


def _rates(path: Path, table: RawTable, name: str) -> pl.Series:
    given = table.frame[name]
    if given.dtype == pl.String:
        given = given.str.strip_chars().replace({"": None, "nan": None, "NaN": None})
    rates = given.cast(pl.Float64, strict=False).fill_nan(None)
    lost = (given.is_not_null() & given.cast(pl.Float64, strict=False).is_null()).arg_true()
    if len(lost):
        row = table.first_row + int(lost[0])
        raise DataError(
            f"{path} row {row}, column {_RATE}: was {given[int(lost[0])]}, "
            "expected a rate such as 0.0001, or nothing"
        )
    return rates.alias(_RATE)


def _refuse_unfit(path: Path, frame: pl.DataFrame, timeframe: str | None, *, now_ms: int) -> None:
    bars = Canonical(SeriesKind.BARS, frame.drop(_RATE, strict=False))
    step_ms = parse_timeframe(timeframe) if timeframe else usual_step_ms(frame)
    bad = judge(bars, step_ms or 0, now_ms=now_ms).bad
    faults = list(_out_of_order(frame)) if bad.height == 0 else bad.rows()
    if not faults:
        return
    row, column, why = faults[0]
    more = f" (and {len(faults) - 1:,} more unfit rows)" if len(faults) > 1 else ""
    raise DataError(
        f"{path} row {row}, column {column}: {why}{more}; mend the file, or bring it into the lake "
        "with `openalpha data import`"
    )


def _out_of_order(frame: pl.DataFrame) -> Iterator[tuple[int, str, str]]:
    ts_ms = frame["ts"].to_numpy()
    for place in np.flatnonzero(np.diff(ts_ms) <= 0):
        at = int(place) + 1
        what = "repeats" if ts_ms[at] == ts_ms[at - 1] else "is earlier than"
        yield int(frame["_row"][at]), "ts", f"{format_ms(int(ts_ms[at]))} {what} the row before"

"""Judges the rows of a table one by one: what is fit for the lake, and why the rest is not."""

from dataclasses import dataclass

import numpy as np
import polars as pl

from openalpha.core.clock import DAY_MS, parse_ms, timeframe_name
from openalpha.market.blocks import Block
from openalpha.market.grid import exact_decimals, relative_decimals, unit_column
from openalpha.market.history import RATE_DECIMALS, snap_stamps
from openalpha.market.importers.layouts import Canonical
from openalpha.market.series import COLUMNS, ColumnUnit, SeriesKey, SeriesKind

__all__ = ["Judged", "judge", "to_block", "usual_step_ms"]

_EARLIEST_MS = parse_ms("2009-01-03")
_MAX_UNITS = 2**53


@dataclass(frozen=True, slots=True)
class Judged:
    """The fit rows of a table, and the unfit ones by row, column and reason."""

    frame: pl.DataFrame
    bad: pl.DataFrame


def usual_step_ms(frame: pl.DataFrame) -> int | None:
    """Return the most frequent distance between stamps, None where no two rows differ."""
    steps = frame["ts"].drop_nulls().unique().sort().diff().drop_nulls()
    if len(steps) == 0:
        return None
    return int(steps.mode().min())  # type: ignore[arg-type]  # ts is Int64


def judge(table: Canonical, timeframe_ms: int, *, now_ms: int) -> Judged:
    """Separate the rows of a table that are fit from those that are not.

    Parameters
    ----------
    table : Canonical
    timeframe_ms : int
        0 for kinds without a time frame.
    now_ms : int
        A stamp beyond it cannot have happened.

    Returns
    -------
    Judged
        Rows in the order of the file; `bad` has `_row`, `column`, `reason`, one row a fault.
    """
    faults = [*_value_faults(table), *_stamp_faults(table, timeframe_ms, now_ms)]
    if {"open", "high", "low", "close"} <= set(table.frame.columns):
        faults += _shape_faults()
    found = []
    for column, words, is_wrong in faults:
        shown = pl.col(column).cast(pl.String).fill_null("missing or not a number")
        found.append(
            table.frame.filter(is_wrong).select(
                "_row",
                pl.lit(column).alias("column"),
                pl.format("was {}, expected {}", shown, pl.lit(words)).alias("reason"),
            )
        )
    bad = pl.concat(found).unique(subset="_row", keep="first", maintain_order=True)
    good = table.frame.join(bad, on="_row", how="anti", maintain_order="left")
    if table.kind.is_keyed:
        repeats = _repeats(good)
        bad = pl.concat([bad, repeats])
        good = good.join(repeats, on="_row", how="anti", maintain_order="left")
    return Judged(good, bad.sort("_row"))


def to_block(key: SeriesKey, frame: pl.DataFrame) -> tuple[Block, list[str]]:
    """Put fit rows on the finest grid they need, in the lake's columns and order.

    Returns
    -------
    Block
    list of str
        A note for each column group whose values had to be rounded.
    """
    units = COLUMNS[key.kind]
    notes: list[str] = []
    d = _decimals(frame, [n for n, u in units.items() if u is ColumnUnit.PRICE], "prices", notes)
    q = _decimals(frame, [n for n, u in units.items() if u is ColumnUnit.QTY], "volumes", notes)
    scale = {ColumnUnit.PRICE: d, ColumnUnit.QTY: q, ColumnUnit.RATE: RATE_DECIMALS}
    columns = []
    for name, unit in units.items():
        series = frame[name]
        if unit in scale:
            series = pl.Series(name, unit_column(series.to_numpy(), scale[unit]))
        columns.append(series)
    block = pl.DataFrame(columns).cast(pl.Schema(key.polars_schema()))
    if key.kind is SeriesKind.FUNDING:
        block = block.with_columns(pl.Series("ts", snap_stamps(block["ts"].to_numpy())))
    order = "ts" if key.kind.is_keyed else "arrival_ns"
    return Block(block.sort(order, maintain_order=True), d, q), notes


def _value_faults(table: Canonical) -> list[tuple[str, str, pl.Expr]]:
    faults = []
    for name, unit in COLUMNS[table.kind].items():
        value = pl.col(name)
        if unit is ColumnUnit.PRICE:
            is_fit, words = value.is_finite() & (value > 0), "a price above 0"
        elif unit is ColumnUnit.QTY:
            is_fit, words = value.is_finite() & (value >= 0), "a quantity of 0 or more"
        elif unit is ColumnUnit.RATE:
            is_fit, words = value.is_finite() & (value.abs() <= 1), "a rate such as 0.0001"
        elif unit is ColumnUnit.PLAIN:
            is_fit, words = value.is_not_null(), "a whole number or a side"
        else:
            continue
        faults.append((name, words, ~is_fit.fill_null(value=False)))
    return faults


def _stamp_faults(
    table: Canonical, timeframe_ms: int, now_ms: int
) -> list[tuple[str, str, pl.Expr]]:
    ts = pl.col("ts")
    faults = [
        ("ts", "a time", ts.is_null()),
        ("ts", "a time after 2009", ts < _EARLIEST_MS),
        ("ts", "a time that is not in the future", ts > now_ms),
    ]
    if timeframe_ms:
        offset = 0
        if timeframe_ms > DAY_MS and table.frame.height:
            remainders = (table.frame["ts"] % timeframe_ms).mode()
            offset = int(remainders.min() or 0)  # type: ignore[arg-type]  # ts is Int64
        words = f"a stamp on the {timeframe_name(timeframe_ms)} grid"
        faults.append(("ts", words, (ts - offset) % timeframe_ms != 0))
    return faults


def _shape_faults() -> list[tuple[str, str, pl.Expr]]:
    o, h, low, c = (pl.col(name) for name in ("open", "high", "low", "close"))
    return [
        ("high", "the highest price of its bar", (h < o) | (h < c) | (h < low)),
        ("low", "the lowest price of its bar", (low > o) | (low > c)),
    ]


def _repeats(frame: pl.DataFrame) -> pl.DataFrame:
    values = [name for name in frame.columns if name != "_row"]
    distinct = frame.unique(subset=values, keep="first", maintain_order=True)
    later = distinct.filter(~pl.col("ts").is_first_distinct())
    return later.select(
        "_row",
        pl.lit("ts").alias("column"),
        pl.lit("repeats a stamp of the file with other values").alias("reason"),
    )


def _decimals(frame: pl.DataFrame, names: list[str], what: str, notes: list[str]) -> int:
    if not names or frame.height == 0:
        return 0
    columns = [frame[name].to_numpy() for name in names]
    largest = max(float(np.max(column)) for column in columns)
    exact = exact_decimals(lambda: columns)
    if exact is not None and largest * 10**exact < _MAX_UNITS:
        return exact
    rough = relative_decimals(largest)
    notes.append(f"{what} rounded to {rough} decimals")
    return rough

"""Combining bars into longer ones: exact, and never from a partial set."""

import numpy as np
import polars as pl

from openalpha.core.clock import DAY_MS, timeframe_name
from openalpha.core.errors import InputError
from openalpha.market.blocks import Block
from openalpha.market.series import SeriesKey, SeriesKind

__all__ = ["WEEK_OFFSET_MS", "resampled", "target_key"]

WEEK_OFFSET_MS = 4 * DAY_MS
"""Weeks begin on Mondays; the first one after 1970-01-01 (a Thursday) was four days later."""


def target_key(source: SeriesKey, timeframe: str) -> SeriesKey:
    """Return the series that resampling makes.

    Raises
    ------
    InputError
        If the source is not bars (or mark or index prices), or its time frame does not divide the
        wanted one.
    """
    if source.kind not in (SeriesKind.BARS, SeriesKind.MARK, SeriesKind.INDEX):
        raise InputError(f"{source} has no bars to resample")
    target = SeriesKey(source.market, source.symbol, source.kind, timeframe)
    longer, shorter = target.timeframe_ms, source.timeframe_ms
    if longer <= shorter or longer % shorter or (longer > DAY_MS and longer % (7 * DAY_MS)):
        raise InputError(
            f"{timeframe_name(longer)} bars cannot be made from {source.timeframe} ones; "
            "the longer time frame must be a whole number of the shorter (at most 1d, or weeks)"
        )
    return target


def resampled(source: SeriesKey, block: Block, *, timeframe: str) -> tuple[SeriesKey, Block]:
    """Combine bars into longer ones, in the same integer units.

    A bar is made only where every bar it consists of is there; days and shorter begin on the UTC
    grid, weeks on Mondays.

    Parameters
    ----------
    source : SeriesKey
    block : Block
        Bars of the source, increasing stamps.
    timeframe : str
        The longer time frame: `1h`.

    Returns
    -------
    SeriesKey, Block
        What was made; the block may be empty.

    Raises
    ------
    InputError
        See `target_key`.

    Examples
    --------
    >>> key = SeriesKey("x_spot", "AB", SeriesKind.MARK, "1m")
    >>> names = ("open", "high", "low", "close")
    >>> rows = {"ts": [0, 60_000, 120_000], **dict.fromkeys(names, [3, 5, 4])}
    >>> made, bars = resampled(key, Block(pl.DataFrame(rows)), timeframe="2m")
    >>> made.timeframe, bars.frame.rows()
    ('2m', [(0, 3, 5, 3, 5)])
    """
    target = target_key(source, timeframe)
    size = target.timeframe_ms // source.timeframe_ms
    offset = WEEK_OFFSET_MS if target.timeframe_ms > DAY_MS else 0
    frame = block.frame
    if frame.height == 0:
        return target, Block(frame, block.price_decimals, block.qty_decimals)
    ts_ms = frame["ts"].to_numpy()
    group = (ts_ms - offset) // target.timeframe_ms
    starts = np.flatnonzero(np.diff(group, prepend=group[0] - 1))
    stops = np.append(starts[1:], len(group))
    whole = stops - starts == size
    columns = {
        "ts": group[starts] * target.timeframe_ms + offset,
        "open": frame["open"].to_numpy()[starts],
        "high": np.maximum.reduceat(frame["high"].to_numpy(), starts),
        "low": np.minimum.reduceat(frame["low"].to_numpy(), starts),
        "close": frame["close"].to_numpy()[stops - 1],
    }
    if source.kind is SeriesKind.BARS:
        columns["volume"] = np.add.reduceat(frame["volume"].to_numpy(), starts)
    made = pl.DataFrame({name: values[whole] for name, values in columns.items()})
    return target, Block(made, block.price_decimals, block.qty_decimals)

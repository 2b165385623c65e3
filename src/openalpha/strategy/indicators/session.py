"""Indicators of the clock and the UTC day: where in the day a bar stands, and the day so far.

A bar's time is its close: that is when a decision is made. The first day of a history counts only
from a midnight on, so that where the history begins in a day does not matter.
"""

import math

import numpy as np
import polars as pl

from openalpha.core.clock import DAY_MS, HOUR_MS
from openalpha.strategy.bars import FloatArray
from openalpha.strategy.indicators.rolling import ratio

__all__ = ["day_of_week", "day_return", "day_vwap", "sessions", "time_of_day"]

# Trading hours of the three regions, UTC, [from, to).
_HOURS = ((0, 8), (7, 16), (13, 22))


def time_of_day(*, ts_ms: FloatArray) -> tuple[FloatArray, ...]:
    """Place of the bar's open in the UTC day as an angle: sine and cosine."""
    return _circle(ts_ms % DAY_MS / DAY_MS)


def day_of_week(*, ts_ms: FloatArray) -> tuple[FloatArray, ...]:
    """Place of the bar's open in the week, from Monday UTC, as an angle: sine and cosine."""
    week_ms = 7 * DAY_MS
    return _circle((ts_ms - 4 * DAY_MS) % week_ms / week_ms)


def sessions(*, ts_ms: FloatArray) -> tuple[FloatArray, ...]:
    """Whether the bar opens in the hours of Asia, Europe, America (1 or 0)."""
    hour = ts_ms % DAY_MS // HOUR_MS
    return tuple(((hour >= start) & (hour < stop)).astype(np.float64) for start, stop in _HOURS)


def day_return(*, ts_ms: FloatArray, open: FloatArray, close: FloatArray) -> tuple[FloatArray, ...]:
    """Return since the UTC day's first open, a fraction; NaN before the first midnight."""
    first, is_known = _day_starts(ts_ms)
    return (np.where(is_known, close / open[first] - 1.0, np.nan),)


def day_vwap(
    *, ts_ms: FloatArray, high: FloatArray, low: FloatArray, close: FloatArray, volume: FloatArray
) -> tuple[FloatArray, ...]:
    """Mean price of the UTC day so far weighted by volume; NaN before the first midnight."""
    first, is_known = _day_starts(ts_ms)
    typical = (high + low + close) / 3
    frame = pl.DataFrame({"day": first, "worth": typical * volume, "volume": volume})
    sums = frame.select(pl.col("worth", "volume").cum_sum().over("day"))
    traded = sums["volume"].to_numpy()
    mean = np.where(traded == 0, typical, ratio(sums["worth"].to_numpy(), traded))
    return (np.where(is_known, mean, np.nan),)


def _circle(share: FloatArray) -> tuple[FloatArray, FloatArray]:
    angle = 2 * math.pi * share
    return np.sin(angle), np.cos(angle)


def _day_starts(
    ts_ms: FloatArray,
) -> tuple[np.ndarray[tuple[int], np.dtype[np.intp]], np.ndarray[tuple[int], np.dtype[np.bool_]]]:
    """Return the row each bar's UTC day begins at, and whether that day was seen from midnight."""
    day = np.floor(ts_ms / DAY_MS)
    is_first = np.diff(day, prepend=day[:1] - 1) != 0
    rows = np.arange(len(day))
    first = np.maximum.accumulate(np.where(is_first, rows, 0))
    later_day = day > day[0]
    return first, later_day | (ts_ms[0] % DAY_MS == 0)

"""From an equity curve at bar closes to UTC days: closes, simple returns, months, years."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from openalpha.core.clock import DAY_MS

__all__ = ["DAYS_A_YEAR", "DailySeries", "daily_series", "last_close_index", "simple_returns"]

DAYS_A_YEAR = 365
"""Crypto trades every day, so a year has 365 returns."""

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class DailySeries:
    """One value a UTC day, from the day of the first bar's open to the day of the last close.

    Parameters
    ----------
    day : int64[k]
        Days since 1970-01-01.
    equity : float64[k]
        Equity at the day's last bar close; a day without bars repeats the one before.
    returns : float64[k]
        Simple returns; the first day's is against the capital, so (1 + r) multiply to
        final equity / capital. After the equity is gone they are 0.
    bar : int64[k]
        Row of the bar whose close ended the day; -1 before the first.
    """

    day: Ints
    equity: Floats
    returns: Floats
    bar: Ints

    def __len__(self) -> int:
        return len(self.day)

    def month(self) -> Ints:
        """Return each day's month, counted from 1970-01 (int64[k])."""
        return self.day.astype("datetime64[D]").astype("datetime64[M]").astype(np.int64)


def daily_series(ts_ms: Ints, equity: Floats, *, timeframe_ms: int, capital: float) -> DailySeries:
    """Cut an equity curve into UTC days.

    Parameters
    ----------
    ts_ms : int64[n]
        Bar open stamps, increasing.
    equity : float64[n]
        Equity at each bar's close. NaN is not allowed.
    timeframe_ms : int
        Length of a bar.
    capital : float
        Equity before the first bar, > 0.

    Returns
    -------
    DailySeries
        Empty for an empty curve.

    Examples
    --------
    >>> hour = 3_600_000
    >>> curve = np.array([100.0, 110.0, 99.0])
    >>> opens = np.array([0, 23 * hour, 24 * hour])
    >>> days = daily_series(opens, curve, timeframe_ms=hour, capital=100)
    >>> days.equity.tolist(), days.returns.round(3).tolist()
    ([110.0, 99.0], [0.1, -0.1])
    """
    if len(ts_ms) == 0:
        nothing = np.empty(0)
        return DailySeries(np.empty(0, np.int64), nothing, nothing, np.empty(0, np.int64))
    first = int(ts_ms[0]) // DAY_MS
    last = (int(ts_ms[-1]) + timeframe_ms - 1) // DAY_MS
    day = np.arange(first, last + 1)
    bar = last_close_index(ts_ms, (day + 1) * DAY_MS, timeframe_ms=timeframe_ms)
    closes = np.where(bar >= 0, equity[np.maximum(bar, 0)], capital)
    return DailySeries(day, closes, simple_returns(closes, capital), bar)


def last_close_index(ts_ms: Ints, moments_ms: Ints, *, timeframe_ms: int) -> Ints:
    """Return the row of the last bar closed at or before each moment; -1 where there is none."""
    first, count = int(ts_ms[0]), len(ts_ms)
    if int(ts_ms[-1]) - first == (count - 1) * timeframe_ms:
        # Without a gap the row follows from the moment.
        return np.clip((moments_ms - timeframe_ms - first) // timeframe_ms, -1, count - 1)
    return np.searchsorted(ts_ms, moments_ms - timeframe_ms, side="right") - 1


def simple_returns(values: Floats, start: float) -> Floats:
    """Return change over previous value, the first against `start`; 0 once the value is gone.

    Examples
    --------
    >>> simple_returns(np.array([110.0, 0.0, 0.0]), 100.0).round(2).tolist()
    [0.1, -1.0, 0.0]
    """
    before = np.concatenate(([start], values[:-1]))
    out = np.zeros(len(values))
    np.divide(values - before, before, out=out, where=before > 0)
    return out

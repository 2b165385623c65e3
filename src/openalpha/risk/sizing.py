"""Sizes that vary over time, computed only from what was known at each bar's close."""

import numpy as np
from numpy.typing import NDArray

from openalpha.core.clock import DAY_MS

__all__ = ["KELLY_CHANCE", "KELLY_DRAWDOWN", "UNKNOWN", "kelly_e6", "volatility_target_e6"]

UNKNOWN = -1
"""A size that cannot be told yet: no decision is made on it, and the target waits."""

KELLY_DRAWDOWN = 0.15
"""The loss of equity that a Kelly share is cut for: what ends all trading."""

KELLY_CHANCE = 0.10
"""The chance of it that is taken."""

Floats = NDArray[np.float64]
_YEAR_DAYS = 365


def _daily_returns(close: Floats, ts_ms: NDArray[np.int64]) -> tuple[Floats, NDArray[np.intp]]:
    """Return simple returns of finished UTC days and, for each bar, how many it may know."""
    day = ts_ms // DAY_MS
    ends = np.flatnonzero(np.diff(day, append=day[-1] + 1))
    finished = close[ends]
    returns = np.diff(finished) / finished[:-1]
    # A bar knows the days that ended before its own: its own day's last bar included only after it.
    known = np.searchsorted(ends, np.arange(len(close)), side="left") - 1
    return returns, np.maximum(known, 0)


def _trailing(values: Floats, days: int) -> tuple[Floats, Floats]:
    """Return mean and standard deviation (ddof 1) of the last `days` values, NaN before enough."""
    mean = np.full(len(values) + 1, np.nan)
    spread = np.full(len(values) + 1, np.nan)
    for stop in range(days, len(values) + 1):
        window = values[stop - days : stop]
        mean[stop] = window.mean()
        spread[stop] = window.std(ddof=1)
    return mean, spread


def volatility_target_e6(
    close: Floats, ts_ms: NDArray[np.int64], *, target: float, days: int, largest: float
) -> NDArray[np.int64]:
    """Return the share of equity, in millionths, that aims at a yearly volatility.

    Parameters
    ----------
    close, ts_ms : float64[n], int64[n]
        Bar closes and opening stamps.
    target : float
        Yearly volatility wanted, as a fraction.
    days : int
        Finished days of returns used, ddof 1, annualised by the square root of 365.
    largest : float
        Largest share (the leverage).

    Returns
    -------
    int64[n]
        0 where prices stood still; `UNKNOWN` until enough days have finished: nothing is decided
        on an unknown volatility.
    """
    returns, known = _daily_returns(close, ts_ms)
    _, spread = _trailing(returns, days)
    yearly = spread * np.sqrt(_YEAR_DAYS)
    with np.errstate(divide="ignore", invalid="ignore"):
        share = np.where(yearly > 0, np.minimum(target / yearly, largest), 0.0)
    return _millionths(share, spread)[known]


def kelly_e6(
    close: Floats, ts_ms: NDArray[np.int64], *, days: int, largest: float
) -> NDArray[np.int64]:
    """Return a Kelly share of the instrument's past daily returns, shrunk and capped.

    The full Kelly share is the size of the mean return over its variance; the sign is the
    strategy's to give. It is shrunk by what so few days can tell of a mean,
    mean² / (mean² + variance / days), and cut to the part of full Kelly that loses
    `KELLY_DRAWDOWN` of equity with a chance of at most `KELLY_CHANCE`: of a part c the chance ever
    to fall to a share b is b^(2 / c - 1), where prices move without jumps.

    Returns
    -------
    int64[n]
        Millionths of equity, at most `largest`; `UNKNOWN` until enough days have finished.

    Examples
    --------
    >>> part = 2 / (1 + np.log(KELLY_CHANCE) / np.log(1 - KELLY_DRAWDOWN))
    >>> round(float((1 - KELLY_DRAWDOWN) ** (2 / part - 1)), 12) == KELLY_CHANCE
    True
    """
    returns, known = _daily_returns(close, ts_ms)
    mean, spread = _trailing(returns, days)
    part = 2 / (1 + np.log(KELLY_CHANCE) / np.log(1 - KELLY_DRAWDOWN))
    with np.errstate(divide="ignore", invalid="ignore"):
        shrink = mean**2 / (mean**2 + spread**2 / days)
        full = np.abs(mean) / spread**2
        share = np.where(spread > 0, np.minimum(full * shrink * part, largest), 0.0)
    return _millionths(share, spread)[known]


def _millionths(share: Floats, spread: Floats) -> NDArray[np.int64]:
    """Return shares in whole millionths, rounded down; UNKNOWN where the spread is not known."""
    units = np.floor(np.where(np.isnan(spread), 0.0, share) * 1e6).astype(np.int64)
    return np.where(np.isnan(spread), UNKNOWN, units)

"""The few shapes targets are made of: events held until the next, warm-up masked, shorts cut."""

import numpy as np
from numpy.typing import NDArray

from openalpha.strategy.bars import FloatArray

__all__ = ["after_warm_up", "crossed_above", "crossed_below", "direction", "hold"]

BoolArray = NDArray[np.bool_]


def hold(events: FloatArray) -> FloatArray:
    """Return each event's value until the next event; 0 before the first.

    Parameters
    ----------
    events : float64[n]
        The new target where something happens, NaN where nothing does.

    Examples
    --------
    >>> hold(np.array([np.nan, 1.0, np.nan, 0.0, np.nan]))
    array([0., 1., 1., 0., 0.])
    """
    rows = np.where(np.isnan(events), -1, np.arange(len(events)))
    last = np.maximum.accumulate(rows) if len(rows) else rows
    return np.where(last >= 0, events[last], 0.0)


def after_warm_up(target: FloatArray, warm_up_bars: int) -> FloatArray:
    """Return the target with no opinion (NaN) before `warm_up_bars` bars were seen.

    Examples
    --------
    >>> after_warm_up(np.array([1.0, 1.0, 1.0]), 3)
    array([nan, nan,  1.])
    """
    out = np.array(target, dtype=np.float64)
    out[: warm_up_bars - 1] = np.nan
    return out


def direction(rising: BoolArray, falling: BoolArray, *, long_only: bool) -> FloatArray:
    """Return 1 where rising, -1 (0 if long only) where falling, 0 where neither."""
    return np.where(rising, 1.0, np.where(falling & (not long_only), -1.0, 0.0))


def crossed_above(values: FloatArray, level: float | FloatArray) -> BoolArray:
    """Return where the values are above the level and were not a bar earlier.

    Examples
    --------
    >>> crossed_above(np.array([1.0, 3.0, 4.0]), 2.0).tolist()
    [False, True, False]
    """
    return _newly(np.asarray(values > level))


def crossed_below(values: FloatArray, level: float | FloatArray) -> BoolArray:
    """Return where the values are below the level and were not a bar earlier."""
    return _newly(np.asarray(values < level))


def _newly(state: BoolArray) -> BoolArray:
    out = state.copy()
    out[1:] &= ~state[:-1]
    out[:1] = False
    return out

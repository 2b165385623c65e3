"""Rolling sums, means and spreads that depend on their window only, row by row in time order."""

import numpy as np
import polars as pl

from openalpha.strategy.bars import FloatArray

__all__ = [
    "change",
    "lagged",
    "ratio",
    "rolling_cov",
    "rolling_max",
    "rolling_mean",
    "rolling_min",
    "rolling_std",
    "rolling_sum",
]


def rolling_sum(values: FloatArray, period: int) -> FloatArray:
    """Return the sum of the last `period` rows, NaN before there are as many."""
    return pl.Series(values).rolling_sum(period).to_numpy().copy()


def rolling_mean(values: FloatArray, period: int) -> FloatArray:
    """Return the mean of the last `period` rows, NaN before there are as many."""
    return pl.Series(values).rolling_mean(period).to_numpy().copy()


def rolling_max(values: FloatArray, period: int) -> FloatArray:
    """Return the largest of the last `period` rows, NaN before there are as many."""
    return pl.Series(values).rolling_max(period).to_numpy().copy()


def rolling_min(values: FloatArray, period: int) -> FloatArray:
    """Return the smallest of the last `period` rows, NaN before there are as many."""
    return pl.Series(values).rolling_min(period).to_numpy().copy()


def rolling_std(values: FloatArray, period: int) -> FloatArray:
    """Return the standard deviation (ddof 0) of the last `period` rows."""
    return pl.Series(values).rolling_std(period, ddof=0).to_numpy().copy()


def rolling_cov(left: FloatArray, right: FloatArray, *, period: int) -> FloatArray:
    """Return the covariance (ddof 0) of two columns over the last `period` rows.

    Formed as the mean product less the product of means: meant for returns, whose means are
    small beside their spread, not for prices.
    """
    product = rolling_mean(left * right, period)
    return product - rolling_mean(left, period) * rolling_mean(right, period)


def lagged(values: FloatArray, bars: int) -> FloatArray:
    """Return the value `bars` rows earlier, NaN before the first.

    Examples
    --------
    >>> lagged(np.array([1.0, 2.0, 3.0]), 1)
    array([nan,  1.,  2.])
    """
    assert bars >= 0
    out = np.full(len(values), np.nan)
    out[bars:] = values[: max(len(values) - bars, 0)]
    return out


def change(values: FloatArray, bars: int = 1) -> FloatArray:
    """Return the change over `bars` rows, NaN before there are as many."""
    return values - lagged(values, bars)


def ratio(part: FloatArray, whole: FloatArray, *, empty: float = np.nan) -> FloatArray:
    """Return part / whole, and `empty` where the whole is 0.

    Examples
    --------
    >>> ratio(np.array([1.0, 1.0]), np.array([4.0, 0.0]), empty=0.0)
    array([0.25, 0.  ])
    """
    is_zero = whole == 0
    out = part / np.where(is_zero, 1.0, whole)
    out[is_zero] = empty
    return out

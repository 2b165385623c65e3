"""Indicators of what a position earns or pays: funding settlements, and the basis between markets.

A funding column holds the rate in the bar where it was settled and NaN elsewhere: NaN is no
missing value here, it says that nothing was paid.
"""

import numpy as np

from openalpha.strategy.bars import FloatArray
from openalpha.strategy.indicators.rolling import ratio, rolling_mean, rolling_std, rolling_sum

__all__ = [
    "basis",
    "basis_zscore",
    "funding_mean",
    "funding_sum",
    "funding_zscore",
    "last_funding",
]


def last_funding(*, funding_rate: FloatArray) -> tuple[FloatArray, ...]:
    """Rate settled last, a fraction; NaN before the first settlement."""
    rows, rates = _settled(funding_rate)
    return (_carried(rates, rows, len(funding_rate)),)


def funding_sum(*, funding_rate: FloatArray, period: int) -> tuple[FloatArray, ...]:
    """Sum of the rates settled in the last `period` bars, a fraction."""
    return (rolling_sum(np.nan_to_num(funding_rate, nan=0.0), period),)


def funding_mean(*, funding_rate: FloatArray, settlements: int) -> tuple[FloatArray, ...]:
    """Mean of the last `settlements` rates, a fraction a settlement."""
    rows, rates = _settled(funding_rate)
    return (_carried(rolling_mean(rates, settlements), rows, len(funding_rate)),)


def funding_zscore(*, funding_rate: FloatArray, settlements: int) -> tuple[FloatArray, ...]:
    """Distance of the last rate from the mean of `settlements`, in standard deviations."""
    rows, rates = _settled(funding_rate)
    distance = rates - rolling_mean(rates, settlements)
    scores = ratio(distance, rolling_std(rates, settlements), empty=0.0)
    return (_carried(scores, rows, len(funding_rate)),)


def basis(*, close: FloatArray, other: FloatArray) -> tuple[FloatArray, ...]:
    """Price over the other market's (spot, index) less one, a fraction."""
    return (close / other - 1.0,)


def basis_zscore(*, close: FloatArray, other: FloatArray, period: int) -> tuple[FloatArray, ...]:
    """Distance of the basis from its mean over `period` bars, in standard deviations."""
    (premium,) = basis(close=close, other=other)
    distance = premium - rolling_mean(premium, period)
    return (ratio(distance, rolling_std(premium, period), empty=0.0),)


def _settled(
    funding_rate: FloatArray,
) -> tuple[np.ndarray[tuple[int], np.dtype[np.intp]], FloatArray]:
    rows = np.flatnonzero(~np.isnan(funding_rate))
    return rows, funding_rate[rows]


def _carried(
    values: FloatArray, rows: np.ndarray[tuple[int], np.dtype[np.intp]], count: int
) -> FloatArray:
    """Carry each value forward from its row until the next one."""
    out = np.full(count, np.nan)
    if len(rows):
        last = np.searchsorted(rows, np.arange(count), side="right") - 1
        seen = last >= 0
        out[seen] = values[last[seen]]
    return out

"""Fewer points than bars, honestly: extremes are kept, candles are built from all their bars."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Candles", "bucket_means", "candles", "keep_extremes"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


def keep_extremes(values: Floats, points: int) -> NDArray[np.intp]:
    """Return rows to draw: of each of points/2 equal stretches the lowest and the highest.

    The first and the last row are always among them.

    Parameters
    ----------
    values : float64[n]
    points : int
        Most rows wanted, at least 4; a shorter series is returned whole.

    Examples
    --------
    >>> keep_extremes(np.array([0.0, 5.0, 1.0, 2.0, -3.0, 4.0, 1.0, 1.0]), 6).tolist()
    [0, 1, 4, 5, 7]
    """
    length = len(values)
    if length <= points:
        return np.arange(length)
    edges = _edges(length, max(1, (points - 2) // 2))
    lows = _first_at(np.minimum.reduceat(values, edges[:-1]), values, edges)
    highs = _first_at(np.maximum.reduceat(values, edges[:-1]), values, edges)
    return np.unique(np.concatenate(([0], lows, highs, [length - 1])))


def bucket_means(values: Floats, points: int) -> tuple[NDArray[np.intp], Floats]:
    """Return the first rows and the means of at most `points` equal stretches."""
    if len(values) <= points:
        return np.arange(len(values)), values
    edges = _edges(len(values), points)
    return edges[:-1], np.add.reduceat(values, edges[:-1]) / np.diff(edges)


@dataclass(frozen=True, slots=True, eq=False)
class Candles:
    """Open stamps and open, high, low, close of candles; `bars` of the history make one."""

    ts_ms: Ints
    prices: Floats
    bars: int


def candles(ts_ms: Ints, prices: Floats, *, most: int) -> Candles:
    """Merge neighbouring bars so that at most `most` candles are left.

    Parameters
    ----------
    ts_ms : int64[n]
    prices : float64[n, 4]
        Open, high, low, close.
    most : int
        >= 1.

    Examples
    --------
    >>> ohlc = np.array([[1.0, 3.0, 0.5, 2.0], [2.0, 2.5, 1.5, 2.2], [2.2, 4.0, 2.0, 3.0]])
    >>> merged = candles(np.array([0, 1, 2]), ohlc, most=2)
    >>> merged.prices.tolist(), merged.bars
    ([[1.0, 3.0, 0.5, 2.2], [2.2, 4.0, 2.0, 3.0]], 2)
    """
    length = len(ts_ms)
    size = -(-length // most) if length else 1
    first = np.arange(0, length, size)
    last = np.minimum(first + size, length) - 1
    merged = np.column_stack(
        (
            prices[first, 0],
            np.maximum.reduceat(prices[:, 1], first) if length else prices[:, 1],
            np.minimum.reduceat(prices[:, 2], first) if length else prices[:, 2],
            prices[last, 3],
        )
    )
    return Candles(ts_ms[first], merged, size)


def _edges(length: int, buckets: int) -> NDArray[np.intp]:
    return np.linspace(0, length, buckets + 1).astype(np.intp)


def _first_at(extremes: Floats, values: Floats, edges: NDArray[np.intp]) -> NDArray[np.intp]:
    """Return the first row of each stretch at which its extreme stands."""
    hits = np.flatnonzero(values == np.repeat(extremes, np.diff(edges)))
    return hits[np.searchsorted(hits, edges[:-1])]

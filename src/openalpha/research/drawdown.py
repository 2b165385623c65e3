"""How far and how long below the best: drawdowns of a curve, positive numbers in [0, 1]."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Spell", "deepest", "drawdowns", "longest_spell", "spell_of_deepest"]

Floats = NDArray[np.float64]

_BLOCK = 1024
_SPLIT = 8
_SMALL = 16


@dataclass(frozen=True, slots=True)
class Spell:
    """One stretch below a high: rows of the high, the lowest and the recovery (None: never)."""

    peak: int
    trough: int
    recovery: int | None
    depth: float


def drawdowns(values: Floats, start: float) -> Floats:
    """Return 1 - value / running maximum of each point, the maximum including `start`.

    Parameters
    ----------
    values : float64[n]
        Equity at bar or day closes.
    start : float
        Equity before the first value, > 0.

    Returns
    -------
    float64[n]
        In [0, 1]; an equity below zero counts as 1.

    Examples
    --------
    >>> drawdowns(np.array([75.0, 120.0, 60.0]), 100.0).tolist()
    [0.25, 0.0, 0.5]
    """
    if len(values) == 0:
        return np.empty(0)
    peaks = np.maximum(np.maximum.accumulate(values), start)
    return np.clip(1.0 - values / peaks, 0.0, 1.0)


def deepest(values: Floats, start: float) -> float:
    """Return the deepest drawdown of a curve, 0 for an empty one.

    A million points take about a millisecond: blocks that cannot hold a deeper drawdown than the
    best found so far are judged by their extremes alone. The result is that of
    `drawdowns(values, start).max()`, bit for bit.

    Examples
    --------
    >>> deepest(np.array([90.0, 120.0, 60.0]), 100.0)
    0.5
    """
    whole = len(values) // _BLOCK * _BLOCK
    blocks = values[:whole].reshape(-1, _BLOCK)
    peaks = np.maximum.accumulate(np.concatenate(([start], blocks.max(axis=1))))
    found = _deepest_in(blocks, peaks[:-1], 0.0)
    tail = drawdowns(values[whole:], float(peaks[-1])).max(initial=0.0)
    return min(1.0, max(found, float(tail)))


def _deepest_in(blocks: Floats, peaks: Floats, found: float) -> float:
    """Return the larger of `found` and the deepest drawdown in blocks, each begun at its peak."""
    width = blocks.shape[1]
    if width <= _SMALL:
        highs = np.maximum(np.maximum.accumulate(blocks, axis=1), peaks[:, None])
        return max(found, float((1.0 - blocks / highs).max(initial=0.0)))
    highs = np.maximum(blocks.max(axis=1), peaks)
    # Seen from the block's highest point, no drawdown in it is deeper than this.
    bound = 1.0 - blocks.min(axis=1) / highs
    # Without a new high in the block the bound is its drawdown, exactly.
    is_exact = highs == peaks
    found = max(found, float(np.max(bound, where=is_exact, initial=0.0)))
    rows = np.flatnonzero(~is_exact & (bound > found))
    if not len(rows):
        return found
    parts = blocks[rows].reshape(len(rows), _SPLIT, -1)
    begun = np.concatenate((peaks[rows, None], parts.max(axis=2)), axis=1)
    begun = np.maximum.accumulate(begun, axis=1)[:, :-1]
    return _deepest_in(parts.reshape(len(rows) * _SPLIT, -1), begun.ravel(), found)


def spell_of_deepest(values: Floats, start: float) -> Spell | None:
    """Return the stretch of the deepest drawdown, None where the curve never falls.

    The peak is -1 when it is the start itself.

    Examples
    --------
    >>> spell_of_deepest(np.array([110.0, 55.0, 80.0, 120.0]), 100.0)
    Spell(peak=0, trough=1, recovery=3, depth=0.5)
    """
    falls = drawdowns(values, start)
    if not len(falls) or falls.max() == 0:
        return None
    trough = int(falls.argmax())
    level = max(start, float(values[: trough + 1].max()))
    at_peak = np.flatnonzero(values[: trough + 1] == level)
    later = np.flatnonzero(values[trough:] >= level)
    return Spell(
        peak=int(at_peak[-1]) if len(at_peak) else -1,
        trough=trough,
        recovery=trough + int(later[0]) if len(later) else None,
        depth=float(falls[trough]),
    )


def longest_spell(values: Floats, start: float) -> int:
    """Return the most points between a high and its recovery (or the end), 0 without a fall.

    Examples
    --------
    >>> longest_spell(np.array([110.0, 55.0, 80.0, 120.0, 100.0]), 100.0)
    3
    """
    is_high = drawdowns(values, start) == 0
    highs = np.concatenate(([-1], np.flatnonzero(is_high)))
    gaps = np.diff(highs)
    between = int(gaps.max(initial=1)) if len(gaps) else 1
    unfinished = len(values) - 1 - int(highs[-1])
    return max(between if between > 1 else 0, unfinished)

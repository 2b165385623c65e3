"""How far and how long below the best: drawdowns of a curve, positive numbers in [0, 1]."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Spell", "drawdowns", "longest_spell", "spell_of_deepest"]

Floats = NDArray[np.float64]


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

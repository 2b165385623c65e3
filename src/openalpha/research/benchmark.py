"""Buying at the first open and holding: what a run has to be compared with. Before costs."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from openalpha.market.history import History
from openalpha.research.daily import last_close_index

__all__ = ["buy_and_hold"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


def buy_and_hold(histories: Mapping[str, History], start_ms: int, *, moments_ms: Ints) -> Floats:
    """Return the value of one unit of money, split evenly over the instruments and held.

    Parameters
    ----------
    histories : mapping of instrument id to History
    start_ms : int
        The first bar's open: bought at the open of the first bar not before it.
    moments_ms : int64[k]
        When to value it, at the last close known then.

    Returns
    -------
    float64[k]
        1 before the first close. Without costs and funding, which favours the benchmark.
    """
    total = np.zeros(len(moments_ms))
    for history in histories.values():
        first = min(int(np.searchsorted(history.ts_ms, start_ms)), len(history) - 1)
        bought = float(history.bars[first, 0])
        rows = last_close_index(history.ts_ms, moments_ms, timeframe_ms=history.timeframe_ms)
        worth = history.bars[np.maximum(rows, 0), 3] / bought
        total += np.where(rows >= first, worth, 1.0)
    return total / max(len(histories), 1)

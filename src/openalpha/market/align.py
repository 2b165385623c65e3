"""Puts mark and index prices, kept at a time frame of their own, beside the rows of some bars."""

import numpy as np
from numpy.typing import NDArray

from openalpha.core.clock import timeframe_name

__all__ = ["beside"]


def beside(
    ts_ms: NDArray[np.int64],
    timeframe_ms: int,
    *,
    fallback: NDArray[np.int64],
    other_ts_ms: NDArray[np.int64],
    other: NDArray[np.int64],
    other_timeframe_ms: int,
    what: str,
) -> tuple[NDArray[np.int64] | None, str]:
    """Return another price's open, high, low, close for each bar, and a note where it is not whole.

    A finer series is combined exactly, from whole sets of its bars only. A coarser one cannot say
    what happened inside a bar and is not used. Where a bar has no such price, the bar's own stands
    in for it, and the note says on how many bars.

    Parameters
    ----------
    ts_ms : int64[n]
        Bar open stamps.
    timeframe_ms : int
    fallback : int64[n, 4]
        The bars' own prices, in the units of `other`.
    other_ts_ms, other : int64[m], int64[m, 4]
        The other price and its open stamps, increasing.
    other_timeframe_ms : int
    what : str
        Its name for the note: "mark", "index".

    Returns
    -------
    int64[n, 4] or None
        None when no bar has such a price.
    str
        Empty when every bar has.
    """
    if other_timeframe_ms > timeframe_ms or timeframe_ms % other_timeframe_ms:
        name = timeframe_name(other_timeframe_ms)
        return None, f"{what} price is kept at {name} only: last price used"
    stamps, prices = _combined(other_ts_ms, other, other_timeframe_ms, timeframe_ms)
    places = np.searchsorted(stamps, ts_ms)
    is_known = places < len(stamps)
    is_known[is_known] = stamps[places[is_known]] == ts_ms[is_known]
    missing = len(ts_ms) - int(is_known.sum())
    if missing == len(ts_ms):
        return None, f"{what} price missing: last price used"
    out = fallback.copy()
    out[is_known] = prices[places[is_known]]
    if not missing:
        return out, ""
    return out, f"{what} price missing on {missing} of {len(ts_ms)} bars: last price used there"


def _combined(
    ts_ms: NDArray[np.int64], prices: NDArray[np.int64], from_ms: int, to_ms: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    if from_ms == to_ms or len(ts_ms) == 0:
        return ts_ms, prices
    group = ts_ms // to_ms
    starts = np.flatnonzero(np.diff(group, prepend=group[0] - 1))
    stops = np.append(starts[1:], len(group))
    is_whole = stops - starts == to_ms // from_ms
    out = np.empty((len(starts), 4), dtype=np.int64)
    out[:, 0] = prices[starts, 0]
    out[:, 1] = np.maximum.reduceat(prices[:, 1], starts)
    out[:, 2] = np.minimum.reduceat(prices[:, 2], starts)
    out[:, 3] = prices[stops - 1, 3]
    return group[starts][is_whole] * to_ms, out[is_whole]

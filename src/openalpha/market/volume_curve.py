"""The usual volume of a day, minute by minute, from the bars of the lake."""

from typing import TYPE_CHECKING

import numpy as np

from openalpha.core.clock import DAY_MS, parse_timeframe
from openalpha.core.errors import DataError, UnknownName

if TYPE_CHECKING:
    from openalpha.market.lake import Lake

__all__ = ["MINUTES", "volume_curve"]

MINUTES = 1440
_WHOLE = 10_000_000
_FRAMES = ("1m", "5m", "15m", "1h")


def volume_curve(lake: "Lake", instrument: str, *, days: int, until_ms: int) -> list[int] | None:
    """Return each minute's mean share of a UTC day's volume, in ten-millionths.

    The finest bars the lake has of 1m to 1h are used; a bar's volume is spread evenly over its
    minutes. Each day counts alike, however much was traded; a day that lacks more than half of its
    bars counts not at all.

    Parameters
    ----------
    days : int
        Whole UTC days before the one that `until_ms` lies in.
    until_ms : int
        UTC ms.

    Returns
    -------
    list of int or None
        int[1440]; None where the lake has no such day.
    """
    end_ms = until_ms // DAY_MS * DAY_MS
    for name in _FRAMES:
        try:
            found = lake.load(
                instrument, name, start_ms=end_ms - days * DAY_MS, end_ms=end_ms, with_=()
            )
        except (UnknownName, DataError):
            continue
        curve = _curve(found.ts_ms, found.bars[:, 4], parse_timeframe(name))
        if curve is not None:
            return curve
    return None


def _curve(ts_ms: np.ndarray, volume: np.ndarray, frame_ms: int) -> list[int] | None:
    bars = DAY_MS // frame_ms
    day = ts_ms // DAY_MS
    shares = []
    for one in np.unique(day):
        mine = day == one
        sums = np.zeros(bars)
        sums[ts_ms[mine] % DAY_MS // frame_ms] = volume[mine]
        if 2 * int(mine.sum()) >= bars and sums.sum() > 0:
            shares.append(sums / sums.sum())
    if not shares:
        return None
    mean = np.mean(shares, axis=0) * _WHOLE
    return [round(value) for value in np.repeat(mean * bars / MINUTES, MINUTES // bars).tolist()]

"""Candles of the protocol by their names: where each begins and ends. Months are the calendar's."""

import numpy as np
from numpy.typing import NDArray

from openalpha.core.clock import DAY_MS, MINUTE_MS

__all__ = ["INTERVALS", "end_of", "starts_of"]

INTERVALS = {
    **{str(n): n * MINUTE_MS for n in (1, 3, 5, 15, 30, 60, 120, 240, 360, 720)},
    "D": DAY_MS,
    "W": 7 * DAY_MS,
    "M": 31 * DAY_MS,
}
"""Length of each in milliseconds; of a month the longest."""

_MONDAY_MS = 4 * DAY_MS


def starts_of(ts_ms: NDArray[np.int64], name: str) -> NDArray[np.int64]:
    """Return where the candle that holds each moment begins, UTC ms.

    Examples
    --------
    >>> starts_of(np.array([1_700_000_000_000]), "W").tolist()  # Monday the 13th of November 2023
    [1699833600000]
    """
    if name == "M":
        months = ts_ms.astype("datetime64[ms]").astype("datetime64[M]")
        return months.astype("datetime64[ms]").astype(np.int64)
    shift_ms = _MONDAY_MS if name == "W" else 0
    return (ts_ms - shift_ms) // INTERVALS[name] * INTERVALS[name] + shift_ms


def end_of(start_ms: int, name: str) -> int:
    """Return the last millisecond of the candle that begins at a moment.

    Examples
    --------
    >>> end_of(1_698_796_800_000, "M")  # November 2023 has thirty days
    1701388799999
    """
    if name != "M":
        return start_ms + INTERVALS[name] - 1
    return int(starts_of(np.array([start_ms + INTERVALS["M"]]), "M")[0]) - 1

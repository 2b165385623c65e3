"""Brings the bars of several instruments onto the stamps they share."""

from collections.abc import Mapping
from functools import reduce

import numpy as np

from openalpha.core.clock import timeframe_name
from openalpha.core.errors import DataError
from openalpha.strategy.bars import Bars, FloatArray, IntArray

__all__ = ["together"]


def together(bars: Mapping[str, Bars]) -> dict[str, Bars]:
    """Return the rows every instrument has, so that row i is the same moment in all of them.

    Nothing is filled in: a bar that one instrument lacks is left out for all.

    Parameters
    ----------
    bars : mapping of str to Bars
        All of one time frame.

    Raises
    ------
    DataError
        If time frames differ, or the instruments share no bar.

    Examples
    --------
    >>> left = Bars.from_columns({"close": [1, 2, 3]}, timeframe_ms=1, ts_ms=[0, 1, 2])
    >>> right = Bars.from_columns({"close": [7, 8]}, timeframe_ms=1, ts_ms=[1, 5])
    >>> together({"L": left, "R": right})["L"].close
    array([2.])
    """
    parts = list(bars.values())
    first = parts[0]
    if all(np.array_equal(first.ts_ms, part.ts_ms) for part in parts[1:]):
        return dict(bars)
    if len({part.timeframe_ms for part in parts}) > 1:
        names = ", ".join(
            f"{key} {timeframe_name(part.timeframe_ms)}" for key, part in bars.items()
        )
        raise DataError(f"bars of one strategy must have one time frame; given: {names}")
    shared = reduce(np.intersect1d, [part.ts_ms for part in parts])
    if not len(shared):
        raise DataError(
            f"{', '.join(bars)} have no bar in common; give a span that all of them cover"
        )
    return {key: _picked(part, np.searchsorted(part.ts_ms, shared)) for key, part in bars.items()}


def _picked(bars: Bars, rows: IntArray) -> Bars:
    def source(name: str) -> FloatArray:
        picked: FloatArray = bars.column(name)[rows]
        return picked

    return Bars(
        bars.ts_ms[rows],
        timeframe_ms=bars.timeframe_ms,
        source=source,
        instrument_id=bars.instrument_id,
        close_units=None if bars.close_units is None else bars.close_units[rows],
        price_decimals=bars.price_decimals,
    )

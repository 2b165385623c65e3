"""The common time grid of several histories, as the kernel wants it."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from openalpha.core.clock import timeframe_name
from openalpha.core.errors import DataError
from openalpha.market.history import History
from openalpha.venue.kernel.layout import ABSENT, I64

__all__ = ["Grid", "common_grid"]


class Grid:
    """Histories on one grid.

    Attributes
    ----------
    ts_ms : int64[n]
        Union of the histories' stamps.
    bars : int64[n_inst, n, 5]
        Volume -1 and the last close where an instrument has no bar (0 before its first).
    mark, index : int64[n_series, n, 4]
    mark_rows, index_rows : tuple of int
        Row of each instrument's series, -1 for none.
    places : tuple of int64[m] or None
        Where each history's rows lie on the grid; None where it has every row.
    closes : tuple of int64[n]
        Each instrument's close in price units, a column of its own where the history keeps one.
    """

    def __init__(self, histories: Sequence[History]) -> None:
        self.timeframe_ms = _one_timeframe(histories)
        self.ts_ms = _union(histories)
        n = len(self.ts_ms)
        self.places = tuple(_places(self.ts_ms, h) for h in histories)
        whole = all(place is None for place in self.places)
        if whole and len(histories) == 1:
            self.bars: I64 = histories[0].bars.reshape(1, n, 5)
        else:
            self.bars = np.empty((len(histories), n, 5), dtype=np.int64)
            for i, (history, place) in enumerate(zip(histories, self.places, strict=True)):
                _fill_bars(self.bars[i], history.bars, place)
        self.closes: tuple[I64, ...] = tuple(
            history.close_units() if place is None else self.bars[i, :, 3]
            for i, (history, place) in enumerate(zip(histories, self.places, strict=True))
        )
        self.mark, self.mark_rows = self._series([h.mark for h in histories], n)
        self.index, self.index_rows = self._series([h.index for h in histories], n)

    def _series(self, series: Sequence[I64 | None], n: int) -> tuple[I64 | None, tuple[int, ...]]:
        rows: list[int] = []
        kept: list[I64] = []
        for one, place in zip(series, self.places, strict=True):
            rows.append(len(kept) if one is not None else -1)
            if one is not None:
                kept.append(one if place is None else _spread(one, place, n))
        if not kept:
            return None, tuple(rows)
        stacked = kept[0].reshape(1, n, 4) if len(kept) == 1 else np.stack(kept)
        return stacked, tuple(rows)

    def spread_targets(self, targets: Sequence[NDArray[np.int32]], none: int) -> NDArray[np.int32]:
        """Lay targets of each history's own rows on the grid; elsewhere there is no opinion."""
        if all(place is None for place in self.places):
            return targets[0].reshape(1, -1) if len(targets) == 1 else np.stack(targets)
        out = np.full((len(targets), len(self.ts_ms)), none, dtype=np.int32)
        for i, (target, place) in enumerate(zip(targets, self.places, strict=True)):
            out[i, slice(None) if place is None else place] = target
        return out


def common_grid(histories: Sequence[History]) -> Grid:
    """Put histories of one time frame on a common grid.

    Raises
    ------
    DataError
        If their time frames differ.
    """
    return Grid(histories)


def _one_timeframe(histories: Sequence[History]) -> int:
    frames = {h.timeframe_ms for h in histories}
    if len(frames) > 1:
        names = ", ".join(timeframe_name(f) for f in sorted(frames))
        raise DataError(f"the histories have different time frames ({names}); a run needs one")
    return frames.pop()


def _union(histories: Sequence[History]) -> NDArray[np.int64]:
    first = histories[0].ts_ms
    if all(h.ts_ms is first or np.array_equal(h.ts_ms, first) for h in histories[1:]):
        return first
    return np.unique(np.concatenate([h.ts_ms for h in histories]))


def _places(grid: NDArray[np.int64], history: History) -> NDArray[np.int64] | None:
    if len(grid) == len(history.ts_ms):
        return None
    return np.searchsorted(grid, history.ts_ms).astype(np.int64)


def _fill_bars(out: I64, bars: I64, place: NDArray[np.int64] | None) -> None:
    if place is None:
        out[:] = bars
        return
    rows = np.full(len(out), -1, dtype=np.int64)
    rows[place] = np.arange(len(place))
    known = np.maximum.accumulate(rows)
    closes = np.where(known >= 0, bars[np.maximum(known, 0), 3], 0)
    out[:, :4] = closes[:, None]
    out[:, 4] = ABSENT
    out[place] = bars


def _spread(series: I64, place: NDArray[np.int64], n: int) -> I64:
    rows = np.full(n, -1, dtype=np.int64)
    rows[place] = np.arange(len(place))
    known = np.maximum.accumulate(rows)
    closes = np.where(known >= 0, series[np.maximum(known, 0), 3], 0)
    out = np.repeat(closes[:, None], 4, axis=1)
    out[place] = series
    return np.ascontiguousarray(out)

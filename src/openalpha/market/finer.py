"""Finds the finer bars of an instrument that the lake holds over a whole history."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from openalpha.core.clock import format_ms, timeframe_name
from openalpha.core.errors import DataError
from openalpha.market.history import History
from openalpha.market.series import SeriesKind
from openalpha.market.series_list import SeriesInfo, span_text

__all__ = ["Bars", "finer_histories"]


class Bars(Protocol):
    """A lake, as far as this module needs one."""

    def series(self) -> list[SeriesInfo]:
        """Return the catalogue."""
        ...

    def load(
        self,
        instrument: str,
        timeframe: str,
        *,
        start_ms: int | None = None,
        end_ms: int | None = None,
        with_: Sequence[str] = ("funding", "mark", "index"),
    ) -> History:
        """Return prepared history."""
        ...


def finer_histories(lake: Bars, coarse: Sequence[History]) -> list[History]:
    """Return the finest bars the lake holds whole for every bar of every history.

    Parameters
    ----------
    lake : Lake
    coarse : sequence of History
        Bars of instruments of the lake, of one time frame.

    Returns
    -------
    list of History
        All of one time frame, each with as many bars as its own bars hold; finer bars of times for
        which a history has none are left out.

    Raises
    ------
    DataError
        If no time frame covers them whole, or the closes are not the histories'.
    """
    common = set.intersection(*({i.key.timeframe_ms for i in _held(lake, h)} for h in coarse))
    for timeframe_ms in sorted(common):
        found = [_whole(lake, history, timeframe_ms) for history in coarse]
        whole = [fine for fine in found if fine is not None]
        if len(whole) == len(coarse):
            for fine, history in zip(whole, coarse, strict=True):
                _check_closes(fine, history)
            return whole
    first = coarse[0]
    held = [
        f"{info.key.timeframe} of {history.instrument.id} {span_text(info)}"
        for history in coarse
        for info in _held(lake, history)
    ]
    raise DataError(
        f"fills.path = refine needs finer bars for each {timeframe_name(first.timeframe_ms)} bar "
        f"from {format_ms(int(first.ts_ms[0]))} to {format_ms(first.end_ms)}; the lake has "
        f"{'; '.join(held) or 'none of ' + first.instrument.id}: test a span they cover whole, "
        "import or download more, or take fills.path = adverse"
    )


def _whole(lake: Bars, coarse: History, timeframe_ms: int) -> History | None:
    """Return the bars of a finer time frame for every bar of a history, None if some lack."""
    start_ms, end_ms = int(coarse.ts_ms[0]), coarse.end_ms
    info = next(i for i in _held(lake, coarse) if i.key.timeframe_ms == timeframe_ms)
    if info.first_ms > start_ms or info.last_ms < end_ms - timeframe_ms:
        return None
    name = timeframe_name(timeframe_ms)
    fine = lake.load(coarse.instrument.id, name, start_ms=start_ms, end_ms=end_ms)
    fine = _within(fine, coarse)
    return fine if len(fine) == len(coarse) * (coarse.timeframe_ms // timeframe_ms) else None


def _held(lake: Bars, coarse: History) -> list[SeriesInfo]:
    """Return the finer bars the lake has whose time frame divides the history's."""
    return [
        info
        for info in lake.series()
        if info.key.instrument == coarse.instrument.id
        and info.key.kind is SeriesKind.BARS
        and info.key.timeframe_ms < coarse.timeframe_ms
        and coarse.timeframe_ms % info.key.timeframe_ms == 0
    ]


def _within(fine: History, coarse: History) -> History:
    """Return the finer bars that lie within bars of the history."""
    place = np.searchsorted(coarse.ts_ms, fine.ts_ms, side="right") - 1
    inside = (place >= 0) & (fine.ts_ms - coarse.ts_ms[place] < coarse.timeframe_ms)
    if inside.all():
        return fine
    return History.of(
        fine.instrument,
        fine.timeframe_ms,
        ts_ms=fine.ts_ms[inside],
        bars=fine.bars[inside],
        mark=_rows(fine.mark, inside),
        index=_rows(fine.index, inside),
        funding=fine.known_funding,
        notes=fine.notes,
    )


def _rows(prices: NDArray[np.int64] | None, inside: NDArray[np.bool_]) -> NDArray[np.int64] | None:
    return None if prices is None else prices[inside]


def _check_closes(fine: History, coarse: History) -> None:
    step = coarse.timeframe_ms // fine.timeframe_ms
    differing = np.flatnonzero(fine.column("close")[step - 1 :: step] != coarse.column("close"))
    if len(differing):
        own, finer = (timeframe_name(one.timeframe_ms) for one in (coarse, fine))
        first = format_ms(int(coarse.ts_ms[differing[0]]))
        raise DataError(
            f"{len(differing)} of {len(coarse)} closes of {coarse.instrument.id} differ between "
            f"its {own} and {finer} bars, first at {first}: `openalpha data check` tells which "
            "stand out; mend them, or take fills.path = adverse"
        )

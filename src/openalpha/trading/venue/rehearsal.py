"""A decision made before the first one: what it loads and compiles is there when it counts."""

from dataclasses import replace

from openalpha.core.units import to_units
from openalpha.engine.rows import BarUnits, Row
from openalpha.store.frames import FrameKind, packed
from openalpha.trading.orders.held import Holding
from openalpha.trading.orders.record import OrderRecord
from openalpha.trading.orders.side import Input, Request, RequestKind
from openalpha.trading.run.feed_rows import row_payload
from openalpha.trading.venue.desk import VenueDesk
from openalpha.trading.venue.keeping import copied_desk

__all__ = ["Rehearsal"]

_MOST = 20_000


class Rehearsal:
    """A copy of a desk that decides on one more bar at the last prices, as often as it is told to.

    Compiled functions are loaded at their first call, which takes from 40 ms to a second, and some
    20 s where they are not compiled yet; and what was not used for a while takes three times as
    long. Nothing is rehearsed where no price is known yet, no strategy decides, or one is called
    back, which may do more than decide.

    Parameters
    ----------
    desk : VenueDesk
        Copied, and not touched.
    after_ms : int
        The stamp after which rows are new.
    """

    def __init__(self, desk: VenueDesk, *, after_ms: int) -> None:
        self._row = None if desk.callbacks.has_any else _next(desk, after_ms)
        self._desk = desk if self._row is None else copied_desk(desk)
        self._side, self._count, self._counted = 1, 0, desk.risk.gate.state()

    @property
    def is_old(self) -> bool:
        """Whether what it gathered is worth a copy anew."""
        return self._count >= _MOST

    def again(self) -> tuple[Request, ...]:
        """Decide once more; returns what it would ask of the venue."""
        desk, row = self._desk, self._row
        if row is None:
            return ()
        # As if all that was ordered had come to nothing, and a little was held, long or short:
        # whichever way it then closes and opens.
        desk.side.record = OrderRecord()
        desk.orders.parts.clear()
        desk.risk.gate.restore(self._counted)
        self._count += 1
        for book in desk.books:
            for number, item in enumerate(book.instruments):
                book.undecide(number)
                book.held[number] = Holding(
                    item.kind, self._side * item.min_qty, book.marks[number]
                )
            if self._count > 1 and book.mind is not None:
                book.mind.thinker.take_back()
        close_ms = row.ts_ms + desk.plan.timeframe_ms
        outcome = desk.apply(0, Input(FrameKind.FEED, row_payload(row), close_ms))
        for kind, payload in outcome.outputs:
            packed(0, kind, ts_ms=close_ms, payload=payload, crc=0)
        if not any(request.kind is RequestKind.PLACE for request in outcome.requests):
            self._side = -self._side
        self._row = replace(row, ts_ms=close_ms)
        return outcome.requests


def _next(desk: VenueDesk, after_ms: int) -> Row | None:
    """Return a bar after the last one in which nothing happened."""
    bars: list[BarUnits | None] = [None] * len(desk.plan.instruments)
    for book in desk.books:
        if book.mind is None:
            continue
        for place, mark in zip(book.part.numbers, book.marks, strict=True):
            if mark:
                price = to_units(mark, desk.plan.instruments[place].price_decimals)
                bars[place] = (price, price, price, price, 1)
    if not any(bars):
        return None
    frame_ms = desk.plan.timeframe_ms
    return Row((after_ms // frame_ms + 1) * frame_ms, tuple(bars))

"""A decision made before the first one: what it loads and compiles is there when it counts."""

from dataclasses import replace
from typing import ClassVar

from openalpha.core.units import to_units
from openalpha.engine.rows import BarUnits, Row
from openalpha.store.frames import FrameKind, packed
from openalpha.strategy.events import Context, EventStrategy
from openalpha.strategy.params import StrategyParams
from openalpha.trading.orders.held import Holding
from openalpha.trading.orders.record import OrderRecord
from openalpha.trading.orders.side import Input, Request, RequestKind
from openalpha.trading.paper.subbooks import part_of
from openalpha.trading.run.feed_rows import row_payload
from openalpha.trading.venue.books import VenueBook
from openalpha.trading.venue.desk import VenueDesk
from openalpha.trading.venue.keeping import copied_desk

__all__ = ["Rehearsal"]

_MOST = 20_000
_WORTH = 50.0


class Rehearsal:
    """A copy of a desk that decides on one more bar at the last prices, as often as it is told to.

    Compiled functions are loaded at their first call, which takes from 40 ms to a second, and some
    20 s where they are not compiled yet; and what was not used for a while takes three times as
    long. Nothing is rehearsed where no price is known yet, or no strategy decides. A strategy of
    callbacks is not called, for it may do more than decide: another orders in its place.

    Parameters
    ----------
    desk : VenueDesk
        Copied, and not touched.
    after_ms : int
        The stamp after which rows are new.
    """

    def __init__(self, desk: VenueDesk, *, after_ms: int) -> None:
        self._row = _next(desk, after_ms)
        stand_in = _StandIn(StrategyParams())
        self._desk = desk if self._row is None else copied_desk(desk, stand_in=stand_in)
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
            self._take_back(book, row)
        close_ms = row.ts_ms + desk.plan.timeframe_ms
        outcome = desk.apply(0, Input(FrameKind.FEED, row_payload(row), close_ms))
        for kind, payload in outcome.outputs:
            packed(0, kind, ts_ms=close_ms, payload=payload, crc=0)
        if not any(request.kind is RequestKind.PLACE for request in outcome.requests):
            self._side = -self._side
        self._row = replace(row, ts_ms=close_ms)
        return outcome.requests

    def _take_back(self, book: VenueBook, row: Row) -> None:
        """Let a strategy forget the bar of before: it has no more of them each time."""
        if book.callbacks is not None:
            so_far = book.callbacks.context.so_far
            book.callbacks.context.silent_bars = 0
        else:
            so_far = [] if book.mind is None else book.mind.thinker.so_far
        if self._count > 1:
            for part, bar in zip(so_far, part_of(row, book.part.numbers).bars, strict=False):
                if bar is not None:
                    part.take_back()


class _StandIn(EventStrategy):
    """Orders at every bar: closes what is held, else buys a little."""

    name: ClassVar[str] = "stand_in"
    idea: ClassVar[str] = "None: it shows the way."

    def on_bar(self, ctx: Context) -> None:
        if ctx.position:
            ctx.close_position()
        else:
            ctx.buy(_WORTH / ctx.close)


def _next(desk: VenueDesk, after_ms: int) -> Row | None:
    """Return a bar after the last one in which nothing happened."""
    bars: list[BarUnits | None] = [None] * len(desk.plan.instruments)
    for book in desk.books:
        if book.mind is None and book.callbacks is None:
            continue
        for place, mark in zip(book.part.numbers, book.marks, strict=True):
            if mark:
                price = to_units(mark, desk.plan.instruments[place].price_decimals)
                bars[place] = (price, price, price, price, 1)
    if not any(bars):
        return None
    frame_ms = desk.plan.timeframe_ms
    return Row((after_ms // frame_ms + 1) * frame_ms, tuple(bars))

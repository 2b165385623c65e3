"""Protective stops of a run's positions: each covers its position whole, none is ever without."""

from openalpha.core.instruments import InstrumentId
from openalpha.core.messages import OrderIntent
from openalpha.core.orders import Side, TriggerKind
from openalpha.risk.gate import Refusal
from openalpha.trading.bybit_side import BybitSide
from openalpha.trading.side import Incident
from openalpha.trading.venue_books import Standing, VenueBook
from openalpha.trading.venue_orders import VenueOrders
from openalpha.trading.venue_risk import VenueRisk
from openalpha.trading.venue_state import Work

__all__ = ["Protection"]


class Protection:
    """Keeps a stop at the venue for what every sub-book holds.

    Parameters
    ----------
    books : list of VenueBook
    orders : VenueOrders
    side : BybitSide
    risk : VenueRisk
    incidents : list of Incident
        Where it is said that a position stands without one.
    """

    def __init__(
        self,
        books: list[VenueBook],
        orders: VenueOrders,
        *,
        side: BybitSide,
        risk: VenueRisk,
        incidents: list[Incident],
    ) -> None:
        self._books, self._orders, self._side = books, orders, side
        self._risk, self._incidents = risk, incidents

    def is_stop(self, link: str) -> bool:
        """Say whether an order is the stop of a position."""
        return any(stop.link_id == link for book in self._books for stop in book.stops)

    def ended(self, work: Work, link: str) -> None:
        """Take in that an order is no more; the stop of a position is placed anew."""
        for number, book in enumerate(self._books):
            for which, stop in enumerate(book.stops):
                if stop.link_id == link:
                    book.stops[which] = Standing()
                    self.keep(work, number=number, which=which)

    def keep(self, work: Work, *, number: int, which: int) -> None:
        """Let a position's stop cover it whole; it is never without one."""
        book = self._books[number]
        old, (qty, trigger) = book.stops[which], book.wanted_stop(which)
        if (old.qty, old.trigger) == (qty, trigger):
            return
        book.stops[which] = Standing()
        if not qty:
            if old.link_id:
                work.requests += self._side.cancel([old.link_id])
            return
        intent = OrderIntent(
            ts_ms=self._side.now_ms,
            instrument=InstrumentId(book.instruments[which].id),
            side=Side.SELL if book.held[which].qty > 0 else Side.BUY,
            qty=qty,
            trigger_price=trigger,
            trigger_kind=TriggerKind.STOP,
            is_reduce_only=True,
            strategy=book.part.name,
        )
        verdict = self._risk.judge(intent, self._side.now_ms)
        if isinstance(verdict, Refusal):
            words = f"{intent.instrument} stands without a stop: {verdict.words}"
            self._incidents.append(Incident("no_stop", words, self._side.now_ms))
            work.notices.append(words)
            if old.link_id:
                work.requests += self._side.cancel([old.link_id])
            return
        placed = self._orders.named(work, verdict, number=number, leg="stop")
        book.stops[which] = Standing(placed.link_id, qty, trigger)
        if old.link_id:
            # The old one goes only once the venue has the new one.
            work.requests += self._side.replace(placed, old=old.link_id)
        else:
            work.requests += self._side.send([placed])

"""Protective stops of a run's positions: each covers its position whole, none is ever without."""

from dataclasses import replace
from decimal import Decimal

from openalpha.core.instruments import InstrumentId, Kind
from openalpha.core.messages import OrderIntent
from openalpha.core.orders import Side, TriggerKind
from openalpha.risk.gate import Refusal
from openalpha.store.run_log import FrameKind
from openalpha.trading.bybit.side import BybitSide
from openalpha.trading.bybit.stops import Exits
from openalpha.trading.orders.record import instrument_of
from openalpha.trading.orders.side import Change, Incident
from openalpha.trading.venue.books import Standing, VenueBook
from openalpha.trading.venue.netting import share_out
from openalpha.trading.venue.orders import VenueOrders
from openalpha.trading.venue.risk import VenueRisk
from openalpha.trading.venue.state import Part, Work

__all__ = ["Protection"]

_ZERO = Decimal(0)
_TRIES = 3
"""Stops the venue may refuse in a row before it is tried but once a bar."""


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
        self._later: set[str] = set()

    def is_stop(self, link: str) -> bool:
        """Say whether an order is the stop of a position."""
        return any(stop.link_id == link for book in self._books for stop in book.stops)

    def confirmed(self, link: str) -> None:
        """Take in that the venue has an order."""
        for book in self._books:
            for stop in book.stops:
                if stop.link_id == link:
                    stop.before = None
                    self._as_it_is(stop)
        self._drop_first_stops()

    def _as_it_is(self, stop: Standing) -> None:
        """Take a stop for what the venue shows of it: a change of it may have been refused."""
        order = self._side.record.find(link_id=stop.link_id)
        if order is None or order.wish or order.is_lost:
            return
        if (order.qty, order.trigger_price) == (stop.qty, stop.trigger):
            stop.refusals = 0
            return
        stop.qty, stop.trigger = order.qty, order.trigger_price or _ZERO
        stop.refusals += 1
        self._later.add(instrument_of(order.category, order.symbol))

    def _drop_first_stops(self) -> None:
        """Take the stops that came with entries away where orders of their own stand for all.

        Not while an entry that brings one may still fill: what it fills has no other at first.
        """
        coming = {
            (order.category, order.symbol)
            for order in self._side.record.unsettled()
            if "stopLoss" in order.params
        }
        for item in {item.id: item for book in self._books for item in book.instruments}.values():
            stops = [
                self._side.record.find(link_id=book.stops[which].link_id)
                for book in self._books
                if (which := book.number_of(item.id)) >= 0 and book.stops[which].link_id
            ]
            category = item.market.removeprefix("bybit_")
            if (
                stops
                and item.kind is not Kind.SPOT
                and (category, item.symbol) not in coming
                and all(order is not None and order.is_confirmed for order in stops)
            ):
                self._side.protect(category, item.symbol, exits=Exits())

    def ended(self, work: Work, link: str, *, is_refused: bool) -> None:
        """Take in that an order is no more; the stop of a position is placed anew.

        Where the venue refused it, the one it was to replace stands still.
        """
        for number, book in enumerate(self._books):
            for which, stop in enumerate(book.stops):
                if stop.link_id != link:
                    continue
                if is_refused:
                    self._free_coins(work, number=number, which=which)
                old = stop.before
                order = None if old is None else self._side.record.find(link_id=old.link_id)
                left = (
                    old if old is not None and order is not None and order.is_open else Standing()
                )
                left.before, left.refusals = None, stop.refusals + 1 if is_refused else 0
                book.stops[which] = left
                work.moved.add(str(book.instruments[which].id))
        self._drop_first_stops()

    def _free_coins(self, work: Work, *, number: int, which: int) -> None:
        """Call back the sales that hold the coins of a stop: on spot it was refused for their sake.

        Once they are gone, what is past its stop is closed at the market.
        """
        book, record = self._books[number], self._side.record
        stop = record.find(link_id=book.stops[which].link_id)
        if book.instruments[which].kind is not Kind.SPOT or stop is None or not stop.is_acked:
            return
        sales = [
            order.link_id
            for order in record.open_orders()
            if order.side is Side.SELL and order.trigger_price is None
            for part in self._orders.parts.get(order.link_id, ())
            if (part.book, part.which) == (number, which)
        ]
        if sales:
            work.note(FrameKind.INTENT, book=number, cancel=sales, by="its stop")
            work.requests += self._side.cancel(sales)
            # It was taken and then refused: its price has been reached.
            book.marks[which] = min(book.marks[which], stop.trigger_price or book.marks[which])

    def settle(self, work: Work) -> None:
        """Let the stops of every instrument that moved cover what the account holds of it.

        While an order that several share is under way theirs stay as they are; while the venue says
        that more has traded than its executions tell, so do those of that instrument: what is held
        is not known, and the executions are asked for.
        """
        moved, work.moved = sorted(work.moved | self._later), set()
        behind = {
            f"bybit_{order.category}:{order.symbol}"
            for order in (self._side.record.unsettled() if moved else ())
            if order.filled_qty < order.reported_qty
        }
        self._later = {name for name in moved if name in behind or self._orders.is_netting(name)}
        for name in moved:
            for number, which, qty in self._covers(name) if name not in self._later else ():
                self._keep(work, number=number, which=which, qty=qty)

    def look(self, work: Work) -> None:
        """Try again, once a bar, what the venue refused; close what is past its stop."""
        for number, book in enumerate(self._books):
            for which, item in enumerate(book.instruments):
                if book.stops[which].refusals:
                    book.stops[which].refusals = min(book.stops[which].refusals, _TRIES - 1)
                    work.moved.add(str(item.id))
                whole = abs(book.tradable(which))
                if whole and book.stops[which].qty < whole and book.is_past_stop(which):
                    self._close(work, number=number, which=which)

    def _close(self, work: Work, *, number: int, which: int) -> None:
        """Close what is past its stop while none stands at the venue for all of it.

        Where sub-books hold against each other the venue can only reduce the account's net.
        """
        book = self._books[number]
        name = book.instruments[which].id
        legs = [leg for leg in book.closing(self._side.now_ms) if leg[1].instrument == name]
        self._orders.decide(work, legs, number=number, by_risk=True)

    def _is_shared(self, instrument: str) -> bool:
        holds = [
            book.held[which].qty
            for book in self._books
            if (which := book.number_of(instrument)) >= 0
        ]
        return min(holds) < 0 < max(holds)

    def _covers(self, instrument: str) -> list[tuple[int, int, Decimal]]:
        """Return how much of each sub-book's position its stop can cover at the venue.

        All of it; where some hold against others, the account's net, shared by those on its side.
        """
        rows = [
            (number, which, book)
            for number, book in enumerate(self._books)
            if (which := book.number_of(instrument)) >= 0
        ]
        net = self._orders.position(instrument)
        if not self._is_shared(instrument):
            return [
                (number, which, self._orders.covered(number, which, qty=book.wanted_stop(which)[0]))
                for number, which, book in rows
            ]
        parts = {
            number: Part(number, which, "stop", abs(book.held[which].qty))
            for number, which, book in rows
            if book.held[which].qty * net > 0
        }
        lot = rows[0][2].instruments[rows[0][1]].steps[-1].lot_size
        given = share_out(list(parts.values()), abs(net), lot=lot) if parts else []
        covered = {part.book: qty for part, qty in given}
        return [(number, which, covered.get(number, _ZERO)) for number, which, _ in rows]

    def _keep(self, work: Work, *, number: int, which: int, qty: Decimal) -> None:
        """Let a position's stop cover so much of it; it is never without one meanwhile."""
        book = self._books[number]
        old, trigger = book.stops[which], book.wanted_stop(which)[1]
        if not trigger or not qty:
            qty = trigger = _ZERO
        if (old.qty, old.trigger) == (qty, trigger):
            return
        if not qty:
            book.stops[which] = Standing()
            if old.link_id:
                work.requests += self._side.cancel([old.link_id])
            return
        if book.is_past_stop(which):
            self._close(work, number=number, which=which)
            return
        if old.refusals >= _TRIES:
            return  # once a bar
        self._place(work, number, which, qty=qty, trigger=trigger)

    def _place(
        self, work: Work, number: int, which: int, *, qty: Decimal, trigger: Decimal
    ) -> None:
        """Place a position's stop, or move the one that stands."""
        book = self._books[number]
        old = book.stops[which]
        if old.link_id and book.instruments[which].kind is Kind.SPOT:
            # Two stops side by side would sell twice there: nothing on spot reduces only.
            book.stops[which] = Standing(old.link_id, qty, trigger, None, old.refusals)
            change = Change(old.link_id, qty=qty, trigger_price=trigger)
            work.requests += self._side.amend([change])
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
            self._naked(work, words)
            return
        part = Part(number, which, "stop", qty)
        placed = self._orders.named(work, verdict, parts=[part], leg="stop")
        before = replace(old, before=None) if old.link_id else None
        book.stops[which] = Standing(placed.link_id, qty, trigger, before, old.refusals)
        if old.refusals == _TRIES - 1:
            self._naked(work, f"the venue refuses the stop of {intent.instrument} again and again")
        if old.link_id:
            # The old one goes only once the venue has the new one.
            work.requests += self._side.replace(placed, old=old.link_id)
        else:
            work.requests += self._side.send([placed])

    def _naked(self, work: Work, words: str) -> None:
        """Say once that a position stands without its stop."""
        if not any(one.words == words for one in self._incidents):
            self._incidents.append(Incident("no_stop", words, self._side.now_ms))
            work.note(FrameKind.NOTE, incident="no_stop", words=words)
            work.notices.append(words)

"""Exits of a run's positions at the venue: each covers its position whole, none lacks its stop.

A position has up to two orders there, both conditional and reducing only: its stop (fixed or
trailing, whichever is nearer) and its take-profit. When one fills the other is cut to what is left.
What no order of the venue carries out is looked at once a bar and closed at the market: a time that
is over, a take-profit on spot (both orders could sell the coins there), and what sub-books hold
against each other.
"""

from collections.abc import Iterator
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
from openalpha.trading.venue.exits import LEGS, STOP, TAKE_PROFIT, TIME_EXIT
from openalpha.trading.venue.netting import share_out
from openalpha.trading.venue.orders import VenueOrders
from openalpha.trading.venue.risk import VenueRisk
from openalpha.trading.venue.state import Part, Work

__all__ = ["Protection"]

_ZERO = Decimal(0)
_WORDS = {STOP: "stop", TAKE_PROFIT: "take-profit"}
_TRIES = 3
"""Times in a row the venue may refuse an exit before it is tried but once a bar."""


class Protection:
    """Keeps stop and take-profit at the venue for what every sub-book holds.

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

    def is_exit(self, link: str) -> bool:
        """Say whether an order is the stop or the take-profit of a position."""
        return any(True for _ in self._of(link))

    def _of(self, link: str) -> Iterator[tuple[int, int, str, Standing]]:
        """Yield the exit an order is: sub-book, instrument, leg, and what is known of it."""
        for number, book in enumerate(self._books):
            for leg in LEGS:
                for which, one in enumerate(book.standing(leg)):
                    if one.link_id == link:
                        yield number, which, leg, one

    def confirmed(self, link: str) -> None:
        """Take in that the venue has an order."""
        for _, _, _, one in self._of(link):
            one.before = None
            self._as_it_is(one)
        self._drop_first_stops()

    def _as_it_is(self, stop: Standing) -> None:
        """Take an exit for what the venue shows of it: a change of it may have been refused."""
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

    def ended(self, work: Work, link: str, *, is_refused: bool, is_reached: bool = False) -> None:
        """Take in that an order is no more; the exit of a position is placed anew.

        Where the venue refused it, the one it was to replace stands still; where it did because its
        price was reached already, the position is closed at the market.
        """
        for number, which, leg, one in list(self._of(link)):
            book = self._books[number]
            if is_reached:
                book.exits[which].reached = book.exits[which].reached or leg
            elif is_refused and leg == STOP:
                self._free_coins(work, number=number, which=which)
            old = one.before
            order = None if old is None else self._side.record.find(link_id=old.link_id)
            left = old if old is not None and order is not None and order.is_open else Standing()
            is_again = is_refused and not is_reached
            left.before, left.refusals = None, one.refusals + 1 if is_again else 0
            book.standing(leg)[which] = left
            work.moved.add(str(book.instruments[which].id))
        self._drop_first_stops()

    def _free_coins(self, work: Work, *, number: int, which: int) -> None:
        """Call back the sales that hold the coins of a stop: on spot it was refused for their sake.

        Once they are gone, what is past its stop is closed at the market.
        """
        book = self._books[number]
        stop = self._side.record.find(link_id=book.stops[which].link_id)
        if book.instruments[which].kind is not Kind.SPOT or stop is None or not stop.is_acked:
            return
        if self._make_way(work, number=number, which=which, leg=STOP):
            # It was taken and then refused: its price has been reached.
            book.marks[which] = min(book.marks[which], stop.trigger_price or book.marks[which])

    def _make_way(self, work: Work, *, number: int, which: int, leg: str) -> bool:
        """Call back the orders of a sub-book that rest and would close what an exit closes."""
        against = Side.SELL if self._books[number].held[which].qty > 0 else Side.BUY
        is_spot = self._books[number].instruments[which].kind is Kind.SPOT
        found = [
            order.link_id
            for order in self._side.record.open_orders()
            if order.side is against and (order.is_reduce_only or is_spot)
            if (order.limit_price or order.trigger_price) and not order.wants_cancel
            for part in self._orders.parts.get(order.link_id, ())
            if (part.book, part.which) == (number, which) and part.leg not in LEGS
            if not (is_spot and order.trigger_price is not None)
        ]
        if found:
            work.note(FrameKind.INTENT, book=number, cancel=found, by=f"its {leg}")
            work.requests += self._side.cancel(found)
        return bool(found)

    def settle(self, work: Work) -> None:
        """Let the exits of every instrument that moved cover what the account holds of it.

        While an order that several share is under way theirs stay as they are; while the venue says
        that more has traded than its executions tell, so do those of that instrument: what is held
        is not known, and the executions are asked for. An exit that was reached and could not be
        carried out is tried again.
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
                for leg in LEGS:
                    self._keep(work, number, which, leg=leg, qty=qty)
                if reached := self._books[number].exits[which].reached:
                    self._close(work, number=number, which=which, leg=reached)

    def look(self, work: Work, close_ms: int) -> None:
        """Try again, once a bar, what the venue refused; close what no order of it closes.

        That is what is past an exit while none stands at the venue for all of it, and what was held
        as long as it may be.

        Parameters
        ----------
        close_ms : int
            The bar's close, UTC ms.
        """
        for number, book in enumerate(self._books):
            for which, item in enumerate(book.instruments):
                for leg in LEGS:
                    one = book.standing(leg)[which]
                    if one.refusals:
                        one.refusals = min(one.refusals, _TRIES - 1)
                        work.moved.add(str(item.id))
                    qty, level = book.wanted(which, leg)
                    if one.trigger != level:  # a trailing stop moved
                        work.moved.add(str(item.id))
                    if self._left(one) < qty and book.is_past(which, leg):
                        book.exits[which].reached = book.exits[which].reached or leg
                levels = book.exits[which]
                if levels.due_ms and close_ms >= levels.due_ms:
                    levels.reached = levels.reached or TIME_EXIT
                if levels.reached:
                    self._close(work, number=number, which=which, leg=levels.reached)

    def _close(self, work: Work, *, number: int, which: int, leg: str) -> None:
        """Close at the market what an exit was reached of, once nothing else is about to.

        Where sub-books hold against each other the venue can only reduce the account's net. Orders
        of its own that would close it are called back before.
        """
        book = self._books[number]
        name = book.instruments[which].id
        if self._is_moving(work, number=number, which=which):
            return  # it is looked at again when that has ended
        if self._make_way(work, number=number, which=which, leg=leg):
            return
        legs = [
            (how, replace(intent, tag=leg))
            for how, intent in book.closing(self._side.now_ms)
            if intent.instrument == name
        ]
        self._orders.decide(work, legs, number=number, by_risk=True)

    def _is_moving(self, work: Work, *, number: int, which: int) -> bool:
        """Say whether a position is about to change: an order is under way, or decided just now."""
        name = str(self._books[number].instruments[which].id)
        return self._orders.is_under_way(name, is_exit=True) or any(
            (want.book, want.which) == (number, which) and want.approved.intent.is_reduce_only
            for want in work.wants
        )

    def _left(self, one: Standing) -> Decimal:
        """Return what an exit at the venue still covers."""
        order = self._side.record.find(link_id=one.link_id) if one.link_id else None
        return one.qty if order is None else one.qty - order.filled_qty

    def _is_shared(self, instrument: str) -> bool:
        holds = [
            book.held[which].qty
            for book in self._books
            if (which := book.number_of(instrument)) >= 0
        ]
        return min(holds) < 0 < max(holds)

    def _covers(self, instrument: str) -> list[tuple[int, int, Decimal]]:
        """Return how much of each sub-book's position its exits can cover at the venue.

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
                (number, which, self._orders.covered(number, which, qty=abs(book.tradable(which))))
                for number, which, book in rows
            ]
        parts = {
            number: Part(number, which, STOP, abs(book.held[which].qty))
            for number, which, book in rows
            if book.held[which].qty * net > 0
        }
        lot = rows[0][2].instruments[rows[0][1]].steps[-1].lot_size
        given = share_out(list(parts.values()), abs(net), lot=lot) if parts else []
        covered = {part.book: qty for part, qty in given}
        return [(number, which, covered.get(number, _ZERO)) for number, which, _ in rows]

    def _keep(self, work: Work, number: int, which: int, *, leg: str, qty: Decimal) -> None:
        """Let a position's exit cover so much of it; it is never without its stop meanwhile."""
        book = self._books[number]
        old, trigger = book.standing(leg)[which], book.wanted(which, leg)[1]
        is_spot = book.instruments[which].kind is Kind.SPOT
        if not trigger or not qty or (is_spot and leg == TAKE_PROFIT):
            qty = trigger = _ZERO  # on spot both could sell the coins: a take-profit is watched
        if (self._left(old), old.trigger) == (qty, trigger) and (qty or not old.refusals):
            return
        if not qty:
            book.standing(leg)[which] = Standing()
            both = [one.link_id for one in (old, old.before) if one is not None and one.link_id]
            work.requests += self._side.cancel(both)
            return
        if book.is_past(which, leg) or book.exits[which].reached == leg:
            self._close(work, number=number, which=which, leg=leg)
            return
        if old.refusals >= _TRIES:
            if is_spot and old.link_id:
                name = book.instruments[which].id
                words = f"{old.qty:f} at {old.trigger:f}, not {qty:f} at {trigger:f}"
                words = f"the venue refuses to change the stop of {name}: it is {words}"
                self._lacking(work, leg, words)
            return  # once a bar
        if leg == TAKE_PROFIT and self._is_moving(work, number=number, which=which):
            return  # the stop protects what is held meanwhile
        self._place(work, number, which, leg=leg, qty=qty, trigger=trigger)

    def _place(
        self, work: Work, number: int, which: int, *, leg: str, qty: Decimal, trigger: Decimal
    ) -> None:
        """Place an exit of a position, or move the one that stands."""
        book = self._books[number]
        old = book.standing(leg)[which]
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
            trigger_kind=TriggerKind.STOP if leg == STOP else TriggerKind.TAKE_PROFIT,
            is_reduce_only=True,
            strategy=book.part.name,
        )
        verdict = self._risk.judge(intent, self._side.now_ms, by_risk=True)
        if isinstance(verdict, Refusal):
            words = f"{intent.instrument} stands without a {_WORDS[leg]}: {verdict.words}"
            self._lacking(work, leg, words)
            return
        part = Part(number, which, leg, qty)
        placed = self._orders.named(work, verdict, parts=[part], leg=leg)
        before = replace(old, before=None) if old.link_id else None
        book.standing(leg)[which] = Standing(placed.link_id, qty, trigger, before, old.refusals)
        if old.refusals == _TRIES - 1:
            words = f"the venue refuses the {_WORDS[leg]} of {intent.instrument} again and again"
            self._lacking(work, leg, words)
        if old.link_id:
            # The old one goes only once the venue has the new one.
            work.requests += self._side.replace(placed, old=old.link_id)
        else:
            work.requests += self._side.send([placed])

    def _lacking(self, work: Work, leg: str, words: str) -> None:
        """Say once that a position stands without an exit."""
        if not any(one.words == words for one in self._incidents):
            self._incidents.append(Incident(f"no_{leg}", words, self._side.now_ms))
            work.note(FrameKind.NOTE, incident=f"no_{leg}", words=words)
            work.notices.append(words)

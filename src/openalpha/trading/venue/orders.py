"""From intents to orders of the account: the gate before each, one id each, fair parts of fills."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

from openalpha.books.naming import lots_of_fill
from openalpha.core.instruments import Kind
from openalpha.core.messages import ApprovedIntent, Fill, OrderIntent
from openalpha.core.orders import Side
from openalpha.core.reasons import Reason
from openalpha.risk.gate import Refusal
from openalpha.store.run_log import FrameKind
from openalpha.trading.bybit.requests import place
from openalpha.trading.bybit.side import BybitSide
from openalpha.trading.orders.events import VenueFill
from openalpha.trading.orders.link_id import Cause, link_id
from openalpha.trading.orders.side import PlacedOrder
from openalpha.trading.venue.books import VenueBook, stands
from openalpha.trading.venue.exits import LEGS, TIME_EXIT, ExitTerms
from openalpha.trading.venue.halts import Halts
from openalpha.trading.venue.netting import Crossed, inner_fill, netted, share_out
from openalpha.trading.venue.risk import VenueRisk
from openalpha.trading.venue.sales import Sale, SpotSales
from openalpha.trading.venue.state import WORKED, Chosen, Coming, Part, SlowOrders, Want, Work

__all__ = ["VenueOrders"]

_ZERO = Decimal(0)
Legs = Sequence[tuple[str, OrderIntent]]


class VenueOrders:
    """The orders of a run, and which sub-books they are for.

    Parameters
    ----------
    run_id : str
        Part of every order's id.
    books : list of VenueBook
    side : BybitSide
    risk : VenueRisk
    """

    def __init__(
        self, run_id: str, *, books: list[VenueBook], side: BybitSide, risk: VenueRisk
    ) -> None:
        self._run_id, self._books, self._side, self._risk = run_id, books, side, risk
        self.parts: dict[str, list[Part]] = {}
        self._lots: dict[str, OrderIntent] = {}
        self.halts = Halts()
        self.slow: SlowOrders | None = None
        self.sales = SpotSales(books, side, gate=risk.gate)

    @property
    def now_ms(self) -> int:
        """The time of the input that is being taken in, UTC ms."""
        return self._risk.now_ms

    def judge(
        self,
        number: int,
        intent: OrderIntent,
        *,
        wants: Sequence[Want] = (),
        by_risk: bool = False,
        but: str = "",
        is_part: bool = False,
    ) -> ApprovedIntent | Refusal:
        """Ask the gate; orders that are open count, and wants, but not one that is to be changed.

        On spot a sub-book sells what it bought and no coin more.
        """
        if self.halts.is_halted(intent.instrument) and not intent.is_reduce_only:
            words = f"{intent.instrument} is not traded at the exchange, or soon will not be"
            return Refusal(Reason.INSTRUMENT_HALTED, words)
        book = self._books[number]
        which = book.number_of(intent.instrument)
        coming = self._coming(wants, but=but)
        if book.instruments[which].kind is Kind.SPOT and intent.side is Side.SELL:
            away = coming.closing.get((book.part.name, intent.instrument), _ZERO)
            left = book.held[which].qty - away
            if intent.qty > left and not intent.trigger_price:
                words = f"{book.part.name} bought {left:f} of it that no order sells yet"
                return Refusal(Reason.INSUFFICIENT_BALANCE, words)
        return self._risk.judge(
            intent,
            intent.ts_ms,
            closing=coming.closing,
            coming=coming.opening,
            by_risk=by_risk,
            is_part=is_part or bool(but),
        )

    def decide(
        self,
        work: Work,
        legs: Legs,
        *,
        number: int,
        is_paused: bool = False,
        by_risk: bool = False,
    ) -> None:
        """Let a sub-book's intents pass the gate one after the other; `net` sends those that did.

        What is refused to an exit is asked for again, as is what comes while the last is under way.
        """
        book = self._books[number]
        for leg, intent in legs:
            which = book.number_of(intent.instrument)
            if self.is_under_way(intent.instrument, is_exit=leg == "close"):
                book.undecide(which)
                continue
            verdict = self.judge(number, intent, wants=work.wants, by_risk=by_risk)
            if isinstance(verdict, Refusal) or (is_paused and leg == "entry"):
                refused = isinstance(verdict, Refusal)
                words = verdict.words if isinstance(verdict, Refusal) else "the run is paused"
                reason = verdict.reason.name.lower() if isinstance(verdict, Refusal) else "paused"
                work.note_refusal(number, intent.instrument, reason=reason, words=words)
                if not refused or leg == "close":
                    book.undecide(which)
                continue
            work.wants.append(Want(number, which, leg, verdict))

    def net(self, work: Work) -> None:
        """Cross what cancels out among sub-books, and send the account's net of each instrument."""
        wants, work.wants = work.wants, []
        for name in dict.fromkeys(want.approved.intent.instrument for want in wants):
            of_it = [want for want in wants if want.approved.intent.instrument == name]
            item = self._books[of_it[0].book].instruments[of_it[0].which]
            slow = self.slow
            later = [] if slow is None else [want for want in of_it if slow.takes(want)]
            crossed, orders, rest = netted(
                of_it, position=self.position(name), item=item, later=later
            )
            if crossed:
                self._cross(work, of_it[0], crossed)
            if crossed and not orders:  # else stops move once the order has filled
                work.moved.add(name)
            approved = [want.approved for want in of_it]
            for order in orders:
                one = self._risk.gate.netted(
                    approved,
                    signed=order.qty * order.side,
                    is_reduce_only=order.is_reduce_only,
                )
                leg = "close" if order.is_reduce_only else "entry"
                self._send(work, one, parts=list(order.parts), leg=leg)
            for part in rest:  # after what closes, which may only reduce
                assert slow is not None
                want = next(want for want in later if want.book == part.book)
                slow.work(work, replace(want.approved.intent, qty=part.qty), number=part.book)

    def send(
        self,
        work: Work,
        approved: ApprovedIntent,
        *,
        number: int,
        leg: str,
        order: int = 0,
        parent: str = "",
    ) -> str:
        """Send an order of one sub-book that passed the gate; returns its id.

        `order` is the number its strategy knows it by, 0 for an order of nobody's callbacks;
        `parent` names what it is a piece of. Where others hold against it the account has less to
        reduce than the sub-book has.
        """
        intent, which = approved.intent, self._books[number].number_of(approved.intent.instrument)
        exits = ExitTerms.of(intent)
        against = -self.position(intent.instrument) * intent.side
        is_spot = self._books[number].instruments[which].kind is Kind.SPOT
        if intent.is_reduce_only and intent.qty > against and not is_spot:
            signed = intent.qty * intent.side
            approved = self._risk.gate.netted([approved], signed=signed, is_reduce_only=False)
        part = Part(number, which, leg, intent.qty, order=order, exits=exits)
        return self._send(work, approved, parts=[part], leg=leg, parent=parent)

    def position(self, instrument: str) -> Decimal:
        """Return what all sub-books hold of an instrument together, signed."""
        return sum(
            (
                book.held[which].qty
                for book in self._books
                if (which := book.number_of(instrument)) >= 0
            ),
            _ZERO,
        )

    def _send(
        self,
        work: Work,
        approved: ApprovedIntent,
        *,
        parts: list[Part],
        leg: str,
        parent: str = "",
    ) -> str:
        placed = self.named(work, approved, parts=parts, leg=leg, parent=parent)
        stop = self._first_stop(approved.intent, parts)
        if stop is not None:
            item = self._books[parts[0].book].instruments[parts[0].which]
            self._side.stops.forget(item.market.removeprefix("bybit_"), item.symbol)
            placed = replace(placed, stop=stop)
        if self.sales.must_wait(approved.intent, parts, of=self.parts):
            self.sales.waiting.append(Sale(placed, parts))
            work.moved.add(str(approved.intent.instrument))
        else:
            self._side.send([placed])  # taken over; all of one input go out together
            work.placed.append(placed.link_id)
        return placed.link_id

    def release(self, work: Work) -> None:
        """Send the sales on spot that waited until no stop sells their coins."""
        self.sales.release(work, of=self.parts)

    def covered(self, number: int, which: int, *, qty: Decimal) -> Decimal:
        """Return how much of a position its stop is to cover: on spot not what is being sold."""
        return self.sales.covered(number, which, qty=qty, of=self.parts)

    def _first_stop(self, intent: OrderIntent, parts: Sequence[Part]) -> Decimal | None:
        """Return the stop that goes with an entry: the widest of those who share it.

        It is measured from where the entry fills: at its trigger or else the market, and at its
        limit unless that is passed already. A stop beyond the market would close it at once.
        """
        share = max(0 if part.exits is None else part.exits.stop_e6 for part in parts)
        book, which = self._books[parts[0].book], parts[0].which
        item = book.instruments[which]
        prices = [
            one for one in (intent.trigger_price or book.marks[which], intent.limit_price) if one
        ]
        if intent.is_reduce_only or not (share and prices) or item.kind is Kind.SPOT:
            return None
        price = min(prices) if intent.side is Side.BUY else max(prices)
        away, tick = price * share / 1_000_000, item.steps[-1].tick_size
        return ((price - intent.side * away) / tick).to_integral_value() * tick

    def _cross(self, work: Work, first: Want, crossed: Sequence[Crossed]) -> None:
        """Let sub-books trade with each other at the decision's price."""
        intent = first.approved.intent
        price = self._books[first.book].marks[first.which]
        legs = [[one.book, int(one.side), f"{one.qty:f}"] for one in crossed]
        work.note(FrameKind.NOTE, cross=legs, instrument=intent.instrument, price=f"{price:f}")
        for one in crossed:
            fill = inner_fill(intent, one, price=price)
            self._books[one.book].take(fill, order=one.order, exits=one.exits)

    def opening(self, wants: Sequence[Want]) -> dict[tuple[str, str], tuple[Decimal, Decimal]]:
        """Return what orders and wants may still open: (sub-book, instrument) -> (bought, sold)."""
        return self._coming(wants, but="").opening

    def is_netting(self, instrument: str) -> bool:
        """Say whether an order of several sub-books is under way: who holds what is not settled."""
        return any(
            len(parts) > 1 and not stands(order)
            for order in self._side.record.unsettled()
            for parts in (self.parts.get(order.link_id, ()),)
            if parts and self._place_of(parts[0])[1] == instrument
        )

    def is_under_way(self, instrument: str, *, is_exit: bool) -> bool:
        """Say whether an order of before may change what is held of an instrument any moment.

        No exit waits for a piece of a worked entry: what it still fills is closed after it.
        """
        legs = ("entry", "close") if is_exit else ("entry", "close", WORKED)
        if any(sale.placed.approved.intent.instrument == instrument for sale in self.sales.waiting):
            return True
        return any(
            part.leg in legs and self._books[part.book].instruments[part.which].id == instrument
            for order in self._side.record.unsettled()
            if not stands(order)
            for part in self.parts.get(order.link_id, ())
        )

    def dispatch(self, work: Work) -> None:
        """Ask the venue for the orders of an input: one request a category, cut to its batches."""
        work.requests += place([self._side.record.orders[name] for name in work.placed])
        work.placed.clear()

    def named(
        self,
        work: Work,
        approved: ApprovedIntent,
        *,
        parts: list[Part],
        leg: str,
        parent: str = "",
    ) -> PlacedOrder:
        """Give an order the id that follows from its cause, and note it and whose it is."""
        intent = approved.intent
        strategy = intent.strategy
        unique = work.leg(leg, name=strategy, instrument=intent.instrument)
        name = link_id(Cause(self._run_id, strategy, work.seq, intent.instrument, unique))
        self.parts[name] = parts
        if intent.lots:
            self._lots[name] = intent
        more: dict[str, Any] = (
            {} if len(parts) == 1 else {"parts": [[p.book, p.leg, f"{p.qty:.8f}"] for p in parts]}
        )
        more |= {"parent": parent} if parent else {}
        exit_ = leg if leg in LEGS or len(parts) > 1 else intent.tag
        more |= {"exit": exit_} if exit_ in (*LEGS, TIME_EXIT) else {}
        work.note(FrameKind.INTENT, book=parts[0].book, link=name, order=_row(intent), **more)
        return PlacedOrder(approved, name)

    def share(self, link: str, fill: Fill) -> list[tuple[Part, Fill]]:
        """Return each sub-book's part of an execution: quantity by what it wanted, fee by that."""
        parts = self.parts.get(link, [])
        if not parts:
            return []
        if len(parts) == 1:
            parts[0].got += fill.qty
            return [(parts[0], fill)]
        book = self._books[parts[0].book]
        lot = book.instruments[parts[0].which].steps[-1].lot_size
        given = share_out(parts, fill.qty, lot=lot)
        found, fee_left = [], fill.fee
        for part, qty in given:
            fee = fee_left if part is given[-1][0] else fill.fee * qty / fill.qty
            fee_left -= fee
            found.append((part, replace(fill, qty=qty, fee=fee)))
        return found

    def chosen(self, event: VenueFill) -> Chosen | None:
        """Return the parcels an execution uses up, where its order named any; after `share`."""
        intent = self._lots.get(event.link_id)
        if intent is None:
            return None
        done = self.parts[event.link_id][0].got - event.fill.qty
        lots = lots_of_fill(intent.lots, done=done, qty=event.fill.qty)
        return Chosen(event.exec_id, event.fill.ts_ms, lots, intent.tag) if lots else None

    def forget(self) -> None:
        """Drop what is known of orders that the record has dropped."""
        waiting = (sale.placed.link_id for sale in self.sales.waiting)
        known = {*self._side.record.orders, *waiting}
        self.parts = {name: parts for name, parts in self.parts.items() if name in known}
        self._lots = {name: intent for name, intent in self._lots.items() if name in known}

    def _coming(self, wants: Sequence[Want], *, but: str) -> Coming:
        """Return what open orders and wants may still reduce and still open."""
        found = self._promised(but)
        for order in self._side.record.unsettled():
            parts = self.parts.get(order.link_id, [])
            wanted = sum((part.qty for part in parts), _ZERO)
            if order.link_id == but or not wanted:
                continue
            left = max(order.most_qty, order.qty) - order.filled_qty
            is_spot_sale = order.category == "spot" and order.side is Side.SELL
            for part in parts:
                place_, qty = self._place_of(part), left * part.qty / wanted
                if part.leg in LEGS or (is_spot_sale and order.trigger_price is not None):
                    continue  # it waits for a price; what is sold before shrinks it
                if part.leg == "close" or order.is_reduce_only or is_spot_sale:
                    found.close(place_, qty)
                else:
                    found.open(place_, qty, side=order.side)
        for want in wants:
            intent = want.approved.intent
            if intent.is_reduce_only:
                found.close((intent.strategy, intent.instrument), want.qty)
            else:
                found.open((intent.strategy, intent.instrument), want.qty, side=want.side)
        return found

    def _promised(self, but: str) -> Coming:
        """Return what is approved and not placed yet: rests of worked entries, sales that wait."""
        found = Coming()
        for name, place_, side, left in () if self.slow is None else self.slow.rests():
            if name != but:
                found.open(place_, left, side=side)
        for sale in self.sales.waiting:
            for part in sale.parts:
                found.close(self._place_of(part), part.qty)
        return found

    def _place_of(self, part: Part) -> tuple[str, str]:
        book = self._books[part.book]
        return book.part.name, str(book.instruments[part.which].id)


def _row(intent: OrderIntent) -> Mapping[str, Any]:
    row: dict[str, Any] = {
        "instrument": intent.instrument,
        "side": int(intent.side),
        "qty": f"{intent.qty.normalize():f}",
        "reduce_only": intent.is_reduce_only,
    }
    if intent.limit_price is not None:
        row["limit"] = f"{intent.limit_price.normalize():f}"
    if intent.trigger_price is not None:
        row["trigger"] = f"{intent.trigger_price.normalize():f}"
    if intent.lots:
        row["lots"] = [[name, f"{qty:f}"] for name, qty in intent.lots]
        row["by"] = intent.tag
    return row

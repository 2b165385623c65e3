"""From intents to orders of the account: the gate before each, one id each, fair parts of fills."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import ROUND_FLOOR, Decimal
from typing import Any

from openalpha.books.naming import lots_of_fill
from openalpha.core.instruments import Kind
from openalpha.core.messages import ApprovedIntent, Fill, OrderIntent
from openalpha.core.orders import Side
from openalpha.core.reasons import Reason
from openalpha.risk.gate import Refusal
from openalpha.store.run_log import FrameKind
from openalpha.trading.bybit_requests import place
from openalpha.trading.bybit_side import BybitSide
from openalpha.trading.link_id import Cause, link_id
from openalpha.trading.orders_events import VenueFill
from openalpha.trading.side import PlacedOrder
from openalpha.trading.venue_books import VenueBook, stands
from openalpha.trading.venue_risk import VenueRisk
from openalpha.trading.venue_state import Chosen, Part, Work

__all__ = ["VenueOrders", "share_out"]

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

    def judge(
        self, number: int, intent: OrderIntent, *, by_risk: bool = False, but: str = ""
    ) -> ApprovedIntent | Refusal:
        """Ask the gate, all orders that are open counted but one that is to be changed.

        On spot a sub-book sells what it bought and no coin more.
        """
        book = self._books[number]
        which = book.number_of(intent.instrument)
        closing, coming = self._coming(but)
        if book.instruments[which].kind is Kind.SPOT and intent.side is Side.SELL:
            own = (book.part.name, intent.instrument)
            left = book.held[which].qty - closing.get(own, _ZERO)
            if intent.qty > left and not intent.trigger_price:
                words = f"{book.part.name} bought {left:f} of it that no order sells yet"
                return Refusal(Reason.INSUFFICIENT_BALANCE, words)
        return self._risk.judge(
            intent, intent.ts_ms, closing=closing, coming=coming, by_risk=by_risk
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
        """Let a strategy's intents pass the gate one after the other, and send those that did.

        What is refused to an exit is asked for again, as is what comes while the last is under way.
        """
        book = self._books[number]
        for leg, intent in legs:
            which = book.number_of(intent.instrument)
            if self._waits(work, number, intent):
                book.undecide(which)
                continue
            verdict = self.judge(number, intent, by_risk=by_risk)
            if isinstance(verdict, Refusal) or (is_paused and leg == "entry"):
                refused = isinstance(verdict, Refusal)
                words = verdict.words if isinstance(verdict, Refusal) else "the run is paused"
                reason = verdict.reason.name.lower() if isinstance(verdict, Refusal) else "paused"
                work.note(FrameKind.INTENT, book=number, refused=reason, words=words)
                if not refused or leg == "close":
                    book.undecide(which)
                continue
            self.send(work, verdict, number=number, leg=leg)

    def send(self, work: Work, approved: ApprovedIntent, *, number: int, leg: str) -> str:
        """Send an order of one sub-book that passed the gate; returns its id."""
        placed = self.named(work, approved, number=number, leg=leg)
        self._side.send([placed])  # taken over; all of one input go out together
        work.placed.append(placed.link_id)
        return placed.link_id

    def dispatch(self, work: Work) -> None:
        """Ask the venue for the orders of an input: one request a category, cut to its batches."""
        work.requests += place([self._side.record.orders[name] for name in work.placed])
        work.placed.clear()

    def _waits(self, work: Work, number: int, intent: OrderIntent) -> bool:
        """Say whether an order of before this input may change what is held any moment."""
        which = self._books[number].number_of(intent.instrument)
        return any(
            part.book == number and part.which == which and part.leg in ("entry", "close")
            for order in self._side.record.unsettled()
            if order.link_id not in work.sent and not stands(order)
            for part in self.parts.get(order.link_id, ())
        )

    def named(self, work: Work, approved: ApprovedIntent, *, number: int, leg: str) -> PlacedOrder:
        """Give an order the id that follows from its cause, and note it."""
        intent, book = approved.intent, self._books[number]
        cause = Cause(
            self._run_id,
            book.part.name,
            work.seq,
            intent.instrument,
            work.leg(leg, name=book.part.name, instrument=intent.instrument),
        )
        name = link_id(cause)
        which = book.number_of(intent.instrument)
        self.parts[name] = [Part(number, which, leg, intent.qty)]
        work.sent.add(name)
        if intent.lots:
            self._lots[name] = intent
        if leg in ("entry", "order") and intent.stop_e6:
            book.stop_e6[which] = intent.stop_e6
        work.note(FrameKind.INTENT, book=number, link=name, order=_row(intent))
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
        known = self._side.record.orders
        self.parts = {name: parts for name, parts in self.parts.items() if name in known}
        self._lots = {name: intent for name, intent in self._lots.items() if name in known}

    def _coming(
        self, but: str
    ) -> tuple[dict[tuple[str, str], Decimal], dict[tuple[str, str], tuple[Decimal, Decimal]]]:
        """Return what open orders may still reduce and still open, by sub-book and instrument."""
        closing: dict[tuple[str, str], Decimal] = {}
        coming: dict[tuple[str, str], tuple[Decimal, Decimal]] = {}
        for order in self._side.record.unsettled():
            parts = self.parts.get(order.link_id, [])
            wanted = sum((part.qty for part in parts), _ZERO)
            if order.link_id == but or not wanted:
                continue
            left = max(order.most_qty, order.qty) - order.filled_qty
            for part in parts:
                book = self._books[part.book]
                key = (book.part.name, str(book.instruments[part.which].id))
                qty = left * part.qty / wanted
                is_spot_sale = order.category == "spot" and order.side is Side.SELL
                if order.is_reduce_only or is_spot_sale:
                    # A stop that stands waits for a price; what is sold before it shrinks it.
                    if part.leg != "stop" and order.trigger_price is None:
                        closing[key] = closing.get(key, _ZERO) + qty
                    continue
                buying, selling = coming.get(key, (_ZERO, _ZERO))
                if order.side is Side.BUY:
                    coming[key] = (buying + qty, selling)
                else:
                    coming[key] = (buying, selling + qty)
        return closing, coming


def share_out(parts: Sequence[Part], qty: Decimal, *, lot: Decimal) -> list[tuple[Part, Decimal]]:
    """Give an execution to those who wanted it, each in proportion, whole lots, nobody overtaken.

    What each was given before counts: over all executions of an order nobody is more than a lot
    from its proportion.

    Examples
    --------
    >>> parts = [Part(0, 0, "entry", Decimal(2)), Part(1, 0, "entry", Decimal(1))]
    >>> [int(given) for _, given in share_out(parts, Decimal(2), lot=Decimal(1))]
    [1, 1]
    >>> [int(given) for _, given in share_out(parts, Decimal(1), lot=Decimal(1))]
    [1, 0]
    """
    wanted = sum((part.qty for part in parts), _ZERO)
    done = qty + sum((part.got for part in parts), _ZERO)
    short = [max(done * part.qty / wanted - part.got, _ZERO) for part in parts]
    left, given = qty, [_ZERO] * len(parts)
    for number, lack in enumerate(short):
        whole = min((lack / lot).to_integral_value(ROUND_FLOOR) * lot, left)
        given[number], left = whole, left - whole
    order = sorted(range(len(parts)), key=lambda at: (given[at] - short[at], at))
    while left > 0:
        for number in order:
            more = min(lot, left)
            given[number], left = given[number] + more, left - more
            if not left:
                break
    for part, more in zip(parts, given, strict=True):
        part.got += more
    return [(part, more) for part, more in zip(parts, given, strict=True) if more]


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

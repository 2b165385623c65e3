"""Orders worked in pieces, of people and of strategies: every child goes through the gate.

A parent's next step follows from its terms, its children on the record and the market as it was
last heard: so after a crash the inputs applied again bring it back to where it was.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

from openalpha.core.clock import HOUR_MS
from openalpha.core.messages import OrderIntent
from openalpha.core.orders import OrderStatus, OrderType, Side, is_terminal
from openalpha.core.units import round_to_tick
from openalpha.risk.gate import Refusal
from openalpha.store.run_log import FrameKind
from openalpha.strategy.base import NO_OPINION_E6
from openalpha.trading.bybit.requests import ask_market
from openalpha.trading.bybit.side import BybitSide
from openalpha.trading.orders.algorithms import (
    Child,
    Kind,
    Parent,
    Quote,
    Step,
    next_step,
    volume_shares,
)
from openalpha.trading.orders.record import instrument_of
from openalpha.trading.orders.side import Change
from openalpha.trading.run.settings import ExecutionSettings
from openalpha.trading.venue.books import VenueBook
from openalpha.trading.venue.orders import VenueOrders
from openalpha.trading.venue.state import WORKED, Want, Work
from openalpha.venue.bybit.rows import Ticker

__all__ = ["WorkedOrders", "Working"]

_ZERO = Decimal(0)
_MINUTE_MS = 60_000
_QUOTE_MS, _ASK_AGAIN_MS = 2_000, 2_000
"""How old a quote may be that a chase goes by, and how long an answer is waited for."""
_ROOM = Decimal("1.1")
"""A piece is a tenth above the least notional: the price may fall before it is there."""


@dataclass(slots=True)
class Working:
    """A parent under way.

    Parameters
    ----------
    name : str
    book : int
        Number of its sub-book.
    parent : Parent
    children : list of Child
        As the record knew them last, oldest first; what the gate refused counts as rejected.
    last_ms : int
        When a child was last placed or priced, UTC ms.
    is_cancelled : bool
        Its open children are being cancelled; no other follows.
    target : int or None
        What its strategy wanted, in millionths; None: a person ordered.
    is_again : bool
        Its strategy decides anew once it has ended.
    filled_then : Decimal
        What was filled when it was cancelled.
    """

    name: str
    book: int
    parent: Parent
    children: list[Child] = field(default_factory=list)
    last_ms: int = 0
    is_cancelled: bool = False
    target: int | None = None
    is_again: bool = True
    filled_then: Decimal = _ZERO

    @property
    def leg(self) -> str:
        """What its pieces are to their sub-book."""
        return "order" if self.target is None else WORKED

    @property
    def filled(self) -> Decimal:
        """What its children bought or sold so far."""
        return sum((child.filled_qty for child in self.children), _ZERO)


class WorkedOrders:
    """The parents of a run.

    Parameters
    ----------
    books : list of VenueBook
    orders : VenueOrders
    side : BybitSide
    terms : ExecutionSettings, optional
        How strategies' entries are placed; whole at once by default.
    """

    def __init__(
        self,
        books: list[VenueBook],
        orders: VenueOrders,
        *,
        side: BybitSide,
        terms: ExecutionSettings | None = None,
    ) -> None:
        self._books, self._orders, self._side = books, orders, side
        self._terms = terms or ExecutionSettings()
        self.parents: dict[str, Working] = {}
        self._quotes: dict[str, tuple[int, Quote]] = {}
        self._asked_ms: dict[str, int] = {}
        self._curves: dict[str, list[int]] = {}
        self._wanted: dict[tuple[int, int], int] = {}

    def learn(self, content: Mapping[str, Any]) -> None:
        """Take in the usual volume of the day of instruments: what a VWAP goes by."""
        self._curves |= {name: list(curve) for name, curve in content["curves"].items()}

    def hear(self, work: Work, content: Mapping[str, Any]) -> None:
        """Take in best bid and ask from an answer about the market; a chase goes on by it at once.

        A quote is as old as the question for it: it may have been true at any moment since.
        """
        category = str(content.get("params", {}).get("category", ""))
        asked_ms = int(content.get("sent_ms") or 0) or self._orders.now_ms
        for raw in content.get("rows") or ():
            row = Ticker.of(raw)
            name = instrument_of(category, row.symbol)
            if row.bid and row.ask:
                self._quotes[name] = (asked_ms, Quote(row.bid, row.ask))
                self._asked_ms.pop(name, None)
                for one in self._on(name) if self._side.is_recovered else ():
                    if one.parent.kind is Kind.CHASE:
                        self._step(work, one)

    # strategies' entries

    def takes(self, want: Want) -> bool:
        """Say whether an entry is worked: a strategy's of targets, and large enough for pieces."""
        book = self._books[want.book]
        is_entry = want.leg == "entry" and book.mind is not None
        return is_entry and self._terms.algorithm != "none" and self._pieces(want) > 1

    def work(self, work: Work, intent: OrderIntent, *, number: int) -> None:
        """Begin to work what is left of a strategy's entry after crossing."""
        terms, book = self._terms, self._books[number]
        which = book.number_of(intent.instrument)
        kind, start = Kind(terms.algorithm), self._orders.now_ms
        if kind in (Kind.ICEBERG, Kind.CHASE):
            tick = book.instruments[which].steps[-1].tick_size
            away = book.marks[which] * (1 + intent.side * terms.limit_bps / 10_000)
            limit = round_to_tick(away, tick, up=intent.side is Side.SELL)
            intent = replace(intent, order_type=OrderType.LIMIT, limit_price=limit)
        pieces = min(terms.pieces, self._most_pieces(book, which, intent.qty))
        end = start + terms.minutes * _MINUTE_MS
        target = self._wanted.get((number, which), 0)
        one = self._parent(work, intent, number=number, kind=kind, span=(start, end), pieces=pieces)
        one.target = target
        self._step(work, one)

    def rests(self) -> Iterator[tuple[str, tuple[str, str], Side, Decimal]]:
        """Yield what strategies' parents may still place: name, place, side, quantity."""
        for one in self.parents.values():
            if one.target is not None and not one.is_cancelled:
                intent = one.parent.intent
                children = [self._now(child) for child in one.children]
                left = intent.qty - sum((child.committed for child in children), _ZERO)
                if left > 0:
                    place = (self._books[one.book].part.name, str(intent.instrument))
                    yield one.name, place, intent.side, left

    def sifted(
        self,
        work: Work,
        legs: Sequence[tuple[str, OrderIntent]],
        *,
        number: int,
        targets: Sequence[int],
    ) -> list[tuple[str, OrderIntent]]:
        """Return a decision's orders that go on: none that a parent works on already.

        A new target, or an exit, ends what was worked for the one before.
        """
        book, silent = self._books[number], int(NO_OPINION_E6)
        for which, target in enumerate(targets):
            if target != silent:
                self._wanted[number, which] = target
        closed = {intent.instrument for leg, intent in legs if leg == "close"}
        for one in list(self.parents.values()):
            if one.book == number and one.target is not None and not one.is_cancelled:
                name = one.parent.intent.instrument
                wanted = self._wanted.get((number, book.number_of(name)))
                if name in closed or wanted != one.target:
                    self.cancel(work, one.name)
        busy = {
            one.parent.intent.instrument
            for one in self.parents.values()
            if one.book == number and one.target is not None and not one.is_cancelled
        }
        return [(leg, intent) for leg, intent in legs if intent.instrument not in busy]

    def withdraw(self, work: Work) -> None:
        """End what is worked for strategies; they decide anew at the next close."""
        for one in list(self.parents.values()):
            if one.target is not None:
                self.cancel(work, one.name, is_again=True)

    def _pieces(self, want: Want) -> int:
        book = self._books[want.book]
        return min(self._terms.pieces, self._most_pieces(book, want.which, want.qty))

    def _most_pieces(self, book: VenueBook, which: int, qty: Decimal) -> int:
        """Return in how many pieces a quantity can be placed, each as large as the venue wants."""
        if self._terms.algorithm == Kind.CHASE:
            return self._terms.pieces  # it is one order
        item, mark = book.instruments[which], book.marks[which]
        least = max(item.min_qty, item.steps[-1].lot_size)
        if mark:
            least = max(least, item.min_notional * _ROOM / mark)
        return int(qty / least)

    # every parent

    def begin(
        self, work: Work, intent: OrderIntent, *, number: int, kind: Kind, wish: Mapping[str, Any]
    ) -> str:
        """Begin to work an order; returns its name.

        Parameters
        ----------
        wish : mapping
            `over_ms` and `pieces` of it.

        Raises
        ------
        InputError
            If the terms do not fit together.
        """
        start, pieces = intent.ts_ms, int(wish.get("pieces") or 10)
        end = start + int(wish.get("over_ms") or HOUR_MS)
        span = (start, end)
        one = self._parent(work, intent, number=number, kind=kind, span=span, pieces=pieces)
        self._step(work, one)
        return one.name

    def _parent(
        self,
        work: Work,
        intent: OrderIntent,
        *,
        number: int,
        kind: Kind,
        span: tuple[int, int],
        pieces: int,
    ) -> Working:
        book = self._books[number]
        step = book.instruments[book.number_of(intent.instrument)].steps[-1]
        shares: tuple[float, ...] = ()
        if kind is Kind.VWAP:
            shares = self._shares(work, intent.instrument, span=span, pieces=pieces)
        parent = Parent(
            kind, intent, step.lot_size, step.tick_size, *span, pieces=pieces, shares=shares
        )
        name = work.leg(f"work-{work.seq}", name="", instrument="")
        one = self.parents[name] = Working(name, number, parent)
        work.note(
            FrameKind.INTENT,
            book=number,
            parent=name,
            work=kind.value,
            qty=f"{intent.qty.normalize():f}",
            end=span[1],
            pieces=pieces,
            by=intent.tag or book.part.name,
        )
        return one

    def cancel(self, work: Work, name: str, *, is_again: bool = False) -> None:
        """End a parent: its children are cancelled, no other follows.

        Parameters
        ----------
        is_again : bool
            Its strategy decides anew at the next close.
        """
        one = self.parents[name]
        one.children = [self._now(child) for child in one.children]
        one.is_again = is_again if not one.is_cancelled else one.is_again or is_again
        one.is_cancelled, one.filled_then = True, one.filled
        self._call_back(work, [child.link_id for child in one.children if child.is_open])
        self._step(work, one)

    def tick(self, work: Work) -> None:
        """Let every parent take its next step."""
        for one in list(self.parents.values()):
            self._step(work, one)

    def _step(self, work: Work, one: Working) -> None:
        one.children = [self._now(child) for child in one.children]
        if one.is_cancelled:
            if not any(child.is_open for child in one.children):
                self._end(work, one, "cancelled")
            return
        now_ms = self._orders.now_ms
        quote = self._fresh(work, one) if one.parent.kind is Kind.CHASE else None
        step = next_step(one.parent, one.children, quote=quote, now_ms=now_ms, last_ms=one.last_ms)
        self._call_back(work, step.cancels)
        if step.reprice:
            one.last_ms = now_ms
            changes = [Change(link, limit_price=price) for link, price in step.reprice]
            work.requests += self._side.amend(changes)
        if step.place is not None:
            self._place(work, one, step.place)
        if step.is_done or step.is_blocked:
            self._finish(work, one, step)

    def _place(self, work: Work, one: Working, piece: OrderIntent) -> None:
        one.last_ms = self._orders.now_ms
        piece = replace(piece, ts_ms=self._orders.now_ms)
        is_piece = one.target is not None
        verdict = self._orders.judge(
            one.book, piece, by_risk=not is_piece, but=one.name, is_part=is_piece
        )
        if isinstance(verdict, Refusal):
            reason, words = verdict.reason.name.lower(), verdict.words
            more = {"reason": reason, "words": words, "parent": one.name}
            work.note_refusal(one.book, piece.instrument, **more)
            one.children.append(Child("", OrderStatus.REJECTED, piece.qty, _ZERO))
            return
        link = self._orders.send(work, verdict, number=one.book, leg=one.leg, parent=one.name)
        price = piece.limit_price
        one.children.append(Child(link, OrderStatus.CREATED, piece.qty, _ZERO, price))

    def _call_back(self, work: Work, links: Sequence[str]) -> None:
        """Cancel children; one that waits for its coins is called off."""
        self._orders.sales.call_off(work, links)
        work.requests += self._side.cancel(links)

    def _finish(self, work: Work, one: Working, step: Step) -> None:
        if step.is_done:
            whole = one.filled >= one.parent.intent.qty
            self._end(work, one, "done" if whole else "its time is over")
        elif not any(child.is_open for child in one.children):
            self._end(work, one, "three pieces in a row were refused")

    def _end(self, work: Work, one: Working, why: str) -> None:
        del self.parents[one.name]
        qty, book = one.parent.intent.qty, self._books[one.book]
        is_late = one.is_cancelled and one.filled > one.filled_then
        if one.target is not None and (is_late or (one.is_again and one.filled < qty)):
            book.undecide(book.number_of(one.parent.intent.instrument))
        work.note(FrameKind.NOTE, parent=one.name, ended=why, filled=f"{one.filled:f}")
        work.notices.append(f"{one.name}: {why}, {one.filled:f} of {qty:f} filled")

    def _now(self, child: Child) -> Child:
        """Return a child as the record knows it; one that was dropped has ended as it was."""
        order = self._side.record.find(link_id=child.link_id) if child.link_id else None
        if order is None:
            is_sent = not child.is_open or self._orders.sales.holds(child.link_id)
            return child if is_sent else replace(child, status=OrderStatus.CANCELLED)
        status = order.shown
        if is_terminal(status) and order.filled_qty < order.reported_qty:
            status = OrderStatus.UNKNOWN  # executions are owed: what it filled is not known yet
        return Child(order.link_id, status, order.qty, order.filled_qty, order.limit_price)

    def _on(self, instrument: str) -> list[Working]:
        return [one for one in self.parents.values() if one.parent.intent.instrument == instrument]

    def _fresh(self, work: Work, one: Working) -> Quote | None:
        """Return a market's quote, at most two seconds old; else ask for it and return None."""
        name, now_ms = str(one.parent.intent.instrument), self._orders.now_ms
        seen_ms, quote = self._quotes.get(name, (0, None))
        if quote is not None and now_ms - seen_ms <= _QUOTE_MS:
            return quote
        if now_ms - self._asked_ms.get(name, -_ASK_AGAIN_MS) >= _ASK_AGAIN_MS:
            self._asked_ms[name] = now_ms
            market, _, symbol = name.partition(":")
            work.requests.append(ask_market(market.removeprefix("bybit_"), symbol))
        return None

    def _shares(
        self, work: Work, instrument: str, *, span: tuple[int, int], pieces: int
    ) -> tuple[float, ...]:
        """Return each piece's share of the volume its time usually has; even ones without a curve.

        A person hears that there is none.
        """
        curve = self._curves.get(instrument, [])
        if not curve:
            words = f"the lake has no days of {instrument}: its VWAP goes in even pieces"
            work.note(FrameKind.NOTE, vwap="even", words=words)
            work.notices.append(words)
        return volume_shares(curve, start_ms=span[0], end_ms=span[1], pieces=pieces)

"""Large orders of people worked in pieces: parents in the record, every child through the gate.

A parent's next step follows from its terms, its children on the record and the market as it was
last heard: so after a crash the inputs applied again bring it back to where it was.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

from openalpha.core.clock import HOUR_MS
from openalpha.core.messages import OrderIntent
from openalpha.core.orders import OrderStatus, is_terminal
from openalpha.engine.rows import Row
from openalpha.risk.gate import Refusal
from openalpha.store.run_log import FrameKind
from openalpha.trading.bybit.side import BybitSide
from openalpha.trading.orders.algorithms import Child, Kind, Parent, Quote, Step, next_step
from openalpha.trading.orders.side import Change
from openalpha.trading.venue.books import VenueBook
from openalpha.trading.venue.orders import VenueOrders
from openalpha.trading.venue.state import Work
from openalpha.venue.bybit.rows import Ticker

__all__ = ["WorkedOrders", "Working"]

_ZERO = Decimal(0)
_DAY_HOURS = 24


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
    """

    name: str
    book: int
    parent: Parent
    children: list[Child] = field(default_factory=list)
    last_ms: int = 0
    is_cancelled: bool = False

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
    """

    def __init__(self, books: list[VenueBook], orders: VenueOrders, *, side: BybitSide) -> None:
        self._books, self._orders, self._side = books, orders, side
        self.parents: dict[str, Working] = {}
        self._quotes: dict[str, Quote] = {}
        self._volumes: dict[str, list[Decimal]] = {}

    def see(self, row: Row, names: tuple[str, ...]) -> None:
        """Take in the volume of a row's bars, by hour of the day: what a VWAP goes by."""
        for name, bar in zip(names, row.bars, strict=True):
            if bar is not None:
                hours = self._volumes.setdefault(name, [_ZERO] * _DAY_HOURS)
                hours[row.ts_ms // HOUR_MS % _DAY_HOURS] += bar[4]

    def hear(self, content: Mapping[str, Any]) -> None:
        """Take in best bid and ask from an answer about the market."""
        category = str(content.get("params", {}).get("category", ""))
        for raw in content.get("rows") or ():
            row = Ticker.of(raw)
            if row.bid and row.ask:
                self._quotes[f"bybit_{category}:{row.symbol}"] = Quote(row.bid, row.ask)

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
        book = self._books[number]
        step = book.instruments[book.number_of(intent.instrument)].steps[-1]
        start, pieces = intent.ts_ms, int(wish.get("pieces") or 10)
        end = start + int(wish.get("over_ms") or HOUR_MS)
        shares = self._shares(intent.instrument, start, end, pieces=pieces)
        parent = Parent(
            kind,
            intent,
            step.lot_size,
            step.tick_size,
            start,
            end,
            pieces=pieces,
            shares=shares if kind is Kind.VWAP else (),
        )
        name = f"work-{work.seq}"
        self.parents[name] = Working(name, number, parent)
        work.note(
            FrameKind.INTENT,
            book=number,
            parent=name,
            work=kind.value,
            qty=f"{intent.qty.normalize():f}",
            end=end,
            pieces=pieces,
            by=intent.tag,
        )
        self._step(work, self.parents[name])
        return name

    def cancel(self, work: Work, name: str) -> list[str]:
        """End a parent: its children are cancelled, no other follows; returns their ids."""
        one = self.parents[name]
        one.is_cancelled = True
        links = [child.link_id for child in one.children if child.is_open]
        work.requests += self._side.cancel(links)
        return links

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
        intent = one.parent.intent
        quote = self._quote(one.book, intent)
        if quote is None:
            return
        now_ms = self._side.now_ms
        step = next_step(one.parent, one.children, quote=quote, now_ms=now_ms, last_ms=one.last_ms)
        open_links = {child.link_id for child in one.children if child.is_open}
        work.requests += self._side.cancel([link for link in step.cancels if link in open_links])
        if step.reprice:
            one.last_ms = now_ms
            changes = [Change(link, limit_price=price) for link, price in step.reprice]
            work.requests += self._side.amend(changes)
        if step.place is not None:
            self._place(work, one, step.place)
        if step.is_done or step.is_blocked:
            self._finish(work, one, step)

    def _place(self, work: Work, one: Working, piece: OrderIntent) -> None:
        one.last_ms = self._side.now_ms
        piece = replace(piece, ts_ms=self._side.now_ms)
        verdict = self._orders.judge(one.book, piece, by_risk=True)
        if isinstance(verdict, Refusal):
            reason, words = verdict.reason.name.lower(), verdict.words
            work.note(FrameKind.INTENT, book=one.book, parent=one.name, refused=reason, words=words)
            one.children.append(Child("", OrderStatus.REJECTED, piece.qty, _ZERO))
            return
        link = self._orders.send(work, verdict, number=one.book, leg="order")
        price = piece.limit_price
        one.children.append(Child(link, OrderStatus.CREATED, piece.qty, _ZERO, price))

    def _finish(self, work: Work, one: Working, step: Step) -> None:
        if step.is_done:
            whole = one.filled >= one.parent.intent.qty
            self._end(work, one, "done" if whole else "its time is over")
        elif not any(child.is_open for child in one.children):
            self._end(work, one, "three pieces in a row were refused")

    def _end(self, work: Work, one: Working, why: str) -> None:
        del self.parents[one.name]
        qty = one.parent.intent.qty
        work.note(FrameKind.NOTE, parent=one.name, ended=why, filled=f"{one.filled:f}")
        work.notices.append(f"{one.name}: {why}, {one.filled:f} of {qty:f} filled")

    def _now(self, child: Child) -> Child:
        """Return a child as the record knows it; one that was dropped has ended as it was."""
        order = self._side.record.find(link_id=child.link_id) if child.link_id else None
        if order is None:
            return child
        status = order.shown
        if is_terminal(status) and order.filled_qty < order.reported_qty:
            status = OrderStatus.UNKNOWN  # executions are owed: what it filled is not known yet
        return Child(order.link_id, status, order.qty, order.filled_qty, order.limit_price)

    def _quote(self, number: int, intent: OrderIntent) -> Quote | None:
        found = self._quotes.get(intent.instrument)
        if found is not None:
            return found
        book = self._books[number]
        mark = book.marks[book.number_of(intent.instrument)]
        return Quote(mark, mark) if mark else None

    def _shares(self, instrument: str, start: int, end: int, *, pieces: int) -> tuple[float, ...]:
        """Return each piece's share of the volume its hour of the day usually has."""
        hours = self._volumes.get(instrument, [_ZERO] * _DAY_HOURS)
        middles = [start + (end - start) * (2 * at + 1) // (2 * pieces) for at in range(pieces)]
        weights = [float(hours[ts // HOUR_MS % _DAY_HOURS]) for ts in middles]
        total = sum(weights)
        return tuple(weight / total if total else 1 / pieces for weight in weights)

"""Strategies of callbacks on a run: told what happened, their orders through the same gate and log.

A fill is told once nothing is of unknown fate; a strategy whose code fails is asked no more, its
orders are withdrawn and a person hears of it, while its positions keep their stops.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from openalpha.core.errors import InputError
from openalpha.core.units import from_units
from openalpha.engine.events import call
from openalpha.engine.rows import Row
from openalpha.store.run_log import FrameKind
from openalpha.strategy.events import EventStrategy
from openalpha.trading.bybit.side import BybitSide
from openalpha.trading.orders.record import LiveOrder
from openalpha.trading.orders.side import Incident
from openalpha.trading.run.plan import RunPlan
from openalpha.trading.venue.books import VenueBook
from openalpha.trading.venue.callback_hand import CallbackHand
from openalpha.trading.venue.orders import VenueOrders
from openalpha.trading.venue.seen_market import SeenMarket, heard_by
from openalpha.trading.venue.state import Part, Work

__all__ = ["CallbackDesk"]

_ZERO = Decimal(0)


class CallbackDesk:
    """Asks the strategies of callbacks of a run, and carries out what they order.

    Parameters
    ----------
    books : list of VenueBook
    orders : VenueOrders
    side : BybitSide
    incidents : list of Incident
        Where it is said that a strategy failed.
    plan : RunPlan

    Raises
    ------
    InputError
        If the code of a strategy fails in `on_start`.
    """

    def __init__(
        self,
        books: list[VenueBook],
        orders: VenueOrders,
        *,
        side: BybitSide,
        incidents: list[Incident],
        plan: RunPlan,
    ) -> None:
        self.books, self.orders, self.side, self._incidents = books, orders, side, incidents
        self.markets = [SeenMarket(item) for item in plan.instruments]
        self._oldest_ms = plan.limits.max_price_age_ms
        self.work: Work | None = None
        self.is_paused = self.is_over = False
        for number, book in enumerate(books):
            if book.callbacks is not None:
                book.callbacks.context.hand = CallbackHand(self, number)
                call(book.callbacks.strategy, "on_start", book.callbacks.context)

    @property
    def has_any(self) -> bool:
        """Whether the run has a strategy of callbacks."""
        return any(book.callbacks is not None for book in self.books)

    @property
    def owes(self) -> bool:
        """Whether a strategy has still to be told of a fill."""
        return any(book.callbacks is not None and book.callbacks.waiting for book in self.books)

    def bar(self, work: Work, row: Row, *, number: int, now_ms: int, is_asked: bool) -> None:
        """Show a strategy a row that has closed, and note what became of it.

        Parameters
        ----------
        number : int
            Of its sub-book.
        is_asked : bool
            Whether it may decide now.
        """
        book = self.books[number]
        assert book.callbacks is not None
        context, before = book.callbacks.context, len(work.outputs)
        context.show(row, now_ms=now_ms)
        if is_asked and not (self.is_over or book.callbacks.is_failed):
            self._call(work, number, "on_bar")
        work.note(
            FrameKind.DECISION,
            book=number,
            ts=now_ms,
            codes=context.codes,
            targets=(),
            equity=f"{book.equity:f}",
        )
        # A decision stands before the orders it made.
        work.outputs.insert(before, work.outputs.pop())

    def market(
        self, work: Work, content: Mapping[str, Any], *, now_ms: int, is_asked: bool
    ) -> bool:
        """Show strategies what an instrument's market did; returns whether one was asked.

        None is asked before its first bar has closed, while the book is not whole that it hears,
        or about what is too old to open anything on.

        Parameters
        ----------
        content : mapping
            Messages as the tape holds them.
        is_asked : bool
            Whether they may decide now.
        """
        seen = self.markets[int(content["number"])]
        trades, is_changed = seen.take(content["messages"])
        if trades:
            self._mark(seen)
        stamp = max((row[0] for row in content["messages"]), default=0)
        is_late = 0 < self._oldest_ms < now_ms - stamp
        if not is_asked or is_late or self.is_over:
            return False
        was_asked = False
        for number, book in enumerate(self.books):
            one, which = book.callbacks, book.number_of(str(seen.instrument.id))
            if one is None or which < 0 or one.is_failed or one.context.index < 0:
                continue
            hears = heard_by([type(one.strategy)])
            if hears == "bars" or (hears == "book" and not seen.is_whole):
                continue
            one.context.ts_ms = max(one.context.ts_ms, now_ms)
            was_asked = True
            if type(one.strategy).on_trade is not EventStrategy.on_trade:
                for trade in trades:
                    self._call(work, number, "on_trade", trade)
            if hears == "book" and is_changed:
                self._call(work, number, "on_book", seen)
        return was_asked

    def _mark(self, seen: SeenMarket) -> None:
        """Take the last trade for the price of now: orders between closes are measured by it."""
        price = from_units(seen.last, seen.instrument.price_decimals)
        for book in self.books:
            which = book.number_of(str(seen.instrument.id))
            if which >= 0:
                book.marks[which] = price

    def go_stale(self) -> None:
        """Take in that the market is not heard: its books are unknown."""
        for seen in self.markets:
            seen.go_stale()

    def tell(self, work: Work, *, now_ms: int, is_asked: bool) -> None:
        """Tell the strategies of the fills they have not heard of.

        Parameters
        ----------
        is_asked : bool
            Whether they may answer; else the fills are forgotten.
        """
        for number, book in enumerate(self.books):
            one = book.callbacks
            if one is None or not one.waiting:
                continue
            waiting, one.waiting = one.waiting, []
            for fill in waiting:
                if is_asked and not (self.is_over or one.is_failed):
                    one.context.ts_ms = max(one.context.ts_ms, now_ms)
                    self._call(work, number, "on_fill", fill)

    def withdraw(self, work: Work, *, number: int = -1) -> None:
        """Cancel the orders of one strategy, or of all; stops that risk placed stay."""
        found = [
            order.link_id
            for one, book in enumerate(self.books)
            if book.callbacks is not None and number in (-1, one)
            for order, _ in self.open_of(one)
        ]
        work.wants = [
            want for want in work.wants if not want.order or number not in (-1, want.book)
        ]
        work.requests += self.side.cancel(found)

    def end(self, work: Work) -> None:
        """Withdraw everything and ask nobody again: the run ends once that is done."""
        self.is_over = True
        self.withdraw(work)

    def stop(self, work: Work) -> None:
        """Tell the strategies that the run has ended; nothing can be ordered any more."""
        self.is_over = True
        for number, book in enumerate(self.books):
            if book.callbacks is not None and not book.callbacks.is_failed:
                self._call(work, number, "on_stop")

    def open_of(self, number: int) -> list[tuple[LiveOrder, Part]]:
        """Return the open orders a strategy made, oldest first, and its part of each."""
        return [
            (order, part)
            for order in self.side.record.open_orders()
            for part in self.orders.parts.get(order.link_id, ())
            if part.book == number and part.order
        ]

    def _call(self, work: Work, number: int, callback: str, *arguments: object) -> None:
        one = self.books[number].callbacks
        assert one is not None
        if one.is_failed:
            return
        self.work = work
        try:
            call(one.strategy, callback, one.context, *arguments, now_ms=one.context.ts_ms)
        except InputError as error:
            self._failed(work, number, error)
        finally:
            self.work = None

    def _failed(self, work: Work, number: int, error: InputError) -> None:
        one = self.books[number].callbacks
        assert one is not None
        one.is_failed = True
        words = f"{error.message}; it is asked no more, its orders are withdrawn"
        self._incidents.append(Incident("strategy_failed", words, self.side.now_ms))
        work.note(FrameKind.NOTE, incident="strategy_failed", words=words)
        work.notices.append(words)
        self.withdraw(work, number=number)

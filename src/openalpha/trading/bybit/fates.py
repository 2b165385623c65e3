"""What is known of each order's fate, when to ask again, and when to give an order up."""

from dataclasses import dataclass
from typing import Literal

from openalpha.core.orders import OrderEvent, next_status
from openalpha.core.reasons import Reason
from openalpha.trading.bybit import requests as ask
from openalpha.trading.bybit.replies import Outcome, Reply
from openalpha.trading.orders.moves import Trouble, end, see_execution, see_row
from openalpha.trading.orders.record import LiveOrder, OrderRecord, Pending
from openalpha.trading.orders.side import Request
from openalpha.venue.bybit.answers import DUPLICATE
from openalpha.venue.bybit.channel import Terms
from openalpha.venue.bybit.rows import Execution, OrderRow

__all__ = ["Fates", "SideTerms"]

Foreign = Literal["adopt", "fence"]

_BUSY = frozenset({10006, 10016, 10018, 10429, 110079})
_REASONS = {
    **dict.fromkeys((110004, 110006, 110007, 110012), Reason.INSUFFICIENT_MARGIN),
    110017: Reason.REDUCE_ONLY_NO_POSITION,
    110020: Reason.TOO_MANY_ORDERS,
    110092: Reason.TRIGGER_WRONG_SIDE,
    110093: Reason.TRIGGER_WRONG_SIDE,
    110094: Reason.BELOW_MIN_NOTIONAL,
    170131: Reason.INSUFFICIENT_BALANCE,
    170136: Reason.BELOW_MIN_QTY,
    170140: Reason.BELOW_MIN_NOTIONAL,
    170218: Reason.POST_ONLY_WOULD_TAKE,
}


@dataclass(frozen=True, slots=True)
class SideTerms:
    """Waits of a side, and its policy.

    Parameters
    ----------
    categories : tuple of str
        Which of the venue's markets the account is watched on.
    window_ms : int
        How long after its stamp the venue may act on a request: as the channel's `Terms`.
    margin_ms : int
        Added to it before a request that was never answered is held to be gone: the venue takes
        stamps at most a second ahead of its clock.
    word_ms : int
        How long after an answer the venue's own word may take to be pushed, before it is asked.
    reply_ms : int
        Longest time until a request has a reply of some kind.
    again_ms, longest_ms : int
        First and longest wait between two questions about the same.
    fills_ms : int
        How long after an order's row its executions may take.
    most_sends : int
        How often an order that can only reduce is sent under one id.
    foreign : str
        Orders that are none of this run's: `adopt` leaves them, `fence` cancels what could open a
        position. Either is an incident.
    """

    categories: tuple[str, ...] = ("linear",)
    window_ms: int = Terms().window_ms
    margin_ms: int = 1_100
    word_ms: int = 1_500
    reply_ms: int = 15_000
    again_ms: int = 400
    longest_ms: int = 3_000
    fills_ms: int = 400
    most_sends: int = 3
    foreign: Foreign = "adopt"


@dataclass(frozen=True, slots=True)
class Fates:
    """The rules at one moment, on one record; asks go to `owed`."""

    record: OrderRecord
    terms: SideTerms
    now_ms: int
    owed: list[Request]

    def sent(self, order: LiveOrder) -> None:
        """Note that an order is on its way from now on."""
        order.status = next_status(order.status, OrderEvent.SUBMIT)
        self._depart(order)

    def acked(self, order: LiveOrder, order_id: str) -> None:
        """Note that the venue took an order; what became of it, it says later."""
        self.record.bind(order, order_id)
        order.is_acked = True
        if order.is_open and not order.is_lost:
            self.expect_word(order)

    def lose(self, order: LiveOrder) -> None:
        """Note that nobody knows how an order stands, and ask at once."""
        order.is_lost = order.is_open
        order.asks = 0
        order.ask_at_ms = self.now_ms
        self.record.watch(order)

    def changing(self, order: LiveOrder, pending: Pending) -> None:
        """Note a change that is under way."""
        order.pending = pending
        order.ask_at_ms = self.now_ms + self.terms.reply_ms

    def unchanged(self, order: LiveOrder) -> None:
        """Note that a change was refused: the venue's next word of the order is how it stands."""
        order.wish.clear()
        if order.pending is Pending.AMEND:
            order.pending = Pending.NONE

    def expect_word(self, order: LiveOrder) -> None:
        """Ask if the venue has not said by itself, a little later, how an order stands."""
        order.ask_at_ms = self.now_ms + self.terms.word_ms

    def hurry(self, order: LiveOrder) -> None:
        """Ask at the next look."""
        order.ask_at_ms = self.now_ms

    def ask_later(self, order: LiveOrder) -> None:
        """Ask again after a while, longer each time."""
        wait_ms = self.terms.again_ms * 2 ** min(order.asks, 10)
        order.ask_at_ms = self.now_ms + min(wait_ms, self.terms.longest_ms)

    def is_open_question(self, order: LiveOrder, outcome: Outcome, *, code: int) -> bool:
        """Whether it stays open if the order is there: a duplicate is, an unknown may be.

        A refusal of what was sent twice settles nothing: the first request may still arrive.
        """
        return outcome is Outcome.UNKNOWN or code in DUPLICATE or code == -1 or order.sends > 1

    def reason(self, code: int) -> Reason:
        """Return the reason a refusal's code means, NONE for those without one of ours."""
        return _REASONS.get(code, Reason.NONE)

    def again(self, order: LiveOrder, outcome: Outcome, *, code: int) -> bool:
        """Whether an order that was not taken is to be tried again: what protects, always."""
        is_passing = outcome is Outcome.NOT_SENT or code in _BUSY
        if not (order.is_reduce_only and is_passing and order.sends < self.terms.most_sends):
            return False
        self.lose(order)
        order.ask_at_ms = self.now_ms + self.terms.again_ms
        return True

    def abandon(self, order: LiveOrder) -> None:
        """End an order that is not at the venue and never will be."""
        order.status = next_status(order.status, OrderEvent.REJECT)
        order.is_lost = False
        order.is_in_flight = False
        order.ask_at_ms = 0
        end(order, self.now_ms)

    def missing(self, order: LiveOrder, reply: Reply) -> str:
        """Judge an order the venue does not know: `again`, `gone`, `vanished` or `wait`."""
        if order.is_acked:
            # It was taken: histories may lag. A person is told once; the question stays.
            self.ask_later(order)
            is_late = reply.ts_ms >= (order.gone_after_ms or self._bounded(order, reply))
            return "vanished" if is_late and self._is_first(order) else "wait"
        if order.is_in_flight:
            # It may still leave this machine: nothing can be concluded yet.
            self.ask_later(order)
            return "wait"
        protects = order.is_reduce_only and not order.wants_cancel
        if protects and order.sends < self.terms.most_sends:
            # The venue takes an id once, so should both arrive, one is refused.
            order.gone_after_ms = 0
            order.is_lost = False
            self._depart(order)
            return "again"
        if reply.ts_ms >= (order.gone_after_ms or self._bounded(order, reply)):
            self.abandon(order)
            return "gone"
        self.ask_later(order)
        # Asked once more the moment its fate must be certain, not later.
        certain_ms = self.now_ms + order.gone_after_ms - reply.ts_ms
        order.ask_at_ms = min(order.ask_at_ms, certain_ms)
        return "wait"

    def found(self, order: LiveOrder) -> None:
        """Go on from the venue's answer: what was under way and is not done is sent anew."""
        order.asks = 0
        if order.pending is not Pending.NONE:
            order.pending = Pending.NONE
        if order.is_lost:
            # The answer was older than what is known: it settles nothing.
            self.ask_later(order)
        elif order.is_open and order.filled_qty >= order.reported_qty:
            order.ask_at_ms = 0

    def see(self, order: LiveOrder, row: OrderRow, *, is_asked: bool) -> Trouble | None:
        """Take in a row of the venue."""
        trouble = see_row(order, row, is_asked=is_asked)
        order.is_acked = True
        self._next_question(order)
        return trouble

    def fill(self, order: LiveOrder, execution: Execution) -> Trouble | None:
        """Take in an execution."""
        order.is_acked = True
        trouble = see_execution(self.record, order, execution=execution)
        self._next_question(order)
        return trouble

    def look(self) -> None:
        """Ask about each order whose time has come."""
        for order in self.record.unsettled():
            # A due time far ahead is of a clock that has jumped back since.
            is_due = order.ask_at_ms <= self.now_ms
            if order.ask_at_ms and (is_due or order.ask_at_ms > self.now_ms + 60_000):
                self._ask(order)

    def _ask(self, order: LiveOrder) -> None:
        order.asks += 1
        order.ask_at_ms = self.now_ms + self.terms.reply_ms
        if order.is_open:
            self.owed.append(ask.ask_order(order))
        if order.filled_qty < order.reported_qty:
            self.owed.append(ask.ask_fills(order.category, order=order))
            self.ask_later(order)

    def _next_question(self, order: LiveOrder) -> None:
        self.record.watch(order)
        if order.is_settled:
            order.ask_at_ms = 0
        elif order.is_lost:
            order.ask_at_ms = self.now_ms
        elif order.filled_qty < order.reported_qty:
            order.ask_at_ms = self.now_ms + self.terms.fills_ms
        elif order.pending is Pending.NONE:
            order.ask_at_ms = 0

    def _bounded(self, order: LiveOrder, reply: Reply) -> int:
        """Set the moment after which the venue would refuse the request, should it still come.

        By the venue's clock alone: whatever was sent left before this answer, stamped at most a
        second ahead, and is refused once its window is over.
        """
        order.gone_after_ms = reply.ts_ms + self.terms.window_ms + self.terms.margin_ms
        return order.gone_after_ms

    def _depart(self, order: LiveOrder) -> None:
        order.sends += 1
        order.is_in_flight = True
        order.ask_at_ms = self.now_ms + self.terms.reply_ms

    def _is_first(self, order: LiveOrder) -> bool:
        is_first = order.gone_after_ms < _FOR_EVER
        order.gone_after_ms = _FOR_EVER
        return is_first


_FOR_EVER = 2**62

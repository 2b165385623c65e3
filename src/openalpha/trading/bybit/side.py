"""One Bybit account as the desk sees it: pure and deterministic, orders out, events in.

No request is repeated on hope. Where a reply is missing the order is of unknown fate; the venue is
asked for our id, and only its answer decides: adopt, send the same id again (orders that can only
reduce), or abandon, once the venue's clock has passed the moment after which it would refuse the
request should it still arrive.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from openalpha.core.orders import OrderStatus, PositionMode
from openalpha.core.reasons import Reason
from openalpha.store.frames import FrameKind
from openalpha.trading.bybit import requests as ask
from openalpha.trading.bybit.account import Account
from openalpha.trading.bybit.fates import Fates, SideTerms
from openalpha.trading.bybit.replies import Outcome, Reply, read_reply
from openalpha.trading.bybit.state import freeze, thaw
from openalpha.trading.bybit.stops import Exits, Stops
from openalpha.trading.orders.record import LiveOrder, OrderRecord, Pending
from openalpha.trading.orders.side import (
    Change,
    Incident,
    Input,
    OrderUpdate,
    PlacedOrder,
    Request,
    RequestKind,
    VenueEvent,
)
from openalpha.venue.bybit.needed import lacking
from openalpha.venue.bybit.new_order import NewOrder
from openalpha.venue.bybit.rows import Execution, OrderRow, PositionRow

__all__ = ["BybitSide"]

Row = Mapping[str, Any]
_HOUR_MS, _KEPT_MS, _REACHED = 3_600_000, 172_800_000, Reason.TRIGGER_WRONG_SIDE
_PUSHED = {"order": "open", "execution": "fills", "position": "positions"}


@dataclass(slots=True)
class BybitSide:
    """The side of one account; see `trading.side.VenueSide`.

    Parameters
    ----------
    terms : SideTerms
        Waits, categories, what is done with orders that are none of ours.
    mode : PositionMode
    """

    terms: SideTerms = field(default_factory=SideTerms)
    mode: PositionMode = PositionMode.ONE_WAY
    record: OrderRecord = field(default_factory=OrderRecord)
    account: Account = field(default_factory=Account)
    stops: Stops = field(default_factory=Stops)
    now_ms: int = 0
    _owed: list[Request] = field(default_factory=list)
    _events: list[VenueEvent] = field(default_factory=list)

    # what the desk wants

    def send(self, orders: Sequence[PlacedOrder]) -> Sequence[Request]:
        """Take orders over; each id is sent as a new order at most until its fate is known.

        Raises
        ------
        OrderError
            If the venue has no such order; nothing of the call was taken over.
        """
        made = partial(NewOrder.of, mode=self.mode)
        news = [
            (one, made(one.approved.intent, link_id=one.link_id, stop=one.stop)) for one in orders
        ]
        taken = []
        for placed, new in news:
            order = self.record.intend(placed.approved, link_id=placed.link_id, params=new.params())
            self._fates.sent(order)
            taken.append(order)
        return ask.place(taken)

    def cancel(self, link_ids: Sequence[str]) -> Sequence[Request]:
        """Cancel orders that may still trade; one still on its way is cancelled once there."""
        now = []
        for name in link_ids:
            order = self.record.find(link_id=name)
            if order is None or not order.is_open or order.wants_cancel:
                continue
            order.wants_cancel = True
            if order.is_acked and not order.is_lost:
                self._fates.changing(order, Pending.CANCEL)
                now.append(order)
        return ask.cancel_orders(now)

    def replace(self, new: PlacedOrder, *, old: str) -> Sequence[Request]:
        """Place an order and cancel another only once the venue has the new one."""
        requests = self.send([new])
        self.record.orders[new.link_id].replaces = old
        return requests

    def amend(self, changes: Sequence[Change]) -> Sequence[Request]:
        """Give open orders new terms; terms they have already are asked of nobody."""
        requests = []
        for change in changes:
            order = self.record.find(link_id=change.link_id)
            if order is None or not order.is_open or order.wants_cancel:
                continue
            wish = ask.wish_of(change, order)
            if not wish:
                continue
            order.wish |= wish
            order.most_qty = max(order.most_qty, wish.get("qty", order.qty))
            # One change at a time: a second waits until the venue has shown the first.
            if order.is_acked and not order.is_lost and order.pending is Pending.NONE:
                self._fates.changing(order, Pending.AMEND)
                requests.append(ask.amend_order(order, wish))
        return requests

    def protect(self, category: str, symbol: str, *, exits: Exits) -> None:
        """Say what stop and take-profit a position is to have at the exchange, from now on.

        They are set whenever the position is open and the exchange shows others; see `owed`.
        """
        self.stops.want(category, symbol, exits=exits)
        self._owed += self.stops.due(self.now_ms)

    def owed(self) -> Sequence[Request]:
        """Return, once, what must be asked or sent because of what was heard."""
        owed, self._owed = self._owed, []
        return owed

    # what happens

    def hear(self, item: Input) -> Sequence[VenueEvent]:
        """Take in a push, a reply, a timer or the state of the socket."""
        if item.ts_ms // _HOUR_MS != self.now_ms // _HOUR_MS:
            # By the venue's clock: ours may jump, and an execution forgotten too soon counts twice.
            self.record.forget(self.account.fills_since_ms - _KEPT_MS)
        self.now_ms = item.ts_ms
        if item.kind is FrameKind.REPLY:
            self._hear_reply(reply := read_reply(item.payload))
            self._events += self.account.cut_short(reply, now_ms=self.now_ms)
        elif item.kind is FrameKind.FEED:
            self._hear_push(json.loads(item.payload))
        elif item.kind is FrameKind.HEALTH:
            self._hear_health(json.loads(item.payload))
        self._fates.look()
        self._owed += self.stops.due(self.now_ms)
        self._owed += self.account.due(self.now_ms)
        return self._drain()

    def recover(self, item: Input) -> Sequence[VenueEvent]:
        """Begin, for the first time or again: every fate not known for sure is asked for."""
        self.now_ms = item.ts_ms
        self._owed.clear()
        for order in self.record.unsettled():
            order.is_in_flight = False
            self._fates.lose(order)
        self.account.begin(self.terms.categories, now_ms=self.now_ms)
        self._fates.look()
        self._owed += self.account.due(self.now_ms)
        return self._drain()

    @property
    def is_recovered(self) -> bool:
        """Whether everything asked at the start has been answered and no fate is unknown."""
        lost = any(order.is_lost for order in self.record.live.values())
        return not lost and self.account.is_known

    def state(self) -> bytes:
        """Return all that must be known to go on from here."""
        return freeze(self.record, self.account, stops=self.stops, now_ms=self.now_ms)

    def restore(self, state: bytes) -> None:
        """Go on from a state; `recover` comes next."""
        self.record, self.account, self.stops, self.now_ms = thaw(state)

    # inside

    @property
    def _fates(self) -> Fates:
        return Fates(self.record, self.terms, self.now_ms, self._owed)

    def _drain(self) -> tuple[VenueEvent, ...]:
        events, self._events = tuple(self._events), []
        return events

    def _hear_health(self, content: Row) -> None:
        if content.get("what") == "private_socket" and content.get("is_up"):
            # What was said while nobody listened is asked for.
            self.account.hurry(self.now_ms)
            for order in self.record.unsettled():
                self._fates.hurry(order)

    def _hear_push(self, content: Row) -> None:
        topic, rows = str(content.get("topic") or "").partition(".")[0], content.get("data")
        if topic not in _PUSHED or not isinstance(rows, list):
            return
        for row in filter(lambda row: isinstance(row, Mapping), rows):
            if not row.get("category") or lacking(_PUSHED[topic], [row]):
                self.account.hurry(self.now_ms)
            elif topic == "order":
                self._see_order(OrderRow.of(row, ""), is_asked=False)
            elif topic == "execution":
                self._see_execution(Execution.of(row, ""))
            else:
                self.stops.see(PositionRow.of(row, ""))

    def _hear_reply(self, reply: Reply) -> None:
        if reply.kind is RequestKind.PLACE:
            self._placed(reply)
        elif reply.kind is RequestKind.CANCEL:
            self._cancelled(reply)
        elif reply.kind is RequestKind.AMEND:
            self._amended(reply)
        elif reply.kind is RequestKind.ASK_ORDERS and reply.link_ids:
            self._asked_one(reply)
        elif reply.kind is RequestKind.ASK_ORDERS:
            self._asked_open(reply)
        elif reply.kind is RequestKind.ASK_FILLS:
            self._asked_fills(reply)
        elif reply.kind is RequestKind.ASK_ACCOUNT:
            self._asked_account(reply)
        elif reply.params["what"] == "exits":
            self._events += self.stops.hear(reply, now_ms=self.now_ms)

    # replies to what was sent

    def _placed(self, reply: Reply) -> None:
        for place, name in enumerate(reply.link_ids):
            order = self.record.find(link_id=name)
            if order is None:
                continue
            order.is_in_flight = False
            code, words = reply.code, reply.words
            if reply.outcome is Outcome.ANSWER and reply.items:
                code, words = reply.items[place] if place < len(reply.items) else (-1, "")
            row = reply.rows[place] if place < len(reply.rows) else {}
            if reply.outcome is Outcome.ANSWER and code == 0:
                self._fates.acked(order, str(row.get("orderId") or ""))
                self._follow_up(order)
            elif self._fates.is_open_question(order, reply.outcome, code=code):
                self._fates.lose(order)
            elif order.is_open and not self._fates.again(order, reply.outcome, code=code):
                self._fates.abandon(order)
                self._tell(order, words=words, reason=self._fates.reason(code))

    def _cancelled(self, reply: Reply) -> None:
        for place, name in enumerate(reply.link_ids):
            order = self.record.find(link_id=name)
            if order is None or not order.is_open:
                continue
            code = reply.items[place][0] if place < len(reply.items) else reply.code
            if reply.outcome is Outcome.ANSWER and code == 0:
                self._fates.expect_word(order)
            else:
                # Gone already, busy or unknown: the venue knows which.
                self._fates.lose(order)

    def _amended(self, reply: Reply) -> None:
        for name in reply.link_ids:
            order = self.record.find(link_id=name)
            if order is None or not order.is_open:
                continue
            if reply.outcome is Outcome.ANSWER:
                self._fates.expect_word(order)
                continue
            if reply.outcome is Outcome.REFUSED:
                self._tell(order, words=reply.words)
                self._fates.unchanged(order)
            self._fates.lose(order)

    # answers to what was asked

    def _asked_one(self, reply: Reply) -> None:
        order = self.record.find(link_id=reply.link_ids[0])
        if order is None:
            return
        if reply.outcome is not Outcome.ANSWER or lacking("open", reply.rows):
            self._fates.ask_later(order)
            return
        found = [row for row in reply.rows if row.get("orderLinkId") == order.link_id]
        if found:
            self._see_order(OrderRow.of(found[0], order.category), is_asked=True)
            self._fates.found(order)
            self._follow_up(order)
        elif order.is_lost or (order.is_open and order.status is OrderStatus.SUBMITTED):
            self._not_found(order, reply)

    def _not_found(self, order: LiveOrder, reply: Reply) -> None:
        verdict = self._fates.missing(order, reply)
        if verdict == "again":
            self._owed += ask.place([order])
        elif verdict == "gone":
            order.replaces = ""  # nobody refused anything: it is placed anew
            self._tell(order, words="it never arrived at the venue", reason=Reason.NONE)
        elif verdict == "vanished":
            self._say("vanished", f"{order.link_id} was taken by the venue, which denies it now")

    def _asked_open(self, reply: Reply) -> None:
        category = str(reply.params["category"])
        if not self.account.heard(f"open:{category}", reply, now_ms=self.now_ms):
            return
        for row in reply.rows:
            self._see_order(OrderRow.of(row, category), is_asked=True)
        there = {row.get("orderLinkId") for row in reply.rows}
        for order in self.record.open_orders():
            is_due = order.is_acked and order.category == category
            if is_due and order.link_id not in there:
                self._fates.hurry(order)

    def _asked_fills(self, reply: Reply) -> None:
        category = str(reply.params["category"])
        if not reply.link_ids:
            self.account.heard(f"fills:{category}", reply, now_ms=self.now_ms)
        # Newest first on the wire; none where there was no answer.
        for row in reversed(reply.rows):
            self._see_execution(Execution.of(row, category))

    def _asked_account(self, reply: Reply) -> None:
        what, category = str(reply.params["what"]), str(reply.params.get("category") or "")
        if what == "ground":
            for execution in self.account.ground(reply, now_ms=self.now_ms):
                self.record.is_new(execution.exec_id, execution.ts_ms)
            return
        self._events += self.account.hear(reply, now_ms=self.now_ms)
        is_answer = reply.outcome is Outcome.ANSWER
        if what == "positions" and is_answer and not self.account.cut[f"{what}:{category}"]:
            rows = [PositionRow.of(row, category) for row in reply.rows]
            self.stops.see_all(category, rows, ts_ms=reply.ts_ms)

    # rows

    def _see_order(self, row: OrderRow, *, is_asked: bool) -> None:
        order = self.record.find(link_id=row.link_id, order_id=row.order_id)
        if order is None:
            told, asked = self.account.see_foreign(row, self.terms.foreign, now_ms=self.now_ms)
            self._events += told
            self._owed += asked
            return
        before = (order.shown, order.reported_qty)
        self.record.bind(order, row.order_id)
        trouble = self._fates.see(order, row, is_asked=is_asked)
        if trouble is not None:
            self._say(trouble.code, trouble.words)
        if (order.shown, order.reported_qty) != before:
            self._tell(order, words=row.reject_reason if not order.is_open else "")
        if not is_asked:
            self._follow_up(order)

    def _see_execution(self, execution: Execution) -> None:
        found = self.record.find(link_id=execution.link_id, order_id=execution.order_id)
        # Funding has side, price and quantity and is no fill. What came cut short, or before the
        # ground is known, is asked for again.
        is_told = execution.is_fill and execution.is_whole and self.account.is_grounded
        if not is_told or not self.record.is_new(execution.exec_id, execution.ts_ms):
            return
        before = None if found is None else found.shown
        if found is not None:
            trouble = self._fates.fill(found, execution)
            if trouble is not None:
                self._say(trouble.code, trouble.words)
        self.record.fills += 1
        self._events.append(self.account.fill(execution, found, seq=self.record.fills))
        if found is None:
            self._events += self.account.explain(execution, now_ms=self.now_ms)
        elif found.shown is not before:
            self._tell(found)

    def _follow_up(self, order: LiveOrder) -> None:
        """Send what waited until the order was there: a cancel, an amend."""
        if not order.is_open or order.is_lost or order.pending is not Pending.NONE:
            return
        if order.wants_cancel:
            self._fates.changing(order, Pending.CANCEL)
            self._owed += ask.cancel_orders([order])
        elif order.wish:
            self._fates.changing(order, Pending.AMEND)
            self._owed.append(ask.amend_order(order, order.wish))

    def _tell(self, order: LiveOrder, *, words: str = "", reason: Reason = Reason.NONE) -> None:
        if order.replaces and order.is_confirmed:
            self._owed += self.cancel([order.replaces])
            order.replaces = ""
        elif order.replaces and not order.is_open:
            old = self.record.find(link_id=order.replaces)
            is_no = order.status is OrderStatus.REJECTED and reason is not _REACHED
            if is_no and old is not None and old.is_open:
                self._say("not_replaced", f"{order.link_id} was not taken; {order.replaces} stays")
            order.replaces = ""
        where = (order.link_id, order.shown, order.filled_qty, self.now_ms)
        self._events.append(OrderUpdate(*where, reason, order.order_id, words))

    def _say(self, code: str, words: str) -> None:
        self._events.append(Incident(code, words, self.now_ms))

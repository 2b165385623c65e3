"""The hand a strategy of callbacks orders by: the gate before each order, ids, netting.

What the gate refuses is not sent, as over history; what the venue refuses is no longer open.
"""

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING

from openalpha.core.instruments import InstrumentId, Kind
from openalpha.core.messages import OrderIntent
from openalpha.core.orders import OrderType, Side, TimeInForce, TriggerKind
from openalpha.core.reasons import Reason
from openalpha.core.units import from_units
from openalpha.risk.gate import Refusal
from openalpha.store.run_log import FrameKind
from openalpha.strategy.events import OpenOrder
from openalpha.trading.bybit.requests import wish_of
from openalpha.trading.orders.record import LiveOrder
from openalpha.trading.orders.side import Change
from openalpha.trading.venue.books import VenueBook
from openalpha.trading.venue.callbacks import Callbacks
from openalpha.trading.venue.changes import change_note, judge_change
from openalpha.trading.venue.exits import STOP
from openalpha.trading.venue.state import Part, Want, Work
from openalpha.venue.kernel import layout as at
from openalpha.venue.kernel.setup import OrderRequest

if TYPE_CHECKING:
    from openalpha.trading.venue.callback_desk import CallbackDesk

__all__ = ["CallbackHand"]


class CallbackHand:
    """One strategy's hand; see `callbacks.Hand`.

    Parameters
    ----------
    desk : CallbackDesk
    number : int
        Of its sub-book.
    """

    def __init__(self, desk: "CallbackDesk", number: int) -> None:
        self._desk, self._number = desk, number

    @property
    def _book(self) -> VenueBook:
        return self._desk.books[self._number]

    @property
    def _one(self) -> Callbacks:
        found = self._book.callbacks
        assert found is not None
        return found

    @property
    def _work(self) -> Work:
        assert self._desk.work is not None, "a strategy orders while it is asked"
        return self._desk.work

    @property
    def cash(self) -> Decimal:
        """Of the account currency."""
        return self._book.cash

    @property
    def equity(self) -> Decimal:
        """Cash, coins and open profit at the last marks."""
        return self._book.equity

    def holding(self, which: int) -> tuple[float, float]:
        """Return signed quantity and average price; dust that cannot be sold is nothing."""
        held, item = self._book.held[which], self._book.instruments[which]
        is_dust = item.kind is Kind.SPOT and held.qty < item.steps[-1].lot_size
        if is_dust or not held.qty:
            return 0.0, float("nan")
        return float(held.qty), float(held.avg_price)

    def orders(self) -> tuple[OpenOrder, ...]:
        """Return its open orders as the venue has them, and those that are about to be sent."""
        found: dict[int, OpenOrder] = {}
        for order, part in self._desk.open_of(self._number):
            one = self._shown(order, part)
            same = found.get(one.id)
            if same is not None:  # a flip is two orders at the venue
                one = replace(one, qty=same.qty + one.qty, filled=same.filled + one.filled)
            found[one.id] = one
        for want in self._desk.work.wants if self._desk.work is not None else ():
            if want.book == self._number and want.order:
                found[want.order] = self._wanted(want)
        return tuple(found[order_id] for order_id in sorted(found))

    def _shown(self, order: LiveOrder, part: Part) -> OpenOrder:
        is_shared = len(self._desk.orders.parts[order.link_id]) > 1
        return OpenOrder(
            id=part.order,
            instrument=str(self._book.instruments[part.which].id),
            side=int(order.side),
            qty=float(part.qty if is_shared else order.qty),
            filled=float(part.got if is_shared else order.filled_qty),
            limit=_float(order.limit_price),
            trigger=_float(order.trigger_price),
            is_reduce_only=order.is_reduce_only
            or (order.category == "spot" and order.side is Side.SELL),
            tag="",
        )

    def _wanted(self, want: Want) -> OpenOrder:
        intent = want.approved.intent
        return OpenOrder(
            id=want.order,
            instrument=str(intent.instrument),
            side=int(want.side),
            qty=float(want.qty),
            filled=0.0,
            limit=None,
            trigger=None,
            is_reduce_only=intent.is_reduce_only,
            tag="",
        )

    def place(self, which: int, made: OrderRequest) -> int:
        """Place an order; returns its id, 0 where the gate or a pause keeps it back."""
        item, context = self._book.instruments[which], self._one.context
        intent = self._intent(which, made)
        if self._desk.is_over:
            return context.refuse(which, Reason.PAUSED)
        if self._desk.is_paused and not intent.is_reduce_only:
            return context.refuse(which, Reason.PAUSED)
        if item.kind is Kind.SPOT and intent.side is Side.SELL and self._book.is_past(which, STOP):
            return context.refuse(which, Reason.RISK_REFUSED)  # its coins are about to be sold
        if intent.qty < item.min_qty:
            return context.refuse(which, Reason.BELOW_MIN_QTY)
        return self._order(which, intent)

    def close(self, which: int) -> None:
        """Close a position at market, reduce-only."""
        qty = self._book.tradable(which)
        if qty and not self._desk.is_over:
            side = Side.SELL if qty > 0 else Side.BUY
            intent = self._plain(which, side, abs(qty))
            self._order(which, replace(intent, is_reduce_only=True))

    def _order(self, which: int, intent: OrderIntent) -> int:
        """Ask the gate for an order; market orders are netted with others', the rest goes out."""
        work, desk, one = self._work, self._desk, self._one
        verdict = desk.orders.judge(self._number, intent, wants=work.wants)
        if isinstance(verdict, Refusal):
            reason = verdict.reason.name.lower()
            self._note_refusal(which, reason, verdict.words)
            return one.context.refuse(which, verdict.reason)
        one.last_id += 1
        one.context.codes[which] = int(Reason.ORDERED)
        if intent.limit_price is None and intent.trigger_price is None:
            work.wants.append(Want(self._number, which, "order", verdict, one.last_id))
        else:
            desk.orders.send(work, verdict, number=self._number, leg="order", order=one.last_id)
        return one.last_id

    def _note_refusal(self, which: int, reason: str, words: str) -> None:
        name = str(self._book.instruments[which].id)
        self._work.note_refusal(self._number, name, reason=reason, words=words)

    def _intent(self, which: int, made: OrderRequest) -> OrderIntent:
        item, side = self._book.instruments[which], Side(made.side)
        d = item.price_decimals
        kind = TriggerKind(made.trigger_kind)
        return replace(
            self._plain(which, side, from_units(made.qty, item.qty_decimals)),
            order_type=OrderType(made.order_type),
            limit_price=from_units(made.limit, d) if made.order_type == at.LIMIT else None,
            trigger_price=None if kind is TriggerKind.NONE else from_units(made.trigger, d),
            trigger_kind=kind,
            time_in_force=TimeInForce(made.tif),
            is_reduce_only=made.reduce_only or (item.kind is Kind.SPOT and side is Side.SELL),
            stop_e6=made.stop_e6,
            take_profit_e6=made.take_profit_e6,
            trailing_e6=made.trailing_e6,
            activation_e6=made.activation_e6,
            time_exit_ms=made.time_exit_ms,
        )

    def _plain(self, which: int, side: Side, qty: Decimal) -> OrderIntent:
        return OrderIntent(
            ts_ms=self._one.context.ts_ms,
            instrument=InstrumentId(str(self._book.instruments[which].id)),
            side=side,
            qty=qty,
            strategy=self._book.part.name,
        )

    def cancel(self, order_id: int) -> None:
        """Cancel an open order; one at market can no longer be called back."""
        work = self._work
        work.wants = [
            want for want in work.wants if (want.book, want.order) != (self._number, order_id)
        ]
        links = [order.link_id for order in self._found(order_id)]
        if links:
            work.note(FrameKind.INTENT, book=self._number, cancel=links)
            work.requests += self._desk.side.cancel(links)

    def amend(
        self, order_id: int, *, qty: float | None, limit: float | None, trigger: float | None
    ) -> None:
        """Change an open order, where the gate would let it through with its new terms."""
        found = self._found(order_id)
        if len(found) != 1:
            return
        order, desk, work = found[0], self._desk, self._work
        which = desk.orders.parts[order.link_id][0].which
        change = self._change(which, order, qty=qty, limit=limit, trigger=trigger)
        if not wish_of(change, order):
            return  # it has these terms, or is about to
        if change.qty is not None and change.qty < self._book.instruments[which].min_qty:
            self._one.context.refuse(which, Reason.BELOW_LOT)
            return
        verdict = judge_change(
            desk.orders, order, change=change, book=self._book, ts_ms=desk.side.now_ms
        )
        if isinstance(verdict, Refusal):
            reason = verdict.reason.name.lower()
            self._note_refusal(which, reason, verdict.words)
            self._one.context.refuse(which, verdict.reason)
            return
        requests = desk.side.amend([change])
        work.note(
            FrameKind.INTENT, book=self._number, link=order.link_id, amend=change_note(change)
        )
        work.requests += requests

    def _change(
        self,
        which: int,
        order: LiveOrder,
        *,
        qty: float | None,
        limit: float | None,
        trigger: float | None,
    ) -> Change:
        item, context = self._book.instruments[which], self._one.context
        terms, now_ms = context.terms[which], context.ts_ms
        is_sale = order.side is Side.SELL
        rises = order.params.get("triggerDirection", 2 if is_sale else 1) == 1
        q, d = item.qty_decimals, item.price_decimals
        return Change(
            order.link_id,
            None if qty is None else from_units(terms.lots(qty, now_ms), q),
            None
            if limit is None or order.limit_price is None
            else from_units(terms.ticks(limit, now_ms, up=is_sale, what="a limit"), d),
            None
            if trigger is None or order.trigger_price is None
            else from_units(terms.ticks(trigger, now_ms, up=rises, what="a trigger"), d),
        )

    def _found(self, order_id: int) -> Sequence[LiveOrder]:
        """Return what of an order rests at the venue: orders at market cannot be called back."""
        return [
            order
            for order, part in self._desk.open_of(self._number)
            if part.order == order_id
            and (order.limit_price is not None or order.trigger_price is not None)
        ]


def _float(value: Decimal | None) -> float | None:
    return None if value is None else float(value)

"""The record of a run's orders: what was intended, what the venue said of it, what is still owed.

Pure: no clock, no socket, no file. A status moves only along the table of `core.orders`; a request
under way and a fate unknown are set beside it. Rows of the venue may come late, twice or in the
wrong order: what is older than what is known is left out, what contradicts it is an incident.
Quantities come from executions alone, each counted once by its id.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from typing import Any

from openalpha.core.messages import ApprovedIntent
from openalpha.core.orders import OrderStatus, Side, is_terminal

__all__ = ["LiveOrder", "OrderRecord", "Pending", "instrument_of"]

_ZERO = Decimal(0)
_THERE = frozenset(
    {
        OrderStatus.UNTRIGGERED,
        OrderStatus.OPEN,
        OrderStatus.PARTIALLY_FILLED,
        OrderStatus.FILLED,
    }
)


class Pending(StrEnum):
    """A change of an order that is under way."""

    NONE = ""
    CANCEL = "cancel"
    AMEND = "amend"


@dataclass(slots=True)
class LiveOrder:
    """One order of ours, from the moment it was intended.

    `status` moves by the table alone; `shown` adds what is beside it. `filled_qty` is the sum of
    executions heard, `reported_qty` what the venue says has filled: until both agree executions are
    owed. `params` are the fields it was or will be sent with; `most_qty` is the largest quantity a
    change ever asked for, which may be in force whatever became of the request.
    """

    number: int
    link_id: str
    category: str
    symbol: str
    side: Side
    qty: Decimal
    params: Mapping[str, Any]
    gate_seq: int
    is_reduce_only: bool
    limit_price: Decimal | None = None
    trigger_price: Decimal | None = None
    order_id: str = ""
    status: OrderStatus = OrderStatus.CREATED
    pending: Pending = Pending.NONE
    is_lost: bool = False
    is_acked: bool = False
    is_in_flight: bool = False
    wants_cancel: bool = False
    wish: dict[str, Decimal] = field(default_factory=dict)
    filled_qty: Decimal = _ZERO
    filled_value: Decimal = _ZERO
    reported_qty: Decimal = _ZERO
    sends: int = 0
    gone_after_ms: int = 0
    ask_at_ms: int = 0
    asks: int = 0
    ended_ms: int = 0
    row_ms: int = 0
    replaces: str = ""
    most_qty: Decimal = _ZERO

    @property
    def shown(self) -> OrderStatus:
        """Where it stands, with what is under way."""
        if self.is_lost:
            return OrderStatus.UNKNOWN
        if self.pending is Pending.CANCEL:
            return OrderStatus.PENDING_CANCEL
        return OrderStatus.PENDING_AMEND if self.pending is Pending.AMEND else self.status

    @property
    def is_open(self) -> bool:
        """Whether it may still trade, as far as anyone knows."""
        return not is_terminal(self.status)

    @property
    def is_confirmed(self) -> bool:
        """Whether the venue has it, by its own word: open, waiting, or executed."""
        is_there = self.status in _THERE
        return is_there and not self.is_lost

    @property
    def is_settled(self) -> bool:
        """Whether nothing more is owed: it has ended and every execution is here."""
        return not self.is_open and not self.is_lost and self.filled_qty >= self.reported_qty

    @property
    def average_price(self) -> Decimal | None:
        """Mean price of its executions; None before the first."""
        return self.filled_value / self.filled_qty if self.filled_qty else None


def instrument_of(category: str, symbol: str) -> str:
    """Return the instrument an order of the venue is about.

    Examples
    --------
    >>> instrument_of("linear", "BTCUSDT")
    'bybit_linear:BTCUSDT'
    """
    return f"bybit_{category}:{symbol}"


@dataclass(slots=True)
class OrderRecord:
    """All orders of a run by our id, and the ids of all executions counted.

    Examples
    --------
    >>> OrderRecord().open_orders()
    []
    """

    orders: dict[str, LiveOrder] = field(default_factory=dict)
    by_venue_id: dict[str, str] = field(default_factory=dict)
    exec_ids: dict[str, int] = field(default_factory=dict)
    live: dict[str, LiveOrder] = field(default_factory=dict)
    count: int = 0
    fills: int = 0

    def intend(
        self, approved: ApprovedIntent, *, link_id: str, params: Mapping[str, Any]
    ) -> LiveOrder:
        """Take an approved intent in; an id is never used twice.

        Raises
        ------
        AssertionError
            If the id was used before: a bug, as ids follow from causes.
        """
        assert link_id not in self.orders, f"order id {link_id} was used before"
        intent = approved.intent
        self.count += 1
        order = LiveOrder(
            number=self.count,
            link_id=link_id,
            category=str(params["category"]),
            symbol=str(params["symbol"]),
            side=intent.side,
            qty=intent.qty,
            params=dict(params),
            gate_seq=approved.gate_seq,
            is_reduce_only=bool(params.get("reduceOnly")),
            limit_price=intent.limit_price,
            trigger_price=intent.trigger_price,
        )
        self.orders[link_id] = self.live[link_id] = order
        return order

    def find(self, *, link_id: str = "", order_id: str = "") -> LiveOrder | None:
        """Return an order by our id or the venue's; None if it is not one of ours."""
        if link_id in self.orders:
            return self.orders[link_id]
        return self.orders.get(self.by_venue_id.get(order_id, ""))

    def bind(self, order: LiveOrder, order_id: str) -> None:
        """Note the venue's id of an order."""
        if order_id:
            order.order_id = order_id
            self.by_venue_id[order_id] = order.link_id

    def watch(self, order: LiveOrder) -> None:
        """Look after an order again: something is, or may be, owed."""
        self.live[order.link_id] = order

    def open_orders(self) -> list[LiveOrder]:
        """Return the orders that may still trade, oldest first."""
        return [order for order in self.unsettled() if order.is_open]

    def unsettled(self) -> list[LiveOrder]:
        """Return the orders about which something is owed, oldest first."""
        for name in [name for name, order in self.live.items() if order.is_settled]:
            del self.live[name]
        return sorted(self.live.values(), key=lambda order: order.number)

    def is_new(self, exec_id: str, ts_ms: int) -> bool:
        """Count an execution's id; False if it was counted before."""
        if exec_id in self.exec_ids:
            return False
        self.exec_ids[exec_id] = ts_ms
        return True

    def forget(self, before_ms: int) -> int:
        """Drop settled orders and executions of before a moment; returns how many orders.

        Keep days of them: an execution that comes again after its id was dropped counts twice.
        """
        old = [
            order
            for order in self.orders.values()
            if order.is_settled and order.ended_ms < before_ms
        ]
        for order in old:
            del self.orders[order.link_id]
            self.by_venue_id.pop(order.order_id, None)
        self.exec_ids = {name: ts for name, ts in self.exec_ids.items() if ts >= before_ms}
        return len(old)

"""A large order worked in pieces while the trader dies: a parent on the world of faults."""

from decimal import Decimal
from itertools import count

from openalpha.core.messages import OrderIntent
from openalpha.core.orders import Side
from openalpha.trading.bybit.side import BybitSide
from openalpha.trading.orders.algorithms import Child, Kind, Parent, Quote, next_step
from openalpha.trading.orders.link_id import Cause, link_id
from openalpha.trading.orders.side import Change
from tests.faults.plans import BTC, placed
from tests.faults.trader import Wishes

QUOTE = Quote(Decimal("59980"), Decimal("60020"))
WHOLE = Decimal("0.05")


class Worked:
    """A plan that works one parent from its first decision on."""

    def __init__(self, kind: Kind, *, length_ms: int = 30_000) -> None:
        self.kind = kind
        self.length_ms = length_ms
        self.start_ms = 0

    def __call__(self, decision: int, side: BybitSide) -> Wishes:
        if decision == 1:
            self.start_ms = side.now_ms
        limit = None if self.kind is Kind.TWAP else Decimal("60100")
        parent = Parent(
            self.kind,
            OrderIntent(0, BTC, Side.BUY, WHOLE, limit_price=limit),
            Decimal("0.001"),
            Decimal("0.1"),
            self.start_ms,
            self.start_ms + self.length_ms,
            pieces=5,
            repeg_ms=500,
        )
        step = next_step(parent, self.children(side), quote=QUOTE, now_ms=side.now_ms)
        orders = [] if step.place is None else [placed(1, step.leg, step.place)]
        changes = [Change(name, limit_price=price) for name, price in step.reprice]
        return Wishes(orders, step.cancels, changes)

    def children(self, side: BybitSide) -> list[Child]:
        """The parent's children so far: their ids follow from its decision and their number."""
        found = []
        for number in count():
            cause = Cause("run", "scripted", 1, BTC, f"slice{number}")
            order = side.record.find(link_id=link_id(cause))
            if order is None:
                return found
            found.append(
                Child(order.link_id, order.shown, order.qty, order.filled_qty, order.limit_price)
            )
        raise AssertionError("numbers do not end")

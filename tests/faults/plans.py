"""What a scripted strategy wants at each decision, by a seed and by what stands on the record."""

import random
from decimal import Decimal

from openalpha.core.instruments import InstrumentId
from openalpha.core.messages import ApprovedIntent, OrderIntent
from openalpha.core.orders import OrderType, Side, TimeInForce, TriggerKind
from openalpha.trading.bybit.side import BybitSide
from openalpha.trading.orders.link_id import Cause, link_id
from openalpha.trading.orders.side import Change, PlacedOrder
from tests.faults.trader import Wishes

BTC = InstrumentId("bybit_linear:BTCUSDT")
PRICE = Decimal(60_000)


def placed(decision: int, leg: str, intent: OrderIntent) -> PlacedOrder:
    """An intent as if the gate had let it pass, under the id that follows from its cause."""
    cause = Cause("run", "scripted", decision, intent.instrument, leg)
    return PlacedOrder(ApprovedIntent(intent, decision), link_id(cause))


def scripted(seed: int, *, last: int = 12) -> "Script":
    return Script(seed, last)


class Script:
    """Markets, limits, stops, cancels, amends, batches, flips: by chance, the same for a seed."""

    def __init__(self, seed: int, last: int) -> None:
        self.seed = seed
        self.last = last

    def __call__(self, decision: int, side: BybitSide) -> Wishes:
        if decision > self.last:
            return Wishes()
        draw = random.Random(self.seed * 1_000 + decision)
        wishes = Wishes()
        count = draw.choice((0, 1, 1, 1, 2, 4))
        wishes.orders = [
            placed(decision, f"leg{number}", self._intent(draw)) for number in range(count)
        ]
        open_ids = [order.link_id for order in side.record.open_orders()]
        if open_ids and draw.random() < 0.4:
            wishes.cancels = draw.sample(open_ids, k=min(len(open_ids), draw.randint(1, 3)))
        limits = [
            order
            for order in side.record.open_orders()
            if order.limit_price is not None and order.link_id not in wishes.cancels
        ]
        if limits and draw.random() < 0.4:
            order = draw.choice(limits)
            price = order.limit_price + Decimal(draw.choice((-50, 50, 100)))
            qty = draw.choice((None, order.qty + Decimal("0.001")))
            wishes.changes = [Change(order.link_id, qty=qty, limit_price=price)]
        return wishes

    def _intent(self, draw: random.Random) -> OrderIntent:
        side = draw.choice((Side.BUY, Side.SELL))
        qty = Decimal(draw.randint(1, 30)) / 1000
        kind = draw.random()
        if kind < 0.35:
            return OrderIntent(0, BTC, side, qty, is_reduce_only=draw.random() < 0.3)
        if kind < 0.8:
            # From far away to through the market.
            away = Decimal(draw.choice((-300, -20, -2, 0, 2, 20, 300, 3_000)))
            tif = draw.choice(list(TimeInForce))
            return OrderIntent(
                0,
                BTC,
                side,
                qty,
                OrderType.LIMIT,
                limit_price=PRICE - away * side,
                time_in_force=tif,
                is_reduce_only=draw.random() < 0.2,
            )
        away = Decimal(draw.choice((60, 300, 3_000)))
        return OrderIntent(
            0,
            BTC,
            side,
            qty,
            trigger_price=PRICE + away * side,
            trigger_kind=TriggerKind.STOP,
            is_reduce_only=draw.random() < 0.7,
        )

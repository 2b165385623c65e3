"""The order path on spot and inverse markets: every coin to the last unit, a death included."""

from decimal import Decimal

import pytest

from openalpha.core.instruments import InstrumentId
from openalpha.core.messages import EffectKind, OrderIntent
from openalpha.core.orders import OrderType, Side
from openalpha.trading.bybit.fates import SideTerms
from openalpha.trading.bybit.side import BybitSide
from tests.fakes.twin import BTC_SPOT, BTC_USD
from tests.faults.plans import placed
from tests.faults.trader import Wishes
from tests.faults.world import Market, World

SPOT = Market(BTC_SPOT, ("",), (("USDT", "50000"),))
INVERSE = Market(BTC_USD, ("BTC",), (("BTC", "2"),))
CASES = [(SPOT, "0.01"), (INVERSE, "100")]


def plan_of(instrument: InstrumentId, qty: Decimal):
    def buys(number: int, leg: str, price: str = ""):
        terms = {"order_type": OrderType.LIMIT, "limit_price": Decimal(price)} if price else {}
        return placed(number, leg, OrderIntent(0, instrument, Side.BUY, qty, **terms))

    def plan(number: int, side: BybitSide) -> Wishes:
        if number in (1, 3, 5):
            return Wishes([buys(number, "market"), buys(number, "limit", "50000")])
        if number in (4, 7):
            intent = OrderIntent(0, instrument, Side.SELL, qty)
            return Wishes([placed(number, "sell", intent)])
        if number == 6:
            return Wishes(cancels=[one.link_id for one in side.record.open_orders()])
        return Wishes()

    return plan


@pytest.mark.parametrize(("market", "qty"), CASES, ids=["spot", "inverse"])
@pytest.mark.parametrize("ahead", [3, 8, 15])
def test_balances_and_executions_are_those_of_the_exchange(
    market: Market, qty: str, ahead: int
) -> None:
    category = market.listing.category
    instrument = InstrumentId(f"bybit_{category}:{market.listing.symbol}")
    terms = SideTerms(categories=(category,))
    world = World(3, plan_of(instrument, Decimal(qty)), terms=terms, market=market)
    world.run(20)
    world.steps.at = world.steps.count + ahead
    world.run(40)
    world.settle()
    assert world.crashes == 1 and world.trader is not None
    side = world.trader.side
    there = {row["coin"]: Decimal(row["walletBalance"]) for row in world.client.wallet()["coin"]}
    assert side.account.statement.balances == there
    for coin, opening in side.account.statement.opening.items():
        effects = [one.amount for one in world.trader.heard.effects if one.coin == coin]
        assert opening + sum(effects) == there[coin]
    kinds = {effect.kind for effect in world.trader.heard.effects}
    moved = EffectKind.TRADE if category == "spot" else EffectKind.REALISED_PNL
    assert kinds == {moved, EffectKind.FEE}
    filled = sum(order.filled_qty * order.side for order in side.record.orders.values())
    assert side.account.holdings[f"{instrument}/0"].qty == filled == Decimal(qty)
    assert world.trader.heard.incidents == []
    rows = [row["execId"] for row in world.account.executions]
    assert sorted(rows) == sorted(fill.exec_id for fill in world.trader.heard.fills)

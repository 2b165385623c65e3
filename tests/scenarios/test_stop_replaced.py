"""A stop that is to replace another: who is told what, and when that is settled."""

from decimal import Decimal

import pytest

from openalpha.trading.orders.record import LiveOrder
from openalpha.trading.venue.books import stands
from tests.faults.stories import buys, stop, world_of
from tests.faults.world import World


@pytest.mark.parametrize("is_gone", [False, True], ids=["stands", "gone"])
def test_a_refused_replacement_is_told_where_the_old_stop_stands(is_gone: bool) -> None:
    # Off the tick: the exchange takes no such stop.
    off = Decimal("55000.03")
    world = world_of({1: buys("0.02"), 2: stop(55_000), 20: stop(off, replaces=2)})
    world.run(30)
    if is_gone:
        (waiting,) = [one for one in world.account.orders.values() if one.status == "Untriggered"]
        world.client.post(
            "/v5/order/cancel",
            category="linear",
            symbol="BTCUSDT",
            orderLinkId=waiting.link_id,
        )
    world.run(160)
    codes = [incident.code for incident in world.trader.heard.incidents]
    assert ("not_replaced" in codes) is not is_gone
    assert world.trader.decisions > 20


def test_a_replacement_that_never_arrived_needs_nobody() -> None:
    world = world_of({1: buys("0.02"), 2: stop(55_000), 20: stop(56_000, replaces=2)})
    world.run(30)
    world.exchange.faults.add({"kind": "drop_before", "match": "/v5/order/create", "count": 9})
    world.run(200)
    (new,) = [order for order in orders_of(world) if order.trigger_price == 56_000]
    assert (new.is_open, new.is_acked) == (False, False)
    assert world.trader is not None and world.trader.heard.incidents == []


def test_nothing_is_settled_before_the_old_stop_is_on_its_way_out() -> None:
    world = world_of({1: buys("0.02"), 2: stop(55_000), 20: stop(56_000, replaces=2)})
    world.exchange.faults.add({"kind": "miss_push", "probability": 1.0})
    while not any(order.replaces for order in orders_of(world)):
        world.turn()
    seen = set()
    while any(order.replaces for order in orders_of(world)):
        (new,) = [order for order in orders_of(world) if order.replaces]
        seen.add(new.is_acked)
        assert not stands(new)
        world.turn()
    assert seen == {False, True}, "it was taken before the exchange showed it"
    world.run(100)
    assert [stands(order) for order in orders_of(world) if order.is_open] == [True]


def orders_of(world: World) -> list[LiveOrder]:
    return [] if world.trader is None else list(world.trader.side.record.orders.values())

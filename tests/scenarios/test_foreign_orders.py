"""Orders and trades that are none of the run's: told once, left alone or fenced, counted right."""

from decimal import Decimal

import pytest

from openalpha.net import Priority
from openalpha.store.exchange_key import ExchangeKey
from openalpha.trading.bybit.fates import SideTerms
from openalpha.venue.bybit.flatten import flatten
from tests.fakes.bybit import URL, pausing, wire
from tests.faults.scenario import settled_verdict
from tests.faults.stories import buys
from tests.faults.trader import Wishes
from tests.faults.world import World


def world_of(policy: str, *, acts=None) -> World:
    acts = acts or {}

    def plan(decision: int, side):
        return acts[decision](side) if decision in acts else Wishes()

    return World(2, plan, terms=SideTerms(foreign=policy))


def open_orders(world: World) -> list[str]:
    return sorted(one.link_id for one in world.account.orders.values() if one.is_open)


@pytest.mark.parametrize(("policy", "left"), [("adopt", ["entry", "exit"]), ("fence", ["exit"])])
def test_an_order_by_hand_is_told_once_and_treated_by_policy(policy: str, left: list[str]) -> None:
    world = world_of(policy, acts={1: buys("0.02")})
    world.run(16)
    world.client.order("Buy", "0.01", "50000", orderLinkId="entry")
    world.client.order("Sell", "0.01", "70000", orderLinkId="exit", reduceOnly=True)
    world.run(80)
    world.steps.at = world.steps.count + 5
    world.run(20)
    world.settle()
    assert open_orders(world) == left
    assert settled_verdict(world, {"foreign_order"}) == []
    told = [one for one in world.trader.heard.incidents if one.code == "foreign_order"]
    assert len(told) == 2, "each once, a restart between"
    assert sum("was cancelled" in one.words for one in told) == (policy == "fence")


def test_a_trade_by_hand_changes_the_position_and_is_told_once() -> None:
    world = world_of("adopt", acts={1: buys("0.02")})
    world.run(16)
    world.client.order("Sell", "0.005", reduceOnly=True)
    world.run(60)
    world.settle()
    assert settled_verdict(world, {"foreign_fill"}) == []
    held = world.trader.side.account.holdings["bybit_linear:BTCUSDT/0"]
    assert held.qty == Decimal("0.015")
    assert [one.code for one in world.trader.heard.incidents] == ["foreign_fill"]
    theirs = [fill for fill in world.trader.heard.fills if not fill.link_id]
    assert [fill.fill.qty for fill in theirs] == [Decimal("0.005")]


def test_an_emergency_stop_is_known_for_what_it_is_and_told_as_one() -> None:
    """It closes by orders of its own: nobody else traded, and one settling is enough."""
    world = world_of("adopt", acts={1: buys("0.02"), 20: buys("0.01")})
    key = ExchangeKey(world.client.key, world.client.secret, URL)
    stopper = wire(world.exchange, key, priority=Priority.RISK)[0]
    for _ in range(2):
        world.run(40)
        assert flatten(stopper, pause=pausing(world.exchange)).is_done
    world.run(60)
    world.settle()
    told = [(one.code, one.words) for one in world.trader.heard.incidents]
    assert len(told) == 2 and {code for code, _ in told} == {"stopped"} and len(set(told)) == 1
    assert not world.trader.side.account.holdings["bybit_linear:BTCUSDT/0"].qty


def test_a_position_that_no_execution_explains_is_an_incident_and_taken_over() -> None:
    world = world_of("adopt", acts={1: buys("0.02")})
    world.run(16)
    wrong = world.trader.side.account.holdings["bybit_linear:BTCUSDT/0"]
    wrong.qty += 1
    wrong.agree()
    world.run(120)
    codes = [one.code for one in world.trader.heard.incidents]
    assert codes == ["position_differs"], "told once, then the exchange's word holds"
    held = world.trader.side.account.holdings["bybit_linear:BTCUSDT/0"]
    assert held.qty == Decimal("0.02")


def test_a_balance_that_the_statement_does_not_explain_is_an_incident() -> None:
    world = world_of("adopt", acts={1: buys("0.02"), 10: buys("0.01")})
    world.run(16)
    world.trader.side.account.statement.balances["USDT"] += 1
    world.run(120)
    assert [one.code for one in world.trader.heard.incidents] == ["balance_differs"]

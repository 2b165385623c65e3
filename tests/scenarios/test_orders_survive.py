"""No order is lost, doubled or misjudged, wherever the trader dies and whatever fails around it.

Trader and exchange run in this process on a virtual clock; each case is replayed from its number.
`python -m tests.faults scenarios` runs many more and writes docs/reliability.md.
"""

from decimal import Decimal

import pytest

from openalpha.core.messages import OrderIntent
from openalpha.core.orders import Side
from openalpha.trading.bybit.side import BybitSide
from openalpha.trading.orders.algorithms import Kind
from tests.faults.crashes import crash_everywhere
from tests.faults.plans import BTC, placed
from tests.faults.scenario import run_scenario, settled_verdict
from tests.faults.stories import agrees, asked, buys, sells, world_of
from tests.faults.trader import Trader, Wishes
from tests.faults.whole import crash_all
from tests.faults.whole_stories import STORIES
from tests.faults.worked import WHOLE, Worked
from tests.faults.world import World

SCENARIOS, GROUPS = 200, 20


@pytest.mark.parametrize(("seed", "decisions"), [(1, 2), (4, 1)])
def test_a_crash_at_every_step_of_the_order_path(seed: int, decisions: int) -> None:
    report = crash_everywhere(seed, decisions=decisions)
    assert report.faults == []
    assert report.points > 40, "the path has that many places to die at"
    assert {"sync", "synced", "write"} <= report.names
    assert any(name.startswith("processed order/create") for name in report.names)
    assert any(name.startswith("sending order/create") for name in report.names)
    assert report.slowest_ms <= 10_000, "recovery takes ten seconds at most"


def test_a_crash_in_the_recovery_from_a_crash() -> None:
    report = crash_everywhere(1, decisions=1, twice=True)
    assert report.faults == []
    assert report.points > 40


@pytest.mark.parametrize("group", range(GROUPS))
def test_seeded_scenarios(group: int) -> None:
    size = SCENARIOS // GROUPS
    verdicts = [run_scenario(seed) for seed in range(group * size, (group + 1) * size)]
    assert [(v.seed, v.kinds, v.faults) for v in verdicts if v.faults] == []
    assert sum(verdict.orders for verdict in verdicts) > size


def test_a_scenario_is_replayed_from_its_seed() -> None:
    assert run_scenario(7) == run_scenario(7)


@pytest.mark.parametrize("kind", [Kind.TWAP, Kind.ICEBERG, Kind.CHASE])
def test_a_worked_order_is_whole_wherever_the_trader_dies(kind: Kind) -> None:
    for at in range(20, 220, 40):
        plan = Worked(kind)
        world = World(at, plan)
        world.steps.at = at
        world.run(170)
        world.settle()
        assert settled_verdict(world, set()) == [], at
        assert world.trader is not None
        filled = sum(child.filled_qty for child in plan.children(world.trader.side))
        assert filled <= WHOLE, at
        if kind is not Kind.CHASE:
            # Its pieces are at the market or through it; a chase may rest unfilled to its end.
            assert filled == WHOLE, at
        assert world.crashes == 1


LONG = {"entries worked as a VWAP", "entries worked as an iceberg"}
NIGHTLY = pytest.mark.nightly


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=NIGHTLY if name in LONG else ()) for name in STORIES]
)
def test_the_whole_loop_ended_now_and_then_in_a_story(name: str) -> None:
    """`python -m tests.faults scenarios` ends it at every step of each story."""
    report = crash_all(name, every=211, first=41)
    assert report.points >= 2
    assert report.faults == []


def buys_by_the_clock(decision: int, side: BybitSide) -> Wishes:
    """A strategy that decides anew after a restart: the time is another, so the order is."""
    if decision > 1:
        return Wishes()
    return Wishes([placed(side.now_ms, "entry", OrderIntent(0, BTC, Side.BUY, Decimal("0.01")))])


@pytest.mark.parametrize("is_synced", [True, False])
def test_an_order_sent_before_its_intent_is_on_the_disk_is_lost(
    is_synced: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    send = Trader.send

    def hasty(self: Trader, now_ms: int) -> None:
        sync, self.log.sync = self.log.sync, lambda: None
        send(self, now_ms)
        self.log.sync = sync
        sync()

    if not is_synced:
        monkeypatch.setattr(Trader, "send", hasty)
    world = World(1, buys_by_the_clock)
    while not any(name == "processed order/create" for name in world.steps.names):
        world.turn()
    at = world.steps.names.index("processed order/create") + 1
    world = World(1, buys_by_the_clock)
    world.steps.at = at
    world.run(40)
    world.settle()
    faults = settled_verdict(world, set(), turns=4)
    assert world.crashes == 1
    assert any("is lost" in fault for fault in faults) is not is_synced


def test_a_refusal_of_the_second_request_leaves_the_first_open() -> None:
    """Found by scenario 7606: an exit that was sent twice, refused, and filled by the first.

    Guard: a refusal ends an order only if nothing else was sent under its id
    (`Fates.is_open_question`).
    """
    world = world_of({1: buys("0.02"), 6: sells("0.02")})
    while world.trader is None or world.trader.decisions < 5:
        world.turn()
    world.network.weather.late = 1.0
    while not world.network.late:
        world.turn()
    world.network.weather.late = 0.0
    ((_, request),) = world.network.late
    arrives_ms = int(request.headers["X-BAPI-TIMESTAMP"]) + 2_300
    world.network.late = [(arrives_ms, request)]
    world.client.order("Sell", "0.02", reduceOnly=True)
    while asked(world, "order/create") < 2:
        world.turn()
    world.run(2)
    assert world.network.late, "the first request is still on its way"
    world.client.order("Buy", "0.01")
    world.exchange.faults.add({"kind": "miss_push", "match": "order", "count": 9})
    world.run(20)
    world.settle()
    agrees(world, "foreign_fill", "average_price_differs")

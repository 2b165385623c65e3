"""A scenario of a seed: which faults, when, and the world after them."""

import contextlib
import random
from collections.abc import Callable
from dataclasses import dataclass, field

from tests.fakes.twin import Refusal
from tests.faults.judge import judge
from tests.faults.plans import scripted
from tests.faults.world import World

TURNS = 60
LONGEST_MS = 10_000
"""Longest recovery, once the exchange answers what it is asked."""
# Ordinary nights, and the nights on which clocks are changed in Sydney, London and New York.
STARTS_MS = (
    1_700_000_000_000,
    1_712_415_570_000,
    1_728_143_970_000,
    1_711_846_770_000,
    1_730_613_570_000,
)
_REQUEST_FAULTS = (
    "drop_before",
    "drop_after",
    "duplicate",
    "truncate",
    "http_500",
    "rate_limited",
    "busy_before",
    "busy_after",
    "stale_time",
)
_PUSH_FAULTS = ("miss_push", "duplicate_push", "delay_push", "reverse_push")
Act = Callable[[World], None]


@dataclass
class Verdict:
    """What became of a scenario."""

    seed: int
    kinds: tuple[str, ...]
    faults: list[str] = field(default_factory=list)
    crashes: int = 0
    orders: int = 0
    fills: int = 0
    recoveries_ms: list[int] = field(default_factory=list)
    served_ms: list[int] = field(default_factory=list)


@dataclass
class Storm:
    """The faults of one scenario: kinds for the record, acts by turn."""

    kinds: set[str] = field(default_factory=set)
    acts: dict[int, list[Act]] = field(default_factory=dict)

    def at(self, turn: int, kind: str, act: Act) -> None:
        self.kinds.add(kind)
        self.acts.setdefault(turn, []).append(act)


def run_scenario(seed: int) -> Verdict:
    """Run the scenario of a seed and judge it."""
    draw = random.Random(f"scenario {seed}")
    world = World(seed, scripted(seed), start_ms=draw.choice(STARTS_MS))
    storm = make_storm(draw)
    verdict = Verdict(seed, tuple(sorted(storm.kinds)))
    try:
        for turn in range(TURNS):
            for act in storm.acts.get(turn, ()):
                act(world)
            world.turn()
        world.settle()
        is_by_hand = "hand trade" in storm.kinds
        verdict.faults = settled_verdict(
            world, {"foreign_order", "foreign_fill"} if is_by_hand else set()
        )
    except AssertionError as error:
        verdict.faults = [f"{type(error).__name__}: {str(error)[:400]}"]
    verdict.crashes = world.crashes
    verdict.recoveries_ms, verdict.served_ms = world.recoveries_ms, world.served_ms
    verdict.faults += [f"recovery took {ms} ms" for ms in world.served_ms if ms > LONGEST_MS]
    if world.trader is not None:
        verdict.orders = len(world.trader.side.record.orders)
        verdict.fills = len(world.trader.heard.fills)
    return verdict


def settled_verdict(world: World, expected: set[str], *, turns: int = 160) -> list[str]:
    """Judge, and again for a while: the market moves on while one looks.

    What was lost stays lost and what was doubled stays doubled, so waiting hides neither.
    """
    faults = judge(world, expected=expected)
    for _ in range(turns):
        if not faults:
            break
        world.turn()
        faults = judge(world, expected=expected)
    return faults


def make_storm(draw: random.Random) -> Storm:
    """Two to six kinds of trouble, each somewhere in the run."""
    storm = Storm()
    makers = (_crashes, _requests, _pushes, _late, _away, _disk, _clock, _sockets, _latency, _hand)
    for maker in draw.sample(makers, k=draw.randint(2, 6)):
        maker(storm, draw)
    return storm


def _crashes(storm: Storm, draw: random.Random) -> None:
    for _ in range(draw.randint(1, 4)):
        ahead = draw.randint(1, 40)

        def act(world: World, ahead: int = ahead) -> None:
            world.steps.at = world.steps.count + ahead

        storm.at(draw.randrange(TURNS), "crash", act)


def _requests(storm: Storm, draw: random.Random) -> None:
    for kind in draw.sample(_REQUEST_FAULTS, k=draw.randint(1, 4)):
        rule = {
            "kind": kind,
            "match": draw.choice(("", "/v5/order", "/v5/order/create", "/v5/order/cancel")),
            "probability": draw.choice((0.1, 0.3, 0.6)),
            "count": draw.choice((1, 3, 10)),
        }
        storm.at(draw.randrange(TURNS), kind, lambda world, rule=rule: _add(world, rule))


def _pushes(storm: Storm, draw: random.Random) -> None:
    for kind in draw.sample(_PUSH_FAULTS, k=draw.randint(1, 3)):
        rule = {
            "kind": kind,
            "match": draw.choice(("", "order", "execution")),
            "probability": draw.choice((0.2, 0.5, 1.0)),
            "count": draw.choice((1, 5, 20)),
            "size_ms": draw.choice((300, 2_000)),
        }
        storm.at(draw.randrange(TURNS), kind, lambda world, rule=rule: _add(world, rule))


def _add(world: World, rule: dict[str, object]) -> None:
    world.exchange.faults.add(rule)


def _late(storm: Storm, draw: random.Random) -> None:
    chance = draw.choice((0.05, 0.2, 0.5))
    turn = draw.randrange(TURNS)

    def begin(world: World) -> None:
        world.network.weather.late = chance

    def finish(world: World) -> None:
        world.network.weather.late = 0.0

    storm.at(turn, "late request", begin)
    storm.at(turn + draw.randint(2, 12), "late request", finish)


def _away(storm: Storm, draw: random.Random) -> None:
    """The exchange restarts: its sockets are cut and it does not answer for a while."""
    turn = draw.randrange(TURNS)

    def go(world: World) -> None:
        world.hub.strike("restart", "")
        world.network.weather.is_away = True

    def come(world: World) -> None:
        world.network.weather.is_away = False

    storm.at(turn, "exchange restart", go)
    storm.at(turn + draw.randint(1, 12), "exchange restart", come)


def _disk(storm: Storm, draw: random.Random) -> None:
    room = draw.choice((0, 50, 700))

    def fill(world: World) -> None:
        world.disk.capacity = world.disk.used() + room

    storm.at(draw.randrange(TURNS), "disk full", fill)


def _clock(storm: Storm, draw: random.Random) -> None:
    for _ in range(draw.randint(1, 3)):
        jump_ms = draw.choice((-3_600_000, -5_000, -900, 900, 5_000, 3_600_000))

        def jump(world: World, jump_ms: int = jump_ms) -> None:
            world.skewed.wrong_ms += jump_ms

        storm.at(draw.randrange(TURNS), "clock jump", jump)


def _sockets(storm: Storm, draw: random.Random) -> None:
    kind = draw.choice(("close_sockets", "half_open"))

    def cut(world: World) -> None:
        world.hub.strike(kind, "private")

    storm.at(draw.randrange(TURNS), kind, cut)


def _latency(storm: Storm, draw: random.Random) -> None:
    latency_ms = draw.choice((30, 300, 1_500))

    def slow(world: World) -> None:
        world.exchange.state.latency_ms = latency_ms

    storm.at(draw.randrange(TURNS), "latency", slow)


def _hand(storm: Storm, draw: random.Random) -> None:
    """The person trades the same account by hand."""
    side, qty = draw.choice(("Buy", "Sell")), str(draw.randint(1, 9) / 1000)
    price = draw.choice(("", "50000", "70000"))

    def trade(world: World) -> None:
        # A fault may strike the person's order too.
        with contextlib.suppress(Refusal, ValueError):
            world.client.order(side, qty, price, timeInForce="GTC" if price else "IOC")

    storm.at(draw.randrange(TURNS), "hand trade", trade)

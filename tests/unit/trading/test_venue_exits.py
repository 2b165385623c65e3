"""Exits of a position at a venue: where they stand, by hand and beside the kernel's own."""

import random
from dataclasses import replace
from decimal import Decimal

import pytest

from openalpha.core.messages import OrderIntent
from openalpha.core.orders import OrderType, Side, TriggerKind
from openalpha.core.units import from_units
from openalpha.engine.rows import Row
from openalpha.engine.step import SignalStep
from openalpha.strategy.params import Exits
from openalpha.trading.venue.exits import STOP, TAKE_PROFIT, ExitTerms, Levels
from openalpha.venue.kernel import layout as at
from tests.fakes.small_market import linear, settings

D = Decimal
MINUTE_MS, START_MS = 60_000, 1_700_000_040_000
TICK = D("0.5")


def attached(side: int, price: str, **terms: int) -> Levels:
    levels = Levels(ExitTerms(since_ms=START_MS, **terms))
    levels.attach(side, D(price), tick=TICK, filled_ms=START_MS + 80)
    return levels


@pytest.mark.parametrize(
    ("side", "price", "e6", "stop", "profit"),
    [
        (1, "100", 20_000, "98", "102"),
        (-1, "100", 20_000, "102", "98"),
        (1, "100.1", 10_000, "99", "101.5"),
        (-1, "100.1", 10_000, "101.5", "99"),
        (1, "0.5", 500_000, "0.5", "1"),
    ],
)
def test_levels_are_measured_from_the_average_price_and_rounded_away_from_it(
    side: int, price: str, e6: int, stop: str, profit: str
) -> None:
    levels = attached(side, price, stop_e6=e6, take_profit_e6=e6)
    assert levels.level(STOP, side) == D(stop)
    assert levels.level(TAKE_PROFIT, side) == D(profit)


def followed(levels: Levels, side: int, *bars: tuple[int, str, str, str]) -> str:
    for number, high, low, close in bars:
        opened = START_MS + number * MINUTE_MS
        levels.follow(side, (D(high), D(low), D(close)), span=(opened, opened + MINUTE_MS))
    return f"{levels.level(STOP, side).normalize():f}"


def test_a_trailing_stop_follows_the_extremes_and_never_goes_back() -> None:
    long = attached(1, "100", trailing_e6=100_000)
    assert followed(long, 1, (0, "104", "99", "101")) == "94"
    assert followed(long, 1, (1, "103", "97", "98")) == "94"
    short = attached(-1, "100", trailing_e6=100_000)
    assert followed(short, -1, (0, "104", "99", "101"), (1, "101", "95", "97")) == "105"


def test_of_a_fixed_and_a_trailing_stop_the_nearer_one_stands() -> None:
    levels = attached(1, "100", stop_e6=50_000, trailing_e6=100_000)
    assert followed(levels, 1) == "95"
    assert followed(levels, 1, (0, "110", "100", "109")) == "100"


def test_a_trailing_stop_waits_for_its_activation() -> None:
    levels = attached(1, "100", trailing_e6=10_000, activation_e6=50_000)
    assert followed(levels, 1, (0, "104.5", "99", "104")) == "0"
    assert followed(levels, 1, (1, "105", "99", "100")) == "104"


def test_the_bar_of_a_fill_in_its_middle_counts_by_its_close_alone() -> None:
    levels = Levels(ExitTerms(trailing_e6=100_000))
    levels.attach(1, D(100), tick=TICK, filled_ms=START_MS + 20_000)
    assert followed(levels, 1, (-1, "150", "100", "150")) == "90", "it was over before"
    assert followed(levels, 1, (0, "120", "99", "102")) == "92"
    assert followed(levels, 1, (1, "120", "99", "102")) == "110"


def test_what_fills_late_does_not_count_the_bars_before() -> None:
    levels = Levels(ExitTerms(trailing_e6=100_000, since_ms=START_MS))
    levels.attach(1, D(100), tick=TICK, filled_ms=START_MS + 90_000)
    assert followed(levels, 1, (0, "150", "99", "101"), (1, "150", "99", "101")) == "91"


def test_a_closed_position_has_none() -> None:
    levels = attached(1, "100", stop_e6=1, take_profit_e6=1, trailing_e6=1, time_exit_ms=1)
    levels.reached = STOP
    levels.clear()
    assert levels == Levels(levels.terms)


def intent(**more: object) -> OrderIntent:
    made = OrderIntent(5, linear().id, Side.BUY, D(1), stop_e6=7, time_exit_ms=9)
    return replace(made, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("terms", "since_ms"),
    [
        ({}, 5),
        ({"order_type": OrderType.LIMIT, "limit_price": D(3)}, 0),
        ({"trigger_price": D(3), "trigger_kind": TriggerKind.STOP}, 0),
    ],
)
def test_an_order_carries_its_exits_and_one_that_rests_counts_from_its_fill(
    terms: dict[str, object], since_ms: int
) -> None:
    assert ExitTerms.of(intent(**terms)) == ExitTerms(7, time_exit_ms=9, since_ms=since_ms)


def test_an_order_that_only_closes_carries_none() -> None:
    assert ExitTerms.of(intent(is_reduce_only=True)) is None


def of_kernel(step: SignalStep) -> dict[str, int]:
    """The exits that the kernel has attached to the one instrument's position."""
    arena = step.account.machine.arena
    first, count = (
        int(arena[at.HEAD_COLS + at.I_ORDERS_AT]),
        int(arena[at.HEAD_COLS + at.I_N_ORDERS]),
    )
    found: dict[str, int] = {}
    for number in range(count):
        row = arena[first + number * at.ORDER_COLS : first + (number + 1) * at.ORDER_COLS]
        if not row[at.O_ATTACHED] or row[at.O_STATUS] == at.FREE:
            continue
        kind = int(row[at.O_TKIND])
        if kind == at.TRAILING:
            names = {"distance": at.O_DISTANCE, "best": at.O_BEST, "is_active": at.O_ACTIVE}
            found |= {name: int(row[column]) for name, column in names.items()}
        elif kind == at.NO_TRIGGER:
            found["due_ms"] = int(row[at.O_ARRIVE])
        else:
            found["stop" if kind == at.STOP else "take_profit"] = int(row[at.O_TRIGGER])
    return found


@pytest.mark.parametrize("seed", range(12))
def test_they_stand_where_the_kernel_has_them_after_every_bar(seed: int) -> None:
    draw, item = random.Random(seed), linear()
    side = draw.choice((1, -1))
    exits = Exits(
        stop_e6=draw.randint(20_000, 90_000),
        take_profit_e6=draw.randint(20_000, 90_000),
        trailing_e6=draw.randint(10_000, 60_000),
        activation_e6=draw.choice((0, draw.randint(1_000, 20_000))),
        time_exit_bars=draw.randint(5, 60),
    )
    step = SignalStep(
        [item], timeframe_ms=MINUTE_MS, capital=D(10_000), settings=settings(), exits=exits
    )
    tick = int(item.steps[-1].tick_size.scaleb(item.price_decimals))
    levels, price, seen = Levels(), 30_000 * 10**item.price_decimals // tick * tick, 0
    for number in range(80):
        opening, high, low = price, price, price
        for _ in range(6):
            price += draw.randint(-400, 400) * tick
            high, low = max(high, price), min(low, price)
        span = (START_MS + number * MINUTE_MS, START_MS + (number + 1) * MINUTE_MS)
        row = Row(span[0], ((opening, high, low, price, 10**12),))
        done = step.lead(row, [side * 1_000_000])
        for fill in done.written.fills:
            entry = from_units(int(fill[at.F_PRICE]), item.price_decimals)
            if levels.filled_ms:
                levels.clear()
            else:
                time_ms = exits.time_exit_bars * MINUTE_MS
                levels.terms = ExitTerms(
                    exits.stop_e6,
                    exits.take_profit_e6,
                    exits.trailing_e6,
                    exits.activation_e6,
                    time_ms,
                    span[0],
                )
                levels.attach(side, entry, tick=item.steps[-1].tick_size, filled_ms=span[0])
        top, bottom, close = (
            from_units(units, item.price_decimals) for units in (high, low, price)
        )
        levels.follow(side, (top, bottom, close), span=span)
        theirs = of_kernel(step)
        for name, units in theirs.items():
            mine = getattr(levels, name)
            is_price = name in ("stop", "take_profit", "distance", "best")
            if name != "best" or theirs["is_active"]:
                assert mine == (from_units(units, item.price_decimals) if is_price else units), name
        seen += bool(theirs)
        if number and not theirs and not levels.filled_ms:
            break
    assert seen, "a position was held"

"""Market and limit orders as stories: how they fill, wait and are refused."""

from dataclasses import replace

import pytest

from openalpha.core.orders import TimeInForce, TriggerKind
from openalpha.core.reasons import Reason
from tests.reference.engines import on_both_engines
from tests.reference.scenario import AccountCase, New, Step
from tests.reference.stories import BUY, LINEAR, SELL, Story, flat, table, tell

R = Reason
TENTH = replace(LINEAR, participation_e6=100_000)
IOC, FOK, POST = TimeInForce.IOC, TimeInForce.FOK, TimeInForce.POST_ONLY
STOP, TRAIL = TriggerKind.STOP, TriggerKind.TRAILING
F = flat(100)


@on_both_engines
@table(
    Story(
        "a market order fills at the next open",
        (F, (101, 103, 99, 102)),
        (New(0, BUY, 2),),
        ((60, 1, 2, 101, R.MARKET),),
        position=2,
    ),
    Story(
        "an order made before the first bar fills at its open",
        ((101, 103, 99, 102),),
        (New(-1, SELL, 2),),
        ((0, 1, -2, 101, R.MARKET),),
        position=-2,
    ),
    Story(
        "a bar without volume fills nothing",
        (F, (*F, 0), (103, 103, 103, 103, 1_000)),
        (New(0, BUY, 2),),
        ((120, 1, 2, 103, R.MARKET),),
        rules=TENTH,
    ),
    Story(
        "a tenth of each bar until done",
        (F, (*F, 100), (*flat(101), 109), (*flat(102), 100)),
        (New(0, BUY, 25),),
        ((60, 1, 10, 100, R.MARKET), (120, 1, 10, 101, R.MARKET), (180, 1, 5, 102, R.MARKET)),
        rules=TENTH,
    ),
    Story(
        "what one order took another cannot",
        (F, (*F, 100), (*F, 100)),
        (New(0, BUY, 7), New(0, BUY, 7)),
        ((60, 1, 7, 100, R.MARKET), (60, 2, 3, 100, R.MARKET), (120, 2, 4, 100, R.MARKET)),
        rules=TENTH,
    ),
    Story(
        "immediate-or-cancel takes what there is",
        (F, (*F, 100), F),
        (New(0, BUY, 25, time_in_force=IOC),),
        ((60, 1, 10, 100, R.MARKET),),
        ended={1: R.IOC_REMAINDER},
        rules=TENTH,
    ),
    Story(
        "fill-or-kill takes all or nothing",
        (F, (*F, 100), F),
        (New(0, BUY, 11, time_in_force=FOK), New(0, BUY, 10, time_in_force=FOK)),
        ((60, 2, 10, 100, R.MARKET),),
        ended={1: R.FOK_NOT_FILLABLE},
        rules=TENTH,
    ),
    Story(
        "a lot is the least that fills",
        (F, (*F, 190), (*F, 400)),
        (New(0, BUY, 20),),
        # budget 19 holds one lot of 10; the next bar's 40 the other
        ((60, 1, 10, 100, R.MARKET), (120, 1, 10, 100, R.MARKET)),
        rules=replace(TENTH, steps=(Step(0, 1, 10),)),
    ),
)
def test_market_orders(engine: str, story: Story) -> None:
    tell(engine, story)


@on_both_engines
@table(
    Story("a touch does not fill", (F, (100, 101, 98, 100)), (New(0, BUY, 2, 98),), ()),
    Story(
        "a trade through fills at the limit",
        # flat with buys only: the high comes first, the low at 60 + 40
        (F, (100, 101, 97, 100)),
        (New(0, BUY, 2, 98),),
        ((100, 1, 2, 98, R.LIMIT_RESTED),),
    ),
    Story(
        "a sell is filled from above",
        # flat with sells only: the low comes first, the high at 60 + 40
        (F, (100, 103, 97, 100)),
        (New(0, SELL, 2, 102),),
        ((100, 1, -2, 102, R.LIMIT_RESTED),),
    ),
    Story(
        "a gap through the limit still fills at the limit",
        (F, F, flat(95)),
        (New(0, BUY, 2, 98),),
        ((120, 1, 2, 98, R.LIMIT_RESTED),),
    ),
    Story(
        "a marketable limit takes at the market",
        (F, (101, 101, 101, 101)),
        (New(0, BUY, 2, 105),),
        ((60, 1, 2, 101, R.LIMIT_TAKEN),),
    ),
    Story(
        "a limit at the ask takes",
        (F, flat(101)),
        (New(0, BUY, 2, 101),),
        ((60, 1, 2, 101, R.LIMIT_TAKEN),),
    ),
    Story(
        "impact never pushes a taker beyond its limit",
        # 1 % at the whole bar's volume: 101 for half of it would be ceil(100.71) = 101; limit 100
        (F, (*F, 1_000)),
        (New(0, BUY, 500, 100),),
        ((60, 1, 500, 100, R.LIMIT_TAKEN),),
        rules=replace(LINEAR, impact_e8=10**6),
    ),
    Story(
        "immediate-or-cancel that is not marketable",
        (F, F),
        (New(0, BUY, 2, 99, time_in_force=IOC),),
        (),
        ended={1: R.IOC_REMAINDER},
    ),
    Story(
        "fill-or-kill that is not marketable",
        (F, F),
        (New(0, BUY, 2, 99, time_in_force=FOK),),
        (),
        ended={1: R.FOK_NOT_FILLABLE},
    ),
    Story(
        "fill-or-kill with too little to take",
        (F, (*F, 100)),
        (New(0, BUY, 11, 100, time_in_force=FOK),),
        (),
        ended={1: R.FOK_NOT_FILLABLE},
        rules=TENTH,
    ),
    Story(
        "post-only that would take is refused",
        (F, F),
        (New(0, BUY, 2, 100, time_in_force=POST), New(0, SELL, 2, 100, time_in_force=POST)),
        (),
        ended={1: R.POST_ONLY_WOULD_TAKE, 2: R.POST_ONLY_WOULD_TAKE},
    ),
    Story(
        "post-only rests",
        (F, (100, 100, 98, 100)),
        (New(0, BUY, 2, 99, time_in_force=POST),),
        ((100, 1, 2, 99, R.LIMIT_RESTED),),
    ),
    Story(
        "the remainder of a taker rests and is a maker later",
        # after the taker's 10 of bar 1, bar 2 falls through the limit: 15 of 20
        (F, (*F, 100), (100, 100, 98, 99, 200)),
        (New(0, BUY, 25, 100),),
        ((60, 1, 10, 100, R.LIMIT_TAKEN), (140, 1, 15, 100, R.LIMIT_RESTED)),
        rules=TENTH,
    ),
    Story(
        "the nearer of two limits fills first, then the earlier",
        (F, (100, 100, 95, 100, 100)),
        (New(0, BUY, 6, 97), New(0, BUY, 6, 98), New(0, BUY, 6, 97)),
        ((100, 2, 6, 98, R.LIMIT_RESTED), (100, 1, 4, 97, R.LIMIT_RESTED)),
        rules=TENTH,
    ),
)
def test_limit_orders(engine: str, story: Story) -> None:
    tell(engine, story)


REFUSALS = [
    (New(0, BUY, 15), R.OFF_LOT),
    (New(0, BUY, 20, 101), R.OFF_TICK),
    (New(0, BUY, 20, trigger_kind=STOP, trigger=111), R.OFF_TICK),
    (New(0, SELL, 20, trigger_kind=TRAIL, distance=0), R.OFF_TICK),
    (New(0, BUY, 20, -5), R.OFF_TICK),
    (New(0, BUY, 10), R.BELOW_MIN_QTY),
    (New(0, BUY, 20), R.BELOW_MIN_NOTIONAL),
    (New(0, BUY, 30, 95), R.BELOW_MIN_NOTIONAL),
    (New(0, BUY, 30), R.NONE),
    (New(0, BUY, 50, 60), R.NONE),
    (New(0, BUY, 50, 55), R.BELOW_MIN_NOTIONAL),
    (New(0, BUY, 210), R.ABOVE_MAX_QTY),
    (New(0, BUY, 210, 95), R.NONE),
    (New(0, BUY, 410, 95), R.ABOVE_MAX_QTY),
    (New(0, BUY, 30, leg=1), R.LEG_MISMATCH),
]


@on_both_engines
@pytest.mark.parametrize(("order", "reason"), REFUSALS)
def test_refusals_by_the_instruments_rules(engine: str, order: New, reason: Reason) -> None:
    """Tick 5, lot 10, quantities 20 to 400 (market 200), at least 3,000 of value."""
    rules = replace(
        LINEAR,
        steps=(Step(0, 5, 10),),
        min_qty=20,
        max_qty=400,
        max_market_qty=200,
        min_notional=3_000,
    )
    fills = ((60, 1, 30, 100, R.MARKET),) if order == New(0, BUY, 30) else ()
    ended = {} if reason is R.NONE else {1: reason}
    tell(engine, Story("refusal", (F, F), (order,), fills, ended=ended, rules=rules))


@on_both_engines
@pytest.mark.parametrize(("qty", "reason"), [(2**53, R.NONE), (2**54, R.TOO_LARGE_FOR_UNITS)])
def test_an_order_beyond_the_bound_is_refused(engine: str, qty: int, reason: Reason) -> None:
    """Price 128 = 2^7: a quantity of 2^54 reaches 2^61."""
    rules = replace(LINEAR, max_qty=2**60, max_market_qty=2**60, den=10**9)
    story = Story(
        "bound",
        (flat(128), flat(128)),
        (New(0, BUY, qty, 127), New(0, BUY, qty)) if reason is R.NONE else (New(0, BUY, qty),),
        ((60, 2, qty, 128, R.MARKET),) if reason is R.NONE else (),
        ended={} if reason is R.NONE else {1: reason},
        rules=rules,
        account=AccountCase(balances=(10**10,)),
    )
    tell(engine, story)


@on_both_engines
def test_tick_and_lot_are_dated(engine: str) -> None:
    """From 120 on the tick is 5 and the lot 10: what was fine before is refused."""
    rules = replace(LINEAR, steps=(Step(0, 1, 1), Step(120, 5, 10)))
    story = Story(
        "dated",
        (F, F, F),
        (New(0, BUY, 3), New(1, BUY, 3), New(1, BUY, 10, 99), New(1, BUY, 10)),
        ((60, 1, 3, 100, R.MARKET), (120, 4, 10, 100, R.MARKET)),
        ended={2: R.OFF_LOT, 3: R.OFF_TICK},
        rules=rules,
    )
    tell(engine, story)

"""Orders as stories: how each kind fills, waits, is refused, and how one ends another."""

from dataclasses import replace

import pytest

from openalpha.core.orders import TimeInForce, TriggerBy, TriggerKind
from openalpha.core.reasons import Reason
from tests.reference.engines import on_both_engines
from tests.reference.scenario import AccountCase, Amend, Cancel, ExitsCase, New, Step
from tests.reference.stories import BUY, LINEAR, SELL, Story, flat, table, tell

R = Reason
TENTH = replace(LINEAR, participation_e6=100_000)
IOC, FOK, POST = TimeInForce.IOC, TimeInForce.FOK, TimeInForce.POST_ONLY
STOP, PROFIT, TRAIL = TriggerKind.STOP, TriggerKind.TAKE_PROFIT, TriggerKind.TRAILING
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


LONG = New(0, BUY, 2)
STOP_95 = New(0, SELL, 2, trigger_kind=STOP, trigger=95, is_reduce_only=True)
PROFIT_105 = New(0, SELL, 2, trigger_kind=PROFIT, trigger=105, is_reduce_only=True)
IN = (60, 1, 2, 100, R.MARKET)


@on_both_engines
@table(
    Story(
        "a stop fills at its trigger",
        (F, F, (100, 101, 94, 96)),
        (LONG, STOP_95),
        (IN, (140, 2, -2, 95, R.STOP)),
        position=0,
    ),
    Story(
        "a touched stop is a triggered stop",
        (F, F, (100, 101, 95, 96)),
        (LONG, STOP_95),
        (IN, (140, 2, -2, 95, R.STOP)),
    ),
    Story("a stop one unit away waits", (F, F, (100, 101, 96, 96)), (LONG, STOP_95), (IN,)),
    Story(
        "a gap fills the stop at the open",
        (F, F, (90, 101, 89, 96)),
        (LONG, STOP_95),
        (IN, (120, 2, -2, 90, R.STOP_AT_GAP)),
    ),
    Story(
        "a buy stop opens a position as the price rises",
        (F, (100, 106, 99, 104)),
        (New(0, BUY, 2, trigger_kind=STOP, trigger=105),),
        ((80, 1, 2, 105, R.STOP),),
    ),
    Story(
        "a take-profit fills at its trigger",
        (F, F, (100, 106, 99, 102)),
        (LONG, PROFIT_105),
        (IN, (160, 2, -2, 105, R.TAKE_PROFIT)),
    ),
    Story(
        "both in one bar: the stop fills",
        (F, F, (100, 106, 94, 100)),
        (LONG, replace(STOP_95, oco_group=7), replace(PROFIT_105, oco_group=7)),
        (IN, (140, 2, -2, 95, R.STOP)),
        ended={3: R.CANCELLED_BY_OCO},
    ),
    Story(
        "both in one bar of a short: the stop fills",
        (F, F, (100, 106, 94, 100)),
        (
            New(0, SELL, 2),
            New(0, BUY, 2, trigger_kind=STOP, trigger=105, is_reduce_only=True),
            New(0, BUY, 2, trigger_kind=PROFIT, trigger=95, is_reduce_only=True),
        ),
        ((60, 1, -2, 100, R.MARKET), (140, 2, 2, 105, R.STOP)),
        ended={3: R.CANCELLED_POSITION_CLOSED},
    ),
    Story(
        "nearer first is another path",
        # high 6 away, low 10 away: the high comes first
        (F, F, (100, 106, 90, 100)),
        (LONG, STOP_95, PROFIT_105),
        (IN, (140, 3, -2, 105, R.TAKE_PROFIT)),
        ended={2: R.CANCELLED_POSITION_CLOSED},
        path="nearer_first",
    ),
    Story(
        "a stop-limit takes while the market is within its limit",
        (F, F, (100, 101, 94, 96)),
        (LONG, replace(STOP_95, limit=94)),
        (IN, (140, 2, -2, 95, R.LIMIT_TAKEN)),
    ),
    Story(
        "a stop-limit is left behind by a gap and fills on the way back",
        (F, F, (90, 96, 89, 96)),
        (LONG, replace(STOP_95, limit=94)),
        (IN, (160, 2, -2, 94, R.LIMIT_RESTED)),
    ),
    Story(
        "a trigger on the wrong side is refused",
        (F, F),
        (
            New(0, SELL, 2, trigger_kind=STOP, trigger=100),
            New(0, BUY, 2, trigger_kind=STOP, trigger=100),
            New(0, SELL, 2, trigger_kind=PROFIT, trigger=100),
            New(0, BUY, 2, trigger_kind=PROFIT, trigger=101),
        ),
        (),
        ended=dict.fromkeys((1, 2, 3, 4), R.TRIGGER_WRONG_SIDE),
    ),
    Story(
        "a stop watching the mark lets the last price go",
        # the last price falls to 90; the mark falls to 95 only at the close
        (F, F, (100, 100, 90, 99)),
        (LONG, replace(STOP_95, trigger_by=TriggerBy.MARK)),
        (IN, (180, 2, -2, 99, R.STOP)),
        series={"mark": (F, F, (100, 101, 96, 95))},
    ),
    Story(
        "a stop watching the index",
        (F, F, (100, 100, 98, 99)),
        (LONG, replace(STOP_95, trigger_by=TriggerBy.INDEX)),
        (IN, (140, 2, -2, 98, R.STOP)),
        series={"index": (F, F, (100, 101, 94, 99))},
    ),
    Story(
        "a stop that finds no position left is refused",
        (F, F, (100, 101, 94, 96)),
        (New(0, SELL, 2, trigger_kind=STOP, trigger=95, is_reduce_only=True),),
        (),
        ended={1: R.REDUCE_ONLY_NO_POSITION},
    ),
)
def test_stops_and_take_profits(engine: str, story: Story) -> None:
    tell(engine, story)


TRAIL_5 = New(0, SELL, 2, trigger_kind=TRAIL, distance=5, is_reduce_only=True)


@on_both_engines
@table(
    Story(
        "a trailing stop follows the best price",
        # best 110 after bar 2, so 105 triggers on bar 3's way to its low
        (F, F, (100, 110, 98, 108), (108, 109, 104, 107)),
        (LONG, TRAIL_5),
        (IN, (200, 2, -2, 105, R.TRAILING)),
    ),
    Story(
        "within one bar it follows the extreme already passed",
        # low 98 first, then 110, then 105 on the way to the close
        (F, F, (100, 110, 98, 104)),
        (LONG, TRAIL_5),
        (IN, (180, 2, -2, 105, R.TRAILING)),
    ),
    Story(
        "it starts from the price at its arrival",
        (F, F, (100, 101, 95, 100)),
        (LONG, TRAIL_5),
        (IN, (140, 2, -2, 95, R.TRAILING)),
    ),
    Story(
        "not active before its activation price",
        # 94 does not trigger; 108 activates at the high of bar 3; 103 on the way to 100
        (F, F, (100, 101, 94, 100), (100, 108, 99, 100)),
        (LONG, replace(TRAIL_5, activation=108)),
        (IN, (240, 2, -2, 103, R.TRAILING)),
    ),
    Story(
        "a short trails downward",
        # high first: 101; best 90 after the low; 95 on the way to the close
        (F, F, (100, 101, 90, 96)),
        (New(0, SELL, 2), replace(TRAIL_5, side=BUY)),
        ((60, 1, -2, 100, R.MARKET), (180, 2, 2, 95, R.TRAILING)),
    ),
    Story(
        "a gap below fills at the open",
        (F, F, (90, 91, 89, 90)),
        (LONG, TRAIL_5),
        (IN, (120, 2, -2, 90, R.TRAILING)),
    ),
)
def test_trailing_stops(engine: str, story: Story) -> None:
    tell(engine, story)


@on_both_engines
@table(
    Story(
        "reduce-only without a position is refused",
        (F, F),
        (New(0, SELL, 2, is_reduce_only=True),),
        (),
        ended={1: R.REDUCE_ONLY_NO_POSITION},
    ),
    Story(
        "reduce-only on the position's own side is refused",
        (F, F),
        (LONG, New(0, BUY, 2, is_reduce_only=True)),
        (IN,),
        ended={2: R.REDUCE_ONLY_NO_POSITION},
    ),
    Story(
        "reduce-only is cut to the position",
        (F, F),
        (LONG, New(0, SELL, 9, is_reduce_only=True)),
        (IN, (60, 2, -2, 100, R.MARKET)),
        position=0,
    ),
    Story(
        "quantity 0 closes the whole position",
        (F, F),
        (LONG, New(0, SELL, 0, is_reduce_only=True)),
        (IN, (60, 2, -2, 100, R.MARKET)),
        position=0,
    ),
    Story(
        "quantity 0 without reduce-only is refused",
        (F, F),
        (New(0, SELL, 0),),
        (),
        ended={1: R.BELOW_MIN_QTY},
    ),
    Story(
        "a closed position takes its reduce-only orders along",
        (F, F, F),
        (LONG, STOP_95, New(0, SELL, 2, 110, is_reduce_only=True), New(1, SELL, 2)),
        (IN, (120, 4, -2, 100, R.MARKET)),
        ended={2: R.CANCELLED_POSITION_CLOSED, 3: R.CANCELLED_POSITION_CLOSED},
    ),
    Story(
        "a flip takes them along too",
        (F, F, F),
        (LONG, STOP_95, New(1, SELL, 5)),
        (IN, (120, 3, -5, 100, R.MARKET)),
        ended={2: R.CANCELLED_POSITION_CLOSED},
        position=-3,
    ),
    Story(
        "a resting reduce-only order is cut as it fills",
        # the position of 2 shrinks to 1 before the limit of 2 is traded through
        (F, F, (100, 106, 100, 100)),
        (LONG, New(0, SELL, 2, 105, is_reduce_only=True), New(1, SELL, 1)),
        (IN, (120, 3, -1, 100, R.MARKET), (160, 2, -1, 105, R.LIMIT_RESTED)),
        position=0,
    ),
    Story(
        "one cancels the other",
        (F, (100, 106, 99, 100)),
        (New(0, SELL, 2, 105, oco_group=3), New(0, BUY, 2, 95, oco_group=3)),
        # the low of 99 is nearer than the high of 106 and comes first
        ((100, 1, -2, 105, R.LIMIT_RESTED),),
        ended={2: R.CANCELLED_BY_OCO},
    ),
    Story(
        "one that fills on arrival cancels the other in flight",
        (F, F),
        (New(0, BUY, 2, oco_group=3), New(0, BUY, 2, oco_group=3)),
        (IN,),
        ended={2: R.CANCELLED_BY_OCO},
    ),
)
def test_orders_that_end_others(engine: str, story: Story) -> None:
    tell(engine, story)


@on_both_engines
@table(
    Story(
        "an attached stop lives from the next event, in the same bar",
        # entry at the open 100, stop 5 % below; long, so the low comes first
        (F, (100, 101, 94, 99)),
        (New(0, BUY, 2, exits=ExitsCase(stop_e6=50_000)),),
        (IN, (80, 2, -2, 95, R.STOP)),
    ),
    Story(
        "an attached stop does not act in the event that made it",
        # limit 96 fills on the way to 90, whose stop 92 (96 - 4 % = 92.16) waits for the next move
        (F, (100, 100, 90, 100)),
        (New(0, BUY, 2, 96, exits=ExitsCase(stop_e6=40_000)),),
        ((100, 1, 2, 96, R.LIMIT_RESTED), (120, 2, -2, 92, R.STOP)),
    ),
    Story(
        "stop and take-profit attached: the take-profit ends the stop",
        (F, (100, 104, 99, 100)),
        (New(0, BUY, 2, exits=ExitsCase(stop_e6=50_000, take_profit_e6=35_000)),),
        # 100 + 3.5 % = 103.5, rounded up for a long
        (IN, (100, 3, -2, 104, R.TAKE_PROFIT)),
        ended={2: R.CANCELLED_BY_OCO},
    ),
    Story(
        "a short's exits are mirrored and rounded toward it",
        # stop 100 + 3.5 % rounded up, take-profit 100 - 3.5 % rounded down
        (F, (100, 101, 96, 100), (100, 104, 99, 100)),
        (New(0, SELL, 2, exits=ExitsCase(stop_e6=35_000, take_profit_e6=35_000)),),
        ((60, 1, -2, 100, R.MARKET), (100, 3, 2, 96, R.TAKE_PROFIT)),
        ended={2: R.CANCELLED_BY_OCO},
    ),
    Story(
        "adding remakes the exits from the average entry",
        # 2 at 100 and 2 at 110: average 105, stop 10 % below = 94.5, down to 94
        (F, F, flat(110), (110, 111, 93, 110)),
        (
            New(0, BUY, 2, exits=ExitsCase(stop_e6=100_000)),
            New(1, BUY, 2, exits=ExitsCase(stop_e6=100_000)),
        ),
        (IN, (120, 3, 2, 110, R.MARKET), (200, 4, -4, 94, R.STOP)),
        ended={2: R.CANCELLED_BY_OCO},
    ),
    Story(
        "a trailing exit starts from the average entry",
        # distance 5 % of 100; best 108, so 103 on bar 2's way down
        (F, (100, 108, 99, 107), (107, 107, 101, 102)),
        (New(0, BUY, 2, exits=ExitsCase(trailing_e6=50_000)),),
        (IN, (140, 2, -2, 103, R.TRAILING)),
    ),
    Story(
        "a trailing exit with activation",
        (F, (100, 101, 90, 100), (100, 104, 98, 98)),
        (New(0, BUY, 2, exits=ExitsCase(trailing_e6=50_000, activation_e6=40_000)),),
        # 90 does not act; 104 activates at the high of bar 2; 99 on the way to 98
        (IN, (180, 2, -2, 99, R.TRAILING)),
    ),
    Story(
        "a time exit closes after its time",
        # filled at 60, due at 150: half-way from the low 90 (140) to the high 110 (160)
        (F, F, (100, 110, 90, 100)),
        (New(0, BUY, 2, exits=ExitsCase(time_exit_ms=90)),),
        (IN, (150, 2, -2, 90, R.TIME_EXIT)),
        position=0,
    ),
    Story(
        "a time exit due exactly at the close fills there",
        (F, (100, 102, 99, 101), flat(103)),
        (New(0, BUY, 2, exits=ExitsCase(time_exit_ms=60)),),
        (IN, (120, 2, -2, 101, R.TIME_EXIT)),
    ),
    Story(
        "a stop takes the time exit along",
        (F, (100, 100, 94, 99), F, F),
        (New(0, BUY, 2, exits=ExitsCase(stop_e6=50_000, time_exit_ms=90)),),
        (IN, (80, 2, -2, 95, R.STOP)),
        ended={3: R.CANCELLED_BY_OCO},
    ),
)
def test_attached_exits(engine: str, story: Story) -> None:
    tell(engine, story)


@on_both_engines
@table(
    Story(
        "a cancel in time",
        (F, F, (100, 100, 90, 100)),
        (New(0, BUY, 2, 98), Cancel(1, 1)),
        (),
        ended={1: R.CANCELLED_BY_USER},
    ),
    Story(
        "a cancel too late",
        (F, (100, 100, 90, 100), F),
        (New(0, BUY, 2, 98), Cancel(1, 1)),
        ((100, 1, 2, 98, R.LIMIT_RESTED),),
    ),
    Story(
        "a cancel says why",
        (F, F, F),
        (New(0, BUY, 2, 98), Cancel(1, 1, R.CANCELLED_BY_NEW_TARGET)),
        (),
        ended={1: R.CANCELLED_BY_NEW_TARGET},
    ),
    Story(
        "the open comes before a cancel that arrives with it",
        (F, F, (95, 95, 95, 95)),
        (New(0, BUY, 2, 98), Cancel(1, 1)),
        ((120, 1, 2, 98, R.LIMIT_RESTED),),
    ),
    Story(
        "an amended price holds from its arrival",
        (F, F, (100, 100, 96, 100)),
        (New(0, BUY, 2, 90), Amend(1, 1, limit=97)),
        ((160, 1, 2, 97, R.LIMIT_RESTED),),
    ),
    Story(
        "an amend that becomes marketable takes",
        (F, F, F),
        (New(0, BUY, 2, 90), Amend(1, 1, limit=103)),
        ((120, 1, 2, 100, R.LIMIT_TAKEN),),
    ),
    Story(
        "a post-only amended into the market is refused",
        (F, F, F),
        (New(0, BUY, 2, 90, time_in_force=POST), Amend(1, 1, limit=103)),
        (),
        ended={1: R.POST_ONLY_WOULD_TAKE},
    ),
    Story(
        "an amended quantity",
        (F, F, (100, 100, 96, 100)),
        (New(0, BUY, 2, 97), Amend(1, 1, qty=5)),
        ((160, 1, 5, 97, R.LIMIT_RESTED),),
    ),
    Story(
        "an amend to what has filled already is refused",
        # 10 of 20 fill in bar 1; 10 is refused, the rest of 20 fills in bar 2
        (F, (*F, 100), (100, 100, 96, 100, 100)),
        (New(0, BUY, 20, 100), Amend(1, 1, qty=10)),
        ((60, 1, 10, 100, R.LIMIT_TAKEN), (140, 1, 10, 100, R.LIMIT_RESTED)),
        rules=TENTH,
    ),
    Story(
        "an amend off the tick is refused",
        (F, F, (100, 100, 90, 100)),
        (New(0, BUY, 2, 95), Amend(1, 1, limit=97)),
        ((160, 1, 2, 95, R.LIMIT_RESTED),),
        rules=replace(LINEAR, steps=(Step(0, 5, 1),)),
    ),
    Story(
        "a raised quantity loses its place, a lowered one keeps it",
        # order 1 raised goes behind order 2; the budget of 10 fills order 2 first
        (F, F, (100, 100, 96, 100, 100)),
        (New(0, BUY, 6, 97), New(0, BUY, 8, 97), Amend(1, 1, qty=7), Amend(1, 2, qty=7)),
        ((160, 2, 7, 97, R.LIMIT_RESTED), (160, 1, 3, 97, R.LIMIT_RESTED)),
        rules=TENTH,
    ),
    Story(
        "an amended trigger",
        (F, F, (100, 101, 94, 99)),
        (LONG, STOP_95, Amend(1, 2, trigger=97)),
        (IN, (140, 2, -2, 97, R.STOP)),
    ),
)
def test_cancel_and_amend(engine: str, story: Story) -> None:
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
@pytest.mark.parametrize(("qty", "reason"), [(2**54 - 1, R.NONE), (2**54, R.TOO_LARGE_FOR_UNITS)])
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

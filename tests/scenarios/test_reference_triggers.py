"""Stops, take-profits, trailing stops and attached exits as stories."""

from dataclasses import replace

from openalpha.core.orders import TriggerBy, TriggerKind
from openalpha.core.reasons import Reason
from tests.reference.engines import on_both_engines
from tests.reference.scenario import ExitsCase, New
from tests.reference.stories import BUY, SELL, Story, flat, table, tell

R = Reason
STOP, PROFIT, TRAIL = TriggerKind.STOP, TriggerKind.TAKE_PROFIT, TriggerKind.TRAILING
F = flat(100)
LONG = New(0, BUY, 2)
STOP_95 = New(0, SELL, 2, trigger_kind=STOP, trigger=95, is_reduce_only=True)
PROFIT_105 = New(0, SELL, 2, trigger_kind=PROFIT, trigger=105, is_reduce_only=True)
IN = (60, 1, 2, 100, R.MARKET)
TRAIL_5 = New(0, SELL, 2, trigger_kind=TRAIL, distance=5, is_reduce_only=True)


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
        # the last price falls to 90, the mark to 95 only at the next open
        (F, F, (100, 100, 90, 99), flat(98)),
        (LONG, replace(STOP_95, trigger_by=TriggerBy.MARK)),
        (IN, (180, 2, -2, 98, R.STOP_AT_GAP)),
        series={"mark": (F, F, (100, 101, 96, 97), flat(95))},
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
        (IN, (179, 2, -2, 105, R.TRAILING)),
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
        (IN, (239, 2, -2, 103, R.TRAILING)),
    ),
    Story(
        "a short trails downward",
        # high first: 101; best 90 after the low; 95 on the way to the close
        (F, F, (100, 101, 90, 96)),
        (New(0, SELL, 2), replace(TRAIL_5, side=BUY)),
        ((60, 1, -2, 100, R.MARKET), (179, 2, 2, 95, R.TRAILING)),
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
        ((100, 1, 2, 96, R.LIMIT_RESTED), (119, 2, -2, 92, R.STOP)),
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
        (IN, (179, 2, -2, 99, R.TRAILING)),
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
        "a time exit due as the bar ends fills at the next open",
        (F, (100, 102, 99, 101), flat(103)),
        (New(0, BUY, 2, exits=ExitsCase(time_exit_ms=60)),),
        (IN, (120, 2, -2, 103, R.TIME_EXIT)),
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

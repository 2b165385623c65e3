"""Time as stories: the path of a bar, latency, several instruments, holes in the data."""

from dataclasses import replace

from openalpha.core.orders import TriggerKind
from openalpha.core.reasons import Reason
from tests.reference.engines import on_both_engines
from tests.reference.scenario import Amend, Cancel, ExitsCase, New, Series
from tests.reference.stories import BUY, LINEAR, SELL, Story, bars, flat, table, tell

R = Reason
F = flat(100)
STOP, PROFIT = TriggerKind.STOP, TriggerKind.TAKE_PROFIT
LONG = New(0, BUY, 2)
IN = (60, 1, 2, 100, R.MARKET)
STOP_90 = New(0, SELL, 2, trigger_kind=STOP, trigger=90)


@on_both_engines
@table(
    Story(
        "long: the low comes first",
        (F, F, (100, 110, 90, 100)),
        (LONG, New(0, SELL, 1, 109), New(0, BUY, 1, 91)),
        (IN, (140, 3, 1, 91, R.LIMIT_RESTED), (160, 2, -1, 109, R.LIMIT_RESTED)),
    ),
    Story(
        "short: the high comes first",
        (F, F, (100, 110, 90, 100)),
        (New(0, SELL, 2), New(0, SELL, 1, 109), New(0, BUY, 1, 91)),
        (
            (60, 1, -2, 100, R.MARKET),
            (140, 2, -1, 109, R.LIMIT_RESTED),
            (160, 3, 1, 91, R.LIMIT_RESTED),
        ),
    ),
    Story(
        "flat with buys only: the high comes first",
        (F, (100, 110, 90, 100)),
        (New(0, BUY, 1, 95), New(0, BUY, 1, trigger_kind=STOP, trigger=108)),
        ((80, 2, 1, 108, R.STOP), (100, 1, 1, 95, R.LIMIT_RESTED)),
    ),
    Story(
        "flat with sells only: the low comes first",
        (F, (100, 110, 90, 100)),
        (New(0, SELL, 1, 105), New(0, SELL, 1, trigger_kind=STOP, trigger=92)),
        ((80, 2, -1, 92, R.STOP), (100, 1, -1, 105, R.LIMIT_RESTED)),
    ),
    Story(
        "flat with both: the nearer comes first",
        (F, (100, 110, 91, 100)),
        (New(0, BUY, 1, 95), New(0, SELL, 1, 105)),
        ((80, 1, 1, 95, R.LIMIT_RESTED), (100, 2, -1, 105, R.LIMIT_RESTED)),
    ),
    Story(
        "equally near: the low",
        (F, (100, 110, 90, 100)),
        (New(0, BUY, 1, 95), New(0, SELL, 1, 105)),
        ((80, 1, 1, 95, R.LIMIT_RESTED), (100, 2, -1, 105, R.LIMIT_RESTED)),
    ),
    Story(
        "a reduce-only order opens nothing and does not count",
        (F, (100, 110, 91, 100)),
        (New(0, BUY, 1, 95), replace(STOP_90, trigger=92, is_reduce_only=True)),
        # buys only, so the high is first; then the buy, then the stop below it
        ((100, 1, 1, 95, R.LIMIT_RESTED), (100, 2, -1, 92, R.STOP)),
    ),
    Story(
        "the path is chosen after what the open did",
        # the market order fills at the open: long, so the low comes first
        (F, (100, 102, 90, 100)),
        (New(0, BUY, 1), New(0, SELL, 1, trigger_kind=STOP, trigger=95, is_reduce_only=True)),
        ((60, 1, 1, 100, R.MARKET), (80, 2, -1, 95, R.STOP)),
    ),
    Story(
        "stop before limit where both act at once",
        (F, F, flat(90)),
        (New(0, SELL, 4), New(0, BUY, 1, 95), New(0, BUY, 1, trigger_kind=PROFIT, trigger=95)),
        # at the gap: same class, so the order given first
        (
            (60, 1, -4, 100, R.MARKET),
            (120, 2, 1, 95, R.LIMIT_RESTED),
            (120, 3, 1, 90, R.TAKE_PROFIT),
        ),
    ),
    Story(
        "at a gap stops go before limits",
        (F, F, flat(90)),
        (LONG, New(0, BUY, 1, 95), New(0, SELL, 1, trigger_kind=STOP, trigger=95)),
        (IN, (120, 3, -1, 90, R.STOP_AT_GAP), (120, 2, 1, 95, R.LIMIT_RESTED)),
    ),
    Story(
        "at an open the working order goes first",
        # a tenth of 20 is 2: the working order's rest takes it all, the stop works on from there
        (F, (*F, 20), (*flat(90), 20), (*flat(91), 20)),
        (New(0, BUY, 4), New(0, SELL, 1, trigger_kind=STOP, trigger=95)),
        (IN, (120, 1, 2, 90, R.MARKET), (180, 2, -1, 91, R.STOP_AT_GAP)),
        rules=replace(LINEAR, participation_e6=100_000),
    ),
)
def test_the_path_of_a_bar(engine: str, story: Story) -> None:
    tell(engine, story)


@on_both_engines
@table(
    Story(
        "arriving on the way up: the price there",
        # made at 60, arrives at 70, half-way from the open 100 to the high 110 at 80
        (F, (100, 110, 90, 100)),
        (New(0, BUY, 1),),
        ((70, 1, 1, 105, R.MARKET),),
        latency_ms=10,
    ),
    Story(
        "arriving on the way down: the last event's price, which is worse",
        # sells only, so the low first; a sell would get 95 half-way: worse than 100, so 95
        (F, (100, 110, 90, 100)),
        (New(0, SELL, 1),),
        ((70, 1, -1, 95, R.MARKET),),
        latency_ms=10,
    ),
    Story(
        "never better than the last event's price",
        # at 90: half-way from the high 110 (80) to the low 90 (100) is 100, but 110 was the last
        (F, (100, 110, 90, 100)),
        (New(0, BUY, 1),),
        ((90, 1, 1, 110, R.MARKET),),
        latency_ms=30,
    ),
    Story(
        "arriving at an event: its price",
        (F, (100, 110, 90, 100)),
        (New(0, BUY, 1),),
        ((80, 1, 1, 110, R.MARKET),),
        latency_ms=20,
    ),
    Story(
        "the interpolated price is on the tick, from the last event's",
        # 100 + floor(7 x 10 / 20) = 103
        (F, (100, 107, 99, 100)),
        (New(0, BUY, 1),),
        ((70, 1, 1, 103, R.MARKET),),
        latency_ms=10,
    ),
    Story(
        "falling prices are interpolated downward",
        # 100 + floor(-7 x 10 / 20) = 96
        (F, (100, 110, 93, 100)),
        (New(0, SELL, 1),),
        ((70, 1, -1, 96, R.MARKET),),
        latency_ms=10,
    ),
    Story(
        "arriving at the next open",
        (F, (100, 110, 90, 100), flat(103)),
        (New(0, BUY, 1),),
        ((120, 1, 1, 103, R.MARKET),),
        latency_ms=60,
    ),
    Story(
        "arriving in the bar after",
        (F, F, (100, 110, 90, 100)),
        (New(0, BUY, 1),),
        ((130, 1, 1, 105, R.MARKET),),
        latency_ms=70,
    ),
    Story(
        "still in flight at the end",
        (F, F),
        (New(0, BUY, 1),),
        (),
        latency_ms=1_000,
    ),
    Story(
        "a limit that was passed before it arrived does not fill",
        # the low of 90 was at 100; at 110 the price is 95
        (F, (100, 101, 90, 100), F),
        (New(0, BUY, 1, 94),),
        (),
        latency_ms=50,
    ),
    Story(
        "a stop fills before the cancel arrives",
        (F, F, (100, 101, 94, 96)),
        (LONG, replace(STOP_90, trigger=95), Cancel(1, 2)),
        ((60 + 30, 1, 2, 100, R.MARKET), (140, 2, -2, 95, R.STOP)),
        latency_ms=30,
    ),
    Story(
        "the way to an arrival is travelled first",
        # the cancel of a buy stop at 103 arrives at 70, when the price is 105
        (F, F, (100, 110, 99, 100)),
        (New(0, BUY, 1, trigger_kind=STOP, trigger=103), Cancel(1, 1)),
        ((130, 1, 1, 103, R.STOP),),
        latency_ms=10,
    ),
    Story(
        "what the way to an arrival does not meet is cancelled",
        (F, F, (100, 110, 99, 100)),
        (New(0, BUY, 1, trigger_kind=STOP, trigger=106), Cancel(1, 1)),
        (),
        ended={1: R.CANCELLED_BY_USER},
        latency_ms=10,
    ),
    Story(
        "an amend executes at the worse price too",
        # at 150, half-way from 110 to 90: takes at 110, within its new limit
        (F, F, (100, 110, 90, 100)),
        (New(0, BUY, 1, 80), Amend(1, 1, limit=115)),
        ((150, 1, 1, 110, R.LIMIT_TAKEN),),
        latency_ms=30,
    ),
    Story(
        "an exit's time is its own: no latency is added",
        # filled at 70, due 30 later, at the second extreme
        (F, (100, 110, 90, 100)),
        (New(0, BUY, 1, exits=ExitsCase(time_exit_ms=30)),),
        ((70, 1, 1, 105, R.MARKET), (100, 2, -1, 90, R.TIME_EXIT)),
        latency_ms=10,
    ),
    Story(
        "a time exit due within the event that made it waits for the next",
        # filled at 70, due at 72, but made on the way to 80: executes at the start of the next
        (F, (100, 110, 90, 100)),
        (New(0, BUY, 1, exits=ExitsCase(time_exit_ms=2)),),
        ((70, 1, 1, 105, R.MARKET), (80, 2, -1, 110, R.TIME_EXIT)),
        latency_ms=10,
    ),
)
def test_latency(engine: str, story: Story) -> None:
    tell(engine, story)


@on_both_engines
@table(
    Story(
        "nothing happens before an instrument's first bar",
        (None, None, flat(101)),
        (New(0, BUY, 1),),
        ((120, 1, 1, 101, R.MARKET),),
        others=((LINEAR, Series(bars(F, F, F))),),
    ),
    Story(
        "a hole in the data delays an order",
        (F, None, flat(105)),
        (New(0, BUY, 1),),
        ((120, 1, 1, 105, R.MARKET),),
    ),
    Story(
        "a gap across a hole fills a stop at the next open",
        (F, F, None, flat(90)),
        (LONG, replace(STOP_90, trigger=95)),
        (IN, (180, 2, -2, 90, R.STOP_AT_GAP)),
    ),
    Story(
        "each instrument's event before the next event of any",
        (F, F, (100, 100, 90, 100)),
        (
            New(0, BUY, 1, 95),
            New(0, BUY, 1, 95, instrument=1),
            New(0, BUY, 1),
            New(0, BUY, 1, instrument=1),
        ),
        (
            (60, 3, 1, 100, R.MARKET),
            (60, 4, 1, 100, R.MARKET),
            (140, 1, 1, 95, R.LIMIT_RESTED),
            (140, 2, 1, 95, R.LIMIT_RESTED),
        ),
        others=((LINEAR, Series(bars(F, F, (100, 100, 90, 100)))),),
    ),
    Story(
        "budgets are each instrument's own",
        (F, (*F, 10), (*F, 10)),
        (New(0, BUY, 2), New(0, BUY, 2, instrument=1)),
        (
            (60, 1, 1, 100, R.MARKET),
            (60, 2, 2, 50, R.MARKET),
            (120, 1, 1, 100, R.MARKET),
        ),
        rules=replace(LINEAR, participation_e6=100_000),
        others=(
            (
                replace(LINEAR, participation_e6=100_000),
                Series(bars(flat(50), (*flat(50), 20), flat(50))),
            ),
        ),
    ),
)
def test_several_instruments_and_holes(engine: str, story: Story) -> None:
    tell(engine, story)

"""Orders that end or change others as stories: reduce-only, OCO, cancel, amend."""

from dataclasses import replace

from openalpha.core.orders import TimeInForce, TriggerKind
from openalpha.core.reasons import Reason
from tests.reference.engines import on_both_engines
from tests.reference.scenario import Amend, Cancel, New, Step
from tests.reference.stories import BUY, LINEAR, SELL, Story, flat, table, tell

R = Reason
TENTH = replace(LINEAR, participation_e6=100_000)
POST = TimeInForce.POST_ONLY
STOP = TriggerKind.STOP
F = flat(100)
LONG = New(0, BUY, 2)
IN = (60, 1, 2, 100, R.MARKET)
STOP_95 = New(0, SELL, 2, trigger_kind=STOP, trigger=95, is_reduce_only=True)


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
        "an entry leaves the reduce-only stop that waits for it alone",
        # the stop is there first; the buy limit then opens the position it protects
        (F, (100, 101, 97, 99), (99, 100, 94, 96)),
        (STOP_95, New(0, BUY, 2, 98)),
        ((100, 2, 2, 98, R.LIMIT_RESTED), (140, 1, -2, 95, R.STOP)),
        position=0,
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
        "a cancel that arrives with an open comes before it",
        (F, F, (95, 95, 95, 95)),
        (New(0, BUY, 2, 98), Cancel(1, 1)),
        (),
        ended={1: R.CANCELLED_BY_USER},
    ),
    Story(
        "a stop cancelled at the close does not trigger in the gap",
        (F, F, (90, 90, 90, 90)),
        (New(0, BUY, 2), STOP_95, Cancel(1, 2)),
        ((60, 1, 2, 100, R.MARKET),),
        ended={2: R.CANCELLED_BY_USER},
    ),
    Story(
        "the open comes before an amend that arrives with it",
        (F, F, (95, 95, 95, 95)),
        (New(0, BUY, 2, 98), Amend(1, 1, limit=90)),
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

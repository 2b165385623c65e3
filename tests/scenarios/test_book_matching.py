"""The price-time book as stories: who trades with whom, at what price, and who waits."""

from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from openalpha.core.orders import Role, TimeInForce, TriggerBy, TriggerKind
from openalpha.core.reasons import Reason
from tests.reference import book, book_adapter
from tests.reference.book_case import (
    AmendOrder,
    BookCase,
    BookOutcome,
    CancelOrder,
    Level,
    MarkPrice,
    Order,
    Print,
    Snapshot,
    Step,
)

R = Reason
BID, ASK = 1, -1
BUY, SELL = 1, -1
IOC, FOK, POST = TimeInForce.IOC, TimeInForce.FOK, TimeInForce.POST_ONLY
STOP, TAKE_PROFIT = TriggerKind.STOP, TriggerKind.TAKE_PROFIT
M, T = Role.MAKER, Role.TAKER
Fill = tuple[int, int, int, int, Role, Reason]


@dataclass(frozen=True, slots=True)
class Story:
    """Steps, then fills as (account, order, signed quantity, price, role, reason) and more."""

    name: str
    steps: tuple[Step, ...]
    fills: tuple[Fill, ...] = ()
    ended: dict[int, Reason] = field(default_factory=dict)
    queues: dict[int, int] | None = None
    bids: tuple[tuple[int, int], ...] | None = None
    asks: tuple[tuple[int, int], ...] | None = None
    lot: int = 1


def buy(account: int, qty: int, limit: int = 0, **more: object) -> Order:
    return Order(account, BUY, qty, limit, **more)  # type: ignore[arg-type]


def sell(account: int, qty: int, limit: int = 0, **more: object) -> Order:
    return Order(account, SELL, qty, limit, **more)  # type: ignore[arg-type]


STORIES = (
    Story(
        "two accounts trade with each other at the resting price",
        (sell(0, 3, 100), buy(1, 2, 101)),
        ((0, 1, -2, 100, M, R.LIMIT_RESTED), (1, 2, 2, 100, T, R.LIMIT_TAKEN)),
        asks=((100, 1),),
        bids=(),
    ),
    Story(
        "price before time, time among equals",
        (sell(0, 2, 101), sell(1, 2, 100), sell(2, 2, 100), buy(0, 5)),
        (
            (1, 2, -2, 100, M, R.LIMIT_RESTED),
            (0, 4, 2, 100, T, R.MARKET),
            (2, 3, -2, 100, M, R.LIMIT_RESTED),
            (0, 4, 2, 100, T, R.MARKET),
        ),
        ended={4: R.SELF_MATCH},
        asks=((101, 2),),
    ),
    Story(
        "a taker walks the levels and an order between them",
        (Level(ASK, 100, 5), Level(ASK, 102, 5), sell(0, 4, 101), buy(1, 12)),
        (
            (1, 2, 5, 100, T, R.MARKET),
            (0, 1, -4, 101, M, R.LIMIT_RESTED),
            (1, 2, 4, 101, T, R.MARKET),
            (1, 2, 3, 102, T, R.MARKET),
        ),
        asks=((102, 2),),
    ),
    Story(
        "what one takes another cannot take again",
        (Level(ASK, 100, 5), buy(0, 5), buy(1, 5)),
        ((0, 1, 5, 100, T, R.MARKET),),
        ended={2: R.IOC_REMAINDER},
        asks=(),
    ),
    Story(
        "the feed's next word on a level brings new quantity",
        (Level(ASK, 100, 5), buy(0, 5), Level(ASK, 100, 4), buy(1, 5)),
        ((0, 1, 5, 100, T, R.MARKET), (1, 2, 4, 100, T, R.MARKET)),
        ended={2: R.IOC_REMAINDER},
    ),
    Story(
        "an order waits behind what it found",
        (Level(BID, 100, 10), buy(0, 3, 100), Level(BID, 100, 25), buy(1, 3, 100)),
        queues={1: 10, 2: 25},
        bids=((100, 31),),
    ),
    Story(
        "prints use up the queue, then fill",
        (Level(BID, 100, 10), buy(0, 3, 100), Print(100, 8, SELL), Print(100, 4, SELL)),
        ((0, 1, 2, 100, M, R.LIMIT_RESTED),),
        queues={1: 0},
        bids=((100, 1),),
    ),
    Story(
        "a print through the price fills as one at it",
        (Level(BID, 100, 2), buy(0, 3, 100), Print(98, 4, SELL)),
        ((0, 1, 2, 100, M, R.LIMIT_RESTED),),
        queues={1: 0},
    ),
    Story(
        "a print on the other side fills nothing",
        (Level(BID, 100, 2), buy(0, 3, 100), Print(100, 9, BUY)),
        queues={1: 2},
    ),
    Story(
        "cancels are assumed behind until they cannot be",
        (
            Level(BID, 100, 10),
            buy(0, 3, 100),
            Level(BID, 100, 30),
            Level(BID, 100, 12),
            buy(1, 3, 100),
            Level(BID, 100, 4),
        ),
        queues={1: 4, 2: 4},
    ),
    Story(
        "a snapshot cuts queues as a level does",
        (
            Level(BID, 100, 10),
            buy(0, 3, 100),
            buy(1, 3, 99),
            Snapshot((Level(BID, 100, 6), Level(ASK, 103, 2))),
        ),
        queues={1: 6, 2: 0},
        bids=((100, 9), (99, 3)),
        asks=((103, 2),),
    ),
    Story(
        "a taker meets strangers ahead of each order",
        (Level(BID, 100, 4), buy(0, 2, 100), Level(BID, 100, 7), buy(1, 2, 100), sell(2, 10)),
        (
            (2, 3, -4, 100, T, R.MARKET),
            (0, 1, 2, 100, M, R.LIMIT_RESTED),
            (2, 3, -2, 100, T, R.MARKET),
            (2, 3, -3, 100, T, R.MARKET),
            (1, 2, 1, 100, M, R.LIMIT_RESTED),
            (2, 3, -1, 100, T, R.MARKET),
        ),
        queues={2: 0},
    ),
    Story(
        "the market's ask crosses a resting buy",
        (Level(BID, 100, 10), buy(0, 3, 100), Level(ASK, 99, 2)),
        ((0, 1, 2, 100, M, R.LIMIT_RESTED),),
        queues={1: 10},
        asks=(),
    ),
    Story(
        "levels of the market never trade with each other",
        (Level(BID, 100, 10), Level(ASK, 99, 2)),
        bids=((100, 10),),
        asks=((99, 2),),
    ),
    Story(
        "an order never trades with its own account",
        (sell(0, 3, 100), buy(0, 5, 101), buy(1, 1, 101)),
        ((0, 1, -1, 100, M, R.LIMIT_RESTED), (1, 3, 1, 100, T, R.LIMIT_TAKEN)),
        ended={2: R.SELF_MATCH},
        bids=(),
    ),
    Story(
        "strangers ahead of the own order are still taken",
        (Level(ASK, 100, 4), sell(0, 3, 100), buy(0, 9, 100)),
        ((0, 2, 4, 100, T, R.LIMIT_TAKEN),),
        ended={2: R.SELF_MATCH},
    ),
    Story(
        "immediate-or-cancel takes what is within its limit",
        (Level(ASK, 100, 4), Level(ASK, 101, 4), buy(0, 9, 100, tif=IOC)),
        ((0, 1, 4, 100, T, R.LIMIT_TAKEN),),
        ended={1: R.IOC_REMAINDER},
    ),
    Story(
        "fill-or-kill counts what it surely gets",
        (
            Level(ASK, 100, 4),
            sell(1, 2, 101),
            buy(0, 7, 101, tif=FOK),
            buy(0, 6, 100, tif=FOK),
            buy(0, 6, 101, tif=FOK),
        ),
        (
            (0, 4, 4, 100, T, R.LIMIT_TAKEN),
            (1, 1, -2, 101, M, R.LIMIT_RESTED),
            (0, 4, 2, 101, T, R.LIMIT_TAKEN),
        ),
        ended={2: R.FOK_NOT_FILLABLE, 3: R.FOK_NOT_FILLABLE},
    ),
    Story(
        "post-only never takes",
        (Level(ASK, 100, 4), buy(0, 2, 100, tif=POST), buy(0, 2, 99, tif=POST)),
        ended={1: R.POST_ONLY_WOULD_TAKE},
        bids=((99, 2),),
    ),
    Story(
        "a reduce-only maker fills its position and no more",
        (
            Level(ASK, 101, 2),
            buy(0, 2),
            sell(0, 2, 103),
            sell(0, 2, 104, is_reduce_only=True),
            buy(1, 2, 103),
            buy(1, 2, 104),
        ),
        (
            (0, 1, 2, 101, T, R.MARKET),
            (0, 2, -2, 103, M, R.LIMIT_RESTED),
            (1, 4, 2, 103, T, R.LIMIT_TAKEN),
        ),
        ended={3: R.CANCELLED_POSITION_CLOSED},
        bids=((104, 2),),
    ),
    Story(
        "a stop waits for a print and takes the other side",
        (
            Level(BID, 97, 9),
            Print(100, 1, BUY),
            sell(0, 3, trigger_kind=STOP, trigger=98),
            Print(99, 1, SELL),
            Print(98, 1, BUY),
        ),
        ((0, 1, -3, 97, T, R.STOP),),
        bids=((97, 6),),
    ),
    Story(
        "a stop may be triggered by accounts trading with each other",
        (
            Print(100, 1, BUY),
            buy(0, 5, 95),
            sell(2, 1, trigger_kind=STOP, trigger=95),
            sell(1, 2),
        ),
        (
            (0, 1, 2, 95, M, R.LIMIT_RESTED),
            (1, 3, -2, 95, T, R.MARKET),
            (0, 1, 1, 95, M, R.LIMIT_RESTED),
            (2, 2, -1, 95, T, R.STOP),
        ),
    ),
    Story(
        "a trigger by mark ignores the tape",
        (
            Level(BID, 97, 9),
            MarkPrice(100),
            Print(100, 1, BUY),
            sell(0, 3, trigger_kind=STOP, trigger=98, trigger_by=TriggerBy.MARK),
            Print(90, 1, BUY),
            MarkPrice(98),
        ),
        ((0, 1, -3, 97, T, R.STOP),),
    ),
    Story(
        "stops go before take-profits",
        (
            Level(BID, 90, 9),
            Level(ASK, 110, 9),
            Print(100, 1, BUY),
            buy(0, 1, trigger_kind=TAKE_PROFIT, trigger=95),
            sell(1, 1, trigger_kind=STOP, trigger=95),
            Print(95, 1, BUY),
        ),
        ((1, 2, -1, 90, T, R.STOP), (0, 1, 1, 110, T, R.TAKE_PROFIT)),
    ),
    Story(
        "without a price nothing can be watched",
        (sell(0, 1, trigger_kind=STOP, trigger=95),),
        ended={1: R.TRIGGER_WRONG_SIDE},
    ),
    Story(
        "a lower quantity keeps the place, a higher one loses it",
        (
            Level(BID, 100, 4),
            buy(0, 5, 100),
            Level(BID, 100, 9),
            AmendOrder(0, 1, qty=3),
            buy(1, 1, 100),
            AmendOrder(1, 2, qty=2),
        ),
        queues={1: 4, 2: 9},
    ),
    Story(
        "an amended limit can take",
        (Level(ASK, 103, 2), buy(0, 5, 100), AmendOrder(0, 1, limit=103)),
        ((0, 1, 2, 103, T, R.LIMIT_TAKEN),),
        bids=((103, 3),),
    ),
    Story(
        "nobody cancels another's order",
        (buy(0, 5, 100), CancelOrder(1, 1), CancelOrder(0, 1)),
        ended={1: R.CANCELLED_BY_USER},
        bids=(),
    ),
    Story(
        "quantities of the feed are whole lots",
        (Level(ASK, 100, 14), buy(0, 20, 101)),
        ((0, 1, 10, 100, T, R.LIMIT_TAKEN),),
        bids=((101, 10),),
        lot=10,
    ),
)

ENGINES = pytest.mark.parametrize("run", [book.run, book_adapter.run], ids=["reference", "kernel"])


@ENGINES
@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.name)
def test_matching(story: Story, run: Callable[[BookCase], BookOutcome]) -> None:
    out = run(BookCase(story.steps, lot=story.lot))
    assert tuple(tuple(fill) for fill in out.fills) == story.fills
    closed = {number: end.reason for number, end in out.ended.items() if end.reason != R.NONE}
    assert closed == story.ended
    if story.queues is not None:
        assert out.queues == story.queues
    for expected, depth in zip((story.bids, story.asks), out.depth, strict=True):
        assert expected is None or depth == list(expected)

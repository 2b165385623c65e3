"""Random stories of a busy price-time book: dense enough that orders, prints and levels meet."""

from random import Random

from openalpha.core.orders import TimeInForce, TriggerBy, TriggerKind
from tests.reference.book_case import (
    AmendOrder,
    BookCase,
    CancelOrder,
    Level,
    MarkPrice,
    Order,
    Print,
    Snapshot,
    Step,
)

ACCOUNTS = 3
TIFS = (TimeInForce.GTC,) * 6 + (TimeInForce.IOC, TimeInForce.FOK, TimeInForce.POST_ONLY)
KINDS = (TriggerKind.STOP, TriggerKind.TAKE_PROFIT)


def _qty(rng: Random, lot: int) -> int:
    return rng.randint(1, 6) * lot + (1 if lot > 1 and rng.random() < 0.05 else 0)


def _order(rng: Random, lot: int) -> Order:
    side = rng.choice((1, -1))
    # Most limits lie a little on their own side of the middle, so that a book builds up.
    limit = 100 - side * rng.randint(-2, 4) if rng.random() < 0.8 else 0
    return Order(
        rng.randrange(ACCOUNTS),
        side,
        _qty(rng, lot),
        limit,
        tif=rng.choice(TIFS),
        is_reduce_only=rng.random() < 0.2,
    )


def _conditional(rng: Random, lot: int) -> Order:
    side, kind = rng.choice((1, -1)), rng.choice(KINDS)
    is_reducing = rng.random() < 0.5
    away = rng.randint(-1, 4) * (side if kind is TriggerKind.STOP else -side)
    return Order(
        rng.randrange(ACCOUNTS),
        side,
        0 if is_reducing and rng.random() < 0.5 else _qty(rng, lot),
        rng.choice((0, 0, 100 + rng.randint(-3, 3))),
        trigger_kind=kind,
        trigger_by=rng.choice(tuple(TriggerBy)),
        trigger=100 + away,
        is_reduce_only=is_reducing,
    )


def _level(rng: Random, lot: int, slack: int = 1) -> Level:
    side = rng.choice((1, -1))
    return Level(
        side, 100 - side * rng.randint(-slack, 5), rng.randint(0, 8) * lot + rng.randrange(2)
    )


def _snapshot(rng: Random, lot: int) -> Snapshot:
    levels = [_level(rng, lot, slack=-1) for _ in range(rng.randint(0, 8))]
    return Snapshot(tuple({(one.side, one.price): one for one in levels}.values()))


def _command(rng: Random, lot: int, count: int) -> Step:
    draw = rng.random()
    if draw < 0.6:
        return _order(rng, lot)
    if draw < 0.8:
        return _conditional(rng, lot)
    account, order_id = rng.randrange(ACCOUNTS), rng.randint(1, count + 1)
    if draw < 0.87:
        return CancelOrder(account, order_id)
    limit = rng.choice((0, 100 + rng.randint(-4, 4)))
    return AmendOrder(account, order_id, rng.choice((0, _qty(rng, lot))), limit)


def _feed(rng: Random, lot: int) -> Step:
    draw = rng.random()
    if draw < 0.55:
        return _level(rng, lot)
    if draw < 0.65:
        return _snapshot(rng, lot)
    if draw < 0.9:
        return Print(100 + rng.randint(-4, 4), rng.randint(1, 9) * lot, rng.choice((1, -1)))
    return MarkPrice(100 + rng.randint(-4, 4))


def tale(seed: int, *, feed_share: float = 0.4) -> BookCase:
    """Return the story of a seed; without a feed the accounts are alone with each other."""
    rng = Random(seed)
    lot = rng.choice((1, 1, 3))
    steps: list[Step] = []
    count = 0
    for _ in range(rng.randint(5, 60)):
        is_feed = rng.random() < feed_share
        step = _feed(rng, lot) if is_feed else _command(rng, lot, count)
        count += isinstance(step, Order)
        steps.append(step)
    maker = rng.choice((20_000, 0, -5_000))
    return BookCase(tuple(steps), lot=lot, accounts=ACCOUNTS, maker_e8=maker)

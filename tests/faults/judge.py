"""The verdict on a world: what the exchange has done beside what the trader believes."""

from collections import Counter
from collections.abc import Set
from decimal import Decimal

from openalpha.core.orders import OrderStatus
from openalpha.venue.bybit.reading import status_of
from tests.faults.world import World


def judge(world: World, *, expected: Set[str] = frozenset()) -> list[str]:
    """Everything that is wrong, in words; empty when nothing is.

    `expected` are codes of incidents that the scenario means to raise.
    """
    trader = world.trader
    assert trader is not None
    return [
        *_orders(world),
        *_fills(world),
        *_money(world),
        *(
            f"incident {incident.code}: {incident.words}"
            for incident in trader.heard.incidents
            if incident.code not in expected
        ),
    ]


def _orders(world: World) -> list[str]:
    """No order of ours is lost, none is there twice, each stands as it is believed to stand."""
    assert world.trader is not None
    known = world.trader.side.record.orders
    there = world.account.orders
    ours = [order for order in there.values() if order.link_id.startswith("scripted-")]
    decimals = world.exchange.state.listings["linear:BTCUSDT"].qty_decimals
    faults = [
        f"{name} is there {n} times"
        for name, n in Counter(o.link_id for o in ours).items()
        if n > 1
    ]
    for order in ours:
        mine = known.get(order.link_id)
        if mine is None:
            faults.append(f"{order.link_id} is lost: the exchange has it, the record does not")
        elif mine.shown is not status_of(order.status):
            faults.append(f"{order.link_id} is {order.status}, believed {mine.shown.name}")
        if mine is not None and mine.filled_qty != Decimal(order.filled).scaleb(-decimals):
            faults.append(f"{order.link_id}: {order.filled} units filled, not {mine.filled_qty}")
    names = {order.link_id for order in ours}
    for name, mine in known.items():
        if name not in names and mine.status is not OrderStatus.REJECTED:
            faults.append(f"{name} is believed {mine.shown.name} and is not there")
    legs = Counter(name.rpartition("-")[0] for name in names)
    return faults + [f"{leg} was placed {n} times" for leg, n in legs.items() if n > 1]


def _fills(world: World) -> list[str]:
    """Each execution once, and the position is their sum."""
    assert world.trader is not None
    rows = world.account.executions
    there = {row["execId"] for row in rows if row["execType"] != "Funding"}
    heard = Counter(fill.exec_id for fill in world.trader.heard.fills)
    # What was there before the first start is known and not told.
    known = set(world.trader.side.record.exec_ids)
    wrong = [name for name, count in heard.items() if count > 1 or name not in there]
    faults = []
    if there != known or wrong:
        faults.append(f"executions: {there ^ known} not the same, {wrong} told wrongly")
    position = world.client.position()
    sign = {"Buy": 1, "Sell": -1}.get(position["side"], 0)
    theirs = Decimal(position["size"]) * sign
    held = world.trader.side.account.holdings.get("bybit_linear:BTCUSDT/0")
    ours = Decimal(0) if held is None else held.qty
    if ours != theirs:
        faults.append(f"the position is {theirs}, believed {ours}")
    return faults


def _money(world: World) -> list[str]:
    """The effects posted add up to the exchange's balance, to the last unit."""
    assert world.trader is not None
    there = world.client.balance("USDT")
    opening = world.trader.side.account.statement.opening["USDT"]
    posted = sum((e.amount for e in world.trader.heard.effects if e.coin == "USDT"), opening)
    numbers = [effect.seq for effect in world.trader.heard.effects]
    faults = [] if posted == there else [f"the balance is {there}, posted {posted}"]
    if numbers != list(range(len(numbers))):
        faults.append(f"effects are numbered {numbers}")
    return faults

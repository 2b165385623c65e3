"""Scenario tables: a few bars, a few orders, and the fills worked out by hand.

Bars last 60 ms, so the four events of bar b happen at 60b, 60b + 20, 60b + 40 and 60b + 60. Unless
a table says otherwise: one linear perpetual with tick, lot and cash unit 1, no costs, leverage 10,
an account of 1,000,000, volume 1,000 a bar and no participation limit.
"""

from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from openalpha.core.instruments import Kind
from openalpha.core.messages import EffectKind
from openalpha.core.orders import OrderStatus, Side
from openalpha.core.reasons import Reason
from tests.fakes.kernel_books import books_agree
from tests.reference.engines import runner
from tests.reference.scenario import (
    AccountCase,
    Bar,
    Case,
    Command,
    InstrumentCase,
    MarketCase,
    Outcome,
    Series,
)

BUY, SELL = Side.BUY, Side.SELL
LENGTH_MS = 60
LINEAR = InstrumentCase()
SPOT = InstrumentCase(kind=Kind.SPOT, base_coin=1)
MILLION = AccountCase(balances=(1_000_000,))
INVERSE = InstrumentCase(kind=Kind.INVERSE, k_inverse=10**8)
Row = tuple[int, ...] | None
ShortFill = tuple[int, int, int, int, Reason]
"""Time, order id, signed quantity, price, reason."""


def flat(price: int) -> tuple[int, int, int, int]:
    return (price, price, price, price)


def bars(*rows: Row) -> tuple[Bar | None, ...]:
    """Rows of open, high, low, close and, if it matters, volume."""
    return tuple(None if r is None else (r[0], r[1], r[2], r[3], (*r, 1_000)[4]) for r in rows)


def market(*series: Series) -> MarketCase:
    n = len(series[0].bars)
    return MarketCase(tuple(LENGTH_MS * i for i in range(n)), series, LENGTH_MS)


@dataclass(frozen=True)
class Story:
    """One idea: a case and what must come of it. Fields left None are not looked at."""

    name: str
    rows: tuple[Row, ...]
    commands: tuple[Command, ...]
    fills: tuple[ShortFill, ...]
    ended: dict[int, Reason] = field(default_factory=dict)
    position: int | None = None
    balances: tuple[int, ...] | None = None
    effects: tuple[tuple[EffectKind, int], ...] | None = None
    rules: InstrumentCase = LINEAR
    account: AccountCase = MILLION
    series: dict[str, Any] = field(default_factory=dict)
    others: tuple[tuple[InstrumentCase, Series], ...] = ()
    path: str = "adverse"
    latency_ms: int = 0

    def case(self) -> Case:
        first = replace(Series(bars(*self.rows)), **self.series)
        return Case(
            (self.rules, *(rules for rules, _ in self.others)),
            self.account,
            market(first, *(series for _, series in self.others)),
            self.commands,
            self.path,
            self.latency_ms,
        )


def tell(engine: str, story: Story) -> None:
    """Run a story and compare."""
    case = story.case()
    out = runner(engine)(case)
    books_agree(case, out)
    found = tuple((f.ts_ms, f.order_id, f.qty, f.price, f.reason) for f in out.fills)
    assert found == story.fills
    assert _ended(out) == story.ended
    if story.position is not None:
        assert out.positions[0, 0].qty == story.position
    if story.balances is not None:
        assert out.balances == story.balances
    if story.effects is not None:
        assert tuple((e.kind, e.amount) for e in out.effects) == story.effects


def _ended(out: Outcome) -> dict[int, Reason]:
    gone = (OrderStatus.CANCELLED, OrderStatus.REJECTED)
    return {i: order.reason for i, order in out.orders.items() if order.status in gone}


def table(*stories: Story) -> pytest.MarkDecorator:
    """Parametrise a test over stories, named by them."""
    names = [story.name for story in stories]
    assert len(set(names)) == len(names), "a story is told once"
    return pytest.mark.parametrize("story", stories, ids=names)

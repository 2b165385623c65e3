"""What comes to an account led by messages beside them: settlements and marks of a row, money."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import numpy as np
import pytest

from openalpha.core.messages import EffectKind
from openalpha.core.reasons import Reason
from openalpha.engine.rows import Row
from openalpha.engine.run import VenueSettings
from openalpha.engine.signals import EngineSettings
from openalpha.engine.step_messages import MessageStep
from openalpha.risk.settings import RiskSettings
from openalpha.strategy import EventStrategy
from openalpha.strategy.params import Exits, StrategyParams
from openalpha.venue.kernel import book_market as event
from openalpha.venue.kernel import layout as at
from openalpha.venue.settings import CostSettings, FillSettings
from tests.fakes.event_runs import HOUR_MS, START_MS, perp

BAR = (10_000, 10_100, 9_900, 10_000, 5_000)
"""Around 100.00."""


class Buys(EventStrategy):
    name, idea = "buys", "One at the first close."

    def on_bar(self, ctx: Any) -> None:
        if ctx.index == 0:
            ctx.buy(1, exits=Exits())

    def on_book(self, ctx: Any, book: Any) -> None:
        self.seen = (ctx.ts_ms, ctx.equity, ctx.position)


def book_at(ts_ms: int, bid: int) -> np.ndarray:
    rows = [
        (ts_ms, event.SNAPSHOT_BEGIN, 0, 0, 0, 0),
        (ts_ms, event.LEVEL, 0, 1, bid, 90_000),
        (ts_ms, event.LEVEL, 0, -1, bid + 10, 90_000),
        (ts_ms, event.SNAPSHOT_END, 0, 0, 0, 0),
    ]
    return np.array(rows, dtype=np.int64)


def step(*, funding: bool = True, **risk: Any) -> MessageStep:
    costs = CostSettings(preset="none", funding=funding)
    settings = EngineSettings(VenueSettings(costs, fills=FillSettings(feed="book")))
    if risk:
        settings = replace(settings, risk=RiskSettings(profile="live", **risk))
    made = MessageStep(
        Buys(StrategyParams()),
        "btc",
        perp(),
        timeframe_ms=HOUR_MS,
        capital=Decimal(10_000),
        settings=settings,
    )
    made.begin(START_MS)
    made.hear(book_at(START_MS, 9_990))
    made.lead(Row(START_MS, (BAR,)))
    return made


def kinds(effects: np.ndarray) -> list[tuple[int, int]]:
    return [(int(row[at.E_KIND]), int(row[at.E_AMOUNT])) for row in effects]


@pytest.mark.parametrize("funding", [True, False])
def test_what_a_row_settles_is_paid_at_its_mark(funding: bool) -> None:
    made = step(funding=funding)
    made.hear(book_at(START_MS + HOUR_MS + 5, 9_990))
    paid = ((0, START_MS + HOUR_MS + 9, 10**8),)
    row = Row(START_MS + HOUR_MS, (BAR,), ((0, 0, 0, 12_000),), (), paid)
    written = made.lead(row).written
    found = [amount for kind, amount in kinds(written.effects) if kind == int(EffectKind.FUNDING)]
    cash = 10 ** made.account.units.coin_decimals[0]
    # One at a mark of 120, a rate of 0.0001: 0.012 is paid.
    assert found == ([-12 * cash // 1000] if funding else [])


def test_what_a_moment_led_to_is_told_with_its_equity() -> None:
    made = step()
    ((now_ms, told),) = made.hear(book_at(START_MS + HOUR_MS + 5, 9_990))
    assert now_ms == START_MS + HOUR_MS + 5
    assert [int(row[at.F_PRICE]) for row in told.written.fills] == [10_000]
    strategy: Any = made.strategy
    assert strategy.seen == (now_ms, 10_000.0, 1.0)
    assert made.hear(book_at(now_ms + 5, 9_990)) == [], "nothing happened"
    assert strategy.seen[0] == now_ms + 5


def test_money_that_is_moved_is_neither_gain_nor_loss() -> None:
    made = step(max_drawdown=Decimal("0.05"), stop=Decimal(0))
    made.hear(book_at(START_MS + HOUR_MS + 5, 9_990))
    cash = 10 ** made.account.units.coin_decimals[0]
    made.transfer(-4_000 * cash, START_MS + HOUR_MS + 5)
    made.hear(book_at(START_MS + HOUR_MS + 6, 9_990))
    assert made.context.equity == 6_000
    assert made.context.gate is not None
    assert not made.context.gate.is_halted
    made.lead(Row(START_MS + HOUR_MS, (BAR,)))
    assert made.context.codes == [int(Reason.NO_SIGNAL)]

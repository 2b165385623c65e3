"""The live profile over messages: limits follow equity at every moment, between closes too."""

from dataclasses import replace
from decimal import Decimal
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pytest

from openalpha.core.instruments import instrument_id
from openalpha.core.reasons import Reason
from openalpha.core.units import from_units
from openalpha.engine.gate import RunningGate
from openalpha.risk.limits import Limits
from openalpha.risk.reading import Reading
from openalpha.risk.view import AccountView, MarketNow, SubBook
from openalpha.strategy import EventStrategy
from openalpha.strategy.params import Exits
from openalpha.venue.kernel import layout as at
from tests.fakes.event_runs import perp
from tests.fakes.gate_view import WIDE
from tests.integration.test_gate_parity import Beside
from tests.integration.test_message_runs import START, played, tape_home

HALF_MS = 20_000
LOOSE = dict.fromkeys(
    ("min_order", "max_order", "max_trades_per_day", "daily_loss", "stop"), Decimal(0)
) | {"max_position": Decimal("0.3"), "max_trades_per_day": 0}

RULES = replace(
    perp(), id=instrument_id("moon_linear", "AAAUSDT"), price_decimals=1, qty_decimals=3
)


class BesideMessages(Beside):
    """Trading's gate and ladder beside a message run's: they hear of equity at the same moments."""

    now_ms = 0
    equity = Decimal(0)

    def hear(self, now_ms: int, equity_units: float) -> None:
        self.now_ms, self.equity = now_ms, from_units(int(equity_units), 8)
        self.ladder.observe(Reading(ts_ms=now_ms, equity=self.equity))

    def ask(self, backtest: Any, number: int, **order: Any) -> None:
        super().ask(backtest, number, **order | {"row": -1})

    def view(self, backtest: Any, row: int, *, price: Decimal) -> AccountView:
        machine, rules = backtest._machine, self.instruments[0]
        rows = machine.live_orders(0)
        opening = rows[rows[:, at.O_REDUCE] == 0]
        left = opening[:, at.O_QTY] - opening[:, at.O_FILLED]
        sides = [int(left[opening[:, at.O_SIDE] == side].sum()) for side in (1, -1)]
        qty = [machine.position(0)[0], *sides]
        book = SubBook("", rules.id, *(from_units(int(n), rules.qty_decimals) for n in qty))
        markets = {rules.id: MarketNow(rules, price, self.now_ms)}
        standing = self.ladder.standing
        return AccountView(
            self.now_ms, self.equity, self.equity, markets, [book], standing, cash_decimals=8
        )


def a_market(home: Path, random: np.random.Generator) -> Path:
    """Prints and a book that both follow a wild walk, on both sides of midnight."""
    mid = 1000 + np.cumsum(random.integers(-4, 5, 400))
    stamps = np.sort(random.integers(1 - HALF_MS, HALF_MS, 400)).tolist()
    trades, depth = [(-HALF_MS, 1, 1001, 1)], [(-HALF_MS, 1, 1, 1000, 30_000)]
    for ts, price in zip(stamps, mid.tolist(), strict=True):
        depth += [(ts, 1, 1, price - 1, 30_000), (ts, 1, -1, price + 1, 30_000)]
        trades.append((ts, int(random.choice([-1, 1])), price, 3))
    last = (HALF_MS + 1_000, 0, 1, 1, 9)
    return tape_home(home, [*trades, (HALF_MS + 1_000, 1, 1000, 1)], [*depth, last])


@cache
def answers_of(seed: int) -> list[tuple[Reason, Reason]]:
    """What both gates said to every order of a run."""
    random = np.random.default_rng(seed)
    chosen: dict[str, Any] = {
        "max_position": Decimal(str(random.choice(["0.05", "0.15", "0.3"]))),
        "min_order": Decimal(str(random.choice(["0", "50"]))),
        "max_order": Decimal(str(random.choice(["0", "900", "2500"]))),
        "max_trades_per_day": int(random.choice([0, 12])),
        "daily_loss": Decimal(str(random.choice(["0", "0.002", "0.005"]))),
        "max_drawdown": Decimal(str(random.choice(["0.004", "0.15"]))),
        "stop": Decimal("0.03"),
    }

    class Wild(EventStrategy):
        name, idea = "wild", "Anything."

        def on_start(self, ctx: Any) -> None:
            self.random = np.random.default_rng(seed)

        def on_bar(self, ctx: Any) -> None:
            self.on_trade(ctx, None)

        def on_trade(self, ctx: Any, trade: Any) -> None:
            random = self.random
            qty = float(random.choice([0.3, 4, 8, 15, 25]))
            act = ctx.buy if random.random() < 0.5 else ctx.sell
            limit = {"limit": ctx.close * float(random.choice([0.9, 1.1]))}
            act(qty, exits=Exits(), **(limit if random.random() < 0.3 else {}))

    beside = BesideMessages(Limits(**WIDE | chosen), [RULES])
    asked, heard = RunningGate.refusal, RunningGate.add

    def both(self: Any, number: int, **order: int) -> Reason:
        beside.ask(self, number, **order)
        said = asked(self, number, **order)
        beside.answers[-1] = (beside.answers[-1][0], said)
        return said

    def hear(self: Any, now_ms: int, equity_units: float) -> None:
        beside.hear(now_ms, equity_units)
        heard(self, now_ms, equity_units)

    with TemporaryDirectory() as home, pytest.MonkeyPatch.context() as patch:
        patch.setattr(RunningGate, "refusal", both)
        patch.setattr(RunningGate, "add", hear)
        risk = {"profile": "live", **chosen}
        played(a_market(Path(home), random), strategy=Wild, risk=risk)
    return beside.answers


@pytest.mark.parametrize("seed", range(8))
def test_every_order_gets_the_answer_of_tradings_gate(seed: int) -> None:
    answers = answers_of(seed)
    assert len(answers) > 200
    assert [(at, *both) for at, both in enumerate(answers) if both[0] is not both[1]] == []


def test_the_comparison_meets_every_reason() -> None:
    assert {told for seed in range(8) for _, told in answers_of(seed)} == {
        Reason.NONE,
        Reason.RISK_REFUSED,
        Reason.MAX_TRADES,
        Reason.BREAKER_DAILY_LOSS,
        Reason.BREAKER_DRAWDOWN,
    }


def test_a_fall_within_a_bar_closes_everything_there_and_then(tmp_path: Path) -> None:
    level = [(0, 1, 1, 1000, 90_000), (0, 1, -1, 1001, 90_000)]
    fallen = [(2_500, 1, 1, 900, 90_000), (2_500, 1, -1, 901, 90_000)]
    trades = [(0, 1, 1001, 1), (2_500, -1, 900, 1), (2_600, -1, 900, 1), (9_999, 1, 901, 1)]
    home = tape_home(tmp_path, trades, [*level, *fallen, (9_999, 0, 1, 1, 9)])

    class Buys(EventStrategy):
        name, idea = "buys", "Once."

        def on_bar(self, ctx: Any) -> None:
            if ctx.index in {0, 5}:
                ctx.buy(29, exits=Exits())

        def on_trade(self, ctx: Any, trade: Any) -> None:
            pass

    risk = {"profile": "live", **LOOSE, "max_drawdown": Decimal("0.02")}
    result, _ = played(home, strategy=Buys, risk=risk)
    made = result.fills.select("ts_ms", "side", "qty", "price").rows()
    # 29 fell by 10 each: 2.9 % of the capital, seen at the print and sold at the next message.
    ms = [(ts - START, side, float(qty), float(price)) for ts, side, qty, price in made]
    assert ms == [(1_000, 1, 29.0, 100.1), (2_500, -1, 29.0, 90.0)]
    assert result.run.journal is not None
    assert set(result.run.journal[3:, 0].tolist()) == {int(Reason.BREAKER_DRAWDOWN)}
    heedless, _ = played(home, strategy=Buys, risk={"profile": "none"})
    assert len(heedless.fills) == 2

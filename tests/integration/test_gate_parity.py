"""What was tested is what trades: the gate of trading says what the backtest's live profile said.

Strategies of random orders run in a backtest; at every order the backtest's gate is asked, and
beside it, with a view of the same moment, the gate and the ladder that trading uses.
"""

from dataclasses import dataclass, field
from decimal import Decimal
from functools import cache
from typing import Any

import numpy as np
import pytest

from openalpha.core.messages import OrderIntent
from openalpha.core.orders import Side
from openalpha.core.reasons import Reason
from openalpha.core.units import from_units
from openalpha.engine.gate import Gate as BacktestGate
from openalpha.risk.gate import Gate, Refusal
from openalpha.risk.ladder import Ladder
from openalpha.risk.limits import Limits
from openalpha.risk.reading import Reading
from openalpha.risk.settings import BreakerSettings, RiskSettings
from openalpha.risk.view import AccountView, MarketNow, Stage, SubBook
from openalpha.strategy.params import Exits
from openalpha.venue.kernel import layout as at
from tests.fakes.event_runs import Script, market, perp, play
from tests.fakes.gate_view import BTC, WIDE, gate, said, sell, view
from tests.fakes.small_market import market as target_market
from tests.fakes.small_market import run_targets

CASH = 8


@dataclass
class Beside:
    """Trading's gate beside a backtest's."""

    limits: Limits
    instruments: list[Any]
    answers: list[tuple[Reason, Reason]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.gate = Gate(self.limits)
        settings = BreakerSettings(most_trips_a_day=0, loss_streak=0)
        self.ladder = Ladder(self.limits, settings, start=Decimal(10_000))
        self.seen = 0

    def ask(
        self, backtest: Any, number: int, *, side: int, qty: int, row: int, **prices: int
    ) -> None:
        for at_row in range(self.seen, row + 1):
            equity = from_units(int(backtest._equity[at_row]), CASH)
            self.ladder.observe(Reading(ts_ms=int(backtest._close_ms[at_row]), equity=equity))
        self.seen = row + 1
        rules = self.instruments[number]
        price, trigger, last = (
            from_units(prices[name], rules.price_decimals) for name in ("limit", "trigger", "last")
        )
        view = self.view(backtest, row, price=last)
        intent = OrderIntent(
            view.ts_ms,
            rules.id,
            Side(side),
            from_units(qty, rules.qty_decimals),
            limit_price=price or None,
            trigger_price=trigger or None,
        )
        told = said([self.gate.judge(intent, view)])[0]
        is_exit = view.books[number].reach(intent.side) + intent.qty <= 0
        if view.standing.stage is Stage.FLATTEN and is_exit:
            # The backtest lets a strategy close what it is closing itself; trading does not.
            assert told is Reason.BREAKER_DRAWDOWN
            told = Reason.NONE
        self.answers.append((told, Reason.NONE))

    def view(self, backtest: Any, row: int, *, price: Decimal) -> AccountView:
        machine, books, markets = backtest._machine, [], {}
        for number, rules in enumerate(self.instruments):
            rows = machine.live_orders(number)
            opening = rows[rows[:, at.O_REDUCE] == 0]
            left = opening[:, at.O_QTY] - opening[:, at.O_FILLED]
            sides = [int(left[opening[:, at.O_SIDE] == side].sum()) for side in (1, -1)]
            qty = [machine.position(number)[0], *sides]
            books.append(
                SubBook("", rules.id, *(from_units(int(n), rules.qty_decimals) for n in qty))
            )
            markets[rules.id] = MarketNow(rules, price, int(backtest._close_ms[row]))
        equity = from_units(int(backtest._equity[row]), CASH)
        now_ms = int(backtest._close_ms[row])
        return AccountView(
            now_ms, equity, equity, markets, books, self.ladder.standing, cash_decimals=CASH
        )


def random_strategy(seed: int) -> Any:
    random = np.random.default_rng(seed)

    def on_bar(ctx: Any) -> None:
        for name in ("bybit_linear:BTCUSDT", "bybit_linear:ETHUSDT"):
            if random.random() < 0.5:
                continue
            qty = float(random.choice([0.05, 1, 4, 8, 15, 25, 40]))
            act = ctx.buy if random.random() < 0.5 else ctx.sell
            limit = {"limit": float(random.choice([60, 99, 101]))} if random.random() < 0.3 else {}
            act(qty, instrument=name, exits=Exits(), **limit)

    return on_bar


@cache
def answers_of(seed: int) -> list[tuple[Reason, Reason]]:
    """What both gates said to every order of a backtest."""
    random = np.random.default_rng(1000 + seed)
    chosen: dict[str, Any] = {
        "max_position": Decimal(str(random.choice(["0.05", "0.15", "0.3"]))),
        "min_order": Decimal(str(random.choice(["0", "50"]))),
        "max_order": Decimal(str(random.choice(["0", "900", "2500"]))),
        "max_trades_per_day": int(random.choice([0, 4])),
        "daily_loss": Decimal(str(random.choice(["0", "0.002", "0.01"]))),
        "max_drawdown": Decimal(str(random.choice(["0.03", "0.15"]))),
        "stop": Decimal("0.03"),
    }
    instruments = [perp("BTCUSDT"), perp("ETHUSDT")]
    beside = Beside(Limits(**WIDE | chosen), instruments)
    asked = BacktestGate.refusal

    def both(self: Any, number: int, **order: int) -> Reason:
        beside.ask(self, number, **order)
        told = asked(self, number, **order)
        beside.answers[-1] = (beside.answers[-1][0], told)
        return told

    moves = np.exp(random.normal(0, 0.02, (2, 90)).cumsum(axis=1))
    histories = [
        market((100 * part).tolist(), instrument=rules)
        for part, rules in zip(moves, instruments, strict=True)
    ]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(BacktestGate, "refusal", both)
        risk = RiskSettings(profile="live", **chosen)
        play(Script(random_strategy(seed)), *histories, risk=risk)
    return beside.answers


@pytest.mark.parametrize("seed", range(12))
def test_every_order_gets_the_same_answer(seed: int) -> None:
    answers = answers_of(seed)
    assert len(answers) > 20
    assert [(at, *both) for at, both in enumerate(answers) if both[0] is not both[1]] == []


def test_the_comparison_meets_every_reason() -> None:
    assert {told for seed in range(12) for _, told in answers_of(seed)} == {
        Reason.NONE,
        Reason.RISK_REFUSED,
        Reason.MAX_TRADES,
        Reason.BREAKER_DAILY_LOSS,
        Reason.BREAKER_DRAWDOWN,
    }


LIMITS: dict[str, Any] = {
    "max_position": Decimal("0.12"),
    "min_order": Decimal(20),
    "max_order": Decimal(800),
    "max_trades_per_day": 6,
    "daily_loss": Decimal("0.01"),
    "max_drawdown": Decimal("0.05"),
    "stop": Decimal("0.03"),
}


@pytest.mark.parametrize("seed", range(8))
def test_the_gate_passes_what_the_compiled_step_orders(seed: int) -> None:
    """Targets are cut to the limits by compiled code; trading's gate then has nothing to refuse."""
    random = np.random.default_rng(seed)
    closes = np.round(100 * np.exp(random.normal(0, 0.03, 80).cumsum()), 1).tolist()
    targets = random.choice([-1, -0.4, 0, 0.3, 0.7, 1], 80).tolist()
    history = target_market(closes)
    sizing = {"kind": "fixed_amount", "amount": 3000}
    run = run_targets(history, targets, sizing=sizing, risk={"profile": "live", **LIMITS})
    limits = Limits(**WIDE | LIMITS)
    gate = Gate(limits)
    settings = BreakerSettings(most_trips_a_day=0, loss_streak=0)
    ladder = Ladder(limits, settings, start=Decimal(10_000))
    rules, answers = history.instrument, []
    made = run.orders.to_frame().filter(is_reduce_only=False).to_dicts()
    for row, equity in enumerate(run.equity):
        close_ms, price = int(run.ts_ms[row]) + history.timeframe_ms, Decimal(str(closes[row]))
        money = Decimal(f"{equity:.8f}")
        ladder.observe(Reading(ts_ms=close_ms, equity=money))
        held = Decimal(f"{run.position[row, 0]:.3f}")
        for order in (one for one in made if one["created_ts_ms"] == close_ms):
            side = Side(order["side"])
            is_flip = held * int(side) < 0
            book = SubBook("", rules.id, held, closing=abs(held) if is_flip else Decimal(0))
            view = AccountView(
                close_ms,
                money,
                money,
                {rules.id: MarketNow(rules, price, close_ms)},
                [book],
                ladder.standing,
            )
            qty = Decimal(f"{order['qty']:.3f}")
            answers.append((row, gate.judge(OrderIntent(close_ms, rules.id, side, qty), view)))
    assert len(answers) > 8
    assert [one for one in answers if isinstance(one[1], Refusal)] == []


def test_of_a_close_and_an_entry_at_once_the_whole_entry_is_measured() -> None:
    """Else an order of 40 behind the close of 25 would pass as one of 15."""
    flip = SubBook("ma", BTC.id, Decimal(25), closing=Decimal(25))
    assert said([gate().judge(sell("30.001"), view(flip))]) == [Reason.RISK_REFUSED]
    assert said([gate().judge(sell("30"), view(flip))]) == [Reason.NONE]

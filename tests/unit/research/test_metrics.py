"""Metrics: against empyrical where definitions coincide, by contract where nothing is defined."""

import math
import warnings
from typing import Any

import numpy as np
import pytest

from openalpha.research.curve import Curve
from openalpha.research.daily import daily_series
from openalpha.research.definitions import DEFINITIONS
from openalpha.research.drawdown import drawdowns
from openalpha.research.facts import CashColumns, FillColumns
from openalpha.research.metrics import Measured, compute, month_returns
from openalpha.research.roundtrips import round_trips
from tests.fakes.engine_run import fake_run

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS


def measured(
    equity: list[float] | np.ndarray,
    *,
    run: Any = None,
    timeframe_ms: int = DAY_MS,
    capital: float = 10_000.0,
    benchmark: np.ndarray | None = None,
) -> Measured:
    curve = np.asarray(equity, dtype=float)
    ts_ms = np.arange(len(curve)) * timeframe_ms
    instruments = (run.history.instrument,)
    fills = FillColumns.of(run.fills.to_frame(), instruments=instruments, currency="USDT")
    cash = CashColumns.of(run.effects.to_frame(), instruments=instruments, currency="USDT")
    days = daily_series(ts_ms, curve, timeframe_ms=timeframe_ms, capital=capital)
    end_ms = len(curve) * timeframe_ms
    trips = round_trips(fills, instruments, cash=cash)
    return Measured(
        capital,
        0,
        end_ms,
        curve,
        Curve(len(curve), 0, 0.0, 0.0, float(drawdowns(curve, capital).max(initial=0.0))),
        days,
        fills,
        trips,
        cash,
        benchmark,
    )


@pytest.fixture(scope="module")
def empty_run() -> Any:
    return fake_run(50, changes=0)


@pytest.fixture(scope="module")
def walk() -> np.ndarray:
    return 10_000 * np.exp(np.cumsum(np.random.default_rng(3).normal(5e-4, 0.02, 900)))


def test_the_list_is_long_and_its_order_is_kept(empty_run: Any, walk: np.ndarray) -> None:
    found = compute(measured(walk, run=empty_run))
    assert list(found) == [item.name for item in DEFINITIONS]
    assert len(found) >= 40
    assert len(set(found)) == len(DEFINITIONS)


@pytest.mark.parametrize(
    ("name", "oracle", "sign"),
    [
        ("sharpe", "sharpe_ratio", 1),
        ("sortino", "sortino_ratio", 1),
        ("volatility_annual", "annual_volatility", 1),
        ("max_drawdown", "max_drawdown", -1),  # theirs is negative, ours positive
        ("cagr", "annual_return", 1),
        ("calmar", "calmar_ratio", 1),
        ("omega", "omega_ratio", 1),
        ("tail_ratio", "tail_ratio", 1),
        ("var_95", "value_at_risk", -1),
        ("es_95", "conditional_value_at_risk", -1),
        ("total_return", "cum_returns_final", 1),
    ],
)
def test_agrees_with_empyrical(
    name: str, oracle: str, sign: int, empty_run: Any, walk: np.ndarray,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    # empyrical still uses a name NumPy 2 dropped.
    monkeypatch.setattr(np, "NINF", -np.inf, raising=False)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import empyrical

    facts = measured(walk, run=empty_run)
    options: dict[str, Any] = {"annualization": 365}
    if oracle in ("max_drawdown", "tail_ratio", "value_at_risk", "conditional_value_at_risk",
                  "cum_returns_final", "omega_ratio"):  # fmt: skip
        options = {}
    theirs = getattr(empyrical, oracle)(facts.days.returns, **options)
    assert compute(facts)[name] == pytest.approx(sign * float(theirs), rel=1e-12)


def test_beta_and_alpha_agree_with_empyrical(empty_run: Any, walk: np.ndarray) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import empyrical

    line = np.exp(np.cumsum(np.random.default_rng(4).normal(0, 0.02, len(walk))))
    facts = measured(walk, run=empty_run, benchmark=line)
    theirs = np.diff(np.append(1.0, line)) / np.append(1.0, line[:-1])
    beta = empyrical.beta(facts.days.returns, theirs)
    assert compute(facts)["beta"] == pytest.approx(beta, rel=1e-9)
    assert compute(facts)["benchmark_return"] == pytest.approx(line[-1] - 1)


@pytest.mark.parametrize(
    "equity",
    [
        pytest.param([10_100.0], id="one day"),
        pytest.param([10_000.0] * 40, id="flat"),
        pytest.param([5_000.0, 0.0, 0.0, 0.0], id="gone"),
        pytest.param([5_000.0, -700.0, -700.0], id="bankrupt"),
        pytest.param([10_000.0, 11_000.0], id="two days"),
    ],
)
def test_nothing_crashes_and_nothing_is_infinite(equity: list[float], empty_run: Any) -> None:
    found = compute(measured(equity, run=empty_run))
    assert not any(math.isinf(value) for value in found.values())
    assert found["final_equity"] == equity[-1]
    assert 0 <= found["max_drawdown"] <= 1


def test_what_is_not_defined_is_nan_never_zero(empty_run: Any) -> None:
    flat = compute(measured([10_000.0] * 40, run=empty_run))
    names = ("sharpe", "sortino", "calmar", "skew", "win_rate", "profit_factor", "expectancy",
             "recovery_days", "cost_share", "benchmark_return", "beta")  # fmt: skip
    assert {name for name in names if not math.isnan(flat[name])} == set()
    assert flat["round_trips"] == flat["fees"] == flat["max_drawdown"] == 0


def test_a_debt_has_no_return(empty_run: Any) -> None:
    days = measured([-100.0, -300.0, -50.0], run=empty_run).days
    assert days.returns.tolist() == [-1.01, 0.0, 0.0]


def test_a_bankrupt_account_lost_everything(empty_run: Any) -> None:
    found = compute(measured([5_000.0, -700.0, -700.0], run=empty_run))
    assert found["cagr"] == -1
    assert found["max_drawdown"] == 1


def test_days_multiply_to_the_total_return() -> None:
    run = fake_run(3_000, changes=80)
    days = daily_series(run.ts_ms, run.equity, timeframe_ms=HOUR_MS, capital=10_000)
    assert np.prod(1 + days.returns) == pytest.approx(run.equity[-1] / 10_000)
    _, months = month_returns(days)
    assert np.prod(1 + months) == pytest.approx(run.equity[-1] / 10_000)


def test_a_day_without_bars_has_no_return() -> None:
    ts_ms = np.array([0, 3 * DAY_MS])
    days = daily_series(ts_ms, np.array([110.0, 121.0]), timeframe_ms=DAY_MS, capital=100.0)
    assert days.returns.round(12).tolist() == [0.1, 0, 0, 0.1]


def test_a_bar_belongs_to_the_day_it_closes_in() -> None:
    ts_ms = np.array([0, 22 * HOUR_MS, 26 * HOUR_MS])
    days = daily_series(ts_ms, np.array([1.0, 2.0, 3.0]), timeframe_ms=2 * HOUR_MS, capital=1.0)
    assert days.bar.tolist() == [1, 2]


def test_costs_lead_from_the_profit_before_to_the_net() -> None:
    run = fake_run(2_000, changes=100)
    found = compute(measured(run.equity, run=run, timeframe_ms=HOUR_MS))
    paid = found["fees"] + found["spread_cost"] + found["impact_cost"] - found["funding"]
    assert found["total_costs"] == pytest.approx(paid)
    assert found["profit_before_costs"] - paid == pytest.approx(found["net_profit"])


def test_costs_switched_off_are_zero() -> None:
    run = fake_run(2_000, changes=100, costs=False)
    found = compute(measured(run.equity, run=run, timeframe_ms=HOUR_MS))
    assert found["total_costs"] == 0
    assert found["profit_before_costs"] == found["net_profit"]

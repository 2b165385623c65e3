"""The verdict: each check speaks when it has to, with its numbers, and is silent otherwise."""

from typing import Any

import numpy as np
import pytest

from openalpha.research.capacity import Capacity, capacity_of
from openalpha.research.definitions import DEFINITIONS
from openalpha.research.verdict import Circumstances, Severity, judge

SOBER = {
    "years": 3.0, "total_return": 0.6, "net_profit": 6_000.0, "final_equity": 16_000.0,
    "sharpe": 1.9, "sharpe_error": 0.6, "round_trips": 400.0, "fills": 800.0,
    "profit_before_costs": 8_000.0, "total_costs": 2_000.0, "excess_return": 0.1,
    "benchmark_return": 0.5,
}  # fmt: skip
REALISTIC: dict[str, Any] = {
    "costs": {"preset": "realistic", "maker_bps": 2, "taker_bps": 5.5, "spread_bps": 1,
              "impact": 10, "funding": True},
    "fills": {"path": "adverse"},
    "risk": {"profile": "live"},
}  # fmt: skip
GAP = ((1_704_067_200_000, 1_704_153_600_000),)


def metrics(**changes: float) -> dict[str, float]:
    return {item.name: float("nan") for item in DEFINITIONS} | SOBER | changes


def facts(**changes: Any) -> Circumstances:
    base: dict[str, Any] = {
        "strategy": "ma_cross", "currency": "USDT", "settings": REALISTIC,
        "trip_pnl": np.tile([40.0, -25.0], 200),
    }  # fmt: skip
    return Circumstances(**(base | changes))


def settings(group: str, **changes: Any) -> dict[str, Any]:
    return REALISTIC | {group: REALISTIC[group] | changes}


def test_a_sober_result_raises_nothing_and_is_still_called_no_proof() -> None:
    verdict = judge(metrics(), facts())
    assert verdict.codes() == ()
    assert "not proof" in verdict.opinion
    assert verdict.headline == (
        "ma_cross gained 60.0 % in 1,095 days after all costs; buying and holding made +50.0 %."
    )


@pytest.mark.parametrize(
    ("code", "severity", "said", "changed", "around"),
    [
        ("no_trades", Severity.ALARM, "No order", {"fills": 0, "round_trips": 0}, {}),
        ("too_few_round_trips", Severity.CAUTION, "29 round trips", {"round_trips": 29}, {}),
        ("too_few_round_trips", Severity.ALARM, "9 round trips", {"round_trips": 9}, {}),
        ("few_days", Severity.CAUTION, "182 days", {"years": 0.5, "total_return": 0.1}, {}),
        ("few_days", Severity.ALARM, "36 days", {"years": 0.1, "total_return": 0.01}, {}),
        ("implausible_sharpe", Severity.CAUTION, "3.40", {"sharpe": 3.4}, {}),
        ("implausible_sharpe", Severity.ALARM, "183.00", {"sharpe": 183.0}, {}),
        ("implausible_return", Severity.ALARM, "+1,975.0 % in 18 days",
         {"total_return": 19.75, "years": 18 / 365}, {}),
        ("not_beyond_luck", Severity.CAUTION, "two standard errors", {"sharpe": 1.1}, {}),
        ("many_trials", Severity.ALARM, "5,000 configurations", {}, {"trials": 5_000}),
        ("many_trials", Severity.CAUTION, "100 configurations", {}, {"trials": 100}),
        ("costs_ate_profit", Severity.CAUTION, "into a loss",
         {"profit_before_costs": 100.0, "total_costs": 400.0, "total_return": -0.03}, {}),
        ("cost_share", Severity.CAUTION, "60.0 %", {"total_costs": 4_800.0}, {}),
        ("profit_from_few_trades", Severity.ALARM, "best 1 round trip",
         {}, {"trip_pnl": np.append(np.full(99, -1.0), 500.0)}),
        ("profit_from_few_trades", Severity.CAUTION, "best 4 round trips",
         {}, {"trip_pnl": np.append(np.full(99, -1.0), np.full(5, 60.0))}),
        ("costs_off", Severity.ALARM, "fees",
         {}, {"settings": settings("costs", maker_bps=0, taker_bps=0)}),
        ("costs_off", Severity.ALARM, "spread", {}, {"settings": settings("costs", spread_bps=0)}),
        ("costs_off", Severity.ALARM, "funding",
         {}, {"settings": settings("costs", funding=False)}),
        ("costs_off", Severity.ALARM, "fees, spread, impact.",
         {}, {"settings": REALISTIC | {"costs": {"preset": "none"}}}),
        ("costs_off", Severity.ALARM, "run: maker fee, spread, impact.",
         {}, {"settings": REALISTIC | {"costs": {"preset": "none", "taker_bps": 5.5}}}),
        ("limits_off", Severity.CAUTION, "0: risk.daily_loss, risk.stop.",
         {}, {"settings": settings("risk", daily_loss=0, stop=0, max_drawdown=0.1)}),
        ("nothing_closed", Severity.CAUTION, "equity curve", {"round_trips": 0}, {}),
        ("hedged_legs", Severity.NOTE, "800 round trips", {}, {"hedged_legs": 800}),
        ("too_few_round_trips", Severity.ALARM, "8 positions",
         {"round_trips": 40}, {"hedged_legs": 16, "trip_pnl": np.full(8, 1.0)}),
        ("unhedged", Severity.ALARM, "93.0 %", {}, {"unhedged_share": 0.93}),
        ("unhedged", Severity.CAUTION, "10.0 %", {}, {"unhedged_share": 0.1}),
        ("optimistic_path", Severity.CAUTION, "nearer_first",
         {}, {"settings": settings("fills", path="nearer_first")}),
        ("lookahead_allowed", Severity.ALARM, "future", {}, {"is_lookahead_allowed": True}),
        ("no_risk_limits", Severity.NOTE, "profile",
         {}, {"settings": settings("risk", profile="none")}),
        ("data_gaps", Severity.CAUTION, "24 bars missing in 1 gap, the first at 2024-01-01",
         {}, {"data_gaps": GAP, "missing_bars": 24}),
        ("funding_gaps", Severity.CAUTION, "−10.0 %",
         {}, {"funding_gaps": GAP, "funding_worst_return": -0.1}),
        ("mark_missing", Severity.NOTE, "mark", {}, {"has_mark": False}),
        ("open_at_end", Severity.NOTE, "marked", {}, {"has_open_position": True}),
        ("bankrupt", Severity.ALARM, "wiped out", {"final_equity": -3.0, "total_return": -1.0}, {}),
        ("liquidated", Severity.ALARM, "2 times", {}, {"liquidations": 2}),
        ("behind_benchmark", Severity.NOTE, "20.0 %", {"excess_return": -0.2}, {}),
    ],
)  # fmt: skip
def test_a_check_speaks_with_its_numbers(
    code: str, severity: Severity, said: str, changed: dict[str, float], around: dict[str, Any]
) -> None:
    verdict = judge(metrics(**changed), facts(**around))
    check = next((check for check in verdict.checks if check.code == code), None)
    assert check is not None, f"{code} said nothing; {verdict.codes()} did"
    assert check.severity is severity
    assert said in check.sentence


def test_a_backtest_too_good_to_be_true_is_refused_belief() -> None:
    """1975 % in 18 days at a Sharpe ratio of 183, live a loss: freqtrade issue 8248."""
    verdict = judge(metrics(total_return=19.75, years=18 / 365, sharpe=183.0), facts())
    assert verdict.severity is Severity.ALARM
    assert verdict.opinion.startswith("Do not believe")
    assert verdict.label == "not credible"


def test_results_inflated_by_flattering_settings_say_so() -> None:
    """Lowest fees and nearest exits inflated a result twofold: freqtrade issue 13575."""
    flattering = settings("costs", maker_bps=0, taker_bps=0, spread_bps=0, impact=0) | {
        "fills": {"path": "nearer_first"}
    }
    verdict = judge(metrics(), facts(settings=flattering))
    assert {"costs_off", "optimistic_path"} <= set(verdict.codes())
    assert "fees, spread, impact" in verdict.checks[0].sentence


@pytest.mark.parametrize(
    ("changed", "label"),
    [
        ({"fills": 0.0}, "no trade"),
        ({"total_return": -0.2}, "lost"),
        ({"round_trips": 20.0}, "reservations"),
        ({"round_trips": 0.0}, "reservations"),
        ({"sharpe": 9.0}, "not credible"),
        ({}, "no objection"),
    ],
)
def test_the_opinion_in_a_word(changed: dict[str, float], label: str) -> None:
    assert judge(metrics(**changed), facts()).label == label


def test_the_heaviest_check_stands_first() -> None:
    verdict = judge(metrics(sharpe=9.0), facts(has_mark=False, has_open_position=True))
    weights = [check.severity for check in verdict.checks]
    assert weights == sorted(weights, reverse=True)


def test_a_preset_that_names_every_cost_is_not_called_off() -> None:
    assert judge(metrics(), facts(settings=settings("costs", preset="none"))).codes() == ()


def test_a_hedge_that_holds_is_not_called_unhedged() -> None:
    assert judge(metrics(), facts(unhedged_share=0.01)).codes() == ()


def test_settings_that_are_not_there_are_not_called_zero() -> None:
    assert "costs_off" not in judge(metrics(), facts(settings={})).codes()


@pytest.mark.parametrize(
    ("share", "severity"), [(0.05, None), (0.06, Severity.CAUTION), (0.7, Severity.ALARM)]
)
def test_what_it_took_of_the_volume_limits_its_capital(share, severity) -> None:
    verdict = judge(metrics(), facts(capacity=Capacity(share, share, 10_000 * 0.05 / share)))
    assert [check.severity for check in verdict.checks] == [severity] * (severity is not None)
    if share == 0.7:
        assert "70.0 % of the volume" in verdict.checks[0].sentence
        assert "at most 714.29 USDT" in verdict.checks[0].sentence


def test_a_bar_and_its_fills_are_one_share_of_volume() -> None:
    from tests.fakes.engine_run import fake_result

    result = fake_result(bars=400, changes=30)
    found = capacity_of(result.fill_columns, result.context.histories.values(), capital=10_000.0)
    history = next(iter(result.context.histories.values()))
    shares: dict[int, float] = {}
    for ts, qty in zip(result.fill_columns.ts_ms, result.fill_columns.qty, strict=True):
        row = int(np.flatnonzero(history.ts_ms <= ts)[-1])
        shares[row] = shares.get(row, 0.0) + qty / history.column("volume")[row]
    assert found is not None
    assert found.largest == pytest.approx(max(shares.values()))
    assert found.share == pytest.approx(np.quantile(list(shares.values()), 0.95))
    assert found.capital == pytest.approx(500.0 / found.share)
    idle = fake_result(bars=50, changes=0)
    assert capacity_of(idle.fill_columns, idle.context.histories.values(), capital=1.0) is None


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"spread_bps": "0.5"}, "spread 0.5 bps (default 1)"),
        ({"impact": "2"}, "impact 2 bps (default 10)"),
        ({"participation": "0"}, "no limit to the share"),
    ],
)
def test_costs_below_their_defaults_are_said_to_flatter(changed, said) -> None:
    verdict = judge(metrics(), facts(settings=settings("costs", **changed)))
    assert verdict.codes() == ("costs_low",)
    assert said in verdict.checks[0].sentence


def test_fees_below_the_venues_lowest_tier_are_said_to_flatter() -> None:
    from openalpha.research.circumstances import circumstances_of
    from tests.fakes.engine_run import SETTINGS, fake_result

    def low(**costs: Any) -> Any:
        changed = SETTINGS | {"costs": {**SETTINGS["costs"], **costs}}
        made = fake_result(bars=100, changes=4, context={"settings": changed})
        return circumstances_of(made).low_fees

    assert low(taker_bps="1") == ["taker fee 1 bps (the lowest tier pays 5.5)"]
    assert low(taker_bps="5.5", maker_bps=None) == []

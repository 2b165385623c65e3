"""Measures of risk: golden values, oracles of other libraries, and what they refuse to say."""

import math

import numpy as np
import pytest
import scipy.stats

from openalpha.research import measures as m
from openalpha.research.drawdown import drawdowns
from openalpha.research.montecarlo_paths import drawdown_bands

RETURNS = np.random.default_rng(3).standard_t(5, 800) * 0.01


@pytest.mark.parametrize(
    ("hits", "days", "statistic", "p_value"), [(3, 250, 0.0949, 0.7580), (7, 30, 32.338, None)]
)
def test_kupiec_has_its_golden_values(
    hits: int, days: int, statistic: float, p_value: float | None
) -> None:
    found = m.kupiec(hits, days, level=0.99)
    assert found.statistic == pytest.approx(statistic, abs=6e-4)
    if p_value is not None:
        assert found.p_value == pytest.approx(p_value, abs=5e-5)
    assert found.p_value == pytest.approx(scipy.stats.chi2.sf(found.statistic, 1))


def test_christoffersen_has_its_golden_values() -> None:
    exceeded = np.zeros(250, dtype=np.bool_)
    exceeded[[10, 11, 12, 100, 101, 200]] = True
    often, alone, both = m.christoffersen(exceeded, level=0.99)
    assert often.statistic == pytest.approx(3.5554, abs=5e-5)
    assert alone.statistic == pytest.approx(15.9153, abs=5e-5)
    assert both.statistic == pytest.approx(19.4707, abs=5e-5)
    assert both.p_value == pytest.approx(scipy.stats.chi2.sf(both.statistic, 2))


@pytest.mark.parametrize("hits", [0, 250])
def test_no_hit_and_only_hits_are_tested_too(hits: int) -> None:
    assert math.isfinite(m.kupiec(hits, 250).statistic)
    exceeded = np.full(250, bool(hits))
    assert all(math.isfinite(test.statistic) for test in m.christoffersen(exceeded))


def test_values_at_risk_agree_with_their_formulas() -> None:
    assert m.var_historical(RETURNS) == pytest.approx(-np.quantile(RETURNS, 0.05))
    normal = scipy.stats.norm.ppf(0.05, RETURNS.mean(), RETURNS.std(ddof=1))
    assert m.var_parametric(RETURNS) == pytest.approx(-normal)
    even = np.random.default_rng(1).standard_normal(200_000)
    # With next to no skew and excess the wider curve is the normal one.
    assert m.var_cornish_fisher(even) == pytest.approx(m.var_parametric(even), abs=0.02)
    assert m.expected_shortfall(RETURNS) > m.var_historical(RETURNS)
    assert m.var_cornish_fisher(RETURNS, level=0.99) > m.var_parametric(RETURNS, level=0.99)


def test_an_expansion_out_of_order_says_nothing() -> None:
    wild = np.concatenate([np.full(500, 0.001), [-0.9]])
    assert math.isnan(m.var_cornish_fisher(wild))


def test_nothing_is_made_up_without_days() -> None:
    for measure in (m.var_historical, m.var_parametric, m.var_cornish_fisher, m.expected_shortfall):
        assert math.isnan(measure(np.empty(0)))
        assert math.isnan(measure(np.array([0.01, math.nan, 0.02, 0.0, 0.01])))
    assert math.isnan(m.kupiec(0, 0).statistic)
    assert np.isnan(m.risk_contribution(np.zeros((50, 2)), np.ones(2))).all()


def test_contributions_sum_to_the_whole() -> None:
    rng = np.random.default_rng(4)
    parts = rng.standard_normal((400, 3)) @ np.diag([1.0, 2.0, 0.5])
    weights = np.array([0.5, -0.2, 0.7])
    shares = m.risk_contribution(parts, weights)
    assert shares.sum() == pytest.approx(1.0)
    # A share is how the volatility answers to the part's weight.
    step = 1e-6
    base = (parts @ weights).std(ddof=1)
    more = (parts @ (weights * [1 + step, 1, 1])).std(ddof=1)
    assert shares[0] == pytest.approx((more - base) / base / step, rel=1e-3)


def test_a_levered_market_has_its_beta_and_capture() -> None:
    market = RETURNS
    found = m.against_benchmark(2 * market, market)
    assert (found.beta, found.up, found.down) == pytest.approx((2, 2, 2))
    assert found.alpha_annual == pytest.approx(0, abs=1e-12)
    assert math.isnan(m.against_benchmark(market, np.zeros_like(market)).beta)


def test_a_regime_is_known_the_evening_before() -> None:
    market = RETURNS.copy()
    before = m.regimes(RETURNS, market)
    market[-1] = 5.0  # the last day's own return changes nothing about its regime
    after = m.regimes(RETURNS, market)
    assert all(before[name]["days"] == after[name]["days"] for name in before)
    assert sum(part["days"] for part in before.values()) == len(RETURNS) - 30


def test_regimes_say_what_a_hand_would() -> None:
    market = np.array([0.01, 0.02, -0.05, 0.01, -0.02, 0.0])
    # Two days back: +3 % | -3.1 %, wilder | -4.05 %, wilder than the median | -1.02 %, calmer.
    assert m.day_regimes(market, days=2).tolist() == [-1, -1, 0, 3, 3, 2]
    found = m.regimes(market / 2, market, days=2)
    assert found["falling wild"]["days"] == 2
    assert found["falling wild"]["market_return"] == pytest.approx(1.01 * 0.98 - 1)
    assert found["falling wild"]["total_return"] == pytest.approx(1.005 * 0.99 - 1)
    assert math.isnan(found["rising wild"]["sharpe"])


def test_drawdown_bands_hold_the_share_they_name() -> None:
    returns = np.random.default_rng(4).normal(0.0, 0.02, 250)
    bands = drawdown_bands(returns, paths=4_000, block=1.0, seed=2)
    # The same days drawn once more, with another seed: 95 of 100 accounts stay within.
    rng = np.random.default_rng(9)
    within = 0
    for _ in range(2_000):
        path = np.cumprod(1 + rng.choice(returns, 250))
        within += drawdowns(path, 1.0).max() <= bands[-1, 1]
    assert within / 2_000 == pytest.approx(0.95, abs=0.02)
    assert (np.diff(bands, axis=0) >= 0).all()

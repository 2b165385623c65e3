"""Sizes that vary over time: known days only, worked out by hand, blind to the future."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from openalpha.core.clock import DAY_MS, HOUR_MS
from openalpha.risk.sizing import UNKNOWN, kelly_e6, volatility_target_e6

DAILY = np.array([100, 110, 99, 108.9, 108.9, 108.9])
TS = np.arange(6, dtype=np.int64) * DAY_MS


def test_volatility_target_by_hand():
    sizes = volatility_target_e6(DAILY, TS, target=0.5, days=2, largest=10)
    # A bar knows the days before its own: days 1 and 2 returned ±10 %, a spread of 14.142 %.
    first = 0.5 / (np.std([0.1, -0.1], ddof=1) * np.sqrt(365))
    assert sizes[:3].tolist() == [UNKNOWN] * 3
    assert sizes[3] == pytest.approx(first * 1e6, abs=1)


def test_volatility_target_is_capped_and_zero_where_prices_stood_still():
    sizes = volatility_target_e6(DAILY, TS, target=50, days=2, largest=3)
    assert sizes[3] == 3_000_000
    still = volatility_target_e6(np.full(6, 100.0), TS, target=1, days=2, largest=3)
    assert still.tolist() == [UNKNOWN] * 3 + [0] * 3


PART = 2 / (1 + np.log(0.10) / np.log(0.85))


def test_kelly_by_hand():
    closes = np.array([100, 110, 110, 121, 121, 121.0])
    sizes = kelly_e6(closes, TS, days=3, largest=20)
    # 10 %, 0, 10 %: mean 6.667 %, variance 0.3333 %: 20; of so few days 0.8 of it is known.
    first = 20 * 0.8 * PART
    assert first == pytest.approx(2.1096, abs=1e-4)
    assert sizes.tolist()[:5] == [UNKNOWN] * 4 + [pytest.approx(first * 1e6, abs=1)]
    assert kelly_e6(closes, TS, days=3, largest=0.25)[4] == 250_000


def test_kelly_is_small_where_the_mean_is_not_known():
    """The same mean and spread over more days are worth more; of no mean nothing is made."""
    swing = 100 * np.cumprod(1 + np.tile([0.03, -0.02], 60))
    ts_ms = np.arange(len(swing), dtype=np.int64) * DAY_MS
    few, many = (kelly_e6(swing, ts_ms, days=days, largest=99)[-1] for days in (4, 100))
    assert 0 < few < many / 9
    fair = 100 * np.cumprod(1 + np.tile([0.02, -0.02], 60))
    assert kelly_e6(fair, ts_ms, days=100, largest=99)[-1] == 0


def test_kelly_keeps_the_chance_of_a_deep_fall():
    """By simulation: of many equities that follow it, at most one in ten ever loses 15 %."""
    random = np.random.default_rng(5)
    mean, spread = 0.0004, 0.01
    share = mean / spread**2 * PART
    steps = share * random.normal(mean, spread, (2_000, 4_000))
    equity = np.log1p(steps).cumsum(axis=1)
    fell = (equity.min(axis=1) < np.log(0.85)).mean()
    assert 0.05 < fell <= 0.10


def test_hours_know_finished_days_only():
    ts_ms = np.arange(24 * 6, dtype=np.int64) * HOUR_MS
    closes = np.repeat(DAILY, 24)
    hourly = volatility_target_e6(closes, ts_ms, target=0.5, days=2, largest=10)
    daily = volatility_target_e6(DAILY, TS, target=0.5, days=2, largest=10)
    assert hourly.tolist() == np.repeat(daily, 24).tolist()


@given(st.integers(0, 2**32 - 1), st.integers(1, 199))
def test_the_future_changes_no_size(seed, cut):
    random = np.random.default_rng(seed)
    closes = 100 * np.exp(random.normal(0, 0.02, 200).cumsum())
    ts_ms = np.cumsum(random.integers(1, 12, 200)).astype(np.int64) * HOUR_MS
    for sizes in (
        lambda n: volatility_target_e6(closes[:n], ts_ms[:n], target=0.3, days=5, largest=4),
        lambda n: kelly_e6(closes[:n], ts_ms[:n], days=5, largest=4),
    ):
        assert sizes(cut).tolist() == sizes(200)[:cut].tolist()

"""Missing settlements are bounded from both sides, never made up silently."""

import numpy as np
import pytest

from openalpha.core.clock import HOUR_MS
from openalpha.engine.funding import FALLBACK_RATE_E12, bounded
from openalpha.market.history import History
from tests.fakes.small_market import START_MS, linear, market

RATES = {0: "0.0001", 8: "0.0003", 16: "-0.0002", 24: "0.0001", 56: "0.0002"}


def perpetual(hours: int, rates: dict[int, str]) -> History:
    return market([100] * hours, instrument=linear(funding_interval_ms=8 * HOUR_MS), funding=rates)


def hours(stamps: np.ndarray) -> list[int]:
    return ((stamps - START_MS) // HOUR_MS).tolist()


def test_a_hole_is_filled_with_the_extreme_mean_of_its_length():
    history = perpetual(60, RATES)
    assert history.funding_gaps == ((START_MS + 32 * HOUR_MS, START_MS + 48 * HOUR_MS),)
    stamps, high = bounded(history, highest=True)
    assert hours(stamps) == [0, 8, 16, 24, 32, 40, 48, 56]
    # Three in a row: (1, 3, -2), (3, -2, 1) and (-2, 1, 2) mean 0.667, 0.667 and 0.333 per 10,000.
    assert high.tolist()[4:7] == [66_666_667] * 3
    _, low = bounded(history, highest=False)
    assert low.tolist()[4:7] == [33_333_333] * 3
    known = [0, 1, 2, 3, 7]
    assert high[known].tolist() == low[known].tolist() == history.funding_rate_e12.tolist()


def test_a_hole_longer_than_what_is_known_takes_the_extreme_rate():
    history = perpetual(60, {0: "0.0001", 8: "-0.0003"})
    assert bounded(history, highest=True)[1].max() == 100_000_000
    assert set(bounded(history, highest=False)[1].tolist()[2:]) == {-300_000_000}


def test_with_nothing_known_the_bound_is_the_widest():
    history = perpetual(20, {})
    stamps, high = bounded(history, highest=True)
    assert hours(stamps) == [0, 8, 16]
    assert high.tolist() == [FALLBACK_RATE_E12] * 3
    assert bounded(history, highest=False)[1].tolist() == [-FALLBACK_RATE_E12] * 3


@pytest.mark.parametrize("highest", [True, False])
def test_without_a_hole_nothing_changes(highest):
    whole = perpetual(20, {0: "0.0001", 8: "0.0002", 16: "0.0003"})
    stamps, rates = bounded(whole, highest=highest)
    assert stamps is whole.funding_ts_ms
    assert rates is whole.funding_rate_e12
    no_funding = market([100] * 20)
    assert len(bounded(no_funding, highest=highest)[0]) == 0

"""Missing settlements are bounded from both sides, never made up silently."""

from decimal import Decimal

import numpy as np
import pytest

from openalpha.core.clock import HOUR_MS
from openalpha.engine.funding import bound_notes, bounded
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
    # Three in a row: (1, 3, -2) and (3, -2, 1) mean 0.667 per 10,000; (-2, 1, 2) has the hole.
    assert high.tolist()[4:7] == [66_666_667] * 3
    _, low = bounded(history, highest=False)
    assert low.tolist()[4:7] == [66_666_666] * 3
    known = [0, 1, 2, 3, 7]
    assert high[known].tolist() == low[known].tolist() == history.funding_rate_e12.tolist()


def test_known_settlements_outside_the_bars_bound_a_hole():
    rules = linear(funding_interval_ms=8 * HOUR_MS)
    settled = {-40: -0.0004, -32: -0.0002, -24: 0.0005, 0: 0.0001}
    stamps = np.array([START_MS + hour * HOUR_MS for hour in settled])
    rates = np.array([round(rate * 10**12) for rate in settled.values()])
    one = market([100] * 24, instrument=rules)
    assert one.funding_gaps == ((START_MS, START_MS + 16 * HOUR_MS),)
    history = History.of(rules, HOUR_MS, ts_ms=one.ts_ms, bars=one.bars, funding=(stamps, rates))
    assert history.funding_gaps == ((START_MS + 8 * HOUR_MS, START_MS + 16 * HOUR_MS),)
    # Two in a row before the bars; 0.0005 and 0.0001 have a hole between them.
    assert bounded(history, highest=True)[1].tolist()[1:] == [150_000_000] * 2
    assert bounded(history, highest=False)[1].tolist()[1:] == [-300_000_000] * 2
    assert history.window(0, 20).known_funding[0].tolist() == stamps.tolist()
    alone = History.of(
        rules, HOUR_MS, ts_ms=one.ts_ms, bars=one.bars, funding=(stamps[3:], rates[3:])
    )
    assert history.fingerprint != alone.fingerprint


def test_a_stretch_is_as_long_in_time_whatever_the_interval():
    # Known every four hours: two of them are as long as the missing one of eight.
    short = market(
        [100] * 25,
        instrument=linear(funding_interval_ms=8 * HOUR_MS),
        funding={-8: "0.0003", -4: "0.0003", 0: "0.0003", 4: "0.0001", 8: "0.0001", 24: "0.0004"},
    )
    assert short.funding_gaps == ((START_MS + 16 * HOUR_MS, START_MS + 16 * HOUR_MS),)
    # (-8, -4], … sum to 6, 6, 4 and 2 ten-thousandths each eight hours, the last alone to 4.
    assert bounded(short, highest=True)[1].tolist()[-2] == 600_000_000
    assert bounded(short, highest=False)[1].tolist()[-2] == 200_000_000


@pytest.mark.parametrize(
    ("stated", "known", "cap", "words"),
    [
        (None, {0: "0.0001", 8: "-0.0003"}, 7_500_000_000, "±0.75 % a settlement, the cap (assum"),
        (Decimal("0.005"), {0: "0.0001"}, 5_000_000_000, "±0.5 % a settlement, the cap (the venue"),
        (None, {0: "0.0001", 8: "-0.02"}, 20_000_000_000, "±2 % a settlement, the cap (assumed)"),
        (None, {}, 7_500_000_000, "missing from 2023-12-09T00:00"),
    ],
)
def test_where_nothing_known_is_as_long_the_cap_bounds(stated, known, cap, words):
    rules = linear(funding_interval_ms=8 * HOUR_MS, funding_cap=stated)
    history = market([100] * 60, instrument=rules, funding=known)
    missing = len(bounded(history, highest=True)[1]) - len(known)
    assert bounded(history, highest=True)[1].tolist()[len(known) :] == [cap] * missing
    assert bounded(history, highest=False)[1].tolist()[len(known) :] == [-cap] * missing
    capped, side = bound_notes([history], highest=True)
    assert words in capped
    assert "stand at the highest mean known" in side


@pytest.mark.parametrize("highest", [True, False])
def test_without_a_hole_nothing_changes(highest):
    whole = perpetual(20, {0: "0.0001", 8: "0.0002", 16: "0.0003"})
    stamps, rates = bounded(whole, highest=highest)
    assert stamps is whole.funding_ts_ms
    assert rates is whole.funding_rate_e12
    assert len(bound_notes([whole], highest=highest)) == 1
    no_funding = market([100] * 20)
    assert len(bounded(no_funding, highest=highest)[0]) == 0

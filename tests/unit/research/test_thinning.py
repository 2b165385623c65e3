"""Thinned lines keep what a reader looks for: the extremes."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from openalpha.research.report.charts import histogram_chart
from openalpha.research.report.thinning import bucket_means, candles, keep_extremes

SERIES = st.lists(st.integers(-50, 50), min_size=1, max_size=400).map(
    lambda values: np.array(values, dtype=float)
)


@given(SERIES, st.integers(4, 100))
def test_extremes_and_ends_are_kept(values: np.ndarray, points: int) -> None:
    rows = keep_extremes(values, points)
    assert len(rows) <= max(points, 4)
    assert (np.diff(rows) > 0).all()
    assert (rows[0], rows[-1]) == (0, len(values) - 1)
    assert values[rows].max() == values.max()
    assert values[rows].min() == values.min()


@given(SERIES, st.integers(1, 100))
def test_means_of_stretches_keep_the_level(values: np.ndarray, points: int) -> None:
    first, means = bucket_means(values, points)
    assert len(means) <= points
    sizes = np.diff(np.append(first, len(values)))
    assert np.isclose((means * sizes).sum(), values.sum())


@given(SERIES, st.integers(1, 60))
def test_candles_hold_all_their_bars(values: np.ndarray, most: int) -> None:
    prices = np.column_stack((values, values + 2, values - 2, values + 1))
    merged = candles(np.arange(len(values)), prices, most=most)
    assert len(merged.ts_ms) <= most
    assert merged.prices[:, 1].max() == prices[:, 1].max()
    assert merged.prices[:, 2].min() == prices[:, 2].min()
    assert (merged.prices[0, 0], merged.prices[-1, 3]) == (prices[0, 0], prices[-1, 3])


@given(SERIES)
def test_a_histogram_counts_all_and_never_mixes_signs(pnl: np.ndarray) -> None:
    chart = histogram_chart(pnl, "USDT")
    assert sum(chart["count"]) == len(pnl)
    losses = sum(n for x, n in zip(chart["x"], chart["count"], strict=True) if x < 0)
    assert losses == (pnl < 0).sum()


def test_a_small_loss_stands_left_of_zero() -> None:
    chart = histogram_chart(np.array([50.0, -1.0, 3.0, -2.0]), "USDT")
    assert (chart["x"][0] < 0, chart["count"]) == (True, [2, 1, 1])

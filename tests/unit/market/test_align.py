"""Another price beside the bars: exact where it is finer, absent where it is coarser."""

import numpy as np
import pytest

from openalpha.core.clock import HOUR_MS
from openalpha.market.align import beside

BARS = HOUR_MS * np.arange(4)
OWN = np.arange(16).reshape(4, 4)


def put(other_ts, other, step):
    return beside(
        BARS, HOUR_MS, fallback=OWN, other_ts_ms=np.array(other_ts), other=np.array(other),
        other_timeframe_ms=step, what="mark",
    )  # fmt: skip


def test_the_same_time_frame_is_taken_row_for_row():
    prices, note = put(BARS, OWN + 100, HOUR_MS)
    assert prices.tolist() == (OWN + 100).tolist()
    assert note == ""


def test_rows_without_one_get_the_last_price_and_a_note():
    prices, note = put(BARS[[0, 3]], OWN[[0, 3]] + 100, HOUR_MS)
    assert prices[:, 0].tolist() == [100, 4, 8, 112]
    assert note == "mark price missing on 2 of 4 bars: last price used there"


def test_a_finer_one_is_combined_from_whole_sets_only():
    half = HOUR_MS // 2
    rows = [[5, 9, 4, 6], [6, 7, 2, 3], [1, 1, 1, 1]]
    prices, note = put([0, half, HOUR_MS], rows, half)
    assert prices[0].tolist() == [5, 9, 2, 3]
    assert prices[1].tolist() == OWN[1].tolist()
    assert "3 of 4" in note


@pytest.mark.parametrize(
    ("stamps", "step", "words"),
    [([0], 4 * HOUR_MS, "kept at 4h only"), ([7 * HOUR_MS], HOUR_MS, "missing: last price used")],
)
def test_what_cannot_be_used_is_said(stamps, step, words):
    prices, note = put(stamps, OWN[:1], step)
    assert prices is None
    assert words in note

"""The usual volume of a day: each day counts alike, gaps are no zero days, coarse bars spread."""

import numpy as np
import pytest

from openalpha.core.clock import DAY_MS
from openalpha.core.errors import UnknownName
from openalpha.market.volume_curve import MINUTES, volume_curve
from tests.fakes.small_market import linear

DAY0 = 19_000 * DAY_MS


class Shelf:
    """A lake of given bars by time frame."""

    def __init__(self, **bars):
        self.bars, self.asked = bars, []

    def load(self, name, frame, *, start_ms, end_ms, with_):
        self.asked.append(frame)
        if frame not in self.bars:
            raise UnknownName(f"no {frame} of {name}")
        ts_ms, volume = self.bars[frame]
        mine = (ts_ms >= start_ms) & (ts_ms < end_ms)
        table = np.zeros((int(mine.sum()), 5), dtype=np.int64)
        table[:, 4] = volume[mine]
        return type("History", (), {"ts_ms": ts_ms[mine], "bars": table})


def minutes(day: int, volume: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return DAY0 + day * DAY_MS + np.arange(len(volume), dtype=np.int64) * 60_000, volume


def test_each_day_counts_alike_and_a_broken_day_not_at_all():
    first, second = np.ones(MINUTES, dtype=np.int64), np.zeros(MINUTES, dtype=np.int64)
    second[600] = 10**6
    short = np.full(300, 7, dtype=np.int64)
    days = [minutes(0, first), minutes(1, second), minutes(2, short)]
    shelf = Shelf(**{"1m": tuple(np.concatenate(part) for part in zip(*days, strict=True))})
    curve = volume_curve(shelf, "x", days=5, until_ms=DAY0 + 3 * DAY_MS + 1)
    assert curve is not None and len(curve) == MINUTES
    assert sum(curve) == pytest.approx(10_000_000, abs=MINUTES)
    assert curve[600] / 10_000_000 == pytest.approx(0.5 + 0.5 / MINUTES, abs=1e-6)


def test_the_day_that_is_not_over_is_left_out():
    shelf = Shelf(**{"1m": minutes(0, np.ones(MINUTES, dtype=np.int64))})
    assert volume_curve(shelf, "x", days=5, until_ms=DAY0 + DAY_MS - 1) is None


def test_coarser_bars_are_spread_over_their_minutes():
    ts_ms = DAY0 + np.arange(24, dtype=np.int64) * 3_600_000
    volume = np.arange(1, 25, dtype=np.int64)
    shelf = Shelf(**{"1h": (ts_ms, volume)})
    curve = volume_curve(shelf, str(linear().id), days=1, until_ms=DAY0 + DAY_MS)
    assert curve is not None and shelf.asked == ["1m", "5m", "15m", "1h"]
    assert curve[0] == curve[59] and curve[1439] == pytest.approx(24 * curve[0], rel=1e-3)

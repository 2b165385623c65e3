"""Histories on one grid: bars where they belong, nothing invented in between."""

from dataclasses import replace

import numpy as np
import pytest

from openalpha.core.clock import HOUR_MS
from openalpha.core.errors import DataError
from openalpha.engine.grid import common_grid
from openalpha.market.history import History
from openalpha.venue.kernel.layout import ABSENT
from tests.fakes.small_market import START_MS, linear, market

NONE = -(2**31)
BTC = market([100, 101, 102, 103])
ETH = market([(50, 52, 49, 51, 7), 53], instrument=linear("ETHUSDT"), at_bars=[1, 4])


def test_one_history_is_taken_as_it_is():
    grid = common_grid([BTC])
    assert grid.ts_ms is BTC.ts_ms
    assert np.shares_memory(grid.bars, BTC.bars)
    assert grid.places == (None,)


def test_the_union_of_stamps_with_the_last_close_between():
    grid = common_grid([BTC, ETH])
    assert ((grid.ts_ms - START_MS) // HOUR_MS).tolist() == [0, 1, 2, 3, 4]
    assert grid.bars[0, :, 3].tolist() == [1000, 1010, 1020, 1030, 1030]
    assert grid.bars[1, :, 0].tolist() == [0, 500, 510, 510, 530]
    assert grid.bars[1, 1].tolist() == [500, 520, 490, 510, 7000]
    assert (grid.bars[:, :, 4] == ABSENT).tolist() == [
        [False, False, False, False, True],
        [True, False, True, True, False],
    ]


def test_targets_stand_at_their_own_bars():
    grid = common_grid([BTC, ETH])
    spread = grid.spread_targets(
        [np.array([1, 2, 3, 4], np.int32), np.array([5, 6], np.int32)], NONE
    )
    assert spread.tolist() == [[1, 2, 3, 4, NONE], [NONE, 5, NONE, NONE, 6]]


def test_a_mark_repeats_its_close_where_its_bar_is_missing():
    mark = np.array([[500, 521, 488, 511], [530, 530, 530, 531]])
    marked = History.of(ETH.instrument, HOUR_MS, ts_ms=ETH.ts_ms, bars=ETH.bars, mark=mark)
    grid = common_grid([BTC, marked])
    assert grid.mark_rows == (-1, 0)
    assert grid.index_rows == (-1, -1)
    assert grid.mark is not None
    assert grid.mark[0, :, 3].tolist() == [0, 511, 511, 511, 531]
    assert grid.mark[0, 1].tolist() == [500, 521, 488, 511]


def test_time_frames_must_agree():
    daily = market([1, 2], timeframe_ms=24 * HOUR_MS, instrument=replace(linear("ETHUSDT")))
    with pytest.raises(DataError, match=r"different time frames \(1h, 1d\)"):
        common_grid([BTC, daily])

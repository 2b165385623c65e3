"""Every planted fault is found, nothing is claimed of clean data, and the guilty one is named."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from openalpha.core.clock import HOUR_MS, ManualClock
from openalpha.core.errors import DataError, InputError
from openalpha.market.blocks import Block
from openalpha.market.check import as_json, check_lake
from openalpha.market.check_bars import check_series
from openalpha.market.combining import resampled
from openalpha.market.resample import resample_lake

START = 1_704_067_200_000
NOW = START + 100_000 * HOUR_MS
N = 2_000


def at(row: int) -> int:
    return START + row * HOUR_MS


def changed(block: Block, row: int, **values: int) -> Block:
    here = pl.col("ts") == at(row)
    exprs = [pl.when(here).then(value).otherwise(pl.col(n)).alias(n) for n, value in values.items()]
    return replace(block, frame=block.frame.with_columns(exprs))


def test_clean_data_raises_nothing(walk, hourly):
    for seed in range(20):
        found = check_series(hourly, walk(N, seed=seed), now_ms=NOW)
        assert as_counts(found) == {}


def as_counts(found):
    names = ("missing_bars", "gaps", "duplicates", "off_grid", "ohlc_violations", "zero_volume",
             "spikes", "clock_faults", "stale_tail", "tick_changes")  # fmt: skip
    return {name: value for name in names if (value := getattr(found, name))}


def gap(block, row):
    span = pl.col("ts").is_between(at(row), at(row + 3), closed="left")
    return replace(block, frame=block.frame.filter(~span)), {
        "missing_bars": 3, "gaps": ((at(row), at(row + 3)),),
    }  # fmt: skip


def duplicate(block, row):
    frame = pl.concat([block.frame, block.frame[row : row + 1]]).sort("ts")
    return replace(block, frame=frame), {"duplicates": (at(row),)}


def off_grid(block, row):
    late = block.frame[row : row + 1].with_columns(pl.col("ts") + 61_000)
    frame = pl.concat([block.frame, late]).sort("ts")
    return replace(block, frame=frame), {"off_grid": (at(row) + 61_000,)}


def high_below_close(block, row):
    low = int(block.frame["low"][row])
    return changed(block, row, high=low - 1), {"ohlc_violations": (at(row),)}


def negative_price(block, row):
    return changed(block, row, low=-5), {"ohlc_violations": (at(row),)}


def zero_volume(block, row):
    return changed(block, row, volume=0), {"zero_volume": (at(row),)}


def spike_up(block, row):
    high = int(block.frame["high"][row] * 1.2)
    return changed(block, row, high=high), {"spikes": (at(row),)}


def spike_down(block, row):
    low = int(block.frame["low"][row] * 0.7)
    return changed(block, row, low=low, close=low), {"spikes": (at(row),)}


def future(block, row):
    late = block.frame[row : row + 1].with_columns(ts=pl.lit(NOW + HOUR_MS))
    return replace(block, frame=pl.concat([block.frame, late])), {"clock_faults": (NOW + HOUR_MS,)}


def ancient(block, row):
    early = block.frame[row : row + 1].with_columns(ts=pl.lit(3_600_000, dtype=pl.Int64))
    return replace(block, frame=pl.concat([early, block.frame])), {"clock_faults": (HOUR_MS,)}


def frozen_tail(block, row):
    del row
    last = int(block.frame["close"][-25])
    tail = pl.col("ts") > at(N - 25)
    names = ("open", "high", "low", "close")
    prices = [pl.when(tail).then(last).otherwise(pl.col(n)).alias(n) for n in names]
    volume = pl.when(tail).then(0).otherwise(pl.col("volume")).alias("volume")
    frame = block.frame.with_columns(*prices, volume)
    return replace(block, frame=frame), {
        "stale_tail": 24, "zero_volume": tuple(at(i) for i in range(N - 24, N)),
    }  # fmt: skip


def coarser_tick(block, row):
    names = ("open", "high", "low", "close")
    later = pl.col("ts") >= at(row)
    coarse = [pl.when(later).then(pl.col(n) // 10 * 10).otherwise(n).alias(n) for n in names]
    return replace(block, frame=block.frame.with_columns(coarse)), {"tick_changes": (at(row),)}


PLANTED = (gap, duplicate, off_grid, high_below_close, negative_price, zero_volume, spike_up,
           spike_down, future, ancient, frozen_tail, coarser_tick)  # fmt: skip


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("plant", PLANTED)
def test_each_planted_fault_is_found_and_no_other(walk, hourly, plant, seed):
    row = int(np.random.default_rng(seed).integers(300, N - 300))
    block, wanted = plant(walk(N, seed=seed), row)
    found = as_counts(check_series(hourly, block, now_ms=NOW))
    if "tick_changes" in wanted:
        (change,) = found.pop("tick_changes")
        assert (change.before, change.after) == ("0.1", "1")
        assert abs(change.ts_ms - wanted["tick_changes"][0]) <= 3 * HOUR_MS
        assert found == {}
    else:
        assert found == wanted


@pytest.mark.parametrize("guilty", ["1h", "4h"])
def test_a_disagreeing_stretch_is_found_and_the_odd_one_named(lake, walk, hourly, guilty):
    block = walk(N)
    wide, four = resampled(hourly, block, timeframe="4h")
    span = pl.col("ts").is_between(at(800), at(880), closed="left")
    series = {"1h": (hourly, block), "4h": (wide, four)}
    key, honest = series[guilty]
    thin = pl.when(span).then(pl.col("volume") // 8).otherwise(pl.col("volume")).alias("volume")
    shift = [pl.when(span).then(pl.col(n) + 40).otherwise(pl.col(n)).alias(n)
             for n in ("open", "high", "low", "close")]  # fmt: skip
    series[guilty] = (key, replace(honest, frame=honest.frame.with_columns(thin, *shift)))
    for own, rows in series.values():
        lake.merge(own, rows, source="planted")
    found = check_lake(lake, clock=ManualClock(NOW))
    (item,) = found.disagreements
    assert (item.from_ms, item.to_ms, item.bars) == (at(800), at(880), 20)
    assert item.suspect == key
    assert [(bad.key, bad.from_ms, bad.to_ms) for bad in found.unusable] == [
        (key, at(800), at(880))
    ]
    assert not found.is_fine
    with pytest.raises(DataError, match="unusable"):
        lake.load(str(key.instrument), guilty)
    lake.merge(key, replace(honest, frame=honest.frame.filter(span)), source="repair", replace=True)
    assert check_lake(lake, clock=ManualClock(NOW)).is_fine
    assert lake.load(str(key.instrument), guilty)


def test_time_frames_that_agree_raise_nothing(lake, walk, hourly):
    block = walk(N)
    lake.merge(hourly, block, source="a")
    made = resample_lake(lake, [hourly], timeframes=["4h", "1d", "1w"])
    assert [row.bars for row in made] == [N // 4, N // 24, N // 168]
    found = check_lake(lake, clock=ManualClock(NOW))
    assert found.is_fine
    assert found.disagreements == ()
    rows = as_json(found)["series"]
    assert [row["timeframe"] for row in rows] == ["1d", "1h", "1w", "4h"]
    assert all(row["missing_bars"] == 0 and row["gaps"] == [] for row in rows)


def test_what_is_remembered_of_others_stays(lake, walk, hourly):
    lake.merge(hourly, walk(100), source="a")
    lake.keep_unusable({"x/Y/bars_1h": [(1, 2, "said before")]})
    check_lake(lake, clock=ManualClock(NOW))
    assert lake.unusable() == {"x/Y/bars_1h": [(1, 2, "said before")]}


def test_no_longer_bar_is_made_from_a_partial_set(walk, hourly):
    block, _ = gap(walk(48), 9)
    _, made = resampled(hourly, block, timeframe="4h")
    assert made.frame["ts"].to_list() == [at(row) for row in range(0, 48, 4) if row != 8]
    first = block.frame[:4]
    assert made.frame.row(0) == (
        at(0), first["open"][0], first["high"].max(), first["low"].min(), first["close"][3],
        first["volume"].sum(),
    )  # fmt: skip
    with pytest.raises(InputError, match="7h bars cannot be made from 2h ones"):
        resampled(replace(hourly, timeframe="2h"), block, timeframe="7h")

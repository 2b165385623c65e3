"""Bars: read-only columns, rows without copies, longer bars visible only once closed."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from openalpha.core.errors import InputError
from openalpha.strategy import COLUMNS, Bars, together
from openalpha.strategy.specimen import specimen_bars

HOUR = 3_600_000


def test_nobody_can_write_to_a_column():
    bars = specimen_bars(10)
    for name in COLUMNS:
        with pytest.raises(ValueError, match="read-only"):
            bars.column(name)[0] = 1.0
    with pytest.raises(ValueError, match="read-only"):
        bars.ts_ms[0] = 1


def test_a_column_is_made_only_when_read():
    asked = []

    def source(name):
        asked.append(name)
        return np.arange(3.0)

    bars = Bars(np.arange(3), timeframe_ms=1, source=source)
    assert bars.close is bars.close
    assert bars.upto(2).close.tolist() == [0.0, 1.0]
    assert asked == ["close"]


def test_rows_share_memory_and_carry_the_grid():
    bars = specimen_bars(100)
    part = bars.rows(10, 60)
    assert len(part) == 50
    assert np.shares_memory(part.close, bars.close)
    assert (part.close_units == bars.close_units[10:60]).all()
    assert (np.round(part.close * 10**4) == part.close_units).all()


@pytest.mark.parametrize(("start", "stop"), [(-1, 5), (0, 101), (7, 6)])
def test_rows_beyond_the_bars_are_refused(start, stop):
    with pytest.raises(InputError, match="not within the 100"):
        specimen_bars(100).rows(start, stop)


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ({"open": [1.0]}, "'close' is missing"),
        ({"close": [1.0], "hihg": [1.0]}, "'hihg' is no column"),
        ({"close": [1.0], "open": [1.0, 2.0]}, "column open has shape"),
    ],
)
def test_wrong_columns_are_one_sentence(columns, words):
    with pytest.raises(InputError, match=words):
        Bars.from_columns(columns, timeframe_ms=HOUR)


def test_bars_of_a_history_are_its_columns():
    from decimal import Decimal

    from openalpha.core.instruments import Instrument, Kind, StepRule, instrument_id
    from openalpha.market.history import History

    instrument = Instrument(
        instrument_id("bybit_linear", "AAAUSDT"), Kind.LINEAR, "AAA", "USDT", "USDT", 2, 3,
        (StepRule(0, Decimal("0.01"), Decimal("0.001")),),
    )  # fmt: skip
    rows = np.array([[100, 110, 90, 105, 1000], [105, 120, 100, 115, 2000]], dtype=np.int64)
    history = History.of(instrument, HOUR, ts_ms=np.array([0, HOUR]), bars=rows)
    bars = Bars.of(history)
    assert bars.close.tolist() == [1.05, 1.15]
    assert bars.volume.tolist() == [1.0, 2.0]
    assert bars.close_units.tolist() == [105, 115]
    assert np.isnan(bars.mark_close).all()
    assert bars.close_ms.tolist() == [HOUR, 2 * HOUR]


class TestResample:
    @pytest.mark.parametrize(
        ("own", "longer", "name"), [(1, 4, "4h"), (1, 24, "1d"), (4, 12, "12h")]
    )
    def test_completed_bars_equal_an_independent_grouping(self, own, longer, name):
        bars = specimen_bars(24 * 40 + 7, timeframe_ms=own * HOUR)
        frame = pl.DataFrame(
            {"bucket": bars.ts_ms // (longer * HOUR), "open": bars.open, "high": bars.high,
             "low": bars.low, "close": bars.close, "volume": bars.volume,
             "funding_rate": bars.funding_rate}
        )  # fmt: skip
        groups = (
            frame.group_by("bucket", maintain_order=True)
            .agg(
                pl.col("open").first(), pl.col("high").max(), pl.col("low").min(),
                pl.col("close").last(), pl.col("volume").sum(),
                pl.col("funding_rate").fill_nan(None).sum(), count=pl.len(),
            )
            .filter(pl.col("count") == longer // own)
        )  # fmt: skip
        found = bars.resample(name).bars
        assert (found.ts_ms == groups["bucket"].to_numpy() * longer * HOUR).all()
        for column in ("open", "high", "low", "close"):
            assert (found.column(column) == groups[column].to_numpy()).all()
        assert np.allclose(found.volume, groups["volume"].to_numpy())
        assert np.allclose(np.nan_to_num(found.funding_rate), groups["funding_rate"].to_numpy())

    @given(st.integers(1, 300), st.integers(0, 5_000))
    def test_a_longer_bar_is_never_seen_before_it_closed(self, rows, offset):
        bars = specimen_bars(rows)
        shifted = Bars(bars.ts_ms + offset * HOUR, timeframe_ms=HOUR, source=bars.column)
        longer = shifted.resample("4h")
        for row, place in enumerate(longer.row):
            now = shifted.ts_ms[row] + HOUR
            if place >= 0:
                assert longer.bars.close_ms[place] <= now
            if place + 1 < len(longer.bars):
                assert longer.bars.close_ms[place + 1] > now

    @given(st.integers(0, 200), st.integers(1, 200))
    def test_later_bars_change_nothing_seen_before(self, cut, more):
        bars = specimen_bars(cut + more)
        whole, part = bars.resample("4h"), bars.upto(cut).resample("4h")
        for name in ("open", "high", "low", "close", "volume"):
            seen, full = getattr(part, name), getattr(whole, name)[:cut]
            assert np.array_equal(seen, full, equal_nan=True)

    def test_a_longer_bar_with_a_hole_does_not_exist(self):
        keep = np.delete(np.arange(12), 5)
        bars = Bars.from_columns(
            {"close": keep + 1.0}, timeframe_ms=HOUR, ts_ms=keep * HOUR, price_decimals=0
        )
        longer = bars.resample("4h")
        assert longer.bars.close.tolist() == [4.0, 12.0]
        assert longer.bars.close_units.tolist() == [4, 12]

    def test_weeks_begin_on_monday(self):
        bars = specimen_bars(24 * 21)
        weeks = bars.resample("1w").bars
        assert len(weeks) == 3
        assert all((stamp // (24 * HOUR) + 3) % 7 == 0 for stamp in weeks.ts_ms)

    @pytest.mark.parametrize("name", ["30m", "1h", "90m", "x"])
    def test_only_a_longer_whole_multiple_will_do(self, name):
        with pytest.raises(InputError):
            specimen_bars(10).resample(name)

    def test_values_of_another_length_cannot_be_aligned(self):
        longer = specimen_bars(24).resample("4h")
        with pytest.raises(InputError, match="3 values given for 6 bars"):
            longer.align(np.zeros(3))

    def test_too_few_bars_make_no_longer_one(self):
        longer = specimen_bars(3).resample("4h")
        assert len(longer.bars) == 0
        assert np.isnan(longer.high).all()


def test_together_keeps_the_shared_rows_only():
    bars = specimen_bars(100)
    left, right = bars.rows(0, 80), bars.rows(30, 100)
    shared = together({"L": left, "R": right})
    assert (shared["L"].ts_ms == bars.ts_ms[30:80]).all()
    assert (shared["L"].close == shared["R"].close).all()
    assert (shared["L"].close_units == bars.close_units[30:80]).all()

"""A frame becomes a history: exact grid, checked rows, derived columns, windows."""

from decimal import Decimal

import numpy as np
import polars as pl
import pytest

from openalpha.core.clock import HOUR_MS, MINUTE_MS
from openalpha.core.errors import DataError, InputError
from openalpha.core.instruments import Instrument, InstrumentId, Kind, StepRule
from openalpha.market.frames import history
from openalpha.market.history import History, funding_gaps

START = 1_704_067_200_000


def bars(close, *, volume=None, step=MINUTE_MS, **more):
    close = np.asarray(close, dtype=float)
    n = len(close)
    columns = dict.fromkeys(("open", "high", "low", "close"), close)
    volume = np.ones(n) if volume is None else volume
    ts = START + step * np.arange(n)
    return pl.DataFrame({"ts": ts, **columns, "volume": volume, **more})


def test_an_exact_grid_keeps_every_value():
    prepared = history(bars([100.25, 99.5, 101.0], volume=[0.125, 2.0, 0.0]))
    assert prepared.instrument.price_decimals == 2
    assert prepared.bars[:, 3].tolist() == [10025, 9950, 10100]
    assert prepared.column("close").tolist() == [100.25, 99.5, 101.0]
    assert prepared.column("volume").tolist() == [0.125, 2.0, 0.0]
    assert any("exact" in note for note in prepared.notes)


def test_a_rough_grid_is_1e_8_of_the_largest_price_and_is_said():
    close = [100 / 3, 200 / 7, 90.123456789123]
    prepared = history(bars(close))
    assert prepared.instrument.price_decimals == 7
    assert np.allclose(prepared.column("close"), close, rtol=0, atol=5e-8)
    assert any("rounded" in note for note in prepared.notes)


@pytest.mark.parametrize(
    ("price", "capital", "lot"),
    [(100.0, 10_000, "0.0001"), (99.0, 10_000, "0.0001"), (101.0, 10_000, "0.00001"),
     (0.005, 10_000, "1"), (60_000.0, 1_000_000, "0.00001")],
)  # fmt: skip
def test_the_assumed_lot_is_worth_at_most_a_millionth(price, capital, lot):
    prepared = history(bars([price, price]), capital=capital)
    assert prepared.instrument.steps[0].lot_size == Decimal(lot)


BAD = {
    "nan price": ({"close": [1.0, float("nan"), 1.0]}, "row 1 .*column close: was nan"),
    "null price": ({"open": [1.0, None, 1.0]}, "row 1 .*column open"),
    "infinite": ({"high": [1.0, 1.0, float("inf")]}, "row 2 .*column high"),
    "negative": ({"low": [-1.0, 1.0, 1.0]}, "row 0 .*column low: was -1.0"),
    "zero price": ({"close": [1.0, 1.0, 0.0]}, "row 2 .*column close"),
    "negative volume": ({"volume": [1.0, -1.0, 1.0]}, "row 1 .*column volume"),
    "high too low": ({"high": [1.0, 0.5, 1.0]}, "row 1 .*column high: the high is below"),
    "low too high": ({"low": [1.0, 1.0, 2.0], "high": [1.0, 1.0, 2.0]}, "row 2 .*column low"),
    "unsorted": ({"ts": [START, START + 120_000, START + 60_000]}, "row 2, column ts: .*earlier"),
    "repeated": ({"ts": [START, START, START + 60_000]}, "row 1, column ts: .*repeats"),
    "seconds": (
        {"ts": [1_704_067_200, 1_704_067_260, 1_704_067_320]},
        "row 0, column ts: .*sec",
    ),
    "text": ({"close": ["1", "x", "1"]}, "column close holds something that is not a number"),
    "off grid": ({"ts": [START, START + 60_000, START + 150_001]}, "row 2"),
    "wild funding": ({"funding_rate": [0.0, 5.0, 0.0]}, "row 1 .*column funding_rate"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_bad_row_is_named(case):
    columns, words = BAD[case]
    frame = bars([1.0, 1.0, 1.0]).with_columns(**{k: pl.Series(v) for k, v in columns.items()})
    with pytest.raises(DataError, match=words):
        history(frame, timeframe="1m")


def test_what_is_not_a_frame_is_refused():
    with pytest.raises(InputError, match="expected a polars or pandas frame"):
        history([1, 2, 3])
    with pytest.raises(DataError, match=r"lacks the column\(s\) volume"):
        history(bars([1.0, 1.0]).drop("volume"))
    with pytest.raises(DataError, match="no rows"):
        history(bars([1.0]).clear())
    with pytest.raises(DataError, match="name it"):
        history(bars([1.0]))


def test_pandas_and_datetimes_give_the_same_history():
    frame = bars([100.25, 99.5, 101.0])
    wanted = history(frame).fingerprint
    stamps = pl.from_epoch("ts", "ms")
    assert history(frame.with_columns(stamps)).fingerprint == wanted
    assert history(frame.with_columns(stamps.dt.replace_time_zone("UTC"))).fingerprint == wanted
    pandas = pytest.importorskip("pandas")
    by_hand = pandas.DataFrame(frame.to_dict(as_series=False))
    assert history(by_hand).fingerprint == wanted
    by_hand["ts"] = pandas.to_datetime(by_hand["ts"], unit="ms", utc=True)
    assert history(by_hand).fingerprint == wanted
    assert history(by_hand.set_index("ts")).fingerprint == wanted


PERP = Instrument(
    id=InstrumentId("x_linear:AAAUSDT"),
    kind=Kind.LINEAR,
    base="AAA",
    quote="USDT",
    settle="USDT",
    price_decimals=1,
    qty_decimals=3,
    steps=(StepRule(0, Decimal("0.1"), Decimal("0.001")),),
    funding_interval_ms=8 * HOUR_MS,
)


def test_a_finer_price_raises_the_decimals_of_a_known_instrument():
    assert history(bars([100.0, 100.5]), instrument=PERP).instrument.price_decimals == 1
    finer = history(bars([100.0, 100.55]), instrument=PERP)
    assert finer.instrument.price_decimals == 2
    assert any("finer" in note for note in finer.notes)


def test_funding_is_the_sum_of_what_settled_in_a_bar():
    rates = [0.0001, None, None, -0.0002]
    prepared = history(bars([1.0] * 4, step=4 * HOUR_MS, funding_rate=rates))
    assert prepared.funding_rate_e12.tolist() == [100_000_000, -200_000_000]
    assert np.array_equal(
        prepared.column("funding_rate"), [1e-4, np.nan, np.nan, -2e-4], equal_nan=True
    )
    daily = History.of(
        PERP, 24 * HOUR_MS,
        ts_ms=np.array([START]), bars=np.ones((1, 5), dtype=np.int64),
        funding=(START + 8 * HOUR_MS * np.arange(3), np.array([1, 2, 4])),
    )  # fmt: skip
    assert daily.column("funding_rate")[0] == 7e-12
    assert daily.funding_gaps == ()


GAPS = {
    "none missing": ([0, 8, 16], (0, 24), ()),
    "all missing": ([], (0, 24), ((0, 16),)),
    "the middle": ([0, 32], (0, 40), ((8, 24),)),
    "the end": ([0, 8], (0, 40), ((16, 32),)),
    "the start": ([24, 32], (1, 40), ((8, 16),)),
    "four-hourly for a while": ([0, 4, 8, 12, 16, 24], (0, 32), ()),
    "no settlement falls in": ([], (1, 7), ()),
}


@pytest.mark.parametrize("case", GAPS)
def test_missing_settlements_are_listed(case):
    stamps, (start, end), wanted = GAPS[case]
    settled = np.array(stamps, dtype=np.int64) * HOUR_MS
    span = (start * HOUR_MS, end * HOUR_MS)
    found = funding_gaps(settled, span, interval_ms=8 * HOUR_MS)
    assert found == tuple((a * HOUR_MS, b * HOUR_MS) for a, b in wanted)


def test_an_interval_that_was_longer_for_a_while_is_no_gap():
    stamps = np.array([0, 4, 8, 16, 24, 28]) * HOUR_MS
    assert funding_gaps(stamps, (0, 32 * HOUR_MS), interval_ms=4 * HOUR_MS) == ()


def test_a_window_shows_the_same_rows_in_the_same_units():
    prepared = history(bars([1.0, 2.0, 3.0, 4.0], funding_rate=[1e-4, None, 2e-4, None]))
    part = prepared.window(1, 3)
    assert part.column("close").tolist() == [2.0, 3.0]
    assert part.funding_rate_e12.tolist() == [200_000_000]
    assert part.fingerprint != prepared.fingerprint
    assert np.shares_memory(part.bars, prepared.bars)
    with pytest.raises(InputError, match="not within"):
        prepared.window(2, 5)


def test_a_history_cannot_be_written_to():
    prepared = history(bars([1.0, 2.0]))
    for array in (prepared.ts_ms, prepared.bars, prepared.column("close")):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 7
    with pytest.raises(InputError, match="no column 'vwap'"):
        prepared.column("vwap")
    assert np.isnan(prepared.column("mark_close")).all()

"""The integer grid loses nothing: units and floats round trip, and finer decimals change no bit."""

from dataclasses import replace

import numpy as np
import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from openalpha.market.frames import history
from openalpha.market.grid import exact_decimals, to_floats, to_unit_column, unit_column
from openalpha.market.history import OHLCV, History

UNITS = st.lists(st.integers(1, 10**8 - 1), min_size=2, max_size=40)


@given(UNITS, st.integers(0, 12))
def test_units_to_floats_and_back_is_the_identity(units, decimals):
    column = np.array(units, dtype=np.int64)
    floats = to_floats(column, decimals)
    assert floats.tolist() == [float(f"{u}e-{decimals}") for u in units]
    back = np.empty_like(column)
    assert to_unit_column(floats, decimals, out=back)
    assert back.tolist() == units


@given(UNITS, st.integers(0, 12))
def test_the_fewest_exact_decimals_are_found(units, decimals):
    column = np.array(units, dtype=np.int64)
    wanted = decimals
    while wanted and not (column % 10).any():
        column //= 10
        wanted -= 1
    values = to_floats(np.array(units, dtype=np.int64), decimals)
    assert exact_decimals(lambda: [values]) == wanted


@given(st.lists(st.floats(1e-6, 1e6), min_size=2, max_size=20), st.integers(0, 6))
def test_rounding_to_a_grid_is_off_by_at_most_half_a_unit(values, decimals):
    column = np.array(values)
    rounded = to_floats(unit_column(column, decimals), decimals)
    assert np.all(np.abs(rounded - column) <= 0.5 * 10.0**-decimals * (1 + 1e-9))


@settings(max_examples=50)
@given(UNITS, st.integers(0, 6), st.integers(0, 1))
def test_two_more_decimals_change_no_bit_of_any_column(units, d, q):
    values = to_floats(np.array(units, dtype=np.int64), d)
    ts = 1_704_067_200_000 + 60_000 * np.arange(len(units))
    frame = pl.DataFrame({"ts": ts, **dict.fromkeys(OHLCV, values)}).with_columns(
        volume=pl.Series(units) / 1000
    )
    coarse = history(frame, timeframe="1m")
    rules = coarse.instrument
    finer = History.of(
        replace(
            rules, price_decimals=rules.price_decimals + 2, qty_decimals=rules.qty_decimals + q
        ),
        coarse.timeframe_ms,
        ts_ms=coarse.ts_ms,
        bars=coarse.bars * np.array([100, 100, 100, 100, 10**q]),
    )
    for name in OHLCV:
        assert coarse.column(name).tobytes() == finer.column(name).tobytes()

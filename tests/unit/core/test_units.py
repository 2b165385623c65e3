"""Units: exact both ways, rounded only where it says so."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openalpha.core.errors import DataError
from openalpha.core.units import (
    BOUND,
    decimals_of,
    from_units,
    is_multiple,
    round_down_to_lot,
    round_to_tick,
    to_units,
)

decimals = st.integers(0, 12)
units = st.integers(-(BOUND - 1), BOUND - 1)
positive = st.decimals("0.000001", "1000000", places=6)


@given(units, decimals)
def test_units_to_a_decimal_and_back(number, places):
    assert to_units(from_units(number, places), places) == number


@given(
    st.decimals(
        allow_nan=False, allow_infinity=False, min_value=-(10**6), max_value=10**6, places=5
    )
)
def test_a_decimal_to_units_and_back(value):
    assert from_units(to_units(value, 12), 12) == value
    assert decimals_of(value) <= 5


@pytest.mark.parametrize(
    ("value", "places", "words"),
    [
        ("0.12345", 4, "has more than 4 decimals"),
        ("4611686018427387904", 0, "too large"),
        ("-5000000000", 9, "too large"),
    ],
)
def test_what_does_not_fit_is_an_error(value, places, words):
    with pytest.raises(DataError, match=words):
        to_units(value, places)


def test_a_float_is_a_bug():
    with pytest.raises(AssertionError, match="exact"):
        to_units(0.1, 4)  # type: ignore[arg-type]


@given(positive, positive)
def test_rounding_to_a_tick_stays_within_one_step(value, tick):
    down, up = round_to_tick(value, tick, up=False), round_to_tick(value, tick, up=True)
    assert is_multiple(down, tick) and is_multiple(up, tick)
    assert down <= value <= up
    assert up - down == (0 if is_multiple(value, tick) else tick)
    assert round_to_tick(value, tick) in (down, up)


def test_an_exact_half_goes_to_the_even_multiple():
    halves = [round_to_tick(Decimal(text), Decimal(1)) for text in ("0.5", "1.5", "2.5")]
    assert halves == [0, 2, 2]


@given(st.integers(-(10**15), 10**15), st.integers(1, 10**6))
def test_lots_round_towards_zero(qty, lot):
    rounded = round_down_to_lot(qty, lot)
    assert rounded % lot == 0
    assert abs(rounded) <= abs(qty) < abs(rounded) + lot
    assert rounded * qty >= 0

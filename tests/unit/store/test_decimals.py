"""Decimals keep every digit, or say that they cannot."""

from decimal import Decimal, Inexact, getcontext
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openalpha.core.errors import InputError
from openalpha.store.decimals import EXACT, checked, decimal_text, exact_sum

amounts = st.builds(
    lambda digits, places: Decimal(digits).scaleb(-places, context=EXACT),
    st.integers(-(10**55), 10**55),
    st.integers(0, 38),
)


@given(amounts)
def test_a_text_reads_back_as_the_same_number_and_is_the_only_one(value: Decimal) -> None:
    text = decimal_text(value)
    assert Decimal(text) == value
    assert decimal_text(Decimal(text + ("0" if "." in text else ".0"))) == text
    assert "E" not in text


@given(st.lists(amounts))
def test_a_sum_is_exact(values: list[Decimal]) -> None:
    assert Fraction(exact_sum(values)) == sum((Fraction(value) for value in values), Fraction(0))


def test_the_usual_context_would_have_lost_digits() -> None:
    long = Decimal("1234567890123456789012345678901234.5")
    assert getcontext().prec < 35
    assert +long != long
    assert checked(long, "it") == long


def test_what_does_not_fit_is_never_rounded() -> None:
    with pytest.raises(Inexact):
        EXACT.add(Decimal("1E+149"), Decimal("1E-30"))


@pytest.mark.parametrize("text", ["NaN", "-Infinity", "sNaN", "1E+60", "1E-41", "-1E+60"])
def test_an_amount_that_cannot_be_kept_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="the fee was"):
        checked(Decimal(text), "the fee")


@pytest.mark.parametrize("text", ["9E+59", "-9E+59", "1E-40", "0E-99", "0E+99"])
def test_the_largest_and_the_smallest_are_kept(text: str) -> None:
    assert checked(Decimal(text), "the fee") == Decimal(text)

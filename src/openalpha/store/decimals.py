"""Decimals that stay exact: one text for each value, and arithmetic that never rounds unseen.

Python's own context rounds to 28 digits without a word, in `-x` and `+x` even. What is kept goes
through `EXACT` instead, which raises as soon as a digit would be lost.
"""

from collections.abc import Iterable
from decimal import (
    ROUND_HALF_EVEN,
    Context,
    Decimal,
    DivisionByZero,
    FloatOperation,
    Inexact,
    InvalidOperation,
    Overflow,
)

from openalpha.core.errors import InputError

__all__ = ["EXACT", "MOST_DECIMALS", "MOST_DIGITS", "checked", "decimal_text", "exact_sum"]

EXACT = Context(
    prec=150,
    rounding=ROUND_HALF_EVEN,
    traps=[InvalidOperation, DivisionByZero, Overflow, Inexact, FloatOperation],
)
"""Raises where a result would have to be rounded; 150 digits hold any sum of what is accepted."""

MOST_DIGITS = 60
"""Digits before the point an amount may have: a coin of 10^15 pieces is nowhere near."""

MOST_DECIMALS = 40
"""Digits after the point; the finest coin there is counts 24."""

ZERO = Decimal(0)


def decimal_text(value: Decimal) -> str:
    """Write a decimal in its one plain form: no exponent, no zeros at the end, no minus zero.

    Examples
    --------
    >>> decimal_text(Decimal("1.500")), decimal_text(Decimal("-0.0")), decimal_text(Decimal("1E+3"))
    ('1.5', '0', '1000')
    """
    text = str(value)
    if "E" in text:
        text = format(value, "f")
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def checked(value: Decimal, what: str) -> Decimal:
    """Return an amount in its plain form.

    Parameters
    ----------
    value : Decimal
        Finite, at most `MOST_DIGITS` before the point and `MOST_DECIMALS` after it.
    what : str
        What it is, for the message.

    Raises
    ------
    InputError
        If it is not such a number.

    Examples
    --------
    >>> checked(Decimal("2.50"), "the fee")
    Decimal('2.5')
    """
    assert isinstance(value, Decimal), "exact values only"
    if not value.is_finite():
        raise InputError(f"{what} was {value}, expected a finite number")
    text = decimal_text(value)
    # Most amounts are short: only a long text is looked at closely.
    if len(text) > MOST_DECIMALS and not _fits(text):
        raise InputError(
            f"{what} was {value}, expected at most {MOST_DIGITS} digits before and "
            f"{MOST_DECIMALS} after the point"
        )
    return Decimal(text)


def _fits(text: str) -> bool:
    whole, _, part = text.lstrip("-").partition(".")
    return len(whole) <= MOST_DIGITS and len(part) <= MOST_DECIMALS


def exact_sum(values: Iterable[Decimal]) -> Decimal:
    """Add up without losing a digit.

    Examples
    --------
    >>> exact_sum([Decimal("1E+30"), Decimal("1E-18")])
    Decimal('1000000000000000000000000000000.000000000000000001')
    """
    total = ZERO
    for value in values:
        total = EXACT.add(total, value)
    return total

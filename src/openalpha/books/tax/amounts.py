"""Exact amounts: Decimal in one arithmetic context, and the two ways a figure may be rounded.

Everything inside the tax engine runs under `exact()`. Shares of a cost are cut at 18 decimals of a
dollar by differences of running totals, so the parts always add up to the whole. Cents appear only
where a figure is shown.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from decimal import (
    ROUND_DOWN,
    ROUND_HALF_EVEN,
    ROUND_HALF_UP,
    Context,
    Decimal,
    DivisionByZero,
    FloatOperation,
    InvalidOperation,
    Overflow,
    localcontext,
)

__all__ = ["CENT", "DOLLAR", "ZERO", "cut_off", "exact", "rounded", "share", "whole_dollars"]

ZERO = Decimal(0)
CENT = Decimal("0.01")
DOLLAR = Decimal(1)

# Amounts below 10^20 with 18 decimals and quantities of 38 digits: a product fits in 76 digits,
# the most a Decimal holds without allocating memory of its own.
_PRECISION = 76
_FINEST = Decimal("1e-18")


@contextmanager
def exact() -> Iterator[None]:
    """Run a block of tax arithmetic without losing digits; a float in it is an error.

    Examples
    --------
    >>> with exact():
    ...     Decimal(1) / 8
    Decimal('0.125')
    """
    context = Context(
        prec=_PRECISION,
        rounding=ROUND_HALF_EVEN,
        traps=[InvalidOperation, DivisionByZero, Overflow, FloatOperation],
    )
    with localcontext(context):
        yield


def share(total: Decimal, part: Decimal, *, whole: Decimal) -> Decimal:
    """Return `total * part / whole`, cut at 18 decimals; the whole is returned untouched.

    Parameters
    ----------
    total : Decimal
        An amount, in AUD.
    part, whole : Decimal
        Quantities in one unit, 0 <= part <= whole, whole > 0.

    Examples
    --------
    >>> share(Decimal(10), Decimal(1), whole=Decimal(4))
    Decimal('2.500000000000000000')
    """
    if part == whole or not total:
        return total
    return (total * part / whole).quantize(_FINEST)


def cut_off(amount: Decimal) -> Decimal:
    """Return an amount with at most 18 decimals, as every running total of a share is kept.

    Examples
    --------
    >>> cut_off(Decimal("0.1234567890123456789"))
    Decimal('0.123456789012345679')
    """
    return amount.quantize(_FINEST)


def rounded(amount: Decimal, quantum: Decimal = CENT) -> Decimal:
    """Round half up to a quantum: the cent, unless another is named.

    Examples
    --------
    >>> rounded(Decimal("1.005"))
    Decimal('1.01')
    """
    return amount.quantize(quantum, rounding=ROUND_HALF_UP)


def whole_dollars(amount: Decimal) -> Decimal:
    """Drop the cents, as a tax return's labels do.

    Examples
    --------
    >>> whole_dollars(Decimal("13095.99"))
    Decimal('13095')
    """
    return amount.quantize(DOLLAR, rounding=ROUND_DOWN)

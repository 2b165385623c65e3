"""Integers in units to the decimal strings the protocol speaks, and back."""

from decimal import Decimal, InvalidOperation
from functools import lru_cache

from openalpha.core.units import MAX_DECIMALS

__all__ = ["fixed", "plain", "quotient", "read_decimal", "units_of"]


@lru_cache(1 << 15)
def fixed(units: int, decimals: int) -> str:
    """Write units of 10^-decimals with all their decimals.

    Examples
    --------
    >>> fixed(604321, 1), fixed(-5, 3), fixed(7, 0)
    ('60432.1', '-0.005', '7')
    """
    if decimals == 0:
        return str(units)
    digits = str(abs(units)).zfill(decimals + 1)
    sign = "-" if units < 0 else ""
    return f"{sign}{digits[:-decimals]}.{digits[-decimals:]}"


def plain(units: int, decimals: int) -> str:
    """Write units of 10^-decimals without trailing zeros.

    Examples
    --------
    >>> plain(150_000, 5), plain(0, 8)
    ('1.5', '0')
    """
    if units <= 0 or decimals == 0:
        return f"-{plain(-units, decimals)}" if units < 0 else str(units)
    digits = str(units)
    if len(digits) <= decimals:
        digits = digits.zfill(decimals + 1)
    part = digits[-decimals:].rstrip("0")
    return f"{digits[:-decimals]}.{part}" if part else digits[:-decimals]


def quotient(over: int, under: int, *, decimals: int) -> str:
    """Write over / under, cut to so many decimals, without trailing zeros.

    Examples
    --------
    >>> quotient(2, 3, decimals=4), quotient(1, 0, decimals=4)
    ('0.6666', '0')
    """
    if under == 0:
        return "0"
    scaled = abs(over) * 10**decimals // abs(under)
    return plain(scaled if (over < 0) == (under < 0) else -scaled, decimals)


def read_decimal(text: object) -> Decimal | None:
    """Read a finite decimal from what a client sent (text or number); None where it is none.

    Examples
    --------
    >>> read_decimal("0.10"), read_decimal("x"), read_decimal("NaN")
    (Decimal('0.10'), None, None)
    """
    if isinstance(text, bool) or not isinstance(text, str | int | float):
        return None
    try:
        value = Decimal(str(text).strip())
    except InvalidOperation:
        return None
    return value if value.is_finite() else None


def units_of(value: Decimal, decimals: int) -> int | None:
    """Convert to units of 10^-decimals; None if it has more decimals or does not fit 62 bits.

    Examples
    --------
    >>> units_of(Decimal("0.055"), 3), units_of(Decimal("0.0555"), 3)
    (55, None)
    """
    assert 0 <= decimals <= MAX_DECIMALS
    _, digits, exponent = value.as_tuple()
    assert isinstance(exponent, int), "a finite number is wanted"
    if len(digits) + max(exponent, 0) > 30:
        return None
    scaled = value.scaleb(decimals)
    units = int(scaled)
    return units if scaled == units and abs(units) < 2**62 else None

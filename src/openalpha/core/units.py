"""Conversions between decimals and integer units, and rounding to ticks and lots.

A value v with n decimals is held as the integer v × 10^n: prices in price units (10^-d), quantities
in quantity units (10^-q), cash in cash units (10^-c). Every function here is exact.
"""

from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_EVEN, Context, Decimal, localcontext

from openalpha.core.errors import DataError

__all__ = [
    "BOUND",
    "MAX_DECIMALS",
    "decimals_of",
    "from_units",
    "is_multiple",
    "round_down_to_lot",
    "round_to_tick",
    "to_units",
]

BOUND = 2**62
"""Every product of a price and a quantity must stay below this."""

MAX_DECIMALS = 12

_WIDE = Context(prec=60)


def decimals_of(value: Decimal) -> int:
    """Count the decimals a value needs, trailing zeros dropped.

    Examples
    --------
    >>> decimals_of(Decimal("0.0500")), decimals_of(Decimal("1000"))
    (2, 0)
    """
    exponent = value.normalize().as_tuple().exponent
    assert isinstance(exponent, int), "a finite number is wanted"
    return max(0, -exponent)


def to_units(value: Decimal | str | int, decimals: int) -> int:
    """Convert an exact value to units of 10^-decimals.

    Parameters
    ----------
    value : Decimal, str or int
        Never a float: a float has already lost what this function is there to keep.
    decimals : int
        0 to 12.

    Raises
    ------
    DataError
        If the value has more decimals than that, or is too large for 64 bits.

    Examples
    --------
    >>> to_units("0.055", 4)
    550
    """
    assert not isinstance(value, float), "exact values only"
    assert 0 <= decimals <= MAX_DECIMALS
    scaled = Decimal(value).scaleb(decimals, _WIDE)
    if scaled != scaled.to_integral_value(context=_WIDE):
        raise DataError(f"{value} has more than {decimals} decimals")
    units = int(scaled)
    if abs(units) >= BOUND:
        raise DataError(f"{value} is too large to hold with {decimals} decimals")
    return units


def from_units(units: int, decimals: int) -> Decimal:
    """Convert units of 10^-decimals back to an exact decimal.

    Examples
    --------
    >>> from_units(550, 4)
    Decimal('0.0550')
    """
    return Decimal(int(units)).scaleb(-decimals, _WIDE)


def round_to_tick(value: Decimal, tick_size: Decimal, *, up: bool | None = None) -> Decimal:
    """Round a price to a multiple of the tick size.

    Parameters
    ----------
    value, tick_size : Decimal
        Price and its step, `tick_size` > 0.
    up : bool, optional
        True rounds up, False down; None takes the nearest (an exact half to the even multiple).

    Examples
    --------
    >>> round_to_tick(Decimal("100.26"), Decimal("0.5"), up=False)
    Decimal('100.0')
    """
    assert tick_size > 0
    rounding = ROUND_HALF_EVEN if up is None else ROUND_CEILING if up else ROUND_FLOOR
    with localcontext() as context:
        context.prec = 60
        return (value / tick_size).to_integral_value(rounding) * tick_size


def round_down_to_lot(qty_units: int, lot_qty_units: int) -> int:
    """Round a quantity towards zero to a multiple of the lot.

    Examples
    --------
    >>> round_down_to_lot(-1999, 1000)
    -1000
    """
    assert lot_qty_units > 0
    lots = abs(qty_units) // lot_qty_units
    return lots * lot_qty_units if qty_units >= 0 else -lots * lot_qty_units


def is_multiple(value: Decimal, step: Decimal) -> bool:
    """Say whether a value is a whole number of steps.

    Examples
    --------
    >>> is_multiple(Decimal("0.3"), Decimal("0.1"))
    True
    """
    with localcontext() as context:
        context.prec = 60
        return value % step == 0

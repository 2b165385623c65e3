"""Columns and cells as every renderer lays them out, and how a cell is written for people."""

from datetime import date
from decimal import ROUND_HALF_UP, Context, Decimal
from typing import NamedTuple

__all__ = ["Cell", "Column", "aud", "shown"]

_CENT = Decimal("0.01")
_WIDE = Context(prec=76)
Cell = Decimal | date | int | bool | str | None


class Column(NamedTuple):
    """A column: its name, what it holds, and its share of the width.

    `kind` is text (one line), words (wrapped), key (an id, cut to its beginning where room is
    short), aud, qty, number, day or flag. `is_summed` asks for a total; `is_spare` leaves the
    column out on paper where all of it is nothing.
    """

    name: str
    kind: str = "text"
    width: float = 1.0
    is_summed: bool = False
    is_spare: bool = False


def aud(amount: Decimal) -> str:
    """Write an amount with cents.

    Examples
    --------
    >>> aud(Decimal("-1234.565")), aud(Decimal("-0.001"))
    ('-1,234.57', '0.00')
    """
    cents = amount.quantize(_CENT, rounding=ROUND_HALF_UP, context=_WIDE)
    return f"{cents:,.2f}" if cents else "0.00"  # never -0.00


def shown(cell: Cell, kind: str) -> str:
    """Write a cell for people.

    Examples
    --------
    >>> shown(Decimal("0.10"), "qty"), shown(True, "flag"), shown(None, "aud")
    ('0.1', 'yes', '')
    """
    if cell is None:
        return ""
    if kind == "flag":
        return "yes" if cell else ""
    if isinstance(cell, Decimal):
        if kind == "aud":
            return aud(cell)
        text = f"{cell:f}"
        return text.rstrip("0").rstrip(".") if "." in text else text
    return cell.isoformat() if isinstance(cell, date) else str(cell)

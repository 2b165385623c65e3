"""Reads fields of Bybit's rows tolerantly: missing, empty and new ones never break a reader."""

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from openalpha.core.orders import OrderStatus, Side

__all__ = ["amount", "flag", "maybe", "side_of", "status_of", "text", "whole"]

Row = Mapping[str, Any]

_STATUSES = {
    "Created": OrderStatus.SUBMITTED,
    "New": OrderStatus.OPEN,
    "Active": OrderStatus.OPEN,
    "Triggered": OrderStatus.OPEN,
    "PartiallyFilled": OrderStatus.PARTIALLY_FILLED,
    "Untriggered": OrderStatus.UNTRIGGERED,
    "Filled": OrderStatus.FILLED,
    "Cancelled": OrderStatus.CANCELLED,
    "PartiallyFilledCanceled": OrderStatus.CANCELLED,
    "Deactivated": OrderStatus.CANCELLED,
    "Rejected": OrderStatus.REJECTED,
}


def text(row: Row, name: str) -> str:
    """Return a field as text, empty where it is missing.

    Examples
    --------
    >>> text({"a": 1}, "a"), text({}, "a")
    ('1', '')
    """
    value = row.get(name)
    return "" if value is None else str(value)


def maybe(row: Row, name: str) -> Decimal | None:
    """Return a number, None where there is none.

    Examples
    --------
    >>> maybe({"a": "1.50", "b": ""}, "a"), maybe({"a": "1.50", "b": ""}, "b")
    (Decimal('1.50'), None)
    """
    try:
        value = Decimal(text(row, name))
    except InvalidOperation:
        return None
    return value if value.is_finite() else None


def amount(row: Row, name: str) -> Decimal:
    """Return a number, 0 where there is none."""
    value = maybe(row, name)
    return Decimal(0) if value is None else value


def whole(row: Row, name: str) -> int:
    """Return a whole number, 0 where there is none."""
    return int(amount(row, name))


def flag(row: Row, name: str) -> bool:
    """Return a flag, however it is written."""
    return text(row, name).lower() in ("true", "1")


def side_of(row: Row) -> Side | None:
    """Return the side of a row; None for an empty position."""
    return {"Buy": Side.BUY, "Sell": Side.SELL}.get(text(row, "side"))


def status_of(name: str) -> OrderStatus:
    """Return the status an order's text means; UNKNOWN for one nobody has described.

    Examples
    --------
    >>> status_of("PartiallyFilledCanceled").name, status_of("Dreaming").name
    ('CANCELLED', 'UNKNOWN')
    """
    return _STATUSES.get(name, OrderStatus.UNKNOWN)

"""What a row of Bybit must say before it is counted: where it matters a missing field is no zero.

Any other field may be missing, null or empty anywhere. A row that lacks one of these is as good as
no answer: it is asked for again.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from openalpha.venue.bybit.reading import amount, maybe, side_of, text

__all__ = ["FILLS", "lacking"]

Row = Mapping[str, Any]

_TRADES = frozenset({"TRADE", "LIQUIDATION", "ADL", "DELIVERY"})
FILLS = frozenset({"Trade", "AdlTrade", "BustTrade", "Settle", "Delivery", "BlockTrade"})
"""Kinds of executions that change a position. Funding has side, price and quantity, and is none."""


def lacking(kind: str, rows: Iterable[Row]) -> str:
    """Return the first field that one of some rows lacks; empty: they say all that counts.

    Parameters
    ----------
    kind : str
        open (orders), fills (executions), positions, wallet or statement.
    rows : iterable of mapping

    Examples
    --------
    >>> lacking("positions", [{"symbol": "BTCUSDT", "side": "Buy", "size": ""}])
    'size'
    >>> lacking("positions", [{"symbol": "BTCUSDT", "side": "", "size": "0"}])
    ''
    """
    return next((name for row in rows if (name := _KINDS[kind](row))), "")


def _order(row: Row) -> str:
    return _owner(row) or _missing(row, ("orderId", "symbol", "orderStatus"), ("qty",))


def _execution(row: Row) -> str:
    found = _owner(row) or _missing(row, ("execId", "symbol", "execType"), ("execTime",))
    if found or text(row, "execType") not in FILLS:
        return found
    if side_of(row) is None:
        return "side"
    sizes = (name for name in ("execQty", "execPrice") if amount(row, name) <= 0)
    return next(sizes, "") or _missing(row, (), ("execFee",))


def _position(row: Row) -> str:
    size = maybe(row, "size")
    if size is None or not size:
        return _missing(row, ("symbol",), ("size",))
    no_side = "side" if side_of(row) is None else ""
    return no_side or _missing(row, ("symbol",), ("markPrice",))


def _wallet(row: Row) -> str:
    coins = row.get("coin")
    if not isinstance(coins, list):
        return "coin"
    lacked = (
        _missing(coin, ("coin",), ("walletBalance",)) for coin in coins if isinstance(coin, Mapping)
    )
    return next((name for name in lacked if name), "")


def _log(row: Row) -> str:
    numbers = ("cashFlow", "fee") if text(row, "type") in _TRADES else ()
    return _missing(
        row, ("id", "currency", "type"), ("transactionTime", "change", "cashBalance", *numbers)
    )


_KINDS = {
    "open": _order,
    "fills": _execution,
    "positions": _position,
    "wallet": _wallet,
    "statement": _log,
}


def _owner(row: Row) -> str:
    """Where our id is not told at all it may be ours; an empty one says that it is not."""
    return "orderLinkId" if row.get("orderLinkId") is None else ""


def _missing(row: Row, texts: Iterable[str], numbers: Iterable[str]) -> str:
    """Return the first of some fields that is not there."""
    for name in texts:
        if not text(row, name):
            return name
    return next((name for name in numbers if maybe(row, name) is None), "")

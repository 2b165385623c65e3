"""KuCoin: spot fills and orders, deposits, withdrawals, conversions."""

import re
from dataclasses import replace
from decimal import Decimal

from openalpha.books.imports.cells import BadCell, Row, Sheet
from openalpha.books.imports.families import Family, each_row, has_columns
from openalpha.books.imports.legs import trade
from openalpha.books.imports.records import Kind, Move, Record
from openalpha.books.imports.symbols import joined, split_pair

__all__ = ["CONVERSIONS", "DEPOSITS", "FILLS", "ORDERS", "WITHDRAWALS"]

_FILLS = Record("kucoin", "spot", "kucoin fills", -1, Kind.UNKNOWN)
_ORDERS = Record("kucoin", "spot", "kucoin orders", -1, Kind.UNKNOWN)
_IN = Record("kucoin", "", "kucoin deposits", -1, Kind.UNKNOWN)
_OUT = Record("kucoin", "", "kucoin withdrawals", -1, Kind.UNKNOWN)
_CONVERT = Record("kucoin", "", "kucoin conversions", -1, Kind.UNKNOWN)


def _traded(sheet: Sheet, base: Record) -> list[Record]:
    def one(row: Row, here: Record) -> Record:
        pair = split_pair(row.text("Symbol"))
        if pair is None:
            raise BadCell(f"the pair {row.text('Symbol')!r} cannot be split into two coins")
        said = row.text("Side").upper()
        if said not in ("BUY", "SELL"):
            raise BadCell(f"the side {said!r} is neither BUY nor SELL")
        qty = row.needed("Filled Amount")
        here = replace(here, ref=row.text("Order ID"), contract=joined(row.text("Symbol")))
        if not qty:
            return replace(here, kind=Kind.VOID, text=f"an order without a fill: {row.raw}"[:600])
        side = Decimal(1 if said == "BUY" else -1)
        return trade(
            Move(pair[0], side * qty),
            Move(pair[1], -side * row.needed("Filled Volume")),
            fees=[Move(row.text("Fee Currency").upper() or pair[1], row.number("Fee"))],
            like=replace(here, ts_ms=sheet.time(row, "Filled Time")),
            price=row.number("Avg. Filled Price"),
        )

    return each_row(sheet, base, read=one)


def _moved(sheet: Sheet, base: Record) -> list[Record]:
    def one(row: Row, here: Record) -> Record:
        status = row.text("Status").lower()
        coin, amount, fee = row.text("Coin").upper(), row.needed("Amount"), row.number("Fee")
        here = replace(here, ts_ms=sheet.time(row, "Time"), ref=row.text("Hash"), label=status)
        if status.startswith(("fail", "cancel", "reject")):
            return replace(here, kind=Kind.VOID, text=f"{status}: {row.raw}"[:600])
        if not status.startswith("success"):
            raise BadCell(f"the status {row.text('Status')!r} is neither done nor failed")
        is_in = base.family == _IN.family
        return replace(
            here,
            kind=Kind.DEPOSIT if is_in else Kind.WITHDRAWAL,
            moves=(Move(coin, amount if is_in else -amount),),
            fees=(Move(coin, fee),) if fee else (),
        )

    return each_row(sheet, base, read=one)


def _conversions(sheet: Sheet) -> list[Record]:
    def one(row: Row, here: Record) -> Record:
        here = replace(here, ts_ms=sheet.time(row, "Time of Update"), label="convert")
        status = row.text("Status").lower()
        if not status.startswith("success"):
            return replace(here, kind=Kind.VOID, text=f"{status}: {row.raw}"[:600])
        given, got = (_with_coin(row.text(name)) for name in ("Sell", "Buy"))
        return trade(got, Move(given.coin, -given.amount), like=here)

    return each_row(sheet, _CONVERT, read=one)


def _with_coin(text: str) -> Move:
    found = re.fullmatch(r"([\d.,]*\d)\s*([A-Za-z0-9]+)", text.strip())
    if found is None:
        raise BadCell(f"'{text}' is not an amount with a coin")
    return Move(found[2].upper(), Decimal(found[1].replace(",", "")))


_BOTH = ("Order ID", "Symbol", "Side", "Filled Amount", "Filled Volume", "Fee", "Fee Currency")
_is_order = has_columns(*_BOTH, "Order Amount", "Filled Time*")
_is_traded = has_columns(*_BOTH, "Filled Time*")

FILLS = Family(
    "kucoin fills",
    lambda header: _is_traded(header) and not _is_order(header),
    lambda sheet: _traded(sheet, _FILLS),
)
ORDERS = Family("kucoin orders", _is_order, lambda sheet: _traded(sheet, _ORDERS))
_is_moved = has_columns("UID", "Time*", "Coin", "Amount", "Fee", "Transfer Network", "Status")
_is_withdrawal = has_columns(
    "UID", "Time*", "Coin", "Amount", "Fee", "Transfer Network", "Withdrawal Address*"
)
DEPOSITS = Family(
    "kucoin deposits",
    lambda header: _is_moved(header) and not _is_withdrawal(header),
    lambda sheet: _moved(sheet, _IN),
)
WITHDRAWALS = Family("kucoin withdrawals", _is_withdrawal, lambda sheet: _moved(sheet, _OUT))
CONVERSIONS = Family(
    "kucoin conversions",
    has_columns("Payment Account", "Sell", "Buy", "Time of Update*", "Status"),
    _conversions,
)

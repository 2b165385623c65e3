"""Coinbase: the transaction history, with its lines above the header and signs before amounts."""

import re
from dataclasses import replace
from decimal import Decimal, InvalidOperation

from openalpha.books.imports.cells import BadCell, Row, Sheet
from openalpha.books.imports.families import Family, each_row, has_columns, unknown
from openalpha.books.imports.legs import trade
from openalpha.books.imports.records import Kind, Move, Record

__all__ = ["HISTORY"]

_BASE = Record("coinbase", "", "coinbase transaction history", -1, Kind.UNKNOWN)
_CONVERTED = re.compile(r"Converted ([\d.,]+) (\S+) to ([\d.,]+) (\S+)", re.IGNORECASE)
_INCOME = {
    "staking income": "staking", "rewards income": "reward", "reward income": "reward",
    "learning reward": "reward", "coinbase earn": "reward", "inflation reward": "staking",
    "interest": "interest", "airdrop": "airdrop", "incentives rewards payout": "reward",
}  # fmt: skip
_OUT = ("send", "withdrawal", "exchange deposit", "pro deposit", "fiat withdrawal")
_IN = ("receive", "deposit", "exchange withdrawal", "pro withdrawal", "fiat deposit")
_OWN = ("retail staking transfer", "retail unstaking transfer", "vault withdrawal")


def _history(sheet: Sheet) -> list[Record]:
    return each_row(sheet, _BASE, read=lambda row, here: _one(sheet, row, here))


def _one(sheet: Sheet, row: Row, here: Record) -> Record:
    said = row.text("Transaction Type").lower()
    coin, qty = row.text("Asset").upper(), abs(_amount(row, "Quantity Transacted"))
    here = replace(here, ts_ms=sheet.time(row, "Timestamp"), label=said, ref=row.text("ID"))
    if said in ("buy", "sell") or re.fullmatch(r"advanced? trade (buy|sell)", said):
        return _bought(sheet, row, here, Move(coin, qty if said.endswith("buy") else -qty))
    if said == "convert":
        return _converted(row, here)
    signed = _amount(row, "Quantity Transacted")
    if said in _INCOME:
        return replace(here, kind=Kind.INCOME, label=_INCOME[said], moves=(Move(coin, qty),))
    if said in _OUT:
        return replace(here, kind=Kind.WITHDRAWAL, moves=(Move(coin, -qty),))
    if said in _IN:
        return replace(here, kind=Kind.DEPOSIT, moves=(Move(coin, qty),))
    if said in _OWN:
        return replace(here, kind=Kind.EARN, moves=(Move(coin, signed),))
    return unknown(here, row, why=f"the type {said!r} is not known", moves=[Move(coin, signed)])


def _bought(sheet: Sheet, row: Row, here: Record, base: Move) -> Record:
    money = row.text("Price Currency", "Spot Price Currency").upper()
    if not money:
        raise BadCell("the row names no currency")
    fee = abs(_amount(row, sheet.column("Fees") or "Fees"))
    total = sheet.column("Total")
    side = 1 if base.amount > 0 else -1
    # The total is what the account paid or got; a spread stands in it and in no other column.
    if row.text(total):
        value = abs(_amount(row, total)) - side * fee
    else:
        value = abs(_amount(row, "Subtotal"))
    quote = Move(money, -side * value)
    return trade(base, quote, fees=[Move(money, fee)], like=here)


def _converted(row: Row, here: Record) -> Record:
    found = _CONVERTED.search(row.text("Notes"))
    if found is None:
        raise BadCell("the notes of the conversion do not say what came for what")
    given, given_coin, got, got_coin = found.groups()
    return trade(
        Move(got_coin.upper(), Decimal(got.replace(",", "").rstrip("."))),
        Move(given_coin.upper(), -Decimal(given.replace(",", "").rstrip("."))),
        like=here,
    )


def _amount(row: Row, name: str) -> Decimal:
    """Read an amount that may have a currency's sign before it."""
    text = re.sub(r"[^0-9.eE+-]", "", row.text(name))
    try:
        return Decimal(text) if text else Decimal(0)
    except InvalidOperation:
        raise BadCell(f"{name} was '{row.text(name)}', expected an amount") from None


HISTORY = Family(
    "coinbase transaction history",
    has_columns("Timestamp", "Transaction Type", "Asset", "Quantity Transacted", "Subtotal"),
    _history,
)

"""Builders of imported records, and the history they come to under made-up rates."""

from dataclasses import replace
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from openalpha.books.imports.history import ImportedHistory, imported_history
from openalpha.books.imports.records import Kind, Move, Record, keyed
from openalpha.books.rates import Rate, RateTable
from openalpha.core.clock import parse_ms

DAY_MS = 86_400_000
NOON_MS = parse_ms("2025-08-01T12:00")
SYDNEY = ZoneInfo("Australia/Sydney")
RATES = RateTable(
    [(coin, "AUD", Rate(Decimal(rate), "mine", NOON_MS - DAY_MS))
     for coin, rate in (("BTC", "150000"), ("USDT", "1.5"), ("ETH", "4000"), ("EUR", "1.7"))]
)  # fmt: skip


def moves(text: str) -> tuple[Move, ...]:
    found = (part.split() for part in text.split(",") if part.strip())
    return tuple(Move(coin, Decimal(amount)) for amount, coin in found)


def record(kind: Kind, moved: str = "", *, at: int = NOON_MS, **more: Any) -> Record:
    made = Record("bybit", "unified", "bybit unified changes", at, kind, moves(moved))
    made = replace(made, **{"file": "a.csv", "line": 2, **more})
    return made if made.key else keyed([made])[0]


def history(*records: Record, **more: Any) -> ImportedHistory:
    given_rates = {"rates": RATES, "zone": SYDNEY, **more}
    return imported_history(records, **given_rates)


def bought(text: str, fee: str = "", **more: Any) -> Record:
    label = "buy" if moves(text)[0].amount > 0 else "sell"
    return record(Kind.TRADE, text, fees=moves(fee), label=label, **more)


def told(*values: Any) -> tuple[Any, ...]:
    """Return values to be compared, whatever their types."""
    return values

"""What a movement of coins is by a person's word, and coins that come without income."""

from datetime import date
from decimal import Decimal

from openalpha.books.imports.records import Move, Record
from openalpha.books.imports.symbols import FIAT
from openalpha.books.tax.events import Acquire, Dispose, Event, Money

__all__ = ["WITHOUT_INCOME", "settled_event", "unearned"]

WITHOUT_INCOME = ("chain_split", "airdrop_initial")
"""What is received with no income and no cost (ATO QC 69950, QC 69953)."""

ZERO = Decimal(0)
_KINDS = {"income": "reward", "gift": "gift", "split": "chain_split"}


def settled_event(
    record: Record, way: str, *, key: str, move: Move, day: date, aud: Decimal | None
) -> Event | None:
    """Return what a movement was, by one of the ways to settle it; None where money alone moved.

    Parameters
    ----------
    aud : Decimal or None
        What it was worth; None where nobody knows, which stays an open item.
    """
    qty, ts_ms = abs(move.amount), record.ts_ms
    if move.coin in FIAT:
        return Money(key, day, aud or ZERO, "reward", ts_ms=ts_ms) if way == "income" else None
    if move.amount > 0:
        return Acquire(
            key,
            day,
            move.coin,
            qty,
            ZERO if way == "split" else aud,
            kind=_KINDS.get(way, "buy"),
            income=(aud or ZERO) if way == "income" else ZERO,
            wallet=record.wallet,
            ts_ms=ts_ms,
        )
    if not move.amount:
        return None
    is_lost, is_personal = way == "lost", way == "personal"
    return Dispose(
        key,
        day,
        move.coin,
        qty,
        (aud or ZERO) if is_lost else aud,
        kind="C1" if is_lost else "A1",
        is_personal_use=is_personal,
        wallet="" if is_personal else record.wallet,
        ts_ms=ts_ms,
    )


def unearned(record: Record, *, key: str, move: Move, day: date) -> Acquire:
    """Return a parcel of no cost and no income: of a chain split, or an initial allocation."""
    return Acquire(
        key, day, move.coin, abs(move.amount), ZERO,
        kind=record.label, wallet=record.wallet, ts_ms=record.ts_ms,
    )  # fmt: skip

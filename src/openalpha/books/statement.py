"""The statement of one coin of a venue account: opening balance, every change, closing balance."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import NamedTuple

from openalpha.books.accounts import Book, Category
from openalpha.books.entries import EntryKind
from openalpha.books.tables import ACCOUNTS, DAYS, ENTRIES, POSTINGS, and_, select
from openalpha.books.writing import book_row
from openalpha.core.clock import DAY_MS
from openalpha.store.database import Connection, Database
from openalpha.store.decimals import EXACT, exact_sum

__all__ = ["Statement", "StatementLine", "statement"]


class StatementLine(NamedTuple):
    """One change of the balance, and the balance after it."""

    seq: int
    ts_ms: int
    kind: EntryKind
    source: str
    ref: str
    memo: str
    amount: Decimal
    balance: Decimal


@dataclass(frozen=True, slots=True)
class Statement:
    """What happened to a coin's balance over a time.

    Parameters
    ----------
    totals : mapping of EntryKind to Decimal
        What each kind of entry changed.
    """

    book: Book
    venue: str
    coin: str
    opening: Decimal
    lines: tuple[StatementLine, ...]
    totals: Mapping[EntryKind, Decimal]
    closing: Decimal


def statement(
    database: Database,
    book: Book,
    *,
    venue: str,
    coin: str,
    since_ms: int,
    until_ms: int,
) -> Statement:
    """Return the statement of a coin of a venue account, in order of event time.

    Parameters
    ----------
    since_ms, until_ms : int
        Events from the one to before the other, UTC ms.
    """
    with database.reading() as connection:
        row = book_row(connection, book)
        account_id = None if row is None else _cash_account(connection, row[0], venue, coin=coin)
        if account_id is None:
            return Statement(book, venue, coin, Decimal(0), (), {}, Decimal(0))
        opening = _balance_before(connection, account_id, since_ms)
        of = ENTRIES.c
        query = select(
            of.seq, of.ts_ms, of.kind, of.source, of.ref, of.memo, POSTINGS.c.amount
        ).join(
            ENTRIES, and_(ENTRIES.c.book_id == POSTINGS.c.book_id, ENTRIES.c.seq == POSTINGS.c.seq)
        )
        query = query.where(
            POSTINGS.c.account_id == account_id,
            POSTINGS.c.ts_ms >= since_ms,
            POSTINGS.c.ts_ms < until_ms,
        ).order_by(POSTINGS.c.ts_ms, POSTINGS.c.seq, POSTINGS.c.line)
        rows = connection.execute(query).all()
    lines, balance = [], opening
    totals: dict[EntryKind, Decimal] = defaultdict(Decimal)
    for seq, ts_ms, number, source, ref, memo, amount in rows:
        kind = EntryKind(number)
        balance = EXACT.add(balance, amount)
        totals[kind] = EXACT.add(totals[kind], amount)
        lines.append(StatementLine(seq, ts_ms, kind, source, ref, memo, amount, balance))
    return Statement(book, venue, coin, opening, tuple(lines), dict(totals), balance)


def _cash_account(connection: Connection, book_id: int, venue: str, *, coin: str) -> int | None:
    query = ACCOUNTS.select().where(
        ACCOUNTS.c.book_id == book_id,
        ACCOUNTS.c.venue == venue,
        ACCOUNTS.c.category == int(Category.CASH),
        ACCOUNTS.c.coin == coin,
    )
    row = connection.execute(query).first()
    return None if row is None else int(row.id)


def _balance_before(connection: Connection, account_id: int, ts_ms: int) -> Decimal:
    """Add up whole days and what came before the moment on its own day."""
    day = ts_ms // DAY_MS
    whole = DAYS.select().where(DAYS.c.account_id == account_id, DAYS.c.day < day)
    part = POSTINGS.select().where(
        POSTINGS.c.account_id == account_id,
        POSTINGS.c.ts_ms >= day * DAY_MS,
        POSTINGS.c.ts_ms < ts_ms,
    )
    return exact_sum(row.amount for query in (whole, part) for row in connection.execute(query))

"""The trade history and the journal of a book, filtered, newest first, as far as asked for."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any, NamedTuple

from openalpha.books.accounts import Book
from openalpha.books.entries import Entry, EntryKind
from openalpha.books.positions import Terms, value_of
from openalpha.books.reading import entries_at
from openalpha.books.tables import ENTRIES, FILLS
from openalpha.books.writing import book_row
from openalpha.core.instruments import Kind
from openalpha.store.database import Database

__all__ = ["Filters", "Trade", "entries", "trades"]

_STEP = Decimal(1).scaleb(-18)


@dataclass(frozen=True, slots=True)
class Filters:
    """What to show; what is None is not looked at.

    Parameters
    ----------
    since_ms, until_ms : int or None
        Events from the one to before the other, UTC ms.
    venue, instrument : str or None
    side : int or None
        +1 or -1; fills only.
    source : str or None
        Entries only.
    kind : EntryKind or None
        Entries only.
    limit : int or None
        At most so many.
    """

    since_ms: int | None = None
    until_ms: int | None = None
    venue: str | None = None
    instrument: str | None = None
    side: int | None = None
    source: str | None = None
    kind: EntryKind | None = None
    limit: int | None = None


class Trade(NamedTuple):
    """One fill of the trade history; `notional` is in the coin the instrument is counted in."""

    entry: int
    ts_ms: int
    venue: str
    instrument: str
    side: int
    leg: int
    price: Decimal
    qty: Decimal
    notional: Decimal
    role: int
    fee: Decimal
    fee_coin: str
    realised_pnl: Decimal
    is_reducing: bool
    reason: int
    order_ref: str


def trades(database: Database, book: Book, *, filters: Filters = Filters()) -> list[Trade]:
    """Return the fills of a book that pass the filters, newest first."""
    with database.reading() as connection:
        row = book_row(connection, book)
        if row is None:
            return []
        query = _within(FILLS, FILLS.select().where(FILLS.c.book_id == row[0]), filters)
        for name in ("venue", "instrument", "side"):
            value = getattr(filters, name)
            if value is not None:
                query = query.where(FILLS.c[name] == value)
        query = query.order_by(FILLS.c.ts_ms.desc(), FILLS.c.seq.desc()).limit(filters.limit)
        return [_trade(found) for found in connection.execute(query)]


def entries(database: Database, book: Book, *, filters: Filters = Filters()) -> list[Entry]:
    """Return the entries of a book that pass the filters, newest first."""
    with database.reading() as connection:
        row = book_row(connection, book)
        if row is None:
            return []
        wanted = ENTRIES.select().with_only_columns(ENTRIES.c.seq)
        query = _within(ENTRIES, wanted.where(ENTRIES.c.book_id == row[0]), filters)
        if filters.kind is not None:
            query = query.where(ENTRIES.c.kind == int(filters.kind))
        if filters.source is not None:
            query = query.where(ENTRIES.c.source == filters.source)
        query = query.order_by(ENTRIES.c.ts_ms.desc(), ENTRIES.c.seq.desc()).limit(filters.limit)
        numbers = [found.seq for found in connection.execute(query)]
        found_entries = entries_at(connection, row[0], numbers=numbers)
    return [found_entries[number] for number in numbers]


def _within(table: Any, query: Any, filters: Filters) -> Any:
    if filters.since_ms is not None:
        query = query.where(table.c.ts_ms >= filters.since_ms)
    if filters.until_ms is not None:
        query = query.where(table.c.ts_ms < filters.until_ms)
    return query


def _trade(row: Any) -> Trade:
    terms = Terms(row.kind == Kind.INVERSE, row.multiplier, _STEP)
    return Trade(
        row.seq, row.ts_ms, row.venue, row.instrument, row.side, row.leg, row.price, row.qty,
        abs(value_of(terms, row.qty, price=row.price)), row.role, row.fee, row.fee_coin,
        row.realised_pnl, row.is_reducing, row.reason, row.order_ref,
    )  # fmt: skip

"""Reads whole entries back from the tables, a stretch of a book at a time."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Any

from openalpha.books.accounts import Account, Category
from openalpha.books.entries import Entry, EntryKind, Posting, Quote, StoredFill
from openalpha.books.tables import ACCOUNTS, ENTRIES, FILLS, POSTINGS, QUOTES
from openalpha.store.database import Connection

__all__ = ["accounts_of", "entries_at", "entries_between", "read_entries"]

_STRETCH = 5_000


def accounts_of(connection: Connection, book_id: int) -> dict[int, Account]:
    """Return the accounts of a book by their number."""
    rows = connection.execute(ACCOUNTS.select().where(ACCOUNTS.c.book_id == book_id))
    return {
        row.id: Account(row.venue, Category(row.category), row.coin, row.instrument) for row in rows
    }


def read_entries(connection: Connection, book_id: int, *, first: int = 1) -> Iterator[Entry]:
    """Yield the entries of a book in order, from one number on; a missing number is left out."""
    accounts = accounts_of(connection, book_id)
    query = ENTRIES.select().with_only_columns(ENTRIES.c.seq).where(ENTRIES.c.book_id == book_id)
    last = connection.execute(query.order_by(ENTRIES.c.seq.desc()).limit(1)).scalar()
    for start in range(first, (last or 0) + 1, _STRETCH):
        yield from entries_between(
            connection, book_id, first=start, last=start + _STRETCH - 1, accounts=accounts
        )


def entries_between(
    connection: Connection,
    book_id: int,
    *,
    first: int,
    last: int,
    accounts: dict[int, Account] | None = None,
) -> list[Entry]:
    """Return the entries of a book with numbers from `first` to `last`, both included."""
    known = accounts_of(connection, book_id) if accounts is None else accounts

    def rows(table: Any) -> Any:
        here = table.select().where(table.c.book_id == book_id, table.c.seq.between(first, last))
        return connection.execute(here.order_by(*table.primary_key.columns))

    postings: dict[int, list[Posting]] = defaultdict(list)
    for _, seq, _, account_id, _, amount in rows(POSTINGS):
        postings[seq].append(Posting(known[account_id], amount))
    quotes: dict[int, list[Quote]] = defaultdict(list)
    for _, seq, _, *quote in rows(QUOTES):
        quotes[seq].append(Quote(*quote))
    fills = {seq: StoredFill(*fill) for _, seq, _, *fill in rows(FILLS)}
    return [
        Entry(
            row.seq, row.key, EntryKind(row.kind), row.ts_ms, row.recorded_ms, row.source, row.ref,
            row.corrects, row.memo, tuple(postings[row.seq]), tuple(quotes[row.seq]),
            fills.get(row.seq), row.hash,
        )
        for row in rows(ENTRIES)
    ]  # fmt: skip


def entries_at(connection: Connection, book_id: int, *, numbers: Iterable[int]) -> dict[int, Entry]:
    """Return some entries of a book by their number; what lies close is read at once."""
    accounts = accounts_of(connection, book_id)
    wanted = sorted(numbers)
    found: dict[int, Entry] = {}
    for first, last in _stretches(wanted):
        read = entries_between(connection, book_id, first=first, last=last, accounts=accounts)
        found.update((entry.seq, entry) for entry in read)
    return found


def _stretches(numbers: Iterable[int]) -> list[tuple[int, int]]:
    """Join numbers that lie close into stretches that are read at once."""
    found: list[tuple[int, int]] = []
    for number in numbers:
        if found and number - found[-1][1] <= 4 and number - found[-1][0] < _STRETCH:
            found[-1] = (found[-1][0], number)
        else:
            found.append((number, number))
    return found

"""Proves a book: every hash of the chain, every kept sum, and the first thing that does not fit."""

from collections import defaultdict
from dataclasses import dataclass, field
from decimal import Decimal
from typing import NamedTuple

from openalpha.books.accounts import Account, Book
from openalpha.books.entries import Entry, balanced, genesis, hash_of
from openalpha.books.reading import accounts_of, read_entries
from openalpha.books.tables import ACCOUNTS, BOOKS, DAYS, ENTRIES, OPEN_ITEMS, POSTINGS, func
from openalpha.books.writing import HOME, book_row, valued_coins
from openalpha.core.clock import DAY_MS
from openalpha.core.errors import InputError
from openalpha.core.messages import Environment
from openalpha.store.database import Connection, Database
from openalpha.store.decimals import EXACT

__all__ = ["BookProof", "Fault", "books_in", "verify_book"]


class Fault(NamedTuple):
    """What does not fit: the first bad entry, or None where a kept sum is wrong."""

    entry: int | None
    reason: str


class BookProof(NamedTuple):
    """What verifying a book found.

    `head` is the number and hash of its last entry: kept elsewhere, it proves later that the end
    was not cut off and everything made anew.
    """

    book: Book
    entries: int
    accounts: int
    head: tuple[int, str]
    fault: Fault | None


@dataclass(slots=True)
class _Sums:
    """What the entries read so far add up to."""

    balances: dict[Account, Decimal] = field(default_factory=lambda: defaultdict(Decimal))
    lines: dict[Account, int] = field(default_factory=lambda: defaultdict(int))
    days: dict[tuple[Account, int], Decimal] = field(default_factory=lambda: defaultdict(Decimal))
    opened: dict[str, int] = field(default_factory=lambda: defaultdict(int))

    def add(self, entry: Entry) -> None:
        day = entry.ts_ms // DAY_MS
        for account, amount in entry.postings:
            self.balances[account] = EXACT.add(self.balances[account], amount)
            self.lines[account] += 1
            self.days[account, day] = EXACT.add(self.days[account, day], amount)
        known = {q.coin for q in entry.quotes if q.quote == HOME and q.of_seq is None}
        for coin in valued_coins(entry.postings):
            if coin not in known:
                self.opened[coin] += 1
        for quote in entry.quotes:
            if quote.of_seq is not None:
                self.opened[quote.coin] -= 1


def books_in(database: Database) -> list[Book]:
    """Return the books of a database, by environment and entity."""
    with database.reading() as connection:
        rows = connection.execute(BOOKS.select().order_by(BOOKS.c.environment, BOOKS.c.entity))
        return [Book(Environment(row.environment), row.entity) for row in rows]


def verify_book(
    database: Database, book: Book, *, head: tuple[int, str] | None = None
) -> BookProof:
    """Read a whole book and say whether it is what was posted.

    Parameters
    ----------
    head : (int, str), optional
        Number and hash of an entry noted earlier, which the book must still have.

    Returns
    -------
    BookProof
        With the first fault, if there is one: a broken chain, an unbalanced or missing entry, a
        balance that is not the sum of its entries.
    """
    with database.reading() as connection:
        row = book_row(connection, book)
        if row is None:
            fault = Fault(None, f"there is no book {book}") if head else None
            return BookProof(book, 0, 0, (0, genesis(book)), fault)
        book_id, seq, hash_ = row
        sums = _Sums()
        count, fault = _chain_fault(connection, book_id, book, sums=sums, noted=head)
        if fault is None:
            fault = _end_fault(connection, row, count) or _sums_fault(connection, book_id, sums)
        return BookProof(book, count, len(sums.balances), (seq, hash_), fault)


def _chain_fault(
    connection: Connection,
    book_id: int,
    book: Book,
    *,
    sums: _Sums,
    noted: tuple[int, str] | None,
) -> tuple[int, Fault | None]:
    before, count = genesis(book), 0
    for entry in read_entries(connection, book_id):
        reason = _misfit(entry, count + 1, before)
        if not reason and noted and entry.seq == noted[0] and entry.hash != noted[1]:
            reason = "its hash is not the one noted earlier"
        if reason:
            return count, Fault(entry.seq if "missing" not in reason else count + 1, reason)
        sums.add(entry)
        before, count = entry.hash, count + 1
    if noted and noted[0] > count:
        return count, Fault(count + 1, f"it is missing: {noted[0]} entries were noted earlier")
    return count, None


def _misfit(entry: Entry, seq: int, before: str) -> str:
    if entry.seq != seq:
        return f"it is missing: the next one is entry {entry.seq}"
    try:
        balanced(entry.postings, entry.key)
    except InputError as error:
        return error.message
    if hash_of(before, entry) != entry.hash:
        return "its content does not fit its hash"
    return ""


def _end_fault(connection: Connection, row: tuple[int, int, str], count: int) -> Fault | None:
    book_id, seq, hash_ = row
    if seq != count:
        return Fault(count + 1, f"it is missing: the book should have {seq} entries")
    query = ENTRIES.select().where(ENTRIES.c.book_id == book_id, ENTRIES.c.seq == seq)
    last = connection.execute(query).first()
    if last is not None and last.hash != hash_:
        return Fault(seq, "its hash is not the book's")
    lines = POSTINGS.select().with_only_columns(func.max(POSTINGS.c.seq))
    highest = connection.execute(lines.where(POSTINGS.c.book_id == book_id)).scalar() or 0
    return Fault(highest, "it has lines but is not there") if highest > seq else None


def _sums_fault(connection: Connection, book_id: int, sums: _Sums) -> Fault | None:
    names = accounts_of(connection, book_id)
    for row in connection.execute(ACCOUNTS.select().where(ACCOUNTS.c.book_id == book_id)):
        account = names[row.id]
        found, lines = sums.balances.get(account, Decimal(0)), sums.lines.get(account, 0)
        if row.balance != found or row.entries != lines:
            return Fault(
                None, f"the balance of {account} is kept as {row.balance}, its entries give {found}"
            )
    for account_id, account in names.items():
        for row in connection.execute(DAYS.select().where(DAYS.c.account_id == account_id)):
            found = sums.days.pop((account, row.day), Decimal(0))
            if row.amount != found:
                return Fault(
                    None, f"day {row.day} of {account} is kept as {row.amount}, not {found}"
                )
    if left := [key for key, amount in sums.days.items() if amount]:
        return Fault(None, f"day {left[0][1]} of {left[0][0]} is not kept")
    kept = connection.execute(OPEN_ITEMS.select().where(OPEN_ITEMS.c.book_id == book_id))
    counts = {row.coin: row.entries for row in kept}
    for coin in counts.keys() | sums.opened.keys():
        if counts.get(coin, 0) != sums.opened.get(coin, 0):
            return Fault(None, f"the open items in {coin} are kept as {counts.get(coin, 0)}")
    return None

"""One transaction on one book: numbers and chains entries, and keeps every sum beside them."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from openalpha.books.accounts import Account, Book, Category
from openalpha.books.entries import (
    Draft,
    Entry,
    EntryKind,
    FillDraft,
    Posting,
    Quote,
    balanced,
    genesis,
    hash_of,
)
from openalpha.books.positions import Held, fill_accounts, fill_postings, stored_fill
from openalpha.books.rates import Rate, RateSource
from openalpha.books.tables import (
    ACCOUNTS,
    BOOKS,
    DAYS,
    ENTRIES,
    FILLS,
    KEYS_ON_SQLITE,
    MAKE_BOOK,
    OPEN_ITEMS,
    POSTINGS,
    QUOTES,
)
from openalpha.core.clock import DAY_MS
from openalpha.core.errors import LedgerError
from openalpha.core.messages import Environment
from openalpha.store.database import Connection, insert_rows
from openalpha.store.decimals import EXACT, checked, decimal_text, exact_sum

__all__ = ["BookWriter", "book_row", "valued_coins"]

_CHUNK = 500
_TABLES = (ENTRIES, POSTINGS, QUOTES, FILLS)
_ZERO = Decimal(0)
_RUNNING = (Category.POSITION, Category.COST)
HOME = "AUD"
"""The currency every entry is valued in."""


@dataclass(slots=True)
class _Kept:
    """An account as this transaction sees it."""

    id: int
    before: Decimal
    entries: int
    balance: Decimal
    """Kept up with every line where a fill builds on it, else added up at the end."""
    days: dict[int, Decimal] = field(default_factory=dict)


@dataclass(slots=True)
class BookWriter:
    """Adds entries to one book within one transaction; `finish` writes what they add up to.

    Parameters
    ----------
    connection : Connection
        Of `Database.writing`.
    book : Book
    recorded_ms : int
        Now, UTC ms.
    rates : RateSource
        What values the entries in AUD.
    """

    connection: Connection
    book: Book
    recorded_ms: int
    rates: RateSource
    book_id: int = field(init=False)
    seq: int = field(init=False)
    head: str = field(init=False)
    _accounts: dict[Account, _Kept] = field(default_factory=dict)
    _open: dict[str, int] = field(default_factory=dict)
    _rates: dict[str, tuple[Rate, Quote]] = field(default_factory=dict)
    _rows: dict[str, list[tuple[Any, ...]]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Lock the book; it is made when it is not there."""
        row = book_row(self.connection, self.book, lock=True)
        if row is None:
            made = {"environment": int(self.book.environment), "entity": self.book.entity}
            self.connection.execute(MAKE_BOOK, made | {"head_hash": genesis(self.book)})
            row = book_row(self.connection, self.book, lock=True)
            assert row is not None
        self.book_id, self.seq, self.head = row
        self._rows = {table.name: [] for table in _TABLES}

    def known(self, keys: Sequence[str]) -> dict[str, int]:
        """Return which of these keys are in the book, and as which entry."""
        if self.connection.dialect.name == "sqlite":
            asked = {"keys": json.dumps(keys), "book_id": self.book_id}
            return {row.key: row.seq for row in self.connection.execute(KEYS_ON_SQLITE, asked)}
        found: dict[str, int] = {}
        for start in range(0, len(keys), _CHUNK):
            chunk = list(keys[start : start + _CHUNK])
            query = ENTRIES.select().with_only_columns(ENTRIES.c.key, ENTRIES.c.seq)
            query = query.where(ENTRIES.c.book_id == self.book_id, ENTRIES.c.key.in_(chunk))
            found.update((key, seq) for key, seq in self.connection.execute(query))
        return found

    def add(self, draft: Draft | FillDraft) -> int:
        """Add one entry and return its number in the book.

        Raises
        ------
        InputError
            If it is out of balance or holds an amount that cannot be kept; nothing of the
            transaction must then be committed.
        """
        if isinstance(draft, FillDraft):
            entry = self._of_fill(draft)
        else:
            entry = self._of_draft(draft)
        entry = entry._replace(hash=hash_of(self.head, entry))
        self._keep(entry)
        self.seq, self.head = entry.seq, entry.hash
        return entry.seq

    def take(self, entry: Entry) -> None:
        """Add an entry that was in this book before, as it stood: from an archive.

        Raises
        ------
        LedgerError
            If it does not follow from the entry before it.
        """
        if entry.seq != self.seq + 1 or hash_of(self.head, entry) != entry.hash:
            raise LedgerError(
                f"entry {entry.seq} of {self.book} does not follow from entry {self.seq}: its "
                "content does not fit its hash"
            )
        balanced(entry.postings, entry.key)
        stated = {q.coin for q in entry.quotes if q.quote == HOME and q.of_seq is None}
        for coin in valued_coins(entry.postings):
            if coin not in stated:
                self._open[coin] = self._open.get(coin, 0) + 1
        self._keep(entry)
        self.seq, self.head = entry.seq, entry.hash

    def _of_draft(self, draft: Draft) -> Entry:
        key, kind, ts_ms, source, postings, quotes, ref, corrects, memo = draft
        if quotes:
            quotes = tuple(q._replace(rate=checked(q.rate, f"a rate of {q.coin}")) for q in quotes)
        lines = balanced(postings, key)
        quotes = (*quotes, *self._values(lines, quotes, ts_ms=ts_ms))
        return Entry(
            self.seq + 1, key, kind, ts_ms, self.recorded_ms, source, ref, corrects, memo, lines,
            quotes, None, "",
        )  # fmt: skip

    def _of_fill(self, draft: FillDraft) -> Entry:
        position, cost = (self._account(account) for account in fill_accounts(draft))
        postings, _ = fill_postings(draft, Held(position.balance, cost.balance))
        return Entry(
            seq=self.seq + 1,
            key=draft.key,
            kind=EntryKind.FILL,
            ts_ms=draft.fill.ts_ms,
            recorded_ms=self.recorded_ms,
            source=draft.source,
            ref=draft.ref,
            corrects=None,
            memo="",
            postings=postings,
            quotes=(),
            fill=stored_fill(draft),
            hash="",
        )

    def _values(
        self, lines: Iterable[Posting], quotes: Iterable[Quote], *, ts_ms: int
    ) -> list[Quote]:
        """Look up what each coin that moved was worth in AUD; what is not known is left open."""
        found: list[Quote] = []
        stated = {q.coin for q in quotes if q.quote == HOME and q.of_seq is None}
        for coin in valued_coins(lines):
            if coin in stated:
                continue
            rate = self.rates.rate(coin, HOME, ts_ms=ts_ms)
            if rate is None or (rate.is_synthetic and self.book.environment is Environment.LIVE):
                self._open[coin] = self._open.get(coin, 0) + 1
                continue
            last = self._rates.get(coin)
            if last is None or last[0] is not rate:
                plain = checked(rate.rate, f"the rate of {coin}")
                last = (rate, Quote(coin, HOME, plain, rate.source, rate.ts_ms))
                self._rates[coin] = last
            found.append(last[1])
        return found

    def _keep(self, entry: Entry) -> None:
        book_id, seq, ts_ms = self.book_id, entry.seq, entry.ts_ms
        self._rows[ENTRIES.name].append(
            (
                book_id, seq, entry.key, int(entry.kind), ts_ms, entry.recorded_ms, entry.source,
                entry.ref, entry.corrects, entry.memo, entry.hash,
            )
        )  # fmt: skip
        day, rows = ts_ms // DAY_MS, self._rows[POSTINGS.name]
        for line, (account, amount) in enumerate(entry.postings):
            kept = self._account(account)
            kept.entries += 1
            kept.days[day] = EXACT.add(kept.days.get(day, _ZERO), amount)
            if account.category in _RUNNING:
                kept.balance = EXACT.add(kept.balance, amount)
            rows.append((book_id, seq, line, kept.id, ts_ms, decimal_text(amount)))
        for line, quote in enumerate(entry.quotes):
            self._rows[QUOTES.name].append((book_id, seq, line, *_plain(quote)))
            if quote.of_seq is not None:
                self._open[quote.coin] = self._open.get(quote.coin, 0) - 1
        if entry.fill is not None:
            self._rows[FILLS.name].append((book_id, seq, ts_ms, *_plain(entry.fill)))

    def _account(self, account: Account) -> _Kept:
        """Return an account, from the book or new."""
        if (kept := self._accounts.get(account)) is not None:
            return kept
        where = {"book_id": self.book_id, **account._asdict(), "category": int(account.category)}
        query = ACCOUNTS.select().where(
            *(ACCOUNTS.c[name] == value for name, value in where.items())
        )
        row = self.connection.execute(query).first()
        if row is None:
            made = self.connection.execute(
                ACCOUNTS.insert(), {**where, "balance": Decimal(0), "entries": 0}
            )
            assert made.inserted_primary_key is not None
            kept = _Kept(made.inserted_primary_key[0], _ZERO, 0, _ZERO)
        else:
            kept = _Kept(row.id, row.balance, row.entries, row.balance)
        self._accounts[account] = kept
        return kept

    def finish(self) -> None:
        """Write the entries and the sums they change."""
        for table in _TABLES:
            if self._rows[table.name]:
                insert_rows(self.connection, table, rows=self._rows[table.name])
        changed = [kept for kept in self._accounts.values() if kept.days]
        for kept in changed:
            total = EXACT.add(kept.before, exact_sum(kept.days.values()))
            self.connection.execute(
                ACCOUNTS.update().where(ACCOUNTS.c.id == kept.id),
                {"balance": total, "entries": kept.entries},
            )
        self._add_days(changed)
        self._add_open_items()
        self.connection.execute(
            BOOKS.update().where(BOOKS.c.id == self.book_id),
            {"head_seq": self.seq, "head_hash": self.head},
        )

    def _add_days(self, changed: Iterable[_Kept]) -> None:
        fresh = []
        for kept in changed:
            query = DAYS.select().where(
                DAYS.c.account_id == kept.id, DAYS.c.day.between(min(kept.days), max(kept.days))
            )
            before = {row.day: row.amount for row in self.connection.execute(query)}
            for day, amount in kept.days.items():
                if day not in before:
                    fresh.append({"account_id": kept.id, "day": day, "amount": amount})
                    continue
                here = (DAYS.c.account_id == kept.id, DAYS.c.day == day)
                total = EXACT.add(before[day], amount)
                self.connection.execute(DAYS.update().where(*here), {"amount": total})
        if fresh:
            self.connection.execute(DAYS.insert(), fresh)

    def _add_open_items(self) -> None:
        for coin, count in self._open.items():
            here = (OPEN_ITEMS.c.book_id == self.book_id, OPEN_ITEMS.c.coin == coin)
            row = self.connection.execute(OPEN_ITEMS.select().where(*here)).first()
            if row is None:
                values = {"book_id": self.book_id, "coin": coin, "entries": count}
                self.connection.execute(OPEN_ITEMS.insert(), values)
            else:
                total = {"entries": row.entries + count}
                self.connection.execute(OPEN_ITEMS.update().where(*here), total)


def _plain(values: Iterable[Any]) -> list[Any]:
    return [decimal_text(value) if isinstance(value, Decimal) else value for value in values]


def valued_coins(postings: Iterable[Posting]) -> list[str]:
    """Return the coins of an entry that want an AUD value: those of cash that moved, but AUD."""
    coins = set()
    for (_, category, coin, _), amount in postings:
        if category is Category.CASH and amount and coin != HOME:
            coins.add(coin)
    return sorted(coins)


def book_row(
    connection: Connection, book: Book, *, lock: bool = False
) -> tuple[int, int, str] | None:
    """Return a book's id and the number and hash of its last entry; None when it is not there."""
    query = BOOKS.select().where(
        BOOKS.c.environment == int(book.environment), BOOKS.c.entity == book.entity
    )
    if lock:
        query = query.with_for_update()  # SQLite has no such thing: there the writer holds it all
    row = connection.execute(query).first()
    return None if row is None else (row.id, row.head_seq, row.head_hash)

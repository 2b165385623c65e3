"""Entries made by hand: deposits and withdrawals, transfers, adjustments, corrections, values."""

import hashlib
from decimal import Decimal

from openalpha.books.accounts import Account, Book, Category
from openalpha.books.entries import Draft, Entry, EntryKind, Posting, Quote
from openalpha.books.ledger import Ledger, Posted
from openalpha.books.rates import RateSource
from openalpha.books.reading import entries_between
from openalpha.books.tables import (
    ACCOUNTS,
    OPEN_ITEMS,
    POSTINGS,
    QUOTES,
    and_,
    select,
)
from openalpha.books.writing import HOME, BookWriter, book_row
from openalpha.core.errors import InputError, UnknownName
from openalpha.core.messages import Environment
from openalpha.store.database import Connection, Database
from openalpha.store.decimals import checked, decimal_text

__all__ = [
    "OpenItem",
    "adjustment",
    "entry_of",
    "open_counts",
    "open_items",
    "reversal",
    "transfer",
    "value_open_items",
]

OpenItem = tuple[int, str, int]
"""Entry, coin, and the moment of which a rate is wanted, UTC ms."""

_MOST = 5_000


def transfer(
    *, coin: str, amount: Decimal, ts_ms: int, source: str = "", target: str = "", memo: str = ""
) -> Draft:
    """Return the entry of a transfer between venue accounts, or from or to outside the books.

    Parameters
    ----------
    amount : Decimal
        Above 0.
    source, target : str
        Venue accounts; an empty one is outside: a deposit, a withdrawal.

    Raises
    ------
    InputError
        If the amount is not above 0, or both ends are the same.

    Examples
    --------
    >>> draft = transfer(coin="USDT", amount=Decimal(5), ts_ms=0, target="bybit:main")
    >>> [(str(line.account), line.amount) for line in draft.postings]
    [('bybit:main cash USDT', Decimal('5')), ('bybit:main transfer USDT', Decimal('-5'))]
    """
    value = checked(amount, "the amount")
    if value <= 0:
        raise InputError(f"the amount was {amount}, expected one above 0")
    if source == target:
        raise InputError("a transfer needs two different ends; name --from, --to, or both")
    ends = [
        (source, value.copy_negate(), target or source),
        (target, value, source or target),
    ]
    lines = []
    for venue, change, other in ends:
        category = Category.CASH if venue else Category.TRANSFER
        lines.append(Posting(Account(venue or other, category, coin), change))
    lines.sort(key=lambda line: line.account.category)
    facts = (coin, decimal_text(value), source, target)
    return _by_hand("transfer", EntryKind.TRANSFER, ts_ms, lines=lines, memo=memo, facts=facts)


def adjustment(
    *,
    venue: str,
    coin: str,
    amount: Decimal,
    ts_ms: int,
    memo: str,
    corrects: int | None = None,
) -> Draft:
    """Return the entry that changes a balance to what is true, with the reason.

    Raises
    ------
    InputError
        If there is no reason or nothing to change.
    """
    value = checked(amount, "the amount")
    if not memo.strip():
        raise InputError("an adjustment needs its reason; write it with --reason")
    if not value:
        raise InputError("an adjustment of 0 changes nothing; no entry is made")
    lines = [
        Posting(Account(venue, Category.CASH, coin), value),
        Posting(Account(venue, Category.ADJUSTMENT, coin), value.copy_negate()),
    ]
    facts = (venue, coin, decimal_text(value))
    draft = _by_hand("adjust", EntryKind.ADJUSTMENT, ts_ms, lines=lines, memo=memo, facts=facts)
    return draft if corrects is None else draft._replace(corrects=corrects)


def reversal(entry: Entry, *, memo: str) -> Draft:
    """Return the entry that undoes another, at the same moment and value; both stay in the book.

    Raises
    ------
    InputError
        If there is no reason, or the entry neither moves anything nor names parcels.
    """
    if not memo.strip():
        raise InputError("a correction needs its reason; write it with --reason")
    if not entry.postings and entry.kind is not EntryKind.SELECTION:
        raise InputError(f"entry {entry.seq} moves nothing; there is nothing to undo")
    return Draft(
        key=f"correction/{entry.seq}",
        kind=EntryKind.CORRECTION,
        ts_ms=entry.ts_ms,
        source="manual",
        postings=tuple(line._replace(amount=line.amount.copy_negate()) for line in entry.postings),
        quotes=tuple(quote for quote in entry.quotes if quote.of_seq is None),
        ref=f"undoes entry {entry.seq}",
        corrects=entry.seq,
        memo=memo,
    )


def _by_hand(
    what: str,
    kind: EntryKind,
    ts_ms: int,
    *,
    lines: list[Posting],
    memo: str,
    facts: tuple[str, ...],
) -> Draft:
    """Return an entry whose key follows from what it says: typed twice it is made once."""
    digest = hashlib.sha256("\0".join((*facts, memo)).encode()).hexdigest()[:16]
    return Draft(
        key=f"manual/{what}/{ts_ms}/{digest}",
        kind=kind,
        ts_ms=ts_ms,
        source="manual",
        postings=tuple(lines),
        ref=what,
        memo=memo,
    )


def entry_of(database: Database, book: Book, *, seq: int) -> Entry:
    """Return one entry of a book.

    Raises
    ------
    UnknownName
        If the book has no such entry.
    """
    with database.reading() as connection:
        row = book_row(connection, book)
        found = [] if row is None else entries_between(connection, row[0], first=seq, last=seq)
    if not found:
        raise UnknownName(f"the book {book} has no entry {seq}")
    return found[0]


def open_counts(database: Database, book: Book) -> dict[str, int]:
    """Return how many entries of each coin wait for their AUD value."""
    with database.reading() as connection:
        row = book_row(connection, book)
        return {} if row is None else _counts(connection, row[0])


def open_items(database: Database, book: Book, *, limit: int | None = None) -> list[OpenItem]:
    """Return entries that moved a coin for which no AUD rate is known, oldest first."""
    with database.reading() as connection:
        row = book_row(connection, book)
        return [] if row is None else _open_items(connection, row[0], limit)


def value_open_items(ledger: Ledger, book: Book, *, rates: RateSource) -> Posted:
    """Value what can be valued now: one new entry names many old ones with their rates.

    Returns
    -------
    Posted
        `added` counts the items that were valued, `known` those that stay open.

    Raises
    ------
    StorageError
        If the database fails; nothing was added.
    """
    with ledger.database.writing() as connection:
        writer = BookWriter(connection, book, ledger.clock.now_ms(), ledger.rates)
        items = _open_items(connection, writer.book_id, None)
        quotes = []
        for seq, coin, ts_ms in items:
            rate = rates.rate(coin, HOME, ts_ms=ts_ms)
            is_real = rate is not None and not rate.is_synthetic
            if rate is not None and (is_real or book.environment is not Environment.LIVE):
                quotes.append(Quote(coin, HOME, *rate, seq))
        for start in range(0, len(quotes), _MOST):
            part = tuple(quotes[start : start + _MOST])
            first = f"{part[0].coin}/{part[0].of_seq}"
            writer.add(
                Draft(
                    key=f"valuation/{first}",
                    kind=EntryKind.VALUATION,
                    ts_ms=writer.recorded_ms,
                    source="valuation",
                    quotes=part,
                    ref=f"values {len(part)} entries",
                )
            )
        if quotes:
            writer.finish()
    return Posted(len(quotes), len(items) - len(quotes))


def _counts(connection: Connection, book_id: int) -> dict[str, int]:
    rows = connection.execute(OPEN_ITEMS.select().where(OPEN_ITEMS.c.book_id == book_id))
    return {row.coin: row.entries for row in rows if row.entries}


def _open_items(connection: Connection, book_id: int, limit: int | None) -> list[OpenItem]:
    coins = _counts(connection, book_id)
    if not coins:
        return []
    own, later = QUOTES.alias("own"), QUOTES.alias("later")
    query = select(POSTINGS.c.seq, ACCOUNTS.c.coin, POSTINGS.c.ts_ms).distinct()
    query = query.join(ACCOUNTS, ACCOUNTS.c.id == POSTINGS.c.account_id)
    query = query.outerjoin(
        own,
        and_(
            own.c.book_id == POSTINGS.c.book_id, own.c.seq == POSTINGS.c.seq,
            own.c.coin == ACCOUNTS.c.coin, own.c.quote == HOME, own.c.of_seq.is_(None),
        ),
    ).outerjoin(
        later,
        and_(
            later.c.book_id == POSTINGS.c.book_id, later.c.of_seq == POSTINGS.c.seq,
            later.c.coin == ACCOUNTS.c.coin,
        ),
    )  # fmt: skip
    query = query.where(
        POSTINGS.c.book_id == book_id,
        ACCOUNTS.c.category == int(Category.CASH),
        ACCOUNTS.c.coin.in_(list(coins)),
        POSTINGS.c.amount != Decimal(0),
        and_(own.c.seq.is_(None), later.c.seq.is_(None)),
    )
    query = query.order_by(POSTINGS.c.ts_ms, POSTINGS.c.seq).limit(limit)
    return [(row.seq, row.coin, row.ts_ms) for row in connection.execute(query)]

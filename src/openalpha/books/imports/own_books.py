"""Turns a book of our own ledger into records, as an exchange's file would state them.

So trades made here and histories imported from elsewhere become one history, by the same rules.
Each record keeps the AUD rates its entries were valued at; none is looked up anew.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from decimal import Decimal
from typing import NamedTuple

from openalpha.books.accounts import Book
from openalpha.books.entries import Entry, EntryKind
from openalpha.books.imports.own_records import FEES, Group, Maker, instrument_of
from openalpha.books.imports.records import Move, Record
from openalpha.books.rates import Rate
from openalpha.books.reading import entries_at, read_entries
from openalpha.books.selections import chosen_of
from openalpha.books.tables import ACCOUNTS, ENTRIES, POSTINGS, select
from openalpha.books.writing import HOME, book_row
from openalpha.core.instruments import Kind as InstrumentKind
from openalpha.core.messages import Environment
from openalpha.store.database import Connection, Database
from openalpha.store.decimals import EXACT

__all__ = ["OwnBook", "own_book"]

ZERO = Decimal(0)
_OF_FILL = re.compile(r"fill (\d+)$")
_OF_TRADES = (*FEES, EntryKind.TRADE, EntryKind.REALISED_PNL)
_SILENT = (EntryKind.MARK, EntryKind.VALUATION, EntryKind.CORRECTION, EntryKind.SELECTION)


class OwnBook(NamedTuple):
    """What a book says, for the tax history.

    Parameters
    ----------
    records : list of Record
        In order of time; a fill with its cash and its fee is one record.
    rates : mapping of record key to {coin: Rate}
        The rates its entries were valued at, then or later; a coin without one is an open item.
    """

    records: list[Record]
    rates: Mapping[str, Mapping[str, Rate]]


def own_book(database: Database, book: Book, *, venue: str | None = None) -> OwnBook:
    """Read a book as records.

    A corrected entry and its correction cancel out and are left out both. Money of contracts, spot
    trades, income and transfers explain themselves; an adjustment, a fee of no trade and whatever
    else says only that money moved is a record of no known meaning: an open item.

    Parameters
    ----------
    venue : str or None
        One venue account only: a run's id for a backtest.
    """
    with database.reading() as connection:
        row = book_row(connection, book)
        found = [] if row is None else _read(connection, row[0], venue)
    entries = list(_active(found))
    kinds = {e.fill.instrument: InstrumentKind(e.fill.kind) for e in entries if e.fill}
    later: dict[tuple[int | None, str], Rate] = {
        (quote.of_seq, quote.coin): Rate(quote.rate, quote.source, quote.ts_ms)
        for entry in entries
        for quote in entry.quotes
        if quote.of_seq is not None and quote.quote == HOME
    }
    maker = Maker(book, kinds, _exchanges(book, entries))
    chosen = chosen_of(entries)
    records, rates = [], {}
    for group in _grouped(entries):
        for record, of in maker.records(group):
            if venue is None or any(_is_of(entry, venue) for entry in of.entries):
                named = [chosen[e.key] for e in of.entries if e.key in chosen]
                records.append(replace(record, chosen=named[-1]) if named else record)
                rates[record.key] = _rates(of, later, book)
    return OwnBook(_with_balances(records), rates)


def _read(connection: Connection, book_id: int, venue: str | None) -> Iterable[Entry]:
    """Read a book, or what speaks of one venue account in it: a book may hold many runs."""
    if venue is None:
        return list(read_entries(connection, book_id))
    lines = select(POSTINGS.c.seq).distinct().join(ACCOUNTS, ACCOUNTS.c.id == POSTINGS.c.account_id)
    of_venue = lines.where(ACCOUNTS.c.book_id == book_id, ACCOUNTS.c.venue == venue)
    words = select(ENTRIES.c.seq).where(
        ENTRIES.c.book_id == book_id,
        ENTRIES.c.kind.in_([int(EntryKind.VALUATION), int(EntryKind.SELECTION)]),
    )
    numbers = {seq for query in (of_venue, words) for (seq,) in connection.execute(query)}
    found = entries_at(connection, book_id, numbers=numbers)
    return [found[number] for number in sorted(found)]


def _active(entries: Iterable[Entry]) -> Iterator[Entry]:
    """Leave out corrected entries, and corrections; one that was corrected undoes nothing."""
    every = list(entries)
    undone: set[int] = set()
    for entry in reversed(every):
        is_whole = entry.kind is EntryKind.CORRECTION and entry.seq not in undone
        if is_whole and entry.corrects is not None:
            undone.add(entry.corrects)
    return (e for e in every if e.seq not in undone and e.kind is not EntryKind.CORRECTION)


def _grouped(entries: Iterable[Entry]) -> list[Group]:
    """Put a fill and its effects together: by its number, else by instrument and instant.

    A venue's own statement numbers no fill. Of several trades in one instrument and instant the
    n-th change of each kind and coin belongs to the n-th trade.
    """
    groups: dict[str, Group] = {}
    seen: dict[tuple[str, EntryKind, str], int] = defaultdict(int)
    for entry in entries:
        if entry.kind in _SILENT:
            continue
        found = _OF_FILL.search(entry.ref)
        instrument = instrument_of(entry)
        if found:
            name = f"{entry.source}/fill {found.group(1)}"
        elif instrument and (entry.fill or entry.kind in _OF_TRADES):
            at = f"{entry.source}/{instrument}@{entry.ts_ms}"
            coin = "" if entry.fill else entry.postings[0].account.coin
            seen[at, entry.kind, coin] += 1
            name = f"{at}#{seen[at, entry.kind, coin]}"
        else:
            name = entry.key
        groups.setdefault(name, Group(name)).entries.append(entry)
    return list(groups.values())


def _is_of(entry: Entry, venue: str) -> bool:
    return any(line.account.venue == venue for line in entry.postings)


def _exchanges(book: Book, entries: Iterable[Entry]) -> dict[str, str]:
    """Tell for each live venue account which exchange it is, as imported files call it."""
    found: dict[str, str] = {}
    if book.environment is Environment.LIVE:
        for entry in entries:
            market = instrument_of(entry).partition(":")[0]
            for line in entry.postings if market else ():
                found.setdefault(line.account.venue, market.partition("_")[0])
    return found


def _rates(
    group: Group, later: Mapping[tuple[int | None, str], Rate], book: Book
) -> dict[str, Rate]:
    """Return the rates of a fact; what was made up values no real money."""
    found: dict[str, Rate] = {}
    for entry in group.entries:
        for quote in entry.quotes:
            if quote.quote == HOME and quote.of_seq is None:
                found.setdefault(quote.coin, Rate(quote.rate, quote.source, quote.ts_ms))
        for account, _ in entry.postings:
            rate = later.get((entry.seq, account.coin))
            if rate is not None:
                found.setdefault(account.coin, rate)
    if book.environment is Environment.LIVE:
        found = {coin: rate for coin, rate in found.items() if not rate.is_synthetic}
    return found


def _with_balances(records: Iterable[Record]) -> list[Record]:
    """Add the running balance: what is left is what every cash line of the ledger adds up to."""
    kept: dict[tuple[str, str, str], Decimal] = defaultdict(Decimal)
    done = []
    for record in sorted(records, key=lambda record: (record.ts_ms, record.line)):
        left = []
        for coin, amount in record.balances:  # so far: what the ledger's cash lines moved
            account = (record.venue, record.account, coin)
            kept[account] = EXACT.add(kept[account], amount)
            left.append(Move(coin, kept[account]))
        done.append(replace(record, balances=tuple(left)))
    return done

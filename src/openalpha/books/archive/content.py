"""What a bundle holds of the books, and how an empty database becomes those books again."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

from openalpha.books.accounts import Account, Book, Category, environment_of
from openalpha.books.entries import Entry, EntryKind, Posting, Quote, StoredFill
from openalpha.books.ledger import Ledger
from openalpha.books.rates import Rate
from openalpha.books.reading import read_entries
from openalpha.books.tables import (
    STATED_RATES,
    TAX_DECLARATIONS,
    TAX_FILES,
    TAX_RECORDS,
    TAX_SETTLEMENTS,
    select,
)
from openalpha.books.verify import books_in, verify_book
from openalpha.books.writing import HOME, BookWriter, book_row
from openalpha.core.clock import format_ms
from openalpha.core.errors import InputError, LedgerError, StorageError
from openalpha.store.database import Database, insert_rows
from openalpha.store.decimals import decimal_text

__all__ = ["content_of", "heads_of", "restore"]

USED = "as used for the archive"
"""The publisher of rates that a restored home has from its archive, and from no market."""

_TABLES = (TAX_FILES, TAX_RECORDS, TAX_SETTLEMENTS, TAX_DECLARATIONS, STATED_RATES)
_STEP = 5_000


def heads_of(database: Database, entity: str) -> dict[str, tuple[int, str]]:
    """Return the number and hash of the last entry of each book of an entity that is archived.

    Raises
    ------
    LedgerError
        If a book does not verify: nothing broken is sealed.
    """
    found = {}
    for book in _books(database, entity):
        proof = verify_book(database, book)
        if proof.fault is not None:
            at = "" if proof.fault.entry is None else f" entry {proof.fault.entry}:"
            raise LedgerError(f"the book {book} does not verify:{at} {proof.fault.reason}")
        found[book.environment.name.lower()] = proof.head
    return found


def content_of(
    database: Database,
    entity: str,
    *,
    used: Mapping[tuple[str, int], Rate],
    sources: Path,
) -> dict[str, bytes]:
    """Return the files of a bundle: ledger, imported records, words of the person, rates, sources.

    The whole ledger up to now is taken, not the year alone: a parcel's history is older than its
    sale, and the chain proves itself from its first entry only.

    Parameters
    ----------
    used : mapping of (coin, ts_ms) to Rate
        What imported facts were valued at.
    sources : Path
        Where imported files are kept under their hashes.

    Raises
    ------
    StorageError
        If an imported file is not there any more.
    """
    files: dict[str, bytes] = {}
    with database.reading() as connection:
        for book in _books(database, entity):
            row = book_row(connection, book)
            assert row is not None
            lines = (json.dumps(_plain(entry)) for entry in read_entries(connection, row[0]))
            files[f"ledger/{book.environment.name.lower()}.jsonl"] = _text(lines)
        for table in _TABLES:
            query = table.select().order_by(*table.primary_key.columns)
            if "entity" in table.c:
                query = query.where(table.c.entity == entity)
            rows = [_row(row) for row in connection.execute(query)]
            files[f"tables/{table.name}.jsonl"] = _text(json.dumps(row) for row in rows)
            if table is TAX_FILES:
                files |= dict(_sources(rows, sources))
    files["rates/used.tsv"] = _text(_used_lines(used))
    return files


def restore(ledger: Ledger, entity: str, *, files: Mapping[str, bytes]) -> list[Book]:
    """Make the books of a bundle in an empty database, entry by entry, hash by hash.

    Raises
    ------
    InputError
        If the database holds something already.
    LedgerError
        If an entry does not follow from the one before; entries before it may be there.
    """
    if books_in(ledger.database) or _has_rows(ledger.database):
        raise InputError(f"{ledger.database.name} is not empty; restore into a new home")
    books = []
    for name in sorted(files):
        if name.startswith("ledger/"):
            environment = environment_of(Path(name).stem)
            book = Book(environment, entity)
            _restore_book(ledger, book, [json.loads(line) for line in _lines(files[name])])
            books.append(book)
    with ledger.database.writing() as connection:
        for table in _TABLES:
            rows = [tuple(json.loads(line)) for line in _lines(files[f"tables/{table.name}.jsonl"])]
            if rows:
                insert_rows(connection, table, rows=rows)
        # Those an archive of a restored home has from the archive before are there already.
        there = {
            (row.coin, row.ts_ms)
            for row in connection.execute(
                STATED_RATES.select().where(STATED_RATES.c.publisher == USED)
            )
        }
        used = [line.split("\t") for line in _lines(files["rates/used.tsv"])[1:]]
        now = ledger.clock.now_ms()
        values = [
            (coin, HOME, int(ts_ms), USED, rate, source, now)
            for coin, ts_ms, rate, source in used
            if (coin, int(ts_ms)) not in there
        ]
        if values:
            insert_rows(connection, STATED_RATES, rows=values)
    return books


def _restore_book(ledger: Ledger, book: Book, rows: Sequence[Any]) -> None:
    for start in range(0, len(rows), _STEP):
        with ledger.database.writing() as connection:
            writer = BookWriter(connection, book, 0, ledger.rates)
            for row in rows[start : start + _STEP]:
                writer.take(_entry(row))
            writer.finish()


def _books(database: Database, entity: str) -> list[Book]:
    """Return the books of an entity that hold real money."""
    return [
        book
        for book in books_in(database)
        if book.entity == entity and book.environment.name == "LIVE"
    ]


def _plain(entry: Entry) -> list[Any]:
    postings = [[*_account(p.account), decimal_text(p.amount)] for p in entry.postings]
    quotes = [[_value(cell) for cell in quote] for quote in entry.quotes]
    fill = None if entry.fill is None else [_value(cell) for cell in entry.fill]
    return [
        entry.seq, entry.key, int(entry.kind), entry.ts_ms, entry.recorded_ms, entry.source,
        entry.ref, entry.corrects, entry.memo, postings, quotes, fill, entry.hash,
    ]  # fmt: skip


def _account(account: Account) -> list[Any]:
    return [account.venue, int(account.category), account.coin, account.instrument]


def _entry(row: Sequence[Any]) -> Entry:
    seq, key, kind, ts_ms, recorded_ms, source, ref, corrects, memo, lines, rates, fill, hash_ = row
    postings = tuple(
        Posting(Account(venue, Category(category), coin, instrument), Decimal(amount))
        for venue, category, coin, instrument, amount in lines
    )
    quotes = tuple(
        Quote(coin, quote, Decimal(rate), said_by, at, of)
        for coin, quote, rate, said_by, at, of in rates
    )
    return Entry(
        seq, key, EntryKind(kind), ts_ms, recorded_ms, source, ref, corrects, memo, postings,
        quotes, None if fill is None else _fill(fill), hash_,
    )  # fmt: skip


def _fill(cells: Sequence[Any]) -> StoredFill:
    exact = {"multiplier", "price", "qty", "fee", "realised_pnl"}
    names = StoredFill._fields
    values: list[Any] = [
        Decimal(cell) if name in exact else cell for name, cell in zip(names, cells, strict=True)
    ]
    return StoredFill(*values)


def _value(cell: Any) -> Any:
    return decimal_text(cell) if isinstance(cell, Decimal) else cell


def _row(row: Iterable[Any]) -> list[Any]:
    return [_value(cell) for cell in row]


def _sources(rows: Iterable[Sequence[Any]], folder: Path) -> Iterator[tuple[str, bytes]]:
    at = [column.name for column in TAX_FILES.columns].index("sha256")
    for row in rows:
        path = folder / f"{row[at]}.csv"
        try:
            yield f"sources/{path.name}", path.read_bytes()
        except OSError as error:
            raise StorageError(
                f"{path}, an imported file, cannot be read ({error.strerror}); import it again"
            ) from None


def _used_lines(used: Mapping[tuple[str, int], Rate]) -> Iterator[str]:
    """Write rates as columns apart by tabs: coin, ts_ms, rate, source."""
    yield "coin\tts_ms\trate\tsource"
    for (coin, ts_ms), rate in sorted(used.items()):
        note = f"{rate.source} of {format_ms(rate.ts_ms)}".replace("\t", " ").replace("\n", " ")
        yield f"{coin}\t{ts_ms}\t{decimal_text(rate.rate)}\t{note}"


def _has_rows(database: Database) -> bool:
    with database.reading() as connection:
        return any(
            connection.execute(select(*table.primary_key.columns).limit(1)).first()
            for table in _TABLES
        )


def _text(lines: Iterable[str]) -> bytes:
    return "".join(f"{line}\n" for line in lines).encode()


def _lines(content: bytes) -> list[str]:
    return content.decode().split("\n")[:-1]

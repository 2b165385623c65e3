"""Tables of the ledger, and the few expressions of SQL its queries are made of."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    and_,
    func,
    or_,
    select,
    text,
)

from openalpha.store.database import METADATA
from openalpha.store.types import ExactDecimal

__all__ = [
    "ACCOUNTS",
    "APPEND_ONLY",
    "BOOKS",
    "DAYS",
    "ENTRIES",
    "FILLS",
    "KEYS_ON_SQLITE",
    "MAKE_BOOK",
    "OPEN_ITEMS",
    "POSTINGS",
    "QUOTES",
    "STATED_RATES",
    "TAX_DECLARATIONS",
    "TAX_FILES",
    "TAX_RECORDS",
    "TAX_SETTLEMENTS",
    "and_",
    "func",
    "or_",
    "select",
]

# `sqlite_with_rowid=False`: there a key of two columns is best the table, not an index beside it.
_MARK = 21  # EntryKind.MARK

BOOKS = Table(
    "ledger_books",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("environment", SmallInteger, nullable=False),
    Column("entity", Text, nullable=False),
    Column("head_seq", BigInteger, nullable=False),
    Column("head_hash", Text, nullable=False),
    UniqueConstraint("environment", "entity"),
)
"""A book and its last entry."""

ACCOUNTS = Table(
    "ledger_accounts",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("book_id", ForeignKey("ledger_books.id"), nullable=False),
    Column("venue", Text, nullable=False),
    Column("category", SmallInteger, nullable=False),
    Column("coin", Text, nullable=False),
    Column("instrument", Text, nullable=False),
    Column("balance", ExactDecimal, nullable=False),
    Column("entries", BigInteger, nullable=False),
    UniqueConstraint("book_id", "venue", "category", "coin", "instrument"),
)
"""An account and its balance, kept in the transaction of each entry."""

ENTRIES = Table(
    "ledger_entries",
    METADATA,
    Column("book_id", ForeignKey("ledger_books.id"), primary_key=True),
    Column("seq", BigInteger, primary_key=True),
    Column("key", Text, nullable=False),
    Column("kind", SmallInteger, nullable=False),
    Column("ts_ms", BigInteger, nullable=False),
    Column("recorded_ms", BigInteger, nullable=False),
    Column("source", Text, nullable=False),
    Column("ref", Text, nullable=False),
    Column("corrects", BigInteger),
    Column("memo", Text, nullable=False),
    Column("hash", Text, nullable=False),
    UniqueConstraint("book_id", "key"),
    Index(None, "book_id", "ts_ms", "seq"),
    sqlite_with_rowid=False,
)
Index(
    "ix_ledger_entries_marks",
    ENTRIES.c.book_id,
    ENTRIES.c.source,
    ENTRIES.c.ts_ms,
    sqlite_where=ENTRIES.c.kind == _MARK,
    postgresql_where=ENTRIES.c.kind == _MARK,
)
_OF_ENTRY = ["ledger_entries.book_id", "ledger_entries.seq"]

POSTINGS = Table(
    "ledger_postings",
    METADATA,
    Column("book_id", Integer, primary_key=True),
    Column("seq", BigInteger, primary_key=True),
    Column("line", SmallInteger, primary_key=True),
    Column("account_id", ForeignKey("ledger_accounts.id"), nullable=False),
    Column("ts_ms", BigInteger, nullable=False),
    Column("amount", ExactDecimal, nullable=False),
    ForeignKeyConstraint(["book_id", "seq"], _OF_ENTRY),
    Index(None, "account_id", "ts_ms", "seq"),
    sqlite_with_rowid=False,
)
"""Lines of entries; `ts_ms` repeats the entry's, for statements."""

QUOTES = Table(
    "ledger_quotes",
    METADATA,
    Column("book_id", Integer, primary_key=True),
    Column("seq", BigInteger, primary_key=True),
    Column("line", SmallInteger, primary_key=True),
    Column("coin", Text, nullable=False),
    Column("quote", Text, nullable=False),
    Column("rate", ExactDecimal, nullable=False),
    Column("source", Text, nullable=False),
    Column("ts_ms", BigInteger, nullable=False),
    Column("of_seq", BigInteger),
    ForeignKeyConstraint(["book_id", "seq"], _OF_ENTRY),
    sqlite_with_rowid=False,
)
Index(
    "ix_ledger_quotes_later",
    QUOTES.c.book_id,
    QUOTES.c.of_seq,
    sqlite_where=QUOTES.c.of_seq.is_not(None),
    postgresql_where=QUOTES.c.of_seq.is_not(None),
)
"""Rates an entry was valued at, marks, and valuations made later (`of_seq` names the entry)."""

FILLS = Table(
    "ledger_fills",
    METADATA,
    Column("book_id", Integer, primary_key=True),
    Column("seq", BigInteger, primary_key=True),
    Column("ts_ms", BigInteger, nullable=False),
    Column("venue", Text, nullable=False),
    Column("instrument", Text, nullable=False),
    Column("kind", SmallInteger, nullable=False),
    Column("multiplier", ExactDecimal, nullable=False),
    Column("order_ref", Text, nullable=False),
    Column("side", SmallInteger, nullable=False),
    Column("leg", SmallInteger, nullable=False),
    Column("price", ExactDecimal, nullable=False),
    Column("qty", ExactDecimal, nullable=False),
    Column("role", SmallInteger, nullable=False),
    Column("fee", ExactDecimal, nullable=False),
    Column("fee_coin", Text, nullable=False),
    Column("realised_pnl", ExactDecimal, nullable=False),
    Column("is_reducing", Boolean, nullable=False),
    Column("reason", SmallInteger, nullable=False),
    ForeignKeyConstraint(["book_id", "seq"], _OF_ENTRY),
    Index(None, "book_id", "ts_ms", "seq"),
    Index(None, "book_id", "instrument", "ts_ms", "seq"),
    Index(None, "book_id", "venue", "ts_ms", "seq"),
    sqlite_with_rowid=False,
)
"""The fill of a FILL entry: the trade history."""

DAYS = Table(
    "ledger_days",
    METADATA,
    Column("account_id", ForeignKey("ledger_accounts.id"), primary_key=True),
    Column("day", Integer, primary_key=True),
    Column("amount", ExactDecimal, nullable=False),
    sqlite_with_rowid=False,
)
"""By how much an account changed on a UTC day (days since 1970-01-01), by event stamp."""

OPEN_ITEMS = Table(
    "ledger_open_items",
    METADATA,
    Column("book_id", ForeignKey("ledger_books.id"), primary_key=True),
    Column("coin", Text, primary_key=True),
    Column("entries", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)
"""How many entries moved a coin for which no AUD rate was known, and none has been given since."""

TAX_FILES = Table(
    "tax_files",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("entity", Text, nullable=False),
    Column("sha256", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("family", Text, nullable=False),
    Column("zone", Text, nullable=False),
    Column("lines", Integer, nullable=False),
    Column("recorded_ms", BigInteger, nullable=False),
    UniqueConstraint("entity", "sha256"),
)
"""Exchange histories imported for an entity."""

TAX_RECORDS = Table(
    "tax_records",
    METADATA,
    Column("entity", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("file_id", ForeignKey("tax_files.id"), nullable=False),
    Column("line", Integer, nullable=False),
    Column("ts_ms", BigInteger, nullable=False),
    Column("said", Text, nullable=False),
    Index(None, "file_id"),
    sqlite_with_rowid=False,
)
"""What they say, once under its natural key, with the first file and line that said it."""

TAX_SETTLEMENTS = Table(
    "tax_settlements",
    METADATA,
    Column("entity", Text, primary_key=True),
    Column("seq", Integer, primary_key=True),
    Column("key", Text, nullable=False),
    Column("said", Text, nullable=False),
    Column("recorded_ms", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)
"""What a person said an open item was; the last word on a key holds."""

TAX_DECLARATIONS = Table(
    "tax_declarations",
    METADATA,
    Column("entity", Text, primary_key=True),
    Column("seq", Integer, primary_key=True),
    Column("topic", Text, nullable=False),
    Column("said", Text, nullable=False),
    Column("recorded_ms", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)
"""What an entity declares (topic `profile`: who it is, its choices); the last word holds."""

STATED_RATES = Table(
    "stated_rates",
    METADATA,
    Column("coin", Text, primary_key=True),
    Column("quote", Text, primary_key=True),
    Column("ts_ms", BigInteger, primary_key=True),
    Column("publisher", Text, primary_key=True),
    Column("rate", ExactDecimal, nullable=False),
    Column("source", Text, nullable=False),
    Column("recorded_ms", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)
"""Published rates: good from `ts_ms`, the beginning of their day, on."""

APPEND_ONLY = ("ledger_entries", "ledger_postings", "ledger_quotes", "ledger_fills")
"""Tables whose rows triggers keep from being changed or deleted."""

# Two writers may find a book missing at once; one of them makes it.
MAKE_BOOK = text(
    "INSERT INTO ledger_books (environment, entity, head_seq, head_hash) "
    "VALUES (:environment, :entity, 0, :head_hash) ON CONFLICT DO NOTHING"
)

# Of `book_id = ? AND key IN (…)` SQLite makes a walk through the whole book; joined in this order
# it looks each key up in the index.
KEYS_ON_SQLITE = text(
    "SELECT e.key, e.seq FROM json_each(:keys) AS k "
    "CROSS JOIN ledger_entries AS e ON e.book_id = :book_id AND e.key = k.value"
)
"""Which of a JSON list of keys are in a book, and as which entry."""

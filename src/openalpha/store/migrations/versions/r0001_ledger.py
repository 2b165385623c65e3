"""The ledger: books, accounts, entries with their lines, rates, fills and kept sums."""

import sqlalchemy as sa
from alembic import op

from openalpha.store.types import ExactDecimal

__all__ = ["downgrade", "upgrade"]

revision = "0001"
down_revision = None

_APPEND_ONLY = ("ledger_entries", "ledger_postings", "ledger_quotes", "ledger_fills")


def upgrade() -> None:
    """Make the tables, their indexes and the triggers that keep entries as they are."""
    _books_and_accounts()
    _entries()
    _postings_and_quotes()
    _fills()
    _kept_sums()
    if op.get_context().dialect.name == "postgresql":
        _guard_postgresql()
    else:
        _guard_sqlite()


def downgrade() -> None:
    """Refuse: entries are never deleted."""
    raise NotImplementedError("the ledger's first schema has none before it")


def _integer(name: str, kind: type[sa.types.TypeEngine[int]] = sa.BigInteger) -> sa.Column[int]:
    return sa.Column(name, kind(), nullable=False)


def _text(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.Text(), nullable=False)


def _decimal(name: str) -> sa.Column[object]:
    return sa.Column(name, ExactDecimal(), nullable=False)


def _key(table: str, *columns: str) -> sa.PrimaryKeyConstraint:
    return sa.PrimaryKeyConstraint(*columns, name=f"pk_{table}")


def _points(table: str, column: str, to: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint([column], [to], name=f"fk_{table}_{column}")


def _of_entry(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["book_id", "seq"],
        ["ledger_entries.book_id", "ledger_entries.seq"],
        name=f"fk_{table}_book_id_seq",
    )


def _index(table: str, *columns: str) -> None:
    op.create_index(f"ix_{table}_{'_'.join(columns)}", table, list(columns))


def _books_and_accounts() -> None:
    op.create_table(
        "ledger_books",
        sa.Column("id", sa.Integer(), nullable=False),
        _integer("environment", sa.SmallInteger),
        _text("entity"),
        _integer("head_seq"),
        _text("head_hash"),
        _key("ledger_books", "id"),
        sa.UniqueConstraint("environment", "entity", name="uq_ledger_books_environment_entity"),
    )
    op.create_table(
        "ledger_accounts",
        sa.Column("id", sa.Integer(), nullable=False),
        _integer("book_id", sa.Integer),
        _text("venue"),
        _integer("category", sa.SmallInteger),
        _text("coin"),
        _text("instrument"),
        _decimal("balance"),
        _integer("entries"),
        _key("ledger_accounts", "id"),
        _points("ledger_accounts", "book_id", "ledger_books.id"),
        sa.UniqueConstraint(
            "book_id", "venue", "category", "coin", "instrument",
            name="uq_ledger_accounts_book_id_venue_category_coin_instrument",
        ),
    )  # fmt: skip


def _entries() -> None:
    op.create_table(
        "ledger_entries",
        _integer("book_id", sa.Integer),
        _integer("seq"),
        _text("key"),
        _integer("kind", sa.SmallInteger),
        _integer("ts_ms"),
        _integer("recorded_ms"),
        _text("source"),
        _text("ref"),
        sa.Column("corrects", sa.BigInteger(), nullable=True),
        _text("memo"),
        _text("hash"),
        _key("ledger_entries", "book_id", "seq"),
        _points("ledger_entries", "book_id", "ledger_books.id"),
        sa.UniqueConstraint("book_id", "key", name="uq_ledger_entries_book_id_key"),
        sqlite_with_rowid=False,
    )
    _index("ledger_entries", "book_id", "ts_ms", "seq")
    is_mark = sa.text("kind = 21")
    op.create_index(
        "ix_ledger_entries_marks", "ledger_entries", ["book_id", "source", "ts_ms"],
        sqlite_where=is_mark, postgresql_where=is_mark,
    )  # fmt: skip


def _postings_and_quotes() -> None:
    op.create_table(
        "ledger_postings",
        _integer("book_id", sa.Integer),
        _integer("seq"),
        _integer("line", sa.SmallInteger),
        _integer("account_id", sa.Integer),
        _integer("ts_ms"),
        _decimal("amount"),
        _key("ledger_postings", "book_id", "seq", "line"),
        _points("ledger_postings", "account_id", "ledger_accounts.id"),
        _of_entry("ledger_postings"),
        sqlite_with_rowid=False,
    )
    _index("ledger_postings", "account_id", "ts_ms", "seq")
    op.create_table(
        "ledger_quotes",
        _integer("book_id", sa.Integer),
        _integer("seq"),
        _integer("line", sa.SmallInteger),
        _text("coin"),
        _text("quote"),
        _decimal("rate"),
        _text("source"),
        _integer("ts_ms"),
        sa.Column("of_seq", sa.BigInteger(), nullable=True),
        _key("ledger_quotes", "book_id", "seq", "line"),
        _of_entry("ledger_quotes"),
        sqlite_with_rowid=False,
    )
    is_later = sa.text("of_seq IS NOT NULL")
    op.create_index(
        "ix_ledger_quotes_later", "ledger_quotes", ["book_id", "of_seq"],
        sqlite_where=is_later, postgresql_where=is_later,
    )  # fmt: skip


def _fills() -> None:
    op.create_table(
        "ledger_fills",
        _integer("book_id", sa.Integer),
        _integer("seq"),
        _integer("ts_ms"),
        _text("venue"),
        _text("instrument"),
        _integer("kind", sa.SmallInteger),
        _decimal("multiplier"),
        _text("order_ref"),
        _integer("side", sa.SmallInteger),
        _integer("leg", sa.SmallInteger),
        _decimal("price"),
        _decimal("qty"),
        _integer("role", sa.SmallInteger),
        _decimal("fee"),
        _text("fee_coin"),
        _decimal("realised_pnl"),
        sa.Column("is_reducing", sa.Boolean(), nullable=False),
        _integer("reason", sa.SmallInteger),
        _key("ledger_fills", "book_id", "seq"),
        _of_entry("ledger_fills"),
        sqlite_with_rowid=False,
    )
    _index("ledger_fills", "book_id", "ts_ms", "seq")
    _index("ledger_fills", "book_id", "instrument", "ts_ms", "seq")
    _index("ledger_fills", "book_id", "venue", "ts_ms", "seq")


def _kept_sums() -> None:
    op.create_table(
        "ledger_days",
        _integer("account_id", sa.Integer),
        _integer("day", sa.Integer),
        _decimal("amount"),
        _key("ledger_days", "account_id", "day"),
        _points("ledger_days", "account_id", "ledger_accounts.id"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "ledger_open_items",
        _integer("book_id", sa.Integer),
        _text("coin"),
        _integer("entries"),
        _key("ledger_open_items", "book_id", "coin"),
        _points("ledger_open_items", "book_id", "ledger_books.id"),
        sqlite_with_rowid=False,
    )


def _guard_sqlite() -> None:
    for table in _APPEND_ONLY:
        for verb in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER {table}_no_{verb.lower()} BEFORE {verb} ON {table} "
                f"BEGIN SELECT RAISE(ABORT, '{table} is never changed or deleted'); END"
            )


def _guard_postgresql() -> None:
    op.execute(
        "CREATE FUNCTION ledger_refuse() RETURNS trigger LANGUAGE plpgsql AS $$ "
        "BEGIN RAISE EXCEPTION '% is never changed or deleted', TG_TABLE_NAME; END $$"
    )
    for table in _APPEND_ONLY:
        op.execute(
            f"CREATE TRIGGER {table}_no_change BEFORE UPDATE OR DELETE ON {table} "
            "FOR EACH ROW EXECUTE FUNCTION ledger_refuse()"
        )
        op.execute(
            f"CREATE TRIGGER {table}_no_truncate BEFORE TRUNCATE ON {table} "
            "FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse()"
        )

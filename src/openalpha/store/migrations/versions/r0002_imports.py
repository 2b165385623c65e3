"""Exchange histories for tax: files, records, settlements; and published rates."""

import sqlalchemy as sa
from alembic import op

from openalpha.store.types import ExactDecimal

__all__ = ["downgrade", "upgrade"]

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Make the tables."""
    _files()
    _records()
    _rates()


def downgrade() -> None:
    """Refuse: what was imported is never deleted."""
    raise NotImplementedError("imported histories are not thrown away; restore a backup instead")


def _text(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.Text(), nullable=False)


def _integer(name: str, kind: type[sa.types.TypeEngine[int]] = sa.BigInteger) -> sa.Column[int]:
    return sa.Column(name, kind(), nullable=False)


def _files() -> None:
    op.create_table(
        "tax_files",
        sa.Column("id", sa.Integer(), nullable=False),
        _text("entity"),
        _text("sha256"),
        _text("name"),
        _text("family"),
        _text("zone"),
        _integer("lines", sa.Integer),
        _integer("recorded_ms"),
        sa.PrimaryKeyConstraint("id", name="pk_tax_files"),
        sa.UniqueConstraint("entity", "sha256", name="uq_tax_files_entity_sha256"),
    )


def _records() -> None:
    op.create_table(
        "tax_records",
        _text("entity"),
        _text("key"),
        _integer("file_id", sa.Integer),
        _integer("line", sa.Integer),
        _integer("ts_ms"),
        _text("said"),
        sa.PrimaryKeyConstraint("entity", "key", name="pk_tax_records"),
        sa.ForeignKeyConstraint(["file_id"], ["tax_files.id"], name="fk_tax_records_file_id"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_tax_records_file_id", "tax_records", ["file_id"])
    op.create_table(
        "tax_settlements",
        _text("entity"),
        _integer("seq", sa.Integer),
        _text("key"),
        _text("said"),
        _integer("recorded_ms"),
        sa.PrimaryKeyConstraint("entity", "seq", name="pk_tax_settlements"),
        sqlite_with_rowid=False,
    )


def _rates() -> None:
    op.create_table(
        "stated_rates",
        _text("coin"),
        _text("quote"),
        _integer("ts_ms"),
        _text("publisher"),
        sa.Column("rate", ExactDecimal(), nullable=False),
        _text("source"),
        _integer("recorded_ms"),
        sa.PrimaryKeyConstraint("coin", "quote", "ts_ms", "publisher", name="pk_stated_rates"),
        sqlite_with_rowid=False,
    )

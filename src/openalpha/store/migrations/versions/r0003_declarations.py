"""What an entity declares about itself, word after word."""

import sqlalchemy as sa
from alembic import op

__all__ = ["downgrade", "upgrade"]

revision = "0003"
down_revision = "0002"

_TABLE = "tax_declarations"


def upgrade() -> None:
    """Make the table and the triggers that keep its rows as they are."""
    op.create_table(
        _TABLE,
        sa.Column("entity", sa.Text(), nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("topic", sa.Text(), nullable=False),
        sa.Column("said", sa.Text(), nullable=False),
        sa.Column("recorded_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("entity", "seq", name=f"pk_{_TABLE}"),
        sqlite_with_rowid=False,
    )
    if op.get_context().dialect.name == "postgresql":
        _guard_postgresql()
        return
    for verb in ("UPDATE", "DELETE"):
        op.execute(
            f"CREATE TRIGGER {_TABLE}_no_{verb.lower()} BEFORE {verb} ON {_TABLE} "
            f"BEGIN SELECT RAISE(ABORT, '{_TABLE} is never changed or deleted'); END"
        )


def downgrade() -> None:
    """Refuse: what was declared is never deleted."""
    raise NotImplementedError("declarations are not thrown away; restore a backup instead")


def _guard_postgresql() -> None:
    op.execute(
        f"CREATE TRIGGER {_TABLE}_no_change BEFORE UPDATE OR DELETE ON {_TABLE} "
        "FOR EACH ROW EXECUTE FUNCTION ledger_refuse()"
    )
    op.execute(
        f"CREATE TRIGGER {_TABLE}_no_truncate BEFORE TRUNCATE ON {_TABLE} "
        "FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse()"
    )

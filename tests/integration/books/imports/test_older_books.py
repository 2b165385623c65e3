"""Books made before imports existed are led to the newer schema, and keep what they hold."""

from pathlib import Path

import pytest

from openalpha.books.tables import BOOKS, MAKE_BOOK, STATED_RATES, TAX_FILES
from openalpha.core.errors import ConfigError
from openalpha.store.database import open_database

NEWER = ("tax_declarations", "tax_records", "tax_settlements", "tax_files", "stated_rates")


def test_books_of_the_first_schema_are_migrated_when_asked(tmp_path: Path) -> None:
    file = tmp_path / "books.sqlite"
    older = open_database(file)
    with older.writing() as connection:
        connection.execute(MAKE_BOOK, {"environment": 1, "entity": "me", "head_hash": "x"})
        for table in NEWER:
            connection.exec_driver_sql(f"DROP TABLE {table}")
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '0001'")
    older.close()
    with pytest.raises(ConfigError, match="openalpha ledger migrate"):
        open_database(file)
    newer = open_database(file, migrate=True)
    with newer.reading() as connection:
        assert [row.entity for row in connection.execute(BOOKS.select())] == ["me"]
        for table in (TAX_FILES, STATED_RATES):
            assert connection.execute(table.select()).all() == []
    newer.close()

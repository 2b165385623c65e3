"""A PostgreSQL database into files and back: every table as the server itself writes it.

An SQLite database needs none of this: its file is copied by SQLite (`backup`).
"""

from pathlib import Path
from typing import Any

from sqlalchemy import Connection, MetaData, inspect

from openalpha.core.errors import InputError
from openalpha.store.atomic import storage_errors
from openalpha.store.database import REVISION, Database

__all__ = ["FOLDER", "dump_tables", "load_tables", "refuse_unless_empty"]

FOLDER = "postgresql"
_VERSION = "alembic_version"


def dump_tables(database: Database, folder: Path) -> dict[str, Path]:
    """Write all tables of a PostgreSQL database as they stand at one moment.

    Returns
    -------
    dict
        The files by the names they have in a backup.

    Raises
    ------
    StorageError
        If server or disk refuses.
    """
    assert database.is_postgresql
    made = {}
    with database.reading() as connection:
        for table in _tables(connection):
            path = folder / f"{table}.copy"
            with (
                storage_errors(str(path)),
                path.open("wb") as file,
                _cursor(connection).copy(f'COPY "{table}" TO STDOUT') as rows,
            ):
                for block in rows:
                    file.write(block)
            made[f"{FOLDER}/{table}.copy"] = path
    return made


def refuse_unless_empty(database: Database) -> None:
    """Raise if a database holds anything: a restore never mixes two ledgers.

    Raises
    ------
    InputError
        If a table has a row.
    """
    with database.reading() as connection:
        for table in _tables(connection):
            if connection.exec_driver_sql(f'SELECT 1 FROM "{table}" LIMIT 1').first() is not None:
                raise InputError(
                    f"{database.name} holds books already; restore into an empty database"
                )


def load_tables(database: Database, folder: Path, *, schema: str) -> int:
    """Fill an empty PostgreSQL database from files of `dump_tables`, in one transaction.

    Parameters
    ----------
    schema : str
        The schema the files were written with.

    Returns
    -------
    int
        How many tables were filled.

    Raises
    ------
    InputError
        If the schema is another than this program's, or the database is not empty.
    StorageError
        If the server refuses; then it is as it was.
    """
    if schema != REVISION:
        raise InputError(
            f"the backup's tables have schema {schema}, this program makes {REVISION}; restore "
            "with the version of OpenAlpha that made it, then run `openalpha ledger migrate`"
        )
    refuse_unless_empty(database)
    count = 0
    with database.writing() as connection:
        for table in _tables(connection):
            path = folder / f"{table}.copy"
            if not path.is_file():
                continue
            with (
                path.open("rb") as file,
                _cursor(connection).copy(f'COPY "{table}" FROM STDIN') as rows,
            ):
                while block := file.read(1 << 20):
                    rows.write(block)
            count += 1
    return count


def _tables(connection: Connection) -> list[str]:
    """Return the tables, each after those it refers to."""
    known = MetaData()
    names = [name for name in inspect(connection).get_table_names() if name != _VERSION]
    known.reflect(connection, only=names)
    return [table.name for table in known.sorted_tables]


def _cursor(connection: Connection) -> Any:
    """Return a cursor of the driver: SQLAlchemy knows no COPY."""
    return connection.connection.cursor()

"""The database: one schema on SQLite and PostgreSQL, one way to read and one way to write.

Knows no table and no trading rule: tables stand beside the packages that own them and register
themselves in `METADATA`; the schema is made by the migrations beside this file.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, MetaData, Table, create_engine, event, inspect
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError

from openalpha.core.errors import ConfigError, LedgerError, StorageError

__all__ = [
    "METADATA",
    "REVISION",
    "REFUSED",
    "Connection",
    "Database",
    "insert_rows",
    "open_database",
]

METADATA = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)
"""Every table of the program, once the files that declare them are loaded."""

REVISION = "0003"
"""The schema this program reads and writes: the newest file of `migrations/versions`."""

REFUSED = "is never changed or deleted"
"""What the triggers of an append-only table say."""

_WAIT_MS = 60_000
_PRAGMAS = (
    f"PRAGMA busy_timeout = {_WAIT_MS}",
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = FULL",
    "PRAGMA foreign_keys = ON",
    # Without it a row replaced by INSERT OR REPLACE is deleted without asking the triggers.
    "PRAGMA recursive_triggers = ON",
    # 64 MB: with less, the indexes of a large book are read again for every few rows.
    "PRAGMA cache_size = -64000",
)


@dataclass(frozen=True, slots=True, eq=False)
class Database:
    """A database with the schema of `REVISION`.

    Parameters
    ----------
    engine : sqlalchemy.Engine
    name : str
        How messages call it: the file, or the server without a password.
    """

    engine: Engine
    name: str

    @property
    def is_postgresql(self) -> bool:
        """Whether a PostgreSQL server stands behind it."""
        return self.engine.dialect.name == "postgresql"

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Read at one moment: what others commit meanwhile is not seen.

        Raises
        ------
        StorageError
            If the database fails.
        """
        options: dict[str, Any] = {}
        if self.is_postgresql:
            options = {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
        with (
            _storage_errors(self.name, "read"),
            self.engine.connect() as connection,
            connection.execution_options(**options).begin(),
        ):
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """Write in one transaction: whole and on disk when the block ends well, else not at all.

        On SQLite one writer at a time holds the database from here on; on PostgreSQL the caller
        locks the rows it goes by.

        Raises
        ------
        StorageError
            If the database fails; nothing was written.
        LedgerError
            If something that is never changed was to be changed.
        """
        with (
            _storage_errors(self.name, "written"),
            self.engine.connect() as connection,
            connection.execution_options(is_writer=True).begin(),
        ):
            yield connection

    def keep_little(self) -> None:
        """Hold a megabyte of an SQLite file in memory a connection, and not what a book may need.

        For processes that live long and write little: their memory does not grow with the file.
        """
        if not self.is_postgresql:
            event.listen(self.engine, "connect", _hold_little)
            self.close()

    def close(self) -> None:
        """Let go of its connections; using it again opens new ones."""
        self.engine.dispose()


def open_database(where: Path | str, *, migrate: bool = False) -> Database:
    """Open a database, making its schema where there is none yet.

    Parameters
    ----------
    where : Path or str
        The file of an SQLite database, or the address of a PostgreSQL one.
    migrate : bool
        Bring an older schema to `REVISION`; without it such a database is refused.

    Raises
    ------
    ConfigError
        If the address cannot be used, or the schema is older or newer than the program's.
    StorageError
        If the database cannot be reached.
    """
    database = _connected(where)
    try:
        with _storage_errors(database.name, "opened"):
            _to_revision(database, migrate=migrate)
    except BaseException:
        database.close()
        raise
    return database


def _to_revision(database: Database, *, migrate: bool) -> None:
    """See that the schema is the program's own, making it where there is none."""
    found = _revision(database)
    if found == REVISION:
        return
    if found is not None and not _is_older(found):
        raise ConfigError(
            f"{database.name} has schema {found}, newer than the {REVISION} this program "
            "knows; update OpenAlpha"
        )
    if found is not None and not migrate:
        raise ConfigError(
            f"{database.name} has schema {found}, this program needs {REVISION}; back it up "
            "and run `openalpha ledger migrate` once"
        )
    from openalpha.store.migrations import upgrade

    upgrade(database)


def insert_rows(connection: Connection, table: Table, *, rows: Sequence[tuple[Any, ...]]) -> None:
    """Insert rows as the driver takes them: many of them cost half of what objects would.

    Parameters
    ----------
    rows : sequence of tuple
        A value for every column in the table's order; decimals as plain text.
    """
    mark = "%s" if connection.dialect.paramstyle in ("format", "pyformat") else "?"
    names = ", ".join(f'"{column.name}"' for column in table.columns)
    marks = ", ".join([mark] * len(table.columns))
    statement = f'INSERT INTO "{table.name}" ({names}) VALUES ({marks})'
    connection.exec_driver_sql(statement, list(rows))


def _connected(where: Path | str) -> Database:
    url = _address(where)
    if url.get_backend_name() == "sqlite":
        file = Path(str(url.database))
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StorageError(
                f"{file.parent} cannot be made ({error.strerror}); free space or permissions"
            ) from None
        engine = create_engine(url, connect_args={"isolation_level": None})
        event.listen(engine, "connect", _set_pragmas)
        event.listen(engine, "begin", _begin_sqlite)
        return Database(engine, str(file))
    try:
        engine = create_engine(url, pool_pre_ping=True)
    except ModuleNotFoundError:
        raise ConfigError(
            "books on PostgreSQL need the package psycopg; install openalpha[postgres]"
        ) from None
    return Database(engine, url.render_as_string(hide_password=True))


def _address(where: Path | str) -> URL:
    if isinstance(where, Path):
        return URL.create("sqlite", database=str(where))
    try:
        url = make_url(where)
        backend = url.get_backend_name()
    except (ArgumentError, NoSuchModuleError):
        backend = ""
    if backend != "postgresql":
        raise ConfigError(
            "the address of a database was not understood; write "
            "postgresql://USER@HOST/NAME, or leave it out for a file in the home"
        )
    return url.set(drivername="postgresql+psycopg")


def _set_pragmas(connection: Any, record: object) -> None:
    del record
    for pragma in _PRAGMAS:
        connection.execute(pragma)


def _hold_little(connection: Any, record: object) -> None:
    del record
    connection.execute("PRAGMA cache_size = -1000")


def _begin_sqlite(connection: Connection) -> None:
    """Begin ourselves: the driver would begin late, and never take the writer's lock at once."""
    is_writer = connection.get_execution_options().get("is_writer", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if is_writer else "BEGIN")


def _revision(database: Database) -> str | None:
    """Return the schema's revision, None where nothing was made yet."""
    with database.reading() as connection:
        if not inspect(connection).has_table("alembic_version"):
            return None
        row = connection.exec_driver_sql("SELECT version_num FROM alembic_version").first()
    return None if row is None else str(row[0])


def _is_older(revision: str) -> bool:
    return revision.isdigit() and int(revision) < int(REVISION)


@contextmanager
def _storage_errors(name: str, what: str) -> Iterator[None]:
    """Turn a driver's errors into sentences."""
    try:
        yield
    except DBAPIError as error:
        said = " ".join(str(error.orig).split("\n")[0].split())
        if REFUSED in said:
            raise LedgerError(f"{said}; post a correction instead", where=name) from error
        raise StorageError(
            f"{name} could not be {what}: {said}; nothing was half written"
        ) from error

"""Every test of the books runs on SQLite and on a real PostgreSQL server."""

from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from openalpha.books.ledger import Ledger
from openalpha.core.clock import ManualClock
from openalpha.store.database import Database, open_database
from tests.fakes.postgres_server import postgres_server

_NUMBERS = count(1)


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """Return the address of a running server, or skip where none can run."""
    with postgres_server() as address:
        yield address


@pytest.fixture(scope="session")
def postgres_template(postgres: str) -> str:
    """Return the name of a database that has the schema: copying it is quicker than making it."""
    name = "books_template"
    _create(postgres, name)
    open_database(postgres.replace("/postgres?", f"/{name}?")).close()
    return name


def _create(address: str, name: str, template: str = "template1") -> None:
    engine = create_engine(
        address.replace("postgresql:", "postgresql+psycopg:"), isolation_level="AUTOCOMMIT"
    )
    with engine.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name} TEMPLATE {template}"))
    engine.dispose()


@pytest.fixture(params=["sqlite", "postgresql"])
def address(request: pytest.FixtureRequest, tmp_path: Path) -> Path | str:
    """Return where an empty database is."""
    if request.param == "sqlite":
        return tmp_path / "books.sqlite"
    server: str = request.getfixturevalue("postgres")
    return empty_database(server, request.getfixturevalue("postgres_template"))


def empty_database(server: str, template: str) -> str:
    """Make a database of a server that has the schema and nothing in it; returns its address."""
    name = f"books_{next(_NUMBERS)}"
    _create(server, name, template)
    return server.replace("/postgres?", f"/{name}?")


@pytest.fixture
def database(address: Path | str) -> Iterator[Database]:
    found = open_database(address)
    yield found
    found.close()


@pytest.fixture
def ledger(database: Database) -> Ledger:
    return Ledger(database, ManualClock(1_720_000_000_000))

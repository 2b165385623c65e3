"""The books of a PostgreSQL server into a backup and back: every entry, proven by its chain."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from openalpha.books.balances import balances
from openalpha.books.entries import EntryKind
from openalpha.books.ledger import Ledger
from openalpha.books.rates import NO_RATES
from openalpha.books.verify import books_in, verify_book
from openalpha.core.clock import ManualClock
from openalpha.core.errors import InputError
from openalpha.store.backup_database import dump_tables, load_tables, refuse_unless_empty
from openalpha.store.database import REVISION, Database, open_database
from tests.fakes.books import ME, filled, moved
from tests.integration.books.conftest import empty_database


@pytest.fixture
def server(postgres: str, postgres_template: str) -> Iterator[Database]:
    made = open_database(empty_database(postgres, postgres_template))
    yield made
    made.close()


@pytest.fixture
def other(postgres: str, postgres_template: str) -> Iterator[Database]:
    made = open_database(empty_database(postgres, postgres_template))
    yield made
    made.close()


def test_every_entry_comes_back_and_proves(
    server: Database, other: Database, tmp_path: Path
) -> None:
    ledger = Ledger(server, ManualClock(1_720_000_000_000))
    ledger.post(ME, [moved("in", "1000", kind=EntryKind.TRANSFER), filled(1, "2", "100")])
    ledger.post(ME, [moved(f"fee {n}", "-0.5") for n in range(50)])
    made = dump_tables(server, tmp_path)
    assert all(name.startswith("postgresql/") for name in made)
    assert load_tables(other, tmp_path, schema=REVISION) == len(made)
    assert books_in(other) == books_in(server) == [ME]
    first, second = verify_book(server, ME), verify_book(other, ME)
    assert second == first and second.fault is None and second.entries == 52
    now: dict[str, Any] = {"rates": NO_RATES, "ts_ms": 1_720_000_000_000}
    assert balances(other, **now) == balances(server, **now) != []
    # It goes on where it stood.
    after = Ledger(other, ManualClock(1_720_000_000_001))
    after.post(ME, [moved("more", "-1")])
    assert verify_book(other, ME).entries == 53
    with pytest.raises(InputError, match="holds books already"):
        refuse_unless_empty(other)
    with pytest.raises(InputError, match="holds books already"):
        load_tables(other, tmp_path, schema=REVISION)


def test_tables_of_another_schema_are_refused(other: Database, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="have schema 0000"):
        load_tables(other, tmp_path, schema="0000")

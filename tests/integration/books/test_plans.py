"""What SQLite makes of the queries that run on every posting and every look: never a walk."""

import json
from pathlib import Path
from typing import Any

import pytest

from openalpha.books.holdings import latest_marks
from openalpha.books.ledger import Ledger
from openalpha.books.tables import KEYS_ON_SQLITE
from openalpha.core.clock import ManualClock
from openalpha.store.database import Connection, open_database
from tests.fakes.books import ME, moved


@pytest.fixture
def statements(tmp_path: Path) -> list[str]:
    """Return the plans of everything that is asked while something is posted and looked at."""
    ledger = Ledger(open_database(tmp_path / "books.sqlite"), ManualClock(0))
    ledger.post(ME, [moved(f"key {number}", "1") for number in range(50)])
    with ledger.database.reading() as connection:
        asked = {"keys": json.dumps(["key 1", "key 2"]), "book_id": 1}
        plans = [plan(connection, KEYS_ON_SQLITE.text, asked)]
        seen: list[tuple[str, Any]] = []
        listen(connection, seen)
        latest_marks(connection, 1, venue="x", instruments=["y"])
        plans += [plan(connection, text, parameters) for text, parameters in seen]
    ledger.database.close()
    return plans


def listen(connection: Connection, seen: list[tuple[str, Any]]) -> None:
    from sqlalchemy import event

    @event.listens_for(connection, "before_cursor_execute")
    def _hear(_1: object, _2: object, text: str, parameters: Any, _3: object, _4: bool) -> None:
        if not text.startswith("EXPLAIN"):
            seen.append((text, parameters))


def plan(connection: Connection, text: str, parameters: Any) -> str:
    cursor = connection.connection.cursor()
    cursor.execute(f"EXPLAIN QUERY PLAN {text}", parameters)
    return "\n".join(str(row[3]) for row in cursor.fetchall())


def test_keys_and_marks_are_looked_up_by_their_index(statements: list[str]) -> None:
    keys, marks = statements
    assert "SEARCH e USING" in keys
    assert "(book_id=? AND key=?)" in keys
    assert "ix_ledger_entries_marks" in marks
    assert "SCAN" not in marks

"""Declarations on SQLite and PostgreSQL: the last word holds, every earlier one stays."""

import pytest

from openalpha.books.declarations import PROFILE, Declarations
from openalpha.core.clock import ManualClock
from openalpha.core.errors import LedgerError
from openalpha.store.database import Database


def test_the_last_word_holds_and_the_first_stays(database: Database) -> None:
    clock = ManualClock(1_000)
    books = Declarations(database, clock)
    assert books.last("me", PROFILE) is None
    assert books.declare("me", PROFILE, said="one")
    assert not books.declare("me", PROFILE, said="one")
    clock.advance(500)
    assert books.declare("me", PROFILE, said="two")
    assert books.declare("me", "other", said="one")
    assert books.declare("trust", PROFILE, said="three")
    said = books.history("me", PROFILE)
    assert [(row.said, row.recorded_ms) for row in said] == [("one", 1_000), ("two", 1_500)]
    assert books.last("me", PROFILE) == said[-1]
    assert books.entities() == ["me", "trust"]


@pytest.mark.parametrize("change", ["DELETE FROM {}", "UPDATE {} SET said = 'x'"])
def test_no_word_can_be_taken_back(database: Database, change: str) -> None:
    Declarations(database, ManualClock(1)).declare("me", PROFILE, said="one")
    with (
        pytest.raises(LedgerError, match="never changed"),
        database.writing() as connection,
    ):
        connection.exec_driver_sql(change.format("tax_declarations"))
    assert Declarations(database, ManualClock(1)).last("me", PROFILE)

"""How a database is held: what of it stays in memory."""

from contextlib import closing
from pathlib import Path

from openalpha.store.database import Database, open_database


def caches(database: Database) -> list[int]:
    """What a connection that reads and one that writes hold at most, in KB."""
    found = []
    for connected in (database.reading, database.writing):
        with connected() as connection:
            found.append(-int(connection.exec_driver_sql("PRAGMA cache_size").scalar_one()))
    return found


def test_a_run_holds_little_of_the_books_in_memory(tmp_path: Path) -> None:
    with closing(open_database(tmp_path / "books.sqlite")) as database:
        assert caches(database) == [64_000, 64_000]
        database.keep_little()
        assert caches(database) == [1_000, 1_000], "connections of before are opened anew"
        with database.reading() as connection:
            assert connection.exec_driver_sql("PRAGMA synchronous").scalar_one() == 2

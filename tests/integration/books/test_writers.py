"""Killed at any moment there is no half entry; two writers at once make one chain."""

import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from openalpha.books.reading import read_entries
from openalpha.books.verify import verify_book
from openalpha.books.writing import book_row
from openalpha.store.database import open_database
from tests.fakes.books import ME

ROOT = Path(__file__).parents[3]
# Posts batches of three until it is stopped, telling of each batch once it is on disk.
WRITER = """
import sys
from itertools import count
from pathlib import Path
from openalpha.books.ledger import Ledger
from openalpha.core.clock import SystemClock
from openalpha.store.database import open_database
from tests.fakes.books import ME, filled, moved
where = sys.argv[1] if "://" in sys.argv[1] else Path(sys.argv[1])
ledger, name, most = Ledger(open_database(where), SystemClock()), sys.argv[2], int(sys.argv[3])
print("ready", flush=True)
sys.stdin.readline()
for number in range(most):
    keys = [f"{name}/{number}/{part}" for part in range(3)]
    fill = filled(number, "0.01", "100", venue=name)._replace(key=keys[1])
    ledger.post(ME, [moved(keys[0], "1.5"), fill, moved(keys[2], "-0.5")])
    print(number, flush=True)
"""


def start(address: Path | str, name: str, most: int = 1_000_000) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", WRITER, str(address), name, str(most)]
    process = subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def go(process: subprocess.Popen[str]) -> None:
    """Let a writer begin: two that are told so at once do get into each other's way."""
    assert process.stdin is not None
    process.stdin.write("\n")
    process.stdin.flush()


def said(process: subprocess.Popen[str]) -> list[int]:
    """Read what a writer told before it ended; a torn last line does not count."""
    out, _ = process.communicate(timeout=60)
    return [int(line) for line in out.splitlines(keepends=True) if line.endswith("\n")]


def keys_in(address: Path | str) -> list[str]:
    database = open_database(address)
    try:
        with database.reading() as connection:
            row = book_row(connection, ME)
            found = [e.key for e in read_entries(connection, row[0])] if row else []
        fault = verify_book(database, ME).fault
    finally:
        database.close()
    assert fault is None, fault
    return found


def test_killed_at_any_moment_the_chain_verifies(address: Path | str) -> None:
    open_database(address).close()
    chance = random.Random(7)
    told: dict[str, int] = {}
    for number in range(5):
        name = f"writer{number}"
        process = start(address, name)
        go(process)
        # Some are killed in their first batch, the others after it, however slow the machine is.
        assert process.stdout is not None
        first = [process.stdout.readline()] if number % 2 else []
        time.sleep(chance.uniform(0.0, 0.15))
        process.kill()
        told[name] = len(first) + len(said(process))
        keys = keys_in(address)
        for writer, batches in told.items():
            mine = [key for key in keys if key.startswith(f"{writer}/")]
            assert len(mine) % 3 == 0, "a batch is there whole or not at all"
            # What was told is there; at most one batch more was on disk and not told yet.
            assert batches <= len(mine) // 3 <= batches + 1
    assert any(told.values())


@pytest.mark.parametrize("batches", [40])
def test_two_writers_make_one_chain(address: Path | str, batches: int) -> None:
    writers = [start(address, name, batches) for name in ("one", "two")]
    for writer in writers:
        go(writer)
    assert [len(said(writer)) for writer in writers] == [batches, batches]
    keys = keys_in(address)
    assert len(keys) == len(set(keys)) == 2 * 3 * batches
    for name in ("one", "two"):
        mine = [key for key in keys if key.startswith(f"{name}/")]
        assert mine == [f"{name}/{number}/{part}" for number in range(batches) for part in range(3)]

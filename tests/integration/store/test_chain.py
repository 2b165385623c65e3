"""The chained store: nothing is lost, nothing is half there, nothing is changed unseen."""

import fcntl
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from openalpha.core.errors import StorageError
from openalpha.store.chain import ChainedRows

COLUMNS = [("number", "<i8")]


def store(root: Path, segment_rows: int = 1000) -> ChainedRows:
    return ChainedRows(root, COLUMNS, segment_rows=segment_rows)


def fill(rows: ChainedRows, count: int, start: int = 0) -> None:
    for at in range(start, start + count):
        rows.append(
            {"number": at}, {"name": f"row {at}"}, values=np.arange(at % 5, dtype=np.float32)
        )


def test_what_was_appended_is_read_back(tmp_path: Path) -> None:
    rows = store(tmp_path)
    fill(rows, 7)
    assert rows.table()["number"].tolist() == list(range(7))
    back = rows.read(3)
    assert (back.text, back.values.tolist()) == ({"name": "row 3"}, [0, 1, 2])
    assert rows.verify() is None


def test_segments_follow_each_other_in_one_chain(tmp_path: Path) -> None:
    rows = store(tmp_path, segment_rows=3)
    fill(rows, 8)
    rows.close()
    again = store(tmp_path, segment_rows=3)
    fill(again, 2, start=8)
    assert sorted(path.name for path in tmp_path.iterdir() if path.is_dir()) == [
        "000001", "000002", "000003", "000004",
    ]  # fmt: skip
    assert again.table()["seq"].tolist() == list(range(10))
    assert again.read(7).text == {"name": "row 7"}
    assert again.verify() is None


def test_two_writers_take_turns(tmp_path: Path) -> None:
    one, other = store(tmp_path, 5), store(tmp_path, 5)
    for at in range(12):
        fill(one if at % 3 else other, 1, start=at)
    assert one.table()["number"].tolist() == list(range(12))
    assert other.verify() is None


def test_two_processes_append_at_once(tmp_path: Path) -> None:
    code = (
        "import sys, numpy as np; from pathlib import Path\n"
        "from openalpha.store.chain import ChainedRows\n"
        "rows = ChainedRows(Path(sys.argv[1]), [('number', '<i8')], segment_rows=40)\n"
        "for at in range(100): rows.append({'number': at}, {}, values=np.zeros(3, np.float32))\n"
    )
    runs = [subprocess.Popen([sys.executable, "-c", code, str(tmp_path)]) for _ in range(2)]
    assert [run.wait(60) for run in runs] == [0, 0]
    rows = store(tmp_path, 40)
    assert len(rows.table()) == 200
    assert rows.verify() is None


def test_a_store_that_outlives_its_module_says_nothing(tmp_path: Path) -> None:
    """As a program ends, modules still held are emptied, the youngest first.

    Guard: `ChainedRows.__del__` leaves the files to the system then.
    """
    code = (
        "import json, sys, numpy as np; from pathlib import Path\n"
        "from openalpha.store import chain\n"
        "json.kept = chain.ChainedRows(Path(sys.argv[1]), [('number', '<i8')])\n"
        "json.kept.append({'number': 1}, {}, values=np.zeros(3, np.float32))\n"
        "sys.held = (json, chain)\n"
    )
    command = [sys.executable, "-c", code, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stderr == ""


def test_a_forked_child_has_a_lock_of_its_own(tmp_path: Path) -> None:
    rows = store(tmp_path)
    fill(rows, 1)
    child = os.fork()
    if child == 0:  # pragma: no cover - runs in the child
        fill(rows, 20, start=100)
        os._exit(0)
    fill(rows, 20, start=1)
    assert os.waitpid(child, 0)[1] == 0
    assert len(rows.table()) == 41
    assert rows.verify() is None


def test_a_forked_child_waits_for_its_parents_lock(tmp_path: Path) -> None:
    rows = store(tmp_path)
    fill(rows, 1)
    fcntl.flock(rows._lock, fcntl.LOCK_EX)
    child = os.fork()
    if child == 0:  # pragma: no cover - runs in the child
        signal.alarm(1)
        fill(rows, 1, start=100)
        os._exit(0)
    status = os.waitpid(child, 0)[1]
    fcntl.flock(rows._lock, fcntl.LOCK_UN)
    assert os.WIFSIGNALED(status), "the child appended while its parent held the lock"
    assert os.WTERMSIG(status) == signal.SIGALRM


@given(st.data())
def test_a_tail_torn_anywhere_is_cut_and_noted(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    root = tmp_path_factory.mktemp("torn")
    rows = store(root)
    fill(rows, 6)
    rows.close()
    name = data.draw(st.sampled_from(["rows.bin", "texts.bin", "values.f32"]))
    path = root / "000001" / name
    size = path.stat().st_size
    left = data.draw(st.integers(0, size - 1))
    with path.open("r+b") as file:
        file.truncate(left)
    again = store(root)
    fill(again, 1, start=99)
    kept = again.table()["number"].tolist()
    assert kept == [*range(len(kept) - 1), 99]
    assert again.verify() is None
    note = json.loads((root / "cuts.jsonl").read_text().splitlines()[0])
    assert note["before_row"] == len(kept) - 1


@pytest.mark.parametrize("name", ["rows.bin", "texts.bin", "values.f32"])
def test_a_changed_byte_is_named(tmp_path: Path, name: str) -> None:
    rows = store(tmp_path)
    fill(rows, 6)
    rows.close()
    path = tmp_path / "000001" / name
    content = bytearray(path.read_bytes())
    at = {"rows.bin": 3 * rows.table().dtype.itemsize + 33, "texts.bin": 30, "values.f32": 9}[name]
    content[at] ^= 1
    path.write_bytes(content)
    fault = store(tmp_path).verify()
    assert fault is not None
    assert fault.seq == {"rows.bin": 3, "texts.bin": 1, "values.f32": 2}[name]
    assert "hash" in fault.reason


def test_a_row_taken_out_of_the_middle_is_named(tmp_path: Path) -> None:
    rows = store(tmp_path)
    fill(rows, 6)
    rows.close()
    path = tmp_path / "000001" / "rows.bin"
    width = rows.table().dtype.itemsize
    content = path.read_bytes()
    path.write_bytes(content[: 2 * width] + content[3 * width :])
    fault = store(tmp_path).verify()
    assert fault is not None
    assert fault.seq == 2


def test_a_folder_that_cannot_be_made_is_a_storage_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StorageError, match="could not be written"):
        fill(store(tmp_path / "file" / "trials"), 1)


def test_a_row_that_is_not_there_is_a_storage_error(tmp_path: Path) -> None:
    rows = store(tmp_path)
    fill(rows, 1)
    with pytest.raises(StorageError, match="no row 5"):
        rows.read(5)


def test_many_rows_at_once_are_the_same_chain(tmp_path: Path) -> None:
    one, many = store(tmp_path / "one", 40), store(tmp_path / "many", 40)
    fill(one, 130)
    kept = [one.read(seq) for seq in range(130)]
    for start, stop in ((0, 3), (3, 115), (115, 130)):  # across two segments' ends
        part = kept[start:stop]
        first = many.append_many(
            {"number": np.array([row.columns["number"] for row in part])},
            [json.dumps(row.text, separators=(",", ":"), sort_keys=True).encode() for row in part],
            values=[row.values for row in part],
        )
        assert first == start
    assert many.verify() is None
    assert [many.read(seq).hash for seq in range(130)] == [row.hash for row in kept]


def test_a_column_is_read_without_the_rest_and_held_to_the_rows(tmp_path: Path) -> None:
    rows = store(tmp_path, 40)
    fill(rows, 100)
    assert rows.column("number").tolist() == list(range(100))
    copies = sorted(tmp_path.rglob("columns.bin"))
    assert len(copies) == 2  # full segments only
    assert rows.column("number").tolist() == list(range(100))
    fill(rows, 5, start=100)
    assert rows.column("number").tolist() == list(range(105))
    changed = bytearray(copies[1].read_bytes())
    changed[0] ^= 1
    copies[1].write_bytes(changed)
    fault = rows.verify()
    assert fault is not None and fault.seq == 40 and "column file" in fault.reason


def test_a_store_that_nobody_holds_holds_no_file(tmp_path: Path) -> None:
    """A life of many backtests opens many of them."""
    before = len(list(Path("/proc/self/fd").iterdir()))
    for number in range(5):
        fill(store(tmp_path / str(number)), 1)
    assert len(list(Path("/proc/self/fd").iterdir())) == before
    assert store(tmp_path / "4").table()["number"].tolist() == [0]

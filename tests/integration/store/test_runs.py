"""Run folders: whole or not at all, found again by id."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import polars as pl
import pytest

from openalpha.core.errors import StorageError, UnknownName
from openalpha.core.messages import Environment
from openalpha.store.atomic import new_folder, write_bytes
from openalpha.store.runs import RunStore, new_run_id

NOW = 1_704_067_200_000


def test_ids_sort_by_time_and_differ_by_content() -> None:
    ids = [new_run_id(NOW + step, "a") for step in (0, 1, 1_000, 90_000_000)]
    assert ids == sorted(ids)
    assert new_run_id(NOW, "a") != new_run_id(NOW, "b")


def test_a_run_is_written_and_found_by_the_beginning_of_its_id(tmp_path: Path) -> None:
    runs = RunStore(tmp_path)
    run_id = new_run_id(NOW, "a")
    frame = pl.DataFrame({"x": [1, 2]})
    runs.write(
        Environment.BACKTEST, run_id,
        record={"seed": 7}, documents={"result": {"a": 1}}, frames={"fills": frame},
    )  # fmt: skip
    found = runs.open_run(run_id[:10])
    assert found.record == {"record_version": 1, "run_id": run_id, "seed": 7}
    assert found.document("result") == {"a": 1}
    assert found.frame("fills").equals(frame)
    assert found.path == tmp_path / "runs" / "backtest" / run_id
    assert [run.id for run in runs.runs()] == [run_id]


def test_names_that_do_not_exist_say_what_there_is(tmp_path: Path) -> None:
    runs = RunStore(tmp_path)
    first, second = new_run_id(NOW, "a"), new_run_id(NOW, "b")
    for run_id in (first, second):
        runs.write(Environment.BACKTEST, run_id, record={})
    with pytest.raises(UnknownName, match="2 runs"):
        runs.open_run(first[:8])
    with pytest.raises(UnknownName, match="there is no run 'nothing'"):
        runs.open_run("nothing")
    with pytest.raises(UnknownName, match=r"no fills\.parquet"):
        runs.open_run(first).frame("fills")
    with pytest.raises(UnknownName, match="it has record"):
        runs.open_run(first).document("result")


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    runs, run_id = RunStore(tmp_path), new_run_id(NOW, "a")
    runs.write(Environment.BACKTEST, run_id, record={"seed": 1})
    with pytest.raises(StorageError, match="exists already"):
        runs.write(Environment.BACKTEST, run_id, record={"seed": 2})
    assert runs.open_run(run_id).record["seed"] == 1


def test_a_failure_half_way_leaves_nothing(tmp_path: Path) -> None:
    runs = RunStore(tmp_path)
    with pytest.raises(ValueError, match="JSON"):
        runs.write(
            Environment.BACKTEST, new_run_id(NOW, "a"),
            record={}, documents={"result": {"x": float("nan")}},
        )  # fmt: skip
    assert list((tmp_path / "runs" / "backtest").iterdir()) == []


def test_a_killed_writer_leaves_no_run(tmp_path: Path) -> None:
    code = (
        "import sys, time; from pathlib import Path\n"
        "from openalpha.store.atomic import new_folder\n"
        "with new_folder(Path(sys.argv[1])) as stage:\n"
        "    (stage / 'record.json').write_text('{}')\n"
        "    print('half', flush=True); time.sleep(60)\n"
    )
    path = tmp_path / "runs" / "backtest" / new_run_id(NOW, "a")
    with subprocess.Popen(
        [sys.executable, "-c", code, str(path)], stdout=subprocess.PIPE, text=True
    ) as writer:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "half\n"
        writer.send_signal(signal.SIGKILL)
        writer.wait(10)
    assert not path.exists()
    assert list(RunStore(tmp_path).runs()) == []


def test_a_file_is_replaced_whole(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "result.json"
    write_bytes(path, b"one")
    write_bytes(path, b"two")
    assert path.read_bytes() == b"two"
    assert [item.name for item in path.parent.iterdir()] == ["result.json"]


def test_an_unwritable_place_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StorageError, match="could not be written"):
        write_bytes(tmp_path / "file" / "x.json", b"")
    with (
        pytest.raises(StorageError, match="could not be written"),
        new_folder(tmp_path / "file" / "run"),
    ):
        time.sleep(0)

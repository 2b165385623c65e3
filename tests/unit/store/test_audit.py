"""The audit trail: chained, never cut, written by many, and honest about what was done to it."""

import fcntl
import json
import multiprocessing
import os
from pathlib import Path

import pytest

from openalpha.core.errors import StorageError
from openalpha.store.audit import AuditTrail


def three(home: Path) -> AuditTrail:
    trail = AuditTrail(home)
    trail.add("arm", environment="live", strategies=["ma_cross"])
    trail.add("key.use", key="live", command="openalpha run")
    trail.add("run.stop", environment="live", run="r1", reason="enough\nsaid")
    return trail


def test_acts_come_back_as_they_were_told(tmp_path: Path) -> None:
    acts = list(three(tmp_path).acts())
    assert [(act.seq, act.name, act.environment) for act in acts] == [
        (1, "arm", "live"),
        (2, "key.use", ""),
        (3, "run.stop", "live"),
    ]
    assert acts[2].details == {"run": "r1", "reason": "enough\nsaid"}
    assert (tmp_path / "audit" / "trail.jsonl").stat().st_mode & 0o777 == 0o600


def changed(lines: list[bytes]) -> list[bytes]:
    return [lines[0], lines[1].replace(b'"live"', b'"twin"'), lines[2]]


@pytest.mark.parametrize(
    ("what", "tamper", "words"),
    [
        ("a line changed", changed, "line 3 does not follow"),
        ("a line taken out", lambda lines: [lines[0], lines[2]], "line 2 does not follow"),
        ("the first taken out", lambda lines: lines[1:], "line 1 does not follow"),
        ("two exchanged", lambda lines: [lines[1], lines[0], lines[2]], "line 1 does not follow"),
        ("one put in twice", lambda lines: [*lines, lines[2]], "line 4 does not follow"),
    ],
)
def test_a_hand_in_the_file_is_seen(tmp_path: Path, what: str, tamper, words: str) -> None:
    trail = three(tmp_path)
    assert trail.check().faults == ()
    trail.path.write_bytes(b"".join(tamper(trail.path.read_bytes().splitlines(keepends=True))))
    assert any(words in fault for fault in trail.check().faults), what


def test_a_head_that_was_told_must_still_be_on_the_way(tmp_path: Path) -> None:
    trail = three(tmp_path)
    head = trail.check().head
    trail.add("disarm", environment="live")
    assert trail.check(head=head).faults == ()
    # The last two lines cut off: nothing else could tell.
    lines = trail.path.read_bytes().splitlines(keepends=True)
    trail.path.write_bytes(b"".join(lines[:2]))
    assert trail.check().faults == ()
    assert "is not there now" in trail.check(head=head).faults[0]


def test_a_line_cut_short_stays_and_the_chain_goes_on(tmp_path: Path) -> None:
    trail = three(tmp_path)
    with trail.path.open("ab") as file:
        file.write(b'{"act":"run.st')
    assert trail.add("run.end", environment="live") == 4
    assert [act.name for act in trail.acts()] == ["arm", "key.use", "run.stop", "run.end"]
    found = trail.check()
    assert found.faults == () and found.remarks == ("line 4 was cut short",)


def test_a_process_that_hangs_holding_the_file_stops_nobody(tmp_path: Path) -> None:
    trail = three(tmp_path)
    holder = os.open(trail.path, os.O_RDWR)
    try:
        fcntl.flock(holder, fcntl.LOCK_EX)
        trail.add("stop", environment="live")
    finally:
        os.close(holder)
    assert list(trail.acts())[-1].name == "stop"
    assert trail.check().remarks == ("line 4 was written while another process held the file",)


def added(home: Path, number: int) -> None:
    for count in range(20):
        AuditTrail(home).add("run.order", number=number, count=count)


def test_many_processes_make_one_chain(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    writers = [context.Process(target=added, args=(tmp_path, number)) for number in range(3)]
    for one in writers:
        one.start()
    for one in writers:
        one.join(60)
    found = AuditTrail(tmp_path).check()
    assert (found.acts, found.faults, found.remarks) == (60, (), ())


def test_a_disk_that_refuses_is_said_or_left_to_the_log(tmp_path: Path, caplog) -> None:
    (tmp_path / "audit").write_text("a file where the folder should be")
    trail = AuditTrail(tmp_path)
    with pytest.raises(StorageError, match="could not be written"):
        trail.add("arm", environment="live")
    trail.note("key.use", key="live")
    assert "the audit trail lacks key.use" in caplog.text


def test_details_cannot_overwrite_what_the_trail_says_itself(tmp_path: Path) -> None:
    trail = AuditTrail(tmp_path)
    trail.add("run.order", seq=99, who="somebody else", qty=1.5)
    row = json.loads(trail.path.read_bytes())
    assert row["seq"] == 1 and row["who"] != "somebody else" and row["qty"] == "1.5"

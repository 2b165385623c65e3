"""The log of a run in real processes: killed while it writes, and on a disk with a limit."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from openalpha.core.errors import StorageError
from openalpha.store.run_log import FrameKind, RunLog, read

WRITER = """
import sys
from pathlib import Path
from openalpha.store.run_log import FrameKind, RunLog
log = RunLog.open(Path(sys.argv[1]))
while True:
    for _ in range(3):
        seq = log.append(FrameKind.FEED, b"%d" % (log.last_seq + 1) * 50, ts_ms=log.last_seq)
    log.sync()
    print(log.synced_seq, flush=True)
"""

LIMITED = """
import resource, sys
from pathlib import Path
from openalpha.core.errors import StorageError
from openalpha.store.run_log import FrameKind, RunLog
log = RunLog.open(Path(sys.argv[1]))
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
try:
    while True:
        log.append(FrameKind.FEED, b"x" * 3_000, ts_ms=0)
        log.sync()
except StorageError as error:
    print(log.synced_seq, error)
"""


@pytest.mark.parametrize("syncs", [1, 3, 17, 40])
def test_kill_9_loses_nothing_that_was_synced(tmp_path: Path, syncs: int) -> None:
    told = 0
    for _ in range(2):
        process = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(tmp_path)], stdout=subprocess.PIPE, text=True
        )
        assert process.stdout is not None
        for _ in range(syncs):
            told = int(process.stdout.readline())
        os.kill(process.pid, signal.SIGKILL)
        told = int((process.stdout.read().split() or [str(told)])[-1])
        process.stdout.close()
        process.wait()
        found = list(read(tmp_path))
        assert [frame.seq for frame in found] == list(range(1, len(found) + 1))
        assert all(frame.payload == b"%d" % frame.seq * 50 for frame in found)
        assert len(found) >= told >= 3 * syncs
    log = RunLog.open(tmp_path)
    assert log.append(FrameKind.NOTE, b"", ts_ms=0) == len(found) + 1
    log.close()


def test_a_file_that_cannot_grow_is_refused_and_stays_whole(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, str(tmp_path)], capture_output=True, text=True, check=True
    )
    count, _, words = done.stdout.partition(" ")
    assert "could not be written" in words
    assert len(list(read(tmp_path))) == int(count) == 6


def test_two_processes_do_not_write_one_log(tmp_path: Path) -> None:
    log = RunLog.open(tmp_path)
    second = "import sys; from pathlib import Path; from openalpha.store.run_log import RunLog; "
    second += "RunLog.open(Path(sys.argv[1]))"
    done = subprocess.run(
        [sys.executable, "-c", second, str(tmp_path)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1 and "in use by another process" in done.stderr
    log.close()
    with pytest.raises(StorageError, match="closed"):
        log.append(FrameKind.NOTE, b"", ts_ms=0)


def test_a_log_that_nobody_holds_holds_no_file(tmp_path: Path) -> None:
    before = len(list(Path("/proc/self/fd").iterdir()))
    for number in range(5):
        RunLog.open(tmp_path / "log").append(FrameKind.FEED, b"%d" % number, ts_ms=number)
    assert len(list(Path("/proc/self/fd").iterdir())) == before

"""One trader an account, in real processes: the second is refused, a killed one holds nothing."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from openalpha.core.errors import InputError
from openalpha.core.messages import Environment
from openalpha.trading.run.lease import holder_of, take_lease

HOLD = """
import sys, time
from pathlib import Path
from openalpha.core.messages import Environment
from openalpha.trading.run.lease import take_lease
lease = take_lease(Path(sys.argv[1]), Environment.TWIN, account="7", run_id="first", now_ms=5)
print("held", flush=True)
time.sleep(600)
"""


def take(home: Path, run_id: str = "second", account: str = "7"):
    return take_lease(home, Environment.TWIN, account=account, run_id=run_id, now_ms=9)


@pytest.fixture
def first(tmp_path: Path):
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.wait()
    process.stdout.close()


def test_a_second_trader_is_refused_and_told_who_is_first(tmp_path: Path, first) -> None:
    with pytest.raises(InputError, match=rf"traded by run first \(process {first.pid} on .*1970"):
        take(tmp_path)
    held = holder_of(tmp_path, Environment.TWIN, account="7")
    assert held is not None and (held.run_id, held.pid) == ("first", first.pid)


def test_other_accounts_and_environments_are_free(tmp_path: Path, first) -> None:
    take(tmp_path, account="8").give_back()
    take_lease(tmp_path, Environment.DEMO, account="7", run_id="x", now_ms=1).give_back()


def test_a_killed_trader_holds_nothing(tmp_path: Path, first) -> None:
    os.kill(first.pid, signal.SIGKILL)
    first.wait()
    assert holder_of(tmp_path, Environment.TWIN, account="7") is None
    with take(tmp_path) as lease:
        assert lease.holder.run_id == "second"
    take(tmp_path, "third").give_back()


def test_the_same_process_does_not_take_it_twice(tmp_path: Path) -> None:
    with take(tmp_path), pytest.raises(InputError, match="run second"):
        take(tmp_path, "again")

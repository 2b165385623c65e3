"""A run as a process: killed outright it goes on where it was; told to stop it stops."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from openalpha.core.messages import Environment
from openalpha.store.audit import AuditTrail
from openalpha.trading.analysis.replay import replay
from openalpha.trading.run.folder import RunFolder, run_folders
from tests.fakes.live_runs import noted

RUN = [
    "run", "--env", "paper", "--strategy", "ma_cross", "--strategy", "dca",
    "--instrument", "synthetic_linear:BTCUSDT", "--timeframe", "1m",
    "--param", "ma_cross.fast=20", "--param", "ma_cross.slow=60",
]  # fmt: skip


def openalpha(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "openalpha", *arguments]


def done(*arguments: str, code: int = 0) -> str:
    ended = subprocess.run(
        openalpha(*arguments), capture_output=True, text=True, timeout=300, check=False
    )
    assert ended.returncode == code, ended.stdout[-2000:] + ended.stderr[-2000:]
    return ended.stdout


@pytest.fixture
def market(home: Path) -> Path:
    done("data", "synth", "--preset", "small", "--days", "15", "--timeframe", "1m", "--seed", "7")
    return home


def rows_of(folder: RunFolder) -> int:
    return int(folder.status().get("rows", 0))


def led_until(
    process: "subprocess.Popen[Any]", rows: int, home: Path, known: set[str]
) -> RunFolder:
    """Wait until the run of a process has taken some rows."""
    end_s = time.monotonic() + 120
    while time.monotonic() < end_s:
        assert process.poll() is None, "the run ended before it was to be killed"
        for folder in run_folders(home, Environment.PAPER):
            if folder.id not in known and rows_of(folder) > rows:
                return folder
        time.sleep(0.02)
    raise AssertionError("the run did not get so far in time")


def test_a_run_killed_again_and_again_ends_as_one_that_was_not(market: Path) -> None:
    done(*RUN, "--quiet")
    (whole,) = run_folders(market, Environment.PAPER)
    process = subprocess.Popen(openalpha(*RUN, "--quiet"), stderr=subprocess.DEVNULL)
    cut = led_until(process, 500, market, {whole.id})
    for rows in (4_000, 9_000, 14_000):
        process.send_signal(signal.SIGKILL)
        process.wait()
        process = subprocess.Popen(
            openalpha("run", "--resume", cut.id, "--quiet"), stderr=subprocess.DEVNULL
        )
        led_until(process, rows, market, {whole.id})
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert json.loads(done("status", "--run", cut.id, "--json", "-"))["runs"][0]["mode"] == (
        "interrupted"
    )
    done("run", "--resume", cut.id, "--quiet")
    for book in range(2):
        one, other = noted(whole, book), noted(cut, book)
        assert len(one.fills) > 10
        assert one.fills.tobytes() == other.fills.tobytes()
        assert one.effects.tobytes() == other.effects.tobytes()
        assert one.equity == other.equity
    assert replay(cut).is_same
    done("ledger", "verify")
    done("run", "--resume", cut.id, code=1)


def test_a_run_told_to_stop_by_command_or_signal_stops(market: Path) -> None:
    process = subprocess.Popen(openalpha(*RUN, "--quiet"))
    folder = led_until(process, 2_000, market, set())
    assert oct(folder.port.stat().st_mode)[-3:] == "600"
    second = subprocess.run(
        openalpha("run", "--resume", folder.id), capture_output=True, text=True, check=False
    )
    assert second.returncode == 5
    assert "in use by another process" in second.stderr
    done("runs", "stop", folder.id, "--reason", "enough")
    assert process.wait(timeout=60) == 0
    assert (folder.status()["mode"], folder.status()["why"]) == ("ended", "enough")
    assert not folder.port.exists()
    process = subprocess.Popen(openalpha(*RUN, "--quiet"))
    other = led_until(process, 2_000, market, {folder.id})
    os.kill(process.pid, signal.SIGTERM)
    assert process.wait(timeout=60) == 0
    assert other.status()["why"] == "SIGTERM"
    assert replay(other).is_same
    acts = [(act.name, act.details) for act in AuditTrail(market).acts()]
    second_try = ["run.resume", "run.left"]
    told = ["run.start", *second_try, "run.stop", "run.end", "run.start", "run.end"]
    assert [name for name, _ in acts] == told
    assert acts[0][1]["strategies"] == ["ma_cross", "dca"]
    assert "in use by another process" in acts[2][1]["why"]
    assert (acts[3][1]["run"], acts[3][1]["reason"]) == (folder.id, "enough")
    assert acts[6][1] == {"run": other.id, "why": "SIGTERM"}

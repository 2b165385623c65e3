"""A sweep in a process of its own: stopped by Ctrl-C, gone on with, the same as one unstopped."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import polars as pl

from tests.fakes.markets import noise

SWEEP = [
    "sweep", "ma_cross", "--grid", "fast=2:40", "--grid", "slow=50:400", "--method", "random",
    "--trials", "3000", "--workers", "2", "--json", "out.json",
]  # fmt: skip


def started(folder: Path, home: Path, *more: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", "openalpha", *SWEEP, "--data", "bars.parquet", *more],
        cwd=folder, env={**os.environ, "OPENALPHA_HOME": str(home)}, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


def outcome(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "out.json").read_text("utf-8"))
    return found


def test_ctrl_c_keeps_what_is_done_and_resume_ends_the_same(tmp_path: Path) -> None:
    history = noise(4_000)
    names = ("open", "high", "low", "close", "volume")
    bars = pl.DataFrame({"ts": history.ts_ms, **{n: history.column(n) for n in names}})
    bars.write_parquet(tmp_path / "bars.parquet")
    home = tmp_path / "home"
    running = started(tmp_path, home)
    deadline = time.monotonic() + 120
    while not list(home.glob("sweeps/*/batch-*.npz")):
        assert running.poll() is None and time.monotonic() < deadline, running.communicate()
        time.sleep(0.05)
    running.send_signal(signal.SIGINT)
    _, said = running.communicate(timeout=120)
    assert running.returncode == 130 and "--resume" in said and "Traceback" not in said
    part = outcome(tmp_path)
    assert not part["is_complete"] and 0 < part["counts"]["complete"] < 3_000
    ends = []
    for place, more in ((home, ["--resume"]), (tmp_path / "other", [])):
        ended = started(tmp_path, place, *more)
        _, said = ended.communicate(timeout=240)
        assert ended.returncode == 0, said
        made = outcome(tmp_path)
        assert made["is_complete"] and made["counts"]["complete"] == 3_000
        ends.append(made)
    resumed, whole = ends
    assert resumed["top"] == whole["top"] and resumed["verdict"] == whole["verdict"]

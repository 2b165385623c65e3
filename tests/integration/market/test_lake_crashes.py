"""A killed or starved import leaves the lake as it was, whenever it happens."""

import os
import random
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from openalpha.market.lake import Lake

START = 1_577_836_800_000
CHILD = """
import sys
from pathlib import Path
from openalpha.core.clock import SystemClock
from openalpha.market.importers import import_paths
from openalpha.market.lake import Lake
print("go", flush=True)
import_paths(Lake(Path(sys.argv[1])), [Path(sys.argv[2])], clock=SystemClock())
print("done", flush=True)
"""


def market(folder: Path, *, symbols: int, shift: float = 0.0) -> Path:
    """Write two years of hourly bars of some symbols: some fifty month files in the lake."""
    for number in range(symbols):
        rng = np.random.default_rng(number)
        close = np.round(100 + np.cumsum(rng.normal(size=17_520)) * 0.01 + shift, 2)
        opened = np.concatenate(([100.0], close[:-1]))
        frame = pl.DataFrame(
            {
                "ts": START + 3_600_000 * np.arange(17_520),
                "open": opened,
                "high": np.maximum(opened, close),
                "low": np.minimum(opened, close),
                "close": close,
                "volume": rng.integers(1, 100, 17_520).astype(float),
            }
        )
        path = folder / "ohlcv" / "x_linear" / f"S{number}USDT_1h.parquet"
        path.parent.mkdir(parents=True, exist_ok=True)
        frame.write_parquet(path)
    return folder


def start(home: Path, data: Path, **more: object) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", CHILD, str(home), str(data)]
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **more
    )


def contents(home: Path) -> dict[str, str]:
    return {str(info.key): info.fingerprint for info in Lake(home).series()}


def test_kill_9_at_any_moment_leaves_all_or_nothing(tmp_path: Path) -> None:
    data = market(tmp_path / "data", symbols=2)
    first = start(tmp_path / "whole", data)
    assert first.stdout is not None
    first.stdout.readline()
    began = time.monotonic()
    first.communicate(timeout=120)
    lasted = time.monotonic() - began
    whole = contents(tmp_path / "whole")
    assert len(whole) == 2
    moments = random.Random(7)
    outcomes = set()
    for number in range(8):
        home = tmp_path / f"home{number}"
        child = start(home, data)
        assert child.stdout is not None
        assert child.stdout.readline() == "go\n"
        time.sleep(lasted * moments.uniform(0.1, 1.0))
        os.kill(child.pid, signal.SIGKILL)
        child.communicate(timeout=60)
        found = contents(home)
        assert found in ({}, whole), f"half an import after kill {number}"
        outcomes.add(bool(found))
        staging = home / "lake" / ".staging"
        assert not staging.exists() or list(staging.iterdir()) == []
    assert False in outcomes, "no kill came early enough to prove anything"


def test_a_full_disk_is_one_sentence_and_changes_nothing(tmp_path: Path) -> None:
    home = tmp_path / "home"
    small = market(tmp_path / "small", symbols=1)
    assert start(home, small).communicate(timeout=120)[0].endswith("done\n")
    before = contents(home)

    def starve() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (4_000, 4_000))

    large = market(tmp_path / "large", symbols=3)
    child = start(home, large, preexec_fn=starve)
    _, said = child.communicate(timeout=120)
    assert child.returncode != 0
    assert "StorageError" in said
    assert "nothing was changed" in said
    assert contents(home) == before


@pytest.mark.parametrize("after", [0.0, 0.3])
def test_ctrl_c_in_an_import_leaves_nothing(tmp_path: Path, after: float) -> None:
    data = market(tmp_path / "data", symbols=5)
    home = tmp_path / "home"
    command = [sys.executable, "-m", "openalpha", "data", "import", str(data)]
    child = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env={**os.environ, "OPENALPHA_HOME": str(home)},
    )  # fmt: skip
    deadline = time.monotonic() + 60
    staging = home / "lake" / ".staging"
    while not staging.exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    time.sleep(after)
    child.send_signal(signal.SIGINT)
    _, said = child.communicate(timeout=60)
    if child.returncode == 0:
        pytest.skip("the import was quicker than the signal")
    assert child.returncode == 130
    assert "Traceback" not in said
    assert contents(home) == {}

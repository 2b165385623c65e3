"""A run at the twin, killed again and again: no order lost, none doubled, all adds up."""

import json
import os
import random
import re
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from openalpha.core.messages import Environment
from openalpha.store.exchange_key import ExchangeKey
from openalpha.store.keys import Vault
from openalpha.store.run_log import FrameKind, read
from openalpha.trading.analysis.replay import replay
from openalpha.trading.run.folder import run_folders

KILLS = int(os.environ.get("OPENALPHA_TEST_KILLS", "4"))
"""Each costs the start of a process; 20 were tried, the gate makes do with fewer."""
RUN = [
    "run", "--env", "twin", "--feed", "lockstep", "--timeframe", "1m", "--for", "45m",
    "--capital", "40000", "--quiet",
    "--strategy", "ma_cross", "--instrument", "bybit_linear:BTCUSDT",
    "--strategy", "rsi_reversion", "--instrument", "bybit_linear:ETHUSDT",
    "--param", "ma_cross.fast=2", "--param", "ma_cross.slow=5",
    "--param", "rsi_reversion.period=3",
]  # fmt: skip


def openalpha(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "openalpha", *arguments]


@pytest.fixture
def twin() -> Iterator[str]:
    """A twin in lock-step, as a process of its own."""
    process = subprocess.Popen(
        openalpha(
            "twin",
            "--port",
            "0",
            "--lockstep",
            "--lift-limits",
            "--market",
            "linear:BTCUSDT=60000",
            "--market",
            "linear:ETHUSDT=3000",
        ),
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    found = re.search(r"http://[\d.:]+", process.stdout.readline())
    assert found is not None
    yield found[0]
    process.terminate()
    process.wait(timeout=30)
    process.stdout.close()


def asked(url: str, path: str, content: dict[str, Any]) -> dict[str, Any]:
    request = urllib.request.Request(
        url + path, json.dumps(content).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        return dict(json.loads(answer.read()))


def size_of(folder: Any) -> int:
    if folder is None or not folder.log.is_dir():
        return 0
    return sum(path.stat().st_size for path in folder.log.glob("*.log"))


def grown(process: "subprocess.Popen[Any]", home: Path, *, before: int) -> Any:
    """Wait until a life of the run has written into its log."""
    end_s = time.monotonic() + 60
    while time.monotonic() < end_s:
        folder = next(run_folders(home, Environment.TWIN), None)
        if folder is not None and size_of(folder) > before + 300:
            return folder
        assert process.poll() is None, (home.parent / "said.txt").read_text()
        time.sleep(0.01)
    raise AssertionError("the run did not go on in time")


def test_kills_at_the_twin(twin: str, home: Path) -> None:
    account = asked(twin, "/twin/accounts", {"balances": {"USDT": "50000"}})
    key = ExchangeKey(account["api_key"], account["api_secret"], twin)
    Vault(home, environ=os.environ).put("twin", key)
    draw = random.Random(20)
    said = (home.parent / "said.txt").open("w+")
    process = subprocess.Popen(openalpha(*RUN), stderr=said)
    folder: Any = None
    for _ in range(KILLS):
        folder = grown(process, home, before=size_of(folder))
        time.sleep(draw.uniform(0.0, 0.2))
        process.send_signal(signal.SIGKILL)
        process.wait()
        process = subprocess.Popen(openalpha("run", "--resume", folder.id, "--quiet"), stderr=said)
    assert process.wait(timeout=200) == 0, (home.parent / "said.txt").read_text()
    said.close()
    status = folder.status()
    assert (status["mode"], status["incidents"]) == ("ended", 0)
    assert status["reconciliation"] == {"cash": [], "positions": []}, "books, run and twin agree"
    notes = [json.loads(f.payload) for f in read(folder.log, {FrameKind.NOTE, FrameKind.INTENT})]
    links = [note["link"] for note in notes if "order" in note]
    assert len(links) == len(set(links)), "no id is used for two orders"
    execs = [note["exec"] for note in notes if "exec" in note]
    assert len(execs) == len(set(execs)) > 10
    assert replay(folder).is_same

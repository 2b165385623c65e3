"""A trader killed by kill -9 again and again, over loopback, on a real disk: nothing is lost."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from openalpha.core.clock import SystemClock
from openalpha.store.run_log import FrameKind, tail
from openalpha.venue.twin import Exchange, TwinSettings
from tests.fakes.bybit import account
from tests.fakes.twin import BTC, Client, served
from tests.faults.judge import judge
from tests.faults.plans import scripted
from tests.faults.process import lead, make_trader
from tests.faults.trader import Wishes

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize(
    "kills", [4, pytest.param(60, marks=pytest.mark.nightly)], ids=lambda kills: f"{kills} kills"
)
def test_killed_and_started_again_it_holds_what_the_exchange_holds(
    tmp_path: Path, kills: int
) -> None:
    settings = TwinSettings(listings=(BTC,), backfill_days=0, levels=50)
    exchange = Exchange(settings, SystemClock())
    exchange.limits.is_lifted = True
    key = account(exchange)
    draw = random.Random(kills)
    decisions = 20 * kills
    with served(exchange) as url:
        key = type(key)(key.api_key, key.secret, url)
        command = [sys.executable, "-m", "tests.faults.process", str(tmp_path), url]
        command += [key.api_key, key.secret, "3", str(decisions)]
        for _ in range(kills):
            process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
            assert process.stdout is not None
            assert process.stdout.readline() == "started\n"
            time.sleep(draw.uniform(0.3, 3.0))
            os.kill(process.pid, signal.SIGKILL)
            process.wait()
            process.stdout.close()
        trader, socket, network = make_trader(tmp_path, url, key, seed=3, decisions=0)
        # From now on it only looks; the script's decisions of before are on the log.
        trader.plan = _then_rest(seed=3, decisions=decisions, log=tmp_path)
        world = _seen(exchange, trader, key)
        verdict: list[str] = ["not yet quiet"]
        ends = time.monotonic() + 40

        def is_done() -> bool:
            verdict[:] = judge(world) if trader.side.is_recovered else ["not yet recovered"]
            return not verdict or time.monotonic() > ends

        with network:
            lead(trader, socket, until=is_done)
            socket.close()
            trader.log.close()
    assert verdict == []
    assert len(trader.side.record.orders) >= kills, "it traded in between"
    assert trader.heard.fills


def _seen(exchange: Exchange, trader, key):
    """What the judge looks at."""
    found = exchange.state.accounts.by_key(key.api_key)
    assert found is not None
    client = Client(exchange, key.api_key, key.secret, str(found[0].uid))
    return SimpleNamespace(
        exchange=exchange,
        trader=trader,
        client=client,
        account=exchange.state.record(found[0]),
    )


def _then_rest(*, seed: int, decisions: int, log: Path):
    """The script for decisions that are on the log already, nothing after."""
    script = scripted(seed, last=decisions)
    timers = [frame.payload for frame in tail(log) if frame.kind is FrameKind.TIMER]
    made = sum(b'"decide":1' in payload for payload in timers)
    return lambda decision, side: script(decision, side) if decision <= made else Wishes()

"""Real processes killed by kill -9, again and again, and the verdict on what they leave behind."""

import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from openalpha.core.clock import SystemClock
from openalpha.store.exchange_key import ExchangeKey
from openalpha.store.run_log import FrameKind, tail
from openalpha.venue.twin import Exchange, TwinSettings
from tests.fakes.bybit import account
from tests.fakes.postgres_server import PostgresServer, postgres_process
from tests.fakes.twin import BTC, Client, served
from tests.faults.judge import judge
from tests.faults.outcome import outcome
from tests.faults.plans import scripted
from tests.faults.process import lead, make_trader
from tests.faults.trader import Wishes
from tests.faults.tree import PARTS, Tree, as_installed

__all__ = ["KillReport", "kill_order_path", "kill_tree"]

ROOT = Path(__file__).parents[2]
_MINUTES = 60
_LONGEST_DOWN_S = 1.5
_QUIET_S = 60.0


@dataclass
class KillReport:
    """What came of some kills: how many of what, what went wrong, how long the going on took."""

    kills: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)
    recoveries_s: dict[str, list[float]] = field(default_factory=dict)
    orders: int = 0
    executions: int = 0

    def add(self, other: "KillReport") -> None:
        """Take in what came of more."""
        self.kills += other.kills
        self.faults += other.faults
        for name, seconds in other.recoveries_s.items():
            self.recoveries_s.setdefault(name, []).extend(seconds)
        self.orders += other.orders
        self.executions += other.executions


def kill_tree(
    folder: Path, *, seed: int, kills: int, database: PostgresServer | None = None, before: int = 0
) -> KillReport:
    """Kill parts of one installation by turns, at random moments, until its run is over.

    Parameters
    ----------
    folder : Path
        An empty one.
    seed : int
        Of the moments and the order.
    kills : int
        At most so many; then the run is left to come to its end.
    database : PostgresServer, optional
        Where the ledger is, killed too; without it the ledger is a file.
    before : int
        Kills in other installations before: the turns go on from there.
    """
    draw, report = random.Random(seed), KillReport()
    names = [name for name in PARTS if name != "database" or database is not None]
    tree = Tree(folder, database, _MINUTES)
    try:
        tree.begin()
        for number in range(before, before + kills):
            time.sleep(draw.uniform(0.0, 0.8))
            if tree.is_over:
                break
            # The trader every other time, the rest by turns.
            name = "trader" if number % 2 == 0 else names[1 + number // 2 % (len(names) - 1)]
            took_s = tree.kill(name, down_s=draw.uniform(0.0, _LONGEST_DOWN_S))
            report.kills[name] += 1
            report.recoveries_s.setdefault(name, []).append(took_s)
        tree.finish()
        report.faults, counts = outcome(tree)
        report.orders, report.executions = counts["orders"], counts["executions"]
    except AssertionError as error:
        report.faults.append(str(error))
    finally:
        tree.close()
    report.faults = [f"seed {seed}: {fault}" for fault in report.faults]
    return report


def kill_trees(folder: Path, *, seed: int, kills: int) -> KillReport:
    """Kill in one installation after the other until so many kills were made."""
    report = KillReport()
    number = 0
    while report.kills.total() < kills:
        with postgres_process() as database:
            place = folder / str(seed + number)
            made = report.kills.total()
            found = kill_tree(
                place, seed=seed + number, kills=kills - made, database=database, before=made
            )
        report.add(found)
        number += 1
        if not found.kills:
            break
    return report


def kill_order_path(folder: Path, steps: Sequence[int]) -> KillReport:
    """Kill the order path's own process again and again, over loopback, on a real disk.

    Parameters
    ----------
    steps : sequence of int
        For each life the step it dies at; 0: at a random moment.
    """
    exchange = Exchange(TwinSettings(listings=(BTC,), backfill_days=0, levels=50), SystemClock())
    exchange.limits.is_lifted = True
    key, draw = account(exchange), random.Random(len(steps))
    decisions, report = 20 * len(steps), KillReport()
    with served(exchange) as url:
        key = ExchangeKey(key.api_key, key.secret, url)
        command = [sys.executable, "-m", "tests.faults.process", str(folder), url]
        command += [key.api_key, key.secret, "3", str(decisions)]
        for step in steps:
            process = subprocess.Popen(
                [*command, str(step)],
                cwd=ROOT,
                env=as_installed(),
                stdout=subprocess.PIPE,
                text=True,
            )
            assert process.stdout is not None
            if not step:
                assert process.stdout.readline() == "started\n"
                time.sleep(draw.uniform(0.3, 3.0))
                os.kill(process.pid, signal.SIGKILL)
            assert process.wait(timeout=60) == -signal.SIGKILL
            process.stdout.close()
            report.kills["at a step" if step else "at a moment"] += 1
        trader, socket, network = make_trader(folder, url, key, seed=3, decisions=0)
        # From now on it only looks; the script's decisions of before are on the log.
        trader.plan = _then_rest(seed=3, decisions=decisions, log=folder)
        world = _seen(exchange, trader, key)
        report.faults = ["not yet quiet"]
        ends_s = time.monotonic() + _QUIET_S

        def is_done() -> bool:
            report.faults[:] = judge(world) if trader.side.is_recovered else ["not yet recovered"]
            return not report.faults or time.monotonic() > ends_s

        with network:
            lead(trader, socket, until=is_done)
            socket.close()
            trader.log.close()
    report.orders = len(trader.side.record.orders)
    report.executions = len(trader.heard.fills)
    return report


def _seen(exchange: Exchange, trader: Any, key: ExchangeKey) -> Any:
    """What the judge looks at."""
    found = exchange.state.accounts.by_key(key.api_key)
    assert found is not None
    client = Client(exchange, key.api_key, key.secret, str(found[0].uid))
    return SimpleNamespace(
        exchange=exchange, trader=trader, client=client, account=exchange.state.record(found[0])
    )


def _then_rest(*, seed: int, decisions: int, log: Path) -> Callable[..., Wishes]:
    """The script for decisions that are on the log already, nothing after."""
    script = scripted(seed, last=decisions)
    timers = [frame.payload for frame in tail(log) if frame.kind is FrameKind.TIMER]
    made = sum(b'"decide":1' in payload for payload in timers)
    return lambda decision, side: script(decision, side) if decision <= made else Wishes()

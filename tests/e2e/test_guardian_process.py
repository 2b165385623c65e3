"""The guardian as a process of its own beside a trader that is killed, on a twin over HTTP."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from openalpha.core.clock import SystemClock
from openalpha.core.orders import Side
from openalpha.store.audit import AuditTrail
from openalpha.store.exchange_key import ExchangeKey
from openalpha.store.keys import Vault
from openalpha.trading.safety.emergency_lock import Lock, locked, unlock
from openalpha.trading.safety.guardian_heartbeat import Listener
from openalpha.venue.bybit.client import BybitClient
from openalpha.venue.bybit.new_order import NewOrder
from openalpha.venue.twin import Exchange, TwinSettings
from tests.fakes.bybit import account, wire
from tests.fakes.twin import BTC, BTC_SPOT, served

TRADER = """
import pathlib, sys, time
from openalpha.trading.safety.guardian_heartbeat import Heartbeat
heart = Heartbeat(pathlib.Path(sys.argv[1]), "twin")
heart.beat(0)
print("beating", flush=True)
while True:
    time.sleep(0.05)
    heart.beat(0)
"""


class World:
    """A twin, an account with the keys of trader and guardian, and a home."""

    def __init__(self, exchange: Exchange, url: str, home: Path) -> None:
        self.exchange, self.url, self.home = exchange, url, home
        made = exchange.arrange("/twin/accounts", {"balances": {"USDT": "50000"}})
        self.uid = str(made["uid"])
        key = ExchangeKey(made["api_key"], made["api_secret"], url)
        other = exchange.arrange("/twin/keys", {"uid": self.uid})
        self.vault = Vault(home, environ={}, source="file")
        self.vault.put("twin", key)
        self.vault.put("twin.guardian", ExchangeKey(other["api_key"], other["api_secret"], url))
        self.client: BybitClient = wire(exchange, key)[0]

    def trade(self) -> None:
        mine = time.perf_counter_ns()
        market = ("linear", "BTCUSDT", Side.BUY)
        self.client.orders.create(NewOrder(*market, Decimal("0.5"), f"g-{mine}"))
        price = Decimal(40_000)
        self.client.orders.create(NewOrder(*market, Decimal("0.1"), f"g-{mine}-2", price))

    def stands(self) -> tuple[int, int, bool]:
        """Entries, positions, and whether every position has a stop."""
        orders = self.client.orders.open_orders("linear", settle="USDT")
        held = self.client.positions.held("linear", settle="USDT")
        entries = [one for one in orders if not one.is_protective]
        return len(entries), len(held), all(one.stop_loss is not None for one in held)

    @contextmanager
    def guardian(self, *options: str) -> Iterator["subprocess.Popen[str]"]:
        terms = {"silent_cancel_ms": 1500, "silent_flatten_ms": 3500, "poll_ms": 100}
        named = [f"--set=guardian.{name}={value}" for name, value in terms.items()]
        command = [sys.executable, "-m", "openalpha", "guardian", "--env", "twin"]
        running = start([*command, *named, *options], self.home)
        try:
            assert running.stdout is not None
            said = running.stdout.readline()
            assert "watches twin" in said, said
            yield running
        finally:
            end(running)

    @contextmanager
    def trader(self) -> Iterator["subprocess.Popen[str]"]:
        running = start([sys.executable, "-c", TRADER, str(self.home)], self.home)
        try:
            assert running.stdout is not None and running.stdout.readline() == "beating\n"
            yield running
        finally:
            end(running)


def start(command: list[str], home: Path) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "OPENALPHA_HOME": str(home)},
        start_new_session=True,
    )


def end(running: "subprocess.Popen[str]") -> None:
    running.kill()
    running.wait(timeout=10)
    assert running.stdout is not None
    running.stdout.close()


def eventually(holds: Callable[[], bool], *, within_s: float = 40.0) -> None:
    ends = time.monotonic() + within_s
    while not holds():
        assert time.monotonic() < ends, "it did not happen in time"
        time.sleep(0.05)


@pytest.fixture(scope="module")
def venue() -> Iterator[tuple[Exchange, str]]:
    settings = TwinSettings(listings=(BTC, BTC_SPOT), backfill_days=0, levels=50)
    exchange = Exchange(settings, SystemClock())
    exchange.limits.is_lifted = True
    with served(exchange) as url:
        yield exchange, url


@pytest.fixture
def world(venue: tuple[Exchange, str], tmp_path: Path) -> World:
    home = tmp_path / "home"
    home.mkdir()
    (home / "LAYOUT").write_text("1\n")
    return World(*venue, home)


def test_a_killed_trader_is_cancelled_then_flattened_and_locked(world: World) -> None:
    world.trade()
    with world.trader() as trader, world.guardian():
        time.sleep(2.5)
        assert world.stands()[:2] == (1, 1), "while the trader lives nothing happens"
        os.kill(trader.pid, signal.SIGKILL)
        eventually(lambda: world.stands() == (0, 1, True))
        assert locked(world.home, "twin") is None, "a trader that comes back may go on"
        eventually(lambda: world.stands()[1] == 0)
        eventually(lambda: locked(world.home, "twin") is not None)
        assert "silent" in str(locked(world.home, "twin"))


def test_a_hung_trader_is_a_silent_one(world: World) -> None:
    world.trade()
    with world.trader() as trader, world.guardian():
        os.kill(trader.pid, signal.SIGSTOP)
        eventually(lambda: world.stands() == (0, 1, True))
        os.kill(trader.pid, signal.SIGCONT)
        time.sleep(4)
        assert world.stands()[1] == 1, "it speaks again before everything is closed"


def test_a_killed_guardian_leaves_the_trader_as_it_was_and_is_missed(world: World) -> None:
    world.trade()
    ear = Listener(world.home, "twin", role="guardian")
    with world.trader() as trader, world.guardian() as guardian:
        eventually(lambda: ear.silent_ms(time.monotonic_ns() // 1_000_000) == 0)
        os.kill(guardian.pid, signal.SIGKILL)
        eventually(lambda: (ear.silent_ms(time.monotonic_ns() // 1_000_000) or 0) > 500)
        assert trader.poll() is None and world.stands()[:2] == (1, 1)
    with world.guardian() as again:
        assert again.poll() is None, "the dead one's place is free"


def test_a_guardian_that_ends_is_not_missed(world: World) -> None:
    ear = Listener(world.home, "twin", role="guardian")
    with world.guardian() as guardian:
        eventually(lambda: ear.silent_ms(0) is not None)
        guardian.send_signal(signal.SIGTERM)
        assert guardian.wait(timeout=30) == 0
    assert ear.silent_ms(10**9) is None


def test_a_stop_file_flattens_without_a_trader(world: World) -> None:
    world.trade()
    with world.guardian():
        (world.home / "STOP").touch()
        eventually(lambda: world.stands()[:2] == (0, 0))
        eventually(lambda: {"lock", "stop"} <= {act.name for act in AuditTrail(world.home).acts()})


def test_equity_beyond_the_limit_flattens_and_a_withdrawal_does_not(world: World) -> None:
    world.trade()
    with world.guardian():
        ear = Listener(world.home, "twin", role="guardian")
        eventually(lambda: ear.silent_ms(0) is not None)
        time.sleep(1)
        taken = {"uid": world.uid, "coin": "USDT", "amount": "-20000"}
        world.exchange.arrange("/twin/fund", taken)
        time.sleep(2)
        assert world.stands()[1] == 1 and locked(world.home, "twin") is None
        # 0.5 BTC at 60,000 lose a fifth: 6,000 of what is left of 30,000.
        crash = {"category": "linear", "symbol": "BTCUSDT", "event": "gap", "size": "-0.2"}
        world.exchange.arrange("/twin/market", crash)
        eventually(lambda: world.stands()[:2] == (0, 0))
        eventually(lambda: "below its highest" in str(locked(world.home, "twin")))
        unlock(world.home, "twin", why=Lock("test", "test", 1))
        eventually(lambda: locked(world.home, "twin") is not None)


HUNG = """
import pathlib, sys
from openalpha.cli.emergency_act import stop_act
from openalpha.trading.safety.emergency_post import SafetyPost
home = pathlib.Path(sys.argv[1])
post = SafetyPost(home, "twin", stop_act(home, "twin"))
post.start()
post.look(0)
print("beating", flush=True)
while True:
    pass
"""


@pytest.mark.parametrize("by", ["signal", "file"])
def test_a_trader_whose_loop_hangs_is_flat_by_its_own_thread(world: World, by: str) -> None:
    """The kill switch must work where it is needed most: no guardian here, and the loop spins."""
    world.trade()
    hung = start([sys.executable, "-c", HUNG, str(world.home)], world.home)
    try:
        assert hung.stdout is not None and hung.stdout.readline() == "beating\n"
        if by == "signal":
            hung.send_signal(signal.SIGUSR1)
        else:
            (world.home / "STOP.twin").touch()
        eventually(lambda: world.stands()[:2] == (0, 0))
        eventually(lambda: "stop" in [act.name for act in AuditTrail(world.home).acts()])
        assert locked(world.home, "twin") is not None and hung.poll() is None
    finally:
        end(hung)


def test_two_guardians_of_one_environment(world: World) -> None:
    with world.guardian() as first:
        done = said_by(world, "guardian", "--env", "twin")
        assert done.returncode == 1
        assert f"process {first.pid} guards twin already" in done.stderr


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        ("none", "needs a key of its own"),
        ("same", "the guardian's key is the trader's"),
        ("other", "use keys of one account"),
    ],
)
def test_keys_that_will_not_do(world: World, damage: str, words: str) -> None:
    if damage == "none":
        world.vault.remove("twin.guardian")
    elif damage == "same":
        world.vault.put("twin.guardian", world.vault.get("twin"), replaces=True)
    else:
        other = account(world.exchange)
        key = ExchangeKey(other.api_key, other.secret, world.url)
        world.vault.put("twin.guardian", key, replaces=True)
    done = said_by(world, "guardian", "--env", "twin")
    assert done.returncode == 1 and words in done.stderr


def test_it_stays_small(world: World) -> None:
    """Neither ccxt nor numba nor arrays nor a database: it must start at once and fit anywhere."""
    code = """
import sys
from openalpha.cli.border import execute
code = execute(["guardian", "--env", "twin", "--for", "0.5", "--set=guardian.poll_ms=100"])
heavy = {"numba", "ccxt", "numpy", "polars", "pandas", "sqlalchemy", "talib", "apprise"}
print(code, sorted(heavy & set(sys.modules)), len(sys.modules))
import pathlib
status = pathlib.Path("/proc/self/status")
lines = status.read_text().splitlines() if status.exists() else ["VmHWM: 0 kB"]
print(next(int(line.split()[1]) // 1024 for line in lines if line.startswith("VmHWM")))
"""
    done = said_by(world, code=code)
    first, memory_mb = done.stdout.splitlines()[-2:]
    assert first.startswith("0 [] "), done.stdout + done.stderr
    assert int(memory_mb) < 120, "a trader's 350 MB would not do for a guard"


def said_by(world: World, *arguments: str, code: str = "") -> Any:
    command = ["-c", code] if code else ["-m", "openalpha", *arguments]
    return subprocess.run(
        [sys.executable, *command],
        capture_output=True,
        text=True,
        env={**os.environ, "OPENALPHA_HOME": str(world.home)},
        timeout=120,
        check=False,
    )


def test_its_result_is_told_as_json(world: World) -> None:
    done = said_by(world, "guardian", "--env", "twin", "--for", "0.2", "--json", "-")
    assert json.loads(done.stdout)["schema"] == "openalpha.guardian/1"

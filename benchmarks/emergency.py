"""How long `openalpha stop --emergency` takes, from the command to its last word.

The twin is a process of its own and holds to the exchange's rate limits; 500 orders and 20
positions stand there, and a trader that beats its heart: for its sake the command looks again.
"""

import json
import os
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.rows import Bench, Line

POSITIONS, ORDERS_EACH = 20, 25
FLAT = f"{POSITIONS * ORDERS_EACH} orders cancelled, {POSITIONS} closing orders"
START_S = 180.0


def emergency_rows(bench: Bench) -> Iterator[Line]:
    """Stop three accounts, one after the other."""
    took = [_stopped(Path(tempfile.mkdtemp(dir=bench.folder))) for _ in range(3)]
    yield Line(
        "emergency stop, 500 orders and 20 positions",
        f"{median(took):.2f} s",
        ratio=median(took),
        must=2.0,
        is_limit=True,
        note=f"slowest of {len(took)}: {max(took):.2f} s; a trader lives, so it looks twice",
    )


def _stopped(home: Path) -> float:
    """Stop an account in a home of its own; returns seconds."""
    from openalpha.store.exchange_key import ExchangeKey
    from openalpha.store.keys import Vault

    symbols, told = _symbols(), home / "twin.json"
    listed = [f"--market=linear:{symbol}=100" for symbol in symbols]
    call = [sys.executable, "-m", "openalpha", "twin", "--port", "0", "--lift-limits", *listed]
    server = subprocess.Popen([*call, "--json", str(told), "--quiet"])
    is_over = threading.Event()
    try:
        ends = time.monotonic() + START_S
        while not told.exists():
            if server.poll() is not None or time.monotonic() > ends:
                raise RuntimeError("the twin did not start")
            time.sleep(0.1)
        url = json.loads(told.read_text("utf-8"))["url"]
        made = _admin(url, "accounts", {"balances": {"USDT": "5000000"}})
        key = ExchangeKey(made["api_key"], made["api_secret"], url)
        _trade(key, symbols)
        _admin(url, "limits", {"lifted": False})
        Vault(home, environ={}, source="file").put("twin", key)
        _live(home, is_over)
        return _command(home)
    finally:
        is_over.set()
        server.terminate()
        server.wait(timeout=30)


def _live(home: Path, is_over: threading.Event) -> None:
    """Beat the heart of a trader, which does nothing else."""
    from openalpha.trading.safety.guardian_heartbeat import Heartbeat

    heart = Heartbeat(home, "twin")
    heart.beat(0)

    def beat() -> None:
        while not is_over.wait(0.2):
            heart.beat(0)

    threading.Thread(target=beat, daemon=True).start()


def _command(home: Path) -> float:
    environ = {**os.environ, "OPENALPHA_HOME": str(home)}
    stop = [sys.executable, "-m", "openalpha", "stop", "--emergency", "--env", "twin"]
    begun = time.perf_counter()
    done = subprocess.run(
        stop, env=environ, capture_output=True, text=True, timeout=60, check=False
    )
    took_s = time.perf_counter() - begun
    if done.returncode or FLAT not in done.stdout:
        raise RuntimeError(f"not flat: {done.stdout[-500:]}{done.stderr[-500:]}")
    return took_s


def _symbols() -> list[str]:
    from openalpha.market.catalogue import shipped_instruments

    linear = [one for one in shipped_instruments().values() if one.market == "bybit_linear"]
    return [one.symbol for one in linear][:POSITIONS]


def _trade(key: Any, symbols: list[str]) -> None:
    from openalpha.core.clock import SystemClock
    from openalpha.core.orders import Side
    from openalpha.net import HttpTransport
    from openalpha.venue.bybit.channel import Channel
    from openalpha.venue.bybit.client import BybitClient
    from openalpha.venue.bybit.new_order import NewOrder

    with HttpTransport(timeout_s=5.0, total_s=10.0) as network:
        client = BybitClient(Channel(network, key, clock=SystemClock()))
        for symbol in symbols:
            market = ("linear", symbol, Side.BUY, Decimal(10))
            client.orders.create(NewOrder(*market, f"held-{symbol}"))
            for number in range(ORDERS_EACH):
                client.orders.create(NewOrder(*market, f"o{number}-{symbol}", Decimal(50)))
        held = client.positions.held("linear", settle="USDT")
        count = len(client.orders.open_orders("linear", settle="USDT"))
        assert (len(held), count) == (POSITIONS, POSITIONS * ORDERS_EACH), (len(held), count)


def _admin(url: str, what: str, content: dict[str, Any]) -> dict[str, Any]:
    body = json.dumps(content).encode()
    asked = urllib.request.Request(f"{url}/twin/{what}", data=body, method="POST")
    with urllib.request.urlopen(asked, timeout=30) as answer:
        found: dict[str, Any] = json.loads(answer.read())
    return found

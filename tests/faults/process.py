"""The same order path as a process of its own, over real sockets and a real disk, to be killed.

`python -m tests.faults.process FOLDER URL KEY SECRET SEED DECISIONS` trades until it is ended.
"""

import contextlib
import hashlib
import hmac
import json
import queue
import random
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

from openalpha.core.clock import SystemClock
from openalpha.net import HttpTransport
from openalpha.store.disk import RealDisk
from openalpha.store.exchange_key import ExchangeKey
from openalpha.store.run_log import FrameKind, canonical_json
from openalpha.trading.bybit_fates import SideTerms
from openalpha.trading.executor import Executor
from openalpha.venue.bybit.channel import Channel
from tests.faults.network import TOPICS
from tests.faults.plans import scripted
from tests.faults.trader import Trader

COINS = {"linear": ("USDT",)}


class PrivateSocket:
    """The account's pushes, read by a thread; opened again whenever it is cut."""

    def __init__(self, url: str, key: ExchangeKey) -> None:
        self._url = url.replace("http://", "ws://") + "/v5/private"
        self._key = key
        self.pushes: queue.Queue[tuple[FrameKind, bytes]] = queue.Queue()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Hang up."""
        self._over.set()
        self._thread.join(timeout=10)

    def _read(self) -> None:
        from websockets.exceptions import WebSocketException
        from websockets.sync.client import connect

        while not self._over.is_set():
            with (
                contextlib.suppress(WebSocketException, OSError),
                connect(self._url) as socket,
            ):
                stamp = SystemClock().now_ms() + 10_000
                signed = hmac.new(
                    self._key.secret.encode(), f"GET/realtime{stamp}".encode(), hashlib.sha256
                ).hexdigest()
                login = {"op": "auth", "args": [self._key.api_key, stamp, signed]}
                for message in (login, {"op": "subscribe", "args": list(TOPICS)}):
                    socket.send(json.dumps(message))
                up = canonical_json({"what": "private_socket", "is_up": True})
                self.pushes.put((FrameKind.HEALTH, up))
                while not self._over.is_set():
                    with contextlib.suppress(TimeoutError):
                        text = str(socket.recv(timeout=0.2))
                        if '"topic"' in text:
                            self.pushes.put((FrameKind.FEED, text.encode()))
            self._over.wait(0.1)


def make_trader(
    folder: Path, url: str, key: ExchangeKey, *, seed: int, decisions: int
) -> tuple[Trader, PrivateSocket, HttpTransport]:
    """Return a trader that has not started yet, its socket and its network."""
    network = HttpTransport(timeout_s=3.0, total_s=5.0)
    executor = Executor(Channel(network, key, clock=SystemClock()), settle_coins=COINS)
    plan = scripted(seed, last=decisions)
    trader = Trader(RealDisk(), executor, plan, random.Random(), SideTerms(), folder)
    return trader, PrivateSocket(url, key), network


def lead(trader: Trader, socket: PrivateSocket, *, until: Callable[[], bool]) -> None:
    """Start, and trade until told to stop."""
    clock = SystemClock()
    trader.start(clock.now_ms())
    trader.send(clock.now_ms())
    turns = 0
    while not until():
        turns += 1
        with contextlib.suppress(queue.Empty):
            while True:
                kind, push = socket.pushes.get_nowait()
                trader.take(kind, push, clock.now_ms())
        for reply in trader.answered(clock.now_ms()):
            trader.take(FrameKind.REPLY, reply, clock.now_ms())
        decide = turns % 2 == 0 and trader.side.is_recovered
        timer = canonical_json({"decide": int(decide)})
        trader.take(FrameKind.TIMER, timer, clock.now_ms())
        trader.send(clock.now_ms())
        time.sleep(0.02)


def main() -> None:
    """Trade until killed."""
    folder, url, api_key, secret, seed, decisions = sys.argv[1:]
    key = ExchangeKey(api_key, secret, url)
    trader, socket, _ = make_trader(
        Path(folder), url, key, seed=int(seed), decisions=int(decisions)
    )
    print("started", flush=True)
    lead(trader, socket, until=lambda: False)


if __name__ == "__main__":
    main()

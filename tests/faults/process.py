"""The same order path as a process of its own, over real sockets and a real disk, to be killed.

`python -m tests.faults.process FOLDER URL KEY SECRET SEED DECISIONS STEP` trades until it is ended,
or kills itself at a step of its order path (0: at none). The steps are those of `Steps` in memory.
"""

import contextlib
import hashlib
import hmac
import json
import os
import queue
import random
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

from openalpha.core.clock import SystemClock
from openalpha.net import HttpTransport, Request, Response
from openalpha.store.disk import AppendFile, RealDisk
from openalpha.store.exchange_key import ExchangeKey
from openalpha.store.run_log import FrameKind, canonical_json
from openalpha.trading.bybit.executor import Executor
from openalpha.trading.bybit.fates import SideTerms
from openalpha.venue.bybit.channel import Channel
from tests.faults.network import TOPICS
from tests.faults.plans import scripted
from tests.faults.trader import Trader

COINS = {"linear": ("USDT",)}


class Death:
    """Counts the steps of the order path and kills this process at one of them."""

    def __init__(self, at: int) -> None:
        self._at, self._count = at, 0

    def __call__(self) -> None:
        """One more step."""
        self._count += 1
        if self._count == self._at:
            os.kill(os.getpid(), signal.SIGKILL)


class SteppedFile:
    """A file of the machine whose writes and syncs are steps."""

    def __init__(self, file: AppendFile, step: Death) -> None:
        self._file, self._step = file, step
        self.truncate, self.close = file.truncate, file.close

    def write(self, content: bytes) -> None:
        """A step, then the write."""
        self._step()
        self._file.write(content)

    def sync(self) -> None:
        """A step on either side of the sync."""
        self._step()
        self._file.sync()
        self._step()


class SteppedDisk(RealDisk):
    """The machine's disk, its appended files stepped."""

    def __init__(self, step: Death) -> None:
        self._step = step

    def appender(self, path: Path, *, at: int) -> AppendFile:
        """See `Disk`."""
        return SteppedFile(super().appender(path, at=at), self._step)


class SteppedNetwork:
    """The network; a request's way out and its way back are steps."""

    def __init__(self, network: HttpTransport, step: Death) -> None:
        self._network, self._step = network, step

    def send(self, request: Request) -> Response:
        """See `Transport`."""
        self._step()
        response = self._network.send(request)
        self._step()
        return response


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
    folder: Path, url: str, key: ExchangeKey, *, seed: int, decisions: int, dies_at: int = 0
) -> tuple[Trader, PrivateSocket, HttpTransport]:
    """Return a trader that has not started yet, its socket and its network."""
    network = HttpTransport(timeout_s=3.0, total_s=5.0)
    step = Death(dies_at)
    channel = Channel(SteppedNetwork(network, step), key, clock=SystemClock())
    executor = Executor(channel, settle_coins=COINS)
    plan = scripted(seed, last=decisions)
    trader = Trader(SteppedDisk(step), executor, plan, random.Random(), SideTerms(), folder)
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
    folder, url, api_key, secret, seed, decisions, step = sys.argv[1:]
    key = ExchangeKey(api_key, secret, url)
    trader, socket, _ = make_trader(
        Path(folder),
        url,
        key,
        seed=int(seed),
        decisions=int(decisions),
        dies_at=int(step),
    )
    print("started", flush=True)
    lead(trader, socket, until=lambda: False)


if __name__ == "__main__":
    main()

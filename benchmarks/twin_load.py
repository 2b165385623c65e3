"""Orders against a served twin: as many as it takes, or at a pace; prints the figures as JSON.

    python -m benchmarks.twin_load URL --sockets 200 --seconds 5 [--pace 200]

A client of its own, apart from the server's process, made to take as little of the machine as it
can: requests are written and signed before the clock runs, then sent over keep-alive connections,
each waiting for its answer; the sockets read all they are sent and throw it away. Half of the
orders are limit orders that rest and are cancelled (the cancel is asked for and not counted), half
market orders that trade.
"""

import argparse
import asyncio
import hashlib
import hmac
import json
import time
import urllib.request
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any, cast

import uvloop

CONNECTIONS = 32
MOST_ORDERS_A_SECOND = 6_000
WINDOW_MS = 60_000
PUBLIC_TOPICS = ("orderbook.50.BTCUSDT", "tickers.BTCUSDT", "publicTrade.BTCUSDT")
PRIVATE_TOPICS = ("order", "execution", "position", "wallet")
MARKET = {"category": "linear", "symbol": "BTCUSDT"}

Step = tuple[bytes, bytes]
"""An order's request, and the cancel that follows it (empty for a market order)."""


@dataclass
class Load:
    """What one run sends and finds."""

    account: dict[str, str]
    pace: float = 0.0
    begun_s: float = 0.0
    ends_s: float = 0.0
    times_s: list[float] = field(default_factory=list)
    heard: int = 0
    failed: int = 0

    def request(self, path: str, params: dict[str, Any]) -> bytes:
        """Write and sign a request; it is good for a minute."""
        body, key = json.dumps(params), self.account["api_key"]
        stamp = str(time.time_ns() // 1_000_000)
        signed = _signed(self.account, f"{stamp}{key}{WINDOW_MS}{body}")
        return (
            f"POST {path} HTTP/1.1\r\nHost: twin\r\nX-BAPI-API-KEY: {key}\r\n"
            f"X-BAPI-TIMESTAMP: {stamp}\r\nX-BAPI-RECV-WINDOW: {WINDOW_MS}\r\n"
            f"X-BAPI-SIGN: {signed}\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\n\r\n{body}"
        ).encode()

    def steps(self, count: int, *, name: str) -> Iterator[Step]:
        """Yield what one connection sends."""
        for number in range(count):
            order = {**MARKET, "qty": "0.001", "side": "Buy" if number % 4 < 2 else "Sell"}
            if number % 2 == 0:
                yield self.request("/v5/order/create", {**order, "orderType": "Market"}), b""
                continue
            link = {"orderLinkId": f"{name}-{number}"}
            price = "50000" if order["side"] == "Buy" else "70000"
            limit = {**order, "orderType": "Limit", "price": price, **link}
            cancel = self.request("/v5/order/cancel", {**MARKET, **link})
            yield self.request("/v5/order/create", limit), cancel


class Trader(asyncio.Protocol):
    """One keep-alive connection: an order, its answer, the next order."""

    def __init__(self, load: Load, steps: deque[Step], *, offset: float) -> None:
        self.load, self.steps = load, steps
        self.next_s = load.begun_s + offset
        self.done = asyncio.get_running_loop().create_future()
        self.cancel, self.sent_s, self.answer = b"", 0.0, b""
        self.is_order = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)  # uvloop's own are no subclass
        self._wait()

    def _wait(self) -> None:
        """Send the next order when it is due."""
        if not self.load.pace:
            self._order()
            return
        late = self.next_s - time.perf_counter()
        self.next_s += CONNECTIONS / self.load.pace
        asyncio.get_running_loop().call_later(max(late, 0.0), self._order)

    def _order(self) -> None:
        self.sent_s = time.perf_counter()
        if self.sent_s > self.load.ends_s or not self.steps:
            self.transport.close()
            self.done.set_result(None)
            return
        order, self.cancel = self.steps.popleft()
        self.is_order = True
        self.transport.write(order)

    def data_received(self, data: bytes) -> None:
        self.answer += data
        head, ends, body = self.answer.partition(b"\r\n\r\n")
        length = head.rpartition(b"content-length: ")[2].partition(b"\r\n")[0]
        if not ends or len(body) < int(length):
            return
        self.answer = b""
        self.load.failed += b'"retCode":0,' not in body
        if self.is_order:
            self.load.times_s.append(time.perf_counter() - self.sent_s)
            self.is_order = False
            if self.cancel:
                self.transport.write(self.cancel)
                return
        self._wait()


class Ear(asyncio.BufferedProtocol):
    """One socket that reads all it is sent."""

    room = memoryview(bytearray(1 << 18))

    def __init__(self, load: Load) -> None:
        self.load = load
        self.is_open = asyncio.get_running_loop().create_future()

    def get_buffer(self, sizehint: int) -> memoryview:
        return self.room

    def buffer_updated(self, nbytes: int) -> None:
        self.load.heard += nbytes
        if not self.is_open.done():
            self.is_open.set_result(None)

    def connection_lost(self, exc: Exception | None) -> None:
        self.load.failed += time.perf_counter() < self.load.ends_s


async def listen(load: Load, account: dict[str, str] | None, *, at: tuple[str, int]) -> None:
    """Open one socket and subscribe: a private one of an account, or a public one.

    Only the trading account's own socket hears of the orders, as on a venue.
    """
    path = "/v5/public/linear" if account is None else "/v5/private"
    transport, ear = await asyncio.get_running_loop().create_connection(lambda: Ear(load), *at)
    transport.write(
        f"GET {path} HTTP/1.1\r\nHost: twin\r\nUpgrade: websocket\r\n"
        "Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
        "Sec-WebSocket-Version: 13\r\n\r\n".encode()
    )
    await ear.is_open
    topics: tuple[str, ...] = PUBLIC_TOPICS
    if account is not None:
        topics = PRIVATE_TOPICS
        stamp = time.time_ns() // 1_000_000 + 60_000
        signed = _signed(account, f"GET/realtime{stamp}")
        transport.write(_frame({"op": "auth", "args": [account["api_key"], stamp, signed]}))
    transport.write(_frame({"op": "subscribe", "args": list(topics)}))


def _signed(account: dict[str, str], text: str) -> str:
    return hmac.new(account["api_secret"].encode(), text.encode(), hashlib.sha256).hexdigest()


def _frame(message: dict[str, Any]) -> bytes:
    """Return one masked text frame (the mask is 0)."""
    body = json.dumps(message).encode()
    size = len(body)
    head = bytes((0x81, 0x80 | size)) if size < 126 else b"\x81\xfe" + size.to_bytes(2, "big")
    return head + bytes(4) + body


def open_account(url: str) -> dict[str, str]:
    """Open an account with enough money."""
    body = json.dumps({"balances": {"USDT": "50000000"}}).encode()
    asked = urllib.request.Request(f"{url}/twin/accounts", data=body, method="POST")
    with urllib.request.urlopen(asked, timeout=30) as reply:
        account: dict[str, str] = json.load(reply)
    return account


def _itself(trader: Trader) -> Trader:
    return trader


async def measure(url: str, *, sockets: int, seconds: float, pace: float) -> dict[str, Any]:
    """Open the sockets, trade for so long, and sum it up."""
    account, *others = (open_account(url) for _ in range(11))
    host, _, port = url.removeprefix("http://").partition(":")
    at, load = (host, int(port)), Load(account, pace=pace)
    for number in range(sockets):
        mine = account if number == 1 else others[number % len(others)]
        await listen(load, mine if number % 2 else None, at=at)
    each = int(seconds * min(pace or MOST_ORDERS_A_SECOND, MOST_ORDERS_A_SECOND) / CONNECTIONS) + 2
    plans = [deque(load.steps(each, name=f"c{n}")) for n in range(CONNECTIONS)]
    await asyncio.sleep(0.5)
    load.heard, spent = 0, time.process_time()
    load.begun_s = time.perf_counter()
    load.ends_s = load.begun_s + seconds
    traders = [
        Trader(load, plan, offset=number / pace if pace else 0.0)
        for number, plan in enumerate(plans)
    ]
    for trader in traders:
        await asyncio.get_running_loop().create_connection(partial(_itself, trader), *at)
    await asyncio.wait_for(asyncio.gather(*(one.done for one in traders)), timeout=seconds + 30)
    took = time.perf_counter() - load.begun_s
    times = sorted(load.times_s)
    return {
        "orders": len(times),
        "orders_per_s": len(times) / took,
        "p50_ms": times[len(times) // 2] * 1e3,
        "p99_ms": times[len(times) * 99 // 100] * 1e3,
        "socket_bytes_per_s": load.heard / took,
        "client_cpu_ms_an_order": (time.process_time() - spent) / len(times) * 1e3,
        "failed": load.failed,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url")
    parser.add_argument("--sockets", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--pace", type=float, default=0.0)
    options = parser.parse_args()
    measured = measure(
        options.url, sockets=options.sockets, seconds=options.seconds, pace=options.pace
    )
    print(json.dumps(uvloop.run(measured)))


if __name__ == "__main__":
    main()

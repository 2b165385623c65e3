"""Orders against a served twin: as many as it takes, or at a pace; prints the figures as JSON.

    python -m benchmarks.twin_load URL --sockets 200 --seconds 5 [--pace 200]

A client of its own, apart from the server's process: keep-alive connections, signed requests, and
sockets that read all they are sent. Half of the orders are limit orders that rest and are cancelled
(the cancel is not counted), half market orders that trade.
"""

import argparse
import asyncio
import hashlib
import hmac
import json
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

CONNECTIONS = 16
PUBLIC_TOPICS = ("orderbook.50.BTCUSDT", "tickers.BTCUSDT", "publicTrade.BTCUSDT")
PRIVATE_TOPICS = ("order", "execution", "position", "wallet")


@dataclass
class Load:
    """What one run sends and finds."""

    host: str
    port: int
    account: dict[str, str]
    others: list[dict[str, str]]
    pace: float = 0.0
    ends_s: float = 0.0
    times_s: list[float] = field(default_factory=list)
    heard: int = 0
    failed: int = 0

    def request(self, path: str, params: dict[str, Any]) -> bytes:
        body = json.dumps(params)
        stamp = str(time.time_ns() // 1_000_000)
        text = f"{stamp}{self.account['api_key']}5000{body}".encode()
        signed = hmac.new(self.account["api_secret"].encode(), text, hashlib.sha256).hexdigest()
        return (
            f"POST {path} HTTP/1.1\r\nHost: twin\r\nX-BAPI-API-KEY: {self.account['api_key']}\r\n"
            f"X-BAPI-TIMESTAMP: {stamp}\r\nX-BAPI-RECV-WINDOW: 5000\r\nX-BAPI-SIGN: {signed}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n{body}"
        ).encode()

    async def ask(
        self,
        streams: tuple[asyncio.StreamReader, asyncio.StreamWriter],
        path: str,
        *,
        params: dict[str, Any],
    ) -> dict[str, Any]:
        reader, writer = streams
        writer.write(self.request(path, params))
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
        answer: dict[str, Any] = json.loads(await reader.readexactly(length))
        self.failed += answer["retCode"] != 0
        return answer

    def orders(self) -> Iterator[dict[str, Any]]:
        usual = {"category": "linear", "symbol": "BTCUSDT", "qty": "0.001"}
        number = 0
        while True:
            side = "Buy" if number % 4 < 2 else "Sell"
            if number % 2:
                price = "50000" if side == "Buy" else "70000"
                yield {**usual, "side": side, "orderType": "Limit", "price": price}
            else:
                yield {**usual, "side": side, "orderType": "Market"}
            number += 1

    async def trade(self, offset: int) -> None:
        streams = await asyncio.open_connection(self.host, self.port)
        begun = time.perf_counter()
        for number, order in enumerate(self.orders()):
            if self.pace:
                due = begun + (number + offset / CONNECTIONS) * CONNECTIONS / self.pace
                await asyncio.sleep(max(0.0, due - time.perf_counter()))
            sent = time.perf_counter()
            if sent > self.ends_s:
                break
            answer = await self.ask(streams, "/v5/order/create", params=order)
            self.times_s.append(time.perf_counter() - sent)
            if order["orderType"] == "Limit" and answer["retCode"] == 0:
                name = {"orderId": answer["result"]["orderId"]}
                market = {"category": "linear", "symbol": "BTCUSDT"}
                await self.ask(streams, "/v5/order/cancel", params={**market, **name})
        streams[1].close()

    async def listen(self, number: int, ready: asyncio.Semaphore) -> None:
        """Hold one socket open and read all it is sent; every second one is private.

        Only the trading account's own socket hears of the orders, as on a venue.
        """
        path = "/v5/private" if number % 2 else "/v5/public/linear"
        reader, writer = await asyncio.open_connection(self.host, self.port)
        writer.write(
            f"GET {path} HTTP/1.1\r\nHost: twin\r\nUpgrade: websocket\r\n"
            "Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
            "Sec-WebSocket-Version: 13\r\n\r\n".encode()
        )
        await reader.readuntil(b"\r\n\r\n")
        if number % 2:
            account = self.account if number == 1 else self.others[number % len(self.others)]
            stamp = time.time_ns() // 1_000_000 + 60_000
            text = f"GET/realtime{stamp}".encode()
            signed = hmac.new(account["api_secret"].encode(), text, hashlib.sha256).hexdigest()
            _say(writer, {"op": "auth", "args": [account["api_key"], stamp, signed]})
        topics = PRIVATE_TOPICS if number % 2 else PUBLIC_TOPICS
        _say(writer, {"op": "subscribe", "args": list(topics)})
        ready.release()
        while chunk := await reader.read(1 << 16):
            self.heard += len(chunk)
        self.failed += 1


def _say(writer: asyncio.StreamWriter, message: dict[str, Any]) -> None:
    """Send one masked text frame (the mask is 0)."""
    body = json.dumps(message).encode()
    size = len(body)
    head = bytes((0x81, 0x80 | size)) if size < 126 else b"\x81\xfe" + size.to_bytes(2, "big")
    writer.write(head + bytes(4) + body)


def open_account(url: str) -> dict[str, str]:
    body = json.dumps({"balances": {"USDT": "50000000"}}).encode()
    asked = urllib.request.Request(f"{url}/twin/accounts", data=body, method="POST")
    with urllib.request.urlopen(asked, timeout=30) as reply:
        account: dict[str, str] = json.load(reply)
    return account


async def measure(load: Load, *, sockets: int, seconds: float) -> dict[str, Any]:
    """Open the sockets, trade for so long, and sum it up."""
    ready = asyncio.Semaphore(0)
    ears = [asyncio.create_task(load.listen(n, ready)) for n in range(sockets)]
    for _ in ears:
        await ready.acquire()
    await asyncio.sleep(0.5)
    load.heard = 0
    begun = time.perf_counter()
    load.ends_s = begun + seconds
    await asyncio.gather(*(load.trade(n) for n in range(CONNECTIONS)))
    took = time.perf_counter() - begun
    for ear in ears:
        ear.cancel()
    await asyncio.gather(*ears, return_exceptions=True)
    times = sorted(load.times_s)
    return {
        "orders": len(times),
        "orders_per_s": len(times) / took,
        "p50_ms": times[len(times) // 2] * 1e3,
        "p99_ms": times[len(times) * 99 // 100] * 1e3,
        "socket_bytes_per_s": load.heard / took,
        "failed": load.failed,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url")
    parser.add_argument("--sockets", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--pace", type=float, default=0.0)
    options = parser.parse_args()
    account, *others = (open_account(options.url) for _ in range(11))
    host, _, port = options.url.removeprefix("http://").partition(":")
    load = Load(host, int(port), account, others, pace=options.pace)
    figures = measure(load, sockets=options.sockets, seconds=options.seconds)
    print(json.dumps(asyncio.run(figures)))


if __name__ == "__main__":
    main()

"""A small Bybit of our own: its public market data, on loopback or in memory, with faults to order.

Every value is a function of its stamp, so the truth of any series is known.
"""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar
from urllib.parse import parse_qs, urlsplit

from openalpha.core.clock import HOUR_MS, MINUTE_MS
from openalpha.core.errors import VenueUnavailable
from openalpha.net import MemoryTransport, Request, Response

STEPS_MS = {"1": MINUTE_MS, "5": 5 * MINUTE_MS, "15": 15 * MINUTE_MS, "60": HOUR_MS}
FAULTS = (
    "die", "10006", "403", "500", "malformed", "empty", "short", "duplicate", "twice", "shuffled",
    "impossible", "no list",
)  # fmt: skip
Answer = tuple[int, dict[str, str], bytes]


class Died(Exception):
    """The server is to drop the connection without an answer."""


def bar_of(ts_ms: int, step_ms: int, shift: int = 0) -> list[str]:
    """Return the true bar of a stamp: open, high, low, close and volume as Bybit's texts."""
    number = ts_ms // step_ms
    opening, close = (400_000 + shift + (n * 7919) % 5000 for n in (number, number + 1))
    high, low = max(opening, close) + number % 40, min(opening, close) - number % 30
    prices = [f"{value / 10:.1f}" for value in (opening, high, low, close)]
    return [*prices, f"{(number * 37 % 9000 + 1) / 1000:.3f}"]


def rate_of(ts_ms: int) -> str:
    """Return the true funding rate of a stamp."""
    return f"{(ts_ms // HOUR_MS * 31 % 400 - 150) / 1e6:.6f}"


def interest_of(ts_ms: int) -> str:
    """Return the true open interest of a stamp."""
    return f"{50_000 + ts_ms // HOUR_MS * 17 % 3000}.125"


class BybitServer:
    """The venue: listed since `launch_ms`, now at `now_ms` by its own clock.

    `faults` are used up one a market-data request, in order; "" serves as it should. `down_after`
    requests the server answers no more until it is set to None.
    """

    symbols: ClassVar[tuple[str, ...]] = ("BTCUSDT", "ETHUSDT")

    def __init__(self, *, launch_ms: int, now_ms: int, funding_hours: int = 8) -> None:
        self.launch_ms = launch_ms
        self.stated_launch_ms = launch_ms
        self.now_ms = now_ms
        self.funding_hours = funding_hours
        self.faults: list[str] = []
        self.down_after: int | None = None
        self.holes: list[tuple[int, int]] = []
        self.served: list[str] = []
        self.archive: dict[str, bytes] = {}
        self._last: dict[str, list[Any]] = {}
        self._lock = threading.Lock()

    def answer(self, url: str) -> Answer:
        """Return status, headers and body; raises `Died` where no answer shall come."""
        parts = urlsplit(url)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        with self._lock:
            if self.down_after is not None and len(self.served) >= self.down_after:
                raise Died
            self.served.append(url)
            if parts.path in self.archive:
                return 200, {}, self.archive[parts.path]
            if parts.path == "/v5/market/time":
                return self._envelope({"timeSecond": str(self.now_ms // 1000)})
            if parts.path == "/v5/market/instruments-info":
                return self._envelope(self._page([self._rules(query.get("symbol", "BTCUSDT"))]))
            if parts.path == "/v5/market/risk-limit":
                return self._envelope(self._page(self._tiers(query["symbol"])))
            rows = self._rows(parts.path, query)
            if rows is None:
                return 404, {}, b"not here"
            fault = self.faults.pop(0) if self.faults else ""
            return self._spoiled(fault, parts.path, rows)

    def _rows(self, path: str, query: dict[str, str]) -> list[Any] | None:
        if path.endswith("/funding/history"):
            step = self.funding_hours * HOUR_MS
            stamps = self._stamps(step, query["startTime"], query["endTime"], query["limit"], 200)
            return [
                {
                    "symbol": query["symbol"],
                    "fundingRate": rate_of(ts),
                    "fundingRateTimestamp": str(ts),
                }
                for ts in stamps
            ]
        if path.endswith("/open-interest"):
            stamps = self._stamps(
                HOUR_MS, query["startTime"], query["endTime"], query["limit"], 200
            )
            return [{"openInterest": interest_of(ts), "timestamp": str(ts)} for ts in stamps]
        shifts = {"kline": 0, "mark-price-kline": 3, "index-price-kline": -2}
        shift = shifts.get(path.rsplit("/", 1)[-1])
        if shift is None:
            return None
        step = STEPS_MS[query["interval"]]
        stamps = self._stamps(step, query["start"], query["end"], query["limit"], 1000)
        width = 5 if shift == 0 else 4
        turnover = ["1000"] if shift == 0 else []
        return [[str(ts), *bar_of(ts, step, shift)[:width], *turnover] for ts in stamps]

    def _stamps(self, step: int, start: str, end: str, limit: str, most: int) -> list[int]:
        first = -(-max(int(start), self.launch_ms) // step) * step
        stamps = [
            ts
            for ts in range(first, min(int(end), self.now_ms) + 1, step)
            if not any(begin <= ts < stop for begin, stop in self.holes)
        ]
        return stamps[::-1][: min(int(limit), most)]

    def _spoiled(self, fault: str, path: str, rows: list[Any]) -> Answer:
        last, self._last[path] = self._last.get(path, []), rows
        if fault == "die":
            raise Died
        if fault == "10006":
            headers = {"X-Bapi-Limit-Reset-Timestamp": str(self.now_ms + 50)}
            return self._envelope({}, code=10006, message="Too many visits!", headers=headers)
        if fault in ("403", "500"):
            return int(fault), {}, b"<html>access too frequent</html>"
        if fault == "malformed":
            body = self._envelope(self._page(rows))[2]
            return 200, {}, body[: len(body) // 2]
        if fault == "no list":
            return self._envelope({})
        changed = {
            "empty": [],
            "short": rows[: len(rows) // 2],
            "duplicate": last,
            "twice": [*rows, *rows[: len(rows) // 3]],
            "shuffled": rows[1::2] + rows[::2],
            "impossible": [self._impossible(row) for row in rows],
        }
        return self._envelope(self._page(changed.get(fault, rows)))

    @staticmethod
    def _impossible(row: Any) -> Any:
        if isinstance(row, dict):
            return {name: "" if name in ("fundingRate", "openInterest") else value
                    for name, value in row.items()}  # fmt: skip
        return [row[0], row[1], "1.0", *row[3:]]

    def _page(self, rows: list[Any]) -> dict[str, Any]:
        return {"category": "linear", "list": rows, "nextPageCursor": ""}

    def _envelope(
        self,
        result: dict[str, Any],
        *,
        code: int = 0,
        message: str = "OK",
        headers: dict[str, str] | None = None,
    ) -> Answer:
        envelope = {"retCode": code, "retMsg": message, "result": result, "retExtInfo": {}}
        body = json.dumps({**envelope, "time": self.now_ms}).encode()
        return 200, {"Content-Type": "application/json", **(headers or {})}, body

    def _rules(self, symbol: str) -> dict[str, Any]:
        if symbol not in self.symbols:
            return {}
        return {
            "symbol": symbol,
            "contractType": "LinearPerpetual",
            "status": "Trading",
            "baseCoin": symbol[:3],
            "quoteCoin": "USDT",
            "settleCoin": "USDT",
            "launchTime": str(self.stated_launch_ms),
            "priceScale": "2",
            "leverageFilter": {"minLeverage": "1", "maxLeverage": "100.00", "leverageStep": "0.01"},
            "priceFilter": {"minPrice": "0.10", "maxPrice": "1999999.80", "tickSize": "0.10"},
            "lotSizeFilter": {
                "maxOrderQty": "1190.000",
                "minOrderQty": "0.001",
                "qtyStep": "0.001",
                "maxMktOrderQty": "500.000",
                "minNotionalValue": "5",
            },
            "unifiedMarginTrade": True,
            "fundingInterval": self.funding_hours * 60,
        }

    @staticmethod
    def _tiers(symbol: str) -> list[dict[str, Any]]:
        rows = [
            ("2000000", "0.005", "0.01", "100.00", ""),
            ("4000000", "0.0056", "0.0112", "89.29", "1200"),
        ]
        names = (
            "riskLimitValue",
            "maintenanceMargin",
            "initialMargin",
            "maxLeverage",
            "mmDeduction",
        )
        return [
            {"id": place, "symbol": symbol, **dict(zip(names, row, strict=True))}
            for place, row in enumerate(rows, 1)
        ]

    def transport(self) -> MemoryTransport:
        """Return the venue as a network in memory."""

        def send(request: Request) -> Response:
            try:
                status, headers, body = self.answer(request.url)
            except Died:
                raise VenueUnavailable("the venue dropped the connection") from None
            return Response(status, {name.lower(): text for name, text in headers.items()}, body)

        return MemoryTransport(send)


@contextmanager
def listening(venue: BybitServer) -> Iterator[str]:
    """Serve the venue on loopback; yields its address."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            try:
                status, headers, body = venue.answer(self.path)
            except Died:
                self.close_connection = True
                return
            self.send_response(status)
            for name, text in headers.items():
                self.send_header(name, text)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()

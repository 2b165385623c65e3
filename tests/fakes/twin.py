"""A client of a twin in this process: signs like any client, no socket between."""

import hashlib
import hmac
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

from openalpha.core.clock import ManualClock, SystemClock
from openalpha.venue.twin import Exchange, ListingSpec, Reply, Request, TwinSettings
from openalpha.venue.twin.sockets import Hub, Session

START_MS = 1_700_000_000_000
BTC = ListingSpec("linear", "BTCUSDT", Decimal(60_000))
BTC_SPOT = ListingSpec("spot", "BTCUSDT", Decimal(60_000))
BTC_USD = ListingSpec("inverse", "BTCUSD", Decimal(60_000))
LINEAR = {"category": "linear", "symbol": "BTCUSDT"}
SPOT = {"category": "spot", "symbol": "BTCUSDT"}
INVERSE = {"category": "inverse", "symbol": "BTCUSD"}


class Refusal(AssertionError):
    """The twin answered with a code other than 0."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message


def new_exchange(*listings: ListingSpec, **more: Any) -> Exchange:
    """A venue of one market (or those given) that stands still until its clock is moved."""
    settings = TwinSettings(listings=listings or (BTC,), backfill_days=0, levels=50, **more)
    exchange = Exchange(settings, ManualClock(START_MS))
    exchange.limits.is_lifted = True
    return exchange


def sign(account: dict[str, str], text: str, stamp: str) -> dict[str, str]:
    """The headers of a request of an account, its query or body being `text`."""
    plain = f"{stamp}{account['api_key']}5000{text}".encode()
    return {
        "X-BAPI-API-KEY": account["api_key"],
        "X-BAPI-TIMESTAMP": stamp,
        "X-BAPI-RECV-WINDOW": "5000",
        "X-BAPI-SIGN": hmac.new(account["api_secret"].encode(), plain, hashlib.sha256).hexdigest(),
    }


@dataclass
class Client:
    """One account's client."""

    exchange: Exchange
    key: str = ""
    secret: str = ""
    uid: str = ""
    last: Reply | None = field(default=None, repr=False)

    @classmethod
    def of(cls, exchange: Exchange, **balances: str) -> "Client":
        uid, key, secret = exchange.add_account(**(balances or {"USDT": "50000"}))
        return cls(exchange, key, secret, uid)

    def request(self, method: str, path: str, *, query: str = "", body: bytes = b"") -> Any:
        keys = {"api_key": self.key, "api_secret": self.secret}
        signed = sign(keys, body.decode() or query, str(self.exchange.now_ms()))
        headers = {name.lower(): value for name, value in signed.items()}
        self.last = self.exchange.request(Request(method, path, query, body, headers))
        return json.loads(self.last.body)

    def get(self, path: str, **params: Any) -> Any:
        answer = self.request("GET", path, query=urlencode(params))
        if answer["retCode"]:
            raise Refusal(answer["retCode"], answer["retMsg"])
        return answer["result"]

    def post(self, path: str, **params: Any) -> Any:
        answer = self.request("POST", path, body=json.dumps(params).encode())
        if answer["retCode"]:
            raise Refusal(answer["retCode"], answer["retMsg"])
        return answer["result"]

    def order(self, side: str, qty: str, price: str = "", **more: Any) -> str:
        """Place a linear order (limit where a price is given); returns its id."""
        params: dict[str, Any] = {**LINEAR, "side": side, "qty": qty, **more}
        params["orderType"] = "Limit" if price else "Market"
        if price:
            params["price"] = price
        return str(self.post("/v5/order/create", **params)["orderId"])

    def shown(self, order_id: str, **market: str) -> dict[str, Any]:
        """An order as realtime or history shows it."""
        for path in ("/v5/order/realtime", "/v5/order/history"):
            rows = self.get(path, **(market or LINEAR), orderId=order_id)["list"]
            if rows:
                return dict(rows[0])
        raise AssertionError(f"the venue does not know {order_id}")

    def position(self, **more: Any) -> dict[str, Any]:
        return dict(self.get("/v5/position/list", **(more or LINEAR))["list"][0])

    def wallet(self) -> dict[str, Any]:
        return dict(self.get("/v5/account/wallet-balance", accountType="UNIFIED")["list"][0])

    def balance(self, coin: str = "USDT") -> Decimal:
        for row in self.wallet()["coin"]:
            if row["coin"] == coin:
                return Decimal(row["walletBalance"])
        return Decimal(0)


class Ear:
    """A socket of a client in this process."""

    def __init__(self, hub: Hub, path: str, *, query: str = "", peer: str = "") -> None:
        self.hub = hub
        session = hub.open(path, query=query, peer=peer)
        assert session is not None
        self.session: Session = session

    def say(self, **message: Any) -> list[dict[str, Any]]:
        self.hub.receive(self.session, json.dumps(message))
        return self.hear()

    def hear(self) -> list[dict[str, Any]]:
        self.hub.publish(self.hub.exchange.take_pushes())
        self.hub.pump()
        return [json.loads(text) for text in self.session.take()]

    def login(self, client: Client, *, expires: object = None) -> dict[str, Any]:
        stamp = expires or self.hub.exchange.now_ms() + 10_000
        text = f"GET/realtime{stamp}".encode()
        signed = hmac.new(client.secret.encode(), text, hashlib.sha256).hexdigest()
        return self.say(op="auth", args=[client.key, stamp, signed])[0]


def admin(exchange: Exchange, path: str, **params: Any) -> Any:
    """Ask one of the twin's own addresses."""
    reply = exchange.request(Request("POST", path, body=json.dumps(params).encode()))
    answer = json.loads(reply.body)
    if reply.status != 200:
        raise Refusal(answer["code"], answer["error"])
    return answer


def wait(exchange: Exchange, ms: int) -> None:
    """Let time pass at the venue."""
    clock = exchange.clock
    assert isinstance(clock, ManualClock)
    clock.advance(ms)
    exchange.advance()


def quote(exchange: Exchange, listing: str = "linear:BTCUSDT") -> tuple[Decimal, Decimal]:
    """Best bid and ask."""
    one = exchange.state.listings[listing]
    bid, ask = one.pool.machine.best(one.number)
    scale = Decimal(10) ** -one.price_decimals
    return bid * scale, ask * scale


@contextmanager
def served(exchange: Exchange | None = None) -> Iterator[str]:
    """Serve a twin on a free port of this machine while the block runs; yields its URL."""
    from openalpha.venue.twin.asgi import App
    from openalpha.venue.twin.serve import Address, bind, make_server

    if exchange is None:
        exchange = Exchange(TwinSettings(backfill_days=5), SystemClock())
    listener = bind(Address(0))
    server = make_server(App(exchange))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    while not server.started:
        threading.Event().wait(0.01)
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(timeout=10)
        listener.close()

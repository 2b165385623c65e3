"""The twin's server on the wire: order of answers, ends of connections, requests out of bounds."""

import asyncio
import gc
import json
import socket
from collections.abc import Iterator, MutableMapping
from typing import Any

import pytest

from openalpha.venue.twin import Exchange
from openalpha.venue.twin.asgi import MOST_BODY, App
from openalpha.venue.twin.serve import NEVER, Address, bind, serve
from tests.fakes.twin import BTC, LINEAR, Client, new_exchange, served, sign

TIME = b"GET /v5/market/time HTTP/1.1\r\nHost: twin\r\n"


@pytest.fixture(scope="module")
def exchange() -> Exchange:
    return new_exchange(BTC)


@pytest.fixture(scope="module")
def port(exchange: Exchange) -> Iterator[int]:
    with served(exchange) as url:
        yield int(url.rpartition(":")[2])


def say(port: int, *parts: bytes) -> bytes:
    """Send parts on one connection and return all that comes until it is closed or silent."""
    heard = b""
    with socket.create_connection(("127.0.0.1", port), timeout=2) as line:
        for part in parts:
            line.sendall(part)
        line.settimeout(0.5)
        try:
            while chunk := line.recv(1 << 16):
                heard += chunk
        except TimeoutError:
            heard += b"(open)"
    return heard


def test_answers_of_a_connection_leave_in_the_order_of_its_requests(
    exchange: Exchange, port: int
) -> None:
    exchange.faults.add({"kind": "delay", "match": "/v5/market/time", "size_ms": 200, "count": 1})
    book = b"GET /v5/market/orderbook?category=linear&symbol=BTCUSDT HTTP/1.1\r\nHost: twin\r\n\r\n"
    heard = say(port, TIME + b"\r\n" + book)
    assert heard.endswith(b"(open)")
    assert heard.count(b"HTTP/1.1 200 OK") == 2
    assert heard.index(b"timeSecond") < heard.index(b'"cts"')


def test_a_connection_ends_when_its_client_says_so_or_speaks_http_1_0(port: int) -> None:
    for request in (
        TIME + b"Connection: close\r\n\r\n",
        b"GET /v5/market/time HTTP/1.0\r\n\r\n",
    ):
        heard = say(port, request)
        assert b"timeSecond" in heard
        assert b"connection: close" in heard
        assert not heard.endswith(b"(open)")


def test_a_head_request_has_an_answer_without_a_body(port: int) -> None:
    heard = say(port, TIME.replace(b"GET", b"HEAD") + b"Connection: close\r\n\r\n")
    head, _, body = heard.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 404")
    assert body == b""


def test_a_body_that_is_too_much_is_refused_and_the_connection_ends(port: int) -> None:
    head = b"POST /v5/order/create HTTP/1.1\r\nHost: twin\r\nContent-Length: %d\r\n\r\n"
    heard = say(port, head % (MOST_BODY + 10), b"x" * (MOST_BODY + 10))
    assert heard.startswith(b"HTTP/1.1 413")
    assert not heard.endswith(b"(open)")


def test_what_is_no_http_is_refused(port: int) -> None:
    assert say(port, b"nonsense\r\n\r\n").startswith(b"HTTP/1.1 400")


def test_a_client_that_waits_to_be_told_to_go_on_is_told(port: int) -> None:
    head = TIME.replace(b"GET", b"POST") + b"Expect: 100-continue\r\nContent-Length: 2\r\n\r\n"
    heard = say(port, head, b"{}")
    assert heard.startswith(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 404")


def test_answers_that_a_fault_cuts_or_drops_end_the_connection(
    exchange: Exchange, port: int
) -> None:
    for kind, count in (("truncate", 1), ("drop_after", 0)):
        exchange.faults.add({"kind": kind, "match": "/v5/market/time", "count": 1})
        try:
            heard = say(port, TIME + b"\r\n")
        except ConnectionResetError:
            heard = b""
        assert heard.count(b"HTTP/1.1 200") == count
        assert b"timeSecond" not in heard or not heard.endswith(b"}")
        assert not heard.endswith(b"(open)")


def test_a_request_that_a_fault_holds_is_done_after_the_next(exchange: Exchange, port: int) -> None:
    me = Client.of(exchange, USDT="1000")
    exchange.faults.add({"kind": "reorder", "match": "/v5/order/create", "count": 1})
    first, second = (order(me, name) for name in ("first", "second"))
    with socket.create_connection(("127.0.0.1", port), timeout=5) as line:
        line.sendall(first)
        assert b'"retCode":0' in say(port, second)
        assert b'"retCode":0' in line.recv(1 << 16)
    names = [row["orderLinkId"] for row in me.get("/v5/order/realtime", **LINEAR)["list"]]
    assert names == ["first", "second"], "the newest is told first"


def test_a_held_request_is_done_in_time_where_no_other_comes(exchange: Exchange, port: int) -> None:
    exchange.faults.add({"kind": "reorder", "match": "/v5/market", "count": 1, "size_ms": 50})
    assert b"timeSecond" in say(port, TIME + b"\r\n")


def order(me: Client, name: str) -> bytes:
    """The request of a limit order that rests."""
    params = {**LINEAR, "side": "Buy", "orderType": "Limit", "qty": "0.001", "price": "50000"}
    body = json.dumps({**params, "orderLinkId": name})
    keys = {"api_key": me.key, "api_secret": me.secret}
    signed = sign(keys, body, str(me.exchange.now_ms()))
    lines = [f"{key}: {value}" for key, value in {**signed, "Content-Length": len(body)}.items()]
    head = "\r\n".join(["POST /v5/order/create HTTP/1.1", "Host: twin", *lines])
    return f"{head}\r\n\r\n{body}".encode()


def test_no_look_through_all_that_is_there_stops_a_served_twin(exchange: Exchange) -> None:
    before, seen = gc.get_threshold(), []
    listener = bind(Address(0))
    serve(
        App(exchange),
        listener,
        seconds=0.1,
        ready=lambda: seen.append((gc.get_freeze_count() > 0, gc.get_threshold()[2])),
    )
    assert seen == [(True, NEVER)]
    assert gc.get_threshold() == before and gc.get_freeze_count() == 0


def test_another_server_gets_the_same_answers_by_asgi(exchange: Exchange) -> None:
    account = Client.of(exchange, USDT="1000")
    query = "accountType=UNIFIED"
    signed = sign(
        {"api_key": account.key, "api_secret": account.secret}, query, str(exchange.now_ms())
    )
    scope = {
        "type": "http",
        "method": "GET",
        "path": "/v5/account/wallet-balance",
        "query_string": query.encode(),
        "headers": [(name.lower().encode(), value.encode()) for name, value in signed.items()],
    }
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, object]:
        return {"type": "http.request", "body": b""}

    async def send(message: MutableMapping[str, Any]) -> None:
        sent.append(dict(message))

    asyncio.run(App(exchange)(scope, receive, send))
    body = sent[1]["body"]
    assert sent[0]["status"] == 200
    assert json.loads(body)["result"]["list"][0]["totalWalletBalance"] == "1000"

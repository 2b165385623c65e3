"""Orders over the trade socket of a served twin: whatever breaks, none is lost, none is doubled."""

import json
import queue
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from websockets.sync.server import serve

from openalpha.core.clock import SystemClock
from openalpha.core.errors import NotSent
from openalpha.net import HttpTransport, RateBroker
from openalpha.net import Request as HttpRequest
from openalpha.net.budget import Priority
from openalpha.store.exchange_key import ExchangeKey
from openalpha.trading.bybit.executor import Executor
from openalpha.trading.bybit.replies import Outcome, Reply, read_reply
from openalpha.trading.orders.side import Request, RequestKind
from openalpha.venue.bybit.answers import FateUnknown
from openalpha.venue.bybit.channel import Call, Channel
from openalpha.venue.bybit.limits import ADDRESS_LIMIT
from openalpha.venue.bybit.trade_line import LineRefused, TradeLine, TradeTerms
from openalpha.venue.twin import Exchange, TwinSettings
from tests.fakes.twin import BTC, Client, served

WAIT_S = 20.0
TERMS = TradeTerms(answer_s=15.0, slow_s=10.0, ping_s=0.2, mute_s=15.0)
IMPATIENT = TradeTerms(answer_s=0.6, slow_s=0.2, ping_s=0.2, mute_s=5.0)
"""Where an answer is not to come: a busy machine may answer later than this."""


class Watch(SystemClock):
    """A clock that a test can hold, so that no window passes while a busy machine thinks."""

    held_ms: int | None = None

    def now_ms(self) -> int:
        return super().now_ms() if self.held_ms is None else self.held_ms


@dataclass
class Line:
    """A run's way to send orders, and what it was told of them."""

    executor: Executor
    line: TradeLine
    channel: Channel
    client: Client
    clock: Watch
    told: "queue.SimpleQueue[bytes | None]" = field(default_factory=queue.SimpleQueue)

    def begin(self, request: Request) -> bool:
        return self.executor.begin(request, self.told.put)

    def reply(self) -> Reply:
        payload = self.told.get(timeout=WAIT_S)
        assert payload is not None
        return read_reply(payload)

    def known(self, link_id: str) -> list[dict[str, Any]]:
        params = {"category": "linear", "symbol": "BTCUSDT", "orderLinkId": link_id}
        return list(self.client.get("/v5/order/realtime", **params)["list"])

    def strike(self, kind: str, **more: str) -> None:
        body = json.dumps({"kind": kind, **more}).encode()
        asked = HttpRequest(f"{self.channel.url}/twin/faults", "POST", {}, body)
        with HttpTransport(timeout_s=5.0) as network:
            assert network.send(asked).status == 200


def until(is_it: Callable[[], bool]) -> None:
    ends = time.monotonic() + WAIT_S
    while not is_it():
        assert time.monotonic() < ends
        time.sleep(0.01)


@pytest.fixture(scope="module")
def exchange() -> Exchange:
    return Exchange(TwinSettings(listings=(BTC,), backfill_days=0, levels=50), SystemClock())


@pytest.fixture
def way(exchange: Exchange, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Line]:
    exchange.limits.is_lifted = True
    client = Client.of(exchange)
    with served(exchange) as url, HttpTransport(timeout_s=5.0, total_s=10.0) as network:
        key = ExchangeKey(client.key, client.secret, url)
        line = TradeLine(key, clock=SystemClock(), terms=getattr(request, "param", TERMS))
        clock = Watch()
        broker = RateBroker(tmp_path, clock=clock, limit=ADDRESS_LIMIT)
        channel = Channel(network, key, clock=clock, broker=broker)
        channel.offset()
        line.start()
        until(lambda: line.is_ready)
        yield Line(Executor(channel, line=line), line, channel, client, clock)
        exchange.faults.clear()
        line.close()


def place(*names: str, qty: str = "0.01") -> Request:
    rest = {"symbol": "BTCUSDT", "side": "Buy", "orderType": "Limit", "price": "50000"}
    orders = [{**rest, "qty": qty, "orderLinkId": name} for name in names]
    return Request(RequestKind.PLACE, {"category": "linear", "orders": orders}, names)


def cancel(name: str) -> Request:
    orders = [{"symbol": "BTCUSDT", "orderLinkId": name}]
    return Request(RequestKind.CANCEL, {"category": "linear", "orders": orders}, (name,))


def amend(name: str, price: str) -> Request:
    params = {"category": "linear", "symbol": "BTCUSDT", "orderLinkId": name, "price": price}
    return Request(RequestKind.AMEND, params, (name,))


def test_an_order_lives_its_life_over_the_socket(way: Line) -> None:
    assert way.begin(place("one"))
    placed = way.reply()
    assert (placed.outcome, placed.items) == (Outcome.ANSWER, ((0, "OK"),))
    assert placed.ts_ms > 0
    assert way.begin(amend("one", "50001"))
    assert way.reply().outcome is Outcome.ANSWER
    assert [Decimal(row["price"]) for row in way.known("one")] == [50_001]
    assert way.begin(cancel("one"))
    assert way.reply().outcome is Outcome.ANSWER
    assert not [row for row in way.known("one") if row["orderStatus"] == "New"]


def test_its_replies_are_those_of_calls(way: Line) -> None:
    """What is refused, and of a batch which, reads the same by either way."""

    def batch(name: str) -> Request:
        request = place(name, f"{name}-b")
        request.params["orders"][1]["qty"] = "0"
        return request

    for make in (lambda name: place(name, qty="0"), batch):
        assert way.begin(make("socket"))
        ours, theirs = way.reply(), read_reply(way.executor.carry_out(make("call")))
        assert (ours.outcome, ours.code, ours.words, ours.items) == (
            theirs.outcome,
            theirs.code,
            theirs.words,
            theirs.items,
        )
        assert [set(row) for row in ours.rows] == [set(row) for row in theirs.rows]
    assert [code == 0 for code, _ in ours.items] == [True, False]


@pytest.mark.parametrize("way", [IMPATIENT], indirect=True)
def test_a_lost_message_and_a_lost_answer_are_both_of_unknown_fate(way: Line) -> None:
    for kind, is_there in (("drop_before", False), ("drop_after", True)):
        way.strike(kind, match="order.create")
        assert way.begin(place(kind))
        assert way.reply().outcome is Outcome.UNKNOWN
        way.client.exchange.faults.clear()
        until(lambda: way.line.is_ready)  # opened anew
        assert bool(way.known(kind)) is is_there


@pytest.mark.parametrize("way", [IMPATIENT], indirect=True)
def test_a_line_that_is_cut_or_goes_mute_leaves_no_order_without_a_word(way: Line) -> None:
    for kind in ("close_sockets", "half_open"):
        way.strike("drop_after", match="order.create")
        assert way.begin(place(f"out-{kind}"))
        way.strike(kind, match="trade")
        assert way.reply().outcome is Outcome.UNKNOWN
        way.client.exchange.faults.clear()
        until(lambda: way.line.is_ready)


@pytest.mark.parametrize("way", [IMPATIENT], indirect=True)
def test_while_an_answer_is_slow_nothing_more_goes_into_the_line(way: Line) -> None:
    way.strike("drop_before", match="order.create")
    assert way.begin(place("slow"))
    time.sleep(IMPATIENT.slow_s + 0.05)
    # Slow, or given up already: then the line is down and the fate unknown.
    assert not way.line.is_ready
    assert way.reply().outcome is Outcome.UNKNOWN


@pytest.mark.parametrize("kind", ["rate_limited"])
def test_what_the_venue_turned_away_is_carried_out_as_a_call(way: Line, kind: str) -> None:
    way.strike(kind, match="order.create", count="1")
    way.clock.held_ms = way.clock.now_ms()
    assert way.begin(place("again"))
    assert way.told.get(timeout=WAIT_S) is None
    # The window is known to be full: no message before it is free again.
    assert not way.begin(place("more"))
    way.clock.held_ms = None
    assert read_reply(way.executor.carry_out(place("again"))).outcome is Outcome.ANSWER
    assert len(way.known("again")) == 1


def test_a_broken_server_may_have_done_it(way: Line) -> None:
    way.strike("busy_after", match="order.create", count="1")
    assert way.begin(place("broken"))
    assert way.reply().outcome is Outcome.UNKNOWN
    assert len(way.known("broken")) == 1


def test_it_waits_for_no_budget_and_for_no_clock(way: Line) -> None:
    """What would have to wait is left to a hand."""
    sent = 0
    while sent < 20 and way.begin(place(f"many-{sent}")):
        sent += 1
    assert 5 <= sent <= 10, sent
    assert [way.reply().outcome for _ in range(sent)] == [Outcome.ANSWER] * sent
    time.sleep(1.1)
    way.channel.forget_offset()
    assert not way.begin(place("unmeasured"))


class Server:
    """A server that does what a test tells it with what it is sent."""

    def __init__(self, *replies: Callable[[dict[str, Any]], list[dict[str, Any]]]) -> None:
        self._replies = list(replies)
        self.heard: list[dict[str, Any]] = []
        self.logins = 0
        self._server = serve(self._lead, "127.0.0.1", 0)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self._server.socket.getsockname()[1]}"

    def _lead(self, socket: Any) -> None:
        for text in socket:
            message = json.loads(text)
            if message["op"] == "auth":
                self.logins += 1
                socket.send(json.dumps({"op": "auth", "retCode": 0, "connId": "c"}))
            elif message["op"] == "ping":
                socket.send(json.dumps({"op": "pong", "retCode": 0}))
            elif message["op"].startswith("order"):
                self.heard.append(message)
                for reply in self._replies.pop(0)(message):
                    socket.send(json.dumps({"reqId": message["reqId"], **reply}))

    def close(self) -> None:
        self._server.shutdown()


@pytest.fixture
def spoken() -> Iterator[Callable[..., tuple[Server, TradeLine]]]:
    made: list[Any] = []

    def make(*replies: Callable[[dict[str, Any]], list[dict[str, Any]]]) -> Any:
        server = Server(*replies)
        line = TradeLine(ExchangeKey("k", "s", server.url), clock=SystemClock(), terms=IMPATIENT)
        made.extend((line, server))
        line.start()
        until(lambda: line.is_ready)
        return server, line

    yield make
    for one in made:
        one.close()


CREATE = Call("/v5/order/create", {"category": "linear", "symbol": "BTCUSDT"}, is_write=True)


def send(line: TradeLine, told: list[Any]) -> None:
    line.send(CREATE, stamp_ms=1, window_ms=2_500, done=told.append)


def test_each_answer_is_told_once_and_after_it_was_given_up_never(
    spoken: Callable[..., tuple[Server, TradeLine]],
) -> None:
    late: list[dict[str, Any]] = []

    def twice(message: dict[str, Any]) -> list[dict[str, Any]]:
        return [{"retCode": 0, "data": {"orderId": "1"}}] * 2

    def never(message: dict[str, Any]) -> list[dict[str, Any]]:
        late.append(message)
        return []

    def late_and_own(message: dict[str, Any]) -> list[dict[str, Any]]:
        old = {"reqId": late[0]["reqId"], "retCode": 0, "data": {"orderId": "late"}}
        return [old, {"retCode": 0, "data": {"orderId": "3"}}]

    server, line = spoken(twice, never, late_and_own)
    told: list[Any] = []
    for count in (1, 2, 3):
        until(lambda: line.is_ready)
        send(line, told)
        until(lambda count=count: len(told) == count)
    time.sleep(0.1)
    assert [getattr(one, "result", None) for one in told] == [
        {"orderId": "1"},
        None,
        {"orderId": "3"},
    ]
    assert isinstance(told[1], FateUnknown)
    assert len({message["reqId"] for message in server.heard}) == 3


@pytest.mark.parametrize(
    ("code", "found"), [(10005, LineRefused), (10404, LineRefused), (20006, FateUnknown)]
)
def test_a_line_that_is_not_logged_in_any_more_logs_in_anew(
    spoken: Callable[..., tuple[Server, TradeLine]], code: int, found: type
) -> None:
    server, line = spoken(lambda message: [{"retCode": code, "retMsg": "no"}])
    told: list[Any] = []
    send(line, told)
    until(lambda: bool(told))
    assert type(told[0]) is found
    if found is LineRefused:
        until(lambda: server.logins == 2 and line.is_ready)


def test_a_line_that_is_down_says_so_at_once() -> None:
    line = TradeLine(ExchangeKey("k", "s", "http://127.0.0.1:9"), clock=SystemClock())
    line.start()
    assert not line.is_ready
    told: list[Any] = []
    send(line, told)
    assert [type(one) for one in told] == [NotSent]
    line.close()
    line.close()


def test_another_priority_counts_in_the_same_window(way: Line) -> None:
    call = Call("/v5/order/create", {"category": "linear"}, is_write=True, priority=Priority.RISK)
    assert way.channel.leave(call) is not None

"""Faults to order: each does what it says, is written down, and strikes again by its seed."""

import json
from typing import Any

import pytest

from openalpha.venue.twin import Exchange, Request
from openalpha.venue.twin.sockets import Hub
from tests.fakes.twin import LINEAR, Client, Ear, Refusal, admin, new_exchange, sign

ORDER = {**LINEAR, "side": "Buy", "orderType": "Limit", "qty": "0.01", "price": "50000"}


@pytest.fixture
def venue() -> Exchange:
    return new_exchange()


@pytest.fixture
def me(venue: Exchange) -> Client:
    return Client.of(venue)


def strike(venue: Exchange, kind: str, **more: Any) -> None:
    admin(venue, "/twin/faults", kind=kind, match="/v5/order/create", count=1, **more)


def send(me: Client) -> Any:
    body = json.dumps(ORDER).encode()
    account = {"api_key": me.key, "api_secret": me.secret}
    signed = sign(account, body.decode(), str(me.exchange.now_ms()))
    headers = {name.lower(): value for name, value in signed.items()}
    return me.exchange.request(Request("POST", "/v5/order/create", body=body, headers=headers))


def open_orders(me: Client) -> int:
    return len(me.get("/v5/order/realtime", **LINEAR)["list"])


@pytest.mark.parametrize(
    ("kind", "orders", "seen"),
    [
        ("drop_before", 0, {"is_dropped": True}),
        ("drop_after", 1, {"is_dropped": True}),
        ("delay", 1, {"delay_ms": 700}),
        ("truncate", 1, {"is_cut": True}),
        ("http_500", 1, {"status": 500}),
        ("duplicate", 2, {"status": 200}),
        ("rate_limited", 0, {"code": 10006}),
        ("busy_before", 0, {"code": 10016}),
        ("busy_after", 1, {"code": 10016}),
    ],
)
def test_a_fault_of_a_request(
    venue: Exchange, me: Client, kind: str, orders: int, seen: dict[str, Any]
) -> None:
    strike(venue, kind, size_ms=700)
    reply = send(me)
    for name, value in seen.items():
        found = json.loads(reply.body)["retCode"] if name == "code" else getattr(reply, name)
        assert found == value
    assert open_orders(me) == orders
    log = json.loads(venue.request(Request("GET", "/twin/faults")).body)["log"]
    assert [(row["kind"], row["uid"]) for row in log] == [(kind, me.uid)]
    assert json.loads(send(me).body)["retCode"] == 0, "it struck once, as asked"


def test_a_stale_stamp(venue: Exchange, me: Client) -> None:
    strike(venue, "stale_time", size_ms=9_000)
    assert json.loads(send(me).body)["time"] == venue.now_ms() - 9_000


def test_the_same_seed_strikes_the_same_way() -> None:
    def struck() -> list[bool]:
        venue = new_exchange()
        me = Client.of(venue)
        admin(venue, "/twin/faults", seed=5)
        admin(venue, "/twin/faults", kind="drop_after", probability=0.4, match="/v5/order")
        return [send(me).is_dropped for _ in range(30)]

    first = struck()
    assert first == struck()
    assert 3 < sum(first) < 27


@pytest.mark.parametrize(
    ("kind", "count"), [("miss_push", 0), ("duplicate_push", 2), ("delay_push", 0)]
)
def test_a_fault_of_a_push(venue: Exchange, me: Client, kind: str, count: int) -> None:
    hub = Hub(venue)
    ear = Ear(hub, "/v5/private")
    ear.login(me)
    ear.say(op="subscribe", args=["order"])
    admin(venue, "/twin/faults", kind=kind, match="order", count=1, size_ms=500)
    me.post("/v5/order/create", **ORDER)
    assert len(ear.hear()) == count
    venue.clock.advance(600)  # type: ignore[attr-defined]
    venue.advance()
    assert len(ear.hear()) == (1 if kind == "delay_push" else 0)


def test_executions_out_of_order_come_after_the_rest_and_backwards(
    venue: Exchange, me: Client
) -> None:
    hub = Hub(venue)
    ear = Ear(hub, "/v5/private")
    ear.login(me)
    ear.say(op="subscribe", args=["order", "execution"])
    me.order("Buy", "5", "60100")
    usual = [message["topic"] for message in ear.hear()]
    assert usual == ["execution", "order"]
    admin(venue, "/twin/faults", kind="reverse_push", match="execution")
    me.order("Sell", "5", "59900")
    heard = ear.hear()
    assert [message["topic"] for message in heard] == ["order", "execution"]
    seqs = [row["seq"] for row in heard[1]["data"]]
    assert len(seqs) > 1 and seqs == sorted(seqs, reverse=True)


def test_sockets_half_open_cut_and_restarted(venue: Exchange, me: Client) -> None:
    hub = Hub(venue)
    ear = Ear(hub, "/v5/private")
    ear.login(me)
    ear.say(op="subscribe", args=["order"])
    assert admin(venue, "/twin/faults", kind="half_open", match="private") == {"sockets": 1}
    me.post("/v5/order/create", **ORDER)
    assert ear.hear() == [] and not ear.session.is_closed
    public = Ear(hub, "/v5/public/linear")
    public.say(op="subscribe", args=["orderbook.50.BTCUSDT"])
    admin(venue, "/twin/faults", kind="restart")
    assert public.session.is_closed and ear.session.is_closed
    again = Ear(hub, "/v5/public/linear")
    assert again.say(op="subscribe", args=["orderbook.50.BTCUSDT"])[1]["data"]["u"] == 1


def test_a_fault_there_is_none_of_is_refused(venue: Exchange) -> None:
    for params in ({"kind": "earthquake"}, {"kind": "delay", "probability": 2}, {}):
        with pytest.raises(Refusal):
            admin(venue, "/twin/faults", **params)
    assert venue.request(Request("DELETE", "/twin/faults")).status == 200

"""The three socket families, without a network: what is said, in which order, and when."""

from typing import Any

import pytest

from openalpha.venue.twin import Exchange
from openalpha.venue.twin.sockets import Hub
from tests.fakes.twin import BTC, BTC_SPOT, LINEAR, START_MS, Client, Ear, admin, new_exchange, wait


@pytest.fixture
def venue() -> Exchange:
    return new_exchange(BTC, BTC_SPOT)


@pytest.fixture
def hub(venue: Exchange) -> Hub:
    return Hub(venue)


@pytest.fixture
def me(venue: Exchange) -> Client:
    return Client.of(venue)


def let(hub: Hub, ms: int, ear: Ear) -> list[dict[str, Any]]:
    """Let time pass in small steps; returns what the ear heard."""
    heard = []
    for _ in range(ms // 10):
        wait(hub.exchange, 10)
        heard += ear.hear()
    return heard


def test_snapshots_and_deltas_rebuild_the_book(venue: Exchange, hub: Hub, me: Client) -> None:
    ear = Ear(hub, "/v5/public/linear")
    messages = ear.say(op="subscribe", args=["orderbook.50.BTCUSDT"], req_id="a")
    assert messages[0]["success"] and messages[0]["req_id"] == "a"
    me.order("Buy", "0.5", "59000")
    messages = messages[1:] + let(hub, 2_000, ear)
    assert [message["type"] for message in messages[:2]] == ["snapshot", "delta"]
    book: dict[str, dict[str, str]] = {"b": {}, "a": {}}
    before = messages[0]["data"]["u"] - 1
    for message in messages:
        data = message["data"]
        assert data["u"] == before + 1
        before = data["u"]
        for side in ("b", "a"):
            for price, qty in data[side]:
                if qty == "0":
                    del book[side][price]
                else:
                    book[side][price] = qty
    stated = me.get("/v5/market/orderbook", **LINEAR, limit=50)
    for side in ("b", "a"):
        assert book[side] == dict(stated[side])


def test_the_best_level_alone_is_a_snapshot_and_repeats(venue: Exchange, hub: Hub) -> None:
    admin(venue, "/twin/market", symbol="BTCUSDT", event="still")
    ear = Ear(hub, "/v5/public/linear")
    ear.say(op="subscribe", args=["orderbook.1.BTCUSDT"])
    heard = let(hub, 7_000, ear)
    assert {message["type"] for message in heard} == {"snapshot"}
    assert all(len(message["data"]["b"]) == 1 for message in heard)
    assert len([m for m in heard if m["data"]["u"] == heard[-1]["data"]["u"]]) >= 1


def test_a_ticker_s_deltas_carry_only_what_changed(hub: Hub) -> None:
    ear = Ear(hub, "/v5/public/linear")
    first = ear.say(op="subscribe", args=["tickers.BTCUSDT"])[1]
    assert first["type"] == "snapshot" and first["data"]["fundingRate"]
    deltas = let(hub, 1_000, ear)
    assert deltas and all(message["type"] == "delta" for message in deltas)
    assert all("nextFundingTime" not in message["data"] for message in deltas)
    spot = Ear(hub, "/v5/public/spot")
    answer, first = spot.say(op="subscribe", args=["tickers.BTCUSDT"])
    assert answer["ret_msg"] == "subscribe" and first["type"] == "snapshot"
    assert {message["type"] for message in let(hub, 1_000, spot)} == {"snapshot"}


def test_trades_and_candles_agree(hub: Hub) -> None:
    ear = Ear(hub, "/v5/public/linear")
    ear.say(op="subscribe", args=["publicTrade.BTCUSDT", "kline.1.BTCUSDT"])
    heard = let(hub, 62_000, ear)
    trades = [row for m in heard if m["topic"].startswith("public") for row in m["data"]]
    candles = [m["data"][0] for m in heard if m["topic"].startswith("kline")]
    closed = [candle for candle in candles if candle["confirm"]]
    assert len(closed) == 1
    inside = [t for t in trades if closed[0]["start"] <= t["T"] <= closed[0]["end"]]
    assert closed[0]["close"] == inside[-1]["p"]
    assert len({trade["i"] for trade in trades}) == len(trades)
    assert [trade["seq"] for trade in trades] == sorted(trade["seq"] for trade in trades)


@pytest.mark.parametrize(
    "topic", ["orderbook.7.BTCUSDT", "orderbook.50.NOPE", "kline.2.BTCUSDT", "nonsense", "", "."]
)
def test_topics_there_are_none_of_are_refused(hub: Hub, topic: str) -> None:
    ear = Ear(hub, "/v5/public/linear")
    answer = ear.say(op="subscribe", args=[topic])[0]
    assert answer["success"] is False and topic in answer["ret_msg"]


def test_an_order_s_life_is_told_in_its_order(hub: Hub, me: Client) -> None:
    ear = Ear(hub, "/v5/private")
    assert ear.login(me)["success"] is True
    for topic in ("order", "execution", "position", "wallet", "execution.fast"):
        assert ear.say(op="subscribe", req_id=1, args=[topic])[0]["success"] is True
    me.order("Buy", "0.01", "50000", orderLinkId="told")
    first = {message["topic"]: message for message in ear.hear()}
    assert first["order"]["data"][0]["orderStatus"] == "New"
    assert set(first) == {"order", "position"}
    me.post("/v5/order/cancel", **LINEAR, orderLinkId="told")
    assert ear.hear()[0]["data"][0]["orderStatus"] == "Cancelled"
    me.order("Buy", "0.01")
    heard = ear.hear()
    topics = [message["topic"] for message in heard]
    assert set(topics) == {"order", "execution", "position", "wallet", "execution.fast"}
    filled = next(message for message in heard if message["topic"] == "order")["data"][0]
    assert (filled["orderStatus"], filled["category"]) == ("Filled", "linear")
    position = next(message for message in heard if message["topic"] == "position")["data"][0]
    assert position["size"] == "0.010" and float(position["entryPrice"]) > 0
    names = [message["id"] for message in heard if "id" in message]
    assert len(names) == len(heard) - 1


def test_accounts_hear_only_of_themselves(hub: Hub, me: Client) -> None:
    other = Ear(hub, "/v5/private")
    other.login(Client.of(hub.exchange))
    other.say(op="subscribe", args=["order", "wallet"])
    me.order("Buy", "0.01")
    assert other.hear() == []


def test_private_sockets_want_a_login(venue: Exchange, hub: Hub, me: Client) -> None:
    ear = Ear(hub, "/v5/private")
    assert ear.say(op="subscribe", args=["order"])[0]["success"] is False
    wrong = Client(venue, me.key, "wrong")
    assert ear.login(wrong)["retCode"] == 10004
    assert ear.login(Client(venue, "nobody", "x"))["retCode"] == 10003
    assert ear.login(me, expires=venue.now_ms())["retCode"] == 10004
    assert ear.login(me, expires=str(venue.now_ms() + 9_000))["success"] is True
    assert ear.login(me)["retCode"] == 20001
    answer = ear.say(op="subscribe", args=["order", "order.linear"])[0]
    assert answer["success"] is False


def test_pings_are_answered_as_each_family_does(hub: Hub, me: Client) -> None:
    public = Ear(hub, "/v5/public/linear").say(op="ping", req_id="7")[0]
    assert (public["ret_msg"], public["op"], public["req_id"]) == ("pong", "ping", "7")
    private = Ear(hub, "/v5/private").say(op="ping")[0]
    assert private["op"] == "pong" and private["args"] == [str(hub.exchange.now_ms())]
    trade = Ear(hub, "/v5/trade").say(op="ping")[0]
    assert (trade["op"], trade["retCode"]) == ("pong", 0)


def test_a_silent_socket_is_cut(hub: Hub) -> None:
    ear = Ear(hub, "/v5/private", query="max_active_time=30s")
    kept = Ear(hub, "/v5/private")
    wait(hub.exchange, 29_000)
    hub.pump()
    assert not ear.session.is_closed
    wait(hub.exchange, 3_000)
    hub.pump()
    assert ear.session.is_closed and not kept.session.is_closed
    wait(hub.exchange, 600_000)
    hub.pump()
    assert kept.session.is_closed


def test_orders_by_message(hub: Hub, me: Client) -> None:
    ear = Ear(hub, "/v5/trade")
    order = {**LINEAR, "side": "Buy", "orderType": "Limit", "qty": "0.01", "price": "50000"}

    def send(op: str, name: str, args: dict[str, Any], **more: Any) -> dict[str, Any]:
        stamp: Any = more.get("stamp", str(hub.exchange.now_ms()))
        header = {"X-BAPI-TIMESTAMP": stamp, "X-BAPI-RECV-WINDOW": "5000"}
        return ear.say(op=op, reqId=name, args=[args], header=header)[0]

    assert send("order.create", "1", order)["retCode"] == 10005
    ear.login(me)
    made = send("order.create", "2", order)
    assert made["retCode"] == 0 and made["reqId"] == "2" and made["header"]["X-Bapi-Limit"] == "10"
    assert me.shown(made["data"]["orderId"])["orderStatus"] == "New"
    assert send("order.create", "2", order)["retCode"] == 20006
    assert send("order.fly", "3", order)["retCode"] == 10404
    assert send("order.create", "4", {**order, "qty": "0"})["retCode"] == 10001
    old = hub.exchange.now_ms() - 6_000
    assert send("order.create", "5", order, stamp=old)["retCode"] == 10002
    name = {"orderId": made["data"]["orderId"]}
    assert send("order.amend", "6", {**LINEAR, **name, "qty": "0.02"})["retCode"] == 0
    assert send("order.cancel", "7", {**LINEAR, **name})["retCode"] == 0
    batch = {"category": "linear", "request": [{**order}, {**order, "qty": "x"}]}
    answer = send("order.create-batch", "8", batch)
    assert [row["code"] for row in answer["retExtInfo"]["list"]] == [0, 10001]


def test_orders_are_cancelled_when_every_listening_socket_is_dead(hub: Hub, me: Client) -> None:
    me.post("/v5/order/disconnected-cancel-all", product="DERIVATIVES", timeWindow=10)
    ear = Ear(hub, "/v5/private")
    ear.login(me)
    ear.say(op="subscribe", args=["dcp.future"])
    order = me.order("Buy", "0.01", "50000")
    for _ in range(5):
        wait(hub.exchange, 5_000)
        ear.say(op="ping")
    assert me.shown(order)["orderStatus"] == "New"
    hub.close(ear.session)
    for _ in range(12):
        wait(hub.exchange, 1_000)
        hub.pump()
    shown = me.shown(order)
    assert (shown["orderStatus"], shown["cancelType"]) == ("Cancelled", "CancelByDCP")
    again = me.order("Buy", "0.01", "50000")
    for _ in range(12):
        wait(hub.exchange, 1_000)
        hub.pump()
    assert me.shown(again)["orderStatus"] == "New", "once for each silence"


def test_liquidations_are_told_to_everybody(venue: Exchange, hub: Hub) -> None:
    poor = Client.of(venue, USDT="1000")
    ear = Ear(hub, "/v5/public/linear")
    ear.say(op="subscribe", args=["allLiquidation.BTCUSDT"])
    poor.order("Buy", "0.15")
    admin(venue, "/twin/market", symbol="BTCUSDT", event="gap", size=-0.2)
    heard = let(hub, 3_000, ear)
    assert heard and heard[0]["data"][0]["S"] == "Buy"


@pytest.mark.parametrize("text", ["", "x", "[]", "{}", '{"op":5}', '{"op":"subscribe","args":7}'])
@pytest.mark.parametrize("path", ["/v5/public/linear", "/v5/private", "/v5/trade"])
def test_any_message_is_answered(hub: Hub, path: str, text: str) -> None:
    ear = Ear(hub, path)
    hub.receive(ear.session, text)
    assert len(ear.session.take()) == 1


def test_paths_there_are_none_of(hub: Hub) -> None:
    for path in ("/", "/v5/public", "/v5/public/nope", "/v5/private/more", "/v6/private"):
        assert hub.open(path) is None


@pytest.mark.parametrize(
    ("bond", "login", "order"),
    [
        ({"read_only": True}, 0, 10005),
        ({"ips": ["10.0.0.1"]}, 10010, 10005),
        ({"ips": ["127.0.0.1"]}, 0, 0),
        ({"expires_ms": START_MS + 1_000}, 0, 33004),
        ({}, 0, 10003),
    ],
)
def test_a_key_may_no_more_over_a_socket_than_by_calls(
    hub: Hub, me: Client, bond: dict[str, Any], login: int, order: int
) -> None:
    venue = hub.exchange
    made = admin(venue, "/twin/keys", uid=me.uid, **bond)
    mine = Client(venue, made["api_key"], made["api_secret"], me.uid)
    ear = Ear(hub, "/v5/trade", peer="127.0.0.1")
    assert ear.login(mine)["retCode"] == login
    if not bond:
        admin(venue, "/twin/keys/revoke", api_key=mine.key)
    wait(venue, 1_000)
    header = {"X-BAPI-TIMESTAMP": str(venue.now_ms())}
    args = [{**LINEAR, "side": "Buy", "orderType": "Market", "qty": "0.01"}]
    said = ear.say(op="order.create", reqId="1", args=args, header=header)[0]
    assert said["retCode"] == order

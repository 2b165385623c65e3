"""The thin client on the twin: every call typed, every refusal a sentence with its code."""

from decimal import Decimal
from typing import Any
from urllib.parse import urlsplit

import pytest

from openalpha.core.clock import ManualClock
from openalpha.core.errors import InputError, OrderError, UnknownName, VenueUnavailable
from openalpha.core.instruments import InstrumentId
from openalpha.core.messages import OrderIntent
from openalpha.core.orders import (
    OrderStatus,
    OrderType,
    Side,
    TimeInForce,
    TriggerKind,
)
from openalpha.store.exchange_key import ExchangeKey
from openalpha.venue.bybit.answers import BybitRefused
from openalpha.venue.bybit.client import BybitClient
from openalpha.venue.bybit.new_order import NewOrder
from openalpha.venue.twin import Exchange
from tests.fakes.bybit import URL, account, executions, paths, wire
from tests.fakes.twin import BTC, BTC_SPOT, START_MS, new_exchange, quote, wait

BUY, SELL = Side.BUY, Side.SELL


@pytest.fixture
def exchange() -> Exchange:
    return new_exchange(BTC, BTC_SPOT)


@pytest.fixture
def client(exchange: Exchange) -> BybitClient:
    return wire(exchange, account(exchange))[0]


def order(side: Side, qty: str, price: str = "", *, link: str = "a-1", **more: object) -> NewOrder:
    limit = Decimal(price) if price else None
    return NewOrder("linear", "BTCUSDT", side, Decimal(qty), link, limit, **more)  # type: ignore[arg-type]  # by name


def test_markets_need_no_key(exchange: Exchange) -> None:
    client, network = wire(exchange, URL)
    assert client.channel.server_ms() == START_MS
    (rules,) = client.market.rules("linear", symbol="BTCUSDT")
    assert (rules.tick_size, rules.lot_size, rules.settle) == (
        Decimal("0.1"),
        Decimal("0.001"),
        "USDT",
    )
    (spot,) = client.market.rules("spot")
    assert (spot.settle, spot.lot_size) == ("USDT", Decimal("0.000001"))
    (ticker,) = client.market.tickers("linear", symbol="BTCUSDT")
    assert ticker.bid is not None and ticker.ask is not None and ticker.bid < ticker.ask
    assert not any("X-BAPI-SIGN" in request.headers for request in network.requests)
    with pytest.raises(UnknownName, match="no linear instrument NOPEUSDT"):
        client.market.rules("linear", symbol="NOPEUSDT")
    with pytest.raises(InputError, match="openalpha keys add"):
        client.account.wallet()


def test_what_is_signed_goes_to_no_other_server(exchange: Exchange) -> None:
    client, network = wire(exchange, account(exchange))
    client.account.wallet()
    client.orders.create(order(BUY, "0.01"))
    client.market.tickers("linear")
    may_move = {urlsplit(one.url).path: one.may_move for one in network.requests}
    assert may_move == {
        "/v5/market/time": True,
        "/v5/account/wallet-balance": False,
        "/v5/order/create": False,
        "/v5/market/tickers": True,
    }


def test_an_order_lives_and_every_listing_tells_it(exchange: Exchange, client: BybitClient) -> None:
    placed = client.orders.create(order(BUY, "0.01", "50000"))
    wait(exchange, 500)
    (shown,) = client.orders.open_orders("linear", settle="USDT")
    assert (shown.order_id, shown.link_id, shown.status) == (
        placed.order_id,
        "a-1",
        OrderStatus.OPEN,
    )
    found = client.orders.find("linear", "BTCUSDT", link_id="a-1")
    assert found is not None and (found.price, found.qty) == (Decimal(50000), Decimal("0.01"))
    assert client.orders.cancel(shown)
    assert not client.orders.cancel(shown)
    wait(exchange, 500)
    assert client.orders.open_orders("linear", settle="USDT") == []
    (ended,) = client.orders.recently_closed("linear", "BTCUSDT")
    assert (ended.status, ended.cancelled_by) == (OrderStatus.CANCELLED, "CancelByUser")
    assert client.orders.find("linear", "BTCUSDT", link_id="never-sent") is None


def test_a_position_its_exits_and_its_history(exchange: Exchange, client: BybitClient) -> None:
    assert client.positions.set_leverage("linear", "BTCUSDT", leverage=Decimal(5))
    assert not client.positions.set_leverage("linear", "BTCUSDT", leverage=Decimal(5))
    client.orders.create(order(BUY, "0.01"))
    wait(exchange, 500)
    (held,) = client.positions.held("linear", settle="USDT")
    assert (held.side, held.size, held.leverage) == (BUY, Decimal("0.01"), Decimal(5))
    client.positions.set_exits(held, stop_loss=Decimal(55000))
    client.positions.set_exits(held, stop_loss=Decimal(55000))
    (held,) = client.positions.held("linear", settle="USDT")
    assert held.stop_loss == 55000
    (stop,) = client.orders.open_orders("linear", settle="USDT")
    assert stop.is_protective and stop.status is OrderStatus.UNTRIGGERED
    client.orders.create(order(SELL, "0.01", is_reduce_only=True, link="a-2"))
    wait(exchange, 500)
    assert client.positions.held("linear", settle="USDT") == []
    found = executions(client, "linear")
    assert [one.side for one in found] == [SELL, BUY]
    assert all(one.is_fill and one.fee > 0 for one in found)
    log = client.account.statement(coin="USDT", most=10)
    assert {row.kind for row in log} >= {"TRADE"}
    wallet = client.account.wallet()
    assert wallet.coins[0].coin == "USDT" and wallet.coins[0].wallet == log[0].balance


def test_funding_is_never_a_fill(exchange: Exchange, client: BybitClient) -> None:
    """An execution of kind Funding has side, price and quantity: nautilus_trader 4937."""
    client.orders.create(order(BUY, "0.01"))
    wait(exchange, 500)
    exchange.arrange("/twin/funding", {"symbol": "BTCUSDT", "rate": "0.0001"})
    rows = executions(client, "linear")
    assert [row.kind for row in rows] == ["Funding", "Trade"]
    assert [row.is_fill for row in rows] == [False, True]


def test_batches_say_what_became_of_each(exchange: Exchange, client: BybitClient) -> None:
    outcomes = client.orders.create_batch(
        [order(BUY, "0.01", "50000", link="b-1"), order(BUY, "0.0001", "50000", link="b-2")]
    )
    assert [(one.link_id, one.code == 0) for one in outcomes] == [("b-1", True), ("b-2", False)]
    opened = client.orders.open_orders("linear", symbol="BTCUSDT")
    assert [one.code for one in client.orders.cancel_batch(opened)] == [0]


def test_cancel_all_by_settle_coin_and_kind(exchange: Exchange, client: BybitClient) -> None:
    for number in range(60):
        client.orders.create(order(BUY, "0.001", "50000", link=f"c-{number}"))
    wait(exchange, 500)
    assert len(client.orders.open_orders("linear", settle="USDT")) == 60
    assert client.orders.cancel_all("linear", settle="USDT") == 60
    assert client.orders.open_orders("linear", settle="USDT") == []
    assert client.orders.cancel_all("spot", order_filter="StopOrder") == 0


@pytest.mark.parametrize(
    ("one", "words"),
    [
        (order(BUY, "15", "50000"), r"retCode 110007\); the free balance is too small"),
        (order(SELL, "0.01", is_reduce_only=True), "retCode 110017"),
        (order(BUY, "0.01", "50000.05"), "retCode 10001"),
    ],
)
def test_a_refusal_is_a_sentence_with_its_code(
    client: BybitClient, one: NewOrder, words: str
) -> None:
    with pytest.raises(BybitRefused, match=f"^Bybit refused order/create: .*{words}"):
        client.orders.create(one)


def test_a_wrong_secret_is_a_sentence_that_names_no_key(exchange: Exchange) -> None:
    key = account(exchange)
    client, _ = wire(exchange, ExchangeKey(key.api_key, "wrong-secret", URL))
    with pytest.raises(BybitRefused, match="secret was pasted whole") as caught:
        client.account.wallet()
    assert key.api_key not in str(caught.value) and "wrong-secret" not in str(caught.value)


def test_an_rsa_key_signs_too(exchange: Exchange) -> None:
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = private.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    ).decode()
    public = private.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    key = account(exchange, rsa_public_key=public.decode())
    client, _ = wire(exchange, ExchangeKey(key.api_key, pem, URL))
    assert client.account.wallet().coins[0].wallet == 50_000
    client.orders.create(order(BUY, "0.01", "50000"))
    with pytest.raises(InputError, match="no private key in PEM"):
        wire(exchange, ExchangeKey(key.api_key, "-----BEGIN nonsense", URL))


def test_the_venues_clock_is_followed(exchange: Exchange) -> None:
    key = account(exchange)
    clock = ManualClock(START_MS - 3_600_000)
    client, network = wire(exchange, key, clock=clock)
    assert client.account.wallet().coins
    assert paths(network)[0] == "/v5/market/time"
    # The venue's clock jumps: one refusal, one question, and on.
    wait(exchange, 600_000)
    del network.requests[:]
    client.account.wallet()
    assert paths(network).count("/v5/account/wallet-balance") == 2


def test_a_position_whose_size_is_not_told_is_held(exchange: Exchange, client: BybitClient) -> None:
    client.orders.create(order(BUY, "0.01"))
    wait(exchange, 500)
    seen = client.channel.pages

    def without(*names: str) -> None:
        def pages(*args: Any, **more: Any) -> Any:
            return [
                {key: value for key, value in row.items() if key not in names}
                for row in seen(*args, **more)
            ]

        client.channel.pages = pages  # type: ignore[method-assign]

    without("size")
    (held,) = client.positions.held("linear", settle="USDT")
    assert held.side is BUY
    without("size", "side")
    with pytest.raises(VenueUnavailable, match="lacks a size"):
        client.positions.held("linear", settle="USDT")
    without("change")
    with pytest.raises(VenueUnavailable, match="lacks a change"):
        client.account.statement()


def intent(**more: object) -> OrderIntent:
    base = {"ts_ms": 0, "instrument": InstrumentId("bybit_linear:BTCUSDT"), "side": BUY}
    return OrderIntent(**{**base, "qty": Decimal("0.010"), **more})  # type: ignore[arg-type]  # by name


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        ({}, {"orderType": "Market", "qty": "0.01", "positionIdx": 0}),
        (
            {"order_type": OrderType.LIMIT, "limit_price": Decimal("5E+4")},
            {"price": "50000", "timeInForce": "GTC"},
        ),
        (
            {
                "order_type": OrderType.LIMIT,
                "limit_price": Decimal(1),
                "time_in_force": TimeInForce.POST_ONLY,
            },
            {"timeInForce": "PostOnly"},
        ),
        (
            {"trigger_kind": TriggerKind.STOP, "trigger_price": Decimal(9), "side": SELL},
            {"triggerPrice": "9", "triggerDirection": 2, "triggerBy": "LastPrice"},
        ),
        (
            {"trigger_kind": TriggerKind.TAKE_PROFIT, "trigger_price": Decimal(9), "side": SELL},
            {"triggerDirection": 1},
        ),
        ({"is_reduce_only": True}, {"reduceOnly": True}),
        (
            {"instrument": InstrumentId("bybit_spot:BTCUSDT"), "is_reduce_only": True},
            {"category": "spot", "marketUnit": "baseCoin"},
        ),
    ],
)
def test_an_intent_in_the_venues_words(given: dict[str, object], sent: dict[str, object]) -> None:
    params = NewOrder.of(intent(**given), link_id="x").params()
    assert sent.items() <= params.items()


@pytest.mark.parametrize(
    ("given", "link", "words"),
    [
        ({"instrument": InstrumentId("binance_usdm:BTCUSDT")}, "x", "no instrument of Bybit"),
        ({"trigger_kind": TriggerKind.TRAILING}, "x", "trading-stop"),
        ({"order_type": OrderType.LIMIT}, "x", "needs its price"),
        ({}, "white space", "cannot be sent"),
        ({}, "x" * 37, "cannot be sent"),
    ],
)
def test_what_the_venue_has_no_words_for(given: dict[str, object], link: str, words: str) -> None:
    with pytest.raises(OrderError, match=words):
        NewOrder.of(intent(**given), link_id=link)


def test_quotes_are_those_of_the_book(exchange: Exchange, client: BybitClient) -> None:
    (ticker,) = client.market.tickers("linear", symbol="BTCUSDT")
    assert (ticker.bid, ticker.ask) == quote(exchange)

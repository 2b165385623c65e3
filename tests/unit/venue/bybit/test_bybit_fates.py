"""Lost replies: an order is placed once, whatever happens to its request and its reply."""

import itertools
import json
from decimal import Decimal
from pathlib import Path

import pytest

from openalpha.core.errors import NotSent, VenueUnavailable
from openalpha.core.orders import Side
from openalpha.net import (
    MemoryTransport,
    Priority,
    RateBroker,
    Request,
    Response,
)
from openalpha.venue.bybit.answers import BybitRefused, FateUnknown, NotNow
from openalpha.venue.bybit.channel import Call, Channel
from openalpha.venue.bybit.client import BybitClient
from openalpha.venue.bybit.limits import ADDRESS_LIMIT
from openalpha.venue.bybit.new_order import NewOrder
from openalpha.venue.twin import Exchange
from tests.fakes.bybit import URL, account, answer_of, paths, pausing, wire
from tests.fakes.twin import START_MS, new_exchange, wait

KINDS = ("drop_before", "drop_after", "truncate", "http_500", "rate_limited", "busy_before")
KINDS += ("busy_after", "duplicate", "stale_time")


@pytest.fixture
def exchange() -> Exchange:
    return new_exchange()


def order(link: str = "a-1", price: int | None = 50_000) -> NewOrder:
    limit = None if price is None else Decimal(price)
    return NewOrder("linear", "BTCUSDT", Side.BUY, Decimal("0.01"), link, limit)


def ordered(exchange: Exchange) -> int:
    """How many orders the venue has ever taken, of all accounts but the market's own."""
    return sum(len(record.orders) for record in exchange.state.records[1:])


@pytest.mark.parametrize(("kind", "count"), list(itertools.product(KINDS, (1, 2))))
def test_an_order_is_placed_once_under_every_fault(
    exchange: Exchange, kind: str, count: int
) -> None:
    """A retry went on after acceptance: nautilus_trader 4215; hummingbot 3374."""
    client, _ = wire(exchange, account(exchange))
    exchange.faults.add({"kind": kind, "match": "/v5/order/create", "count": count})
    placed = client.orders.create(order())
    assert ordered(exchange) == 1
    found = client.orders.find("linear", "BTCUSDT", link_id="a-1")
    assert found is not None and found.order_id == placed.order_id


def test_before_it_repeats_it_asks(exchange: Exchange) -> None:
    client, network = wire(exchange, account(exchange))
    exchange.faults.add({"kind": "drop_before", "match": "/v5/order/create", "count": 1})
    client.orders.create(order())
    asked = [path.rpartition("/")[2] for path in paths(network) if "/order/" in path]
    assert asked == ["create", "realtime", "history", "realtime", "history", "create"]


def test_a_fate_nobody_can_find_out_is_named(exchange: Exchange) -> None:
    client, _ = wire(exchange, account(exchange))
    exchange.faults.add({"kind": "drop_before", "match": "/v5/order/create"})
    with pytest.raises(FateUnknown, match="whether order a-1 was placed; ask"):
        client.orders.create(order())
    assert ordered(exchange) == 0


def test_an_id_used_before_is_refused_not_adopted(exchange: Exchange) -> None:
    client, _ = wire(exchange, account(exchange))
    client.orders.create(order())
    wait(exchange, 10)
    with pytest.raises(BybitRefused, match="retCode 110072"):
        client.orders.create(order())


@pytest.mark.parametrize("kind", ["drop_before", "drop_after", "busy_after"])
def test_a_cancel_survives_lost_replies(exchange: Exchange, kind: str) -> None:
    client, _ = wire(exchange, account(exchange))
    client.orders.create(order())
    wait(exchange, 500)
    (shown,) = client.orders.open_orders("linear", symbol="BTCUSDT")
    exchange.faults.add({"kind": kind, "match": "/v5/order/cancel", "count": 1})
    assert client.orders.cancel(shown)
    wait(exchange, 500)
    found = client.orders.find("linear", "BTCUSDT", link_id="a-1")
    assert found is not None and found.venue_status == "Cancelled"


@pytest.mark.parametrize("kind", ["drop_before", "drop_after"])
def test_a_batch_whose_reply_is_lost_is_looked_up(exchange: Exchange, kind: str) -> None:
    client, _ = wire(exchange, account(exchange))
    exchange.faults.add({"kind": kind, "match": "/v5/order/create-batch", "count": 1})
    outcomes = client.orders.create_batch([order("b-1"), order("b-2")])
    expected = 0 if kind == "drop_after" else -1
    assert [one.code for one in outcomes] == [expected, expected]


def test_reads_go_on_until_they_are_answered(exchange: Exchange) -> None:
    client, network = wire(exchange, account(exchange))
    for kind in ("drop_before", "http_500", "rate_limited", "truncate"):
        exchange.faults.add({"kind": kind, "match": "/v5/account/wallet", "count": 1})
    assert client.account.wallet().coins
    assert paths(network).count("/v5/account/wallet-balance") == 5


def test_a_dead_venue_ends_every_call(exchange: Exchange) -> None:
    client, network = wire(exchange, account(exchange))
    exchange.faults.add({"kind": "drop_before", "match": ""})
    for call in (client.account.wallet, lambda: client.orders.create(order())):
        with pytest.raises(VenueUnavailable):
            call()
    assert len(network.requests) < 60


def test_what_could_not_be_sent_is_known_not_to_be_there(exchange: Exchange) -> None:
    """A refused connection is no unknown fate; a question to a venue that restarts waits for it."""
    away, answer = [0], answer_of(exchange)

    def send(request: Request) -> Response:
        if away[0]:
            away[0] -= 1
            raise NotSent("nobody takes connections")
        return answer(request)

    network = MemoryTransport(send)
    channel = Channel(network, account(exchange), clock=exchange.clock, pause=pausing(exchange))
    ask = Call("/v5/order/realtime", {"category": "linear", "symbol": "BTCUSDT"})
    away[0] = 9
    with pytest.raises(NotSent):
        channel.call(ask)
    away[0] = 0
    channel.call(ask)
    away[0] = 9
    assert channel.call(ask).rows == [], "it was there: it is waited for"
    away[0] = 99
    create = Call("/v5/order/create", order().params(), is_write=True)
    with pytest.raises(NotSent):
        channel.call(create)
    away[0] = 0
    assert ordered(exchange) == 0


def test_with_real_limits_and_the_broker_the_venue_never_complains(
    exchange: Exchange, tmp_path: Path
) -> None:
    exchange.limits.is_lifted = False
    broker = RateBroker(
        tmp_path, clock=exchange.clock, limit=ADDRESS_LIMIT, pause=pausing(exchange)
    )
    client, network = wire(exchange, account(exchange), broker=broker, priority=Priority.RISK)
    for number in range(35):
        client.orders.create(order(f"d-{number}"))
    assert len([path for path in paths(network) if path.endswith("create")]) == 35
    assert ordered(exchange) == 35


def test_an_address_that_is_turned_away_is_told_to_all(exchange: Exchange, tmp_path: Path) -> None:
    network = MemoryTransport(lambda request: Response(403, {}, b"<html>"))
    broker = RateBroker(
        tmp_path, clock=exchange.clock, limit=ADDRESS_LIMIT, pause=pausing(exchange)
    )
    channel = Channel(network, URL, clock=exchange.clock, broker=broker, pause=pausing(exchange))
    with pytest.raises(NotNow, match="use a server of your region"):
        BybitClient(channel).market.tickers("spot")
    (file,) = tmp_path.glob("budget-*.json")
    assert json.loads(file.read_text("utf-8"))[2] > START_MS


@pytest.mark.parametrize(
    "body", [b"", b"null", b"[]", b'{"a":1}', b'{"retCode":"x"}', b'{"retCode":0', b"\xff\xfe"]
)
def test_no_reply_breaks_the_reader(exchange: Exchange, body: bytes) -> None:
    real = answer_of(exchange)

    def answer(request: Request) -> Response:
        return Response(200, {}, body) if "wallet" in request.url else real(request)

    channel = Channel(
        MemoryTransport(answer), account(exchange), clock=exchange.clock, pause=pausing(exchange)
    )
    with pytest.raises(VenueUnavailable):
        BybitClient(channel).account.wallet()


def test_a_reply_without_result_is_empty(exchange: Exchange) -> None:
    network = MemoryTransport(lambda request: Response(200, {}, b'{"retCode":0,"result":null}'))
    channel = Channel(network, URL, clock=exchange.clock, pause=pausing(exchange))
    assert BybitClient(channel).market.tickers("linear") == []

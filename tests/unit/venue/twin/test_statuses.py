"""What a market that is not trading takes and shows, and that it goes on where it left off."""

from decimal import Decimal
from typing import Any

import pytest

from openalpha.venue.twin import Exchange, ListingSpec
from openalpha.venue.twin.sockets import Hub
from tests.fakes.twin import (
    BTC,
    BTC_SPOT,
    LINEAR,
    SPOT,
    Client,
    Ear,
    Refusal,
    admin,
    new_exchange,
    wait,
)

NOT_LIVE = 110074


@pytest.fixture
def venue() -> Exchange:
    return new_exchange()


def refusal(me: Client, path: str, **params: str) -> int:
    with pytest.raises(Refusal) as refused:
        me.post(path, **LINEAR, **params)
    return refused.value.code


@pytest.mark.parametrize(
    ("status", "moves", "is_listed"),
    [
        ("PreLaunch", True, False),
        ("Maintenance", False, True),
    ],
)
def test_a_market_that_is_not_trading(
    venue: Exchange, status: str, moves: bool, is_listed: bool
) -> None:
    me = Client.of(venue)
    me.order("Buy", "0.01")
    rests, other = (me.order("Buy", "0.01", price) for price in ("50000", "49000"))
    admin(venue, "/twin/instrument", symbol="BTCUSDT", status=status)
    version = venue.state.listings["linear:BTCUSDT"].version
    wait(venue, 1_000)
    assert (venue.state.listings["linear:BTCUSDT"].version > version) == moves

    market = {"side": "Buy", "orderType": "Market", "qty": "0.01"}
    assert refusal(me, "/v5/order/create", **market) == NOT_LIVE
    assert refusal(me, "/v5/order/amend", orderId=rests, price="51000") == NOT_LIVE
    batch = {"category": "linear", "request": [{"symbol": "BTCUSDT", **market}]}
    me.post("/v5/order/create-batch", **batch)
    assert me.last is not None
    assert b'"code":110074' in me.last.body
    me.post("/v5/order/cancel", **LINEAR, orderId=rests)
    assert me.shown(rests)["orderStatus"] == "Cancelled"
    assert me.position()["size"] == "0.010"

    info = "/v5/market/instruments-info"
    named = me.get(info, **LINEAR)["list"][0]
    assert named["status"] == status
    assert named["isPreListing"] == (status == "PreLaunch")
    assert bool(me.get(info, category="linear")["list"]) == is_listed
    assert len(me.get(info, category="linear", status=status)["list"]) == 1

    admin(venue, "/twin/instrument", symbol="BTCUSDT", status="Trading")
    wait(venue, 1_000)
    me.post("/v5/order/amend", **LINEAR, orderId=other, price="51000.0")
    assert me.shown(other)["price"] == "51000.0"
    me.order("Sell", "0.01", reduceOnly=True)
    assert me.position()["size"] == "0.000"


def test_a_delisting_is_announced_and_comes(venue: Exchange) -> None:
    me, hub = Client.of(venue), Hub(venue)
    ear, mine = Ear(hub, "/v5/public/linear"), Ear(hub, "/v5/private")
    ear.say(op="subscribe", args=["tickers.BTCUSDT"])
    mine.login(me)
    mine.say(op="subscribe", args=["order", "execution"])
    me.order("Buy", "0.01")
    rests = me.order("Buy", "0.01", "50000")
    moment_ms = venue.now_ms() + 120_000
    admin(venue, "/twin/instrument", symbol="BTCUSDT", delivery_ms=moment_ms)
    info = "/v5/market/instruments-info"
    shown = me.get(info, **LINEAR)["list"][0]
    assert (shown["status"], shown["deliveryTime"]) == ("Trading", str(moment_ms))
    told = [message["data"].get("deliveryTime") for message in let(venue, 1_000, ear)]
    assert str(moment_ms) in told, "tickers say so, too"
    me.order("Buy", "0.01")  # until then it is traded

    mine.hear()
    heard = let(venue, 120_000, mine)
    assert me.get(info, **LINEAR)["list"][0]["status"] == "Delivering"
    assert me.shown(rests)["cancelType"] == "CancelByAdmin"
    assert me.position()["size"] == "0.020", "held until it is settled"
    market = {"side": "Sell", "orderType": "Market", "qty": "0.01"}
    assert refusal(me, "/v5/order/create", **market) == NOT_LIVE
    heard += let(venue, 60_000, mine)
    assert me.position()["size"] == "0.000"
    kinds = [row["execType"] for one in heard if one["topic"] == "execution" for row in one["data"]]
    assert kinds == ["Settle"]
    assert me.get(info, category="linear")["list"] == []
    assert me.get(info, **LINEAR)["list"][0]["status"] == "Closed"


def test_an_announcement_can_be_taken_back_and_must_lie_ahead(venue: Exchange) -> None:
    me, market = Client.of(venue), {"symbol": "BTCUSDT"}
    admin(venue, "/twin/instrument", **market, delivery_ms=venue.now_ms() + 5_000)
    admin(venue, "/twin/instrument", **market, delivery_ms=0)
    wait(venue, 70_000)
    assert me.get("/v5/market/instruments-info", **LINEAR)["list"][0]["status"] == "Trading"
    for wrong in (venue.now_ms(), -5, "soon"):
        with pytest.raises(Refusal, match="UTC ms to come"):
            admin(venue, "/twin/instrument", **market, delivery_ms=wrong)


def test_the_exchange_is_maintained(venue: Exchange) -> None:
    eth = ListingSpec("linear", "ETHUSDT", Decimal(3_000))
    venue = new_exchange(BTC, eth, BTC_SPOT)
    me = Client.of(venue)
    rests = me.order("Buy", "0.01", "50000")
    admin(venue, "/twin/instrument", symbol="*", status="Maintenance")
    for params in (LINEAR, SPOT, {"category": "linear", "symbol": "ETHUSDT"}):
        assert me.get("/v5/market/instruments-info", **params)["list"][0]["status"] == "Maintenance"
        with pytest.raises(Refusal) as refused:
            me.post("/v5/order/create", **params, side="Buy", orderType="Market", qty="0.01")
        assert refused.value.code == NOT_LIVE
    assert me.shown(rests)["orderStatus"] == "New", "orders stay where they are"
    admin(venue, "/twin/instrument", symbol="*", status="Trading")
    me.order("Buy", "0.01")


def let(venue: Exchange, ms: int, ear: Ear) -> list[dict[str, Any]]:
    """What a socket hears while time passes, a second at a time."""
    heard = []
    for _ in range(ms // 1_000):
        wait(venue, 1_000)
        heard += ear.hear()
    return heard


def test_a_status_there_is_none_of_is_refused(venue: Exchange) -> None:
    with pytest.raises(Refusal, match="expected one of Trading, PreLaunch"):
        admin(venue, "/twin/instrument", symbol="BTCUSDT", status="Asleep")

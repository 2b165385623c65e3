"""What a market that is not trading takes and shows, and that it goes on where it left off."""

import pytest

from openalpha.venue.twin import Exchange
from tests.fakes.twin import LINEAR, Client, Refusal, admin, new_exchange, wait

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
        ("Delivering", False, True),
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


def test_a_status_there_is_none_of_is_refused(venue: Exchange) -> None:
    with pytest.raises(Refusal, match="expected one of Trading, PreLaunch"):
        admin(venue, "/twin/instrument", symbol="BTCUSDT", status="Asleep")

"""Exits that come with an order or stand on a part: how many, of what, where they are refused."""

from decimal import Decimal as D  # noqa: N817 - a table of figures

import pytest

from openalpha.venue.twin import Exchange
from openalpha.venue.twin.desk import follow
from tests.fakes.twin import (
    BTC,
    BTC_SPOT,
    BTC_USD,
    LINEAR,
    SPOT,
    Client,
    Refusal,
    admin,
    new_exchange,
    quote,
    wait,
)


@pytest.fixture
def venue() -> Exchange:
    exchange = new_exchange(BTC, BTC_SPOT, BTC_USD)
    admin(exchange, "/twin/market", symbol="BTCUSDT", event="still")
    return exchange


@pytest.fixture
def me(venue: Exchange) -> Client:
    return Client.of(venue, USDT="50000", BTC="2")


@pytest.mark.parametrize(
    ("more", "kinds"),
    [
        ({"takeProfit": "66000", "stopLoss": "54000"}, ["BidirectionalTpslOrder"] * 2),
        ({"stopLoss": "54000", "slOrderType": "Limit", "slLimitPrice": "50000"}, ["tpslOrder"]),
    ],
)
def test_exits_of_a_spot_order_sell_what_it_bought(
    venue: Exchange, me: Client, more: dict[str, str], kinds: list[str]
) -> None:
    admin(venue, "/twin/market", **SPOT, event="still")
    buy = {**SPOT, "side": "Buy", "orderType": "Limit", "qty": "0.01", "price": "63000"}
    me.post("/v5/order/create", **buy, **more)
    bought = me.balance("BTC") - 2
    assert bought == D("0.00999")
    rows = me.get("/v5/order/realtime", **SPOT)["list"]
    assert [(row["stopOrderType"], row["side"], D(row["qty"])) for row in rows] == [
        (kind, "Sell", bought) for kind in kinds
    ]
    admin(venue, "/twin/market", **SPOT, event="gap", size=-0.15)
    wait(venue, 200)
    listing = venue.state.listings["spot:BTCUSDT"]
    bid, _ = listing.pool.machine.best(listing.number)
    listing.pool.machine.on_trade(listing.number, venue.state.now_ms, bid, listing.lot, -1)
    follow(venue.state, listing.pool)
    assert me.get("/v5/order/realtime", **SPOT)["list"] == []
    assert me.balance("BTC") == 2


@pytest.mark.parametrize(
    "more", [{"orderType": "Market"}, {"orderType": "Limit", "triggerPrice": "65000"}]
)
def test_exits_come_with_plain_limit_orders_of_spot_alone(me: Client, more: dict[str, str]) -> None:
    params = {**SPOT, "side": "Buy", "qty": "0.01", "price": "63000", "stopLoss": "54000"}
    with pytest.raises(Refusal) as refusal:
        me.post("/v5/order/create", **params, **more)
    assert refusal.value.code == 170130


def test_parts_of_a_position_have_twenty_exits_of_equal_sizes_at_most(
    venue: Exchange, me: Client
) -> None:
    me.order("Buy", "0.1")
    bid, _ = quote(venue)
    both = {"takeProfit": f"{bid + 900}", "stopLoss": f"{bid - 900}", "tpslMode": "Partial"}

    def set_exits(**sizes: str) -> int:
        try:
            me.post("/v5/position/trading-stop", **LINEAR, **both, **sizes)
        except Refusal as refusal:
            return refusal.code
        return 0

    assert set_exits(tpSize="0.001", slSize="0.002") == 10001
    assert [set_exits(tpSize="0.001", slSize="0.001") for _ in range(11)] == [0] * 10 + [110061]

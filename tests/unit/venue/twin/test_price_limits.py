"""How far from the mark an order may bid or ask: contracts are moved there, spot is refused."""

from decimal import Decimal as D  # noqa: N817 - a table of figures

import pytest

from openalpha.venue.twin import Exchange
from tests.fakes.twin import (
    BTC,
    BTC_SPOT,
    BTC_USD,
    INVERSE,
    LINEAR,
    SPOT,
    Client,
    Refusal,
    admin,
    new_exchange,
)

LIMIT = "/v5/market/price-limit"


@pytest.fixture
def venue() -> Exchange:
    exchange = new_exchange(BTC, BTC_SPOT, BTC_USD)
    admin(exchange, "/twin/market", symbol="BTCUSDT", event="still")
    return exchange


@pytest.fixture
def me(venue: Exchange) -> Client:
    return Client.of(venue, USDT="50000", BTC="2")


def limits(me: Client, market: dict[str, str]) -> tuple[D, D]:
    shown = me.get(LIMIT, **market)
    return D(shown["buyLmt"]), D(shown["sellLmt"])


def test_the_limits_are_formed_from_mark_and_index(venue: Exchange, me: Client) -> None:
    tape = venue.state.listings["linear:BTCUSDT"].tape
    tape.mark, tape.index = 600_000, 600_000
    assert limits(me, LINEAR) == (D(60_600), D(59_400))
    # the index beyond: up to it, but never more than five hundredths from the mark
    tape.index = 612_000
    assert limits(me, LINEAR) == (D(61_200), D(59_400))
    tape.index = 700_000
    assert limits(me, LINEAR) == (D(63_000), D(59_400))
    tape.index = 500_000
    assert limits(me, LINEAR) == (D(60_600), D(57_000))


@pytest.mark.parametrize("market", [LINEAR, INVERSE])
def test_a_contract_s_limit_is_moved_to_the_nearest_price(
    me: Client, market: dict[str, str]
) -> None:
    bid, ask = limits(me, market)
    qty = "0.01" if market is LINEAR else "100"
    for side, beyond, nearest in (("Buy", bid * 2, bid), ("Sell", ask / 2, ask)):
        price = f"{beyond.quantize(D(1))}"
        params = {**market, "side": side, "orderType": "Limit", "qty": qty, "price": price}
        made = me.post("/v5/order/create", **params, timeInForce="PostOnly")
        assert D(me.shown(made["orderId"], **market)["price"]) == nearest


def test_an_amended_limit_is_moved_too(me: Client) -> None:
    order = me.order("Buy", "0.01", "50000", timeInForce="PostOnly")
    me.post("/v5/order/amend", **LINEAR, orderId=order, price="90000")
    assert D(me.shown(order)["price"]) == limits(me, LINEAR)[0]


def test_far_bids_below_and_asks_above_stay_where_they_are(me: Client) -> None:
    for side, price in (("Buy", "1000"), ("Sell", "900000")):
        assert D(me.shown(me.order(side, "0.1", price))["price"]) == D(price)


def test_the_limit_of_a_waiting_order_stays_as_it_is(me: Client) -> None:
    order = me.order("Buy", "0.01", "90000", triggerPrice="80000", triggerDirection=1)
    assert D(me.shown(order)["price"]) == 90_000


@pytest.mark.parametrize(
    ("market", "side", "price", "code"),
    [
        (SPOT, "Buy", "64000", 170193),
        (SPOT, "Sell", "56000", 170194),
        (LINEAR, "Sell", "2000000", 110003),
    ],
)
def test_what_is_too_far_is_refused(
    me: Client, market: dict[str, str], side: str, price: str, code: int
) -> None:
    with pytest.raises(Refusal) as refusal:
        me.post("/v5/order/create", **market, side=side, orderType="Limit", qty="0.01", price=price)
    assert refusal.value.code == code

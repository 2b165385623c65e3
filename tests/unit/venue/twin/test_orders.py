"""Orders on the twin: each kind's life as a client sees it, and what is refused with which code."""

from decimal import ROUND_UP
from decimal import Decimal as D  # noqa: N817 - a table of figures
from typing import Any

import pytest

from openalpha.venue.twin import Exchange
from openalpha.venue.twin.desk import follow
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


def move(venue: Exchange, fraction: float) -> None:
    """Let the price jump, and trade there once."""
    admin(venue, "/twin/market", symbol="BTCUSDT", event="gap", size=fraction)
    wait(venue, 200)
    listing = venue.state.listings["linear:BTCUSDT"]
    bid, _ = listing.pool.machine.best(listing.number)
    listing.pool.machine.on_trade(listing.number, venue.state.now_ms, bid, listing.lot, -1)
    follow(venue.state, listing.pool)


def test_a_market_order_fills_at_the_book_s_price_with_the_taker_fee(
    venue: Exchange, me: Client
) -> None:
    _, ask = quote(venue)
    shown = me.shown(me.order("Buy", "0.001"))
    assert (shown["orderStatus"], shown["cumExecQty"], shown["leavesQty"]) == (
        "Filled",
        "0.001",
        "0.000",
    )
    assert D(shown["avgPrice"]) == ask
    fee = ask * D("0.001") * D("0.00055")
    assert D(shown["cumExecFee"]) == fee.quantize(D("1e-8"), ROUND_UP)
    assert D(me.position()["size"]) == D("0.001")


def test_a_limit_order_rests_is_amended_and_cancelled(venue: Exchange, me: Client) -> None:
    order = me.order("Buy", "0.01", "50000", orderLinkId="mine-1")
    assert me.shown(order)["orderStatus"] == "New"
    me.post("/v5/order/amend", **LINEAR, orderLinkId="mine-1", qty="0.02", price="50001")
    shown = me.shown(order)
    assert (shown["qty"], shown["price"], shown["orderStatus"]) == ("0.020", "50001.0", "New")
    me.post("/v5/order/cancel", **LINEAR, orderId=order)
    shown = me.shown(order)
    assert (shown["orderStatus"], shown["cancelType"]) == ("Cancelled", "CancelByUser")
    assert me.get("/v5/order/realtime", **LINEAR)["list"] == []


def test_post_only_that_would_take_is_accepted_and_cancelled(me: Client) -> None:
    shown = me.shown(me.order("Buy", "0.01", "70000", timeInForce="PostOnly"))
    assert shown["orderStatus"] == "Cancelled"
    assert shown["rejectReason"] == "EC_PostOnlyWillTakeLiquidity"


@pytest.mark.parametrize(("tif", "reason"), [("IOC", "EC_NoImmediateQtyToFill"), ("FOK", "EC_No")])
def test_what_cannot_fill_at_once_is_cancelled(me: Client, tif: str, reason: str) -> None:
    shown = me.shown(me.order("Buy", "0.01", "50000", timeInForce=tif))
    assert shown["orderStatus"] == "Cancelled" and shown["rejectReason"].startswith(reason)


def test_a_stop_waits_and_fills_when_the_price_comes(venue: Exchange, me: Client) -> None:
    order = me.order("Sell", "0.01", triggerPrice="58000", triggerDirection=2)
    assert me.shown(order)["orderStatus"] == "Untriggered"
    assert me.get("/v5/order/realtime", **LINEAR, orderFilter="StopOrder")["list"]
    move(venue, -0.05)
    assert me.shown(order)["orderStatus"] == "Filled"
    assert D(me.position()["size"]) == D("0.01") and me.position()["side"] == "Sell"


def test_a_stop_limit_rests_after_its_trigger(venue: Exchange, me: Client) -> None:
    order = me.order("Buy", "0.01", "57000", triggerPrice="58000", triggerDirection=2)
    move(venue, -0.04)
    assert me.shown(order)["orderStatus"] == "New"
    move(venue, -0.03)
    assert me.shown(order)["orderStatus"] == "Filled"


def test_a_cancelled_conditional_order_is_deactivated(me: Client) -> None:
    order = me.order("Sell", "0.01", triggerPrice="58000", triggerDirection=2)
    me.post("/v5/order/cancel", **LINEAR, orderId=order)
    assert me.shown(order)["orderStatus"] == "Deactivated"


def test_exits_of_an_entry_stand_until_the_position_is_closed(venue: Exchange, me: Client) -> None:
    me.order("Buy", "0.01", takeProfit="65000", stopLoss="55000")
    shown = me.position()
    assert (shown["takeProfit"], shown["stopLoss"]) == ("65000.0", "55000.0")
    waiting = me.get("/v5/order/realtime", **LINEAR)["list"]
    assert {row["stopOrderType"] for row in waiting} == {"TakeProfit", "StopLoss"}
    assert all(row["reduceOnly"] for row in waiting)
    move(venue, -0.1)
    assert me.position()["size"] == "0.000"
    gone = me.get("/v5/order/history", **LINEAR)["list"]
    by_kind = {row["stopOrderType"]: row for row in gone}
    assert by_kind["StopLoss"]["orderStatus"] == "Filled"
    assert by_kind["TakeProfit"]["cancelType"] == "CancelByTpSlTsClear"


def test_partial_exits_come_in_pairs_that_cancel_each_other(venue: Exchange, me: Client) -> None:
    exits = {"takeProfit": "65000", "stopLoss": "55000", "tpslMode": "Partial"}
    limit = {"tpOrderType": "Limit", "tpLimitPrice": "64900"}
    me.order("Buy", "0.01", **exits, **limit)
    me.order("Buy", "0.02")
    waiting = me.get("/v5/order/realtime", **LINEAR)["list"]
    assert {row["qty"] for row in waiting} == {"0.010"}
    move(venue, -0.1)
    assert me.position()["size"] == "0.020"
    assert me.get("/v5/order/realtime", **LINEAR)["list"] == []


def test_a_trading_stop_moves_and_goes_and_never_leaves_the_position_naked(
    venue: Exchange, me: Client
) -> None:
    me.order("Buy", "0.01")
    stop = {**LINEAR, "positionIdx": 0, "tpslMode": "Full"}
    me.post("/v5/position/trading-stop", **stop, stopLoss="55000")
    with pytest.raises(Refusal) as same:
        me.post("/v5/position/trading-stop", **stop, stopLoss="55000")
    assert same.value.code == 34040
    me.post("/v5/position/trading-stop", **stop, stopLoss="56000")
    waiting = me.get("/v5/order/realtime", **LINEAR)["list"]
    assert [row["triggerPrice"] for row in waiting] == ["56000.0"]
    me.post("/v5/position/trading-stop", **stop, stopLoss="0")
    assert me.get("/v5/order/realtime", **LINEAR)["list"] == []
    with pytest.raises(Refusal):
        me.post("/v5/position/trading-stop", **stop, stopLoss="70000")


def test_a_trailing_stop_follows_the_best_price(venue: Exchange, me: Client) -> None:
    me.order("Buy", "0.01")
    me.post("/v5/position/trading-stop", **LINEAR, positionIdx=0, trailingStop="1000")
    assert me.position()["trailingStop"] == "1000.0"
    move(venue, 0.05)
    assert me.position()["size"] == "0.010"
    move(venue, -0.03)
    assert me.position()["size"] == "0.000"
    assert D(me.get("/v5/position/closed-pnl", category="linear")["list"][0]["closedPnl"]) > 0


def test_reduce_only_closes_and_never_opens(me: Client) -> None:
    with pytest.raises(Refusal) as refused:
        me.order("Sell", "0.01", reduceOnly=True)
    assert refused.value.code == 110017
    me.order("Buy", "0.01")
    me.order("Sell", "0.05", reduceOnly=True)
    assert me.position()["size"] == "0.000"


def test_quantity_0_closes_the_whole_position(me: Client) -> None:
    me.order("Buy", "0.013")
    shown = me.shown(me.order("Sell", "0", reduceOnly=True, closeOnTrigger=True))
    assert (shown["orderStatus"], shown["qty"]) == ("Filled", "0.013")
    assert me.position()["size"] == "0.000"


def test_a_batch_answers_each_order_by_itself(me: Client) -> None:
    items = [
        {"symbol": "BTCUSDT", "side": "Buy", "orderType": "Limit", "qty": "0.01", "price": price}
        for price in ("50000", "50000.05", "51000")
    ]
    answer = me.request(
        "POST", "/v5/order/create-batch", body=_json(category="linear", request=items)
    )
    assert answer["retCode"] == 0
    assert [row["code"] for row in answer["retExtInfo"]["list"]] == [0, 10001, 0]
    ids = [row["orderId"] for row in answer["result"]["list"] if row["orderId"]]
    gone = [{"symbol": "BTCUSDT", "orderId": name} for name in (*ids, "unknown")]
    answer = me.request(
        "POST", "/v5/order/cancel-batch", body=_json(category="linear", request=gone)
    )
    assert [row["code"] for row in answer["retExtInfo"]["list"]] == [0, 0, 110001]


def _json(**params: Any) -> bytes:
    import json

    return json.dumps(params).encode()


def test_cancel_all_takes_every_kind_of_a_linear_market(me: Client) -> None:
    me.order("Buy", "0.01", "50000")
    me.order("Sell", "0.01", triggerPrice="58000", triggerDirection=2)
    gone = me.post("/v5/order/cancel-all", **LINEAR)["list"]
    assert len(gone) == 2 and me.get("/v5/order/realtime", **LINEAR)["list"] == []
    with pytest.raises(Refusal) as refused:
        me.post("/v5/order/cancel-all", category="linear")
    assert refused.value.code == 10001


@pytest.mark.parametrize(
    ("params", "code"),
    [
        ({"qty": "0.0005"}, 10001),
        ({"qty": "0.0105"}, 10001),
        ({"qty": "x"}, 10001),
        ({"qty": "-1"}, 10001),
        ({"qty": "NaN"}, 10001),
        ({"qty": "5000"}, 10001),
        ({"price": "50000.05"}, 10001),
        ({"price": "0"}, 10001),
        ({"price": ""}, 10001),
        ({"qty": "0.001", "price": "1000"}, 110094),
        ({"qty": "900", "price": "59000"}, 110090),
        ({"qty": "40", "price": "50000"}, 110007),
        ({"side": "Long"}, 10001),
        ({"orderType": "Stop"}, 10001),
        ({"timeInForce": "GTT"}, 10001),
        ({"positionIdx": 1}, 10001),
        ({"orderLinkId": "a" * 37}, 10001),
        ({"orderLinkId": "a b"}, 10001),
        ({"symbol": "NOPEUSDT"}, 10001),
        ({"category": "margin"}, 10001),
        ({"triggerPrice": "70000", "triggerDirection": 2}, 110093),
        ({"triggerPrice": "50000", "triggerDirection": 1}, 110092),
        ({"triggerPrice": "50000"}, 10001),
        ({"takeProfit": "40000"}, 10001),
        ({"stopLoss": "55000"}, 10001),
        ({"reduceOnly": True, "takeProfit": "70000"}, 10001),
        ({"reduceOnly": True}, 110017),
    ],
)
def test_what_is_refused_makes_no_order(me: Client, params: dict[str, Any], code: int) -> None:
    usual = {**LINEAR, "side": "Buy", "orderType": "Limit", "qty": "0.01", "price": "50000"}
    with pytest.raises(Refusal) as refused:
        me.post("/v5/order/create", **(usual | params))
    assert refused.value.code == code
    assert me.get("/v5/order/realtime", **LINEAR)["list"] == []
    assert me.get("/v5/order/history", **LINEAR)["list"] == []


def test_a_client_id_serves_once(me: Client) -> None:
    me.order("Buy", "0.01", "50000", orderLinkId="once")
    with pytest.raises(Refusal) as again:
        me.order("Buy", "0.01", "50000", orderLinkId="once")
    assert again.value.code == 110072
    with pytest.raises(Refusal) as unknown:
        me.post("/v5/order/cancel", **LINEAR, orderLinkId="never")
    assert unknown.value.code == 110001


def test_an_amend_that_margin_does_not_cover_leaves_the_order(me: Client) -> None:
    order = me.order("Buy", "0.01", "50000")
    with pytest.raises(Refusal) as refused:
        me.post("/v5/order/amend", **LINEAR, orderId=order, qty="40")
    assert refused.value.code == 110007
    assert me.shown(order)["qty"] == "0.010"


def test_hedge_mode_holds_a_long_and_a_short_side_by_side(venue: Exchange, me: Client) -> None:
    me.post("/v5/position/switch-mode", category="linear", coin="USDT", mode=3)
    with pytest.raises(Refusal):
        me.order("Buy", "0.01")
    me.order("Buy", "0.02", positionIdx=1)
    me.order("Sell", "0.01", positionIdx=2)
    rows = me.get("/v5/position/list", **LINEAR)["list"]
    assert [(row["positionIdx"], row["side"], row["size"]) for row in rows] == [
        (1, "Buy", "0.020"),
        (2, "Sell", "0.010"),
    ]
    with pytest.raises(Refusal) as refused:
        me.post("/v5/position/switch-mode", category="linear", coin="USDT", mode=0)
    assert refused.value.code == 110024
    me.order("Sell", "0.02", positionIdx=1, reduceOnly=True)
    me.order("Buy", "0.01", positionIdx=2, reduceOnly=True)
    me.post("/v5/position/switch-mode", category="linear", coin="USDT", mode=0)


def test_leverage_and_margin_mode_change_the_margin(me: Client) -> None:
    me.order("Buy", "0.1")
    tenth = D(me.position()["positionIM"])
    me.post("/v5/position/set-leverage", **LINEAR, buyLeverage="5", sellLeverage="5")
    fifth = D(me.position()["positionIM"])
    assert D("1.95") < fifth / tenth < D("2.05")
    with pytest.raises(Refusal) as same:
        me.post("/v5/position/set-leverage", **LINEAR, buyLeverage="5", sellLeverage="5")
    assert same.value.code == 110043
    with pytest.raises(Refusal) as high:
        me.post("/v5/position/set-leverage", **LINEAR, buyLeverage="1000", sellLeverage="1000")
    assert high.value.code == 110013
    me.post("/v5/account/set-margin-mode", setMarginMode="ISOLATED_MARGIN")
    assert D(me.position()["positionBalance"]) > 1_000
    assert me.get("/v5/account/info")["marginMode"] == "ISOLATED_MARGIN"


def test_spot_buys_by_cost_and_sells_what_is_there(venue: Exchange, me: Client) -> None:
    before = me.balance("BTC")
    order = me.post("/v5/order/create", **SPOT, side="Buy", orderType="Market", qty="1000")
    shown = me.shown(order["orderId"], **SPOT)
    assert D("990") < D(shown["cumExecValue"]) <= 1000
    assert me.balance("BTC") == before + D(shown["cumExecQty"]) - D(shown["cumExecFee"])
    with pytest.raises(Refusal) as refused:
        me.post("/v5/order/create", **SPOT, side="Sell", orderType="Limit", qty="9", price="70000")
    assert refused.value.code == 170131


def test_a_coin_serves_spot_and_inverse_as_one_balance(venue: Exchange, me: Client) -> None:
    me.post("/v5/order/create", **INVERSE, side="Buy", orderType="Market", qty="1000")
    assert me.position(**INVERSE)["size"] == "1000"
    sell = {"side": "Sell", "orderType": "Limit", "price": "70000"}
    me.post("/v5/order/create", **SPOT, **sell, qty="1.9")
    with pytest.raises(Refusal):
        me.post("/v5/order/create", **SPOT, **sell, qty="0.2")
    me.post("/v5/order/create", **INVERSE, side="Sell", orderType="Market", qty="1000")
    assert D("1.999") < me.balance("BTC") < 2


def test_cursors_lead_through_every_row_once(me: Client) -> None:
    orders = [me.order("Buy", "0.001") for _ in range(23)]
    seen: list[str] = []
    cursor = ""
    while True:
        page = me.get("/v5/order/history", **LINEAR, limit=10, cursor=cursor)
        seen += [row["orderId"] for row in page["list"]]
        cursor = page["nextPageCursor"]
        if not cursor:
            break
    assert seen == orders[::-1]

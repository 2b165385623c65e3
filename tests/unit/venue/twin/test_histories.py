"""How far back listings tell, what cursors mean while rows come and go, what filters name."""

from collections.abc import Callable
from decimal import Decimal as D  # noqa: N817 - a table of figures

import pytest

from openalpha.core.clock import DAY_MS, HOUR_MS
from openalpha.venue.twin import Exchange
from openalpha.venue.twin.handlers import order as order_family
from openalpha.venue.twin.sockets import Hub
from tests.fakes.twin import (
    BTC,
    BTC_SPOT,
    LINEAR,
    SPOT,
    START_MS,
    Client,
    Refusal,
    admin,
    new_exchange,
    quote,
    wait,
)


@pytest.fixture
def venue() -> Exchange:
    exchange = new_exchange(BTC, BTC_SPOT, step_ms=HOUR_MS)
    admin(exchange, "/twin/market", symbol="BTCUSDT", event="still")
    return exchange


@pytest.fixture
def me(venue: Exchange) -> Client:
    return Client.of(venue, USDT="50000", BTC="2")


LOG, EXECUTIONS = "/v5/account/transaction-log", "/v5/execution/list"
HISTORY, CLOSED = "/v5/order/history", "/v5/position/closed-pnl"


@pytest.mark.parametrize(("path", "days"), [(LOG, 1), (EXECUTIONS, 7), (HISTORY, 7), (CLOSED, 7)])
def test_a_history_tells_so_many_days_where_no_end_is_asked_for(
    venue: Exchange, me: Client, path: str, days: int
) -> None:
    me.order("Buy", "0.001")
    me.order("Sell", "0.001", reduceOnly=True)
    wait(venue, days * DAY_MS)
    count = len(me.get(path, **LINEAR)["list"])
    assert count >= 1
    assert len(me.get(path, **LINEAR, startTime=START_MS - 1)["list"]) == count
    # just outside: behind the stretch that ends now, and behind the one that begins before it
    assert me.get(path, **LINEAR, startTime=START_MS - days * DAY_MS - 1)["list"] == []
    wait(venue, 1)
    assert me.get(path, **LINEAR)["list"] == []
    whole = {"startTime": START_MS, "endTime": START_MS + 7 * DAY_MS}
    assert len(me.get(path, **LINEAR, **whole)["list"]) == count
    with pytest.raises(Refusal) as refusal:
        me.get(path, **LINEAR, startTime=START_MS - 1, endTime=START_MS + 7 * DAY_MS)
    assert refusal.value.code == 10001


def test_executions_of_one_order_are_told_whenever_they_were(venue: Exchange, me: Client) -> None:
    order = me.order("Buy", "0.001")
    wait(venue, 30 * DAY_MS)
    assert len(me.get(EXECUTIONS, **LINEAR, orderId=order)["list"]) == 1


def test_what_ended_without_a_fill_is_in_the_history_for_a_day(venue: Exchange, me: Client) -> None:
    filled, gone = me.order("Buy", "0.001"), me.order("Buy", "0.001", "50000")
    me.post("/v5/order/cancel", **LINEAR, orderId=gone)
    wait(venue, DAY_MS)
    assert [row["orderId"] for row in me.get(HISTORY, **LINEAR)["list"]] == [gone, filled]
    wait(venue, 1)
    assert [row["orderId"] for row in me.get(HISTORY, **LINEAR)["list"]] == [filled]


def test_realtime_knows_the_last_closed_orders_alone(
    me: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As on the venue, where they are 500: a trader that asks there only would lose an order.
    monkeypatch.setattr(order_family, "RECENT_CLOSED", 2)
    open_one = me.order("Buy", "0.001", "50000")
    orders = [me.order("Buy", "0.001") for _ in range(3)]
    realtime = "/v5/order/realtime"
    recent = me.get(realtime, **LINEAR, openOnly=1)["list"]
    assert [row["orderId"] for row in recent] == orders[:0:-1]
    assert me.get(realtime, **LINEAR, orderId=orders[0])["list"] == []
    assert me.get(HISTORY, **LINEAR, orderId=orders[0])["list"] != []
    assert me.get(realtime, **LINEAR, orderId=open_one)["list"] != []


def test_after_a_restart_closed_orders_are_told_by_the_history_alone(me: Client) -> None:
    Hub(me.exchange)
    before, rests = me.order("Buy", "0.001"), me.order("Buy", "0.001", "50000")
    admin(me.exchange, "/twin/faults", kind="restart")
    after = me.order("Buy", "0.001")
    told = [row["orderId"] for row in me.get("/v5/order/realtime", **LINEAR, openOnly=1)["list"]]
    assert told == [after]
    assert me.get("/v5/order/realtime", **LINEAR, orderId=before)["list"] == []
    assert me.get("/v5/order/realtime", **LINEAR, orderId=rests)["list"] != []
    assert me.get(HISTORY, **LINEAR, orderId=before)["list"] != []


def cancel(me: Client, order: str) -> None:
    me.post("/v5/order/cancel", **LINEAR, orderId=order)


def add(me: Client, order: str) -> None:
    del order
    me.order("Buy", "0.001", "50000")


@pytest.mark.parametrize("change", [cancel, add])
def test_a_page_is_not_moved_by_orders_that_come_or_go(
    me: Client, change: Callable[[Client, str], None]
) -> None:
    orders = [me.order("Buy", "0.001", "50000") for _ in range(6)]
    first = me.get("/v5/order/realtime", **LINEAR, limit=3)
    change(me, orders[4])
    second = me.get("/v5/order/realtime", **LINEAR, limit=3, cursor=first["nextPageCursor"])
    rows = first["list"] + second["list"]
    assert [row["orderId"] for row in rows] == orders[::-1]
    assert second["nextPageCursor"] == ""


@pytest.mark.parametrize("path", [LOG, EXECUTIONS, CLOSED])
def test_a_page_of_a_history_is_not_moved_by_new_rows(me: Client, path: str) -> None:
    def trade() -> None:
        me.order("Buy", "0.001")
        me.order("Sell", "0.001", reduceOnly=True)

    for _ in range(4):
        trade()
    rows = me.get(path, **LINEAR)["list"]
    seen, cursor = [], ""
    while len(seen) < len(rows):
        page = me.get(path, **LINEAR, limit=3, cursor=cursor)
        seen += page["list"]
        cursor = page["nextPageCursor"]
        trade()
    assert (seen, cursor) == (rows, "")


def test_exits_of_a_linear_position_are_stop_orders(me: Client) -> None:
    _, ask = quote(me.exchange)
    me.order("Buy", "0.01", takeProfit=f"{ask + 5000}", stopLoss=f"{ask - 5000}")
    me.order("Buy", "0.001", triggerPrice=f"{ask + 3000}", triggerDirection=1)
    me.order("Buy", "0.001", "50000")

    def shown(**more: str) -> list[str]:
        rows = me.get("/v5/order/realtime", **LINEAR, **more)["list"]
        return [row["stopOrderType"] for row in rows]

    assert shown(orderFilter="Order") == [""]
    assert sorted(shown(orderFilter="StopOrder")) == ["Stop", "StopLoss", "TakeProfit"]
    # the conditional order alone, then all that protects
    kinds = {"orderFilter": "StopOrder", "stopOrderType": "Stop"}
    assert len(me.post("/v5/order/cancel-all", **LINEAR, **kinds)["list"]) == 1
    assert sorted(shown()) == ["", "StopLoss", "TakeProfit"]
    me.post("/v5/order/cancel-all", **LINEAR, orderFilter="StopOrder")
    assert shown() == [""]


def test_spot_tells_its_exits_apart(me: Client) -> None:
    _, ask = quote(me.exchange, "spot:BTCUSDT")
    sell = {**SPOT, "side": "Sell", "orderType": "Market", "qty": "0.01"}
    me.post("/v5/order/create", **sell, orderFilter="tpslOrder", triggerPrice=f"{ask - 2000}")
    me.post("/v5/order/create", **sell, orderFilter="StopOrder", triggerPrice=f"{ask - 2000}")
    for kind, other in (("tpslOrder", "StopOrder"), ("StopOrder", "Order")):
        (row,) = me.get("/v5/order/realtime", **SPOT, orderFilter=kind)["list"]
        assert D(row["qty"]) == D("0.01")
        with pytest.raises(Refusal) as refusal:
            me.post("/v5/order/cancel", **SPOT, orderId=row["orderId"], orderFilter=other)
        assert refusal.value.code == 170213
        me.post("/v5/order/cancel", **SPOT, orderId=row["orderId"], orderFilter=kind)

"""Whatever a client writes into a field, it is answered, and the books add up afterwards."""

import json
from collections.abc import Mapping
from typing import Any

import pytest

from openalpha.venue.twin import Exchange
from openalpha.venue.twin.exchange import READS, WRITES
from tests.fakes.twin import BTC, BTC_SPOT, LINEAR, SPOT, Client, new_exchange

NONSENSE: tuple[Any, ...] = (
    *(None, "", 0, -1, 1.5, True, [], {}, [1], {"a": 1}, "NaN", "Infinity", "1e400", "9" * 40),
    *("١", "\u0000", "é", "0x10", "1_000", " 5 ", 2**70, 1e300, "Nobody", "-0.5"),
)
LIMIT = {"side": "Buy", "orderType": "Limit", "qty": "0.01", "price": "60000", "orderLinkId": "me"}
EXITS = {
    "takeProfit": "70000",
    "tpTriggerBy": "MarkPrice",
    "stopLoss": "50000",
    "slTriggerBy": "LastPrice",
    "tpslMode": "Partial",
    "tpOrderType": "Limit",
    "tpLimitPrice": "69000",
    "slOrderType": "Market",
    "slLimitPrice": "",
}
WAITING = {"triggerPrice": "62000", "triggerDirection": 1, "triggerBy": "IndexPrice"}
FLAGS = {"timeInForce": "GTC", "reduceOnly": False, "closeOnTrigger": False, "positionIdx": 0}
STOPS = {"trailingStop": "500", "activePrice": "61000", "tpSize": "0.01", "slSize": "0.01"}
NAMED = {"orderLinkId": "rests", "orderId": "", "orderFilter": "Order"}
PAGES = {"limit": 5, "cursor": "", "startTime": 1, "endTime": 2, "openOnly": 0, "execType": "Trade"}
MORE: Mapping[str, Mapping[str, Any]] = {
    "/v5/order/create": {**LIMIT, **EXITS, **WAITING, **FLAGS, "orderFilter": "Order"},
    "/v5/order/pre-check": {**LIMIT, **EXITS, **WAITING, **FLAGS},
    "/v5/order/amend": {**NAMED, "qty": "0.02", "price": "50001", **EXITS, **WAITING},
    "/v5/order/cancel": NAMED,
    "/v5/order/cancel-all": {"orderFilter": "StopOrder", "stopOrderType": "Stop", "baseCoin": ""},
    "/v5/position/trading-stop": {**EXITS, **STOPS, "positionIdx": 0},
    "/v5/position/set-leverage": {"buyLeverage": "5", "sellLeverage": "5"},
    "/v5/position/switch-mode": {"mode": 0, "coin": "USDT"},
    "/v5/position/add-margin": {"margin": "1", "positionIdx": 0},
    "/v5/position/set-auto-add-margin": {"autoAddMargin": 0, "positionIdx": 0},
    "/v5/account/set-margin-mode": {"setMarginMode": "REGULAR_MARGIN"},
    "/v5/order/disconnected-cancel-all": {"product": "SPOT", "timeWindow": 10},
}


@pytest.fixture(scope="module")
def venue() -> Exchange:
    return new_exchange(BTC, BTC_SPOT)


def sound(venue: Exchange, me: Client) -> None:
    """Every balance is the sum of its statement, every position of its executions."""
    account = venue.state.accounts.by_uid(int(me.uid))
    assert account is not None
    record = venue.state.record(account)
    for coin, cash in record.cash.items():
        assert venue.state.balance(account.number, coin) == cash
    assert set(record.open_ids) <= set(record.orders)
    assert all(record.orders[name].kernel_id for name in record.open_ids)


@pytest.mark.parametrize("market", [LINEAR, SPOT], ids=["linear", "spot"])
@pytest.mark.parametrize("path", WRITES)
def test_nonsense_in_any_field_of_a_write_is_answered(
    venue: Exchange, path: str, market: dict[str, str]
) -> None:
    me = Client.of(venue, USDT="50000", BTC="2")
    me.order("Buy", "0.1")
    me.order("Buy", "0.01", "50000", orderLinkId="rests")
    usual = {**market, **MORE.get(path.removesuffix("-batch"), {})}
    for name in usual:
        for value in NONSENSE:
            wanted: Any = {**usual, name: value}
            if path.endswith("-batch"):
                wanted = {"category": market["category"], "request": [wanted, value]}
            me.request("POST", path, body=json.dumps(wanted).encode())
    sound(venue, me)


@pytest.mark.parametrize("path", READS)
def test_nonsense_in_any_field_of_a_read_is_answered(venue: Exchange, path: str) -> None:
    me = Client.of(venue)
    usual = {**LINEAR, **PAGES, "accountType": "UNIFIED", "coin": "USDT", "currency": "USDT"}
    for name in usual:
        for value in NONSENSE:
            query = "&".join(f"{one}={value if one == name else usual[one]}" for one in usual)
            me.request("GET", path, query=query)

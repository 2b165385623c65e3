"""Rows of Bybit with fields that are missing: none breaks a reader, none that counts is a zero."""

from typing import Any

import pytest

from openalpha.venue.bybit.needed import lacking
from openalpha.venue.bybit.rows import (
    Execution,
    FeeRate,
    LogRow,
    OrderRow,
    PositionRow,
    Ticker,
    TradingRules,
    Wallet,
)

ROWS: dict[str, dict[str, Any]] = {
    "open": {
        "orderId": "7",
        "orderLinkId": "a",
        "symbol": "BTCUSDT",
        "side": "Buy",
        "orderStatus": "PartiallyFilled",
        "orderType": "Limit",
        "qty": "2",
        "cumExecQty": "1",
        "price": "5",
        "reduceOnly": True,
        "positionIdx": 0,
        "stopOrderType": "",
        "createType": "CreateByUser",
        "createdTime": "1",
        "updatedTime": "2",
    },
    "fills": {
        "execId": "e",
        "orderId": "7",
        "orderLinkId": "a",
        "symbol": "BTCUSDT",
        "side": "Sell",
        "execType": "Trade",
        "execQty": "1",
        "execPrice": "5",
        "execFee": "0.1",
        "feeCurrency": "USDT",
        "isMaker": True,
        "execTime": "3",
    },
    "positions": {
        "symbol": "BTCUSDT",
        "side": "Buy",
        "size": "1",
        "avgPrice": "5",
        "markPrice": "6",
        "leverage": "10",
        "liqPrice": "",
        "stopLoss": "4",
        "positionIdx": 0,
        "updatedTime": "4",
    },
    "statement": {
        "id": "s",
        "transactionTime": "5",
        "currency": "USDT",
        "type": "TRADE",
        "category": "linear",
        "symbol": "BTCUSDT",
        "change": "1",
        "cashFlow": "2",
        "funding": "",
        "fee": "1",
        "cashBalance": "9",
        "tradeId": "t",
        "orderId": "7",
        "orderLinkId": "a",
    },
    "wallet": {
        "totalEquity": "9",
        "totalMarginBalance": "9",
        "coin": [{"coin": "USDT", "walletBalance": "9", "equity": "9"}],
    },
    "tickers": {"symbol": "BTCUSDT", "lastPrice": "5", "markPrice": "5", "bid1Price": "4"},
    "fees": {"symbol": "BTCUSDT", "makerFeeRate": "0.1", "takerFeeRate": "0.2"},
    "rules": {
        "symbol": "BTCUSDT",
        "status": "Trading",
        "lotSizeFilter": {"qtyStep": "0.1", "maxOrderQty": "9"},
        "priceFilter": {"tickSize": "0.1"},
        "leverageFilter": {"maxLeverage": "10"},
        "fundingInterval": 480,
    },
}
NEEDED = {
    "open": ("orderId", "orderLinkId", "symbol", "orderStatus", "qty"),
    "fills": (
        "execId",
        "orderLinkId",
        "symbol",
        "side",
        "execType",
        "execQty",
        "execPrice",
        "execFee",
        "execTime",
    ),
    "positions": ("symbol", "side", "size", "markPrice"),
    "statement": (
        "id",
        "transactionTime",
        "currency",
        "type",
        "change",
        "cashFlow",
        "fee",
        "cashBalance",
    ),
    "wallet": ("coin",),
}
READERS = {
    "open": lambda row: OrderRow.of(row, "linear"),
    "fills": lambda row: Execution.of(row, "linear"),
    "positions": lambda row: PositionRow.of(row, "linear"),
    "statement": LogRow.of,
    "wallet": Wallet.of,
    "tickers": Ticker.of,
    "fees": FeeRate.of,
    "rules": lambda row: TradingRules.of(row, "linear"),
}


@pytest.mark.parametrize("kind", READERS)
@pytest.mark.parametrize("empty", [None, "", "NaN", {"brand": "new"}, []], ids=str)
def test_fields_nobody_knows_and_fields_that_are_missing(kind: str, empty: object) -> None:
    """A missing optional field crashed a reconciliation: nautilus_trader 3836."""
    read, whole = READERS[kind], ROWS[kind]
    assert read({**whole, "brandNew": {"deep": 1}}) == read(whole)
    assert read({}) is not None
    for name in whole:
        read({key: value for key, value in whole.items() if key != name})
        read({**whole, name: empty})


@pytest.mark.parametrize("kind", NEEDED)
def test_what_counts_is_never_read_as_zero(kind: str) -> None:
    assert lacking(kind, [ROWS[kind]]) == ""
    for name in ROWS[kind]:
        without = {key: value for key, value in ROWS[kind].items() if key != name}
        expected = name if name in NEEDED[kind] else ""
        for row in (without, {**without, name: None}):
            assert lacking(kind, [ROWS[kind], row]) == expected
        if name != "orderLinkId":
            assert lacking(kind, [{**without, name: ""}]) == expected


def test_a_wallet_without_a_balance_and_a_settlement_without_a_fee() -> None:
    assert lacking("wallet", [{"coin": [{"coin": "USDT", "walletBalance": ""}]}]) == "walletBalance"
    settled = {**ROWS["statement"], "type": "SETTLEMENT", "fee": "", "cashFlow": ""}
    assert lacking("statement", [settled]) == ""
    funding = {**ROWS["fills"], "execType": "Funding", "side": "", "execFee": ""}
    assert lacking("fills", [funding]) == ""
    assert lacking("positions", [{"symbol": "BTCUSDT", "side": "", "size": "0"}]) == ""

"""Replies and pushes of the twin beside recorded ones: every field there, of the same JSON type.

The recordings stay outside the repository: OPENALPHA_TEST_BYBIT names their folder, which holds
`nautilus/*.json` and `nautilus_required_fields.json` (what the strictest known parser needs).
"""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from openalpha.venue.twin import Exchange
from openalpha.venue.twin.sockets import Hub, Session
from tests.fakes.twin import (
    BTC,
    BTC_SPOT,
    BTC_USD,
    INVERSE,
    LINEAR,
    SPOT,
    Client,
    new_exchange,
    wait,
)

AUTH = {"accountType": "UNIFIED"}
# Where a recording says something else than the documentation, the twin follows the latter.
NOT_ASKED = {
    "http_get_instruments_linear": {"nextPageCursor"},
    "http_get_instruments_inverse": {"nextPageCursor"},
    "http_get_orders_realtime": {"blockTradeId", "avgPrice", "orderIv"},
    "ws_account_wallet": {"totalPerpUpl"},  # documented and elsewhere recorded as totalPerpUPL
    "ws_account_execution_fast_envelope_id": {"id"},
}
REPLIES: dict[str, tuple[str, dict[str, str]]] = {
    "http_get_instruments_linear": ("/v5/market/instruments-info", {"category": "linear"}),
    "http_get_instruments_inverse": ("/v5/market/instruments-info", {"category": "inverse"}),
    "http_get_instruments_spot": ("/v5/market/instruments-info", {"category": "spot"}),
    "http_get_klines_linear": ("/v5/market/kline", {**LINEAR, "interval": "1"}),
    "http_get_orderbook": ("/v5/market/orderbook", LINEAR),
    "http_get_trades_recent": ("/v5/market/recent-trade", LINEAR),
    "http_get_funding_history": ("/v5/market/funding/history", LINEAR),
    "http_get_account_info": ("/v5/account/info", {}),
    "http_get_fee_rate": ("/v5/account/fee-rate", {"category": "linear"}),
    "http_get_wallet_balance": ("/v5/account/wallet-balance", AUTH),
    "http_get_executions": ("/v5/execution/list", {"category": "linear"}),
    "http_get_orders_realtime": ("/v5/order/realtime", LINEAR),
    "http_get_orders_realtime_tp_sl": ("/v5/order/realtime", LINEAR),
    "http_get_orders_history": ("/v5/order/history", {"category": "linear"}),
    "http_get_positions": ("/v5/position/list", LINEAR),
    "http_get_positions_with_open_time": ("/v5/position/list", LINEAR),
    "http_get_user_query_api": ("/v5/user/query-api", {}),
}
PUSHES = {
    "ws_account_order": "order",
    "ws_account_order_filled": "order",
    "ws_account_order_stop_loss": "order",
    "ws_account_execution": "execution",
    "ws_account_execution_fast": "execution.fast",
    "ws_account_execution_fast_envelope_id": "execution.fast",
    "ws_account_position": "position",
    "ws_account_position_with_open_time": "position",
    "ws_account_wallet": "wallet",
    "ws_kline": "kline.1.BTCUSDT",
    "ws_orderbook_delta": "orderbook.50.BTCUSDT",
    "ws_orderbook_snapshot": "orderbook.50.BTCUSDT",
    "ws_public_trade": "publicTrade.BTCUSDT",
    "ws_ticker_linear": "tickers.BTCUSDT",
}
STRUCTS = {
    "BybitOrder": ("/v5/order/history", {"category": "linear"}),
    "BybitPositionStruct": ("/v5/position/list", LINEAR),
    "BybitExecution": ("/v5/execution/list", {"category": "linear"}),
    "BybitWalletBalance": ("/v5/account/wallet-balance", AUTH),
    "BybitFeeRate": ("/v5/account/fee-rate", {"category": "linear"}),
    "BybitInstrumentLinear": ("/v5/market/instruments-info", {"category": "linear"}),
    "BybitInstrumentInverse": ("/v5/market/instruments-info", {"category": "inverse"}),
    "BybitInstrumentSpot": ("/v5/market/instruments-info", {"category": "spot"}),
    "BybitTickerLinear": ("/v5/market/tickers", {"category": "linear"}),
    "BybitTickerSpot": ("/v5/market/tickers", {"category": "spot"}),
    "BybitTrade": ("/v5/market/recent-trade", LINEAR),
}
WS_STRUCTS = {
    "BybitWsAccountExecution": "execution",
    "BybitWsAccountExecutionFast": "execution.fast",
    "BybitWsAccountOrder": "order",
    "BybitWsAccountPosition": "position",
    "BybitWsAccountWallet": "wallet",
    "BybitWsTrade": "publicTrade.BTCUSDT",
    "BybitWsKline": "kline.1.BTCUSDT",
    "BybitWsTickerLinear": "tickers.BTCUSDT",
}


@pytest.fixture(scope="module")
def folder() -> Path:
    """The folder of recordings, or a skip where there is none."""
    named = os.environ.get("OPENALPHA_TEST_BYBIT")
    if not named:
        pytest.skip("recorded replies are not here: OPENALPHA_TEST_BYBIT names their folder")
    return Path(named)


def subscribe(hub: Hub, session: Session, *topics: str) -> None:
    hub.receive(session, json.dumps({"op": "subscribe", "args": list(topics)}))


def heard(hub: Hub, sessions: list[Session], found: dict[str, Any]) -> None:
    hub.publish(hub.exchange.take_pushes())
    hub.pump()
    for session in sessions:
        for text in session.take():
            message = json.loads(text)
            if "topic" in message:
                found.setdefault(message["topic"], message)


@pytest.fixture(scope="module")
def lived() -> tuple[Client, dict[str, Any]]:
    """A client that has traded, and the first push of each topic it heard."""
    exchange: Exchange = new_exchange(BTC, BTC_SPOT, BTC_USD)
    client = Client.of(exchange, USDT="50000", BTC="1")
    hub = Hub(exchange)
    market, mine = hub.open("/v5/public/linear"), hub.open("/v5/private")
    assert market is not None and mine is not None
    mine.account = exchange.state.accounts.rows[1]
    hub._accounts[1] = {mine.number: mine}
    found: dict[str, Any] = {}
    subscribe(hub, mine, "order", "execution", "position", "wallet")
    subscribe(hub, mine, "execution.fast")
    for name in ("kline.1", "orderbook.50", "publicTrade", "tickers"):
        subscribe(hub, market, f"{name}.BTCUSDT")
    client.order("Buy", "0.1", takeProfit="70000", stopLoss="50000")
    heard(hub, [market, mine], found)
    client.order("Buy", "0.1", "50000")
    client.order("Sell", "0.05")
    client.post("/v5/order/create", **SPOT, side="Buy", orderType="Market", qty="1000")
    client.post("/v5/order/create", **INVERSE, side="Buy", orderType="Market", qty="100")
    for _ in range(30):
        wait(exchange, 100)
        heard(hub, [market, mine], found)
    exchange.arrange("/twin/funding", {"symbol": "BTCUSDT", "rate": "0.0001"})
    return client, found


def shape(value: Any) -> str:
    return {dict: "object", list: "list", str: "text", bool: "flag", type(None): "null"}.get(
        type(value), "number"
    )


def misfits(theirs: Any, ours: Any, where: str = "") -> list[str]:
    """Fields of a recording that ours lacks or has in another shape, lists by their first row."""
    if isinstance(theirs, dict) and isinstance(ours, dict):
        found = []
        for name, value in theirs.items():
            if name not in ours:
                found.append(f"{where}.{name} is missing")
            else:
                found += misfits(value, ours[name], f"{where}.{name}")
        return found
    if isinstance(theirs, list) and isinstance(ours, list):
        return misfits(theirs[0], ours[0], f"{where}[0]") if theirs and ours else []
    if theirs is None or ours is None or shape(theirs) == shape(ours):
        return []
    return [f"{where} is {shape(ours)}, not {shape(theirs)}"]


@pytest.mark.parametrize("name", REPLIES)
def test_a_reply_has_every_recorded_field(
    name: str, folder: Path, lived: tuple[Client, dict[str, Any]]
) -> None:
    recorded = json.loads((folder / "nautilus" / f"{name}.json").read_text("utf-8"))
    path, params = REPLIES[name]
    ours = lived[0].get(path, **params)
    assert ours.get("list", [1]), "an empty list proves nothing"
    found = misfits(recorded["result"], ours)
    skipped = NOT_ASKED.get(name, set())
    assert [one for one in found if one.split(" ")[0].rpartition(".")[2] not in skipped] == []


@pytest.mark.parametrize("name", PUSHES)
def test_a_push_has_every_recorded_field(
    name: str, folder: Path, lived: tuple[Client, dict[str, Any]]
) -> None:
    recorded = json.loads((folder / "nautilus" / f"{name}.json").read_text("utf-8"))
    ours = lived[1][PUSHES[name]]
    if "data" not in recorded:
        ours = ours["data"][0]
    skipped = NOT_ASKED.get(name, set())
    found = misfits(recorded, ours)
    assert [one for one in found if one.split(" ")[0].rpartition(".")[2] not in skipped] == []


def rows_of(message: Any) -> list[dict[str, Any]]:
    data = message.get("data", message.get("list"))
    return data if isinstance(data, list) else [data]


@pytest.mark.parametrize("struct", STRUCTS)
def test_the_strictest_parser_finds_what_it_needs_in_replies(
    struct: str, folder: Path, lived: tuple[Client, dict[str, Any]]
) -> None:
    needs = json.loads((folder / "nautilus_required_fields.json").read_text("utf-8"))
    path, params = STRUCTS[struct]
    rows = lived[0].get(path, **params)["list"]
    assert rows
    for row in rows:
        assert [name for name in needs[struct] if not name.endswith("?") and name not in row] == []


@pytest.mark.parametrize("struct", WS_STRUCTS)
def test_the_strictest_parser_finds_what_it_needs_in_pushes(
    struct: str, folder: Path, lived: tuple[Client, dict[str, Any]]
) -> None:
    needs = json.loads((folder / "nautilus_required_fields.json").read_text("utf-8"))
    if struct not in needs:
        pytest.skip(f"the list has no {struct}")
    for row in rows_of(lived[1][WS_STRUCTS[struct]]):
        assert [name for name in needs[struct] if not name.endswith("?") and name not in row] == []

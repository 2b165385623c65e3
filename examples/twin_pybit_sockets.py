"""Sockets of the twin with plain pybit: start `openalpha twin --port 8315` first, then run this.

python examples/twin_pybit_sockets.py http://127.0.0.1:8315
"""

import queue
import sys
from typing import Any

import pybit._websocket_trading
import pybit.unified_trading
from twin_ccxt import open_account

PATIENCE_S = 20


def point_at(url: str) -> dict[str, str]:
    """Point pybit's addresses at the twin; returns the keys of a fresh account."""
    account = open_account(url)
    sockets = url.replace("http", "ws", 1) + "/v5"
    pybit.unified_trading.PUBLIC_WSS = sockets + "/public/{CHANNEL_TYPE}"
    pybit.unified_trading.PRIVATE_WSS = sockets + "/private"
    pybit._websocket_trading.TRADE_WSS = sockets + "/trade"
    return {"api_key": account["api_key"], "api_secret": account["api_secret"]}


def public() -> None:
    """Hear a book, a ticker, trades and candles."""
    heard: queue.Queue[Any] = queue.Queue()
    socket = pybit.unified_trading.WebSocket(testnet=False, channel_type="linear")
    socket.orderbook_stream(50, "BTCUSDT", heard.put)
    socket.ticker_stream("BTCUSDT", heard.put)
    socket.trade_stream("BTCUSDT", heard.put)
    socket.kline_stream(1, "BTCUSDT", heard.put)
    missing = {"orderbook", "tickers", "publicTrade", "kline"}
    while missing:
        missing.discard(heard.get(timeout=PATIENCE_S)["topic"].partition(".")[0])
    print("heard all public topics")


def private(keys: dict[str, str]) -> None:
    """Trade by message and hear of it."""
    heard: queue.Queue[Any] = queue.Queue()
    answers: queue.Queue[Any] = queue.Queue()
    socket = pybit.unified_trading.WebSocket(testnet=False, channel_type="private", **keys)
    socket.order_stream(heard.put)
    socket.execution_stream(heard.put)
    socket.fast_execution_stream(heard.put)
    socket.position_stream(heard.put)
    socket.wallet_stream(heard.put)
    trading = pybit.unified_trading.WebSocketTrading(testnet=False, **keys)
    trading.place_order(
        answers.put,
        category="linear",
        symbol="BTCUSDT",
        side="Buy",
        orderType="Market",
        qty="0.01",
    )
    answer = answers.get(timeout=PATIENCE_S)
    print("placed", answer["retCode"], answer["data"]["orderId"])
    missing = {"order", "execution", "execution.fast", "position", "wallet"}
    while missing:
        missing.discard(heard.get(timeout=PATIENCE_S)["topic"])
    print("heard all private topics")


def main() -> None:
    """Listen on the address given, or the usual one."""
    keys = point_at(sys.argv[1] if len(sys.argv) > 1 else "http://127.0.0.1:8315")
    # pybit's threads are daemons: its sockets end with this script. Its own exit() waits busily.
    public()
    private(keys)


if __name__ == "__main__":
    main()

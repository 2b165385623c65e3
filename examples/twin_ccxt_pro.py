"""Sockets of the twin with plain ccxt.pro: start `openalpha twin --port 8315` first, then run this.

python examples/twin_ccxt_pro.py http://127.0.0.1:8315
"""

import asyncio
import sys
from collections.abc import Awaitable, Callable
from typing import Any

import ccxt.pro
from twin_ccxt import SYMBOL, open_account

PATIENCE_S = 20


def connect(url: str) -> Any:
    """Return an unmodified ccxt.pro client that talks to the twin."""
    account = open_account(url)
    client = ccxt.pro.bybit(
        {
            "apiKey": account["api_key"],
            "secret": account["api_secret"],
            "enableRateLimit": False,
            "aiohttp_trust_env": False,
            "options": {"fetchMarkets": {"types": ["spot", "linear"]}},
        }
    )
    sockets = url.replace("http", "ws", 1) + "/v5"
    client.urls["api"] = {
        **dict.fromkeys(("spot", "futures", "v2", "public", "private"), url),
        "ws": {
            "public": {kind: f"{sockets}/public/{kind}" for kind in ("spot", "linear", "inverse")},
            "private": {
                "spot": dict.fromkeys(("unified", "nonUnified"), f"{sockets}/private"),
                "contract": f"{sockets}/private",
                "usdc": f"{sockets}/private",
                "trade": f"{sockets}/trade",
            },
        },
    }
    return client


async def until(watch: Callable[[], Awaitable[Any]], found: Callable[[Any], bool] = bool) -> Any:
    """Watch until something is found."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            seen = await watch()
            if found(seen):
                return seen


async def live(client: Any) -> None:
    """Listen to the market and to the account, and trade by message."""
    await client.load_markets()
    book = await until(lambda: client.watch_order_book(SYMBOL, 50))
    print("book", book["bids"][0], book["asks"][0])
    print("ticker", (await until(lambda: client.watch_ticker(SYMBOL)))["last"])
    print("trades", len(await until(lambda: client.watch_trades(SYMBOL))))
    print("candle", (await until(lambda: client.watch_ohlcv(SYMBOL, "1m")))[-1])

    watching = [
        asyncio.create_task(until(lambda: client.watch_orders(SYMBOL))),
        asyncio.create_task(until(lambda: client.watch_my_trades(SYMBOL))),
        asyncio.create_task(until(lambda: client.watch_positions([SYMBOL]), _holds)),
        asyncio.create_task(until(client.watch_balance)),
    ]
    await asyncio.sleep(1)
    await client.create_order(SYMBOL, "market", "buy", 0.01)
    orders, trades, positions, balance = await asyncio.gather(*watching)
    print("order", orders[-1]["status"], "trade", trades[-1]["price"], trades[-1]["fee"]["cost"])
    print("position", positions[0]["contracts"], "balance", balance["USDT"]["total"])

    price = float(book["bids"][0][0])
    placed = await client.create_order_ws(SYMBOL, "limit", "buy", 0.01, price * 0.9)
    await client.edit_order_ws(placed["id"], SYMBOL, "limit", "buy", 0.02, price * 0.91)
    await client.cancel_order_ws(placed["id"], SYMBOL)
    print("placed, amended and cancelled by message", placed["id"])


def _holds(positions: Any) -> bool:
    return any(position["contracts"] for position in positions)


async def main() -> None:
    """Listen on the address given, or the usual one."""
    client = connect(sys.argv[1] if len(sys.argv) > 1 else "http://127.0.0.1:8315")
    try:
        await live(client)
    finally:
        await client.close()


if __name__ == "__main__":
    asyncio.run(main())

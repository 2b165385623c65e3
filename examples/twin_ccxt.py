"""A life on the twin with plain ccxt: start `openalpha twin --port 8315` first, then run this.

python examples/twin_ccxt.py http://127.0.0.1:8315
"""

import json
import sys
import time
import urllib.request
from typing import Any

import ccxt

SYMBOL = "BTC/USDT:USDT"


def open_account(url: str) -> dict[str, str]:
    """Ask the twin for an account with 50,000 USDT and a bitcoin."""
    body = json.dumps({"balances": {"USDT": "50000", "BTC": "1"}}).encode()
    request = urllib.request.Request(f"{url}/twin/accounts", data=body, method="POST")
    with urllib.request.urlopen(request, timeout=10) as reply:
        account: dict[str, str] = json.load(reply)
    return account


def connect(url: str) -> Any:
    """Return an unmodified ccxt client that talks to the twin."""
    account = open_account(url)
    client = ccxt.bybit(
        {
            "apiKey": account["api_key"],
            "secret": account["api_secret"],
            "enableRateLimit": False,
            "options": {"fetchMarkets": {"types": ["spot", "linear", "inverse"]}},
        }
    )
    client.urls["api"] = dict.fromkeys(("spot", "futures", "v2", "public", "private"), url)
    client.load_markets()
    return client


def live(client: Any) -> None:
    """Look, trade, protect, close and account for it."""
    ticker = client.fetch_ticker(SYMBOL)
    print("last", ticker["last"], "book", client.fetch_order_book(SYMBOL, 5)["bids"][0])
    print("candles", len(client.fetch_ohlcv(SYMBOL, "1h", limit=50)))
    print("funding", client.fetch_funding_rate(SYMBOL)["fundingRate"])
    print("settlements", len(client.fetch_funding_rate_history(SYMBOL)))
    print("balance", client.fetch_balance()["USDT"]["total"])
    client.set_leverage(5, SYMBOL)

    price = float(ticker["last"])
    far = client.create_order(SYMBOL, "limit", "buy", 0.01, price * 0.9)
    client.edit_order(far["id"], SYMBOL, "limit", "buy", 0.02, price * 0.91)
    print("open orders", [(o["id"], o["amount"]) for o in client.fetch_open_orders(SYMBOL)])
    client.cancel_order(far["id"], SYMBOL)

    exits = {"takeProfit": str(round(price * 1.2)), "stopLoss": str(round(price * 0.8))}
    client.create_order(SYMBOL, "market", "buy", 0.05, params=exits)
    position = client.fetch_positions([SYMBOL])[0]
    print("position", position["contracts"], position["entryPrice"], position["liquidationPrice"])
    client.create_order(SYMBOL, "market", "sell", 0.02, params={"reduceOnly": True})
    trail = {"reduceOnly": True, "trailingAmount": str(round(price * 0.02))}
    client.create_order(SYMBOL, "market", "sell", 0.03, params=trail)
    stop = {"triggerPrice": price * 0.85, "triggerDirection": "below", "reduceOnly": True}
    client.create_order(SYMBOL, "market", "sell", 0.03, params=stop)
    client.create_orders(
        [
            {"symbol": SYMBOL, "type": "limit", "side": "buy", "amount": 0.01, "price": price * f}
            for f in (0.92, 0.93)
        ]
    )
    client.cancel_all_orders(SYMBOL)
    client.create_order(SYMBOL, "market", "sell", 0.03, params={"reduceOnly": True})
    print("flat", [p["contracts"] for p in client.fetch_positions([SYMBOL])])

    client.create_order("BTC/USDT", "market", "buy", 0.01, price)
    client.create_order("BTC/USDT", "limit", "sell", 0.005, price * 1.1, {"postOnly": True})
    client.cancel_all_orders("BTC/USDT")
    print("trades", len(client.fetch_my_trades(SYMBOL)), len(client.fetch_my_trades("BTC/USDT")))
    print("closed orders", len(client.fetch_closed_orders(SYMBOL)))
    print("funding paid", len(client.fetch_funding_history(SYMBOL)))
    print("ledger", len(client.fetch_ledger("USDT")), "rows")
    print("balance", client.fetch_balance()["USDT"]["total"])


def main() -> None:
    """Run the life against the address given, or the usual one."""
    url = sys.argv[1] if len(sys.argv) > 1 else "http://127.0.0.1:8315"
    begun = time.monotonic()
    live(connect(url))
    print(f"a whole life in {time.monotonic() - begun:.1f} s")


if __name__ == "__main__":
    main()

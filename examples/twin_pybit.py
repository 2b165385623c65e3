"""A life on the twin with plain pybit: start `openalpha twin --port 8315` first, then run this.

python examples/twin_pybit.py http://127.0.0.1:8315
"""

import json
import sys
import urllib.request
from typing import Any

from pybit.unified_trading import HTTP

LINEAR = {"category": "linear", "symbol": "BTCUSDT"}


def connect(url: str) -> Any:
    """Return an unmodified pybit session of a fresh account on the twin."""
    body = json.dumps({"balances": {"USDT": "50000", "BTC": "1"}}).encode()
    request = urllib.request.Request(f"{url}/twin/accounts", data=body, method="POST")
    with urllib.request.urlopen(request, timeout=10) as reply:
        account = json.load(reply)
    session = HTTP(api_key=account["api_key"], api_secret=account["api_secret"])
    session.endpoint = url
    return session


def live(session: Any) -> None:
    """Look, rest an order and take it away, trade and account for it."""
    print("time", session.get_server_time()["result"]["timeSecond"])
    ticker = session.get_tickers(**LINEAR)["result"]["list"][0]
    price = float(ticker["lastPrice"])
    print("last", ticker["lastPrice"], "funding", ticker["fundingRate"])
    print("book", session.get_orderbook(**LINEAR, limit=5)["result"]["a"][0])
    print("candles", len(session.get_kline(**LINEAR, interval=60, limit=50)["result"]["list"]))
    session.set_leverage(**LINEAR, buyLeverage="5", sellLeverage="5")

    far = session.place_order(
        **LINEAR, side="Buy", orderType="Limit", qty="0.01", price=f"{price * 0.9:.1f}"
    )["result"]["orderId"]
    session.amend_order(**LINEAR, orderId=far, qty="0.02", price=f"{price * 0.91:.1f}")
    print("open", len(session.get_open_orders(**LINEAR)["result"]["list"]))
    session.cancel_order(**LINEAR, orderId=far)

    trade(session, price)
    account_for(session)


def trade(session: Any, price: float) -> None:
    """Open a position, protect it in every way there is, and close it."""
    session.place_order(**LINEAR, side="Buy", orderType="Market", qty="0.05")
    session.set_trading_stop(
        **LINEAR, positionIdx=0, tpslMode="Full", stopLoss=f"{price * 0.8:.1f}"
    )
    session.set_trading_stop(
        **LINEAR,
        positionIdx=0,
        tpslMode="Full",
        takeProfit=f"{price * 1.3:.1f}",
        trailingStop="5000",
    )
    closing = {"side": "Sell", "qty": "0.05", "reduceOnly": True}
    session.place_order(
        **LINEAR,
        **closing,
        orderType="Market",
        triggerPrice=f"{price * 0.7:.1f}",
        triggerDirection=2,
    )
    session.place_order(
        **LINEAR, **closing, orderType="Limit", price=f"{price * 1.4:.1f}", timeInForce="PostOnly"
    )
    position = session.get_positions(**LINEAR)["result"]["list"][0]
    print("position", position["size"], position["avgPrice"], "stop", position["stopLoss"])
    batch = [
        {
            "symbol": "BTCUSDT",
            "side": "Buy",
            "orderType": "Limit",
            "qty": "0.01",
            "price": f"{price * factor:.1f}",
        }
        for factor in (0.92, 0.93)
    ]
    made = session.place_batch_order(category="linear", request=batch)["result"]["list"]
    print("batch", [row["orderId"][:8] for row in made])
    session.cancel_all_orders(**LINEAR)
    session.place_order(**LINEAR, **closing, orderType="Market")
    print("closed", session.get_closed_pnl(category="linear")["result"]["list"][0]["closedPnl"])


def account_for(session: Any) -> None:
    """Read what became of it, and make a round trip on the inverse market."""
    print("executions", len(session.get_executions(category="linear")["result"]["list"]))
    funding = session.get_executions(category="linear", execType="Funding")["result"]["list"]
    print("funding paid", len(funding), "fees", session.get_fee_rates(**LINEAR)["retMsg"])
    print("history", len(session.get_order_history(category="linear")["result"]["list"]))

    session.place_order(
        category="inverse", symbol="BTCUSD", side="Sell", orderType="Market", qty="1000"
    )
    session.place_order(
        category="inverse", symbol="BTCUSD", side="Buy", orderType="Market", qty="1000"
    )
    log = session.get_transaction_log()["result"]["list"]
    print("ledger", len(log), "rows, last", log[0]["type"], log[0]["currency"], log[0]["change"])
    wallet = session.get_wallet_balance(accountType="UNIFIED")["result"]["list"][0]
    print("equity", wallet["totalEquity"])


def main() -> None:
    """Run the life against the address given, or the usual one."""
    live(connect(sys.argv[1] if len(sys.argv) > 1 else "http://127.0.0.1:8315"))


if __name__ == "__main__":
    main()

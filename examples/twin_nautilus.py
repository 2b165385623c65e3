"""A life on the twin with plain nautilus_trader: start `openalpha twin --port 8315` first.

nautilus_trader is licensed under the LGPL and no dependency of ours: it runs from an environment of
its own (`pip install nautilus_trader`). Its parsers are the strictest of all clients; a field that
is missing ends the run.

python examples/twin_nautilus.py http://127.0.0.1:8315
"""

import asyncio
import json
import sys
import urllib.request
from decimal import Decimal
from typing import Any

from nautilus_trader.adapters.bybit import (
    BYBIT,
    BybitDataClientConfig,
    BybitExecClientConfig,
    BybitLiveDataClientFactory,
    BybitLiveExecClientFactory,
    BybitProductType,
    factories,
)
from nautilus_trader.config import InstrumentProviderConfig, LoggingConfig, TradingNodeConfig
from nautilus_trader.live.node import TradingNode
from nautilus_trader.model.data import BarType
from nautilus_trader.model.enums import OrderSide
from nautilus_trader.model.identifiers import InstrumentId
from nautilus_trader.trading.strategy import Strategy

LINEAR = InstrumentId.from_str("BTCUSDT-LINEAR.BYBIT")
LONGEST_S = 60.0


class Life(Strategy):
    """Rest, amend, cancel; wait for a trigger and cancel; trade at market; then it is over."""

    def __init__(self) -> None:
        super().__init__()
        self.heard: list[str] = []
        self.over = asyncio.Event()
        self.stage = 0

    def on_start(self) -> None:
        """Listen to everything there is."""
        self.subscribe_quote_ticks(LINEAR)
        self.subscribe_trade_ticks(LINEAR)
        self.subscribe_order_book_deltas(LINEAR, depth=50)
        self.subscribe_bars(BarType.from_str(f"{LINEAR}-1-MINUTE-LAST-EXTERNAL"))

    def on_trade_tick(self, tick: Any) -> None:
        """Note that the market trades."""
        self._note("trade")

    def on_order_book_deltas(self, deltas: Any) -> None:
        """Note that the book moves."""
        self._note("book")

    def on_quote_tick(self, tick: Any) -> None:
        """Begin with the first quote: a limit order far below it."""
        self._note("quote")
        if self.stage == 0:
            self.stage = 1
            self.price = float(tick.bid_price)
            self.submit_order(self._order("limit", price=self.price * 0.9))

    def _order(self, kind: str, *, price: float = 0.0) -> Any:
        rules = self.cache.instrument(LINEAR)
        usual = (LINEAR, OrderSide.BUY, rules.make_qty(Decimal("0.010")))
        if kind == "limit":
            return self.order_factory.limit(*usual, price=rules.make_price(price), post_only=True)
        if kind == "touched":
            return self.order_factory.market_if_touched(
                *usual, trigger_price=rules.make_price(price)
            )
        return self.order_factory.market(*usual)

    def on_event(self, event: Any) -> None:
        """Go from stage to stage as the exchange answers."""
        name = type(event).__name__
        if name.startswith("Order"):
            self._note(name)
        if name.endswith(("Rejected", "Denied")):
            print(name, event)
            self.over.set()
        elif (self.stage, name) == (1, "OrderAccepted"):
            self.stage = 2
            rules = self.cache.instrument(LINEAR)
            order = self.cache.order(event.client_order_id)
            self.modify_order(order, price=rules.make_price(self.price * 0.91))
        elif (self.stage, name) == (2, "OrderUpdated"):
            self.stage = 3
            self.cancel_order(self.cache.order(event.client_order_id))
        elif (self.stage, name) == (3, "OrderCanceled"):
            self.stage = 4
            self.submit_order(self._order("touched", price=self.price * 1.1))
        elif (self.stage, name) == (4, "OrderAccepted"):
            self.stage = 5
            self.cancel_order(self.cache.order(event.client_order_id))
        elif (self.stage, name) == (5, "OrderCanceled"):
            self.stage = 6
            self.submit_order(self._order("market"))
        elif (self.stage, name) == (6, "PositionOpened"):
            self.stage = 7
            self.close_all_positions(LINEAR)
        elif (self.stage, name) == (7, "PositionClosed"):
            self.stage = 8
            print("realised", event.realized_pnl)
            self.over.set()

    def _note(self, what: str) -> None:
        if what not in self.heard:
            self.heard.append(what)


def account(url: str) -> dict[str, str]:
    """Open a fresh account on the twin."""
    body = json.dumps({"balances": {"USDT": "50000"}}).encode()
    request = urllib.request.Request(f"{url}/twin/accounts", data=body, method="POST")
    with urllib.request.urlopen(request, timeout=10) as reply:
        opened: dict[str, str] = json.load(reply)
    return opened


async def live(url: str) -> int:
    """Lead the node through its life; returns 0 if all of it was lived."""
    keys, sockets = account(url), url.replace("http", "ws", 1)
    # The client has no setting for the address of the public sockets.
    factories.get_ws_base_url_public = lambda **named: (
        f"{sockets}/v5/public/{named['product_type'].value.lower()}"
    )
    usual: dict[str, Any] = {
        "api_key": keys["api_key"],
        "api_secret": keys["api_secret"],
        "base_url_http": url,
        "product_types": [BybitProductType.LINEAR],
        "instrument_provider": InstrumentProviderConfig(load_ids=frozenset({str(LINEAR)})),
    }
    node = TradingNode(
        config=TradingNodeConfig(
            trader_id="LIFE-001",
            logging=LoggingConfig(log_level="WARNING"),
            data_clients={BYBIT: BybitDataClientConfig(**usual)},
            exec_clients={
                BYBIT: BybitExecClientConfig(
                    **usual,
                    base_url_ws_private=f"{sockets}/v5/private",
                    base_url_ws_trade=f"{sockets}/v5/trade",
                )
            },
        )
    )
    life = Life()
    node.trader.add_strategy(life)
    node.add_data_client_factory(BYBIT, BybitLiveDataClientFactory)
    node.add_exec_client_factory(BYBIT, BybitLiveExecClientFactory)
    node.build()
    running = asyncio.create_task(node.run_async())
    try:
        await asyncio.wait_for(life.over.wait(), LONGEST_S)
    except TimeoutError:
        print(f"nothing more came after stage {life.stage}")
    await node.stop_async()
    running.cancel()
    print("heard", ", ".join(life.heard))
    if life.stage == 8:
        print("a whole life, and flat again")
    return 0 if life.stage == 8 else 1


if __name__ == "__main__":
    sys.exit(asyncio.run(live(sys.argv[1])))

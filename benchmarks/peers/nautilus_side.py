"""The job in NautilusTrader: a strategy called at every bar, its own compiled averages.

A market order made at a bar's close fills there at once, so its market opens where it closed.
"""

import math
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from nautilus_trader.backtest.engine import BacktestEngine, BacktestEngineConfig
from nautilus_trader.config import LoggingConfig
from nautilus_trader.indicators import SimpleMovingAverage
from nautilus_trader.model.currencies import BTC, USDT
from nautilus_trader.model.data import Bar, BarType
from nautilus_trader.model.enums import AccountType, OmsType, OrderSide
from nautilus_trader.model.identifiers import InstrumentId, Symbol, Venue
from nautilus_trader.model.instruments import CryptoPerpetual
from nautilus_trader.model.objects import Money, Price, Quantity
from nautilus_trader.persistence.wranglers import BarDataWrangler
from nautilus_trader.trading.strategy import Strategy

from benchmarks.market import FIRST_MS, PRICE_DECIMALS, QTY_DECIMALS, load
from benchmarks.worker import Outcome, serve

VENUE = Venue("SIM")


def perpetual(fee: Decimal) -> CryptoPerpetual:
    """Return the instrument: linear, no limits, one fee."""
    return CryptoPerpetual(
        instrument_id=InstrumentId(Symbol("BTCUSDT"), VENUE),
        raw_symbol=Symbol("BTCUSDT"),
        base_currency=BTC,
        quote_currency=USDT,
        settlement_currency=USDT,
        is_inverse=False,
        price_precision=PRICE_DECIMALS,
        size_precision=QTY_DECIMALS,
        price_increment=Price(10.0**-PRICE_DECIMALS, PRICE_DECIMALS),
        size_increment=Quantity(10.0**-QTY_DECIMALS, QTY_DECIMALS),
        margin_init=Decimal("0.01"),
        margin_maint=Decimal("0.005"),
        maker_fee=fee,
        taker_fee=fee,
        ts_event=0,
        ts_init=0,
    )


class Cross(Strategy):  # type: ignore[misc]
    """SMA cross, long or flat."""

    def __init__(self, instrument: CryptoPerpetual, bar_type: BarType, job: dict[str, Any]) -> None:
        super().__init__()
        self.instrument, self.bar_type, self.amount = instrument, bar_type, job["amount"]
        self.fast, self.slow = SimpleMovingAverage(job["fast"]), SimpleMovingAverage(job["slow"])
        self.fills, self.held = 0, None

    def on_start(self) -> None:
        self.register_indicator_for_bars(self.bar_type, self.fast)
        self.register_indicator_for_bars(self.bar_type, self.slow)
        self.subscribe_bars(self.bar_type)

    def on_bar(self, bar: Bar) -> None:
        if not self.slow.initialized:
            return
        is_above = self.fast.value > self.slow.value
        if is_above and self.held is None:
            lots = math.floor(self.amount / bar.close.as_double() * 1e8) / 1e8
            self.held = Quantity(lots, QTY_DECIMALS)
            self._send(OrderSide.BUY)
        elif not is_above and self.held is not None:
            self._send(OrderSide.SELL)
            self.held = None

    def on_order_filled(self, event: Any) -> None:
        self.fills += 1

    def _send(self, side: OrderSide) -> None:
        order = self.order_factory.market(self.instrument.id, side, self.held)
        self.submit_order(order)


def prepare(job: dict[str, Any]) -> Callable[[], Outcome]:
    market = load(Path(job["folder"]), job["bars"])
    stamps = pd.to_datetime(FIRST_MS + 60_000 * (1 + np.arange(len(market.close))), unit="ms")
    frame = pd.DataFrame(market._asdict(), index=stamps.tz_localize("UTC"))
    instrument = perpetual(Decimal(str(job["fee_bps"])) / 10_000)
    bar_type = BarType.from_str(f"{instrument.id}-1-MINUTE-LAST-EXTERNAL")
    bars = BarDataWrangler(bar_type, instrument).process(frame)

    def run() -> Outcome:
        quiet = LoggingConfig(bypass_logging=True)
        engine = BacktestEngine(BacktestEngineConfig(logging=quiet, run_analysis=False))
        engine.add_venue(
            venue=VENUE,
            oms_type=OmsType.NETTING,
            account_type=AccountType.MARGIN,
            starting_balances=[Money(job["capital"], USDT)],
            base_currency=USDT,
        )
        engine.add_instrument(instrument)
        engine.add_data(bars)
        strategy = Cross(instrument, bar_type, job)
        engine.add_strategy(strategy)
        engine.run()
        cash = engine.cache.account_for_venue(VENUE).balance_total(USDT).as_double()
        gain = engine.portfolio.unrealized_pnl(instrument.id)
        equity = cash + (gain.as_double() if gain is not None else 0.0)
        fills = strategy.fills
        engine.dispose()
        return Outcome(fills, np.array([equity]))

    return run


if __name__ == "__main__":
    serve(prepare)

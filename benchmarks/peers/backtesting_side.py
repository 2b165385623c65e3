"""The job in backtesting.py. It trades whole units, so a unit here is one lot of 1e-8."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from backtesting import Backtest, Strategy

from benchmarks.market import FIRST_MS, load
from benchmarks.worker import Outcome, serve

LOT = 1e-8


def prepare(job: dict[str, Any]) -> Callable[[], Outcome]:
    market = load(Path(job["folder"]), job["bars"])
    stamps = pd.to_datetime(FIRST_MS + 60_000 * np.arange(len(market.close)), unit="ms")
    prices = {
        name.capitalize(): getattr(market, name) * LOT for name in ("open", "high", "low", "close")
    }
    frame = pd.DataFrame({**prices, "Volume": market.volume}, index=stamps)

    class Cross(Strategy):  # type: ignore[misc]
        def init(self) -> None:
            series = pd.Series(market.close)
            self.fast = self.I(lambda: series.rolling(job["fast"]).mean(), name="fast")
            self.slow = self.I(lambda: series.rolling(job["slow"]).mean(), name="slow")

        def next(self) -> None:
            is_above = self.fast[-1] > self.slow[-1]
            if is_above and not self.position:
                self.buy(size=math.floor(job["amount"] / market.close[len(self.data) - 1] * 1e8))
            elif not is_above and self.position:
                self.position.close()

    test = Backtest(frame, Cross, cash=job["capital"], commission=job["fee_bps"] / 1e4)

    def run() -> Outcome:
        done = test.run()
        held = len(done["_strategy"].trades)
        return Outcome(2 * len(done["_trades"]) + held, done["_equity_curve"]["Equity"].to_numpy())

    return run


if __name__ == "__main__":
    serve(prepare)

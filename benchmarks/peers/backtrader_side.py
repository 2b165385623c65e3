"""The job in backtrader: a strategy called at every bar."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import backtrader as bt
import numpy as np
import pandas as pd

from benchmarks.market import FIRST_MS, load
from benchmarks.worker import Outcome, serve


def prepare(job: dict[str, Any]) -> Callable[[], Outcome]:
    market = load(Path(job["folder"]), job["bars"])
    stamps = pd.to_datetime(FIRST_MS + 60_000 * np.arange(len(market.close)), unit="ms")
    frame = pd.DataFrame(market._asdict(), index=stamps)

    class Cross(bt.Strategy):  # type: ignore[misc]
        def __init__(self) -> None:
            self.fast = bt.indicators.SimpleMovingAverage(period=job["fast"])
            self.slow = bt.indicators.SimpleMovingAverage(period=job["slow"])
            self.fills = 0
            self.curve: list[float] = []

        def prenext(self) -> None:
            self.curve.append(self.broker.getvalue())

        def notify_order(self, order: Any) -> None:
            self.fills += order.status == order.Completed

        def next(self) -> None:
            self.curve.append(self.broker.getvalue())
            is_above = self.fast[0] > self.slow[0]
            if is_above and not self.position:
                self.buy(size=math.floor(job["amount"] / self.data.close[0] * 1e8) / 1e8)
            elif not is_above and self.position:
                self.close()

    def run() -> Outcome:
        engine = bt.Cerebro(stdstats=False)
        engine.adddata(bt.feeds.PandasData(dataname=frame))
        engine.addstrategy(Cross)
        engine.broker.setcash(job["capital"])
        engine.broker.setcommission(commission=job["fee_bps"] / 1e4)
        (strategy,) = engine.run()
        return Outcome(strategy.fills, np.array(strategy.curve))

    return run


if __name__ == "__main__":
    serve(prepare)

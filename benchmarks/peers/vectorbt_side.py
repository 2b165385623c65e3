"""The job in vectorbt: signal, orders, equity. Run by `benchmarks.worker.Side`."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import vectorbt as vbt

from benchmarks.market import FIRST_MS, load
from benchmarks.worker import Outcome, serve


def prepare(job: dict[str, Any]) -> Callable[[], Outcome]:
    market = load(Path(job["folder"]), job["bars"])
    stamps = pd.to_datetime(FIRST_MS + 60_000 * np.arange(len(market.close)), unit="ms")
    close = pd.Series(market.close, index=stamps)
    opened = pd.Series(market.open, index=stamps)
    with_statistics = job.get("statistics", False)

    def run() -> Outcome:
        fast, slow = vbt.MA.run(close, job["fast"]), vbt.MA.run(close, job["slow"])
        above = (fast.ma.to_numpy() > slow.ma.to_numpy())[:-1]
        known = ~np.isnan(slow.ma.to_numpy()[:-1])
        # Decided at the close, filled at the next open, with the quantity of the deciding close.
        entries = pd.Series(np.concatenate(([False], above & known)), index=stamps)
        exits = pd.Series(np.concatenate(([False], ~above & known)), index=stamps)
        lots = np.floor(job["amount"] / market.close * 1e8) / 1e8
        portfolio = vbt.Portfolio.from_signals(
            close,
            entries,
            exits,
            price=opened,
            size=np.concatenate(([0.0], lots[:-1])),
            init_cash=job["capital"],
            fees=job["fee_bps"] / 1e4,
            freq="1min",
        )
        equity = portfolio.value().to_numpy()
        if with_statistics:
            portfolio.stats()
        return Outcome(int(portfolio.orders.count()), equity)

    return run


if __name__ == "__main__":
    serve(prepare)

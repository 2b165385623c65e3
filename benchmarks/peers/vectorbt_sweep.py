"""The job in vectorbt for many windows: signals, orders, final equity. Run by `worker.Side`.

A thousand columns of 100,000 bars at once need more than ten gigabytes here, so they go in blocks.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import vectorbt as vbt

from benchmarks.market import FIRST_MS, load
from benchmarks.worker import Outcome, serve

BLOCK = 50


def prepare(job: dict[str, Any]) -> Callable[[], Outcome]:
    market = load(Path(job["folder"]), job["bars"])
    stamps = pd.to_datetime(FIRST_MS + 60_000 * np.arange(len(market.close)), unit="ms")
    close = pd.Series(market.close, index=stamps)
    opened = market.open[:, None]
    lots = np.floor(job["amount"] / market.close * 1e8) / 1e8
    size = np.concatenate(([0.0], lots[:-1]))[:, None]
    pairs = [(fast, slow) for fast in job["fast"] for slow in job["slow"]]

    def block(part: list[tuple[int, int]]) -> tuple[int, Any]:
        fast = vbt.MA.run(close, [pair[0] for pair in part], short_name="fast").ma.to_numpy()
        slow = vbt.MA.run(close, [pair[1] for pair in part], short_name="slow").ma.to_numpy()
        above, known = (fast > slow)[:-1], ~np.isnan(slow[:-1])
        never = np.zeros((1, len(part)), dtype=bool)
        portfolio = vbt.Portfolio.from_signals(
            close,
            pd.DataFrame(np.concatenate((never, above & known)), index=stamps),
            pd.DataFrame(np.concatenate((never, ~above & known)), index=stamps),
            price=opened,
            size=size,
            init_cash=job["capital"],
            fees=job["fee_bps"] / 1e4,
            freq="1min",
        )
        return len(portfolio.orders.values), portfolio.final_value().to_numpy()

    def run() -> Outcome:
        found = [block(pairs[at : at + BLOCK]) for at in range(0, len(pairs), BLOCK)]
        return Outcome(sum(count for count, _ in found), np.concatenate([end for _, end in found]))

    return run


if __name__ == "__main__":
    serve(prepare)

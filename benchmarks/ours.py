"""Our side of every row: the public call on prepared history. Run by `benchmarks.worker.Side`."""

import math
import tempfile
import time
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import polars as pl

import openalpha
from benchmarks.market import FIRST_MS, MINUTE_MS, PRICE_DECIMALS, QTY_DECIMALS, load
from benchmarks.worker import Outcome, serve
from openalpha.core.instruments import Instrument, InstrumentId, Kind, RiskTier, StepRule
from openalpha.market.history import History
from openalpha.strategy.events import Context, EventStrategy
from openalpha.strategy.params import Param, StrategyParams

HOURS_8_MS = 8 * 60 * MINUTE_MS
STOPS = {"stop_pct": 0.4, "trailing_pct": 0.6, "activation_pct": 0.2}
"""Close enough that a good part of the positions ends at one."""

_TIERS = tuple(
    RiskTier(Decimal(limit), Decimal(keep), Decimal(open_), Decimal(leverage), Decimal(less))
    for limit, keep, open_, leverage, less in (
        ("2000000", "0.005", "0.01", "100", "0"),
        ("10000000", "0.01", "0.02", "50", "10000"),
        ("20000000", "0.02", "0.04", "25", "110000"),
        ("40000000", "0.04", "0.08", "12.5", "510000"),
    )
)


def instrument(symbol: str) -> Instrument:
    """Return a linear perpetual with risk tiers on the benchmark's grid."""
    step = StepRule(0, Decimal(1).scaleb(-PRICE_DECIMALS), Decimal(1).scaleb(-QTY_DECIMALS))
    return Instrument(
        id=InstrumentId(f"bench_linear:{symbol}"), kind=Kind.LINEAR, base=symbol, quote="USDT",
        settle="USDT", price_decimals=PRICE_DECIMALS, qty_decimals=QTY_DECIMALS, steps=(step,),
        max_leverage=Decimal(100), tiers=_TIERS, funding_interval_ms=HOURS_8_MS,
    )  # fmt: skip


def frame(folder: Path, bars: int, *, has_funding: bool) -> pl.DataFrame:
    """Return the market as a person would hold it."""
    market = load(folder, bars)
    stamps = FIRST_MS + MINUTE_MS * np.arange(bars, dtype=np.int64)
    columns: dict[str, Any] = {"ts": stamps, **market._asdict()}
    if has_funding:
        rates = np.full(bars, np.nan)
        due = stamps % HOURS_8_MS == 0
        rates[due] = np.round(np.random.default_rng(7).normal(1e-4, 1e-4, int(due.sum())), 8)
        columns["funding_rate"] = rates
    return pl.DataFrame(columns)


def histories(job: dict[str, Any]) -> list[History]:
    """Prepare the job's instruments."""
    found = []
    for number in range(job.get("instruments", 1)):
        folder = Path(job["folder"]) if number == 0 else Path(f"{job['folder']}-{number}")
        held = frame(folder, job["bars"], has_funding=job["model"] != "bare")
        one = openalpha.history(held, instrument=instrument(f"COIN{number}"))
        if job["model"] == "full with mark":
            one = replace(one, mark=np.ascontiguousarray(one.bars[:, :4]))
        found.append(one)
    return found


def groups(job: dict[str, Any]) -> dict[str, Any]:
    """Return the settings of a run: the bare job of the peers, or everything on."""
    bare = {"preset": "none", "taker_bps": job["fee_bps"], "funding": False}
    full = {"preset": "realistic", "taker_bps": job["fee_bps"]}
    return {
        "capital": job["capital"],
        "costs": bare if job["model"] == "bare" else full,
        "sizing": {"kind": "fixed_amount", "amount": job["amount"]},
        "margin": {} if job["model"] == "bare" else {"mode": "cross", "leverage": 5},
    }


class EventCross(EventStrategy):
    """SMA cross, long or flat, as a person writes it: sums kept by hand, one order a change."""

    name: ClassVar[str] = "event_cross"
    idea: ClassVar[str] = "The benchmark's job, bar by bar."

    class Params(StrategyParams):
        """The windows and the size."""

        fast: int = Param(10, ge=1, le=1000, unit="bars", help="Fast window.")
        slow: int = Param(50, ge=2, le=1000, unit="bars", help="Slow window.")
        amount: float = Param(10_000.0, ge=1, le=1e9, unit="USD", help="Size of an order.")

    params: Params

    def __init__(self, params: Params) -> None:
        super().__init__(params)
        self.closes: deque[float] = deque([0.0] * params.slow, params.slow)
        self.sum_fast = self.sum_slow = 0.0
        self.bars, self.held = 0, 0.0

    def on_bar(self, ctx: Context) -> None:
        """Follow the averages; buy or sell when they cross."""
        params, closes, close = self.params, self.closes, ctx.close
        self.sum_fast += close - closes[-params.fast]
        self.sum_slow += close - closes[0]
        closes.append(close)
        self.bars += 1
        if self.bars < params.slow:
            return
        is_above = self.sum_fast * params.slow > self.sum_slow * params.fast
        if is_above and not self.held:
            self.held = math.floor(params.amount / close * 1e8) / 1e8
            ctx.buy(self.held)
        elif not is_above and self.held:
            ctx.sell(self.held, reduce_only=True)
            self.held = 0.0


def prepare(job: dict[str, Any]) -> Callable[[], Outcome]:
    begun = time.perf_counter()
    data = histories(job)
    prepare_s = time.perf_counter() - begun
    home = tempfile.mkdtemp(prefix="openalpha-bench-")
    is_event = job.get("kind") == "event"
    params: dict[str, Any] = {"fast": job["fast"], "slow": job["slow"]}
    if not is_event:
        params |= {"long_only": True} | (STOPS if job["model"] != "bare" else {})
    strategy: Any = EventCross if is_event else "ma_cross"

    def run() -> Outcome:
        result = openalpha.backtest(strategy, data, params=params, home=home, **groups(job))
        result.metrics  # noqa: B018 - part of the job, wherever it is computed
        extra = {"prepare_s": prepare_s}
        if job.get("save"):
            begun = time.perf_counter()
            result.save()
            extra["save_s"] = time.perf_counter() - begun
        if job.get("page"):
            begun = time.perf_counter()
            size = result.to_html(Path(home) / "page.html").stat().st_size
            extra |= {"page_s": time.perf_counter() - begun, "page_mb": size / 1e6}
            extra["trips"] = result.metrics["round_trips"]
        share = result.run.slow_bars / (len(result.run.equity) * len(data))
        return Outcome(len(result.run.fills), result.run.equity, share, extra)

    return run


if __name__ == "__main__":
    serve(prepare)

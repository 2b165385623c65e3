"""Small markets and strategies said in a few lines, for tests of event runs."""

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any

import numpy as np

from openalpha.core.instruments import Instrument, Kind, StepRule, instrument_id
from openalpha.core.messages import Fill
from openalpha.engine.events import run_events
from openalpha.engine.run import EngineRun, VenueSettings
from openalpha.engine.signals import EngineSettings
from openalpha.market.history import History
from openalpha.risk.settings import RiskSettings
from openalpha.strategy import EventStrategy
from openalpha.strategy.params import StrategyParams
from openalpha.venue.settings import CostSettings, MarginSettings

HOUR_MS = 3_600_000
START_MS = 1_704_067_200_000
FREE = CostSettings(preset="none", funding=False)


def perp(symbol: str = "BTCUSDT", *, tick: str = "0.1", lot: str = "0.001") -> Instrument:
    return Instrument(
        id=instrument_id("bybit_linear", symbol),
        kind=Kind.LINEAR,
        base=symbol[:3],
        quote="USDT",
        settle="USDT",
        price_decimals=2,
        qty_decimals=4,
        steps=(StepRule(0, Decimal(tick), Decimal(lot)),),
        max_leverage=Decimal(100),
    )


def bars_of(closes: Sequence[float], *, wick: float = 0.0, volume: float = 1000.0) -> np.ndarray:
    """Bars that open at the last close, with equal wicks, in the units of `perp`."""
    close = np.rint(np.asarray(closes, dtype=np.float64) * 100).astype(np.int64)
    opening = np.concatenate((close[:1], close[:-1]))
    reach = round(wick * 100)
    return np.column_stack(
        (
            opening,
            np.maximum(opening, close) + reach,
            np.minimum(opening, close) - reach,
            close,
            np.full(len(close), round(volume * 10_000)),
        )
    )


def market(
    closes: Sequence[float],
    *,
    instrument: Instrument | None = None,
    wick: float = 0.0,
    volume: float = 1000.0,
    rows: Sequence[int] | None = None,
    funding: tuple[np.ndarray, np.ndarray] | None = None,
    start_ms: int = START_MS,
) -> History:
    """Hourly bars; `rows` says which hours have one."""
    hours = np.arange(len(closes)) if rows is None else np.asarray(rows)
    nothing = (np.zeros(0, np.int64), np.zeros(0, np.int64))
    return History.of(
        instrument or perp(),
        HOUR_MS,
        ts_ms=start_ms + hours * HOUR_MS,
        bars=bars_of(closes, wick=wick, volume=volume),
        funding=funding or nothing,
    )


def walk(count: int, seed: int = 1) -> list[float]:
    """A random walk around 100, in ticks."""
    steps = np.random.default_rng(seed).normal(0, 0.008, count)
    return [round(float(price), 1) for price in 100 * np.exp(np.cumsum(steps))]


class Script(EventStrategy):
    """Calls what it was given, and notes what it hears."""

    name = "script"
    idea = "do as told"

    def __init__(
        self,
        on_bar: Callable[[Any], None] | None = None,
        on_fill: Callable[[Any, Fill], None] | None = None,
        params: StrategyParams | None = None,
        *,
        warm_up: int = 1,
    ) -> None:
        super().__init__(params or StrategyParams())
        self.do, self.answer, self.warm_up = on_bar, on_fill, warm_up
        self.heard: list[tuple[str, int]] = []
        self.fills: list[Fill] = []

    def warm_up_bars(self, params: Any) -> int:
        return self.warm_up

    def on_start(self, ctx: Any) -> None:
        self.heard.append(("start", ctx.ts_ms))

    def on_bar(self, ctx: Any) -> None:
        self.heard.append(("bar", ctx.ts_ms))
        if self.do is not None:
            self.do(ctx)

    def on_fill(self, ctx: Any, fill: Fill) -> None:
        self.heard.append(("fill", fill.ts_ms))
        self.fills.append(fill)
        if self.answer is not None:
            self.answer(ctx, fill)

    def on_stop(self, ctx: Any) -> None:
        self.heard.append(("stop", ctx.ts_ms))


def at_bars(deeds: Mapping[int, Callable[[Any], Any]]) -> Callable[[Any], None]:
    """Do something at some bars."""

    def on_bar(ctx: Any) -> None:
        if ctx.index in deeds:
            deeds[ctx.index](ctx)

    return on_bar


def play(
    strategy: EventStrategy,
    *histories: History,
    capital: int = 10_000,
    costs: CostSettings = FREE,
    risk: RiskSettings | None = None,
    leverage: int = 1,
    skip: bool = True,
) -> EngineRun:
    settings = EngineSettings(
        VenueSettings(costs=costs, margin=MarginSettings(leverage=Decimal(leverage))),
        risk=risk or RiskSettings(),
    )
    named = {str(history.instrument.id): history for history in histories}
    return run_events(strategy, named, capital=Decimal(capital), settings=settings, skip=skip)

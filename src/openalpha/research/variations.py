"""The same run with something changed: bars put together anew, costs multiplied, decisions late."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

import numpy as np
from numpy.typing import NDArray

from openalpha.core.errors import InputError
from openalpha.engine.signals import EngineSettings
from openalpha.market.history import History
from openalpha.research.montecarlo_paths import stationary_rows
from openalpha.research.sweep_space import Config
from openalpha.strategy.bars import Bars, FloatArray
from openalpha.strategy.base import PortfolioStrategy, SignalStrategy
from openalpha.strategy.params import Exits, StrategyParams, parameter_table
from openalpha.venue.rules import REALISTIC_IMPACT_BPS, REALISTIC_SPREAD_BPS, fees_bps

__all__ = ["costs_times", "jittered", "late", "resampled"]


class _Late(SignalStrategy):
    """A strategy whose every opinion is acted on some bars later."""

    def __init__(self, inner: SignalStrategy, bars: int) -> None:
        self._inner, self._bars = inner, bars

    def warm_up_bars(self, params: Any) -> int:
        return self._inner.warm_up_bars(params) + self._bars

    def target(self, bars: Bars, params: Any) -> FloatArray:
        return _shifted(self._inner.target(bars, params), self._bars)

    def exits(self, params: Any) -> Exits:
        return self._inner.exits(params)


class _LatePortfolio(PortfolioStrategy):
    """The same for a strategy over several instruments."""

    def __init__(self, inner: PortfolioStrategy, bars: int) -> None:
        self._inner, self._bars = inner, bars

    def warm_up_bars(self, params: Any) -> int:
        return self._inner.warm_up_bars(params) + self._bars

    def targets(self, bars: Mapping[str, Bars], params: Any) -> Mapping[str, FloatArray]:
        found = self._inner.targets(bars, params)
        return {name: _shifted(column, self._bars) for name, column in found.items()}

    def exits(self, params: Any) -> Exits:
        return self._inner.exits(params)


def late(strategy: SignalStrategy, bars: int) -> SignalStrategy:
    """Return a strategy that wants what another wanted some bars before."""
    kind = _LatePortfolio if isinstance(strategy, PortfolioStrategy) else _Late
    names = {"name": strategy.name, "idea": strategy.idea, "Params": strategy.Params}
    made: SignalStrategy = type(kind.__name__, (kind,), names)(strategy, bars)
    return made


def costs_times(
    settings: EngineSettings, histories: Sequence[History], *, times: int
) -> EngineSettings:
    """Return settings whose fees, spread and impact are a multiple of what they were.

    Instruments of different fees pay a multiple of the highest among them.
    """
    costs = settings.venue.costs
    fees = [fees_bps(history.instrument, costs) for history in histories]
    is_real = costs.preset == "realistic"
    spread = costs.spread_bps if costs.spread_bps is not None else is_real * REALISTIC_SPREAD_BPS
    impact = costs.impact if costs.impact is not None else is_real * REALISTIC_IMPACT_BPS
    maker, taker = (max(pair[side] for pair in fees) for side in (0, 1))
    more = replace(
        costs,
        maker_bps=maker * (times if maker > 0 else 1),
        taker_bps=taker * (times if taker > 0 else 1),
        spread_bps=Decimal(spread) * times,
        impact=Decimal(impact) * times,
    )
    return replace(settings, venue=replace(settings.venue, costs=more))


def resampled(
    histories: Mapping[str, History], *, seed: int, path: int, block: float = 50.0
) -> dict[str, History]:
    """Return bars put together from blocks of the recorded ones, each moving on from the last.

    All instruments take the same rows, so what hangs together stays together. Funding keeps its
    stamps; mark and index prices are left out, so the last price stands for them.

    Instruments with bars of their own are cut to the stamps all of them have.

    Raises
    ------
    InputError
        If those are too few.
    """
    shared = next(iter(histories.values())).ts_ms
    for history in histories.values():
        if history.ts_ms is not shared:
            shared = np.intersect1d(shared, history.ts_ms)
    n = len(shared)
    if n < 3:
        raise InputError(f"{n} shared bars are too few to put together anew")
    rng = np.random.default_rng([seed, 3, path])
    rows = stationary_rows(rng, n - 1, count=1, block=block)[0] + 1
    return {name: _rebuilt(history, shared, rows) for name, history in histories.items()}


def jittered(params: StrategyParams, *, seed: int, count: int, share: float = 0.1) -> list[Config]:
    """Return parameters a little off: each number up to a share of itself, at least one step.

    Names, switches and what is 0 (an exit that is not used) stay as they are.
    """
    rng = np.random.default_rng([seed, 4])
    plain = params.model_dump(mode="json")
    infos = {row.name: row for row in parameter_table(type(params))}
    found = []
    for _ in range(count):
        config: Config = {}
        for name, value in plain.items():
            info = infos[name]
            if isinstance(value, bool) or not isinstance(value, int | float) or value == 0:
                continue
            moved = value * (1 + share * (2 * rng.random() - 1))
            if isinstance(value, int):
                moved = value + round(moved - value) or value + int(rng.integers(-1, 2))
            low = -np.inf if info.low is None else info.low
            high = np.inf if info.high is None else info.high
            moved = min(max(moved, low), high)
            config[name] = int(moved) if isinstance(value, int) else float(moved)
        found.append(config)
    return found


def _shifted(values: FloatArray, bars: int) -> FloatArray:
    out = np.full(len(values), np.nan)
    out[bars:] = np.asarray(values, dtype=np.float64)[: len(values) - bars]
    return out


def _rebuilt(history: History, shared: NDArray[np.int64], rows: NDArray[np.int64]) -> History:
    taken = history.bars[np.searchsorted(history.ts_ms, shared)]
    bars = taken.astype(np.float64)
    before = bars[rows - 1, 3]
    logs = np.log(bars[rows, 3] / before)
    close = np.concatenate(([bars[0, 3]], bars[0, 3] * np.exp(np.cumsum(logs))))
    made = np.empty_like(taken)
    made[0] = taken[0]
    scaled = bars[rows, :4] / before[:, None] * close[:-1, None]
    made[1:, :4] = np.maximum(np.rint(scaled), 1)
    made[1:, 1] = made[1:, :4].max(axis=1)
    made[1:, 2] = made[1:, :4].min(axis=1)
    made[1:, 4] = taken[rows, 4]
    return History.of(
        history.instrument, history.timeframe_ms, ts_ms=shared, bars=made,
        funding=history.known_funding, notes=(*history.notes, "bars put together anew"),
    )  # fmt: skip

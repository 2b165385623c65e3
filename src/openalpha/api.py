"""The public Python functions. What they take and give is stable from one version to the next."""

import os
from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from dataclasses import fields, replace
from decimal import Decimal
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from openalpha.core.clock import Clock, SystemClock, parse_ms, parse_timeframe
from openalpha.core.errors import InputError
from openalpha.engine.funding import Settlements, bound_notes, bounded
from openalpha.engine.refine import run_refined
from openalpha.engine.run import EngineRun, VenueSettings
from openalpha.engine.signals import EngineSettings, run_signals
from openalpha.market.finer import finer_histories
from openalpha.market.history import History, history
from openalpha.market.lake import Lake
from openalpha.market.tape import recorded_history, tape_of
from openalpha.research.context import RunContext, settings_hash
from openalpha.research.result import BacktestResult
from openalpha.research.trials import Trial, TrialLedger
from openalpha.risk.settings import RiskSettings, SizingSettings
from openalpha.settings import build_group, find_home
from openalpha.settings.schema import plain
from openalpha.strategy import load_strategy, prove, source_hash
from openalpha.strategy.bars import Bars
from openalpha.strategy.base import NO_OPINION_E6, PortfolioStrategy, SignalStrategy, evaluate_e6
from openalpha.strategy.events import EventStrategy, Strategy
from openalpha.strategy.params import StrategyParams, build_params
from openalpha.strategy.together import together
from openalpha.venue.settings import CostSettings, FillSettings, MarginSettings

__all__ = ["BacktestResult", "History", "backtest", "history", "plain_params"]

Group = Mapping[str, Any]
_NONE: Group = {}
_Once = Callable[..., EngineRun]


def backtest(  # noqa: PLR0913 - one keyword a settings group, all optional
    strategy: "str | Path | Strategy | type[Strategy]",
    data: Any,
    *,
    params: Group = _NONE,
    capital: Decimal | int | float | str = 10_000,
    costs: Group | CostSettings = _NONE,
    sizing: Group | SizingSettings = _NONE,
    margin: Group | MarginSettings = _NONE,
    fills: Group | FillSettings = _NONE,
    risk: Group | RiskSettings = _NONE,
    timeframe: str = "1h",
    start: str | int | None = None,
    end: str | int | None = None,
    home: Path | str | None = None,
    allow_lookahead: bool = False,
    family: str = "",
    clock: Clock | None = None,
) -> BacktestResult:
    """Test a strategy on history, every cost counted.

    Before it runs, the strategy is proven not to see the future; afterwards the run is counted as a
    trial of its family in the home's trial ledger.

    Parameters
    ----------
    strategy : str, Path, class or object
        A built-in name, a `.py` file, or a strategy.
    data : str, frame, History, or a sequence or mapping of them
        An instrument id (read from the lake at `timeframe`, from `start` to `end`), a polars or
        pandas frame (see `history`), or `openalpha.history(frame)`; several by role or id.
    params : mapping
        The strategy's parameters; the rest take their defaults.
    capital : number
        Starting balance, in the account currency.
    costs, sizing, margin, fills, risk : mapping or settings
        The settings groups of the same names in the TOML; the defaults do not flatter.
    allow_lookahead : bool
        Run a strategy that sees the future, with a red line on every output.
    family : str
        A family to count the trial with; names merge families, never split them.

    Returns
    -------
    BacktestResult

    Raises
    ------
    InputError
        If something given cannot be used; the message says what and why.
    DataError
        If the data is not fit for the run.
    LookAheadError
        If the strategy sees the future.

    Examples
    --------
    >>> import tempfile, polars as pl
    >>> close = [100.0 + (i % 7) for i in range(400)]
    >>> frame = pl.DataFrame({"ts": [1704067200000 + i * 3_600_000 for i in range(400)],
    ...     "open": close, "high": [c + 1 for c in close], "low": [c - 1 for c in close],
    ...     "close": close, "volume": [1000.0] * 400})
    >>> result = backtest("ma_cross", frame, home=tempfile.mkdtemp())
    >>> result.metrics["fees"] > 0
    True
    """
    where = Path(home) if home is not None else find_home(environ=os.environ)
    settings = _engine_settings(costs, sizing, margin=margin, fills=fills, risk=risk)
    cls = load_strategy(strategy, folder=where / "strategies")
    given = build_params(cls.Params, params, strategy=cls.name)
    histories = _histories(
        data,
        partial(_from_lake, Lake(where), settings.venue.fills.feed, timeframe),
        span=(_ms(start), _ms(end)),
    )
    proof = prove(
        strategy if isinstance(strategy, SignalStrategy) else cls,
        histories,
        params=given,
        cache=where / "cache" / "proofs",
    )
    if not allow_lookahead:
        proof.raise_if_found()
    run = _run(
        strategy, cls, given, histories=histories, capital=capital, settings=settings, home=where
    )
    context = RunContext(
        strategy=cls.name,
        params=plain_params(given),
        source_hash=source_hash(cls),
        histories={str(h.instrument.id): h for h in histories.values()},
        settings=_as_record(settings),
        created_ms=(clock or SystemClock()).now_ms(),
        home=where,
        is_lookahead_allowed=bool(proof.findings) and allow_lookahead,
        funding_worst_return=(
            float(run.final_equity / run.capital - 1) if _is_bounded(histories, settings) else None
        ),
    )
    return _counted(BacktestResult(run, context), where, family=family)


def plain_params(params: StrategyParams) -> dict[str, Any]:
    """Return parameters as JSON can hold them."""
    return dict(params.model_dump(mode="json"))


def _engine_settings(
    costs: Group | CostSettings,
    sizing: Group | SizingSettings,
    *,
    margin: Group | MarginSettings,
    fills: Group | FillSettings,
    risk: Group | RiskSettings,
) -> EngineSettings:
    return EngineSettings(
        VenueSettings(
            costs=_group(CostSettings, "costs", costs),
            margin=_group(MarginSettings, "margin", margin),
            fills=_group(FillSettings, "fills", fills),
        ),
        sizing=_group(SizingSettings, "sizing", sizing),
        risk=_group(RiskSettings, "risk", risk),
    )


def _group(cls: Any, name: str, values: Any) -> Any:
    return values if isinstance(values, cls) else build_group(cls, name, dict(values))


def _as_record(settings: EngineSettings) -> dict[str, dict[str, Any]]:
    groups: dict[str, Any] = {
        "costs": settings.venue.costs,
        "margin": settings.venue.margin,
        "fills": settings.venue.fills,
        "sizing": settings.sizing,
        "risk": settings.risk,
    }
    return {
        name: {item.name: _recorded(getattr(group, item.name)) for item in fields(group)}
        for name, group in groups.items()
    }


def _recorded(value: Any) -> Any:
    return str(value) if isinstance(value, Decimal) else plain(value)


def _ms(moment: str | int | None) -> int | None:
    return parse_ms(moment) if isinstance(moment, str) else moment


def _from_lake(
    lake: Lake, feed: str, timeframe: str, name: str, span: tuple[int | None, int | None]
) -> History:
    if feed == "book":
        return recorded_history(lake, name, timeframe_ms=parse_timeframe(timeframe), span=span)
    return lake.load(name, timeframe, start_ms=span[0], end_ms=span[1])


def _histories(
    data: Any, load: Callable[..., History], *, span: tuple[int | None, int | None]
) -> dict[str, History]:
    """Return histories by role or instrument id."""
    if isinstance(data, Mapping) and not hasattr(data, "columns"):
        named = dict(data)
    elif isinstance(data, Sequence) and not isinstance(data, str):
        named = dict.fromkeys(range(len(data)))
        named = dict(zip(named, data, strict=True))
    else:
        named = {0: data}
    if not named:
        raise InputError("a backtest needs at least one instrument; none was given")
    found: dict[str, History] = {}
    for key, item in named.items():
        one = _one_history(item, load, span=span)
        name = key if isinstance(key, str) else str(one.instrument.id)
        if name in found:
            raise InputError(f"{name} was given twice; give each instrument once")
        found[name] = one
    return found


def _one_history(
    item: Any, load: Callable[..., History], *, span: tuple[int | None, int | None]
) -> History:
    if isinstance(item, History):
        return item
    if isinstance(item, str):
        return load(item, span)
    return history(item)


def _run(
    strategy: Any,
    cls: type[Strategy],
    params: StrategyParams,
    *,
    histories: Mapping[str, History],
    capital: Decimal | int | float | str,
    settings: EngineSettings,
    home: Path,
) -> EngineRun:
    try:
        money = Decimal(str(capital))
    except ArithmeticError:
        raise InputError(f"the capital was '{capital}'; write a number") from None
    if not money.is_finite():
        raise InputError(f"the capital was '{capital}'; write a finite number")
    every = list(histories.values())
    once: _Once
    if issubclass(cls, EventStrategy):
        once = _events(
            strategy, cls, params, histories=histories, capital=money, settings=settings, home=home
        )
    else:
        if settings.venue.fills.feed == "book":
            raise InputError(
                f"{cls.name} gives targets at the closes of bars; fills.feed = book is for event "
                "strategies"
            )
        signal = strategy if isinstance(strategy, SignalStrategy) else cls()
        assert isinstance(signal, SignalStrategy)
        wanted, exits = _targets(signal, params, histories), signal.exits(params)
        lead = partial(run_signals, every)
        if settings.venue.fills.path == "refine":
            every = finer_histories(Lake(home), every)
            lead = partial(run_refined, (list(histories.values()), every))
        once = partial(lead, wanted, capital=money, settings=settings, exits=exits)
    if not _is_bounded(histories, settings):
        return once()
    low, high = (once(funding=[bounded(h, highest=top) for h in every]) for top in (False, True))
    is_low = low.final_equity < high.final_equity
    worse = low if is_low else high
    return replace(worse, notes=(*worse.notes, *bound_notes(every, highest=not is_low)))


def _events(
    strategy: Any,
    cls: type[EventStrategy],
    params: StrategyParams,
    *,
    histories: Mapping[str, History],
    capital: Decimal,
    settings: EngineSettings,
    home: Path,
) -> _Once:
    """Return how an event strategy is run; each run has an object of its own."""
    from openalpha.engine.events import run_events

    if settings.venue.fills.feed == "book":
        from openalpha.engine.messages import run_messages

        tapes = [tape_of(Lake(home), history) for history in histories.values()]

        def played(*, funding: Sequence[Settlements] | None = None) -> EngineRun:
            thing = deepcopy(strategy) if isinstance(strategy, EventStrategy) else cls(params)
            return run_messages(thing, tapes, capital=capital, settings=settings, funding=funding)

        return played

    def once(*, funding: Sequence[Settlements] | None = None) -> EngineRun:
        thing = deepcopy(strategy) if isinstance(strategy, EventStrategy) else cls(params)
        return run_events(thing, histories, capital=capital, settings=settings, funding=funding)

    return once


def _targets(
    signal: SignalStrategy, params: StrategyParams, histories: Mapping[str, History]
) -> list[NDArray[np.int32]]:
    """Return what a signal strategy wants to hold, on each history's rows."""
    bars = {name: Bars.of(h) for name, h in histories.items()}
    if isinstance(signal, PortfolioStrategy):
        shared = together(bars)
        targets = _on_own_rows(evaluate_e6(signal, shared, params=params), shared, bars)
    else:
        targets = evaluate_e6(signal, bars, params=params)
    return [targets[name] for name in histories]


def _is_bounded(histories: Mapping[str, History], settings: EngineSettings) -> bool:
    """Say whether settlements are missing that the run would have paid."""
    return settings.venue.costs.funding and any(h.funding_gaps for h in histories.values())


def _on_own_rows(
    targets: Mapping[str, NDArray[np.int32]], shared: Mapping[str, Bars], bars: Mapping[str, Bars]
) -> dict[str, NDArray[np.int32]]:
    """Lay a portfolio strategy's targets, given for the shared stamps, on each history's rows."""
    out = {}
    for name, own in bars.items():
        if name not in targets:
            raise InputError(
                f"the strategy gave no target for '{name}'; it knows {', '.join(targets)}"
            )
        row = np.full(len(own.ts_ms), NO_OPINION_E6, dtype=np.int32)
        row[np.searchsorted(own.ts_ms, shared[name].ts_ms)] = targets[name]
        out[name] = row
    return out


@lru_cache(maxsize=8)
def _ledger(home: Path) -> TrialLedger:
    return TrialLedger(home)


def _counted(result: BacktestResult, home: Path, *, family: str) -> BacktestResult:
    """Count a run as a trial of its family and note where it stands in the ledger."""
    context = result.context
    days = result.days
    metrics = result.metrics
    ledger = _ledger(home)
    row = ledger.append(
        Trial(
            strategy=context.strategy,
            instruments=tuple(context.histories),
            params=context.params,
            source_hash=context.source_hash,
            data_fingerprint=context.data_fingerprint(),
            settings_hash=settings_hash(context.settings),
            first_day=int(days.day[0]) if len(days.day) else 0,
            daily_returns=np.asarray(days.returns, dtype=np.float32),
            metrics={name: metrics[name] for name in ("sharpe", "total_return", "max_drawdown")},
            timeframe_ms=result.run.timeframe_ms,
            family=family,
        )
    )
    result.context = replace(context, trial=row, ledger=ledger)
    return result

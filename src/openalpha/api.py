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

from openalpha.core.clock import Clock, SystemClock, parse_ms, parse_timeframe
from openalpha.core.errors import InputError
from openalpha.engine.funding import Settlements, bound_notes, bounded
from openalpha.engine.refine import run_refined
from openalpha.engine.run import EngineRun, VenueSettings
from openalpha.engine.signals import EngineSettings, run_signals
from openalpha.market.finer import finer_histories
from openalpha.market.frames import history
from openalpha.market.history import History
from openalpha.market.lake import Lake
from openalpha.market.tape import recorded_history, tape_of
from openalpha.research.context import RunContext, settings_hash
from openalpha.research.result import BacktestResult
from openalpha.research.targets import targets_of
from openalpha.research.trials import Trial, TrialLedger
from openalpha.risk.settings import RiskSettings, SizingSettings
from openalpha.settings import build_group, find_home
from openalpha.settings.schema import plain
from openalpha.strategy import load_strategy, prove, source_hash
from openalpha.strategy.bars import Bars
from openalpha.strategy.base import SignalStrategy
from openalpha.strategy.events import EventStrategy, Strategy
from openalpha.strategy.params import StrategyParams, build_params
from openalpha.venue.settings import CostSettings, FillSettings, MarginSettings

__all__ = [
    "BacktestResult", "History", "backtest", "engine_settings", "histories_given", "history",
    "is_bounded", "ledger_of", "moment", "money_given", "plain_params", "run_once",
    "settings_record",
]  # fmt: skip

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
    settings = engine_settings(costs, sizing, margin=margin, fills=fills, risk=risk)
    cls = load_strategy(strategy, folder=where / "strategies")
    given = build_params(cls.Params, params, strategy=cls.name)
    histories = histories_given(
        data,
        where,
        feed=settings.venue.fills.feed,
        timeframe=timeframe,
        span=(moment(start), moment(end)),
    )
    proof = prove(
        strategy if isinstance(strategy, SignalStrategy) else cls,
        histories,
        params=given,
        cache=where / "cache" / "proofs",
    )
    if not allow_lookahead:
        proof.raise_if_found()
    run = run_once(
        strategy, cls, given, histories=histories, capital=capital, settings=settings, home=where
    )
    context = RunContext(
        strategy=cls.name,
        params=plain_params(given),
        source_hash=source_hash(cls),
        histories={str(h.instrument.id): h for h in histories.values()},
        settings=settings_record(settings),
        created_ms=(clock or SystemClock()).now_ms(),
        home=where,
        roles=tuple(histories),
        is_lookahead_allowed=bool(proof.findings) and allow_lookahead,
        funding_worst_return=(
            float(run.final_equity / run.capital - 1) if is_bounded(histories, settings) else None
        ),
    )
    return _counted(BacktestResult(run, context), where, family=family)


def plain_params(params: StrategyParams) -> dict[str, Any]:
    """Return parameters as JSON can hold them."""
    return dict(params.model_dump(mode="json"))


def engine_settings(
    costs: Group | CostSettings,
    sizing: Group | SizingSettings,
    *,
    margin: Group | MarginSettings,
    fills: Group | FillSettings,
    risk: Group | RiskSettings,
) -> EngineSettings:
    """Return the settings groups `backtest` takes, checked."""
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


def settings_record(settings: EngineSettings) -> dict[str, dict[str, Any]]:
    """Return the settings of a run as its record keeps them."""
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


def moment(given: str | int | None) -> int | None:
    """Return a moment as UTC ms; None stays open."""
    return parse_ms(given) if isinstance(given, str) else given


def _from_lake(
    lake: Lake, feed: str, timeframe: str, name: str, span: tuple[int | None, int | None]
) -> History:
    if feed != "bars":
        frame_ms, has_depth = parse_timeframe(timeframe), feed == "book"
        return recorded_history(lake, name, timeframe_ms=frame_ms, span=span, with_depth=has_depth)
    return lake.load(name, timeframe, start_ms=span[0], end_ms=span[1])


def histories_given(
    data: Any,
    home: Path,
    *,
    feed: str = "bars",
    timeframe: str = "1h",
    span: tuple[int | None, int | None] = (None, None),
) -> dict[str, History]:
    """Return what `backtest` takes as data: histories by role or instrument id.

    Raises
    ------
    InputError
        If there is none, or one is given twice.
    """
    load = partial(_from_lake, Lake(home), feed, timeframe)
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


def money_given(capital: Decimal | int | float | str) -> Decimal:
    """Return an amount as typed or handed over.

    Raises
    ------
    InputError
        If it is no finite number.
    """
    try:
        money = Decimal(str(capital))
    except ArithmeticError:
        raise InputError(f"the capital was '{capital}'; write a number") from None
    if not money.is_finite():
        raise InputError(f"the capital was '{capital}'; write a finite number")
    return money


def run_once(
    strategy: Any,
    cls: type[Strategy],
    params: StrategyParams,
    *,
    histories: Mapping[str, History],
    capital: Decimal | int | float | str,
    settings: EngineSettings,
    home: Path,
) -> EngineRun:
    """Lead a strategy of any kind through histories once; what `backtest` measures.

    Where settlements are missing both bounds are run and the worse one is returned.
    """
    money = money_given(capital)
    every = list(histories.values())
    once: _Once
    if issubclass(cls, EventStrategy):
        once = _events(
            strategy, cls, params, histories=histories, capital=money, settings=settings, home=home
        )
    else:
        if settings.venue.fills.feed != "bars":
            raise InputError(
                f"{cls.name} gives targets at the closes of bars; fills.feed = "
                f"{settings.venue.fills.feed} is for event strategies"
            )
        signal = strategy if isinstance(strategy, SignalStrategy) else cls()
        assert isinstance(signal, SignalStrategy)
        bars = {name: Bars.of(h) for name, h in histories.items()}
        wanted, exits = targets_of(signal, params, bars=bars), signal.exits(params)
        lead = partial(run_signals, every)
        if settings.venue.fills.path == "refine":
            every = finer_histories(Lake(home), every)
            lead = partial(run_refined, (list(histories.values()), every))
        once = partial(lead, wanted, capital=money, settings=settings, exits=exits)
    if not is_bounded(histories, settings):
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

    feed = settings.venue.fills.feed
    if feed != "bars":
        from openalpha.engine.messages import run_messages

        every = histories.values()
        tapes = [tape_of(Lake(home), history, with_depth=feed == "book") for history in every]

        def played(*, funding: Sequence[Settlements] | None = None) -> EngineRun:
            thing = deepcopy(strategy) if isinstance(strategy, EventStrategy) else cls(params)
            return run_messages(thing, tapes, capital=capital, settings=settings, funding=funding)

        return played

    def once(*, funding: Sequence[Settlements] | None = None) -> EngineRun:
        thing = deepcopy(strategy) if isinstance(strategy, EventStrategy) else cls(params)
        return run_events(thing, histories, capital=capital, settings=settings, funding=funding)

    return once


def is_bounded(histories: Mapping[str, History], settings: EngineSettings) -> bool:
    """Say whether settlements are missing that the run would have paid."""
    return settings.venue.costs.funding and any(h.funding_gaps for h in histories.values())


@lru_cache(maxsize=8)
def ledger_of(home: Path) -> TrialLedger:
    """Return the trial ledger of a home, one object for all who ask."""
    return TrialLedger(home)


def _counted(result: BacktestResult, home: Path, *, family: str) -> BacktestResult:
    """Count a run as a trial of its family and note where it stands in the ledger."""
    context = result.context
    days = result.days
    metrics = result.metrics
    ledger = ledger_of(home)
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

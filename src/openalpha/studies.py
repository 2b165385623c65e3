"""The public Python functions that run a strategy many times over: sweeps and what judges them."""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from openalpha import api
from openalpha.core.errors import InputError
from openalpha.engine.signals import EngineSettings
from openalpha.market.history import History
from openalpha.research.context import RunContext, settings_hash
from openalpha.research.result import BacktestResult
from openalpha.research.sweep import Evaluates, Progress, SweepPlan, run_sweep, search_of
from openalpha.research.sweep_apart import ApartEvaluator
from openalpha.research.sweep_cluster import ClusterEvaluator
from openalpha.research.sweep_evaluate import Evaluator, Subject
from openalpha.research.sweep_result import SweepResult, objective_of
from openalpha.research.sweep_space import Config, Space, space_of
from openalpha.research.trials import Trial
from openalpha.settings import find_home
from openalpha.strategy import load_strategy, prove, source_hash
from openalpha.strategy.base import SignalStrategy
from openalpha.strategy.events import Strategy
from openalpha.strategy.params import StrategyParams, build_params

__all__ = ["Study", "SweepResult", "check_groups", "corners", "plan_of", "study_of", "sweep"]

Group = Mapping[str, Any]
_NONE: Group = {}
_PROOFS = 4
VERSION = 2
"""Raised whenever a sweep of the same question may give other bytes."""


@dataclass(frozen=True, slots=True, eq=False)
class Study:
    """A strategy on histories, all settled but the parameters that vary.

    Parameters
    ----------
    given : object
        The strategy as it was given: a name, a class, an object.
    cls : type
    params : mapping
        Parameters that do not vary.
    histories : mapping of role or instrument id to History
    capital : Decimal
    settings : EngineSettings
    home : Path
    """

    given: Any
    cls: type[Strategy]
    params: Group
    histories: Mapping[str, History]
    capital: Decimal
    settings: EngineSettings
    home: Path

    def build(self, config: Config) -> StrategyParams:
        """Return the parameters of one configuration; raises `InputError` where refused."""
        return build_params(self.cls.Params, {**self.params, **config}, strategy=self.cls.name)

    @property
    def instruments(self) -> tuple[str, ...]:
        """Ids of its instruments."""
        return tuple(str(history.instrument.id) for history in self.histories.values())

    def evaluator(self, workers: int | None) -> Evaluates:
        """Return what runs its configurations: threads where compiled code does the work."""
        strategy = self.given
        if isinstance(strategy, type) or not isinstance(strategy, SignalStrategy):
            strategy = self.cls() if issubclass(self.cls, SignalStrategy) else None
        subject = Subject(strategy, self.histories, self.capital, self.settings)
        if strategy is not None and self.settings.venue.fills.path != "refine":
            return Evaluator(subject, workers=workers)
        return ApartEvaluator(subject, partial(_measured, self), workers=workers)

    @contextmanager
    def evaluators(self, workers: int | None, *, cluster: str) -> Iterator[Evaluates]:
        """Lend what runs its configurations, here or on the workers of a cluster."""
        if not cluster:
            yield self.evaluator(workers)
            return
        subject = self.evaluator(1).subject
        far = ClusterEvaluator(subject, partial(_evaluator_of, self), address=cluster)
        try:
            yield far
        finally:
            far.close()

    def run(self, params: StrategyParams, histories: Mapping[str, History]) -> BacktestResult:
        """Return one backtest, not counted as a trial."""
        run = api.run_once(
            self.given, self.cls, params, histories=histories, capital=self.capital,
            settings=self.settings, home=self.home,
        )  # fmt: skip
        context = RunContext(
            strategy=self.cls.name,
            params=api.plain_params(params),
            source_hash=source_hash(self.cls),
            histories={str(h.instrument.id): h for h in histories.values()},
            settings=api.settings_record(self.settings),
            home=self.home,
        )
        return BacktestResult(run, context)

    def common_trial(self, *, family: str = "") -> Trial:
        """Return what the ledger is told of all its trials."""
        record = api.settings_record(self.settings)
        context = RunContext("", {}, "", {str(h.instrument.id): h for h in self.histories.values()})
        return Trial(
            strategy=self.cls.name, instruments=self.instruments, params={},
            source_hash=source_hash(self.cls), data_fingerprint=context.data_fingerprint(),
            settings_hash=settings_hash(record), first_day=0, daily_returns=(),  # type: ignore[arg-type]  # none of its own
            timeframe_ms=next(iter(self.histories.values())).timeframe_ms, family=family,
        )  # fmt: skip

    def prove(self, configs: Sequence[Config]) -> None:
        """Refuse a strategy that sees the future with one of some configurations.

        Raises
        ------
        LookAheadError
        """
        thing = self.given if isinstance(self.given, SignalStrategy) else self.cls
        for config in configs:
            try:
                params = self.build(config)
            except InputError:
                continue
            cache = self.home / "cache" / "proofs"
            prove(thing, self.histories, params=params, cache=cache).raise_if_found()


def study_of(
    strategy: "str | Path | Strategy | type[Strategy]",
    data: Any,
    *,
    params: Group = _NONE,
    capital: Decimal | int | float | str = 10_000,
    groups: Mapping[str, Any] = _NONE,
    timeframe: str = "1h",
    span: tuple[str | int | None, str | int | None] = (None, None),
    home: Path | str | None = None,
) -> Study:
    """Return a strategy on histories, as every study here begins.

    Parameters are those of `openalpha.backtest`; `groups` holds its settings groups by name.

    Raises
    ------
    InputError
        If something given cannot be used.
    """
    where = Path(home) if home is not None else find_home(environ=os.environ)
    settings = api.engine_settings(
        groups.get("costs", _NONE), groups.get("sizing", _NONE), margin=groups.get("margin", _NONE),
        fills=groups.get("fills", _NONE), risk=groups.get("risk", _NONE),
    )  # fmt: skip
    cls = load_strategy(strategy, folder=where / "strategies")
    for name in set(params) - set(cls.Params.model_fields):
        build_params(cls.Params, {name: None}, strategy=cls.name)
    histories = api.histories_given(
        data, where, feed=settings.venue.fills.feed, timeframe=timeframe,
        span=(api.moment(span[0]), api.moment(span[1])),
    )  # fmt: skip
    return Study(strategy, cls, dict(params), histories, api.money_given(capital), settings, where)


def sweep(  # noqa: PLR0913 - one keyword a choice, all optional
    strategy: "str | Path | Strategy | type[Strategy]",
    data: Any,
    *,
    grid: Mapping[str, Any],
    objective: str | Sequence[str] = "sharpe",
    method: str = "grid",
    trials: int | None = None,
    seed: int = 1,
    prune: float = 0.0,
    workers: int | None = None,
    cluster: str = "",
    resume: bool = False,
    params: Group = _NONE,
    capital: Decimal | int | float | str = 10_000,
    timeframe: str = "1h",
    start: str | int | None = None,
    end: str | int | None = None,
    home: Path | str | None = None,
    family: str = "",
    progress: Progress | None = None,
    **groups: Any,
) -> SweepResult:
    """Try many configurations of a strategy, every one counted.

    The bytes that come out depend on the question and the seed alone, not on how many workers there
    were or whether the sweep was resumed. Some configurations are proven not to see the future
    before the first trial, the best one after the last.

    Parameters
    ----------
    strategy, data, params, capital, timeframe, start, end, home, family
        As `openalpha.backtest`; `params` are those that do not vary.
    grid : mapping of parameter name to values
        A sequence of values, one value, or a text: `5:40:1` (both ends in), `1.5:3` (any value
        between), `sma,ema`.
    objective : str or sequence of str
        Metrics; costs and risks are made small, the rest large, a `-` before
        the name turns it round. Several for `nsga2` and `tpe`.
    method : str
        `grid`, `random`, `tpe`, `nsga2`, `cmaes` or `genetic`.
    trials : int, optional
        How many configurations to try; all of a grid without it.
    seed : int
    prune : float
        Share of the time after which a trial that is worse than half of the earlier ones is given
        up; 0 gives none up. What is given up is kept with its returns so far, and counts.
    workers : int, optional
        As many as there are cores without it.
    cluster : str
        Address of a Dask scheduler whose workers run the configurations, as `tcp://10.0.0.5:8786`;
        the trials are counted and kept here.
    resume : bool
        Go on where an earlier sweep of the same question stopped.
    progress : callable, optional
        Told how many are done, and of how many.
    **groups
        `costs`, `sizing`, `margin`, `fills`, `risk`, as `openalpha.backtest`.

    Returns
    -------
    SweepResult

    Raises
    ------
    InputError
        If something given cannot be used; the message says what and why.
    LookAheadError
        If the strategy sees the future.

    Examples
    --------
    >>> import tempfile, polars as pl
    >>> close = [100.0 + (i % 7) for i in range(400)]
    >>> frame = pl.DataFrame({"ts": [1704067200000 + i * 3_600_000 for i in range(400)],
    ...     "open": close, "high": [c + 1 for c in close], "low": [c - 1 for c in close],
    ...     "close": close, "volume": [1000.0] * 400})
    >>> result = sweep("ma_cross", frame, grid={"fast": "2:4", "slow": [6, 9]},
    ...     home=tempfile.mkdtemp())
    >>> len(result)
    6
    """
    check_groups(groups)
    study = study_of(
        strategy, data, params=params, capital=capital, groups=groups, timeframe=timeframe,
        span=(start, end), home=home,
    )  # fmt: skip
    wanted = (objective,) if isinstance(objective, str) else tuple(objective)
    if not wanted:
        raise InputError("a sweep needs an objective, such as sharpe")
    if not 0 <= prune < 1:
        raise InputError(f"prune was {prune}, expected a share of the time from 0 to below 1")
    if trials is not None and trials < 1:
        raise InputError(f"trials was {trials}, expected at least 1")
    overlap = set(params) & set(grid)
    if overlap:
        raise InputError(f"{', '.join(sorted(overlap))} stands in the grid and in the parameters")
    space = space_of(grid, study.cls.Params, strategy=study.cls.name)
    plan = plan_of(
        study, space, objectives=wanted, method=method, trials=trials, seed=seed, prune=prune,
        family=family,
    )  # fmt: skip
    search_of(plan)  # what cannot be searched is said before anything slow begins
    study.prove(corners(space))
    with study.evaluators(workers, cluster=cluster) as evaluator:
        result = run_sweep(
            plan, evaluator, home=study.home, ledger=api.ledger_of(study.home), resume=resume,
            progress=progress,
        )  # fmt: skip
    if result.best_row >= 0:
        study.prove([result.trials.configs[result.best_row]])
    return result


def plan_of(
    study: Study,
    space: Space,
    *,
    objectives: Sequence[str],
    method: str,
    trials: int | None,
    seed: int,
    prune: float = 0.0,
    family: str = "",
) -> SweepPlan:
    """Return a sweep of a study before it runs."""
    common = study.common_trial(family=family)
    record = {
        "strategy": study.cls.name,
        "source_hash": common.source_hash,
        "params": dict(study.params),
        "space": space.as_record(),
        "instruments": list(study.instruments),
        "roles": list(study.histories),
        "data_fingerprint": common.data_fingerprint,
        "settings": api.settings_record(study.settings),
        "capital": str(study.capital),
        "objectives": list(objectives),
        "method": method,
        "trials": trials,
        "seed": seed,
        "prune": prune,
        "version": VERSION,
    }
    return SweepPlan(
        space, tuple(map(objective_of, objectives)), method, trials, seed, prune, study.build,
        api.plain_params, common, record,
    )  # fmt: skip


def check_groups(groups: Mapping[str, Any]) -> None:
    """Refuse what is no settings group.

    Raises
    ------
    InputError
    """
    known = ("costs", "sizing", "margin", "fills", "risk")
    for name in groups:
        if name not in known:
            raise InputError(f"there is no setting '{name}' here; groups are {', '.join(known)}")


def corners(space: Space) -> list[Config]:
    """Return configurations spread over a space, its ends among them."""
    shares = [number / (_PROOFS - 1) * (1 - 1e-9) for number in range(_PROOFS)]
    return [{axis.name: axis.at(share) for axis in space.axes} for share in shares]


def _measured(
    study: Study, params: StrategyParams, histories: Mapping[str, History]
) -> tuple[Mapping[str, float], NDArray[np.float64]]:
    result = study.run(params, histories)
    return result.metrics, result.days.returns


def _evaluator_of(study: Study, workers: int) -> Evaluates:
    return study.evaluator(workers)

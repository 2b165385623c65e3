"""Running a sweep: batch after batch, every trial into the ledger, nothing lost when it stops."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from openalpha.core.errors import InputError
from openalpha.engine.batch import FIGURES
from openalpha.research.sweep_evaluate import Outcomes, Span, Subject
from openalpha.research.sweep_result import Objective, Status, SweepResult, joined
from openalpha.research.sweep_search import METHODS, GeneticSearch, GridSearch, RandomSearch, Search
from openalpha.research.sweep_space import Config, Space
from openalpha.research.sweep_store import Batch, SweepStore
from openalpha.research.trials import Trial, TrialBatch, TrialLedger
from openalpha.strategy.params import StrategyParams

__all__ = ["Evaluates", "Progress", "SweepPlan", "run_sweep", "search_of"]

Progress = Callable[[int, float], None]
"""Told how many trials are done, and of how many (infinite: not known)."""

_SHOWN = ("sharpe", "total_return", "max_drawdown")
_SHOWN_AT = [FIGURES.index(name) for name in _SHOWN]
_BIG_BATCH, _LEARNING_BATCH = 512, 16
_PRUNING_BATCH = 64


class Evaluates(Protocol):
    """Whatever runs configurations."""

    is_stopped: bool
    subject: Subject

    def evaluate(self, params: Sequence[StrategyParams], spans: Sequence[Span]) -> list[Outcomes]:
        """Run every configuration on every span; one `Outcomes` a span."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class SweepPlan:
    """A sweep before it runs.

    Parameters
    ----------
    space : Space
    objectives : tuple of Objective
    method : str
        One of `sweep_search.METHODS`.
    trials : int or None
        How many configurations to try; None for all of a grid.
    seed : int
    prune : float
        Share of the time after which a hopeless trial is given up; 0 gives none up.
    build : callable
        From a configuration to the strategy's parameters; raises `InputError` for one it refuses.
    plain : callable
        From parameters to what JSON can hold.
    common : Trial
        What the ledger is told of every trial; its `params` are those of the first configuration.
    record : mapping
        What is swept and how.
    """

    space: Space
    objectives: tuple[Objective, ...]
    method: str
    trials: int | None
    seed: int
    prune: float
    build: Callable[[Config], StrategyParams]
    plain: Callable[[StrategyParams], dict[str, Any]]
    common: Trial
    record: Mapping[str, Any]

    @property
    def batch(self) -> int:
        """How many configurations are decided on at once; the same for any number of workers."""
        if self.method not in ("grid", "random"):
            return _LEARNING_BATCH
        return _PRUNING_BATCH if self.prune else _BIG_BATCH

    @property
    def budget(self) -> float:
        """How many configurations will be tried at most."""
        return self.space.size if self.trials is None else min(self.trials, self.space.size)


def search_of(plan: SweepPlan) -> Search:
    """Return the search a plan names.

    Raises
    ------
    InputError
        If the method is unknown or cannot search this space, before the first trial.
    """
    method, objectives = plan.method, len(plan.objectives)
    if method not in METHODS:
        raise InputError(f"there is no method '{method}'; there are {', '.join(METHODS)}")
    if method not in ("grid", "random") and plan.trials is None:
        raise InputError(f"--method {method} needs --trials: how many configurations to try")
    if plan.trials is None and plan.space.has_range:
        raise InputError("a range without a step needs --method random (or another) and --trials")
    if objectives > 1 and method in ("genetic", "cmaes"):
        raise InputError(f"{method} has one objective; use --method nsga2 for several")
    if method == "grid":
        return GridSearch(plan.space)
    if method == "random":
        return RandomSearch(plan.space, plan.seed)
    if method == "genetic":
        return GeneticSearch(plan.space, plan.seed)
    from openalpha.research.sweep_optuna import OptunaSearch

    return OptunaSearch(plan.space, plan.seed, method=method, objectives=objectives)


def run_sweep(
    plan: SweepPlan,
    evaluator: Evaluates,
    *,
    home: Path,
    ledger: TrialLedger,
    resume: bool = False,
    progress: Progress | None = None,
) -> SweepResult:
    """Run a sweep, or go on with one.

    Parameters
    ----------
    plan : SweepPlan
    evaluator : Evaluates
    home : Path
        Where its batches are kept.
    ledger : TrialLedger
        Where every trial is counted, before its batch is.
    resume : bool
        Go on where an earlier sweep of the same question stopped.
    progress : callable, optional

    Returns
    -------
    SweepResult
        The same bytes for any number of workers, and resumed or not.
    """
    work = _Work(plan, evaluator, ledger)
    store = SweepStore(home, plan.record)
    begun = time.perf_counter()
    if not (resume and store.has_batches):
        store.begin()
    for batch in store.batches():
        work.take(batch)
        if progress:
            progress(work.done, plan.budget)
    while not work.is_over:
        try:
            made = work.next()
            if made is None:
                break
            if not work.is_stopped:
                store.keep(made)
        except KeyboardInterrupt:  # between two evaluations: what is kept is whole
            work.is_stopped = True
            break
        if progress:
            progress(work.done, plan.budget)
    subject = evaluator.subject
    return SweepResult(
        record=dict(plan.record),
        space=plan.space,
        objectives=plan.objectives,
        trials=joined(work.batches, len(work.span.days)),
        id=store.id,
        is_complete=not work.is_stopped,
        first_day=int(work.span.days.day[0]),
        family=ledger.count(
            plan.common.strategy, plan.common.instruments, start_ms=subject.start_ms,
            end_ms=subject.end_ms,
        ),
        seconds=time.perf_counter() - begun,
    )  # fmt: skip


class _Work:
    """A sweep under way."""

    def __init__(self, plan: SweepPlan, evaluator: Evaluates, ledger: TrialLedger) -> None:
        self.plan, self.evaluator, self.ledger = plan, evaluator, ledger
        self.search = search_of(plan)
        self.batches: list[Batch] = []
        self.done = 0
        self.known: dict[str, tuple[int, int]] = {}
        self.early: list[float] = []
        self.is_stopped = False
        subject = evaluator.subject
        start, end = subject.start_ms, subject.end_ms
        self.span = Span(subject, start_ms=start, end_ms=end)
        self.head: Span | None = None
        if plan.prune:
            cut = start + int(plan.prune * (end - start))
            self.head = Span(subject, start_ms=start, end_ms=cut)
            if len(self.head) >= len(self.span):
                raise InputError(
                    "there are too few bars to give trials up early; leave out --prune"
                )

    @property
    def is_over(self) -> bool:
        return self.is_stopped or self.done >= self.plan.budget

    def take(self, batch: Batch) -> None:
        """Take a batch of an earlier run as if it had been run now."""
        asked = self.search.ask(self._count())
        if asked != batch.configs:
            raise InputError(
                "what was kept of the sweep is not what it would try now (another version?); "
                "run it again without --resume"
            )
        self._finish(batch)

    def next(self) -> Batch | None:
        """Run one more batch; None when the search has nothing left."""
        configs = self.search.ask(self._count())
        if not configs:
            return None
        batch = self._run(configs)
        self._finish(batch)
        return batch

    def _count(self) -> int:
        return int(min(self.plan.batch, self.plan.budget - self.done))

    def _finish(self, batch: Batch) -> None:
        number = len(self.batches)
        for row, config in enumerate(batch.configs):
            self.known.setdefault(repr(config), (number, row))
        self.batches.append(batch)
        self.early += batch.early[np.isfinite(batch.early)].tolist()
        self.done += len(batch.configs)
        if not self.is_stopped:
            self.search.tell(batch.configs, self._scores(batch))

    def _scores(self, batch: Batch) -> list[tuple[float, ...] | None]:
        scores = np.stack([item.scores(batch.figures) for item in self.plan.objectives], axis=1)
        is_known = np.isin(batch.status, (Status.COMPLETE, Status.REPEATED))
        is_known &= np.isfinite(scores).all(axis=1)
        rows = zip(scores.tolist(), is_known.tolist(), strict=True)
        return [tuple(values) if known else None for values, known in rows]

    def _run(self, configs: list[Config]) -> Batch:
        count = len(configs)
        status = np.full(count, Status.REFUSED, dtype=np.int8)
        faults: dict[int, str] = {}
        built: list[tuple[int, StrategyParams]] = []
        repeats: list[tuple[int, tuple[int, int]]] = []
        for row, config in enumerate(configs):
            if (seen := self.known.get(repr(config))) is not None:
                repeats.append((row, seen))
                continue
            try:
                built.append((row, self.plan.build(config)))
            except InputError as error:
                faults[row] = str(error)
        batch = Batch(
            configs, status, np.full((count, len(FIGURES)), np.nan),
            np.zeros((count, len(self.span.days)), dtype=np.float32),
            np.zeros(count, dtype=np.int64), np.full(count, -1, dtype=np.int64),
            np.full(count, np.nan), faults,
        )  # fmt: skip
        for row, (number, other) in repeats:
            batch.figures[row] = self.batches[number].figures[other]
            batch.status[row] = Status.REPEATED
        self._evaluate(batch, built)
        done = [(row, params) for row, params in built if batch.lengths[row]]
        self._count_trials(batch, done)
        if self.is_stopped:
            return _part(batch, [row for row, _ in done])
        return batch

    def _evaluate(self, batch: Batch, built: list[tuple[int, StrategyParams]]) -> None:
        """Run what can be run, the first part alone where hopeless trials are given up."""
        hopeful = built
        if self.head is not None:
            early = self._lead(batch, built, self.head, Status.PRUNED)
            bar = float(np.median(self.early)) if self.early else -np.inf
            hopeful = [item for item in built if not early.get(item[0], np.inf) < bar]
            for row, score in early.items():
                batch.early[row] = score
        self._lead(batch, hopeful, self.span, Status.COMPLETE)

    def _lead(
        self, batch: Batch, built: list[tuple[int, StrategyParams]], span: Span, status: Status
    ) -> dict[int, float]:
        """Run configurations on a span; returns the first objective's score of each."""
        if self.is_stopped or not built:
            return {}
        (found,) = self.evaluator.evaluate([params for _, params in built], [span])
        self.is_stopped = self.evaluator.is_stopped
        scores = self.plan.objectives[0].scores(found.figures)
        days = len(span.days)
        for place, (row, _) in enumerate(built):
            if place in found.faults:
                batch.faults[row], batch.status[row] = found.faults[place], Status.FAILED
            elif found.done[place]:
                batch.figures[row] = found.figures[place]
                batch.daily[row] = 0.0
                batch.daily[row, :days] = found.daily[place]
                batch.lengths[row], batch.status[row] = days, status
        return {row: float(scores[place]) for place, (row, _) in enumerate(built)}

    def _count_trials(self, batch: Batch, done: list[tuple[int, StrategyParams]]) -> None:
        """Write every configuration that was evaluated into the ledger."""
        if not done:
            return
        rows = [row for row, _ in done]
        shown = batch.figures[np.ix_(rows, _SHOWN_AT)].tolist()
        names = self.plan.space.names
        first = self.ledger.append_all(
            TrialBatch(
                common=replace(self.plan.common, params=self._shared(done[0][1])),
                params=[_picked(self.plan.plain(params), names) for _, params in done],
                first_day=int(self.span.days.day[0]),
                daily_returns=[batch.daily[row, : batch.lengths[row]] for row in rows],
                metrics=[dict(zip(_SHOWN, values, strict=True)) for values in shown],
            )
        )
        batch.rows[rows] = first + np.arange(len(rows))

    def _shared(self, params: StrategyParams) -> dict[str, Any]:
        plain = self.plan.plain(params)
        return {name: value for name, value in plain.items() if name not in self.plan.space.names}


def _picked(plain: Mapping[str, Any], names: Sequence[str]) -> dict[str, Any]:
    return {name: plain[name] for name in names}


def _part(batch: Batch, rows: list[int]) -> Batch:
    """Return some rows of a batch that was stopped."""
    keep: NDArray[np.intp] = np.array(rows, dtype=np.intp)
    return Batch(
        [batch.configs[row] for row in rows], batch.status[keep], batch.figures[keep],
        batch.daily[keep], batch.lengths[keep], batch.rows[keep], batch.early[keep], {},
    )  # fmt: skip

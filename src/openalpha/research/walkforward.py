"""Walk-forward: optimise on a stretch of time, test on the next, move on, put the tests together.

A configuration is chosen by what it did in a fold's training alone; the test that follows is run
once, on an account of its own. Training ends `purge` bars before the test is reached by what it was
trained on, and the test begins `embargo` bars later still.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from openalpha.core.clock import HOUR_MS
from openalpha.core.errors import InputError, OpenAlphaError
from openalpha.engine.batch import FIGURES
from openalpha.research.sweep import Evaluates, Progress, SweepPlan, search_of
from openalpha.research.sweep_evaluate import Outcomes, Span, Subject
from openalpha.research.sweep_space import Config
from openalpha.research.targets import targets_of
from openalpha.research.trials import TrialBatch, TrialLedger
from openalpha.research.walkforward_folds import Fold
from openalpha.research.walkforward_result import FoldOutcome, WalkForwardResult
from openalpha.strategy.bars import Bars
from openalpha.strategy.base import NO_OPINION_E6
from openalpha.strategy.params import StrategyParams

__all__ = ["label_span", "memory", "run_walkforward"]

_SHOWN = ("sharpe", "total_return", "max_drawdown")
_FIXED = ("grid", "random")
_AT_ONCE = 256
_LONGEST = FIGURES.index("max_hold_hours")


def run_walkforward(
    plan: SweepPlan,
    evaluator: Evaluates,
    *,
    folds: Sequence[Fold],
    ledger: TrialLedger,
    progress: Progress | None = None,
) -> WalkForwardResult:
    """Optimise and test fold by fold; every configuration evaluated is counted.

    A grid, or a random draw, is the same in each fold and evaluated on all of them together. A
    method that learns begins anew in each: what a fold tries follows from its training alone.
    Ctrl-C ends it after the runs under way, and what is done is put together.

    Parameters
    ----------
    plan : SweepPlan
        With one objective.
    evaluator : Evaluates
    folds : sequence of Fold
    ledger : TrialLedger
    progress : callable, optional
        Told how many runs are done, and of how many.

    Raises
    ------
    InputError
        If the plan cannot be searched, or was stopped before anything was tested.
    """
    work = _Work(plan, evaluator, folds, ledger, progress)
    found = work.shared() if plan.method in _FIXED else work.apart()
    if not found:
        raise InputError("it was stopped before the first test; what ran is in the trial ledger")
    subject = evaluator.subject
    return WalkForwardResult(
        record=dict(plan.record),
        objective=plan.objectives[0],
        outcomes=tuple(found),
        configurations=work.tried,
        is_complete=not work.is_stopped,
        family=ledger.count(
            plan.common.strategy, plan.common.instruments, start_ms=subject.start_ms,
            end_ms=subject.end_ms,
        ),
    )  # fmt: skip


def label_span(
    plan: SweepPlan,
    evaluator: Evaluates,
    *,
    configs: Sequence[Config],
    until_ms: int,
    ledger: TrialLedger,
) -> int:
    """Return how many bars the outcome of a decision reaches ahead: the longest holding.

    Measured on the time before the first test with some configurations of the space; they count as
    trials, as all that is evaluated does. 0 where none of them closed a position.
    """
    params = _built(plan, configs)[1]
    subject = evaluator.subject
    span = Span(subject, start_ms=subject.start_ms, end_ms=until_ms)
    (made,) = evaluator.evaluate(params, [span])
    _count(plan, ledger, span, params, made)
    held = made.figures[:, _LONGEST]
    longest = float(np.nanmax(held, initial=0.0))
    frame = next(iter(subject.histories.values())).timeframe_ms
    return math.ceil(longest * HOUR_MS / frame)


def memory(plan: SweepPlan, evaluator: Evaluates, *, configs: Sequence[Config]) -> int:
    """Return how many bars a signal strategy needs before its first opinion: what it remembers.

    The most of some configurations of the space; 0 for event strategies, whose tests begin with
    nothing remembered.
    """
    subject = evaluator.subject
    if subject.strategy is None:
        return 0
    bars = {name: Bars.of(history) for name, history in subject.histories.items()}
    longest = 0
    for params in _built(plan, configs)[1]:
        try:
            targets = targets_of(subject.strategy, params, bars=bars)
        except OpenAlphaError:
            continue
        for wanted in targets:
            known = np.flatnonzero(wanted != NO_OPINION_E6)
            longest = max(longest, int(known[0]) if len(known) else 0)
    return longest


@dataclass(slots=True)
class _Tried:
    """The configurations of one training, with what came of each."""

    configs: list[Config]
    params: list[StrategyParams]
    figures: list[NDArray[np.float64]]
    daily: list[NDArray[np.float32]]

    def add(
        self, configs: Sequence[Config], *, params: Sequence[StrategyParams], made: Outcomes
    ) -> None:
        for row, config in enumerate(configs):
            if made.done[row] and row not in made.faults:
                self.configs.append(config)
                self.params.append(params[row])
                self.figures.append(made.figures[row])
                self.daily.append(made.daily[row])


class _Work:
    """A walk-forward under way."""

    def __init__(
        self,
        plan: SweepPlan,
        evaluator: Evaluates,
        folds: Sequence[Fold],
        ledger: TrialLedger,
        progress: Progress | None,
    ) -> None:
        self.plan, self.evaluator, self.folds = plan, evaluator, folds
        self.ledger, self.progress = ledger, progress
        self.spans = [_span(evaluator.subject, f.train_start_ms, f.train_end_ms) for f in folds]
        self.tried = self.done = 0
        self._was_stopped = False

    def shared(self) -> list[FoldOutcome]:
        """Try the same configurations in every fold, all folds of a configuration together."""
        configs, params = _built(self.plan, search_of(self.plan).ask(int(self.plan.budget)))
        if not configs:
            raise InputError("the strategy refuses every configuration of the grid")
        self.tried = len(configs)
        every = [_Tried([], [], [], []) for _ in self.folds]
        for start in range(0, len(configs), _AT_ONCE):
            part = slice(start, start + _AT_ONCE)
            made = self.evaluator.evaluate(params[part], self.spans)
            for tried, span, outcomes in zip(every, self.spans, made, strict=True):
                tried.add(configs[part], params=params[part], made=outcomes)
                _count(self.plan, self.ledger, span, params[part], outcomes)
            self._told(len(configs[part]) * len(self.folds), len(configs) * len(self.folds))
            if self.is_stopped:
                break
        tests = zip(self.folds, every, self.spans, strict=True)
        return [kept for one in tests if (kept := self._test(*one)) is not None]

    def apart(self) -> list[FoldOutcome]:
        """Let a method that learns search each fold's training on its own."""
        found = []
        for fold, span in zip(self.folds, self.spans, strict=True):
            tried = self._searched(span)
            self.tried = max(self.tried, len(tried.configs))
            if self.is_stopped:
                break
            if (made := self._test(fold, tried, span)) is not None:
                found.append(made)
        return found

    def _searched(self, span: Span) -> _Tried:
        search, budget = search_of(self.plan), int(self.plan.budget)
        tried, asked = _Tried([], [], [], []), 0
        known: dict[str, tuple[float, ...] | None] = {}
        while asked < budget and not self.is_stopped:
            wanted = search.ask(min(self.plan.batch, budget - asked))
            if not wanted:
                break
            asked += len(wanted)
            fresh = {repr(one): one for one in wanted if repr(one) not in known}
            configs, params = _built(self.plan, list(fresh.values()))
            known |= dict.fromkeys(fresh)
            if configs:
                (made,) = self.evaluator.evaluate(params, [span])
                tried.add(configs, params=params, made=made)
                _count(self.plan, self.ledger, span, params, made)
                score = self.plan.objectives[0].scores(made.figures)
                for row, config in enumerate(configs):
                    if np.isfinite(score[row]):
                        known[repr(config)] = (float(score[row]),)
            search.tell(wanted, [known[repr(one)] for one in wanted])
            self._told(len(wanted), budget * len(self.folds))
        return tried

    def _test(self, fold: Fold, tried: _Tried, trained: Span) -> FoldOutcome | None:
        """Run the best of a training on the time that follows; None where that was not reached."""
        span = _span(self.evaluator.subject, fold.test_start_ms, fold.test_end_ms)
        nothing = np.zeros(len(span.days))
        score = np.empty(0)
        if tried.figures:
            score = self.plan.objectives[0].scores(np.array(tried.figures))
        if not np.isfinite(score).any():
            if self.is_stopped:
                return None
            return FoldOutcome(
                fold, {}, {}, {}, np.zeros(len(trained.days)), nothing, span.days.day
            )
        best = int(np.nanargmax(score))
        (tested,) = self.evaluator.evaluate([tried.params[best]], [span])
        if not tested.done[0]:
            return None
        return FoldOutcome(
            fold,
            tried.configs[best],
            dict(zip(FIGURES, tried.figures[best].tolist(), strict=True)),
            dict(zip(FIGURES, tested.figures[0].tolist(), strict=True)),
            tried.daily[best].astype(np.float64),
            tested.daily[0].astype(np.float64),
            span.days.day,
        )

    def _told(self, more: int, total: int) -> None:
        self.done += more
        try:
            if self.progress is not None:
                self.progress(self.done, total)
        except KeyboardInterrupt:  # between two evaluations: what is done is whole
            self._was_stopped = True

    @property
    def is_stopped(self) -> bool:
        return self._was_stopped or self.evaluator.is_stopped


def _built(plan: SweepPlan, asked: Sequence[Config]) -> tuple[list[Config], list[StrategyParams]]:
    configs, params = [], []
    for config in asked:
        try:
            params.append(plan.build(config))
        except InputError:
            continue
        configs.append(config)
    return configs, params


def _span(subject: Subject, start_ms: int, end_ms: int) -> Span:
    return Span(subject, start_ms=start_ms, end_ms=end_ms)


def _count(
    plan: SweepPlan,
    ledger: TrialLedger,
    span: Span,
    params: Sequence[StrategyParams],
    found: Outcomes,
) -> None:
    rows = [row for row in range(len(params)) if found.done[row] and row not in found.faults]
    if not rows:
        return
    names = plan.space.names
    plain = [plan.plain(params[row]) for row in rows]
    shared = {name: value for name, value in plain[0].items() if name not in names}
    places = [FIGURES.index(name) for name in _SHOWN]
    ledger.append_all(
        TrialBatch(
            common=replace(plan.common, params=shared),
            params=[{name: one[name] for name in names} for one in plain],
            first_day=int(span.days.day[0]),
            daily_returns=[found.daily[row] for row in rows],
            metrics=[
                dict(zip(_SHOWN, found.figures[row, places].tolist(), strict=True)) for row in rows
            ],
        )
    )

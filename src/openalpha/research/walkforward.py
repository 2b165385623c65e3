"""Walk-forward: optimise on a stretch of time, test on the next, move on, put the tests together.

A configuration is chosen by what it did in a fold's training alone; the test that follows is run
once, on an account of its own. Training ends `purge` bars before the test is reached by what it was
trained on, and the test begins `embargo` bars later still.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from openalpha.core.clock import format_ms
from openalpha.core.errors import InputError
from openalpha.engine.batch import FIGURES
from openalpha.research.drawdown import drawdowns
from openalpha.research.metrics import sharpe_ratio
from openalpha.research.strict_json import strict_json
from openalpha.research.sweep import Evaluates, SweepPlan, search_of
from openalpha.research.sweep_evaluate import Outcomes, Span, Subject
from openalpha.research.sweep_result import Objective
from openalpha.research.sweep_space import Config
from openalpha.research.trials import TrialBatch, TrialLedger
from openalpha.research.walkforward_folds import Fold
from openalpha.store.atomic import write_bytes
from openalpha.strategy.params import StrategyParams

__all__ = ["FoldOutcome", "WalkForwardResult", "run_walkforward"]

_SHOWN = ("sharpe", "total_return", "max_drawdown")


@dataclass(frozen=True, slots=True, eq=False)
class FoldOutcome:
    """What a fold chose, and what came of it.

    Parameters
    ----------
    fold : Fold
    config : dict
        The best of its training; empty if none had a score: then the test stays in cash.
    trained, tested : dict of str to float
        Metrics of the chosen one in training and in the test.
    train_daily, daily : float64
        Daily returns of the chosen one in training and in the test.
    day : int64
        Days of the test's returns.
    """

    fold: Fold
    config: Config
    trained: dict[str, float]
    tested: dict[str, float]
    train_daily: NDArray[np.float64]
    daily: NDArray[np.float64]
    day: NDArray[np.int64]


def run_walkforward(
    plan: SweepPlan, evaluator: Evaluates, *, folds: Sequence[Fold], ledger: TrialLedger
) -> "WalkForwardResult":
    """Optimise and test fold by fold; every configuration evaluated is counted.

    Parameters
    ----------
    plan : SweepPlan
        Its method is `grid` or `random`: the same configurations are tried in each fold.
    evaluator : Evaluates
    folds : sequence of Fold
    ledger : TrialLedger

    Raises
    ------
    InputError
        If the method learns: then what a fold tries would depend on the fold before.
    """
    if plan.method not in ("grid", "random"):
        raise InputError(f"a walk-forward searches by grid or random, not by {plan.method}")
    subject = evaluator.subject
    configs, params = _built(plan)
    train = [_span(subject, fold.train_start_ms, fold.train_end_ms) for fold in folds]
    trained = evaluator.evaluate(params, train)
    for span, outcomes in zip(train, trained, strict=True):
        _count(plan, ledger, span, params, outcomes)
    found = [
        _test(plan, evaluator, fold, configs, params, outcomes)
        for fold, outcomes in zip(folds, trained, strict=True)
    ]
    return WalkForwardResult(
        record=dict(plan.record),
        objective=plan.objectives[0],
        outcomes=tuple(found),
        configurations=len(configs),
        is_complete=not evaluator.is_stopped,
        family=ledger.count(
            plan.common.strategy, plan.common.instruments, start_ms=subject.start_ms,
            end_ms=subject.end_ms,
        ),
    )  # fmt: skip


@dataclass(frozen=True, eq=False)
class WalkForwardResult:
    """The folds of a walk-forward, and their tests put together.

    Parameters
    ----------
    record : mapping
        What was searched and how.
    objective : Objective
    outcomes : tuple of FoldOutcome
    configurations : int
        Tried in each fold.
    is_complete : bool
    family : int
        Configurations the strategy's family has tried on this data, these included.
    """

    record: dict[str, Any]
    objective: Objective
    outcomes: tuple[FoldOutcome, ...]
    configurations: int
    is_complete: bool
    family: int

    @cached_property
    def stitched(self) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Days and daily returns of the tests, end to end; a day two tests share has both."""
        every = np.concatenate([one.day for one in self.outcomes])
        logs = np.concatenate(
            [np.log1p(np.maximum(one.daily, -1 + 1e-12)) for one in self.outcomes]
        )
        day = np.arange(every.min(), every.max() + 1)
        total = np.bincount(every - day[0], weights=logs, minlength=len(day))
        return day, np.expm1(total)

    @cached_property
    def equity(self) -> NDArray[np.float64]:
        """What one unit of money becomes over the tests, at each day's end."""
        return np.asarray(np.cumprod(1 + self.stitched[1]))

    @cached_property
    def metrics(self) -> dict[str, float]:
        """Figures of the tests put together."""
        returns, equity = self.stitched[1], self.equity
        return {
            "total_return": float(equity[-1] - 1),
            "sharpe": sharpe_ratio(returns),
            "max_drawdown": float(drawdowns(equity, 1.0).max()),
            "mean_daily_return": float(returns.mean()),
            "trained_mean_daily_return": self._trained_mean,
            "efficiency": self.efficiency,
            "folds_with_profit": float(
                np.mean([float(np.prod(1 + one.daily) > 1) for one in self.outcomes])
            ),
        }

    @property
    def _trained_mean(self) -> float:
        return float(np.mean(np.concatenate([one.train_daily for one in self.outcomes])))

    @property
    def efficiency(self) -> float:
        """Mean daily return of the tests over that of the trainings; NaN if training lost."""
        trained = self._trained_mean
        return float(self.stitched[1].mean()) / trained if trained > 0 else math.nan

    @property
    def headline(self) -> str:
        """Return one sentence."""
        made = self.metrics
        return (
            f"{len(self.outcomes)} tests on unseen time, end to end: {made['total_return']:+.1%}, "
            f"Sharpe ratio {made['sharpe']:.2f}"
        )

    @property
    def sentences(self) -> tuple[tuple[str, str], ...]:
        """The verdict: tone and words."""
        made, share = self.metrics, self.metrics["folds_with_profit"]
        if math.isnan(made["efficiency"]):
            first = ("alarm", "Training itself lost money: there was nothing to choose.")
        elif made["total_return"] <= 0:
            first = ("alarm", "What training chose lost money on the time that followed.")
        elif made["efficiency"] < 0.5:
            words = (
                f"Tests kept {made['efficiency']:.0%} of what training promised: less than half."
            )
            first = ("caution", words)
        else:
            words = f"Tests kept {made['efficiency']:.0%} of what training promised."
            first = ("note", words)
        moved = self.drift
        jumps = [name for name, value in moved.items() if value > 0.33]
        second = ("note", "The parameters chosen stay near each other from fold to fold.")
        if jumps:
            words = (
                f"What training chooses jumps about: {', '.join(jumps)}; it may be fitting noise."
            )
            second = ("caution", words)
        return (first, ("note", f"{share:.0%} of the tests made a profit."), second)

    @cached_property
    def drift(self) -> dict[str, float]:
        """Mean change of each number chosen from fold to fold, over the width of its axis."""
        found = {}
        names = [name for one in self.outcomes for name in one.config]
        for name in dict.fromkeys(names):
            values = [one.config[name] for one in self.outcomes if name in one.config]
            spread = self._width(name)
            if spread and len(values) > 1 and all(isinstance(v, int | float) for v in values):
                found[name] = float(np.mean(np.abs(np.diff(values)))) / spread
        return found

    def _width(self, name: str) -> float:
        axis = self.record["space"][name]
        values = axis["values"] if isinstance(axis, dict) else axis
        if not all(isinstance(value, int | float) for value in values):
            return 0.0
        return float(max(values) - min(values))

    @cached_property
    def frame(self) -> pl.DataFrame:
        """One row a fold: its times, what it chose, and its metrics in training and test."""
        rows = []
        for one in self.outcomes:
            fold = one.fold
            rows.append(
                {
                    "fold": fold.number,
                    "train_start": format_ms(fold.train_start_ms),
                    "train_end": format_ms(fold.train_end_ms),
                    "test_start": format_ms(fold.test_start_ms),
                    "test_end": format_ms(fold.test_end_ms),
                    **one.config,
                    **{f"trained_{name}": one.trained.get(name, math.nan) for name in _SHOWN},
                    **{f"tested_{name}": one.tested.get(name, math.nan) for name in _SHOWN},
                }
            )
        return pl.DataFrame(rows, infer_schema_length=None)

    def document(self) -> dict[str, Any]:
        """Return the result as JSON can hold it."""
        day, returns = self.stitched
        return {
            "schema_version": 1, "kind": "walkforward", "is_complete": self.is_complete,
            "sweep": self.record, "objective": self.objective.name,
            "configurations": self.configurations, "family": self.family,
            "headline": self.headline, "metrics": self.metrics, "drift": self.drift,
            "verdict": [words for _, words in self.sentences],
            "folds": self.frame.to_dicts(),
            "first_day": int(day[0]), "daily_returns": returns.tolist(),
        }  # fmt: skip

    def to_json(self) -> str:
        """Return the document as JSON text; NaN is null."""
        return strict_json(self.document())

    def to_html(self, path: Path | str) -> Path:
        """Write the report as one self-contained page.

        Raises
        ------
        StorageError
            If it cannot be written.
        """
        from openalpha.research.walkforward_html import walkforward_html

        write_bytes(Path(path), walkforward_html(self).encode())
        return Path(path)


def _built(plan: SweepPlan) -> tuple[list[Config], list[StrategyParams]]:
    asked = search_of(plan).ask(int(plan.budget))
    configs, params = [], []
    for config in asked:
        try:
            params.append(plan.build(config))
        except InputError:
            continue
        configs.append(config)
    if not configs:
        raise InputError("the strategy refuses every configuration of the grid")
    return configs, params


def _span(subject: Subject, start_ms: int, end_ms: int) -> Span:
    return Span(subject, start_ms=start_ms, end_ms=end_ms)


def _test(
    plan: SweepPlan,
    evaluator: Evaluates,
    fold: Fold,
    configs: Sequence[Config],
    params: Sequence[StrategyParams],
    trained: Outcomes,
) -> FoldOutcome:
    span = _span(evaluator.subject, fold.test_start_ms, fold.test_end_ms)
    score = plan.objectives[0].scores(trained.figures)
    if evaluator.is_stopped or not np.isfinite(score).any():
        nothing = np.zeros(len(span.days))
        return FoldOutcome(fold, {}, {}, {}, np.zeros(1), nothing, span.days.day)
    best = int(np.nanargmax(score))
    (tested,) = evaluator.evaluate([params[best]], [span])
    return FoldOutcome(
        fold,
        configs[best],
        dict(zip(FIGURES, trained.figures[best].tolist(), strict=True)),
        dict(zip(FIGURES, tested.figures[0].tolist(), strict=True)),
        trained.daily[best].astype(np.float64),
        tested.daily[0].astype(np.float64),
        span.days.day,
    )


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

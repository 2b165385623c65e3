"""The result of a sweep: every trial with its figures, and what to think of the best of them."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from openalpha.core.errors import InputError
from openalpha.engine.batch import FIGURES
from openalpha.research.definitions import DEFINITIONS, definition
from openalpha.research.study import Shown
from openalpha.research.study_page import Page
from openalpha.research.sweep_space import Config, Space
from openalpha.research.sweep_store import Batch
from openalpha.research.wording import figure
from openalpha.store.atomic import write_bytes

if TYPE_CHECKING:
    from openalpha.research.sweep_verdict import SweepVerdict

__all__ = ["Objective", "Status", "SweepResult", "Trials", "joined", "objective_of"]

SCHEMA_VERSION = 1

_SMALLER = frozenset((
    "volatility_annual", "max_drawdown", "max_drawdown_days", "recovery_days", "ulcer", "var_95",
    "es_95", "sharpe_error", "longest_loss_streak", "turnover_per_day", "fees", "spread_cost",
    "impact_cost", "liquidation_fees", "total_costs", "cost_share", "cost_bps", "max_exposure",
    "max_hold_hours",
))  # fmt: skip


class Status(IntEnum):
    """What became of a configuration. The numbers are stored: never renumber."""

    COMPLETE = 0
    PRUNED = 1
    REFUSED = 2
    FAILED = 3
    REPEATED = 4


@dataclass(frozen=True, slots=True)
class Objective:
    """A metric to make large, or small."""

    name: str
    sign: int

    def scores(self, figures: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return one number a row of figures, higher is better, NaN where there is none."""
        column: NDArray[np.float64] = figures[:, FIGURES.index(self.name)]
        return self.sign * column


def objective_of(text: str) -> Objective:
    """Return the objective a name means; costs and risks are made small, the rest large.

    A `-` before the name turns it round.

    Raises
    ------
    InputError
        If there is no such metric.

    Examples
    --------
    >>> objective_of("sharpe").sign, objective_of("max_drawdown").sign
    (1, -1)
    """
    name = text.removeprefix("-")
    if name not in FIGURES:
        from difflib import get_close_matches

        near = get_close_matches(name, FIGURES, n=3)
        hint = f"did you mean {', '.join(near)}?" if near else "docs/metrics.md lists them"
        raise InputError(f"there is no metric '{name}' to optimise; {hint}")
    sign = -1 if name in _SMALLER else 1
    return Objective(name, -sign if text.startswith("-") else sign)


@dataclass(frozen=True, slots=True, eq=False)
class Trials:
    """All trials of a sweep in their order; as `sweep_store.Batch`, put together."""

    configs: list[Config]
    status: NDArray[np.int8]
    figures: NDArray[np.float64]
    daily: NDArray[np.float32]
    lengths: NDArray[np.int64]
    rows: NDArray[np.int64]
    faults: dict[int, str]


@dataclass(eq=False)
class SweepResult(Shown):
    """A finished sweep, or the part of it that was done when it was stopped.

    Parameters
    ----------
    record : mapping
        What was swept and how.
    space : Space
    objectives : tuple of Objective
    trials : Trials
    id : str
        Names the sweep's folder.
    is_complete : bool
        False if it was stopped.
    first_day : int
        Days since 1970-01-01 of the first daily return.
    family : int
        Configurations the strategy's family has tried on this data, these included.
    seconds : float
        Time the trials took.
    notes : tuple of str
    """

    record: dict[str, Any]
    space: Space
    objectives: tuple[Objective, ...]
    trials: Trials
    id: str
    is_complete: bool
    first_day: int
    family: int
    seconds: float = 0.0
    notes: tuple[str, ...] = field(default_factory=tuple)

    def __repr__(self) -> str:
        return f"SweepResult({self.record['strategy']}: {self.headline})"

    def __len__(self) -> int:
        return len(self.trials.configs)

    @property
    def is_whole(self) -> NDArray[np.bool_]:
        """Which trials ran to the end, bool[n]."""
        return np.asarray(self.trials.status == Status.COMPLETE)

    @cached_property
    def scores(self) -> NDArray[np.float64]:
        """float64[n, objectives], higher is better; NaN for a trial that has none."""
        columns = [item.scores(self.trials.figures) for item in self.objectives]
        found = np.stack(columns, axis=1)
        found[~self.is_whole] = np.nan
        return found

    @cached_property
    def order(self) -> NDArray[np.intp]:
        """Trials by their first objective, the best first; of equals the earlier."""
        score = self.scores[:, 0]
        known = np.flatnonzero(~np.isnan(score))
        return known[np.argsort(-score[known], kind="stable")]

    @property
    def best_row(self) -> int:
        """Number of the best trial, -1 if none has a score."""
        return int(self.order[0]) if len(self.order) else -1

    @property
    def best(self) -> dict[str, Any]:
        """Parameters and metrics of the best trial by the first objective; empty if none is."""
        return {} if self.best_row < 0 else self.row(self.best_row)

    def row(self, number: int) -> dict[str, Any]:
        """Return one trial: its number, status, parameters and metrics."""
        values = dict(zip(FIGURES, self.trials.figures[number].tolist(), strict=True))
        return {
            "trial": number,
            "status": Status(self.trials.status[number]).name.lower(),
            "params": self.trials.configs[number],
            "metrics": {item.name: values[item.name] for item in DEFINITIONS},
        }

    @cached_property
    def front(self) -> list[int]:
        """Trials no other beats in every objective (with one objective: the best)."""
        scores = self.scores
        known = [int(row) for row in self.order if not np.isnan(scores[row]).any()]
        kept: list[int] = []
        for row in known:
            beaten = (scores[kept] >= scores[row]).all(axis=1) if kept else np.zeros(0)
            if not beaten.any():
                kept.append(row)
        return kept

    @cached_property
    def frame(self) -> pl.DataFrame:
        """One row a trial: `trial`, `status`, the parameters varied, every metric."""
        trials = self.trials
        names = {int(status): status.name.lower() for status in Status}
        columns: dict[str, Any] = {
            "trial": np.arange(len(self)),
            "status": [names[code] for code in trials.status.tolist()],
        }
        for name in self.space.names:
            columns[name] = [config[name] for config in trials.configs]
        for item in DEFINITIONS:
            columns[item.name] = trials.figures[:, FIGURES.index(item.name)]
        return pl.DataFrame(columns, strict=False)

    @cached_property
    def daily(self) -> NDArray[np.float32]:
        """Daily net returns, float32[n, k]: a row a trial, 0 after a pruned one was given up."""
        return self.trials.daily

    @cached_property
    def verdict(self) -> "SweepVerdict":
        """What to think of the best: luck or not, plateau or ridge."""
        from openalpha.research.sweep_verdict import judge_sweep

        return judge_sweep(self)

    @property
    def headline(self) -> str:
        """Return one sentence."""
        counts = self.counts
        tried = counts["complete"] + counts["pruned"]
        if self.best_row < 0:
            return (
                f"{tried:,} configurations, none with a {definition(self.objectives[0].name).label}"
            )
        name, best = self.objectives[0].name, self.best
        reached = figure(name, best["metrics"][name], currency="")
        where = ", ".join(f"{key}={value}" for key, value in best["params"].items())
        return f"Best of {tried:,} configurations: {definition(name).label} {reached} at {where}"

    @cached_property
    def counts(self) -> dict[str, int]:
        """How many trials have each status."""
        return {status.name.lower(): int((self.trials.status == status).sum()) for status in Status}

    def document(self) -> dict[str, Any]:
        """Return the result as JSON can hold it, the ten best trials in full."""
        verdict = self.verdict
        return {
            "schema_version": SCHEMA_VERSION,
            "kind": "sweep",
            "id": self.id,
            "is_complete": self.is_complete,
            "sweep": self.record,
            "counts": self.counts,
            "family": self.family,
            "headline": self.headline,
            "best": self.best or None,
            "top": [self.row(int(number)) for number in self.order[:10]],
            "front": self.front if len(self.objectives) > 1 else [],
            "verdict": verdict.as_record(),
            "notes": list(self.notes),
        }

    def to_csv(self, path: Path | str) -> Path:
        """Write one row a trial.

        Raises
        ------
        StorageError
            If it cannot be written.
        """
        write_bytes(Path(path), self.frame.write_csv().encode())
        return Path(path)

    def to_parquet(self, path: Path | str) -> Path:
        """Write one row a trial, and the daily returns as a list column.

        Raises
        ------
        StorageError
            If it cannot be written.
        """
        import io

        daily = [row[:n] for row, n in zip(self.daily, self.trials.lengths.tolist(), strict=True)]
        frame = self.frame.with_columns(
            pl.Series("daily_returns", daily, dtype=pl.List(pl.Float32))
        )
        held = io.BytesIO()
        frame.write_parquet(held)
        write_bytes(Path(path), held.getvalue())
        return Path(path)

    def page(self) -> Page:
        """Return the page, part by part."""
        from openalpha.research.sweep_html import sweep_page

        return sweep_page(self)


def joined(batches: Sequence[Batch], days: int) -> Trials:
    """Put batches together."""
    configs = [config for batch in batches for config in batch.configs]
    faults, before = {}, 0
    for batch in batches:
        faults.update({before + row: text for row, text in batch.faults.items()})
        before += len(batch.configs)
    if not batches:
        nothing = np.zeros(0, dtype=np.int64)
        return Trials(
            [], np.zeros(0, np.int8), np.zeros((0, len(FIGURES))),
            np.zeros((0, days), np.float32), nothing, nothing, {},
        )  # fmt: skip
    return Trials(
        configs,
        np.concatenate([batch.status for batch in batches]),
        np.concatenate([batch.figures for batch in batches]),
        np.concatenate([batch.daily for batch in batches]),
        np.concatenate([batch.lengths for batch in batches]),
        np.concatenate([batch.rows for batch in batches]),
        faults,
    )

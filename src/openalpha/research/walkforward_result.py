"""The folds of a walk-forward, and their tests put together: figures, verdict and page."""

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from openalpha.core.clock import DAY_MS, format_ms
from openalpha.research.definitions import definition
from openalpha.research.drawdown import drawdowns
from openalpha.research.metrics import sharpe_ratio
from openalpha.research.report.listing import Listing, number_text
from openalpha.research.study import STOPPED, Shown
from openalpha.research.study_page import Chart, Page
from openalpha.research.sweep_result import Objective
from openalpha.research.sweep_space import Config
from openalpha.research.walkforward_folds import Fold
from openalpha.research.wording import day, figure, percent, plural, ratio

__all__ = ["FoldOutcome", "WalkForwardResult"]

_SHOWN = ("sharpe", "total_return", "max_drawdown")
_FEW_DAYS, _TOO_GOOD = 90, 1.5
_FOLDS = {"title": {"text": "fold"}, "dtick": 1}


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


@dataclass(frozen=True, eq=False)
class WalkForwardResult(Shown):
    """The folds of a walk-forward, and their tests put together.

    Parameters
    ----------
    record : mapping
        What was searched and how.
    objective : Objective
    outcomes : tuple of FoldOutcome
    configurations : int
        Tried in each fold, at most.
    is_complete : bool
    family : int
        Configurations the strategy's family has tried on this data, these included.
    purge_bars, embargo_bars : int
        Bars left out between training and test.
    """

    record: dict[str, Any]
    objective: Objective
    outcomes: tuple[FoldOutcome, ...]
    configurations: int
    is_complete: bool
    family: int
    purge_bars: int = 0
    embargo_bars: int = 0

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
            f"{len(self.outcomes)} tests on unseen time, end to end: "
            f"{percent(made['total_return'], signed=True)}, Sharpe ratio {ratio(made['sharpe'])}"
        )

    @property
    def sentences(self) -> tuple[tuple[str, str], ...]:
        """The verdict: tone and words."""
        made, days = self.metrics, len(self.stitched[0])
        kept = percent(made["efficiency"], digits=0)
        if self._trained_mean == 0:
            first = ("alarm", "Training made nothing: there was nothing to choose.")
        elif math.isnan(made["efficiency"]):
            first = ("alarm", "Training itself lost money: there was nothing to choose.")
        elif made["total_return"] <= 0:
            first = ("alarm", "What training chose lost money on the time that followed.")
        elif made["efficiency"] < 0.5:
            words = f"Tests kept {kept} of what training promised: less than half."
            first = ("caution", words)
        elif made["efficiency"] > _TOO_GOOD:
            words = f"Tests made {kept} of what training promised: chance had a part in it."
            first = ("caution", words)
        else:
            first = ("note", f"Tests kept {kept} of what training promised.")
        moved = self.drift
        jumps = [name for name, value in moved.items() if value > 0.33]
        second = ("note", "The parameters chosen stay near each other from fold to fold.")
        wandering = {name: value for name, value in moved.items() if value > 0.15}
        if jumps:
            words = (
                f"What training chooses jumps about: {', '.join(jumps)}; it may be fitting noise."
            )
            second = ("caution", words)
        elif wandering:
            told = ", ".join(f"{n} by {percent(v, digits=0)}" for n, v in wandering.items())
            words = (
                f"What training chooses moves from fold to fold: {told} of its range on average."
            )
            second = ("note", words)
        won = round(made["folds_with_profit"] * len(self.outcomes))
        found = [first, ("note", f"{won} of {plural(len(self.outcomes), 'test')} made a profit.")]
        if days < _FEW_DAYS:
            words = f"The tests cover {plural(days, 'day')}: too few to tell skill from luck."
            found.append(("caution", words))
        found.append(second)
        return (*found,) if self.is_complete else (*found, ("caution", STOPPED))

    @cached_property
    def drift(self) -> dict[str, float]:
        """Mean change of each number chosen from fold to fold, over the width of its axis."""
        found = {}
        names = [name for one in self.outcomes for name in one.config]
        for name in dict.fromkeys(names):
            values = [one.config[name] for one in self.outcomes if name in one.config]
            low, high = self._range(name)
            spread = high - low
            if spread and len(values) > 1 and all(isinstance(v, int | float) for v in values):
                found[name] = float(np.mean(np.abs(np.diff(values)))) / spread
        return found

    def _range(self, name: str) -> tuple[float, float]:
        axis = self.record["space"][name]
        values = axis["values"] if isinstance(axis, dict) else axis
        if not all(isinstance(value, int | float) for value in values):
            return 0.0, 0.0
        return float(min(values)), float(max(values))

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
            "purge_bars": self.purge_bars, "embargo_bars": self.embargo_bars,
            "folds": self.frame.to_dicts(),
            "first_day": int(day[0]), "daily_returns": returns.tolist(),
        }  # fmt: skip

    def page(self) -> Page:
        """Return the page, part by part."""
        record, count = self.record, len(self.outcomes)
        page = Page(
            f"Walk-forward of {record['strategy']}",
            f"Walk-forward · {record['strategy']} · {', '.join(record['instruments'])} · "
            f"{record['method']} · {self.configurations:,} configurations in each of {count} folds",
            self.headline,
            list(record["instruments"]),
            "A configuration is chosen by its training alone; the test that follows is run once, "
            f"on an account of its own. Between them {self.purge_bars + self.embargo_bars:,} bars "
            f"are left out: {self.purge_bars:,} for outcomes that reach ahead, "
            f"{self.embargo_bars:,} for what the strategy remembers. Every configuration of every "
            "fold is counted in the trial ledger.",
        )
        page.verdict(self.sentences)
        page.chart(
            "The tests, end to end",
            self._equity(),
            note="Unseen time only, net of costs; a dotted line starts each test.",
        )
        page.chart(
            "What each fold promised and kept",
            self._promised(),
            note="The configuration that training chose: there, and on the time that followed.",
        )
        if self.drift:
            note = "0 is the lowest value tried, 1 the highest."
            page.chart("What each fold chose", self._chosen(), note=note)
        page.block("Folds", self.listing)
        return page

    @property
    def listing(self) -> Listing:
        """The folds as a table: times, what was chosen, and figures in training and test."""
        names = list(dict.fromkeys(name for one in self.outcomes for name in one.config))
        shown = [f"{definition(name).label}, {when}" for name in _SHOWN
                 for when in ("trained", "tested")]  # fmt: skip
        rows = []
        for one in self.outcomes:
            fold = one.fold
            spans = (
                (fold.train_start_ms, fold.train_end_ms),
                (fold.test_start_ms, fold.test_end_ms),
            )
            found = [figure(name, made.get(name, math.nan), currency="")
                     for name in _SHOWN for made in (one.trained, one.tested)]  # fmt: skip
            rows.append([fold.number, *(f"{day(a)} to {day(z)}" for a, z in spans),
                         *(one.config.get(name, "–") for name in names), *found])  # fmt: skip
        head = ["fold", "training", "test", *names, *shown]
        return Listing(head, rows)

    def _equity(self) -> Chart:
        days, _ = self.stitched
        stamps = [int(one) * DAY_MS for one in days + 1]
        edges = [one.fold.test_start_ms for one in self.outcomes]
        layout = {
            "xaxis": {"type": "date"}, "yaxis": {"ticksuffix": " %"}, "hovermode": "x unified",
            "shapes": [
                {"type": "line", "x0": edge, "x1": edge, "yref": "paper", "y0": 0, "y1": 1,
                 "line": {"color": "@line", "width": 1, "dash": "dot"}}
                for edge in edges
            ],
        }  # fmt: skip
        line = {
            "type": "scatter", "mode": "lines", "x": stamps,
            "y": (100 * (self.equity - 1)).tolist(), "line": {"color": "@gain", "width": 1.6},
            "hovertemplate": "%{y:+.2f} %<extra></extra>",
        }  # fmt: skip
        months = days.astype("datetime64[D]").astype("datetime64[M]")
        last = np.flatnonzero(np.append(months[1:] != months[:-1], True)).tolist()
        behind = Listing(
            ["end of", "change since the first test"],
            [[str(months[row]), percent(float(self.equity[row]) - 1, signed=True)] for row in last],
        )  # fmt: skip
        return Chart(
            "equity", [line], layout, "Equity over the tests; a dotted line starts each",
            behind=behind, heading="Change since the first test, %",
        )  # fmt: skip

    def _promised(self) -> Chart:
        numbers = [one.fold.number for one in self.outcomes]
        means = {
            "training": [1e4 * float(one.train_daily.mean()) for one in self.outcomes],
            "test": [1e4 * float(one.daily.mean()) for one in self.outcomes],
        }
        bars = [
            {
                "type": "bar", "name": name, "x": numbers, "y": means[name],
                "marker": {"color": colour},
                "hovertemplate": f"{name} %{{y:.2f}} bps<extra></extra>",
            }
            for name, colour in (("training", "@soft"), ("test", "@gain"))
        ]  # fmt: skip
        layout = {"barmode": "group", "xaxis": _FOLDS, "showlegend": True,
                  "legend": {"orientation": "h", "y": -0.32}}  # fmt: skip
        behind = Listing(
            ["fold", "training, bps a day", "test, bps a day"],
            [[number, ratio(promised), ratio(kept)] for number, promised, kept in zip(
                numbers, means["training"], means["test"], strict=True)],
        )  # fmt: skip
        return Chart("promised", bars, layout, "Training and test of each fold, side by side",
                     behind=behind, heading="Mean daily return of the chosen, bps")  # fmt: skip

    def _chosen(self) -> Chart:
        traces = []
        dashes = ("solid", "dash", "dot", "dashdot")
        for at, name in enumerate(self.drift):
            low, high = self._range(name)
            known = [one for one in self.outcomes if name in one.config]
            traces.append(
                {
                    "type": "scatter", "mode": "lines+markers", "name": name,
                    "x": [one.fold.number for one in known],
                    "y": [(one.config[name] - low) / (high - low) for one in known],
                    "text": [number_text(one.config[name]) for one in known],
                    "line": {"dash": dashes[at % 4], "shape": "hvh"},
                    "hovertemplate": f"{name} %{{text}}<extra></extra>",
                }
            )  # fmt: skip
        layout = {"xaxis": _FOLDS, "yaxis": {"range": [-0.05, 1.05]},
                  "showlegend": True, "legend": {"orientation": "h", "y": -0.32}}  # fmt: skip
        names = list(self.drift)
        rows = [[one.fold.number, *(one.config.get(name, "–") for name in names)]
                for one in self.outcomes]  # fmt: skip
        return Chart("chosen", traces, layout, "Parameters chosen by each fold",
                     behind=Listing(["fold", *names], rows),
                     heading="Share of the range")  # fmt: skip

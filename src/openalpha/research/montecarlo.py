"""Monte Carlo: how else a run could have gone, by shuffling what happened and by running it again.

Shuffled: its round trips, and its days in blocks. Run again: on bars put together from blocks of
the recorded ones, with parameters a little off, with costs doubled and trebled, with every decision
one to three bars late. Nothing here chooses parameters, so no path counts as a trial of its own.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from openalpha.research.definitions import definition
from openalpha.research.montecarlo_paths import BANDS, Paths, interval
from openalpha.research.report.listing import Listing
from openalpha.research.study import STOPPED, Shown
from openalpha.research.study_page import Chart, Page
from openalpha.research.wording import figure, percent

__all__ = ["MonteCarloResult", "Rerun"]


@dataclass(frozen=True, slots=True)
class Rerun:
    """The run made again with something changed: what, and the metrics that came out."""

    kind: str
    change: str
    metrics: Mapping[str, float]


@dataclass(frozen=True, eq=False)
class MonteCarloResult(Shown):
    """What else could have come of a run.

    Parameters
    ----------
    record : mapping
        What was run.
    base : mapping of str to float
        Metrics of the run itself.
    trades, days : Paths or None
        None where there were too few round trips or days to draw from.
    reruns : tuple of Rerun
    is_complete : bool
        False where it was stopped: then it holds what was done by then.
    """

    record: Mapping[str, Any]
    base: Mapping[str, float]
    trades: Paths | None
    days: Paths | None
    reruns: tuple[Rerun, ...]
    is_complete: bool = True

    def of_kind(self, kind: str) -> tuple[Rerun, ...]:
        """Return the reruns of a kind: `bars`, `parameters`, `costs`, `delay`."""
        return tuple(one for one in self.reruns if one.kind == kind)

    def intervals(self, kind: str) -> dict[str, dict[str, float]]:
        """Return 5 %, median and 95 % of each metric over the reruns of a kind."""
        found = self.of_kind(kind)
        if not found:
            return {}
        names = list(found[0].metrics)
        return {name: interval(np.array([one.metrics[name] for one in found])) for name in names}

    @property
    def headline(self) -> str:
        """Return one sentence."""
        paths = self.days or self.trades
        if self.base["fills"] == 0:
            return "Nothing was ever traded, so there is nothing to shuffle"
        if paths is None:
            return "Too few round trips and days to say how else it could have gone"
        made = paths.summary()
        fall = percent(made["max_drawdown"]["median"], digits=_fine(made))
        return (
            f"{_share(made['probability_of_loss']).capitalize()} of {made['paths']:,} paths lose "
            f"money; half fall {fall} or more below a high"
        )

    @property
    def sentences(self) -> tuple[tuple[str, str], ...]:
        """The verdict: tone and words."""
        found: list[tuple[str, str]] = []
        paths = self.days or self.trades
        if self.base["fills"] == 0:
            return (("caution", "It never traded: no path of it tells anything."),)
        if paths is not None:
            made = paths.summary()
            loss, ruin = made["probability_of_loss"], made["probability_of_ruin"]
            tone = "alarm" if loss > 0.4 else "caution" if loss > 0.1 else "note"
            found.append(
                (tone, f"The account ends below its start in {_share(loss)} of the paths.")
            )
            floor = percent(paths.ruin, digits=0)
            words = f"It falls to {floor} of its start or less in {_share(ruin)} of them."
            found.append(("alarm" if ruin > 0.05 else "note", words))
        for kind, many in (("costs", "costs"), ("delay", "a delay")):
            lost = [one for one in self.of_kind(kind) if one.metrics["total_return"] <= 0]
            if lost and self.base["total_return"] > 0:
                found.append(("caution", f"Its profit is gone with {many} {lost[0].change}."))
        for kind, what in (("parameters", "parameters a little off"), ("bars", "resampled bars")):
            reach = self.intervals(kind).get("total_return")
            if reach and not math.isnan(reach["median"]):
                digits = 1 if max(abs(reach["low"]), abs(reach["high"])) >= 0.01 else 2
                low, middle, high = (
                    percent(reach[at], signed=True, digits=digits)
                    for at in ("low", "median", "high")
                )
                words = (
                    f"With {what} it returns {low} to {high} in nine of ten runs, median {middle}."
                )
                found.append(("note", words))
        if self.trades is not None and len(self.record["instruments"]) > 1:
            words = "Round trips are drawn one by one: of positions that hedge, look at the days."
            found.append(("note", words))
        if not self.is_complete:
            found.append(("caution", STOPPED))
        return tuple(found) or (("caution", self.headline + "."),)

    def document(self) -> dict[str, Any]:
        """Return the result as JSON can hold it."""
        return {
            "schema_version": 1, "kind": "montecarlo", "run": dict(self.record),
            "is_complete": self.is_complete,
            "headline": self.headline, "verdict": [words for _, words in self.sentences],
            "base": dict(self.base),
            "trades": None if self.trades is None else self.trades.summary(),
            "days": None if self.days is None else self.days.summary(),
            "bars": self.intervals("bars"), "parameters": self.intervals("parameters"),
            "costs": [{"change": r.change, **r.metrics} for r in self.of_kind("costs")],
            "delay": [{"change": r.change, **r.metrics} for r in self.of_kind("delay")],
        }  # fmt: skip

    def page(self) -> Page:
        """Return the page, part by part."""
        names = ", ".join(self.record["instruments"])
        page = Page(
            f"Monte Carlo of {self.record['strategy']}",
            f"Monte Carlo · {self.record['strategy']} · {names}",
            self.headline,
            list(self.record["instruments"]),
            "Shuffling keeps what happened and changes its order; it knows no market that was not "
            "recorded. Nothing here was used to choose parameters, so no path counts as a trial.",
        )
        page.verdict(self.sentences)
        for paths, title in (
            (self.days, "Days put together again in blocks"),
            (self.trades, "Round trips drawn again"),
        ):
            if paths is not None:
                note = f"{len(paths.final):,} paths; the middle half is dark, nine of ten light."
                page.chart(title, _fan(paths), note=note, below=_odds(paths))
        for kind in ("bars", "parameters"):
            if reach := self.intervals(kind):
                rows = [[definition(name).label, self._told(name, self.base[name]),
                         *(self._told(name, reach[name][at]) for at in ("low", "median", "high"))]
                        for name in _SHOWN]  # fmt: skip
                count = len(self.of_kind(kind))
                listing = Listing(["figure", "the run", "5 %", "median", "95 %"], rows)
                page.block(_NAMES[kind], listing, note=f"{count:,} runs; the run itself beside.")
        for kind in ("costs", "delay"):
            if found := self.of_kind(kind):
                every = [("as it was", self.base), *((one.change, one.metrics) for one in found)]
                cells = [[what, *(self._told(name, made[name]) for name in _SHOWN)]
                         for what, made in every]  # fmt: skip
                page.block(_NAMES[kind], Listing(["change", *_SHOWN], cells))
        return page

    @property
    def summary(self) -> Listing:
        """What came of every kind in one table: return between 5 and 95 %, fall, loss and ruin."""
        rows: list[list[str]] = []
        for name, part in (("days", self.days), ("round trips", self.trades)):
            if part is not None:
                made = part.summary()
                odds = (made["probability_of_loss"], made["probability_of_ruin"])
                rows.append([
                    name, *map(_change, made["total_return"].values()),
                    percent(made["max_drawdown"]["median"], digits=2), *map(percent, odds),
                ])  # fmt: skip
        for kind, what in (("bars", "resampled bars"), ("parameters", "parameters a little off")):
            if reach := self.intervals(kind):
                deep = percent(reach["max_drawdown"]["median"], digits=2)
                rows.append([what, *map(_change, reach["total_return"].values()), deep, "", ""])
        for one in (*self.of_kind("costs"), *self.of_kind("delay")):
            made_again, fall = one.metrics["total_return"], one.metrics["max_drawdown"]
            rows.append([f"{one.kind} {one.change}", "", _change(made_again), "",
                         percent(fall, digits=2), "", ""])  # fmt: skip
        return Listing(
            ["what", "return, 5 %", "median", "95 %", "deepest fall", "loss", "ruin"], rows
        )

    def _told(self, name: str, value: float) -> str:
        return figure(name, value, currency=str(self.record.get("currency", "")))


_SHOWN = ("total_return", "sharpe", "max_drawdown", "profit_factor", "round_trips")
_NAMES = {
    "bars": "Run again on resampled bars", "parameters": "Run again with parameters a little off",
    "costs": "Run again with higher costs", "delay": "Run again with every decision late",
}  # fmt: skip


def _fan(paths: Paths) -> Chart:
    x = paths.steps.tolist()
    percents = 100 * (paths.bands - 1)
    traces: list[dict[str, Any]] = []
    for low, high, shade in ((0, 4, 0.16), (1, 3, 0.3)):
        traces += [
            {"type": "scatter", "mode": "lines", "x": x, "y": percents[:, low].tolist(),
             "line": {"width": 0}, "hoverinfo": "skip"},
            {"type": "scatter", "mode": "lines", "x": x, "y": percents[:, high].tolist(),
             "line": {"width": 0}, "fill": "tonexty", "fillcolor": f"rgba(110,125,140,{shade})",
             "hoverinfo": "skip"},
        ]  # fmt: skip
    traces.append(
        {"type": "scatter", "mode": "lines", "x": x, "y": percents[:, BANDS.index(0.5)].tolist(),
         "line": {"color": "@gain", "width": 1.6},
         "hovertemplate": "median %{y:+.2f} %<extra></extra>"}
    )  # fmt: skip
    unit = "days" if paths.kind == "days" else "round trips"
    layout = {"xaxis": {"title": {"text": unit}}, "yaxis": {"ticksuffix": " %"}}
    rows = np.unique(np.linspace(0, len(x) - 1, min(len(x), 12)).astype(np.int64)).tolist()
    behind = Listing(
        [unit, *(f"{percent(share, digits=0)} of paths below" for share in BANDS)],
        [[x[row], *(percent(value - 1, signed=True) for value in paths.bands[row].tolist())]
         for row in rows],
    )  # fmt: skip
    return Chart(
        f"fan-{paths.kind}", traces, layout, f"Equity over {unit}, bands of the paths",
        behind=behind, heading="Change of the account, %",
    )  # fmt: skip


def _odds(paths: Paths) -> Listing:
    made = paths.summary()
    rows: list[list[Any]] = [
        ["ends below its start", percent(made["probability_of_loss"])],
        [
            f"falls to {percent(paths.ruin, digits=0)} of its start",
            percent(made["probability_of_ruin"]),
        ],
    ]
    rows += [
        [f"falls more than {depth.replace('%', ' %')} below a high", percent(part)]
        for depth, part in made["drawdown_beyond"].items()
    ]
    return Listing(["a path", "share of paths"], rows)


def _change(value: float) -> str:
    return percent(value, signed=True, digits=2)


def _share(part: float) -> str:
    """Say a share of paths; the smallest as what it is, not as 0 %."""
    if part == 0:
        return "none"
    return "fewer than one in a thousand" if part < 0.001 else percent(part)


def _fine(made: Mapping[str, Any]) -> int:
    """Return how many decimals a fall needs so that it does not read as none."""
    return 0 if made["max_drawdown"]["median"] >= 0.02 else 2

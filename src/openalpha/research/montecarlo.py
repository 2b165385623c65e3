"""Monte Carlo: how else a run could have gone, by shuffling what happened and by running it again.

Shuffled: its round trips, and its days in blocks. Run again: on bars put together from blocks of
the recorded ones, with parameters a little off, with costs doubled and trebled, with every decision
one to three bars late. Nothing here chooses parameters, so no path counts as a trial of its own.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from openalpha.research.montecarlo_paths import Paths, interval
from openalpha.research.strict_json import strict_json
from openalpha.store.atomic import write_bytes

__all__ = ["MonteCarloResult", "Rerun"]


@dataclass(frozen=True, slots=True)
class Rerun:
    """The run made again with something changed: what, and the metrics that came out."""

    kind: str
    change: str
    metrics: Mapping[str, float]


@dataclass(frozen=True, eq=False)
class MonteCarloResult:
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
    """

    record: Mapping[str, Any]
    base: Mapping[str, float]
    trades: Paths | None
    days: Paths | None
    reruns: tuple[Rerun, ...]

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
        if paths is None:
            return "Too few round trips and days to say how else it could have gone"
        made = paths.summary()
        return (
            f"{_share(made['probability_of_loss']).capitalize()} of {made['paths']:,} paths lose "
            f"money; half fall {made['max_drawdown']['median']:.0%} or more below a high"
        )

    @property
    def sentences(self) -> tuple[tuple[str, str], ...]:
        """The verdict: tone and words."""
        found: list[tuple[str, str]] = []
        paths = self.days or self.trades
        if paths is not None:
            made = paths.summary()
            loss, ruin = made["probability_of_loss"], made["probability_of_ruin"]
            tone = "alarm" if loss > 0.4 else "caution" if loss > 0.1 else "note"
            found.append(
                (tone, f"The account ends below its start in {_share(loss)} of the paths.")
            )
            words = f"It falls to {paths.ruin:.0%} of its start or less in {_share(ruin)} of them."
            found.append(("alarm" if ruin > 0.05 else "note", words))
        for kind, many in (("costs", "costs"), ("delay", "delay")):
            lost = [one for one in self.of_kind(kind) if one.metrics["total_return"] <= 0]
            if lost and self.base["total_return"] > 0:
                found.append(("caution", f"Its profit is gone with {many} {lost[0].change}."))
        for kind, what in (("parameters", "parameters a little off"), ("bars", "resampled bars")):
            reach = self.intervals(kind).get("total_return")
            if reach and not math.isnan(reach["median"]):
                words = (
                    f"With {what} it returns {reach['low']:+.1%} to "
                    f"{reach['high']:+.1%} in nine of ten runs, median {reach['median']:+.1%}."
                )
                found.append(("note", words))
        return tuple(found) or (("caution", self.headline + "."),)

    def document(self) -> dict[str, Any]:
        """Return the result as JSON can hold it."""
        return {
            "schema_version": 1, "kind": "montecarlo", "run": dict(self.record),
            "headline": self.headline, "verdict": [words for _, words in self.sentences],
            "base": dict(self.base),
            "trades": None if self.trades is None else self.trades.summary(),
            "days": None if self.days is None else self.days.summary(),
            "bars": self.intervals("bars"), "parameters": self.intervals("parameters"),
            "costs": [{"change": r.change, **r.metrics} for r in self.of_kind("costs")],
            "delay": [{"change": r.change, **r.metrics} for r in self.of_kind("delay")],
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
        from openalpha.research.montecarlo_html import montecarlo_html

        write_bytes(Path(path), montecarlo_html(self).encode())
        return Path(path)


def _share(part: float) -> str:
    """Say a share of paths; the smallest as what it is, not as 0 %."""
    if part == 0:
        return "none"
    return "fewer than one in a thousand" if part < 0.001 else f"{part:.1%}"

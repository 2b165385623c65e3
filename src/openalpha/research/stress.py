"""Stress: what came of a run in the crises its data holds, and under shocks where it holds most."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from openalpha.research.report.listing import Listing
from openalpha.research.stress_shocks import CRISES, Crisis, Passage
from openalpha.research.study import STOPPED, Shown
from openalpha.research.study_page import Chart, Page
from openalpha.research.wording import percent

__all__ = ["StressResult"]


@dataclass(frozen=True, eq=False)
class StressResult(Shown):
    """How a run comes through crises and shocks.

    Parameters
    ----------
    record : mapping
        What was run.
    base : mapping of str to float
        Metrics of the run itself.
    distance : float
        Its own nearest distance to liquidation.
    crises, shocks : tuple of Passage
    notes : tuple of str
    is_complete : bool
        False where it was stopped: then it holds what was done by then.
    """

    record: Mapping[str, Any]
    base: Mapping[str, float]
    distance: float
    crises: tuple[Passage, ...]
    shocks: tuple[Passage, ...]
    notes: tuple[str, ...] = ()
    is_complete: bool = True

    @property
    def headline(self) -> str:
        """Return one sentence."""
        if not self.shocks:
            if not self.is_complete:
                return "Stopped before the first shock was done"
            return "Nothing was ever held, so there is nothing to stress"
        worst = min(self.shocks, key=lambda one: one.total_return)
        left, own = worst.total_return, self.base["total_return"]
        if left >= own:
            return f"No shock leaves less than the {percent(own, signed=True)} of the run itself"
        # As many digits as it takes to tell the two apart.
        digits = next(
            (n for n in (1, 2, 3) if percent(left, digits=n) != percent(own, digits=n)), 4
        )
        told, meant = (percent(value, signed=True, digits=digits) for value in (left, own))
        return f"The worst shock, {worst.name}, leaves {told} instead of {meant}"

    @property
    def sentences(self) -> tuple[tuple[str, str], ...]:
        """The verdict: tone and words."""
        ended = [one.name for one in self.shocks if one.is_liquidated]
        found: list[tuple[str, str]] = []
        if ended:
            found.append(("alarm", f"It is liquidated by: {', '.join(ended)}."))
        elif self.shocks:
            found.append(("note", "No shock liquidates it."))
        if self.shocks and math.isinf(self.distance):
            found.append(("note", "It never held anything that could be liquidated."))
        if 1 <= self.distance < math.inf:
            words = "Even at its most exposed no move short of 100 % against it would liquidate it."
            found.append(("note", words))
        elif math.isfinite(self.distance):
            tone = "alarm" if self.distance < 0.1 else "caution" if self.distance < 0.3 else "note"
            size = percent(self.distance, digits=0)
            words = f"At its most exposed a move of {size} against it begins its liquidation."
            found.append((tone, words))
        if not self.shocks and self.is_complete:
            return (("caution", "It never held anything: no crisis or shock could touch it."),)
        if not self.crises:
            found.append(("caution", "The data holds none of the crises of the catalogue."))
        else:
            worst = min(self.crises, key=lambda one: one.total_return)
            made = percent(worst.total_return, signed=True)
            found.append(("note", f"Its worst crisis was {worst.name}: {made}."))
        if not self.is_complete:
            found.append(("caution", STOPPED))
        return tuple(found)

    def document(self) -> dict[str, Any]:
        """Return the result as JSON can hold it; an infinite distance is null."""
        return {
            "schema_version": 1, "kind": "stress", "run": dict(self.record),
            "is_complete": self.is_complete,
            "headline": self.headline, "verdict": [words for _, words in self.sentences],
            "base": dict(self.base), "distance": self.distance,
            "crises": [_as_dict(one) for one in self.crises],
            "shocks": [_as_dict(one) for one in self.shocks],
            "absent": [one.name for one in self.absent], "notes": list(self.notes),
        }  # fmt: skip

    def page(self) -> Page:
        """Return the page, part by part."""
        names = ", ".join(self.record["instruments"])
        page = Page(
            f"Stress of {self.record['strategy']}",
            f"Stress · {self.record['strategy']} · {names}",
            self.headline,
            list(self.record["instruments"]),
            "Distance: the smallest move against everything held at once that would have begun a "
            "liquidation, by the maintenance rates of every tier. A shock that never happened "
            "tells how the strategy is built, not what will come.",
        )
        page.verdict(self.sentences)
        if self.shocks:
            note = "Struck where the run held most, against what it held."
            page.chart("What each shock leaves", self._bars(), note=note)
        if self.crises:
            note = "Days of the catalogue that the data of every instrument holds whole."
            page.block("Crises in the data", self.passed, note=note)
        if absent := self.absent:
            rows = [[one.name, f"{one.start} to {one.end}"] for one in absent]
            note = "Days that the data does not hold whole: how it would fare there is not known."
            page.block("Crises not in the data", Listing(["what", "when, UTC"], rows), note=note)
        return page

    @property
    def absent(self) -> tuple[Crisis, ...]:
        """Crises of the catalogue that the data does not hold whole."""
        held = {one.name for one in self.crises}
        return tuple(one for one in CRISES if one.name not in held)

    @property
    def passed(self) -> Listing:
        """The crises as a table."""
        return _listing(self.crises, is_shock=False)

    @property
    def struck(self) -> Listing:
        """The shocks as a table."""
        return _listing(self.shocks, is_shock=True)

    def _bars(self) -> Chart:
        names = ["the run itself", *(one.name for one in self.shocks)]
        values = [self.base["total_return"], *(one.total_return for one in self.shocks)]
        bar = {
            "type": "bar", "orientation": "h", "y": names[::-1],
            "x": [100 * v for v in values[::-1]],
            "marker": {"color": ["@gain" if value > 0 else "@loss" for value in values[::-1]]},
            "hovertemplate": "%{x:+.2f} %<extra></extra>",
        }  # fmt: skip
        layout = {"xaxis": {"ticksuffix": " %"}, "yaxis": {"automargin": True}}
        return Chart(
            "shocks", [bar], layout, "Total return under each shock",
            behind=self.struck, heading="Total return of the run, %",
        )  # fmt: skip


def _listing(passages: Sequence[Passage], *, is_shock: bool) -> Listing:
    header = ["what", "when, UTC", "return", "deepest fall", "distance to liquidation",
              "liquidated"]  # fmt: skip
    rows: list[list[str]] = []
    for one in passages:
        when = one.when.removesuffix(":00Z").replace("T", " ")
        row = [one.name, when, percent(one.total_return, signed=True, digits=2),
               percent(one.max_drawdown, digits=2)]  # fmt: skip
        row.append("not possible" if math.isinf(one.distance) else percent(one.distance, digits=0))
        row.append("yes" if one.is_liquidated else "no")
        rows.append([*row, percent(one.change, signed=True, digits=2)] if is_shock else row)
    return Listing([*header, "against the run"] if is_shock else header, rows)


def _as_dict(one: Passage) -> dict[str, Any]:
    return {name: getattr(one, name) for name in Passage.__slots__}

"""The page of a stress study: crises, shocks, and how near liquidation came in each."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from openalpha.research.report.page import synthetic_banner
from openalpha.research.study_page import Chart, Page, table

if TYPE_CHECKING:
    from openalpha.research.stress import Passage, StressResult

__all__ = ["stress_html"]


def stress_html(result: "StressResult") -> str:
    """Return the report as one self-contained HTML document: no request leaves the page."""
    record = result.record
    names = ", ".join(record["instruments"])
    page = Page(
        f"Stress of {record['strategy']}", f"Stress · {record['strategy']} · {names}",
        result.headline,
    )  # fmt: skip
    if banner := synthetic_banner(list(record["instruments"])):
        page.parts.append(banner)
    page.verdict(result.sentences)
    if result.shocks:
        page.chart("What each shock leaves", _bars(result), note="Total return of the run, %.")
        note = "Struck where the run held most, against what it held."
        page.block("Shocks", _rows(result.shocks, is_shock=True), note=note)
    if result.crises:
        page.block("Crises in the data", _rows(result.crises, is_shock=False))
    return page.html(
        "Distance: the smallest move against everything held at once that would have begun a "
        "liquidation, by the first tier's maintenance rate. A shock that never happened tells how "
        "the strategy is built, not what will come."
    )


def _bars(result: "StressResult") -> Chart:
    names = ["the run itself", *(one.name for one in result.shocks)]
    values = [result.base["total_return"], *(one.total_return for one in result.shocks)]
    bar = {
        "type": "bar", "orientation": "h", "y": names[::-1], "x": [100 * v for v in values[::-1]],
        "marker": {"color": ["@gain" if value > 0 else "@loss" for value in values[::-1]]},
        "hovertemplate": "%{x:+.2f} %<extra></extra>",
    }  # fmt: skip
    layout = {"xaxis": {"ticksuffix": " %"}, "yaxis": {"automargin": True}}
    return Chart("shocks", [bar], layout, "Total return under each shock")


def _rows(passages: "Sequence[Passage]", *, is_shock: bool) -> str:
    header = ["what", "when", "return", "deepest fall", "distance to liquidation", "liquidated"]
    rows: list[list[Any]] = []
    for one in passages:
        row = [one.name, one.when, f"{one.total_return:+.2%}", f"{one.max_drawdown:.2%}"]
        row.append("none" if math.isinf(one.distance) else f"{one.distance:.1%}")
        row.append("yes" if one.is_liquidated else "no")
        rows.append([*row, f"{one.change:+.2%}"] if is_shock else row)
    return table([*header, "change"] if is_shock else header, rows)

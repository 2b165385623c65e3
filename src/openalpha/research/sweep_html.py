"""The page of a sweep: verdict, heat map, parallel coordinates, the best and its neighbours."""

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from openalpha.engine.batch import FIGURES
from openalpha.research.definitions import Unit, definition
from openalpha.research.report.listing import Listing
from openalpha.research.study_page import Chart, Page
from openalpha.research.sweep_space import Axis

if TYPE_CHECKING:
    from openalpha.research.sweep_result import SweepResult

__all__ = ["rows_table", "sweep_page", "toned"]

_LINES = 1_000
_SHOWN = ("sharpe", "total_return", "max_drawdown", "round_trips", "cost_share")
_TOP = 20


def sweep_page(result: "SweepResult") -> Page:
    """Return the page, part by part."""
    record, counts = result.record, result.counts
    tried = counts["complete"] + counts["pruned"]
    page = Page(
        f"Sweep of {record['strategy']}",
        f"Sweep · {record['strategy']} · {', '.join(record['instruments'])} · {record['method']} · "
        f"{tried:,} tried",
        result.headline,
        list(record["instruments"]),
        "Every configuration that was run is counted in the trial ledger, given up or not. Figures "
        "are net of costs. The best of many is chosen by luck as well as by merit: test it on days "
        "the sweep has not seen.",
    )
    page.verdict(toned(result))
    if (heat := _heat_map(result)) is not None:
        page.chart("By two parameters", heat, note=_heat_note(result))
    if len(result.order) > 1:
        note = (
            f"{min(len(result.order), _LINES):,} trials, a line each; drag along an axis to pick."
        )
        page.chart("Every parameter beside the outcome", _parallel(result), note=note)
    page.block("The best", rows_table(result, [int(row) for row in result.order[:_TOP]]))
    if near := result.verdict.neighbours:
        note = "One step away from the best on one parameter."
        page.block("Neighbours of the best", rows_table(result, list(near)), note=note)
    if len(result.objectives) > 1:
        note = "No other trial is better in every objective."
        page.block("The front", rows_table(result, result.front), note=note)
    page.block("What became of them", _counts(result))
    return page


def toned(result: "SweepResult") -> list[tuple[str, str]]:
    """Return the verdict: tone and words."""
    verdict = result.verdict
    first = {"likely": "alarm", "unlikely": "note"}.get(verdict.luck, "caution")
    tones = [first, "note", {"ridge": "caution"}.get(verdict.shape, "note")]
    found = list(zip(tones, verdict.sentences, strict=False))
    if not result.is_complete:
        found.append(("caution", "The sweep was stopped: this is what was done until then."))
    return found


def _ordered(result: "SweepResult") -> list[Axis]:
    return [axis for axis in result.space.axes if axis.is_ordered]


def _heat_note(result: "SweepResult") -> str:
    others = len(result.space.axes) - 2
    best = "; the best over the other parameters" if others > 0 else ""
    words = definition(result.objectives[0].name).label
    return f"{words}{best}; ringed is the best. Blank: not tried, refused or given up."


def _heat_map(result: "SweepResult") -> Chart | None:
    axes = _ordered(result)[:2]
    if len(axes) < 2 or result.best_row < 0:
        return None
    across, up = axes
    grid = np.full((len(up.values), len(across.values)), np.nan)
    score, shown = result.scores[:, 0], _column(result)
    for row in result.order[::-1].tolist():  # the best last: it is what stays
        config = result.trials.configs[row]
        place = (up.values.index(config[up.name]), across.values.index(config[across.name]))
        if not math.isnan(score[row]):
            grid[place] = shown[row]
    best = result.trials.configs[result.best_row]
    sign = result.objectives[0].sign
    scale = [[0, "@loss"], [0.5, "@card"], [1, "@gain"]]
    if sign < 0:
        scale = [[0, "@gain"], [0.5, "@card"], [1, "@loss"]]
    name = result.objectives[0].name
    factor, words = _unit(name)
    grid *= factor
    # Of gains and losses white is the border; of what has one sign only, the middle.
    zero = {"zmid": 0} if np.nanmin(grid) < 0 else {}
    traces: list[dict[str, Any]] = [
        {
            "type": "heatmap", "x": list(across.values), "y": list(up.values), "z": _plain(grid),
            "colorscale": scale, "hoverongaps": False, **zero,
            "colorbar": {"thickness": 10, "outlinewidth": 0,
                         "title": {"text": words, "side": "right",
                                   "font": {"size": 12.5, "color": "@soft"}},
                         "tickfont": {"size": 12, "color": "@muted"}},
            "hovertemplate": f"{across.name} %{{x}}, {up.name} %{{y}}: %{{z:.4g}}<extra></extra>",
        },
        {
            "type": "scatter", "x": [best[across.name]], "y": [best[up.name]], "mode": "markers",
            "marker": {"symbol": "circle-open", "size": 15, "color": "@ink", "line": {"width": 2}},
            "hovertemplate": "the best<extra></extra>",
        },
    ]  # fmt: skip
    layout = {"xaxis": {"title": {"text": across.name}}, "yaxis": {"title": {"text": up.name}}}
    label = f"{definition(name).label} by {across.name} and {up.name}; the best is ringed"
    return Chart("heat", traces, layout, label, is_tall=True)


def _parallel(result: "SweepResult") -> Chart:
    rows = result.order
    if len(rows) > _LINES:  # the best and a spread of the rest
        rest = np.linspace(_LINES // 2, len(rows) - 1, _LINES // 2).astype(int)
        rows = np.concatenate([rows[: _LINES // 2], rows[rest]])
    shown = _column(result)[rows].tolist()
    dimensions: list[dict[str, Any]] = []
    for axis in result.space.axes:
        values = [result.trials.configs[row][axis.name] for row in rows.tolist()]
        if axis.is_ordered or axis.is_range:
            dimensions.append({"label": axis.name, "values": values})
        else:
            names = [str(value) for value in axis.values]
            places = [names.index(str(value)) for value in values]
            ticks = {"tickvals": list(range(len(names))), "ticktext": names}
            dimensions.append({"label": axis.name, "values": places, **ticks})
    for name in dict.fromkeys([result.objectives[0].name, "total_return", "max_drawdown"]):
        factor, words = _unit(name)
        column = factor * result.trials.figures[rows, FIGURES.index(name)]
        values = _plain(np.nan_to_num(column))
        dimensions.append({"label": words, "values": values, "tickformat": ".3~g"})
    first, last = ("@loss", "@gain") if result.objectives[0].sign > 0 else ("@gain", "@loss")
    trace = {
        "type": "parcoords", "dimensions": dimensions,
        "line": {"color": shown, "colorscale": [[0, first], [0.5, "@flat"], [1, last]]},
        "labelfont": {"color": "@ink"}, "tickfont": {"color": "@muted"},
        "rangefont": {"color": "@muted"},
    }  # fmt: skip
    layout = {"margin": {"l": 60, "r": 60, "t": 40, "b": 20}}
    return Chart("parallel", [trace], layout, "Parameters and outcomes of the trials")


def _unit(name: str) -> tuple[float, str]:
    """Return what a metric is multiplied by to be drawn, and how an axis is called."""
    item = definition(name)
    is_share = item.unit is Unit.FRACTION
    return (100.0, f"{item.label}, %") if is_share else (1.0, item.label)


def _column(result: "SweepResult") -> Any:
    return result.trials.figures[:, FIGURES.index(result.objectives[0].name)]


def _plain(values: Any) -> Any:
    """Return numbers as JSON has them, NaN as null."""
    if getattr(values, "ndim", 0) == 2:
        return [_plain(row) for row in values]
    return [float(value) if math.isfinite(value) else None for value in values]


def rows_table(result: "SweepResult", rows: list[int]) -> Listing:
    """Return some trials as a table: number, parameters, figures."""
    names = list(dict.fromkeys([*(item.name for item in result.objectives), *_SHOWN]))
    header = ["trial", *result.space.names, *names]
    places = [FIGURES.index(name) for name in names]
    cells = [
        [
            str(row),
            *(result.trials.configs[row][name] for name in result.space.names),
            *result.trials.figures[row, places].tolist(),
        ]
        for row in rows
    ]
    return Listing(header, cells)


def _counts(result: "SweepResult") -> Listing:
    words = {
        "complete": "run to the end",
        "pruned": "given up early, kept with the returns so far",
        "refused": "refused by the strategy: nothing was run, no trial",
        "failed": "failed in the strategy's own code",
        "repeated": "suggested again: not run again, no further trial",
    }
    rows = [[words[name], count] for name, count in result.counts.items() if count]
    rows.append(["configurations the strategy's family has tried here", result.family])
    return Listing(["what", "configurations"], rows)

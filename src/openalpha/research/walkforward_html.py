"""The page of a walk-forward: the tests end to end, what each fold chose, how it drifted."""

from typing import TYPE_CHECKING

from openalpha.core.clock import DAY_MS
from openalpha.research.report.page import synthetic_banner
from openalpha.research.study_page import Chart, Page, table

if TYPE_CHECKING:
    from openalpha.research.walkforward import WalkForwardResult

__all__ = ["walkforward_html"]


def walkforward_html(result: "WalkForwardResult") -> str:
    """Return the report as one self-contained HTML document: no request leaves the page."""
    record = result.record
    names = ", ".join(record["instruments"])
    page = Page(
        f"Walk-forward of {record['strategy']}",
        f"Walk-forward · {record['strategy']} · {names} · {result.configurations:,} configurations "
        f"in each of {len(result.outcomes)} folds",
        result.headline,
    )
    if banner := synthetic_banner(list(record["instruments"])):
        page.parts.append(banner)
    page.verdict(result.sentences)
    page.chart("The tests, end to end", _equity(result), note="Unseen time only, net of costs.")
    page.chart(
        "What each fold promised and kept", _promised(result),
        note="Mean daily return of the chosen configuration, bps.",
    )  # fmt: skip
    if result.drift:
        page.chart("What each fold chose", _chosen(result), note="Share of each parameter's range.")
    rows = result.frame
    page.block("Folds", table(rows.columns, rows.rows()))
    return page.html(
        "A configuration is chosen by its training alone; the test that follows is run once, on an "
        "account of its own. Every configuration of every fold is counted in the trial ledger."
    )


def _equity(result: "WalkForwardResult") -> Chart:
    day, _ = result.stitched
    stamps = [int(one) * DAY_MS for one in day + 1]
    edges = [one.fold.test_start_ms for one in result.outcomes]
    layout = {
        "xaxis": {"type": "date"}, "yaxis": {"ticksuffix": " %"}, "hovermode": "x unified",
        "shapes": [
            {"type": "line", "x0": edge, "x1": edge, "yref": "paper", "y0": 0, "y1": 1,
             "line": {"color": "@line", "width": 1, "dash": "dot"}}
            for edge in edges
        ],
    }  # fmt: skip
    line = {
        "type": "scatter", "mode": "lines", "x": stamps, "y": (100 * (result.equity - 1)).tolist(),
        "line": {"color": "@gain", "width": 1.6}, "hovertemplate": "%{y:+.2f} %<extra></extra>",
    }  # fmt: skip
    return Chart("equity", [line], layout, "Equity over the tests; a dotted line starts each")


def _promised(result: "WalkForwardResult") -> Chart:
    numbers = [one.fold.number for one in result.outcomes]
    bars = [
        {
            "type": "bar", "name": name, "x": numbers, "y": values,
            "marker": {"color": colour}, "hovertemplate": f"{name} %{{y:.2f}} bps<extra></extra>",
        }
        for name, colour, values in (
            ("training", "@soft", [1e4 * float(o.train_daily.mean()) for o in result.outcomes]),
            ("test", "@gain", [1e4 * float(o.daily.mean()) for o in result.outcomes]),
        )
    ]  # fmt: skip
    layout = {"barmode": "group", "xaxis": {"title": {"text": "fold"}}, "showlegend": True}
    return Chart("promised", bars, layout, "Training and test of each fold, side by side")


def _chosen(result: "WalkForwardResult") -> Chart:
    traces = []
    dashes = ("solid", "dash", "dot", "dashdot")
    for at, name in enumerate(result.drift):
        axis = result.record["space"][name]
        values = axis["values"] if isinstance(axis, dict) else axis
        low, width = min(values), max(values) - min(values)
        known = [one for one in result.outcomes if name in one.config]
        traces.append(
            {
                "type": "scatter", "mode": "lines+markers", "name": name,
                "x": [one.fold.number for one in known],
                "y": [(one.config[name] - low) / width for one in known],
                "text": [str(one.config[name]) for one in known],
                "line": {"dash": dashes[at % 4], "shape": "hv"},
                "hovertemplate": f"{name} %{{text}}<extra></extra>",
            }
        )  # fmt: skip
    layout = {"xaxis": {"title": {"text": "fold"}}, "yaxis": {"range": [-0.05, 1.05]},
              "showlegend": True}  # fmt: skip
    return Chart("chosen", traces, layout, "Parameters chosen by each fold")

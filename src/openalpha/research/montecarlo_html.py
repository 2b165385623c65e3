"""The page of a Monte Carlo study: fan charts, probabilities, and the runs made again."""

from typing import TYPE_CHECKING, Any

from openalpha.research.montecarlo_paths import BANDS
from openalpha.research.report.page import synthetic_banner
from openalpha.research.study_page import Chart, Page, table

if TYPE_CHECKING:
    from openalpha.research.montecarlo import MonteCarloResult
    from openalpha.research.montecarlo_paths import Paths

__all__ = ["montecarlo_html"]

_SHOWN = ("total_return", "sharpe", "max_drawdown", "profit_factor", "round_trips")
_NAMES = {
    "bars": "Run again on resampled bars", "parameters": "Run again with parameters a little off",
    "costs": "Run again with higher costs", "delay": "Run again with every decision late",
}  # fmt: skip


def montecarlo_html(result: "MonteCarloResult") -> str:
    """Return the report as one self-contained HTML document: no request leaves the page."""
    record = result.record
    names = ", ".join(record["instruments"])
    page = Page(
        f"Monte Carlo of {record['strategy']}", f"Monte Carlo · {record['strategy']} · {names}",
        result.headline,
    )  # fmt: skip
    if banner := synthetic_banner(list(record["instruments"])):
        page.parts.append(banner)
    page.verdict(result.sentences)
    for paths, title in (
        (result.days, "Days put together again in blocks"),
        (result.trades, "Round trips drawn again"),
    ):
        if paths is not None:
            note = f"{len(paths.final):,} paths; the middle half is dark, nine of ten are light."
            page.chart(title, _fan(paths), note=note, below=_odds(paths))
    for kind in ("bars", "parameters"):
        if reach := result.intervals(kind):
            rows = [[n, result.base[n], *(reach[n][k] for k in ("low", "median", "high"))]
                    for n in _SHOWN]  # fmt: skip
            count = len(result.of_kind(kind))
            header = ["figure", "the run", "5 %", "median", "95 %"]
            page.block(_NAMES[kind], table(header, rows), note=f"{count:,} runs.")
    for kind in ("costs", "delay"):
        if found := result.of_kind(kind):
            rows = [["as it was", *(result.base[name] for name in _SHOWN)]]
            rows += [[one.change, *(one.metrics[name] for name in _SHOWN)] for one in found]
            page.block(_NAMES[kind], table(["change", *_SHOWN], rows))
    return page.html(
        "Shuffling keeps what happened and changes its order; it knows no market that was not "
        "recorded. Nothing here was used to choose parameters, so no path counts as a trial."
    )


def _fan(paths: "Paths") -> Chart:
    x = paths.steps.tolist()
    percent = 100 * (paths.bands - 1)
    traces: list[dict[str, Any]] = []
    for low, high, shade in ((0, 4, 0.16), (1, 3, 0.3)):
        traces += [
            {"type": "scatter", "mode": "lines", "x": x, "y": percent[:, low].tolist(),
             "line": {"width": 0}, "hoverinfo": "skip"},
            {"type": "scatter", "mode": "lines", "x": x, "y": percent[:, high].tolist(),
             "line": {"width": 0}, "fill": "tonexty", "fillcolor": f"rgba(110,125,140,{shade})",
             "hoverinfo": "skip"},
        ]  # fmt: skip
    traces.append(
        {"type": "scatter", "mode": "lines", "x": x, "y": percent[:, BANDS.index(0.5)].tolist(),
         "line": {"color": "@gain", "width": 1.6},
         "hovertemplate": "median %{y:+.2f} %<extra></extra>"}
    )  # fmt: skip
    unit = "days" if paths.kind == "days" else "round trips"
    layout = {"xaxis": {"title": {"text": unit}}, "yaxis": {"ticksuffix": " %"}}
    return Chart(f"fan-{paths.kind}", traces, layout, f"Equity over {unit}, bands of the paths")


def _odds(paths: "Paths") -> str:
    made = paths.summary()
    rows: list[list[Any]] = [
        ["ends below its start", f"{made['probability_of_loss']:.1%}"],
        [f"falls to {paths.ruin:.0%} of its start", f"{made['probability_of_ruin']:.1%}"],
    ]
    rows += [
        [f"falls more than {depth} below a high", f"{share:.1%}"]
        for depth, share in made["drawdown_beyond"].items()
    ]
    return table(["the account …", "share of paths"], rows)

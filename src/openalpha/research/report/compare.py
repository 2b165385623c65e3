"""Several runs side by side: a table with costs and verdicts, and their equity in one chart."""

import math
from collections.abc import Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING

import numpy as np

from openalpha.core.clock import DAY_MS, format_ms, timeframe_name
from openalpha.core.errors import InputError
from openalpha.research.compared import Compared, cautions, compared, labels, unlike
from openalpha.research.definitions import DEFINITIONS, Definition
from openalpha.research.drawdown import drawdowns
from openalpha.research.report import charts
from openalpha.research.report.behind import folded
from openalpha.research.report.listing import Listing
from openalpha.research.report.page import page, section, synthetic_banner
from openalpha.research.report.sections import sign_class, table
from openalpha.research.settings import ReportSettings
from openalpha.research.wording import count, figure, money, percent, plural, ratio

if TYPE_CHECKING:
    from rich.console import Console

    from openalpha.research.judged import JudgedRun

__all__ = ["compare_html", "print_comparison"]


Several = Sequence["JudgedRun | Compared"]


def compare_html(
    results: Several,
    *,
    links: Mapping[str, str] | None = None,
    title: str = "Strategies side by side",
    settings: ReportSettings | None = None,
) -> str:
    """Return one self-contained page for several runs.

    Parameters
    ----------
    results : sequence of JudgedRun or Compared
        At least one; shown in this order.
    links : mapping of strategy name to address, optional
        Where the report of a run lies, relative to the page.
    title : str
    settings : ReportSettings, optional

    Raises
    ------
    InputError
        If there is nothing to compare.
    """
    runs = _runs(results)
    names = sorted({name for run in runs for name in run.instruments})
    known = labels(runs)
    lines = charts.overlay_chart(runs, known, settings=settings or ReportSettings())
    rows = [_row(run, name, links or {}) for run, name in zip(runs, known, strict=True)]
    body = "".join(
        (
            synthetic_banner(names),
            f'<header class="head"><p class="kicker">{_kicker(runs, names)}</p>'
            f"<h1>{escape(_headline(runs, known))}</h1></header>",
            _cautions(runs),
            section(
                title,
                table(_head(runs[0].currency), rows),
                classes="compare",
                note="After fees, spread, impact and funding, as each run's settings state.",
            ),
            _chart("overlay", "Equity", "Equity of all runs, percent of capital",
                   "Change against the capital at bar closes; touch a name to hide or show it.",
                   _by_month(runs, known, is_fall=False)),
            _chart("falls", "Drawdown", "Drawdown of all runs",
                   "How far below the highest equity so far, at bar closes.",
                   _by_month(runs, known, is_fall=True)),
            section("What speaks against them", _verdicts(runs, known)),
            _made_from(runs, known),
            section("All figures side by side", _figures(runs, known),
                    note="Point at a line for its definition."),
        )
    )  # fmt: skip
    footer = (
        "<p>Times are UTC. A backtest is what would have happened under the stated assumptions, "
        "not a promise. Buy and hold is before costs.</p>"
    )
    data = {"overlay": lines["growth"], "falls": lines["falls"]}
    return page(title=title, body=body, data=data, footer=footer)


def print_comparison(results: Several, console: "Console | None" = None) -> None:
    """Print the table of several runs, 80 columns wide."""
    from rich.console import Console
    from rich.markup import escape as plain
    from rich.table import Table

    console = console or Console()
    shown = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("strategy", "return", "Sharpe", "drawdown", "trips", "costs", "verdict"):
        is_text = name in ("strategy", "verdict")
        shown.add_column(name, justify="left" if is_text else "right", no_wrap=not is_text)
    runs = _runs(results)
    for run, name in zip(runs, labels(runs), strict=True):
        m = run.metrics
        colour = "blue" if m["net_profit"] > 0 else "red" if m["net_profit"] < 0 else "dim"
        shown.add_row(
            plain(name),
            f"[{colour}]{percent(m['total_return'], signed=True)}[/]",
            ratio(m["sharpe"]),
            percent(m["max_drawdown"]),
            count(m["round_trips"]),
            money(m["total_costs"]),
            run.verdict.label,
        )
    console.print(shown)
    console.print(f"[dim]Costs in {runs[0].currency}; returns after all costs.[/]")


def _runs(results: Several) -> list[Compared]:
    if not results:
        raise InputError("there is no result to compare; run a backtest first")
    return [item if isinstance(item, Compared) else compared(item) for item in results]


def _chart(name: str, title: str, label: str, note: str, behind: Listing) -> str:
    place = f'<div id="{name}" class="chart tall" role="img" aria-label="{label}"></div>'
    return section(title, place + folded(behind.html()), note=note)


def _by_month(runs: Sequence[Compared], known: Sequence[str], *, is_fall: bool) -> Listing:
    """Return, by month, each run's change against its capital at the end, or its deepest fall."""
    columns: list[dict[str, float]] = []
    for run in runs:
        closes = run.ts_ms + run.timeframe_ms
        months = ((closes - 1) // DAY_MS).astype("datetime64[D]").astype("datetime64[M]")
        starts = np.flatnonzero(np.append(True, months[1:] != months[:-1]))
        ends = np.append(starts[1:], len(months)) - 1
        if is_fall:
            values = -np.maximum.reduceat(drawdowns(run.equity, run.capital), starts)
        else:
            values = run.equity[ends] / run.capital - 1
        columns.append(dict(zip(map(str, months[ends]), values.tolist(), strict=True)))
    every = sorted({month for column in columns for month in column})
    rows = [
        [month, *(percent(column.get(month, math.nan), signed=True) for column in columns)]
        for month in every
    ]
    return Listing(["month", *known], rows)


def _cautions(runs: Sequence[Compared]) -> str:
    found = [f"<li>{escape(words)}</li>" for words in cautions(runs)]
    if not found:
        return ""
    return section("Before you compare", f'<ul class="plain">{"".join(found)}</ul>')


def _made_from(runs: Sequence[Compared], known: Sequence[str]) -> str:
    apart = unlike(runs)
    if not apart:
        return ""
    head = ("", *(escape(name) for name in known))
    rows = [
        (escape(what.replace(".", ": ", 1)), *(escape(text) for text in texts))
        for what, texts in apart.items()
    ]
    note = "Everything else is the same: parameters, settings, data, code and versions."
    return section("What they were made from, where it differs", table(head, rows), note=note)


def _figures(runs: Sequence[Compared], known: Sequence[str]) -> str:
    head = ("", *(escape(name) for name in known))
    return table(head, [_figure_row(runs, item) for item in DEFINITIONS], classes="tall")


def _figure_row(runs: Sequence[Compared], item: Definition) -> tuple[str, ...]:
    title = escape(f"{item.words} {item.formula}")
    cells = (
        escape(figure(item.name, run.metrics.get(item.name, math.nan), currency=run.currency))
        for run in runs
    )
    return f'<abbr title="{title}">{item.label}</abbr>', *cells


def _kicker(runs: Sequence[Compared], names: list[str]) -> str:
    start, end = min(run.span[0] for run in runs), max(run.span[1] for run in runs)
    frames = sorted({run.timeframe_ms for run in runs})
    parts = (
        ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else ""),
        ", ".join(timeframe_name(frame) for frame in frames),
        f"{format_ms(start)[:10]} to {format_ms(end)[:10]} UTC",
    )
    return "".join(f"<span>{escape(part)}</span>" for part in parts)


def _headline(runs: Sequence[Compared], known: Sequence[str]) -> str:
    earned = sum(run.metrics["net_profit"] > 0 for run in runs)
    best = max(range(len(runs)), key=lambda at: runs[at].metrics["total_return"])
    is_of_many = len({run.strategy for run in runs}) == len(runs)
    many = plural(len(runs), "strategy" if is_of_many else "run",
                  many="strategies" if is_of_many else "runs")  # fmt: skip
    made = percent(runs[best].metrics["total_return"], signed=True)
    return f"{earned} of {many} earned after all costs; the best, {known[best]}: {made}."


def _head(currency: str) -> tuple[str, ...]:
    return (
        "Strategy", "", f"Net, {escape(currency)}", "Return", "Sharpe", "Drawdown", "Round trips",
        f"Costs, {escape(currency)}", "Verdict",
    )  # fmt: skip


def _row(run: Compared, name: str, links: Mapping[str, str]) -> tuple[str, ...]:
    m = run.metrics
    shown = escape(name)
    if run.strategy in links:
        shown = f'<a href="{escape(links[run.strategy])}">{shown}</a>'
    traded = escape(run.traded)
    level = run.verdict.severity.name.lower()
    words = escape(run.verdict.opinion)
    net = m["net_profit"]
    return (
        f'<strong>{shown}</strong> <small class="muted">{traded}</small>',
        _spark(run),
        f'<span class="{sign_class(net)}">{money(net, signed=True)}</span>',
        f'<span class="{sign_class(net)}">{percent(m["total_return"], signed=True)}</span>',
        ratio(m["sharpe"]),
        percent(m["max_drawdown"]),
        count(m["round_trips"]),
        money(m["total_costs"]),
        f'<span class="pill {level}" title="{words}">{escape(run.verdict.label)}</span>',
    )


def _spark(run: Compared) -> str:
    """Return a small line of the daily equity; colour by the result's sign."""
    values = np.append(run.capital, run.days)
    values = values[np.linspace(0, len(values) - 1, min(60, len(values))).astype(int)]
    low, high = float(values.min()), float(values.max())
    span = high - low or 1.0
    points = " ".join(
        f"{100 * at / max(len(values) - 1, 1):.1f},{26 - 24 * (value - low) / span:.1f}"
        for at, value in enumerate(values.tolist())
    )
    tone = sign_class(run.metrics["net_profit"])
    return (
        f'<svg class="spark {tone}" viewBox="0 0 100 28" preserveAspectRatio="none" '
        f'aria-hidden="true"><polyline points="{points}"/></svg>'
    )


def _verdicts(runs: Sequence[Compared], known: Sequence[str]) -> str:
    parts = []
    for run, name in zip(runs, known, strict=True):
        items = "".join(
            f'<li class="{check.severity.name.lower()}">{escape(check.sentence)}</li>'
            for check in run.verdict.checks
        )
        parts.append(
            f"<details><summary><strong>{escape(name)}</strong> "
            f"{escape(run.verdict.opinion)}</summary><ul>{items}</ul></details>"
        )
    return f'<div class="opinions">{"".join(parts)}</div>'

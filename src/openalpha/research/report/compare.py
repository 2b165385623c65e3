"""Several runs side by side: a table with costs and verdicts, and their equity in one chart."""

from collections.abc import Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING

import numpy as np

from openalpha.core.clock import format_ms, timeframe_name
from openalpha.core.errors import InputError
from openalpha.core.instruments import Kind
from openalpha.research.report import charts
from openalpha.research.report.html import synthetic_banner
from openalpha.research.report.page import page, section
from openalpha.research.report.sections import sign_class, table
from openalpha.research.settings import ReportSettings
from openalpha.research.wording import count, money, percent, plural, ratio

if TYPE_CHECKING:
    from rich.console import Console

    from openalpha.research.result import BacktestResult

__all__ = ["compare_html", "print_comparison"]


def compare_html(
    results: Sequence["BacktestResult"],
    *,
    links: Mapping[str, str] | None = None,
    title: str = "Strategies side by side",
    settings: ReportSettings | None = None,
) -> str:
    """Return one self-contained page for several runs.

    Parameters
    ----------
    results : sequence of BacktestResult
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
    if not results:
        raise InputError("there is no result to compare; run a backtest first")
    currency = results[0].currency
    names = sorted({name for result in results for name in result.context.histories})
    body = "".join(
        (
            synthetic_banner(names),
            f'<header class="head"><p class="kicker">{_kicker(results, names)}</p>'
            f"<h1>{escape(_headline(results))}</h1></header>",
            section(
                title,
                table(_head(currency), [_row(result, links or {}) for result in results]),
                classes="compare",
                note="After fees, spread, impact and funding, as each run's settings state.",
            ),
            section(
                "Equity",
                '<div id="overlay" class="chart tall" role="img" aria-label="Equity of all runs, '
                'percent of capital"></div>',
                note="Change against the capital at bar closes; touch a name to hide or show it.",
            ),
            section("What speaks against them", _verdicts(results)),
        )
    )
    data = {"overlay": charts.overlay_chart(results, settings or ReportSettings())}
    footer = (
        "<p>Times are UTC. A backtest is what would have happened under the stated assumptions, "
        "not a promise. Buy and hold is before costs.</p>"
    )
    return page(title=title, body=body, data=data, footer=footer)


def print_comparison(results: Sequence["BacktestResult"], console: "Console | None" = None) -> None:
    """Print the table of several runs, 80 columns wide."""
    from rich.console import Console
    from rich.table import Table

    console = console or Console()
    shown = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("strategy", "return", "Sharpe", "drawdown", "trips", "costs", "verdict"):
        is_text = name in ("strategy", "verdict")
        shown.add_column(name, justify="left" if is_text else "right", no_wrap=not is_text)
    for result in results:
        m = result.metrics
        colour = "blue" if m["net_profit"] > 0 else "red" if m["net_profit"] < 0 else "dim"
        shown.add_row(
            result.context.strategy,
            f"[{colour}]{percent(m['total_return'], signed=True)}[/]",
            ratio(m["sharpe"]),
            percent(m["max_drawdown"]),
            count(m["round_trips"]),
            money(m["total_costs"]),
            result.verdict.label,
        )
    console.print(shown)
    console.print(f"[dim]Costs in {results[0].currency}; returns after all costs.[/]")


def _kicker(results: Sequence["BacktestResult"], names: list[str]) -> str:
    start, end = min(r.start_ms for r in results), max(r.end_ms for r in results)
    frames = sorted({r.run.timeframe_ms for r in results})
    parts = (
        ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else ""),
        ", ".join(timeframe_name(frame) for frame in frames),
        f"{format_ms(start)[:10]} to {format_ms(end)[:10]} UTC",
    )
    return "".join(f"<span>{escape(part)}</span>" for part in parts)


def _headline(results: Sequence["BacktestResult"]) -> str:
    earned = sum(result.metrics["net_profit"] > 0 for result in results)
    best = max(results, key=lambda result: result.metrics["total_return"])
    many = plural(len(results), "strategy", many="strategies")
    made = percent(best.metrics["total_return"], signed=True)
    return f"{earned} of {many} earned after all costs; the best, {best.context.strategy}: {made}."


def _head(currency: str) -> tuple[str, ...]:
    return (
        "Strategy", "", f"Net, {escape(currency)}", "Return", "Sharpe", "Drawdown", "Round trips",
        f"Costs, {escape(currency)}", "Verdict",
    )  # fmt: skip


def _row(result: "BacktestResult", links: Mapping[str, str]) -> tuple[str, ...]:
    m, name = result.metrics, result.context.strategy
    shown = escape(name)
    if name in links:
        shown = f'<a href="{escape(links[name])}">{shown}</a>'
    traded = ", ".join(
        item.symbol + (" spot" if item.kind is Kind.SPOT else "") for item in result.instruments
    )
    level = result.verdict.severity.name.lower()
    words = escape(result.verdict.opinion)
    net = m["net_profit"]
    return (
        f'<strong>{shown}</strong> <small class="muted">{escape(traded)}</small>',
        _spark(result),
        f'<span class="{sign_class(net)}">{money(net, signed=True)}</span>',
        f'<span class="{sign_class(net)}">{percent(m["total_return"], signed=True)}</span>',
        ratio(m["sharpe"]),
        percent(m["max_drawdown"]),
        count(m["round_trips"]),
        money(m["total_costs"]),
        f'<span class="pill {level}" title="{words}">{escape(result.verdict.label)}</span>',
    )


def _spark(result: "BacktestResult") -> str:
    """Return a small line of the daily equity; colour by the result's sign."""
    values = np.append(float(result.run.capital), result.days.equity)
    values = values[np.linspace(0, len(values) - 1, min(60, len(values))).astype(int)]
    low, high = float(values.min()), float(values.max())
    span = high - low or 1.0
    points = " ".join(
        f"{100 * at / max(len(values) - 1, 1):.1f},{26 - 24 * (value - low) / span:.1f}"
        for at, value in enumerate(values.tolist())
    )
    tone = sign_class(result.metrics["net_profit"])
    return (
        f'<svg class="spark {tone}" viewBox="0 0 100 28" preserveAspectRatio="none" '
        f'aria-hidden="true"><polyline points="{points}"/></svg>'
    )


def _verdicts(results: Sequence["BacktestResult"]) -> str:
    parts = []
    for result in results:
        items = "".join(
            f'<li class="{check.severity.name.lower()}">{escape(check.sentence)}</li>'
            for check in result.verdict.checks
        )
        parts.append(
            f"<details><summary><strong>{escape(result.context.strategy)}</strong> "
            f"{escape(result.verdict.opinion)}</summary><ul>{items}</ul></details>"
        )
    return f'<div class="opinions">{"".join(parts)}</div>'

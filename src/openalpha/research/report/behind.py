"""The tables behind the charts of a report, folded away; and the sentences beside them."""

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np

from openalpha.core.clock import DAY_MS, format_ms
from openalpha.research.drawdown import drawdowns
from openalpha.research.reconsider import reconsider
from openalpha.research.report.sections import sign_class, table
from openalpha.research.wording import count, money, percent, ratio

if TYPE_CHECKING:
    from openalpha.research.judged import JudgedRun

__all__ = ["curve_table", "day_table", "folded", "mind_text", "rolling_table", "trip_counts"]


def folded(content: str, *, title: str = "As a table") -> str:
    """Return a table that opens on demand; nothing when there is none."""
    if not content:
        return ""
    return f'<details class="behind"><summary>{escape(title)}</summary>{content}</details>'


def mind_text(result: "JudgedRun") -> str:
    """Return what would speak for the run and what against it from here on, in two lists."""
    found = reconsider(result.metrics, result.verdict)
    parts = [
        f"<div><h3>{title}</h3><ul>"
        + "".join(f"<li>{escape(words)}</li>" for words in sentences)
        + "</ul></div>"
        for title, sentences in (
            ("What would speak for it", found.more),
            ("What would end my trust in it", found.less),
        )
        if sentences
    ]
    if not parts:
        return '<p class="muted">There is nothing to judge yet.</p>'
    return f'<div class="mind">{"".join(parts)}</div>'


def curve_table(result: "JudgedRun") -> str:
    """Return equity, buy and hold, return, deepest fall and exposure of each month."""
    run, days = result.run, result.days
    months = days.month()
    starts = np.flatnonzero(np.append(True, np.diff(months) != 0))
    ends = np.append(starts[1:], len(months)) - 1
    held = result.daily["benchmark"].to_numpy()
    falls = drawdowns(run.equity, float(run.capital))
    of_bar = (run.ts_ms // DAY_MS).astype("datetime64[D]").astype("datetime64[M]").astype(int)
    rows = []
    for name, change, end in zip(
        result.by_month["month"], result.by_month["return"], ends.tolist(), strict=True
    ):
        mine = of_bar == months[end]
        rows.append(
            (
                name,
                money(float(days.equity[end])),
                money(float(held[end])),
                f'<span class="{sign_class(change)}">{percent(change, signed=True)}</span>',
                percent(float(falls[mine].max())) if mine.any() else "–",
                f"{run.exposure[mine].mean():.2f}×" if mine.any() else "–",
            )
        )
    currency = escape(result.currency)
    head = ("Month", f"Equity, {currency}", "Buy and hold", "Return", "Deepest drawdown",
            "Mean exposure")  # fmt: skip
    return table(head, rows, classes="tall")


def trip_counts(chart: Mapping[str, Any], unit: str) -> str:
    """Return the counts of a histogram of round trips."""
    return _counts(chart, f"Net profit, {unit}", "Round trips")


def day_table(chart: Mapping[str, Any]) -> str:
    """Return the counts of a histogram of days."""
    still = [("no movement", count(chart["still"]))] if chart["still"] else []
    return _counts(chart, "Return of the day, %", "Days", more=still)


def rolling_table(chart: Mapping[str, Any]) -> str:
    """Return the rolling Sharpe ratio at the last day of each month."""
    last: dict[str, float] = {}
    for t, value in zip(chart["t"], chart["y"], strict=True):
        last[format_ms(t - 1)[:7]] = value
    rows = [(month, ratio(value)) for month, value in last.items()]
    return table(("Month", "Sharpe ratio at its end"), rows, classes="tall") if rows else ""


def _counts(
    chart: Mapping[str, Any], head: str, noun: str, *, more: Iterable[Sequence[str]] = ()
) -> str:
    width = chart["width"]
    rows = [
        (f"{ratio(x - width / 2)} to {ratio(x + width / 2)}", count(n))
        for x, n in zip(chart["x"], chart["count"], strict=True)
    ]
    if not rows:
        return ""
    return table((escape(head), noun), [*rows, *more], classes="tall")

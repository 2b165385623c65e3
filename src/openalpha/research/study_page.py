"""The page of a study (sweep, walk-forward, Monte Carlo, stress): words, charts and tables."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from typing import Any

from openalpha.research.report.page import page, section

__all__ = ["Chart", "Page", "number_text", "table"]


@dataclass(frozen=True, slots=True)
class Chart:
    """A figure and where it stands: traces and layout as plotly reads them, what it shows."""

    id: str
    traces: Sequence[Mapping[str, Any]]
    layout: Mapping[str, Any]
    label: str
    is_tall: bool = False


@dataclass(slots=True)
class Page:
    """A page that is put together part by part.

    Parameters
    ----------
    title : str
        For the browser's tab.
    kicker : str
        The small line above the headline.
    headline : str
    """

    title: str
    kicker: str
    headline: str
    parts: list[str] = field(default_factory=list)
    figures: dict[str, Any] = field(default_factory=dict)

    def verdict(self, sentences: Sequence[tuple[str, str]]) -> None:
        """Add the verdict: sentences with their tone, `alarm`, `caution` or `note`."""
        if not sentences:
            return
        signs = {"alarm": "!", "caution": "?", "note": "i"}
        tones = [tone for tone, _ in sentences]
        tone = "alarm" if "alarm" in tones else "caution" if "caution" in tones else "note"
        rows = "".join(
            f'<li class="{kind}"><b aria-hidden="true">{signs[kind]}</b>'
            f"<span>{escape(words)}</span></li>"
            for kind, words in sentences[1:]
        )
        opinion = f'<p class="opinion">{escape(sentences[0][1])}</p>'
        self.parts.append(
            f'<section class="card verdict {tone}"><header><h2>Verdict</h2></header>'
            f"{opinion}<ul>{rows}</ul></section>"
        )

    def chart(self, title: str, chart: Chart, *, note: str = "", below: str = "") -> None:
        """Add a chart with a title; `below` is HTML under it."""
        self.figures[chart.id] = {"data": chart.traces, "layout": chart.layout}
        tall = " tall" if chart.is_tall else ""
        place = (
            f'<div id="{chart.id}" class="chart{tall}" role="img" '
            f'aria-label="{escape(chart.label)}"></div>{below}'
        )
        self.parts.append(section(title, place, note=note))

    def block(self, title: str, content: str, *, note: str = "") -> None:
        """Add HTML with a title."""
        self.parts.append(section(title, content, note=note))

    def html(self, footer: str) -> str:
        """Return the page; `footer` is plain text."""
        head = (
            f'<header class="head"><p class="kicker">{escape(self.kicker)}</p>'
            f"<h1>{escape(self.headline)}</h1></header>"
        )
        return page(
            title=self.title,
            body=head + "".join(self.parts),
            data={"figures": self.figures},
            footer=f"<p>{escape(footer)}</p>",
            more="study.js",
        )


def table(header: Sequence[str], rows: Sequence[Sequence[Any]], *, caption: str = "") -> str:
    """Return an HTML table; numbers are written short, NaN as a dash."""
    head = "".join(f'<th scope="col">{escape(name)}</th>' for name in header)
    body = "".join(
        "<tr>" + "".join(f"<td>{escape(number_text(cell))}</td>" for cell in row) + "</tr>"
        for row in rows
    )
    words = f"<caption>{escape(caption)}</caption>" if caption else ""
    return (
        f'<div class="scroll" tabindex="0"><table class="list">{words}<thead><tr>{head}</tr>'
        f"</thead><tbody>{body}</tbody></table></div>"
    )


def number_text(value: Any) -> str:
    """Return a number as people read it.

    Examples
    --------
    >>> number_text(1234567.0), number_text(0.123456), number_text(float("nan")), number_text(7)
    ('1,234,567', '0.1235', '–', '7')
    """
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value)
    if value != value:  # noqa: PLR0124 - only NaN is not itself
        return "–"
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:,.0f}" if abs(value) >= 1_000 else f"{value:.4g}"

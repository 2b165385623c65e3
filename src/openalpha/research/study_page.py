"""The page of a study (sweep, walk-forward, Monte Carlo, stress): words, charts and tables.

It is put together once, part by part; what is laid out on a screen or on paper is the same.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from typing import Any, NamedTuple

from openalpha.research.report.behind import folded
from openalpha.research.report.listing import Listing
from openalpha.research.report.page import page, section, synthetic_banner

__all__ = ["Block", "Chart", "Charted", "Page", "Said"]

Sentences = Sequence[tuple[str, str]]
"""Words with their tone: `alarm`, `caution` or `note`."""


@dataclass(frozen=True, slots=True)
class Chart:
    """A figure: traces and layout as plotly reads them, and what it shows in words.

    Colours are names of the page's own ("@gain", "@soft"): the theme decides what they are.

    Parameters
    ----------
    id : str
    traces, layout
    label : str
        What it shows, for those who cannot see it.
    behind : Listing
        The same as a table.
    heading : str
        Above the vertical axis: what is measured, in which unit.
    is_tall : bool
    """

    id: str
    traces: Sequence[Mapping[str, Any]]
    layout: Mapping[str, Any]
    label: str
    behind: Listing | None = None
    heading: str = ""
    is_tall: bool = False


class Said(NamedTuple):
    """The verdict."""

    sentences: Sentences


class Charted(NamedTuple):
    """A chart with a title; `below` stands under it, unfolded."""

    title: str
    chart: Chart
    note: str = ""
    below: Listing | None = None


class Block(NamedTuple):
    """A table with a title."""

    title: str
    listing: Listing
    note: str = ""


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
    instruments : sequence of str
        What it was run on: a made-up market is called so.
    footer : str
    """

    title: str
    kicker: str
    headline: str
    instruments: Sequence[str] = ()
    footer: str = ""
    parts: list[Said | Charted | Block] = field(default_factory=list)

    @property
    def is_synthetic(self) -> bool:
        """Say whether a market of it was made by a generator."""
        return any(name.startswith("synthetic") for name in self.instruments)

    def verdict(self, sentences: Sentences) -> None:
        """Add the verdict; nothing where nothing is said."""
        if sentences:
            self.parts.append(Said(sentences))

    def chart(
        self, title: str, chart: Chart, *, note: str = "", below: Listing | None = None
    ) -> None:
        """Add a chart."""
        self.parts.append(Charted(title, chart, note, below))

    def block(self, title: str, listing: Listing, *, note: str = "") -> None:
        """Add a table."""
        self.parts.append(Block(title, listing, note))

    def html(self) -> str:
        """Return it as one self-contained HTML document."""
        head = (
            f'<header class="head"><p class="kicker">{escape(self.kicker)}</p>'
            f"<h1>{escape(self.headline)}</h1></header>"
        )
        charts = [part.chart for part in self.parts if isinstance(part, Charted)]
        figures = {
            one.id: {"data": one.traces, "layout": one.layout, "heading": one.heading}
            for one in charts
        }
        return page(
            title=self.title,
            body=synthetic_banner(self.instruments) + head + "".join(map(_html, self.parts)),
            data={"figures": figures},
            footer=f"<p>{escape(self.footer)}</p>",
            more="study.js",
        )


def _tone_of(sentences: Sentences) -> str:
    """Return the heaviest tone."""
    tones = [tone for tone, _ in sentences]
    return "alarm" if "alarm" in tones else "caution" if "caution" in tones else "note"


def _html(part: Said | Charted | Block) -> str:
    if isinstance(part, Said):
        return _verdict(part.sentences)
    if isinstance(part, Block):
        return section(escape(part.title), part.listing.html(), note=part.note)
    chart = part.chart
    tall = " tall" if chart.is_tall else ""
    place = (
        f'<div id="{chart.id}" class="chart{tall}" role="img" '
        f'aria-label="{escape(chart.label)}"></div>'
    )
    below = part.below.html() if part.below else ""
    table = folded(chart.behind.html()) if chart.behind else ""
    return section(escape(part.title), place + below + table, note=part.note)


def _verdict(sentences: Sentences) -> str:
    signs = {"alarm": "✕", "caution": "!", "note": "i"}
    rows = "".join(
        f'<li class="{kind}"><b aria-hidden="true">{signs[kind]}</b>'
        f"<div><em>{kind.capitalize()}</em> {escape(words)}</div></li>"
        for kind, words in sentences[1:]
    )
    return (
        f'<section class="verdict {_tone_of(sentences)}"><h2>Verdict</h2>'
        f'<p class="opinion">{escape(sentences[0][1])}</p><ul>{rows}</ul></section>'
    )

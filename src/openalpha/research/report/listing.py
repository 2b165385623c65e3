"""A table that every renderer lays out: a page, a sheet of paper, a terminal."""

from collections.abc import Sequence
from html import escape
from typing import Any, NamedTuple

from openalpha.research.definitions import DEFINITIONS
from openalpha.research.wording import figure

__all__ = ["Listing", "number_text"]

_LONG = 24
_METRICS = {item.name: item for item in DEFINITIONS}


class Listing(NamedTuple):
    """Rows under a head; a head that is a metric's name is shown as its label and explained.

    A cell is text as it shall stand, or a number, which is written in the metric's unit, else
    short. Text that begins with a sign is coloured by it.
    """

    header: Sequence[str]
    rows: Sequence[Sequence[Any]]
    title: str = ""
    note: str = ""

    @property
    def heads(self) -> list[str]:
        """The head in words."""
        return [
            _METRICS[name].label if name in _METRICS else name.replace("_", " ")
            for name in self.header
        ]

    @property
    def cells(self) -> list[list[str]]:
        """The rows as text."""
        return [list(map(_text, self.header, row)) for row in self.rows]

    def html(self) -> str:
        """Return it as an HTML table that scrolls by itself where it is wider than the page."""
        worded = [any(len(row[at]) > _LONG for row in self.cells) for at in range(len(self.header))]
        top = "".join(map(self._head, self.header, self.heads, worded))
        body = "".join("<tr>" + "".join(map(_cell, row, worded)) + "</tr>" for row in self.cells)
        return (
            f'<div class="scroll tall" tabindex="0"><table class="list"><thead><tr>{top}</tr>'
            f"</thead><tbody>{body}</tbody></table></div>"
        )

    @staticmethod
    def _head(name: str, label: str, is_worded: bool) -> str:
        words = escape(label)
        if name in _METRICS:
            item = _METRICS[name]
            words = f'<abbr title="{escape(f"{item.words} {item.formula}")}">{words}</abbr>'
        kind = ' class="words"' if is_worded else ""
        return f'<th scope="col"{kind}>{words}</th>'


def _text(name: str, cell: Any) -> str:
    if name in _METRICS and isinstance(cell, float):
        return figure(name, cell, currency="")
    return number_text(cell)


def _cell(text: str, is_worded: bool) -> str:
    tone = "words" if is_worded else {"+": "gain", "−": "loss"}.get(text[:1])
    return f'<td class="{tone}">{escape(text)}</td>' if tone else f"<td>{escape(text)}</td>"


def number_text(value: Any) -> str:
    """Return a number as people read it, text as it is.

    Examples
    --------
    >>> number_text(1234567.0), number_text(0.123456), number_text(float("nan")), number_text(7)
    ('1,234,567', '0.1235', '–', '7')
    """
    if value is None or value != value:  # noqa: PLR0124 - only NaN is not itself
        return "–"
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value)
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:,.0f}" if abs(value) >= 1_000 else f"{value:.4g}"

"""Words and small tables on a sheet of paper, in the characters its fonts have."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from openalpha.pages.paper import BOLD, MARGIN, PLAIN, SOFT, Paper, wrapped

__all__ = ["CAUTION", "INK", "grid", "marked", "plain", "say"]

INK, CAUTION = (0.11, 0.11, 0.10), (0.54, 0.38, 0.0)


def plain(text: str) -> str:
    """Return text in characters the built-in fonts have: a minus is a dash there."""
    return text.replace("\u2212", "\u2013").replace("≥", "at least ").replace("√", "root of ")


def say(paper: Paper, text: str, **style: Any) -> None:
    """Write a paragraph; `style` as of `Paper.text`."""
    paper.text(plain(text), **style)


def marked(paper: Paper, words: str, *, mark: str, colour: tuple[float, float, float]) -> None:
    """Write a sentence with a word before it, the sentence in a column of its own."""
    size, indent = 8.5, 46.0
    lines = wrapped(plain(words), font=PLAIN, size=size, room=paper.width - indent)
    paper.need(len(lines) * size * 1.35)
    canvas = paper.canvas
    for at, line in enumerate(lines):
        paper.y -= size * 1.35
        if at == 0:
            canvas.setFillColorRGB(*colour)
            canvas.setFont(BOLD, size)
            canvas.drawString(MARGIN, paper.y, mark)
        canvas.setFillColorRGB(*INK)
        canvas.setFont(PLAIN, size)
        canvas.drawString(MARGIN + indent, paper.y, line)
    paper.y -= 2.5


def grid(
    paper: Paper,
    rows: Iterable[Sequence[str]],
    *,
    head: Sequence[str],
    widths: Sequence[float],
    numbers: Iterable[int],
) -> None:
    """Draw a small table of short cells; `numbers` are the columns that end at their right."""
    size, leading, right = 7.4, 10.6, set(numbers)
    edges = MARGIN + np.concatenate(([0.0], np.cumsum(widths))) / sum(widths) * paper.width
    canvas = paper.canvas

    def put(row: Sequence[str], colour: tuple[float, float, float]) -> None:
        paper.y -= leading
        canvas.setFont(PLAIN, size)
        canvas.setFillColorRGB(*colour)
        for at, cell in enumerate(row):
            if at in right:
                canvas.drawRightString(edges[at + 1] - 10, paper.y, plain(cell))
            else:
                canvas.drawString(edges[at], paper.y, plain(cell))

    paper.need(4 * leading)
    put(head, SOFT)
    paper.y -= 3
    paper.rule(colour=SOFT)
    for row in rows:
        paper.need(leading + 4)
        put(row, INK)
        paper.y -= 2.2
        paper.rule(weight=0.3)
    paper.y -= 8

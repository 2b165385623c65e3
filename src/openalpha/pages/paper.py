"""A sheet of paper to draw on: pages with watermark and footer, text, and long tables quickly.

Drawn straight on the canvas: a flow of paragraphs would need minutes for a table of 50,000 rows.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from io import BytesIO
from typing import Any, NamedTuple

from openalpha.pages.cells import Cell, Column, shown
from openalpha.pages.letters import safe

__all__ = [
    "ALARM",
    "BOLD",
    "LANDSCAPE",
    "MARGIN",
    "PORTRAIT",
    "SOFT",
    "Paper",
    "Style",
    "wrapped",
]

PORTRAIT = (595.28, 841.89)
LANDSCAPE = (841.89, 595.28)
MARGIN, FOOT = 42.0, 34.0
INK, SOFT, LINE, PALE = (0.11, 0.11, 0.10), (0.42, 0.40, 0.37), (0.85, 0.84, 0.81), 0.945
ALARM = (0.70, 0.15, 0.12)
PLAIN, BOLD = "Helvetica", "Helvetica-Bold"
_NUMBERS = ("aud", "qty", "number")
_KEY = 10
_MOST_TEXT = 320
_GAP = 5.0
_DIGITS = frozenset("0123456789")
_SPECIAL = frozenset(b"()\\")


class Style(NamedTuple):
    """Font size and line height of a table, in points."""

    size: float
    leading: float


class Paper:
    """Pages of one document.

    Parameters
    ----------
    title, foot : str
        Of the document; `foot` stands below every page.
    watermark : str
        Large and pale behind every page; "" for none.
    """

    def __init__(self, *, title: str, foot: str, watermark: str) -> None:
        from reportlab.pdfgen.canvas import Canvas

        self._file = BytesIO()
        self._foot = foot
        self._watermark = watermark
        self.canvas: Any = Canvas(self._file, pageCompression=1, invariant=1)
        self.canvas.setTitle(title)
        self.canvas.setAuthor("OpenAlpha")
        self.size = PORTRAIT
        self.number = 0
        self.y = 0.0

    @property
    def width(self) -> float:
        """Usable width of the page, in points."""
        return self.size[0] - 2 * MARGIN

    def turn(self, size: tuple[float, float] | None = None) -> None:
        """Begin a new page."""
        if self.number:
            self.canvas.showPage()
        self.size = size or self.size
        self.number += 1
        self.canvas.setPageSize(self.size)
        if self._watermark:
            self._stamp()
        self._footer()
        self.y = self.size[1] - MARGIN

    def need(self, points: float) -> None:
        """Begin a new page if less room than that is left."""
        if self.y - points < MARGIN + FOOT / 2:
            self.turn()

    def bytes(self) -> bytes:
        """End the document and return it."""
        canvas = self.canvas
        canvas.showPage()
        canvas.beginForm("pages", 0, 0, 40, 12)
        canvas.setFont(PLAIN, 7)
        canvas.setFillColorRGB(*SOFT)
        canvas.drawString(0, 2, str(self.number))
        canvas.endForm()
        with _plain_streams():
            canvas.save()
        return self._file.getvalue()

    def _stamp(self) -> None:
        canvas = self.canvas
        canvas.saveState()
        canvas.setFillGray(PALE)
        canvas.setFont(BOLD, 150)
        canvas.translate(self.size[0] / 2, self.size[1] / 2)
        canvas.rotate(38)
        canvas.drawCentredString(0, -50, self._watermark)
        canvas.restoreState()

    def _footer(self) -> None:
        canvas = self.canvas
        canvas.setFont(PLAIN, 7)
        canvas.setFillColorRGB(*SOFT)
        canvas.drawString(MARGIN, MARGIN - 18, safe(self._foot))
        right = self.size[0] - MARGIN - 22
        canvas.drawRightString(right, MARGIN - 18, f"page {self.number} of")
        canvas.saveState()
        canvas.translate(right + 2, MARGIN - 20)
        canvas.doForm("pages")
        canvas.restoreState()

    # ---- text

    def text(
        self,
        words: str,
        *,
        size: float = 8.5,
        font: str = PLAIN,
        colour: tuple[float, float, float] = INK,
        gap: float = 0.0,
    ) -> None:
        """Write a paragraph over the whole width and move below it."""
        canvas = self.canvas
        for line in wrapped(words, font=font, size=size, room=self.width):
            self.need(size * 1.35)
            self.y -= size * 1.35
            canvas.setFont(font, size)
            canvas.setFillColorRGB(*colour)
            canvas.drawString(MARGIN, self.y, line)
        self.y -= gap

    def heading(self, title: str, *, key: str, note: str = "") -> None:
        """Write a title, with its place in the outline."""
        self.need(74)
        self.y -= 12
        self.canvas.bookmarkHorizontal(key, 0, self.y)
        self.canvas.addOutlineEntry(safe(title), key, 0)
        self.text(title, size=12, font=BOLD, gap=2)
        if note:
            self.text(note, size=7.5, colour=SOFT)
        self.y -= 4

    def rule(self, *, colour: tuple[float, float, float] = LINE, weight: float = 0.5) -> None:
        """Draw a line across."""
        self.canvas.setStrokeColorRGB(*colour)
        self.canvas.setLineWidth(weight)
        self.canvas.line(MARGIN, self.y, self.size[0] - MARGIN, self.y)

    # ---- tables

    def table(
        self,
        columns: Sequence[Column],
        rows: Sequence[Sequence[Cell]],
        *,
        totals: Sequence[Cell] | None = None,
        style: Style,
    ) -> None:
        """Draw a table over as many pages as it needs, its head on each of them."""
        places = list(_places(columns, self.width))
        self._table_head(columns, places, style)
        text = self._begin(PLAIN, style)
        lines: list[tuple[float, float, float, float]] = []
        right = self.size[0] - MARGIN
        floor = MARGIN + FOOT / 2
        makers = [
            _maker(column, room, style) for column, (_, room) in zip(columns, places, strict=True)
        ]
        for row in rows:
            cells = [make(cell) for make, cell in zip(makers, row, strict=True)]
            height = max(len(cell) for cell in cells) * style.leading
            if self.y - height < floor:
                self._end(text, lines)
                self.turn()
                self._table_head(columns, places, style)
                text, lines = self._begin(PLAIN, style), []
            _put(text, cells, columns, places, style, self.y)
            self.y -= height
            lines.append((MARGIN, self.y, right, self.y))
        self._end(text, lines)
        if totals is not None:
            self._totals(columns, places, totals, style)
        self.y -= 6

    def _begin(self, font: str, style: Style) -> Any:
        text = self.canvas.beginText()
        text.setFont(font, style.size)
        text.setFillColorRGB(*INK)
        return text

    def _end(self, text: Any, lines: list[tuple[float, float, float, float]]) -> None:
        self.canvas.drawText(text)
        self.canvas.setStrokeColorRGB(*LINE)
        self.canvas.setLineWidth(0.3)
        self.canvas.lines(lines)

    def _table_head(
        self, columns: Sequence[Column], places: Sequence[tuple[float, float]], style: Style
    ) -> None:
        self.need(3 * style.leading)
        text = self._begin(PLAIN, style)
        text.setFillColorRGB(*SOFT)
        cells = [
            wrapped(column.name, font=PLAIN, size=style.size, room=room)
            for column, (_, room) in zip(columns, places, strict=True)
        ]
        height = max(map(len, cells)) * style.leading
        _put(text, cells, columns, places, style, self.y)
        self.canvas.drawText(text)
        self.y -= height + 1
        self.rule(colour=SOFT)

    def _totals(
        self,
        columns: Sequence[Column],
        places: Sequence[tuple[float, float]],
        totals: Sequence[Cell],
        style: Style,
    ) -> None:
        self.need(style.leading)
        cells = [[shown(cell, column.kind)] for cell, column in zip(totals, columns, strict=True)]
        if not cells[0][0]:
            cells[0] = ["total"]
        text = self._begin(BOLD, style)
        _put(text, cells, columns, places, style, self.y, font=BOLD)
        self.canvas.drawText(text)
        self.y -= style.leading


@contextmanager
def _plain_streams() -> Iterator[None]:
    """Write pages compressed, but not as text on top: that takes longer than drawing them."""
    from reportlab import rl_config

    before = rl_config.useA85
    rl_config.useA85 = 0
    try:
        yield
    finally:
        rl_config.useA85 = before


def wrapped(text: str, *, font: str, size: float, room: float) -> list[str]:
    """Break text into lines of at most `room` points; words longer than that are cut."""
    lines = [""]
    for word in safe(text).split():
        for piece in _pieces(word, font, size, room):
            joined = f"{lines[-1]} {piece}".strip()
            if _width(joined, font, size) <= room or not lines[-1]:
                lines[-1] = joined
            else:
                lines.append(piece)
    return lines


def _pieces(word: str, font: str, size: float, room: float) -> Iterator[str]:
    while _width(word, font, size) > room and len(word) > 1:
        cut = max(1, int(len(word) * room / _width(word, font, size)))
        while cut > 1 and _width(word[:cut], font, size) > room:
            cut -= 1
        yield word[:cut]
        word = word[cut:]
    yield word


def _width(text: str, font: str, size: float) -> float:
    """Return the width of a line whose characters the built-in fonts have, in points."""
    return size * sum(map(_widths(font).__getitem__, text))


@lru_cache(maxsize=4)
def _widths(font: str) -> dict[str, float]:
    from reportlab.pdfbase.pdfmetrics import stringWidth

    known = bytes(range(32, 256)).decode("cp1252", "ignore")
    return {letter: stringWidth(letter, font, 1.0) for letter in known}


def _digits_width(text: str, size: float) -> float:
    """Return the width of a number: every digit of these fonts is as wide as any other."""
    digits = sum(map(_DIGITS.__contains__, text))
    minus = text.count("-")
    return size * (0.556 * digits + 0.333 * minus + 0.278 * (len(text) - digits - minus))


def _places(columns: Sequence[Column], width: float) -> Iterator[tuple[float, float]]:
    """Yield where each column begins, and how much room it has."""
    unit = width / sum(column.width for column in columns)
    x = MARGIN
    for column in columns:
        # A number ends where the next column's text begins: it keeps off on both sides.
        gap = 2 * _GAP if column.kind in _NUMBERS else _GAP
        yield x, column.width * unit - gap
        x += column.width * unit


def _maker(column: Column, room: float, style: Style) -> Callable[[Cell], list[str]]:
    kind = column.kind
    if kind == "words":
        return lambda cell: wrapped(
            _short(shown(cell, kind)), font=PLAIN, size=style.size, room=room
        )
    if kind in _NUMBERS or kind == "day":
        return lambda cell: [shown(cell, kind)]
    if kind == "key":
        return lambda cell: _key(shown(cell, kind), style.size, room)
    return lambda cell: [_cut(safe(shown(cell, kind)), style.size, room)]


def _key(text: str, size: float, room: float) -> list[str]:
    """Return the beginning of an id, which is enough to name it; one with parts is kept whole."""
    if "/" not in text:
        return [safe(text)[:_KEY]]
    return wrapped(text, font=PLAIN, size=size, room=room)


def _short(text: str) -> str:
    """Cut what no page needs whole: a file's row that was not understood."""
    return text if len(text) <= _MOST_TEXT else text[:_MOST_TEXT] + " …"


@lru_cache(maxsize=65536)
def _cut(text: str, size: float, room: float) -> str:
    """Cut a line to its room; of a source the end says most: the line in the file."""
    if _width(text, PLAIN, size) <= room:
        return text
    while text and _width("…" + text, PLAIN, size) > room:
        text = text[1:]
    return "…" + text


def _put(
    text: Any,
    cells: Sequence[Sequence[str]],
    columns: Sequence[Column],
    places: Sequence[tuple[float, float]],
    style: Style,
    top: float,
    *,
    font: str = PLAIN,
) -> None:
    for lines, column, (x, room) in zip(cells, columns, places, strict=True):
        is_number = column.kind in _NUMBERS
        y = top - style.leading + 2
        for line in lines:
            if not line:
                continue
            at = x
            if is_number and font == PLAIN and line[-1] in _DIGITS:
                at = x + room - _digits_width(line, style.size)
            elif is_number:
                at = x + room - _width(line, font, style.size)
            # The operators themselves: the library's own way takes ten times as long a cell.
            text._code.append(f"1 0 0 1 {at:.2f} {y:.2f} Tm ({_escaped(line)}) Tj")
            y -= style.leading


def _escaped(line: str) -> str:
    """Return a line as a PDF string holds it, in the encoding of the built-in fonts."""
    if not line.isascii():
        codes = line.encode("cp1252", "replace")
        return "".join(chr(c) if c < 127 and c not in _SPECIAL else f"\\{c:03o}" for c in codes)
    if "(" in line or ")" in line or "\\" in line:
        return line.replace("\\", "\\\\").replace("(", "\\(").replace(")", "\\)")
    return line

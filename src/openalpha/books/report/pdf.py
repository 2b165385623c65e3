"""The report as PDF, for paper and for the agent's file."""

from collections.abc import Iterable, Iterator

from openalpha.books.report.contents import tables_of
from openalpha.books.report.first_page import DISCLAIMER
from openalpha.books.report.model import TaxReport
from openalpha.books.report.summary import headline, marks_note, tiles
from openalpha.books.report.tables import Table, condensed
from openalpha.pages.cells import Column
from openalpha.pages.letters import unwritable
from openalpha.pages.paper import (
    ALARM,
    BOLD,
    LANDSCAPE,
    MARGIN,
    PORTRAIT,
    SOFT,
    Paper,
    Style,
)

__all__ = ["report_pdf"]

_WIDE = 11.5
_ROWS_OF_RATES = 1_000
_NARROW_STYLE, _WIDE_STYLE, _SAID_STYLE = Style(8, 11.5), Style(6.6, 9.4), Style(8.1, 11.6)

_SAID = (
    Column("choice or fact", "words", 1.4), Column("what", "words", 4.5), Column("by", "words", 1.7)
)  # fmt: skip


def report_pdf(report: TaxReport) -> bytes:
    """Return the report as a PDF document; the same report gives the same bytes.

    Parameters
    ----------
    report : TaxReport
    """
    hidden = "" if report.is_final else "DRAFT"
    kind = "SYNTHETIC " if report.is_synthetic else ""
    foot = (
        f"{headline(report)} · {kind}{report.status} · report {report.report_sha256[:16]} · "
        f"OpenAlpha {report.version} · not tax advice"
    )
    paper = Paper(title=f"Tax report, {headline(report)}", foot=foot, watermark=hidden)
    tables = tables_of(report)
    paper.turn(PORTRAIT)
    _first_page(paper, report, lost=unwritable(_texts(report, tables)))
    paper.turn(PORTRAIT)
    for table in tables:
        _draw(paper, table)
    return paper.bytes()


def _texts(report: TaxReport, tables: Iterable[Table]) -> Iterator[str]:
    yield report.entity
    for said in report.settings:
        yield from (said.name, said.value, said.source)
    for table in tables:
        yield from (cell for row in table.rows for cell in row if isinstance(cell, str))


def _first_page(paper: Paper, report: TaxReport, *, lost: str) -> None:
    paper.canvas.bookmarkHorizontal("first", 0, paper.y)
    paper.canvas.addOutlineEntry("First page", "first", 0)
    paper.text("Australian tax report", size=9, colour=SOFT)
    paper.text(f"{headline(report)}   {report.status}", size=20, font=BOLD, gap=8)
    _tiles(paper, report)
    if report.is_synthetic:
        paper.text("SYNTHETIC: figures rest on made-up prices and go on no return.", colour=ALARM)
    if lost:
        text = (
            f"Characters of other scripts ({len(lost)} of them) stand as ? on this paper, whose "
            "fonts are Latin; HTML, workbook and CSV have them."
        )
        paper.text(text, size=8.5, colour=ALARM, gap=6)
    if report.reasons:
        paper.text("Why this is a draft", size=9.5, font=BOLD, colour=ALARM, gap=1)
        paper.text("; ".join(report.reasons) + ".", size=8, gap=6)
    if report.kept is not None:
        paper.text(report.kept.words, size=8.5, gap=6)
    rows = [
        (said.name, said.value, f"{said.source} [{said.mark}]" if said.mark else said.source)
        for said in report.settings
    ]
    for name, value in (
        ("Figures, SHA-256", report.figures_sha256),
        ("Parcels used, SHA-256", report.parcels_sha256),
        ("Report, SHA-256", report.report_sha256),
    ):
        rows.append((name, value, ""))
    paper.table(_SAID, rows, style=_SAID_STYLE)
    paper.text(f"{marks_note(report)} {DISCLAIMER} {report.made}", size=7.2, colour=SOFT)


def _tiles(paper: Paper, report: TaxReport) -> None:
    figures = tiles(report)
    step = paper.width / len(figures)
    paper.rule(colour=(0.11, 0.11, 0.10), weight=1.2)
    for at, (name, value) in enumerate(figures):
        x = MARGIN + at * step
        paper.canvas.setFillColorRGB(0.11, 0.11, 0.10)
        paper.canvas.setFont(BOLD, 14)
        paper.canvas.drawString(x, paper.y - 20, value)
        paper.canvas.setFillColorRGB(*SOFT)
        paper.canvas.setFont("Helvetica", 7.2)
        paper.canvas.drawString(x, paper.y - 31, name)
    paper.y -= 42


def _draw(paper: Paper, table: Table) -> None:
    small = condensed(table)
    if table.slug == "rates" and len(small.rows) > _ROWS_OF_RATES:
        note = f"The first {_ROWS_OF_RATES:,} of {len(small.rows):,}; all are in workbook and CSV."
        small = small._replace(note=note, rows=small.rows[:_ROWS_OF_RATES])
    is_wide = sum(column.width for column in small.columns) > _WIDE
    size = LANDSCAPE if is_wide else PORTRAIT
    if small.rows and size != paper.size:  # one word needs no page of its own
        paper.turn(size)
    paper.heading(table.title, key=table.slug, note=small.note if small.rows else "")
    if not small.rows:
        paper.text(table.empty, size=8.5, colour=SOFT)
        return
    style = _WIDE_STYLE if is_wide else _NARROW_STYLE
    paper.table(small.columns, small.rows, totals=small.totals, style=style)

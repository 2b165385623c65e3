"""The report as a workbook for the accountant: every total is a formula over the rows below it."""

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from io import BytesIO
from typing import TYPE_CHECKING, Any

from openalpha.books.report.contents import tables_of
from openalpha.books.report.first_page import DISCLAIMER
from openalpha.books.report.formulas import FIRST, GAIN, HEAD, Live, gain_formula, span
from openalpha.books.report.model import TaxReport
from openalpha.books.report.summary import headline, marks_note
from openalpha.books.report.tables import Table
from openalpha.pages.cells import Cell, Column

if TYPE_CHECKING:
    from xlsxwriter import Workbook
    from xlsxwriter.worksheet import Worksheet

__all__ = ["report_xlsx"]

_WIDTHS = {
    "aud": 15,
    "qty": 20,
    "number": 12,
    "day": 11,
    "time": 9,
    "flag": 9,
    "key": 26,
    "text": 18,
}
_FORMATS = {"aud": "#,##0.00;[Red]-#,##0.00", "qty": "0.################", "day": "yyyy-mm-dd",
            "dollars": "#,##0"}  # fmt: skip
_WORDS = 46
_PAGE = (30, 95, 45)
_LINE = 15.0
_LIVE = ("labels", "steps", "schedule")
_MOST_TEXT = 32_000  # a cell holds 32,767 characters


def report_xlsx(report: TaxReport) -> bytes:
    """Return the report as an XLSX workbook.

    Amounts are numbers as a spreadsheet has them, 15 digits; the exact ones are in the CSV and
    JSON. Gains, totals, labels and the schedule are formulas: change a cost and they follow.

    Parameters
    ----------
    report : TaxReport
    """
    from xlsxwriter import Workbook

    file = BytesIO()
    book = Workbook(file, {"in_memory": True})
    book.set_properties({"title": f"Tax report, {headline(report)}", "author": "OpenAlpha"})
    _first_sheet(book, report)
    tables = tables_of(report)
    live = Live(report, {table.slug: table for table in tables})
    for table in tables:
        _Sheet(book, report, table).write(live)
    book.close()
    return file.getvalue()


def _first_sheet(book: "Workbook", report: TaxReport) -> None:
    sheet = book.add_worksheet("First page")
    bold, wrap = (
        book.add_format({"bold": True}),
        book.add_format({"text_wrap": True, "valign": "top"}),
    )
    top = book.add_format({"bold": True, "valign": "top"})
    title = book.add_format({"bold": True, "font_size": 16})
    red = book.add_format({"bold": True, "font_color": "#B3261E", "text_wrap": True})
    for column, width in enumerate(_PAGE):
        sheet.set_column(column, column, width)
    _on_paper(sheet)
    sheet.write_string(0, 0, f"{headline(report)} – {report.status}", title)
    sheet.write_string(1, 0, DISCLAIMER)
    row = 3
    if report.is_synthetic:
        sheet.write_string(row, 0, "SYNTHETIC", red)
        sheet.write_string(row, 1, "figures rest on made-up prices and go on no return", red)
        row += 1
    for reason in report.reasons:
        sheet.write_string(row, 0, "why a draft", red)
        sheet.write_string(row, 1, reason, red)
        row += 1
    if report.kept is not None:
        sheet.write_string(row, 1, report.kept.words, bold)
        row += 1
    lines = [(s.name, s.value, f"{s.source} [{s.mark}]" if s.mark else s.source)
             for s in report.settings]  # fmt: skip
    lines += [
        ("Figures, SHA-256", report.figures_sha256, ""),
        ("Parcels used, SHA-256", report.parcels_sha256, ""),
        ("Report, SHA-256", report.report_sha256, ""),
        ("Marks", marks_note(report), ""),
    ]
    for line in lines:
        for column, text in enumerate(line):
            sheet.write_string(row, column, text, (top, wrap, wrap)[column])
        _grow(sheet, row, [(line[1], _PAGE[1]), (line[2], _PAGE[2])])
        row += 1


def _grow(sheet: "Worksheet", row: int, texts: Sequence[tuple[str, int]]) -> None:
    """Make a row as high as its longest wrapped text: not every program does so by itself."""
    lines = max((1 + len(text) // width for text, width in texts), default=1)
    if lines > 1:
        sheet.set_row(row, min(_LINE * lines, 400))


def _on_paper(sheet: "Worksheet") -> None:
    """Print on A4, across, one page wide."""
    sheet.set_paper(9)
    sheet.set_landscape()
    sheet.fit_to_pages(1, 0)


class _Sheet:
    """One table on one sheet: title, note, head, rows, totals."""

    def __init__(self, book: "Workbook", report: TaxReport, table: Table) -> None:
        self.report = report
        self.table = table
        self.sheet: Worksheet = book.add_worksheet(table.title[:31])
        self.formats = {
            name: book.add_format({"num_format": f, "valign": "top"})
            for name, f in _FORMATS.items()
        }
        self.bold = book.add_format({"bold": True})
        self.sums = book.add_format({"bold": True, "num_format": _FORMATS["aud"], "top": 1})
        self.head = book.add_format({"bold": True, "bottom": 1, "text_wrap": True})
        self.right = book.add_format(
            {"bold": True, "bottom": 1, "text_wrap": True, "align": "right"}
        )
        self.plain = book.add_format({"valign": "top"})
        self.title = book.add_format({"bold": True, "font_size": 14})
        self.wrap = book.add_format({"text_wrap": True, "valign": "top"})

    def write(self, live: Live) -> None:
        """Write the whole sheet."""
        sheet, table = self.sheet, self.table
        sheet.write_string(0, 0, table.title, self.title)
        sheet.write_string(1, 0, table.note)
        for number, column in enumerate(table.columns):
            sheet.set_column(number, number, _WIDTHS.get(column.kind, _WORDS))
            is_number = column.kind in ("aud", "qty", "number")
            sheet.write_string(HEAD, number, column.name, self.right if is_number else self.head)
        sheet.freeze_panes(FIRST, 0)
        sheet.repeat_rows(HEAD)
        _on_paper(sheet)
        if table.rows:
            sheet.autofilter(HEAD, 0, HEAD + len(table.rows), len(table.columns) - 1)
        else:
            sheet.write_string(FIRST, 0, table.empty)
        if table.slug in _LIVE:
            self._write_live(live)
            return
        for number, row in enumerate(table.rows):
            self._row(FIRST + number, row)
        if table.slug == "disposals":
            self._gains()
        self._totals()

    def _row(self, row: int, cells: Sequence[Cell]) -> None:
        for number, (cell, column) in enumerate(zip(cells, self.table.columns, strict=True)):
            self._cell(row, number, cell, column)
        self._grow(row, cells)

    def _grow(self, row: int, cells: Sequence[Cell]) -> None:
        texts = zip(cells, self.table.columns, strict=True)
        words = [(str(cell), _WORDS) for cell, column in texts if column.kind == "words"]
        _grow(self.sheet, row, words)

    def _cell(self, row: int, number: int, cell: Cell, column: Column) -> None:
        sheet = self.sheet
        if cell is None or cell is False:
            return
        if isinstance(cell, Decimal):
            sheet.write_number(row, number, float(cell), self.formats.get(column.kind))
        elif cell is True:
            sheet.write_string(row, number, "yes")
        elif isinstance(cell, date):
            sheet.write_datetime(row, number, cell, self.formats["day"])
        elif isinstance(cell, int):
            sheet.write_number(row, number, cell)
        else:
            style = self.wrap if column.kind == "words" else self.plain
            sheet.write_string(row, number, cell[:_MOST_TEXT], style)

    def _gains(self) -> None:
        """Write each gain as a formula over its own row, where no rule of law changes it."""
        for number, disposal in enumerate(self.report.disposals):
            formula = gain_formula(disposal, FIRST + number + 1)
            if formula:
                row, column = FIRST + number, GAIN
                self._formula(row, column, formula, disposal.gain, self.formats["aud"])

    def _totals(self) -> None:
        totals = self.table.totals
        if totals is None:
            return
        last = FIRST + len(self.table.rows)
        self.sheet.write_string(last, 0, "total", self.bold)
        for number, total in enumerate(totals):
            if total is not None:
                summed = span(number, len(self.table.rows))
                self._formula(last, number, f"=SUM({summed})", total, self.sums)

    def _write_live(self, live: Live) -> None:
        for number, (cells, row) in enumerate(
            zip(live.rows(self.table.slug), self.table.rows, strict=True)
        ):
            for column_number, column in enumerate(self.table.columns):
                formula = cells.get(column_number)
                place = (FIRST + number, column_number)
                if formula is None:
                    self._cell(*place, row[column_number], column)
                else:
                    style = self.formats["aud" if column.kind == "aud" else "dollars"]
                    self._formula(*place, formula, row[column_number], style)
            self._grow(FIRST + number, row)
        below = FIRST + len(self.table.rows) + 1
        workings = live.workings if self.table.slug == "steps" else []
        for number, line in enumerate(workings):
            self.sheet.write_string(below + number, 0, line.name)
            self._formula(below + number, 1, line.formula, line.value, self.formats["aud"])

    def _formula(self, row: int, column: int, formula: str, value: Any, style: Any) -> None:
        """Write a formula with its value, so that a reader that computes nothing shows it too."""
        if isinstance(value, str):
            shown = value.replace(",", "")
            kept: Any = float(shown) if shown.lstrip("-").isdigit() else value
        else:
            kept = float(value or 0)
        self.sheet.write_formula(row, column, formula, style, kept)

"""The report as CSV files, one a table: exact amounts, for programs and for keeping."""

import csv
from collections.abc import Iterator, Sequence
from io import StringIO

from openalpha.books.report.contents import tables_of
from openalpha.books.report.first_page import DISCLAIMER
from openalpha.books.report.model import TaxReport
from openalpha.pages.cells import Cell

__all__ = ["report_csv"]

_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def report_csv(report: TaxReport) -> dict[str, str]:
    """Return the text of each file by its name; amounts keep every digit.

    Text that a spreadsheet would take for a formula begins with an apostrophe.

    Parameters
    ----------
    report : TaxReport
    """
    found = {"first-page.csv": _text(("what", "value", "source", "mark"), list(_first(report)))}
    for table in tables_of(report):
        names = [column.name for column in table.columns]
        found[f"{table.slug}.csv"] = _text(names, table.rows)
    return found


def _first(report: TaxReport) -> Iterator[Sequence[Cell]]:
    yield ("Status", report.status, "", "")
    for reason in report.reasons:
        yield ("Why a draft", reason, "", "")
    yield from report.settings
    yield ("Figures, SHA-256", report.figures_sha256, "", "")
    yield ("Report, SHA-256", report.report_sha256, "", "")
    yield ("Note", DISCLAIMER, "", "")


def _text(names: Sequence[str], rows: Sequence[Sequence[Cell]]) -> str:
    file = StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(names)
    writer.writerows([_plain(cell) for cell in row] for row in rows)
    return file.getvalue()


def _plain(cell: Cell) -> str:
    if cell is None:
        return ""
    if isinstance(cell, bool):
        return "yes" if cell else "no"
    if isinstance(cell, str):
        return f"'{cell}" if cell.startswith(_FORMULA) else cell
    return f"{cell:f}" if hasattr(cell, "as_tuple") else str(cell)

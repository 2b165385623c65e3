"""What stands at the top of every form of the report: headline, four figures, marks explained."""

from openalpha.books.report.model import TaxReport
from openalpha.books.tax.amounts import ZERO
from openalpha.books.tax.rules import MARKS
from openalpha.pages.cells import aud

__all__ = ["headline", "marks_note", "tiles"]


def headline(report: TaxReport) -> str:
    """Name the report."""
    return f"{report.entity}, income year {report.year}"


def tiles(report: TaxReport) -> list[tuple[str, str]]:
    """Return the four figures that matter most, each with its name; amounts in AUD."""
    at = report.treatments.index(report.treatment)
    figures = {line.name: line.amounts[at] for line in report.comparison}
    names = (
        ("net capital gain", "net capital gain, AUD"),
        ("income on revenue account", "income on revenue account, AUD"),
        ("deductions on revenue account", "deductions on revenue account, AUD"),
        ("added to taxable income", "added to taxable income, AUD"),
    )
    return [(words, aud(figures[name] or ZERO)) for name, words in names]


def marks_note(report: TaxReport) -> str:
    """Say what the marks on the first page mean, so that nobody takes a guess for law."""
    used = sorted({said.mark for said in report.settings if said.mark})
    return "Marks: " + "; ".join(f"[{mark}] {MARKS[mark]}" for mark in used) + "."

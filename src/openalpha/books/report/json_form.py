"""The report as JSON: every row with its names, amounts and quantities as exact texts."""

from typing import Any

from openalpha.books.report.build import plain
from openalpha.books.report.model import TaxReport

__all__ = ["SCHEMA", "report_json"]

SCHEMA = "openalpha.tax_report/1"


def report_json(report: TaxReport) -> dict[str, Any]:
    """Return the report as plain values.

    Parameters
    ----------
    report : TaxReport
    """
    rows: dict[str, Any] = plain(report)
    return {"schema": SCHEMA, "status": report.status, **rows}

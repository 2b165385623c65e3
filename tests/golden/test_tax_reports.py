"""Whole tax reports, kept as files: rewritten by `make golden` only, and reviewed as a diff."""

import json
import os
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from io import BytesIO
from pathlib import Path

import pytest
from pypdf import PdfReader

from openalpha.books.report import TaxReport, build_report
from openalpha.books.report.csv_files import report_csv
from openalpha.books.report.html import report_html
from openalpha.books.report.json_form import report_json
from openalpha.books.report.pdf import report_pdf
from openalpha.books.tax.entity import Entity, Policy
from openalpha.books.tax.events import Acquire, Dispose
from openalpha.books.tax.gains import BoundaryValue, Law
from openalpha.books.tax.profile import Profile
from tests.fakes.tax_report import D, facts, item

FOLDER = Path(__file__).with_name("tax_reports")


def plain() -> TaxReport:
    return build_report(facts())


def draft() -> TaxReport:
    return build_report(facts(open_items=(item(), item("unknown_row", "k9")), is_over=False))


def company() -> TaxReport:
    return build_report(facts(profile=Profile("co", Policy(entity=Entity.COMPANY))))


def new_law() -> TaxReport:
    events = [
        Acquire("a", date(2025, 7, 2), "BTC", D(2), D(100)),
        Dispose("s", date(2027, 12, 1), "BTC", D(1), D(450)),
    ]
    law = Law(boundary={"BTC": BoundaryValue(D(120))})
    made = facts(events=events, year=2028, law=law, settled=(), rates=(), balances=())
    return build_report(replace(made, profile=Profile("me")))


CASES: dict[str, Callable[[], TaxReport]] = {
    "plain": plain, "draft": draft, "company": company, "new_law": new_law
}  # fmt: skip


def as_json(report: TaxReport) -> str:
    return json.dumps(report_json(report), indent=1, ensure_ascii=False) + "\n"


def as_text(report: TaxReport) -> str:
    pages = PdfReader(BytesIO(report_pdf(report))).pages
    lines = [line.rstrip() for page in pages for line in page.extract_text().splitlines()]
    return "\n".join(lines) + "\n"


def as_csv(report: TaxReport) -> str:
    return "".join(f"# {name}\n{text}\n" for name, text in report_csv(report).items())


FORMS = [(name, "json", as_json) for name in CASES]
FORMS += [("plain", "html", report_html), ("draft", "pdf.txt", as_text), ("plain", "csv", as_csv)]


@pytest.mark.parametrize(("name", "ending", "form"), FORMS, ids=lambda value: str(value)[:12])
def test_the_report_is_as_it_was(name: str, ending: str, form: Callable[[TaxReport], str]) -> None:
    path, found = FOLDER / f"{name}.{ending}", form(CASES[name]())
    if os.environ.get("OPENALPHA_WRITE_GOLDEN"):
        path.parent.mkdir(exist_ok=True)
        path.write_text(found, "utf-8")
    assert path.read_text("utf-8") == found, f"run `make golden` and review {path.name}"

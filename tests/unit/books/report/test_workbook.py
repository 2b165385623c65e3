"""The workbook read back: every formula, worked out by a small evaluator, is the model's figure."""

import re
from datetime import date
from decimal import Decimal
from io import BytesIO
from typing import Any

import pytest
from openpyxl import load_workbook

from openalpha.books.report import build_report
from openalpha.books.report.contents import tables_of
from openalpha.books.report.model import TaxReport
from openalpha.books.report.xlsx import report_xlsx
from openalpha.books.tax.entity import Entity, Policy, Treatment
from openalpha.books.tax.events import Acquire, Cost, Dispose, StatedGain
from openalpha.books.tax.gains import BoundaryValue, Law
from openalpha.books.tax.profile import Profile
from tests.fakes.tax_report import facts, history, item

D = Decimal
CELL = r"\$?[A-Z]{1,2}\$?\d+"
PLACE = re.compile(rf"(?:'(?P<sheet>[^']+)'!)?(?P<first>{CELL})(?::(?P<last>{CELL}))?")


class Sheets:
    """Works out the formulas of a workbook, as a spreadsheet would."""

    def __init__(self, content: bytes) -> None:
        self.book = load_workbook(BytesIO(content))
        self.kept = load_workbook(BytesIO(content), data_only=True)
        self.known: dict[tuple[str, str], Any] = {}

    def value(self, sheet: str, cell: str) -> Any:
        name = cell.replace("$", "")
        if (sheet, name) not in self.known:
            found = self.book[sheet][name].value
            is_formula = isinstance(found, str) and found.startswith("=")
            self.known[sheet, name] = self.work(sheet, found[1:]) if is_formula else found
        return self.known[sheet, name]

    def work(self, sheet: str, formula: str) -> Any:
        texts: list[str] = re.findall(r'"[^"]*"', formula)
        bare = re.sub(r'"[^"]*"', "TEXT", formula)

        def called(found: re.Match[str]) -> str:
            place = found["sheet"] or sheet
            if found["last"] is None:
                return f"one({place!r},{found['first']!r})"
            return f"many({place!r},{found['first']!r},{found['last']!r})"

        code = PLACE.sub(called, bare)
        code = re.sub(r"\bIF\(", "IF_(", code)
        for text in texts:
            code = code.replace("TEXT", repr(text[1:-1]), 1)
        words = {
            "one": lambda place, cell: self.value(place, cell) or 0.0,
            "many": self.many, "SUM": lambda cells: sum(filter(None, cells)), "SUMIFS": sumifs,
            "MAX": max, "MIN": min, "ROUND": round, "ROUNDDOWN": lambda x, _: float(int(x)),
            "IF_": lambda test, yes, no: yes if test else no,
        }  # fmt: skip
        return eval(code, {"__builtins__": {}}, words)

    def many(self, sheet: str, first: str, last: str) -> list[Any]:
        column = re.sub(r"[^A-Z]", "", first)
        rows = (int(re.sub(r"\D", "", cell)) for cell in (first, last))
        return [self.value(sheet, f"{column}{row}") for row in range(next(rows), next(rows) + 1)]

    def formulas(self) -> list[tuple[str, str]]:
        return [
            (sheet.title, cell.coordinate)
            for sheet in self.book
            for row in sheet.iter_rows()
            for cell in row
            if isinstance(cell.value, str) and cell.value.startswith("=")
        ]


def sumifs(amounts: list[Any], *tests: Any) -> float:
    total = 0.0
    for at, amount in enumerate(amounts):
        pairs = zip(tests[::2], tests[1::2], strict=True)
        if all(fits(cells[at], test) for cells, test in pairs) and amount is not None:
            total += amount
    return total


def fits(cell: Any, test: str) -> bool:
    if test.startswith("<>"):
        return (cell or "") != test[2:]
    if test[0] in "<>":
        return cell is not None and (cell > 0 if test == ">0" else cell < 0)
    return bool(cell == test)


def reports() -> dict[str, TaxReport]:
    stated = StatedGain("k10", date(2026, 1, 1), D(700), category="K10")
    owned = [
        Acquire("a", date(2024, 1, 1), "BTC", D(3), D(150)),
        Cost("interest", date(2025, 1, 1), "BTC", 3, D(45)),
        Dispose("gain", date(2026, 1, 1), "BTC", D(1), D(90)),
        Dispose("none", date(2026, 2, 1), "BTC", D(1), D(60)),
        Dispose("loss", date(2026, 3, 1), "BTC", D(1), D(40)),
    ]
    losing = [
        Acquire("a", date(2024, 1, 1), "BTC", D(3), D(150)),
        Dispose("gain", date(2026, 1, 1), "BTC", D(1), D(90)),
        Dispose("loss", date(2026, 2, 1), "BTC", D(2), D(25)),
    ]
    straddling = [
        Acquire("a", date(2025, 7, 2), "BTC", D(2), D(100)),
        Acquire("c", date(2027, 8, 1), "BTC", D(1), D(200)),
        Dispose("s", date(2027, 12, 1), "BTC", D(3), D(450)),
        StatedGain("l", date(2027, 12, 2), D(-20)),
    ]
    law = Law(boundary={"BTC": BoundaryValue(D(120))})
    scheme = Policy(treatment=Treatment.REVENUE_PROFIT_SCHEME)
    return {
        "plain": build_report(facts()),
        "with currency": build_report(facts(events=[*history(), stated])),
        "costs of owning": build_report(facts(events=owned)),
        "new law": build_report(facts(events=straddling, year=2028, law=law)),
        "profit scheme": build_report(facts(profile=Profile("me", scheme))),
        "trust": build_report(facts(profile=Profile("t", Policy(entity=Entity.TRUST)))),
        "fund": build_report(facts(profile=Profile("f", Policy(entity=Entity.SMSF)))),
        "company": build_report(facts(profile=Profile("c", Policy(entity=Entity.COMPANY)))),
        "losses only": build_report(facts(year=2024)),
        "more lost than won": build_report(facts(events=losing)),
        "draft": build_report(facts(open_items=(item(),))),
    }


REPORTS = reports()


@pytest.mark.parametrize("name", REPORTS)
def test_every_formula_gives_the_figure_of_the_model(name: str) -> None:
    report = REPORTS[name]
    sheets = Sheets(report_xlsx(report))
    formulas = sheets.formulas()
    assert len(formulas) > 25
    for sheet, cell in formulas:
        worked, kept = sheets.value(sheet, cell), sheets.kept[sheet][cell].value
        if isinstance(kept, str):
            assert worked == kept, (sheet, cell)
        else:
            assert worked == pytest.approx(float(kept), abs=1e-6), (sheet, cell)


@pytest.mark.parametrize("name", REPORTS)
def test_labels_and_schedule_read_as_the_report_says(name: str) -> None:
    report = REPORTS[name]
    sheets = Sheets(report_xlsx(report))
    for table, lines in (("labels", report.labels), ("schedule", report.schedule)):
        title = next(one.title for one in tables_of(report) if one.slug == table)
        for number, line in enumerate(lines):
            shown = sheets.value(title, f"D{number + 5}")
            plain = line.shown.replace(",", "")
            assert shown == (float(plain) if line.exact is not None else plain), line


def test_a_corrected_cost_moves_the_net_gain() -> None:
    sheets = Sheets(report_xlsx(REPORTS["plain"]))
    before = sheets.value("How the gain adds up", "B10")
    row = next(
        number for number, found in enumerate(REPORTS["plain"].disposals)
        if found.disposal == "sell-btc"
    )  # fmt: skip
    cell = sheets.book["Disposals"].cell(row + 5, 10)
    cell.value -= 1000
    sheets.known.clear()
    assert sheets.value("How the gain adds up", "B10") == pytest.approx(before + 500)


def test_text_is_never_a_formula_and_a_draft_says_so() -> None:
    odd = item()._replace(text='=HYPERLINK("x")', key="=1+1")
    book = load_workbook(BytesIO(report_xlsx(build_report(facts(open_items=(odd,))))))
    first = [cell.value for row in book["First page"].iter_rows() for cell in row]
    assert "me, income year 2025-26 – DRAFT" in first
    assert "1 × missing rate" in first
    cells = [cell for row in book["Open items"].iter_rows() for cell in row]
    assert {c.data_type for c in cells if c.value in ('=HYPERLINK("x")', "=1+1")} == {"s"}

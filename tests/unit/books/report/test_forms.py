"""The other forms: PDF read back, HTML that asks nobody, CSV with every digit, JSON."""

import csv
import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from io import BytesIO, StringIO

import pytest
from pypdf import PdfReader

from openalpha.books.report import build_report
from openalpha.books.report.contents import tables_of
from openalpha.books.report.csv_files import report_csv
from openalpha.books.report.html import report_html
from openalpha.books.report.json_form import report_json
from openalpha.books.report.model import TaxReport
from openalpha.books.report.pdf import report_pdf
from tests.fakes.tax_report import D, facts, item

FINAL = build_report(facts())
DRAFT = build_report(facts(open_items=(item(),)))


def pdf_text(content: bytes) -> list[str]:
    return [page.extract_text() for page in PdfReader(BytesIO(content)).pages]


def test_the_pdf_holds_every_table_and_the_figures() -> None:
    pages = pdf_text(report_pdf(FINAL))
    whole = "\n".join(pages)
    for table in tables_of(FINAL):
        assert table.title in whole
    for figure in ("19,920.00", "-1,508.50", "9,750.75", "21,009", "Ann Example", "a.csv, line 8"):
        assert figure in whole, figure
    assert FINAL.report_sha256 in pages[0]
    first = " ".join(pages[0].split())
    assert "General information worked out by a program, not tax advice" in first
    assert all("not tax advice" in page for page in pages)
    assert all(re.search(r"FINAL · report \w{16} · OpenAlpha 9.9.9", page) for page in pages)
    assert "DRAFT" not in whole


def test_a_draft_is_stamped_on_every_page_with_its_reasons() -> None:
    pages = pdf_text(report_pdf(DRAFT))
    assert all(page.count("DRAFT") >= 2 for page in pages)  # watermark and footer
    assert "1 × missing rate" in pages[0]
    assert "no rate says what it was worth" in "".join(pages)


def test_names_in_other_scripts_break_nothing_and_are_spoken_of() -> None:
    profile = replace(facts().profile, full_name="Nguyễn 安全 Жук")
    made = build_report(facts(profile=profile))
    first = " ".join(pdf_text(report_pdf(made))[0].split())
    assert "Nguyên ?? ???" in first
    assert "Characters of other scripts (5 of them) stand as ?" in first
    assert "安全" in report_html(made)
    assert "Characters of other scripts" not in " ".join(pdf_text(report_pdf(FINAL)))


def test_a_pdf_has_an_outline_and_the_same_report_the_same_bytes() -> None:
    content = report_pdf(FINAL)
    titles = [entry["/Title"] for entry in PdfReader(BytesIO(content)).outline]
    assert titles[:2] == ["First page", "Labels of the return"]
    assert content == report_pdf(FINAL)


def test_letters_the_fonts_lack_and_brackets_do_no_harm() -> None:
    odd = item()._replace(text="file (1).csv, line 2: 比特币 → wert \\ 5 € für (Ärger")
    whole = "\n".join(pdf_text(report_pdf(build_report(facts(open_items=(odd,))))))
    assert "file (1).csv, line 2: ??? ? wert \\ 5 € für (Ärger" in whole


def test_a_long_table_has_its_head_on_each_page() -> None:
    row = FINAL.disposals[0]
    many = replace(FINAL, disposals=(row,) * 200)
    pages = [p for p in pdf_text(report_pdf(many)) if p.count("sell-btc") > 5]
    assert len(pages) >= 3
    assert all("proceeds" in page and "acquired" in page for page in pages)
    total = next(line for page in pages for line in page.splitlines() if "total" in line)
    assert total


class _Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.sources: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.sources += [v or "" for k, v in attrs if k in ("src", "href") and v]
        if tag not in ("meta", "br", "img", "link", "input"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@pytest.mark.parametrize("report", [FINAL, DRAFT], ids=["final", "draft"])
def test_the_page_is_whole_and_asks_nobody(report: TaxReport) -> None:
    page = report_html(report)
    tags = _Tags()
    tags.feed(page)
    assert tags.open == []
    assert all(source.startswith("#") for source in tags.sources)
    assert not re.search(r"https?:|@import|url\(", page)
    assert ("watermark" in page.split("</style>")[1]) == (report is DRAFT)
    assert "prefers-color-scheme: dark" in page
    assert "19,920.00" in page


def test_what_a_file_says_cannot_become_markup() -> None:
    odd = item()._replace(text="<script>alert(1)</script>")
    page = report_html(build_report(facts(open_items=(odd,))))
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert(1)" in page


def test_csv_keeps_every_digit_and_no_formula() -> None:
    odd = item()._replace(text="=1+1")
    files = report_csv(build_report(facts(open_items=(odd,))))
    assert set(files) >= {"first-page.csv", "labels.csv", "disposals.csv", "parcels.csv"}
    rows = list(csv.DictReader(StringIO(files["disposals.csv"])))
    assert len(rows) == len(FINAL.disposals)
    sold = next(row for row in rows if row["disposal"] == "sell-btc")
    assert D(sold["gain or loss"]) == 19920
    assert len(sold["hash"]) == 64
    (opened,) = csv.DictReader(StringIO(files["open.csv"]))
    assert opened["what to do"] == "'=1+1"


def test_json_is_the_whole_model() -> None:
    found = json.loads(json.dumps(report_json(FINAL)))
    assert found["schema"] == "openalpha.tax_report/1"
    assert found["status"] == "FINAL"
    labels = {row["label"]: row["exact"] for row in found["labels"]}
    assert labels["10L"] == "12.4"
    assert len(found["disposals"]) == len(FINAL.disposals)
    assert found["disposals"][0]["day"] == "2025-09-10"

"""The report as one HTML page: style inside, no request leaves it, light and dark."""

from collections.abc import Iterator, Sequence
from html import escape
from importlib.resources import files

from openalpha.books.report.contents import tables_of
from openalpha.books.report.first_page import DISCLAIMER
from openalpha.books.report.model import TaxReport
from openalpha.books.report.summary import headline, marks_note, tiles
from openalpha.books.report.tables import Table
from openalpha.pages.cells import Cell, Column, shown

__all__ = ["report_html"]

_ROWS = 2_000
_KEY = 10
_NUMBERS = ("aud", "qty", "number")
_SCRIPT = """
(() => {
  const root = document.documentElement, button = document.getElementById("theme");
  const dark = () => (root.dataset.theme || (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light")) === "dark";
  const name = () => { button.textContent = dark() ? "Light" : "Dark"; };
  button.addEventListener("click", () => { root.dataset.theme = dark() ? "light" : "dark"; name(); });
  name();
})();
"""  # noqa: E501 - script text


def report_html(report: TaxReport) -> str:
    """Return the report as a whole HTML document.

    A table of more than 2,000 rows shows the first of them and says where the rest is.

    Parameters
    ----------
    report : TaxReport
    """
    tables = tables_of(report)
    body = "".join([*_head(report), _first(report), *map(_section, tables)])
    css = (files("openalpha.books.report") / "assets" / "report.css").read_text("utf-8")
    title = escape(f"{headline(report)} ({report.status})")
    watermark = "" if report.is_final else '<div class="watermark" aria-hidden="true">' \
        "<span>DRAFT</span></div>"  # fmt: skip
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="generator" content="OpenAlpha {escape(report.version)}">
<title>{title}</title>
<style>{css}</style>
</head>
<body>
{watermark}<div class="bar"><span class="mark" aria-hidden="true"></span><b>OpenAlpha</b>
<button id="theme" type="button" aria-label="Switch between light and dark">Dark</button></div>
<main>{body}</main>
<footer><p>{escape(DISCLAIMER)} Report {report.report_sha256}. {escape(report.made)}</p></footer>
<script>{_SCRIPT}</script>
</body>
</html>
"""


def _head(report: TaxReport) -> Iterator[str]:
    status = report.status
    yield (
        f'<header class="head"><p class="kicker">Australian tax report</p>'
        f"<h1>{escape(headline(report))}"
        f'<span class="status {status.lower()}">{status}</span></h1></header>'
    )
    yield '<div class="tiles">'
    for name, value in tiles(report):
        yield f'<div><p class="value">{escape(value)}</p><p>{escape(name)}</p></div>'
    yield "</div>"
    if report.reasons:
        rows = "".join(f"<li>{escape(reason)}</li>" for reason in report.reasons)
        yield f'<section class="card reasons"><h2>Why this is a draft</h2><ul>{rows}</ul></section>'
    if report.kept is not None:
        yield f'<section class="card locked"><p>{escape(report.kept.words)}</p></section>'
    if report.is_synthetic:
        yield (
            '<section class="card synthetic"><b>SYNTHETIC</b>: figures rest on made-up prices; '
            "they show how the report works and go on no return.</section>"
        )


def _first(report: TaxReport) -> str:
    rows = []
    for said in report.settings:
        source = " ".join(filter(None, (said.source, f"[{said.mark}]" if said.mark else "")))
        small = f" <small>{escape(source)}</small>" if source else ""
        rows.append(f"<dt>{escape(said.name)}</dt><dd>{escape(said.value)}{small}</dd>")
    for name, value in (
        ("Figures", report.figures_sha256),
        ("Parcels used", report.parcels_sha256),
        ("Report", report.report_sha256),
    ):
        rows.append(f"<dt>{name}, SHA-256</dt><dd>{value}</dd>")
    links = "".join(
        f'<a href="#{table.slug}">{escape(table.title)}</a>' for table in tables_of(report)
    )
    return (
        f'<nav class="toc" aria-label="Contents">{links}</nav>'
        f'<section class="card"><h2>First page</h2><p class="note">{escape(marks_note(report))}</p>'
        f'<dl class="said">{"".join(rows)}</dl></section>'
    )


def _section(table: Table) -> str:
    head = f'<section class="card" id="{table.slug}"><h2>{escape(table.title)}</h2>'
    note = table.note
    if len(table.rows) > _ROWS:
        note += (
            f" The first {_ROWS:,} of {len(table.rows):,} rows; every row is in the PDF, the "
            "workbook and the CSV."
        )
    note = f'<p class="note">{escape(note)}</p>'
    if not table.rows:
        return f'{head}<p class="note">{escape(table.empty)}</p></section>'
    return f'{head}{note}<div class="scroll" tabindex="0">{_table(table)}</div></section>'


def _table(table: Table) -> str:
    heads = "".join(
        f'<th scope="col"{_class(column)}>{escape(column.name)}</th>' for column in table.columns
    )
    rows = "".join(_row(table, row) for row in table.rows[:_ROWS])
    totals = table.totals
    foot = ""
    if totals is not None:
        head = "total" if totals[0] is None else totals[0]
        foot = f"<tfoot>{_row(table, (head, *totals[1:]))}</tfoot>"
    return f"<table><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody>{foot}</table>"


def _row(table: Table, row: Sequence[Cell]) -> str:
    cells = zip(row, table.columns, strict=True)
    return f"<tr>{''.join(_cell(cell, column) for cell, column in cells)}</tr>"


def _cell(cell: Cell, column: Column) -> str:
    text = shown(cell, column.kind)
    if column.kind == "key" and len(text) > _KEY + 2 and "/" not in text:
        inner = f'<abbr title="{escape(text)}">{escape(text[:_KEY])}</abbr>'
    else:
        inner = escape(text)
    return f"<td{_class(column)}>{inner}</td>"


def _class(column: Column) -> str:
    if column.kind in _NUMBERS:
        return ' class="num"'
    return ' class="words"' if column.kind == "words" else ""

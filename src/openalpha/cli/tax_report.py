"""`openalpha tax report` and `reopen`: a year's report in every form, and the final one's lock."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from openalpha.cli.conventions import (
    ConfigOption,
    JsonOption,
    QuietOption,
    Screen,
    SetOption,
    read_settings,
)
from openalpha.cli.ledger_open import EntityOption, EnvironmentOption, open_books
from openalpha.core.errors import InputError

if TYPE_CHECKING:
    from openalpha.books.report import TaxReport

__all__ = ["app"]

YearOption = Annotated[
    str, typer.Option("--year", metavar="YEAR", help="Income year, written 2025-26.")
]
ReasonOption = Annotated[str, typer.Option("--reason", help="Why; kept with the books.")]

app = typer.Typer()


@app.command()
def report(  # noqa: PLR0913, PLR0917 - the options of a command
    year: YearOption,
    entity: EntityOption = "",
    treatment: Annotated[
        str | None,
        typer.Option(
            "--treatment",
            help="capital, revenue_profit_scheme or revenue_trading_stock, for everything; else "
            "as the entity's file says.",
        ),
    ] = None,
    method: Annotated[
        str | None,
        typer.Option("--method", help="fifo, lifo, hifo, specific or min_tax; else as the file."),
    ] = None,
    chosen_by: Annotated[
        str, typer.Option("--by", metavar="NAME", help="Who chose treatment and parcels.")
    ] = "",
    reason: ReasonOption = "",
    draft: Annotated[
        bool, typer.Option("--draft", help="Keep it a draft: nothing is locked.")
    ] = False,
    html: Annotated[Path | None, typer.Option("--html", metavar="FILE")] = None,
    pdf: Annotated[Path | None, typer.Option("--pdf", metavar="FILE")] = None,
    xlsx: Annotated[Path | None, typer.Option("--xlsx", metavar="FILE")] = None,
    csv: Annotated[Path | None, typer.Option("--csv", metavar="DIR")] = None,
    environment: EnvironmentOption = "",
    account: Annotated[
        str, typer.Option("--account", metavar="NAME", help="One account of a simulated book.")
    ] = "",
    config: ConfigOption = None,
    settings: SetOption = None,
    json_to: JsonOption = None,
    quiet: QuietOption = False,
) -> None:
    """Report an income year: a DRAFT while anything is open; else FINAL, and the year is locked."""
    from openalpha.books.report.json_form import report_json
    from openalpha.books.tax.dates import parse_year
    from openalpha.cli.tax_report_make import Wish, make_report

    screen = Screen(json_to, is_quiet=quiet)
    loaded = read_settings(config, settings)
    wish = Wish(
        year=parse_year(year),
        entity=entity or loaded.settings.books.entity,
        treatment=treatment,
        method=method,
        chosen_by=chosen_by.strip(),
        reason=reason.strip(),
        is_draft=draft,
        environment=environment,
        account=account,
    )
    _check_places((html, pdf, xlsx), csv)
    with open_books(loaded) as books:
        made = make_report(books, wish)
    written = _written(made, html=html, pdf=pdf, xlsx=xlsx, csv=csv)
    screen.result(report_json(made))
    _show(screen, made)
    for what, path in written:
        screen.show(f"{what} written to {path}")


@app.command()
def reopen(
    year: YearOption,
    reason: ReasonOption,
    entity: EntityOption = "",
    settings: SetOption = None,
    quiet: QuietOption = False,
) -> None:
    """Open a year again that a final report locked; the lock and the reason stay in the books."""
    from openalpha.books.locks import YearLocks
    from openalpha.books.tax.dates import parse_year

    screen = Screen(is_quiet=quiet)
    loaded = read_settings(None, settings)
    ends = parse_year(year)
    with open_books(loaded) as books:
        whose = entity or loaded.settings.books.entity
        YearLocks(books.database, books.clock).reopen(whose, ends, reason=reason)
    screen.show(f"{year} of {whose} is open again; its next final report locks it anew")
    screen.show("If the return was lodged, a change of its figures needs an amendment.")


def _show(screen: Screen, made: "TaxReport") -> None:
    from rich.table import Table
    from rich.text import Text

    from openalpha.books.report.contents import tables_of
    from openalpha.books.report.summary import headline
    from openalpha.pages.cells import shown

    screen.show(Text(f"{headline(made)}: {made.status}", style="bold"))
    if made.is_synthetic:
        screen.show("SYNTHETIC: figures rest on made-up prices and go on no return.")
    if made.simulated:
        screen.show(f"From the books of {made.simulated}: no real money was moved.")
    for reason in made.reasons:
        screen.show(Text(f"  draft: {reason}"))
    if made.kept is not None:
        screen.show(Text(made.kept.words))
    for table in tables_of(made):
        if table.slug not in ("labels", "treatments"):
            continue
        drawn = Table(title=table.title, title_justify="left")
        names = [column for column in table.columns if column.name not in ("where", "mark")]
        for column in names:
            is_number = column.kind in ("aud", "number")
            drawn.add_column(column.name, justify="right" if is_number else "left")
        for row in table.rows:
            cells = zip(row, table.columns, strict=True)
            drawn.add_row(*(Text(shown(cell, c.kind)) for cell, c in cells if c in names))
        screen.show(drawn)
    counts = f"{len(made.disposals):,} disposal rows, {len(made.earnings):,} of income or deduction"
    screen.show(f"{counts}, {len(made.holdings):,} parcels held")
    screen.show(f"report {made.report_sha256[:16]}, figures {made.figures_sha256[:16]}")
    screen.show("General information worked out by a program, not tax advice.")


def _written(
    made: "TaxReport",
    *,
    html: Path | None,
    pdf: Path | None,
    xlsx: Path | None,
    csv: Path | None,
) -> list[tuple[str, Path]]:
    """Write what was asked for, each file whole or not at all."""
    from openalpha.store.atomic import write_bytes

    contents: list[tuple[str, Path, bytes]] = []
    if html is not None:
        from openalpha.books.report.html import report_html

        contents.append(("HTML", html, report_html(made).encode()))
    if pdf is not None:
        from openalpha.books.report.pdf import report_pdf

        contents.append(("PDF", pdf, report_pdf(made)))
    if xlsx is not None:
        from openalpha.books.report.xlsx import report_xlsx

        contents.append(("Workbook", xlsx, report_xlsx(made)))
    done: list[tuple[str, Path]] = []
    for what, path, content in contents:
        write_bytes(path, content)
        done.append((what, path))
    if csv is not None:
        from openalpha.books.report.csv_files import report_csv

        for name, text in report_csv(made).items():
            write_bytes(csv / name, text.encode())
        done.append(("CSV", csv))
    return done


def _check_places(files: Sequence[Path | None], folder: Path | None) -> None:
    """Refuse places that cannot be written before a year is locked."""
    for path in files:
        if path is not None and path.is_dir():
            raise InputError(f"{path} is a folder; name a file in it")
    if folder is not None and folder.exists() and not folder.is_dir():
        raise InputError(f"{folder} is a file; --csv names a folder for one file a table")

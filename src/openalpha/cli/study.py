"""What the commands that run a strategy many times share: their options and how they begin."""

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from openalpha.cli.backtest_data import is_instrument, parse_wanted
from openalpha.cli.conventions import Screen, write_text
from openalpha.core.errors import InputError

if TYPE_CHECKING:
    from openalpha.market.history import History
    from openalpha.research.report.listing import Listing
    from openalpha.research.study import Shown
    from openalpha.research.sweep import Progress
    from openalpha.settings import LoadedSettings

__all__ = [
    "CsvFileOption", "GridOption", "HtmlOption", "MethodOption", "ObjectiveOption",
    "PdfOption", "SeedOption", "TrialsOption", "WorkersOption", "counting", "data_of", "groups_of",
    "parse_grid", "say_verdict", "show_listing", "strategy_of", "write_pages",
]  # fmt: skip


GridOption = Annotated[
    list[str] | None,
    typer.Option(
        "--grid", metavar="NAME=FROM:TO:STEP", help="Values of a parameter, or a,b,c; repeatable."
    ),
]
ObjectiveOption = Annotated[
    list[str] | None,
    typer.Option("--objective", metavar="METRIC", help="What to optimise; several for nsga2, tpe."),
]
MethodOption = Annotated[
    str, typer.Option("--method", help="grid, random, tpe, nsga2, cmaes or genetic.")
]
TrialsOption = Annotated[
    int | None, typer.Option("--trials", help="Configurations to try; else all of a grid.")
]
SeedOption = Annotated[int, typer.Option("--seed", help="The same seed gives the same bytes.")]
WorkersOption = Annotated[
    int | None, typer.Option("--workers", help="As many as cores if not set.")
]
HtmlOption = Annotated[
    Path | None, typer.Option("--html", metavar="FILE", help="Write the report as one HTML file.")
]
PdfOption = Annotated[
    Path | None, typer.Option("--pdf", metavar="FILE", help="Write the report as PDF.")
]
CsvFileOption = Annotated[
    Path | None, typer.Option("--csv", metavar="FILE", help="Write one row a trial as CSV.")
]


def strategy_of(what: Sequence[str]) -> tuple[str, list[str]]:
    """Tell the strategy from instruments typed as further values of `--instrument`.

    Raises
    ------
    InputError
        Unless there is exactly one strategy.
    """
    names = [text for text in what if not is_instrument(text)]
    if len(names) != 1:
        given = ", ".join(names) if names else "none"
        raise InputError(
            f"one strategy is needed, given was {given}; `openalpha strategy list` shows them"
        )
    return names[0], [text for text in what if is_instrument(text)]


def data_of(
    screen: Screen,
    loaded: "LoadedSettings",
    instruments: Sequence[str],
    *,
    files: Sequence[str],
    timeframe: str,
    span: tuple[str, str],
    capital: str,
) -> "dict[str, History]":
    """Read the histories a command names, and compile what it will run."""
    from openalpha.api import money_given
    from openalpha.cli.backtest_data import histories_of
    from openalpha.cli.kernel import compile_kernel
    from openalpha.settings import prepare_home

    wanted = parse_wanted(instruments, files, timeframe=timeframe).within(*span)
    with screen.progress("reading history"):
        histories = histories_of(wanted, loaded, capital=money_given(capital))
    prepare_home(loaded.home)
    compile_kernel(screen)
    return histories


def groups_of(loaded: "LoadedSettings") -> dict[str, Any]:
    """Return the settings groups of a run by name."""
    found = loaded.settings
    return {
        "costs": found.costs, "sizing": found.sizing, "margin": found.margin, "fills": found.fills,
        "risk": found.risk,
    }  # fmt: skip


def parse_grid(texts: Sequence[str] | None) -> Mapping[str, str]:
    """Return `--grid` texts by parameter.

    Raises
    ------
    InputError
        If a text is not `NAME=VALUES`, or a name comes twice.

    Examples
    --------
    >>> parse_grid(["fast=5:40:1"])
    {'fast': '5:40:1'}
    """
    from openalpha.cli.strategy import parse_pairs

    return parse_pairs(texts, "--grid")


@contextmanager
def counting(screen: Screen, what: str, *, unit: str) -> "Iterator[Progress]":
    """Show how many runs are done, at what rate, and how long the rest will take."""
    with screen.progress(what, None, unit=unit) as advance:
        seen = 0

        def told(done: int, total: float) -> None:
            nonlocal seen
            advance(done - seen, total=total if math.isfinite(total) else None)
            seen = done

        yield told


def write_pages(
    screen: Screen,
    result: "Shown",
    *,
    html: Path | None,
    document: str,
    pdf: Path | None = None,
) -> None:
    """Write what was asked for: a page, the same on paper, the document as JSON."""
    if html is not None:
        screen.remark(f"Report written to {result.to_html(html)}")
    if pdf is not None:
        screen.remark(f"PDF written to {result.to_pdf(pdf)}")
    if screen.json_to == "-":
        typer.echo(document)
    elif screen.json_to is not None:
        write_text(Path(screen.json_to), document + "\n")
        screen.remark(f"JSON written to {screen.json_to}")


def show_listing(screen: Screen, listing: "Listing", *, title: str = "") -> None:
    """Print a table, under a headline or not; its first column is what the rows are called by."""
    from rich.markup import escape
    from rich.table import Table

    if not listing.rows:
        screen.show(escape(title))
        return
    table = Table(title=escape(title) or None, title_justify="left")
    for at, name in enumerate(listing.heads):
        table.add_column(escape(name), justify="right" if at else "left")
    for row in listing.cells:
        table.add_row(*map(escape, row))
    screen.show(table)


def say_verdict(screen: Screen, sentences: Sequence[tuple[str, str]]) -> None:
    """Print the sentences of a verdict."""
    from rich.markup import escape

    for _, words in sentences:
        screen.show(escape(words))

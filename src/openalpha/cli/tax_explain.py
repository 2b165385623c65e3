"""`openalpha tax explain`: the chain behind a figure, down to the fills it came from."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from openalpha.cli.conventions import JsonOption, QuietOption, Screen, SetOption, read_settings
from openalpha.cli.ledger_open import EntityOption, open_books
from openalpha.core.errors import InputError, UnknownName

if TYPE_CHECKING:
    from openalpha.books.imports.history import ImportedHistory
    from openalpha.books.ledger import Ledger
    from openalpha.books.tax.entity_year import Assessed
    from openalpha.books.tax.slices import Revenue

__all__ = ["app"]

app = typer.Typer()

_EARNED = ("10L", "24", "D15", "income", "deductions")
_SHORTEST_KEY = 4


@app.command()
def explain(
    what: Annotated[
        str,
        typer.Argument(
            metavar="LABEL|DISPOSAL",
            help="18A, 18H, 18V, 6A, 24, D15, income, deductions; or a disposal's key.",
        ),
    ],
    year: Annotated[
        str | None, typer.Option("--year", metavar="YEAR", help="Income year of a label, 2025-26.")
    ] = None,
    examples: Annotated[
        Path | None,
        typer.Option("--examples", metavar="FILE", help="Of a worked example, not of the books."),
    ] = None,
    example: Annotated[
        str | None, typer.Option("--example", help="Id of the example, if FILE has several.")
    ] = None,
    entity: EntityOption = "",
    settings: SetOption = None,
    json_to: JsonOption = None,
    quiet: QuietOption = False,
) -> None:
    """Print the chain from a label or a disposal to parcels and fills, with rules and sources."""
    from rich.text import Text

    from openalpha.books.tax.dates import parse_year

    ends = None if year is None else parse_year(year)
    if examples is not None:
        lines = _of_example(examples, example, what, ends)
    elif example is not None:
        raise InputError("--example names one of a file's: give the file, too, by --examples FILE")
    else:
        loaded = read_settings(None, settings)
        with open_books(loaded) as books:
            lines = _of_books(books, entity or loaded.settings.books.entity, what, ends)
    screen = Screen(json_to, is_quiet=quiet)
    for line in lines:
        screen.show(Text(line))
    screen.result({"schema": "openalpha.tax.explain/1", "of": what, "lines": lines})


def _of_example(file: Path, name: str | None, what: str, year: int | None) -> list[str]:
    from openalpha.books.tax.amounts import exact
    from openalpha.books.tax.explain import explain as explained
    from openalpha.books.tax.tables import load_tables
    from openalpha.books.tax.worked import run_example
    from openalpha.cli.tax_examples import chosen_example, read_examples

    chosen = chosen_example(read_examples(file), name, file)
    with exact():
        outcome = run_example(chosen, tables=load_tables())
    return explained(outcome.assessment, what, year=year)


def _of_books(books: "Ledger", entity: str, what: str, year: int | None) -> list[str]:
    from openalpha.books.tax.explain import explain as explained
    from openalpha.books.tax.explain import explain_revenue
    from openalpha.books.whole import assessed_with

    history, found = assessed_with(books, entity)
    if not history.events:
        raise UnknownName(
            f"the books hold nothing of {entity}; `openalpha tax import FILE…` brings histories in"
        )
    origin = _origin(history)
    if what in _EARNED:
        chosen = _chooser(what, found, history)
        return explain_revenue(found, what, chosen=chosen, year=year, origin=origin)
    return explained(found, _whole_key(what, found), year=year, origin=origin)


def _whole_key(what: str, found: "Assessed") -> str:
    """Return the disposal whose key begins so; the text itself where none does."""
    names = {piece.disposal for piece in found.slices}
    if what in names or len(what) < _SHORTEST_KEY:
        return what
    fitting = sorted(name for name in names if name.startswith(what))
    plain = [name for name in fitting if "." not in name]
    if len(plain) == 1:
        return plain[0]
    if len(fitting) > 1:
        shown = ", ".join(fitting[:5])
        raise UnknownName(f"{len(fitting)} disposals begin with '{what}': {shown}; write one whole")
    return fitting[0] if fitting else what


def _chooser(
    what: str, found: "Assessed", history: "ImportedHistory"
) -> "Callable[[Revenue], bool]":
    from openalpha.books.report.labelled import earning_label
    from openalpha.books.tax.events import Money

    if what in ("income", "deductions"):
        return lambda row: (row.amount > 0) == (what == "income")
    money = {event.id for event in history.events if isinstance(event, Money)}
    kind = found.profile.entity
    return lambda row: (
        earning_label(kind, row.kind, amount=row.amount, is_money=row.event in money) == what
    )


def _origin(history: "ImportedHistory") -> Callable[[str], Iterator[str]]:
    """Return what says where an event comes from: its row, what it states, the rates it took."""
    from openalpha.core.clock import format_ms

    rates: dict[int, list[str]] = {}
    for (coin, ts_ms), rate in history.rates.items():
        words = f"rate: 1 {coin} = {rate.rate.normalize():f} AUD, {rate.source}"
        rates.setdefault(ts_ms, []).append(f"{words}, of {format_ms(rate.ts_ms)}")

    def lines(event: str) -> Iterator[str]:
        record = history.sources.get(event.split(".", 1)[0].split("@", 1)[0])
        if record is None:
            return
        moves = ", ".join(f"{m.amount.normalize():+f} {m.coin}" for m in record.moves)
        fees = ", ".join(f"{m.amount.normalize():f} {m.coin}" for m in record.fees)
        said = " ".join(filter(None, (record.label or record.kind.value, record.contract, moves)))
        fee = f", fee {fees}" if fees else ""
        ref = f", id {record.ref}" if record.ref else ""
        yield f"source: {record.where}, {record.venue} at {format_ms(record.ts_ms)}"
        yield f"  {said}{fee}{ref}"
        coins = {move.coin for move in (*record.moves, *record.fees)}
        for words in rates.get(record.ts_ms, ()):
            if words.split(" ")[2] in coins:
                yield f"  {words}"

    return lines

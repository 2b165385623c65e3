"""`openalpha tax select`: name the parcels of a sale on the day it was made."""

from decimal import Decimal
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
from openalpha.cli.ledger_open import EntityOption, amount_of, open_books
from openalpha.core.errors import InputError, UnknownName

if TYPE_CHECKING:
    from openalpha.books.accounts import Book
    from openalpha.books.imports.history import ImportedHistory
    from openalpha.books.imports.records import Record
    from openalpha.books.ledger import Ledger
    from openalpha.books.tax.parcels import Parcel

__all__ = ["app"]

app = typer.Typer()


@app.command()
def select(
    sale: Annotated[str, typer.Argument(metavar="SALE", help="Its key, or the beginning of it.")],
    lots: Annotated[
        list[str],
        typer.Option("--lot", metavar="PARCEL=QTY", help="A parcel and how much; repeatable."),
    ],
    by: Annotated[str, typer.Option("--by", metavar="NAME", help="Who chooses.")],
    entity: EntityOption = "",
    config: ConfigOption = None,
    settings: SetOption = None,
    json_to: JsonOption = None,
    quiet: QuietOption = False,
) -> None:
    """Name the parcels of a sale made here today; kept in the ledger with who, when and a hash."""
    from openalpha.books.accounts import Book
    from openalpha.books.manual import entry_of
    from openalpha.books.selections import selection_draft
    from openalpha.cli.tax_import import history_of
    from openalpha.core.messages import Environment

    screen = Screen(json_to, is_quiet=quiet)
    loaded = read_settings(config, settings)
    with open_books(loaded) as books:
        whose = entity or loaded.settings.books.entity
        book = Book(Environment.LIVE, whose)
        history = history_of(books, whose)
        record = _sale(history, sale, book)
        _refuse_late(books, whose, record)
        chosen = _named(_parcels(books, history, record, whose), record, lots)
        first = entry_of(books.database, book, seq=record.line)
        draft = selection_draft(
            first.key, ts_ms=record.ts_ms, source=first.source, lots=chosen, by=by
        )
        done = books.post(book, [draft])
    verb = "are named" if done.added else "were named already"
    for name, qty in chosen:
        screen.show(f"{qty} of parcel {name}")
    screen.show(f"These {verb} for the sale {record.key[:10]} ({record.where}), by {by}")
    screen.result(
        {"schema": "openalpha.tax_select/1", "sale": record.key, "by": by,
         "lots": [{"parcel": name, "qty": qty} for name, qty in chosen],
         "is_new": bool(done.added)}
    )  # fmt: skip


def _sale(history: "ImportedHistory", key: str, book: "Book") -> "Record":
    from openalpha.books.imports.records import OWN_FAMILY, Kind

    own = [r for r in history.sources.values() if r.family == OWN_FAMILY and r.kind is Kind.TRADE]
    found = [record for record in own if record.key.startswith(key)]
    if len(found) != 1:
        many = f"{len(found)} spot trades begin" if found else "no spot trade begins"
        raise UnknownName(
            f"{many} with '{key}' in the book {book}; `openalpha tax report` shows keys of "
            "disposals, and only trades made here can have parcels named"
        )
    return found[0]


def _refuse_late(books: "Ledger", entity: str, record: "Record") -> None:
    from openalpha.books.entities import profile_of
    from openalpha.books.locks import YearLocks
    from openalpha.books.tax.dates import income_year, local_date

    zone = profile_of(books.database, entity, clock=books.clock).time_zone
    sold = local_date(record.ts_ms, zone)
    today = local_date(books.clock.now_ms(), zone)
    locked = YearLocks(books.database, books.clock).of(entity).get(income_year(sold))
    if locked is not None:
        raise InputError(f"{locked.words}; its parcels cannot be named any more")
    if today > sold:
        raise InputError(
            f"the sale was on {sold} and today is {today}: parcels are named on the day of the "
            "sale, so that the record is of that time; the standing method chose"
        )


def _parcels(
    books: "Ledger", history: "ImportedHistory", record: "Record", entity: str
) -> "list[Parcel]":
    """Return the parcels that were open just before the sale, of the coin it gave."""
    from openalpha.books.entities import profile_of
    from openalpha.books.tax.entity_year import assess_profile

    given = next(move.coin for move in record.moves if move.amount < 0)
    before = []
    for event in history.events:
        if event.id == record.key:
            break
        before.append(event)
    profile = profile_of(books.database, entity, clock=books.clock)
    found = assess_profile(before, profile)
    return [p for part in found.parts.values() for p in part.parcels if p.asset == given]


def _named(parcels: "list[Parcel]", record: "Record", lots: list[str]) -> list[tuple[str, Decimal]]:
    given = next(-move.amount for move in record.moves if move.amount < 0)
    chosen: list[tuple[str, Decimal]] = []
    for text in lots:
        name, _, amount = text.partition("=")
        found = {p.id: p for p in parcels if p.id.startswith(name)} if name else {}
        if len(found) != 1:
            shown = ", ".join(f"{p.id[:10]} ({_held(p)})" for p in parcels[:8]) or "none"
            raise UnknownName(
                f"--lot {text} fits {len(found)} parcels held before the sale; there are {shown}"
            )
        ((key, parcel),) = found.items()
        qty = amount_of(amount, f"--lot {name}") if amount else min(parcel.left, given)
        if not 0 < qty <= parcel.left:
            raise InputError(f"--lot {text}: parcel {key[:10]} holds {_held(parcel)}")
        chosen.append((key, qty))
    total = sum((qty for _, qty in chosen), Decimal(0))
    if total > given or len({name for name, _ in chosen}) != len(chosen):
        raise InputError(f"the parcels come to {total}, each named once, but {given} was sold")
    return chosen


def _held(parcel: "Parcel") -> str:
    day = "an unknown day" if parcel.acquired is None else str(parcel.acquired)
    return f"{parcel.left.normalize():f} {parcel.asset} of {day}"

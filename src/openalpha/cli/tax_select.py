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
from openalpha.core.errors import UnknownName

if TYPE_CHECKING:
    from openalpha.books.accounts import Book
    from openalpha.books.imports.history import ImportedHistory
    from openalpha.books.imports.records import Record

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
    from openalpha.books.naming import checked_lots, refuse_late
    from openalpha.books.selections import selection_draft
    from openalpha.books.whole import history_of
    from openalpha.core.messages import Environment

    screen = Screen(json_to, is_quiet=quiet)
    loaded = read_settings(config, settings)
    with open_books(loaded) as books:
        whose = entity or loaded.settings.books.entity
        book = Book(Environment.LIVE, whose)
        history = history_of(books, whose)
        record = _sale(history, sale, book)
        refuse_late(books, book, sold_ms=record.ts_ms)
        given = next(move for move in record.moves if move.amount < 0)
        chosen = checked_lots(
            books,
            book,
            coin=given.coin,
            qty=-given.amount,
            lots=[_lot(text) for text in lots],
            before=record.key,
        )
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


def _lot(text: str) -> tuple[str, Decimal | None]:
    name, _, amount = text.partition("=")
    return name, amount_of(amount, f"--lot {name}") if amount else None

"""The commands of `openalpha ledger` that add entries: by hand, corrections, values, migration."""

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
from openalpha.cli.ledger_open import (
    EntityOption,
    EnvironmentOption,
    LimitOption,
    amount_of,
    book_in,
    open_book,
    open_books,
)

if TYPE_CHECKING:
    from openalpha.books.accounts import Book
    from openalpha.books.entries import Draft
    from openalpha.books.ledger import Ledger
    from openalpha.books.rates import RateSource

__all__ = ["app"]

app = typer.Typer()

CoinOption = Annotated[str, typer.Option("--coin", metavar="COIN", help="The coin.")]
AmountOption = Annotated[str, typer.Option("--amount", metavar="AMOUNT", help="How much of it.")]
AtOption = Annotated[
    str, typer.Option("--at", metavar="TIME", help="When it happened, UTC; now where not given.")
]
ReasonOption = Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why; kept with it.")]


@app.command()
def transfer(  # noqa: PLR0913, PLR0917 - the options of a command
    coin: CoinOption,
    amount: AmountOption,
    source: Annotated[
        str, typer.Option("--from", metavar="ACCOUNT", help="Out of this; outside if not given.")
    ] = "",
    target: Annotated[
        str, typer.Option("--to", metavar="ACCOUNT", help="Into this; outside if not given.")
    ] = "",
    at: AtOption = "",
    reason: ReasonOption = "",
    environment: EnvironmentOption = "",
    entity: EntityOption = "",
    config: ConfigOption = None,
    settings: SetOption = None,
    json_to: JsonOption = None,
    quiet: QuietOption = False,
) -> None:
    """Enter a deposit, a withdrawal, or a transfer between two accounts of a book."""
    from openalpha.books.manual import transfer as transfer_draft

    screen = Screen(json_to, is_quiet=quiet)
    loaded = read_settings(config, settings)
    with open_books(loaded) as books:
        draft = transfer_draft(
            coin=coin,
            amount=amount_of(amount, "--amount"),
            ts_ms=_moment(books, at),
            source=source,
            target=target,
            memo=reason,
        )
        book = book_in(books, loaded, environment=environment, entity=entity)
        _post(screen, books, book, draft=draft)


@app.command()
def adjust(  # noqa: PLR0913, PLR0917 - the options of a command
    account: Annotated[str, typer.Option("--account", metavar="NAME", help="The venue account.")],
    coin: CoinOption,
    amount: Annotated[
        str, typer.Option("--amount", metavar="AMOUNT", help="The change: 5, or -5.")
    ],
    reason: ReasonOption,
    at: AtOption = "",
    corrects: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="The entry that it corrects.")
    ] = None,
    environment: EnvironmentOption = "",
    entity: EntityOption = "",
    config: ConfigOption = None,
    settings: SetOption = None,
    json_to: JsonOption = None,
    quiet: QuietOption = False,
) -> None:
    """Change a balance to what is true, with the reason; the entry it corrects may be named."""
    from openalpha.books.manual import adjustment, entry_of

    screen = Screen(json_to, is_quiet=quiet)
    loaded = read_settings(config, settings)
    with open_books(loaded) as books:
        draft = adjustment(
            venue=account,
            coin=coin,
            amount=amount_of(amount, "--amount"),
            ts_ms=_moment(books, at),
            memo=reason,
            corrects=corrects,
        )
        book = book_in(books, loaded, environment=environment, entity=entity)
        if corrects is not None:
            entry_of(books.database, book, seq=corrects)
        _post(screen, books, book, draft=draft)


@app.command()
def correct(
    entry: Annotated[int, typer.Argument(metavar="ENTRY", min=1, help="Number of the entry.")],
    reason: ReasonOption,
    environment: EnvironmentOption = "",
    entity: EntityOption = "",
    config: ConfigOption = None,
    settings: SetOption = None,
    json_to: JsonOption = None,
    quiet: QuietOption = False,
) -> None:
    """Undo an entry by one that names it; both stay in the book."""
    from openalpha.books.manual import entry_of, reversal

    screen = Screen(json_to, is_quiet=quiet)
    with open_book(config, settings, environment=environment, entity=entity) as (books, book):
        draft = reversal(entry_of(books.database, book, seq=entry), memo=reason)
        _post(screen, books, book, draft=draft)


@app.command("open")
def open_(
    environment: EnvironmentOption = "",
    entity: EntityOption = "",
    limit: LimitOption = 20,
    config: ConfigOption = None,
    settings: SetOption = None,
    json_to: JsonOption = None,
    quiet: QuietOption = False,
) -> None:
    """Show the open items: entries whose value in AUD is not known yet."""
    from openalpha.books.manual import open_counts, open_items
    from openalpha.core.clock import format_ms

    screen = Screen(json_to, is_quiet=quiet)
    with open_book(config, settings, environment=environment, entity=entity) as (books, book):
        counts = open_counts(books.database, book)
        items = open_items(books.database, book, limit=limit)
        for coin, count in sorted(counts.items()):
            screen.show(f"{count:,} entries in {coin} wait for a rate in AUD")
        for seq, coin, ts_ms in items:
            screen.show(f"  entry {seq}: {coin} at {format_ms(ts_ms)}")
        if not counts:
            screen.show(f"{book} has no open item.")
        rows = [{"entry": seq, "coin": coin, "ts_ms": ts_ms} for seq, coin, ts_ms in items]
        screen.result({"schema": "openalpha.ledger_open/1", "counts": counts, "items": rows})


@app.command()
def value(
    rates: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="CSV of rates: coin,quote,time,rate,source; asked before the lake."
        ),
    ] = None,
    environment: EnvironmentOption = "",
    entity: EntityOption = "",
    config: ConfigOption = None,
    settings: SetOption = None,
    json_to: JsonOption = None,
    quiet: QuietOption = False,
) -> None:
    """Value open items in AUD, as far as a rate is known now."""
    from openalpha.books.manual import value_open_items
    from openalpha.books.rate_file import read_rates
    from openalpha.books.rates import SeveralRates

    screen = Screen(json_to, is_quiet=quiet)
    loaded = read_settings(config, settings)
    with open_books(loaded) as books:
        book = book_in(books, loaded, environment=environment, entity=entity)
        source: RateSource = books.rates_of(book.entity)
        if rates is not None:
            source = SeveralRates((read_rates(rates), source))
        done = value_open_items(books, book, rates=source)
        screen.show(f"{done.added:,} entries valued, {done.known:,} stay open")
        screen.result(
            {"schema": "openalpha.ledger_value/1", "valued": done.added, "open": done.known}
        )


@app.command()
def migrate(
    config: ConfigOption = None,
    settings: SetOption = None,
    json_to: JsonOption = None,
    quiet: QuietOption = False,
) -> None:
    """Bring the tables of the ledger to this version; safe to repeat. Back them up before."""
    from openalpha.store.database import REVISION

    screen = Screen(json_to, is_quiet=quiet)
    with open_books(read_settings(config, settings), migrate=True) as books:
        screen.show(f"{books.database.name} has schema {REVISION}")
        screen.result({"schema": "openalpha.ledger_migrate/1", "revision": REVISION})


def _moment(books: "Ledger", text: str) -> int:
    from openalpha.core.clock import parse_ms

    return parse_ms(text) if text else books.clock.now_ms()


def _post(screen: Screen, books: "Ledger", book: "Book", *, draft: "Draft") -> None:
    done = books.post(book, [draft])
    if done.added:
        screen.show(f"entered in {book}: {draft.ref}")
        for line in draft.postings:
            screen.show(f"  {line.account}: {line.amount}")
    else:
        screen.show(f"{book} has this entry already; nothing was added")
    screen.result(
        {"schema": "openalpha.ledger_entry/1", "book": str(book), "key": draft.key,
         "is_new": bool(done.added)}
    )  # fmt: skip

"""Opens the ledger for a command and finds which book and account it speaks of."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from openalpha.cli.conventions import read_settings
from openalpha.core.errors import InputError, UnknownName

if TYPE_CHECKING:
    from openalpha.books.accounts import Book
    from openalpha.books.ledger import Ledger
    from openalpha.settings import LoadedSettings

__all__ = [
    "AccountOption",
    "EntityOption",
    "EnvironmentOption",
    "LimitOption",
    "SinceOption",
    "UntilOption",
    "account_in",
    "amount_of",
    "book_in",
    "moments",
    "open_book",
    "open_books",
]

EnvironmentOption = Annotated[
    str,
    typer.Option(
        "--environment",
        "-e",
        metavar="NAME",
        help="backtest, paper, twin, demo, testnet or live; may be left out where only one has "
        "entries.",
    ),
]
EntityOption = Annotated[
    str, typer.Option("--entity", metavar="NAME", help="Whose books; else books.entity.")
]
AccountOption = Annotated[
    str,
    typer.Option(
        "--account",
        metavar="NAME",
        help="The venue account; for a backtest its run id, or the beginning of it.",
    ),
]
LimitOption = Annotated[
    int, typer.Option("--limit", metavar="N", min=1, help="Show at most so many.")
]
SinceOption = Annotated[
    str, typer.Option("--from", metavar="DATE", help="Events from this moment on, UTC.")
]
UntilOption = Annotated[
    str, typer.Option("--to", metavar="DATE", help="Events before this moment, UTC.")
]


_AT_THE_MINUTE_MS = 5 * 60_000
"""How old a venue's own price may be where an entity is valued by it."""


@contextmanager
def open_books(
    loaded: "LoadedSettings", *, migrate: bool = False, is_for_run: bool = False
) -> "Iterator[Ledger]":
    """Open the ledger of a home, valued by its published rates and the markets of its lake.

    For a run, which lives long and writes little, not much of it is held in memory.
    """
    from openalpha.books.lake_rates import LakeRates
    from openalpha.books.opening import open_ledger
    from openalpha.books.published_rates import stated_rates
    from openalpha.books.rate_chain import ChainedRates
    from openalpha.books.rate_policy import EntityRates
    from openalpha.books.rates import SeveralRates
    from openalpha.core.clock import SystemClock
    from openalpha.market.lake import Lake
    from openalpha.settings import prepare_home

    prepare_home(loaded.home)
    lake = Lake(loaded.home, settings=loaded.settings.data)
    books = open_ledger(loaded.home, loaded.settings.books, clock=SystemClock(), migrate=migrate)
    if is_for_run:
        books.database.keep_little()
    books.rates = ChainedRates(SeveralRates((stated_rates(books.database), LakeRates(lake))))
    books.entity_rates = EntityRates(
        books.database,
        books.clock,
        books.rates,
        lambda market: LakeRates(lake, carry_ms=_AT_THE_MINUTE_MS, market=market),
    ).of
    try:
        yield books
    finally:
        books.database.close()


@contextmanager
def open_book(
    config: Path | None,
    settings: Sequence[str] | None,
    *,
    environment: str,
    entity: str,
) -> "Iterator[tuple[Ledger, Book]]":
    """Open the ledger of the settings in force, and the book in it that a command speaks of.

    Raises
    ------
    UnknownName
        As `book_in`.
    """
    loaded = read_settings(config, settings)
    with open_books(loaded) as books:
        yield books, book_in(books, loaded, environment=environment, entity=entity)


def book_in(ledger: "Ledger", loaded: "LoadedSettings", *, environment: str, entity: str) -> "Book":
    """Return the book a command speaks of.

    Raises
    ------
    UnknownName
        If there is none, or several and none is named.
    """
    from openalpha.books.accounts import Book, environment_of
    from openalpha.books.verify import books_in

    whose = entity or loaded.settings.books.entity
    if environment:
        return Book(environment_of(environment), whose)
    mine = [book for book in books_in(ledger.database) if book.entity == whose]
    if len(mine) == 1:
        return mine[0]
    if not mine:
        raise UnknownName(
            f"the ledger has no entries of {whose}; `openalpha backtest … --post-to-ledger` or "
            "`openalpha ledger transfer` makes some"
        )
    names = ", ".join(book.environment.name.lower() for book in mine)
    raise UnknownName(f"{whose} has books in {names}; name one by --environment")


def account_in(ledger: "Ledger", book: "Book", given: str) -> str:
    """Return the venue account a command speaks of, found by the beginning of its name.

    Raises
    ------
    UnknownName
        If none or several fit.
    """
    from openalpha.books.balances import venues_in

    names = venues_in(ledger.database, book)
    found = [name for name in names if name == given] or [
        name for name in names if name.startswith(given)
    ]
    if len(found) == 1:
        return found[0]
    if not names:
        raise UnknownName(f"the book {book} has no entries yet, so no account either")
    shown = ", ".join(names[-8:]) or "none"
    what = f"'{given}' fits {len(found)} accounts" if given else "several accounts are there"
    if given and not found:
        what = f"there is no account '{given}'"
    raise UnknownName(f"{what} in {book}; name one by --account: {shown}")


def amount_of(text: str, option: str) -> Decimal:
    """Return an amount as typed.

    Raises
    ------
    InputError
        If it is not a number.
    """
    try:
        amount = Decimal(text.replace("_", ""))
    except InvalidOperation:
        raise InputError(f"{option} was '{text}', expected an amount such as 12.5") from None
    if not amount.is_finite():
        raise InputError(f"{option} was {text}, expected a finite amount")
    return amount


def moments(since: str, until: str) -> dict[str, Any]:
    """Return `--from` and `--to` as milliseconds, None where they are not given.

    Raises
    ------
    InputError
        If they are not times, or the first is not before the second.
    """
    from openalpha.core.clock import parse_ms

    since_ms = parse_ms(since) if since else None
    until_ms = parse_ms(until) if until else None
    if since_ms is not None and until_ms is not None and since_ms >= until_ms:
        raise InputError(f"--from {since} is not before --to {until}; exchange them")
    return {"since_ms": since_ms, "until_ms": until_ms}

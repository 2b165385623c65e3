"""Opens the ledger of a home: the file there, or the PostgreSQL database its settings name."""

from pathlib import Path

from openalpha.books.accounts import Book
from openalpha.books.ledger import Ledger
from openalpha.books.rates import NO_RATES, RateSource
from openalpha.books.settings import BooksSettings
from openalpha.core.clock import Clock
from openalpha.core.messages import Environment
from openalpha.store.database import open_database
from openalpha.store.kept import mark_kept

__all__ = ["book_of", "books_file", "open_ledger"]


def books_file(home: Path) -> Path:
    """Return where the books of a home are, where no database is named.

    Examples
    --------
    >>> books_file(Path("home")).as_posix()
    'home/books/books.sqlite'
    """
    return home / "books" / "books.sqlite"


def open_ledger(
    home: Path,
    settings: BooksSettings,
    *,
    clock: Clock,
    rates: RateSource = NO_RATES,
    migrate: bool = False,
) -> Ledger:
    """Open the ledger of a home, making its tables where there are none.

    Parameters
    ----------
    migrate : bool
        Bring older tables to this version; without it they are refused.

    Raises
    ------
    ConfigError
        If the address cannot be used, or the tables are older or newer than the program's.
    StorageError
        If the database cannot be reached.
    """
    where = settings.database_url or books_file(home)
    if isinstance(where, Path):
        mark_kept(where.parent)  # no command's output ever takes the place of the books
    return Ledger(open_database(where, migrate=migrate), clock, rates)


def book_of(environment: Environment, settings: BooksSettings) -> Book:
    """Return the book that is written in an environment."""
    return Book(environment, settings.entity)

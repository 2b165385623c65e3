"""What is held of each coin, in every environment side by side, and what it is worth."""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import NamedTuple

from openalpha.books.accounts import Account, Book, Category
from openalpha.books.rates import RateSource, in_quote
from openalpha.books.tables import ACCOUNTS, BOOKS
from openalpha.books.writing import book_row
from openalpha.core.messages import Environment
from openalpha.store.database import Connection, Database
from openalpha.store.decimals import EXACT, exact_sum

__all__ = ["Balance", "Worth", "balances", "kept_balances", "total_worth", "venues_in"]


class Balance(NamedTuple):
    """What a venue account holds of a coin; what it is worth is None where no rate is known."""

    book: Book
    venue: str
    coin: str
    amount: Decimal
    usd: Decimal | None
    aud: Decimal | None


@dataclass(frozen=True, slots=True)
class Worth:
    """What balances are worth together.

    Parameters
    ----------
    usd, aud : Decimal
        Of the coins whose rate is known.
    unknown : tuple of str
        Coins left out of one of them, because no rate is known.
    """

    usd: Decimal
    aud: Decimal
    unknown: tuple[str, ...]


def balances(
    database: Database,
    *,
    rates: RateSource,
    ts_ms: int,
    environment: Environment | None = None,
    entity: str | None = None,
    venue: str | None = None,
) -> list[Balance]:
    """Return the balances of every book, or of those asked for; coins that are gone are left out.

    Parameters
    ----------
    rates : RateSource
    ts_ms : int
        The moment of the rates, UTC ms.
    """
    found = []
    with database.reading() as connection:
        for row in connection.execute(BOOKS.select().order_by(BOOKS.c.environment, BOOKS.c.entity)):
            book = Book(Environment(row.environment), row.entity)
            if environment not in (None, book.environment) or entity not in (None, book.entity):
                continue
            kept = kept_balances(connection, row.id, categories=[Category.CASH])
            for account, amount in sorted(kept.items()):
                if amount and venue in (None, account.venue):
                    usd, aud = (
                        in_quote(rates, account.coin, quote=quote, amount=amount, ts_ms=ts_ms)
                        for quote in ("USD", "AUD")
                    )
                    found.append(Balance(book, account.venue, account.coin, amount, usd, aud))
    return found


def total_worth(rows: Iterable[Balance]) -> Worth:
    """Return what balances are worth together.

    Examples
    --------
    >>> from openalpha.core.messages import Environment
    >>> book = Book(Environment.PAPER, "me")
    >>> total_worth([Balance(book, "x", "AUD", Decimal(5), None, Decimal(5))])
    Worth(usd=Decimal('0'), aud=Decimal('5'), unknown=('AUD',))
    """
    every = list(rows)
    return Worth(
        exact_sum(row.usd for row in every if row.usd is not None),
        exact_sum(row.aud for row in every if row.aud is not None),
        tuple(sorted({row.coin for row in every if row.usd is None or row.aud is None})),
    )


def kept_balances(
    connection: Connection, book_id: int, *, categories: Iterable[Category] | None = None
) -> dict[Account, Decimal]:
    """Return the balances a book keeps, of some categories or all."""
    query = ACCOUNTS.select().where(ACCOUNTS.c.book_id == book_id)
    if categories is not None:
        query = query.where(ACCOUNTS.c.category.in_([int(item) for item in categories]))
    found: dict[Account, Decimal] = {}
    for row in connection.execute(query):
        account = Account(row.venue, Category(row.category), row.coin, row.instrument)
        found[account] = EXACT.add(found.get(account, Decimal(0)), row.balance)
    return found


def venues_in(database: Database, book: Book) -> list[str]:
    """Return the venue accounts of a book, sorted."""
    with database.reading() as connection:
        row = book_row(connection, book)
        if row is None:
            return []
        query = ACCOUNTS.select().with_only_columns(ACCOUNTS.c.venue).distinct()
        query = query.where(ACCOUNTS.c.book_id == row[0])
        return sorted(venue for (venue,) in connection.execute(query))

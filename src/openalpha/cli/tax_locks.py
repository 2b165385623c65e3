"""Which locked years a change would reach into, and the refusal of it."""

from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING

from openalpha.books.locks import YearLocks
from openalpha.books.tax.dates import income_year, zone_of
from openalpha.books.tax.entity import Refused

if TYPE_CHECKING:
    from openalpha.books.ledger import Ledger
    from openalpha.books.tax.profile import Profile

__all__ = ["locked_years_of", "profile_of", "refuse_locked"]


def profile_of(books: "Ledger", entity: str) -> "Profile":
    """Return an entity as its file declares it; one without a file is a resident individual."""
    from openalpha.books import entities

    return entities.profile_of(books.database, entity, clock=books.clock)


def refuse_locked(books: "Ledger", entity: str, stamps: Iterable[int]) -> None:
    """Refuse a change that reaches into a locked year.

    Parameters
    ----------
    stamps : iterable of int
        When what is to be changed happened, UTC milliseconds; below 0 is no year in particular.

    Raises
    ------
    Refused
        If one lies in a locked year.
    """
    for words in locked_years_of(books, entity, stamps):
        raise Refused(
            f"{words}, and this would change it; openalpha tax reopen --year … --reason … opens "
            "it again"
        )


def locked_years_of(books: "Ledger", entity: str, stamps: Iterable[int]) -> list[str]:
    """Say which locked years some moments lie in."""
    locked = YearLocks(books.database, books.clock).of(entity)
    if not locked:
        return []
    zone = zone_of(profile_of(books, entity).time_zone)
    days = (datetime.fromtimestamp(ts_ms / 1000, zone).date() for ts_ms in stamps if ts_ms >= 0)
    return [locked[year].words for year in sorted({*map(income_year, days)}) if year in locked]

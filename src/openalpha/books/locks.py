"""Income years that were reported as final: what was chosen, by whom, and the hash of its figures.

A locked year refuses changes. It can be reopened with a reason; both words stay in the books.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from decimal import Decimal
from typing import Any

from openalpha.books.accounts import Book
from openalpha.books.declarations import Declarations
from openalpha.books.tax.dates import income_year, local_date
from openalpha.books.tax.entity import Method, Refused, Treatment
from openalpha.books.tax.search import Candidate
from openalpha.core.clock import Clock, format_ms
from openalpha.core.messages import Environment
from openalpha.store.database import Database
from openalpha.store.decimals import decimal_text

__all__ = ["LockedYear", "YearLocks", "lock_name", "year_name"]

_TOPIC = "locks"


@dataclass(frozen=True, slots=True)
class LockedYear:
    """One locked income year.

    Parameters
    ----------
    year : int
        By the calendar year it ends in.
    treatment : Treatment
        On which account it was reported.
    method : Method
        How parcels were chosen; what `min_tax` settled on where that was asked for.
    weight : Decimal
        Weight of a discountable gain in `min_tax`'s own order, as a fraction.
    asked : Method
        The method asked for: `min_tax`, or the same as `method`.
    chosen_by : str
        The person, or the standing rule, that chose.
    reason : str
        Why, as printed.
    figures_sha256, parcels_sha256 : str
        Hashes of the report's figures, and of every parcel used.
    locked_ms : int
        When, UTC milliseconds.
    """

    year: int
    treatment: Treatment
    method: Method
    weight: Decimal
    asked: Method
    chosen_by: str
    reason: str
    figures_sha256: str
    parcels_sha256: str
    locked_ms: int = 0

    @property
    def order(self) -> Candidate:
        """The order of parcels that later assessments keep for this year."""
        return Candidate(self.method, self.weight)

    @property
    def words(self) -> str:
        """Say what is locked, since when and by whom.

        Examples
        --------
        >>> LockedYear(2026, Treatment.CAPITAL, Method.FIFO, Decimal(1), Method.FIFO, "Ann",
        ...            "", "ab", "cd", 1_780_000_000_000).words
        '2025-26 is locked since 2026-05-28 (capital, fifo, by Ann)'
        """
        since = format_ms(self.locked_ms)[:10]
        how = f"{self.treatment.value}, {self.asked.value}, by {self.chosen_by}"
        return f"{year_name(self.year)} is locked since {since} ({how})"


@dataclass(frozen=True, slots=True)
class YearLocks:
    """The locks of every entity in one database.

    Parameters
    ----------
    database : Database
    clock : Clock
        Tells when a year was locked or reopened.
    """

    database: Database
    clock: Clock

    def of(self, entity: str) -> dict[int, LockedYear]:
        """Return the years of an entity that are locked now."""
        found: dict[int, LockedYear] = {}
        for word in Declarations(self.database, self.clock).history(entity, _TOPIC):
            said = json.loads(word.said)
            if "reopened" in said:
                found.pop(said["year"], None)
            else:
                found[said["year"]] = _read(said, word.recorded_ms)
        return found

    def reached(self, entity: str, stamps: Iterable[int], *, zone: str) -> list[str]:
        """Say which locked years some moments lie in.

        Parameters
        ----------
        stamps : iterable of int
            UTC milliseconds; below 0 is no year in particular.
        zone : str
            Whose days they are.
        """
        locked = self.of(entity)
        if not locked:
            return []
        years = {income_year(local_date(ts_ms, zone)) for ts_ms in stamps if ts_ms >= 0}
        return [locked[year].words for year in sorted(years) if year in locked]

    def refuse(self, entity: str, stamps: Iterable[int], *, zone: str) -> None:
        """Refuse a change that reaches into a locked year.

        Raises
        ------
        Refused
            If one of the moments lies in one.
        """
        for words in self.reached(entity, stamps, zone=zone):
            raise Refused(
                f"{words}, and this would change it; openalpha tax reopen --year … --reason … "
                "opens it again"
            )

    def lock(self, entity: str, locked: LockedYear) -> LockedYear:
        """Lock a year and return it with its stamp; a later word on a year replaces nothing.

        Raises
        ------
        Refused
            If it is locked already.
        """
        known = self.of(entity).get(locked.year)
        if known is not None:
            raise Refused(f"{known.words}; it cannot be locked twice")
        said = asdict(locked) | {"weight": decimal_text(locked.weight)}
        del said["locked_ms"]
        self._say(entity, said)
        return self.of(entity)[locked.year]

    def reopen(self, entity: str, year: int, *, reason: str) -> None:
        """Open a locked year again, with a reason that is kept.

        Raises
        ------
        Refused
            If it is not locked, or no reason is given.
        """
        if year not in self.of(entity):
            raise Refused(f"{year_name(year)} of {entity} is not locked: nothing to reopen")
        if not reason.strip():
            raise Refused("reopening a year needs a reason; it is kept with the books")
        self._say(entity, {"year": year, "reopened": reason.strip()})

    def _say(self, entity: str, said: Mapping[str, object]) -> None:
        words = Declarations(self.database, self.clock)
        words.declare(entity, _TOPIC, said=json.dumps(said))


def lock_name(book: Book, account: str = "") -> str:
    """Name the locks of a book: a simulated book's are never those of real money.

    Examples
    --------
    >>> lock_name(Book(Environment.TWIN, "me"), "run 1")
    'me/twin/run 1'
    """
    if book.environment is Environment.LIVE:
        return book.entity
    return "/".join(filter(None, (book.entity, book.environment.name.lower(), account)))


def year_name(year: int) -> str:
    """Write an income year as people do.

    Examples
    --------
    >>> year_name(2026)
    '2025-26'
    """
    return f"{year - 1}-{year % 100:02d}"


def _read(said: Mapping[str, Any], stamp: int) -> LockedYear:
    return LockedYear(
        said["year"],
        Treatment(said["treatment"]),
        Method(said["method"]),
        Decimal(said["weight"]),
        Method(said["asked"]),
        said["chosen_by"],
        said["reason"],
        said["figures_sha256"],
        said["parcels_sha256"],
        stamp,
    )

"""What a report is made of: events, choices, what is open, and where everything came from."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import NamedTuple

from openalpha.books.imports.reconcile import Check
from openalpha.books.report.model import OpenLine, RateLine, Settled, SourceFile
from openalpha.books.tax.entity import Policy
from openalpha.books.tax.events import Event
from openalpha.books.tax.gains import Law
from openalpha.books.tax.profile import Profile
from openalpha.books.tax.rates import Tables
from openalpha.books.tax.search import Candidate

__all__ = ["Facts", "Named", "Origin", "Signature"]


class Named(NamedTuple):
    """Parcels named for one sale when it was made: who did, when (UTC ms), and its entry's hash."""

    by: str
    ts_ms: int
    sha256: str


class Origin(NamedTuple):
    """Where a report's figures come from.

    Parameters
    ----------
    version : str
        Of the program.
    files : tuple of SourceFile
        Imported files and ledger books, with their hashes.
    made : str
        When the report is made, as text; no hash covers it.
    simulated : str
        The environment whose book this is, where no real money was moved; else "".
    """

    version: str
    files: tuple[SourceFile, ...] = ()
    made: str = ""
    simulated: str = ""


class Signature(NamedTuple):
    """Who chose treatment and parcels, since when, and why."""

    chosen_by: str
    reason: str = ""
    since: date | None = None


def _nowhere(event: str) -> str:
    del event
    return ""


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything `build_report` reads; it asks nobody else.

    Parameters
    ----------
    profile : Profile
        The entity with every choice, its losses brought in, its time zone.
    year : int
        Income year, by the calendar year it ends in.
    events : sequence of Event
        All of them; what came after the year only serves the list of wash sales.
    signature : Signature
    open_items, settled, balances, rates
        What the histories say, up to the end of the year.
    origin : Origin
    law : Law
        Boundary values and index numbers.
    tables : Tables or None
        Dated rates, for a trustee's or a company's tax; without them those lines are left out.
    orders : mapping of int to Candidate
        Parcel orders of locked years: they are kept.
    is_over : bool
        Whether the year has ended.
    draft_for : tuple of str
        Further reasons why this cannot be final.
    named : mapping of str to Named
        Sales whose parcels were named, by event.
    where : callable
        Names the source of an event by its id: a file and line, a ledger entry.
    """

    profile: Profile
    year: int
    events: Sequence[Event]
    signature: Signature
    open_items: tuple[OpenLine, ...] = ()
    settled: tuple[Settled, ...] = ()
    balances: tuple[Check, ...] = ()
    rates: tuple[RateLine, ...] = ()
    origin: Origin = field(default_factory=lambda: Origin(""))
    law: Law = field(default_factory=Law)
    tables: Tables | None = None
    orders: Mapping[int, Candidate] = field(default_factory=dict)
    is_over: bool = True
    draft_for: tuple[str, ...] = ()
    named: Mapping[str, Named] = field(default_factory=dict)
    where: Callable[[str], str] = _nowhere

    @property
    def policy(self) -> Policy:
        """The choices in force where no portfolio has its own."""
        return self.profile.policy

    @property
    def year_name(self) -> str:
        """The year as people write it: 2025-26."""
        return f"{self.year - 1}-{self.year % 100:02d}"

"""What a report is made of: events, choices, what is open, and where everything came from."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import NamedTuple

from openalpha.books.report.model import Balance, OpenLine, RateLine, Settled, SourceFile
from openalpha.books.tax.assessment import CarryIn
from openalpha.books.tax.entity import Policy
from openalpha.books.tax.events import Event
from openalpha.books.tax.gains import Law
from openalpha.books.tax.search import Candidate

__all__ = ["Facts", "Origin", "Signature"]


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
    """

    version: str
    files: tuple[SourceFile, ...] = ()
    made: str = ""


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
    entity : str
    year : int
        Income year, by the calendar year it ends in.
    policy : Policy
        Entity kind and every choice.
    events : sequence of Event
        All of them; what came after the year only serves the list of wash sales.
    zone : str
        IANA name of the taxpayer's time zone: whose days these are.
    signature : Signature
    residency : str
        What was declared, in words.
    portfolios : mapping of str to str
        Treatment of each portfolio that has one of its own, in words.
    open_items, settled, balances, rates
        What the histories say, up to the end of the year.
    origin : Origin
    law, carry_in
        As for `assess`.
    evidence : str
        What shows the losses brought in.
    orders : mapping of int to Candidate
        Parcel orders of locked years: they are kept.
    is_over : bool
        Whether the year has ended.
    draft_for : tuple of str
        Further reasons why this cannot be final.
    where : callable
        Names the source of an event by its id: a file and line, a ledger entry.
    """

    entity: str
    year: int
    policy: Policy
    events: Sequence[Event]
    zone: str
    signature: Signature
    residency: str = ""
    portfolios: Mapping[str, str] = field(default_factory=dict)
    open_items: tuple[OpenLine, ...] = ()
    settled: tuple[Settled, ...] = ()
    balances: tuple[Balance, ...] = ()
    rates: tuple[RateLine, ...] = ()
    origin: Origin = field(default_factory=lambda: Origin(""))
    law: Law = field(default_factory=Law)
    carry_in: CarryIn = field(default_factory=CarryIn)
    evidence: str = ""
    orders: Mapping[int, Candidate] = field(default_factory=dict)
    is_over: bool = True
    draft_for: tuple[str, ...] = ()
    where: Callable[[str], str] = _nowhere

    @property
    def brought(self) -> Decimal:
        """Net capital losses of earlier years brought in from outside these books, in AUD."""
        return sum((amount for _, amount in self.carry_in.prior_losses), Decimal(0))

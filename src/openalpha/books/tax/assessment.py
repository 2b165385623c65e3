"""One entity's tax from its events: parcels, gains, income and a statement for every year.

`assess` is the whole engine in one call. It is pure: the same events, policy and law give the
same figures, on any machine and on any day.
"""

import gc
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import Decimal
from typing import TypeVar

from openalpha.books.tax.amounts import ZERO, exact
from openalpha.books.tax.dates import REFORM_START, income_year
from openalpha.books.tax.entity import Method, Policy, Treatment
from openalpha.books.tax.events import Dispose, Event, StatedGain, in_order
from openalpha.books.tax.gains import Gain, Law, classify, summed_gains
from openalpha.books.tax.losses import Statement, five_steps, seven_steps
from openalpha.books.tax.parcels import Parcel
from openalpha.books.tax.posting import TaxBook
from openalpha.books.tax.revenue import on_revenue
from openalpha.books.tax.search import Candidate, post_cheapest
from openalpha.books.tax.slices import OpenItem, Revenue, Slice
from openalpha.books.tax.wash import WashFlag, wash_flags

__all__ = [
    "Assessment",
    "CarryIn",
    "YearResult",
    "assess",
    "both_treatments",
    "collector_paused",
    "statement_of",
]

Dated = TypeVar("Dated", Slice, StatedGain, Revenue)

_NEVER_DISCOUNTED = ("K10", "K11")


@dataclass(frozen=True, slots=True)
class CarryIn:
    """What earlier years and other books bring in, in AUD.

    `prior_losses`: unapplied net capital losses by the income year they were made.
    `quarantined`: rental amounts of a year. `year`: where an undated gain belongs.
    """

    prior_losses: tuple[tuple[int, Decimal], ...] = ()
    quarantined: Mapping[int, Decimal] = field(default_factory=dict)
    year: int = 2026


@dataclass(frozen=True, slots=True)
class YearResult:
    """One income year: its gains, its statement, and what was on revenue account, in AUD."""

    year: int
    slices: tuple[Slice, ...]
    stated: tuple[StatedGain, ...]
    statement: Statement
    revenue: tuple[Revenue, ...]
    policy: Policy
    law: Law

    @property
    def gains(self) -> list[Gain]:
        """Gains and losses of the year, worked out anew: only the slices are kept."""
        with exact():
            chosen = self.slices if self.policy.treatment is Treatment.CAPITAL else ()
            gains = classify(chosen, self.policy, law=self.law, open_items=[])
            return gains + [_stated(row, self.policy) for row in self.stated]

    @property
    def income(self) -> Decimal:
        """Ordinary income of the year."""
        return sum((row.amount for row in self.revenue if row.amount > 0), ZERO)

    @property
    def deductions(self) -> Decimal:
        """Deductions of the year, positive."""
        return -sum((row.amount for row in self.revenue if row.amount < 0), ZERO)


@dataclass(frozen=True, slots=True)
class Assessment:
    """Everything the engine found; a report is a view of this."""

    policy: Policy
    law: Law
    slices: tuple[Slice, ...]
    revenue: tuple[Revenue, ...]
    parcels: tuple[Parcel, ...]
    open_items: tuple[OpenItem, ...]
    years: Mapping[int, YearResult]
    wash: tuple[WashFlag, ...]
    methods: Mapping[int, Candidate]

    @property
    def gains(self) -> list[Gain]:
        """Every gain and loss, year by year, worked out anew."""
        return [gain for result in self.years.values() for gain in result.gains]

    @property
    def status(self) -> str:
        """Say "incomplete" while anything is open, else "complete"."""
        return "incomplete" if self.open_items else "complete"


def assess(
    events: Iterable[Event],
    policy: Policy,
    *,
    law: Law | None = None,
    carry_in: CarryIn | None = None,
    locked: Mapping[int, Candidate] | None = None,
) -> Assessment:
    """Work out one entity's tax figures from its events.

    Parameters
    ----------
    events : iterable of Event
        In any order; events of one instant keep the order given.
    policy : Policy
        Entity and choices.
    law : Law or None
        Boundary values and index numbers; empty when None.
    carry_in : CarryIn or None
        Losses and quarantined amounts brought in.
    locked : mapping of int to Candidate or None
        Parcel orders of years already lodged, for `min_tax`: they are kept, not searched.

    Returns
    -------
    Assessment
        Years in order, each with its statement.

    Raises
    ------
    Refused
        If the law or the engine does not allow what was asked.
    """
    with exact(), collector_paused():
        return _assess(events, policy, law or Law(), carry_in or CarryIn(), locked or {})


def both_treatments(
    events: Iterable[Event],
    policy: Policy,
    *,
    law: Law | None = None,
    carry_in: CarryIn | None = None,
) -> dict[Treatment, Assessment]:
    """Assess the same events on capital account and on both revenue accounts, side by side.

    Parameters
    ----------
    events, policy, law, carry_in
        As for `assess`; only the policy's treatment changes.

    Returns
    -------
    dict of Treatment to Assessment
        The difference of two is the price of the choice.
    """
    rows = list(events)
    return {
        treatment: assess(rows, replace(policy, treatment=treatment), law=law, carry_in=carry_in)
        for treatment in Treatment
    }


def statement_of(
    gains: Sequence[Gain],
    prior: Sequence[tuple[int, Decimal]],
    *,
    policy: Policy,
    year: int,
    quarantined: Decimal = ZERO,
) -> Statement:
    """Work out one year's net capital gain by the method statement in force that year."""
    discount = policy.entity.discount
    if year < income_year(REFORM_START):
        return five_steps(gains, prior, discount=discount, year=year)
    return seven_steps(gains, prior, discount=discount, year=year, quarantined=quarantined)


@contextmanager
def collector_paused() -> Iterator[None]:
    """Keep the garbage collector from walking millions of rows that hold no cycles (a third)."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def _assess(
    events: Iterable[Event],
    policy: Policy,
    law: Law,
    carry_in: CarryIn,
    locked: Mapping[int, Candidate],
) -> Assessment:
    rows = in_order(events)
    methods: dict[int, Candidate] = {}
    if policy.method is Method.MIN_TAX:
        book, methods = post_cheapest(
            rows, policy, law=law, prior=carry_in.prior_losses, locked=locked
        )
    else:
        book = TaxBook(policy)
        book.post(rows)
    open_items = [*book.open_items, *_duplicates(rows), *_residency(policy, rows)]
    if policy.treatment is not Treatment.CAPITAL:
        book.revenue += on_revenue(rows, book.slices, policy=policy)
    years = _years(book, policy, law, carry_in, open_items)
    wash = wash_flags(book.slices, rows, window_days=policy.wash_window_days)
    return Assessment(
        policy,
        law,
        tuple(book.slices),
        tuple(book.revenue),
        tuple(book.parcels()),
        tuple(open_items),
        years,
        tuple(wash),
        methods,
    )


def _stated(row: StatedGain, policy: Policy) -> Gain:
    is_long = row.is_discountable and policy.entity.discount > 0
    is_long = is_long and row.category not in _NEVER_DISCOUNTED
    return Gain(
        row.id, row.day, row.category, row.amount, is_long, "stated", concession=row.concession
    )


def _years(
    book: TaxBook, policy: Policy, law: Law, carry_in: CarryIn, open_items: list[OpenItem]
) -> dict[int, YearResult]:
    slices = _by_year(book.slices, carry_in.year)
    stated = _by_year(book.stated, carry_in.year)
    revenue = _by_year(book.revenue, carry_in.year)
    prior = tuple(carry_in.prior_losses)
    found = {}
    for year in sorted({*slices, *stated, *revenue, *carry_in.quarantined}):
        own, said = tuple(slices.get(year, ())), tuple(stated.get(year, ()))
        chosen = own if policy.treatment is Treatment.CAPITAL else ()
        gains = summed_gains(chosen, policy, law=law, open_items=open_items)
        statement = statement_of(
            [*gains, *(_stated(row, policy) for row in said)],
            prior,
            policy=policy,
            year=year,
            quarantined=carry_in.quarantined.get(year, ZERO),
        )
        prior = statement.carried
        rows = tuple(revenue.get(year, ()))
        found[year] = YearResult(year, own, said, statement, rows, policy, law)
    return found


def _by_year(rows: Iterable[Dated], undated: int) -> dict[int, list[Dated]]:
    found: dict[int, list[Dated]] = defaultdict(list)
    for row in rows:
        day: date | None = row.day
        found[undated if day is None else income_year(day)].append(row)
    return found


def _duplicates(events: Sequence[Event]) -> list[OpenItem]:
    seen: set[str] = set()
    found = []
    for event in events:
        if event.id in seen and not isinstance(event, StatedGain):
            text = f"two events are called {event.id}; if they are one, remove one of them"
            found.append(OpenItem("duplicate_id", event.id, text))
        seen.add(event.id)
    return found


def _residency(policy: Policy, events: Sequence[Event]) -> list[OpenItem]:
    """Refer a person who was not resident throughout: their discount is apportioned by law."""
    held = [event.day for event in events if event.day is not None]
    if not held or not policy.residency:
        return []
    if not any(period.touches(held[0], held[-1]) for period in policy.residency):
        return []
    if not any(isinstance(event, Dispose) for event in events):
        return []
    text = (
        "foreign or temporary residence in the holding period: no discount and no indexation is "
        "taken; see a registered tax agent about an apportioned discount"
    )
    return [OpenItem("refer_residency", "", text)]

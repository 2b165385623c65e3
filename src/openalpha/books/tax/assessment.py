"""One entity's tax from its events: parcels, gains, income and a statement for every year.

`assess` is the whole engine in one call. It is pure: the same events, policy and law give the
same figures, on any machine and on any day.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from openalpha.books.tax.amounts import ZERO, exact
from openalpha.books.tax.dates import REFORM_START, income_year
from openalpha.books.tax.entity import Method, Policy
from openalpha.books.tax.events import Dispose, Event, StatedGain, in_order
from openalpha.books.tax.gains import Gain, Law, classify
from openalpha.books.tax.losses import Statement, five_steps, seven_steps
from openalpha.books.tax.parcels import Parcel
from openalpha.books.tax.posting import Revenue, TaxBook
from openalpha.books.tax.search import Candidate, post_cheapest
from openalpha.books.tax.slices import OpenItem, Slice
from openalpha.books.tax.wash import WashFlag, wash_flags

__all__ = ["Assessment", "CarryIn", "YearResult", "assess", "statement_of"]

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
    gains: tuple[Gain, ...]
    statement: Statement
    revenue: tuple[Revenue, ...]

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
    gains: tuple[Gain, ...]
    revenue: tuple[Revenue, ...]
    parcels: tuple[Parcel, ...]
    open_items: tuple[OpenItem, ...]
    years: Mapping[int, YearResult]
    wash: tuple[WashFlag, ...]
    methods: Mapping[int, Candidate]

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
    with exact():
        return _assess(events, policy, law or Law(), carry_in or CarryIn(), locked or {})


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
    gains = classify(book.slices, policy, law=law, open_items=open_items)
    gains += [_stated(row, policy) for row in book.stated]
    wash = wash_flags(book.slices, rows, window_days=policy.wash_window_days)
    return Assessment(
        policy,
        law,
        tuple(book.slices),
        tuple(gains),
        tuple(book.revenue),
        tuple(book.parcels()),
        tuple(open_items),
        _years(gains, book.revenue, policy, carry_in),
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
    gains: Sequence[Gain], revenue: Sequence[Revenue], policy: Policy, carry_in: CarryIn
) -> dict[int, YearResult]:
    by_year: dict[int, list[Gain]] = defaultdict(list)
    for gain in gains:
        by_year[carry_in.year if gain.day is None else income_year(gain.day)].append(gain)
    other: dict[int, list[Revenue]] = defaultdict(list)
    for row in revenue:
        other[carry_in.year if row.day is None else income_year(row.day)].append(row)
    prior = tuple(carry_in.prior_losses)
    years = sorted({*by_year, *other, *carry_in.quarantined})
    found = {}
    for year in years:
        quarantined = carry_in.quarantined.get(year, ZERO)
        statement = statement_of(
            by_year[year], prior, policy=policy, year=year, quarantined=quarantined
        )
        prior = statement.carried
        found[year] = YearResult(year, tuple(by_year[year]), statement, tuple(other[year]))
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

"""An entity's whole record worked out by its profile: every portfolio, and the years together."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal

from openalpha.books.tax.amounts import ZERO
from openalpha.books.tax.assessment import Assessment, assess
from openalpha.books.tax.dates import income_year
from openalpha.books.tax.entity import Method, Policy
from openalpha.books.tax.events import Event, in_order
from openalpha.books.tax.gains import Gain, Law
from openalpha.books.tax.handing import handed_over
from openalpha.books.tax.losses import Statement
from openalpha.books.tax.portfolios import assess_portfolios
from openalpha.books.tax.profile import Profile, refuse_unfit
from openalpha.books.tax.search import Candidate
from openalpha.books.tax.slices import OpenItem, Revenue, Slice

__all__ = ["Assessed", "EntityYear", "assess_profile", "assessed_alone"]


@dataclass(frozen=True, slots=True)
class EntityYear:
    """One income year of an entity, all its portfolios together, in AUD."""

    year: int
    policy: Policy
    statement: Statement
    gains: tuple[Gain, ...]
    revenue: tuple[Revenue, ...]

    @property
    def income(self) -> Decimal:
        """Ordinary income of the year."""
        return sum((row.amount for row in self.revenue if row.amount > 0), ZERO)

    @property
    def deductions(self) -> Decimal:
        """Deductions of the year, positive."""
        return -sum((row.amount for row in self.revenue if row.amount < 0), ZERO)

    @property
    def result(self) -> Decimal:
        """What the year adds to taxable income: net gain and income, less deductions."""
        return self.statement.net + self.income - self.deductions


@dataclass(frozen=True, slots=True)
class Assessed:
    """An entity's assessments by portfolio, "" being what belongs to none, and its years."""

    profile: Profile
    parts: Mapping[str, Assessment]
    years: Mapping[int, EntityYear]
    asked: tuple[OpenItem, ...] = ()

    @property
    def slices(self) -> tuple[Slice, ...]:
        """Every slice of every portfolio."""
        return tuple(piece for part in self.parts.values() for piece in part.slices)

    @property
    def open_items(self) -> tuple[OpenItem, ...]:
        """What is open in any portfolio, without what an agent gave a word on."""
        said = {word.item for word in self.profile.agent}
        found = [item for part in self.parts.values() for item in part.open_items]
        return tuple(item for item in (*found, *self.asked) if item.code not in said)


def assess_profile(
    events: Iterable[Event],
    profile: Profile,
    *,
    law: Law | None = None,
    locked: Mapping[int, Candidate] | None = None,
) -> Assessed:
    """Assess an entity by its profile: policy, accounts of its portfolios, losses brought in.

    Raises
    ------
    Refused
        If its tax is not worked out here (a deceased person, a foreign or temporary resident), or
        the law or the engine does not allow what was asked.

    Examples
    --------
    >>> assess_profile([], Profile("me")).years
    {}
    """
    rows = list(events)
    days = [event.day for event in rows if event.day is not None]
    if days:
        refuse_unfit(profile, first=min(days), last=max(days))
    policy, kept = _with_locks(profile.policy, locked or {}, {income_year(day) for day in days})
    if not profile.choices:
        carry_in = profile.carry_in()
        done = assess(rows, policy, law=law, carry_in=carry_in, locked=kept)
        return _plain(done, profile)
    rows, asked = handed_over(
        in_order(rows), profile.portfolios, policy=policy, choices=profile.choices
    )
    parts, years = assess_portfolios(
        rows,
        policy,
        choices=profile.choices,
        law=law,
        carry_in=profile.carry_in(),
        locked=kept,
    )
    together = {
        year: EntityYear(year, profile.policy, row.statement, row.gains, row.rows)
        for year, row in years.items()
    }
    return Assessed(profile, parts, together, (*asked, *_unknown(rows, profile)))


def _unknown(events: Iterable[Event], profile: Profile) -> list[OpenItem]:
    """Ask about choices for portfolios that no event belongs to: they would do nothing."""
    named = {getattr(event, "strategy", "") for event in events}
    text = (
        "no event belongs to the portfolio {0}, so its choice of account does nothing; say under "
        '[portfolios] which wallet it is: {0} = "bybit"'
    )
    missing = sorted({c.portfolio for c in profile.choices} - named - {""})
    return [OpenItem("unknown_portfolio", name, text.format(name)) for name in missing]


def _with_locks(
    policy: Policy, locked: Mapping[int, Candidate], years: set[int]
) -> tuple[Policy, dict[int, Candidate]]:
    """Return policy and orders that keep locked years as they were, whatever the method is now."""
    standing = Candidate(policy.method, Decimal(1))
    kept = {year: order for year, order in locked.items() if year in years}
    if policy.method is Method.MIN_TAX or all(order == standing for order in kept.values()):
        return policy, kept
    # Every year's order is given, so the search has nothing to search.
    return replace(policy, method=Method.MIN_TAX), {
        year: kept.get(year, standing) for year in years
    }


def assessed_alone(done: Assessment) -> Assessed:
    """Return an assessment as that of an entity with no profile but its policy."""
    return _plain(done, Profile("", done.policy))


def _plain(done: Assessment, profile: Profile) -> Assessed:
    years = {
        year: EntityYear(year, profile.policy, row.statement, tuple(row.gains), row.revenue)
        for year, row in done.years.items()
    }
    return Assessed(profile, {"": done}, years)

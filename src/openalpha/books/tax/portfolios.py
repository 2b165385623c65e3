"""Several portfolios of one entity, each on its own account: capital here, revenue there.

Each portfolio keeps parcels of its own, as stock and investments are kept apart. Who chose the
treatment, since when and why stands beside every figure.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import NamedTuple

from openalpha.books.tax.amounts import ZERO, exact
from openalpha.books.tax.assessment import Assessment, CarryIn, statement_of
from openalpha.books.tax.changes import Choice, assess_segments, segments_of
from openalpha.books.tax.dates import income_year
from openalpha.books.tax.entity import Method, Policy, Refused
from openalpha.books.tax.events import Event, in_order
from openalpha.books.tax.gains import Gain, Law
from openalpha.books.tax.losses import Statement
from openalpha.books.tax.search import CANDIDATES, Candidate
from openalpha.books.tax.slices import Revenue

__all__ = ["Choice", "PortfolioYear", "assess_portfolios"]


@dataclass(frozen=True, slots=True)
class PortfolioYear:
    """One income year of all portfolios together, in AUD: gains, and rows on revenue account."""

    statement: Statement
    revenue: Decimal
    gains: tuple[Gain, ...] = ()
    rows: tuple[Revenue, ...] = ()

    @property
    def score(self) -> tuple[Decimal, ...]:
        """What `min_tax` makes least: the taxable result, then the base of the minimum tax."""
        statement = self.statement
        added = statement.net + self.revenue
        return added, statement.minimum_tax_gain, -statement.carried_forward


def assess_portfolios(
    events: Iterable[Event],
    policy: Policy,
    *,
    choices: Iterable[Choice],
    law: Law | None = None,
    carry_in: CarryIn | None = None,
    locked: Mapping[int, Candidate] | None = None,
) -> tuple[dict[str, Assessment], dict[int, PortfolioYear]]:
    """Assess every portfolio on its own account and add the years up.

    `min_tax` chooses one order a year for all portfolios together, by what they come to as one.

    An event belongs to the portfolio named by its `strategy`; events without one, and portfolios
    without a choice, take the policy's treatment. Capital losses are set against the gains of all
    portfolios, as they are one taxpayer's.

    A portfolio that changes its account stands in several assessments, one a stretch, with the
    deemed events between them (`changes`).

    Raises
    ------
    Refused
        If a choice lacks reason or signer, or a value that a change of account needs.
    """
    chosen = _checked(choices)
    rows: dict[str, list[Event]] = {}
    for event in events:
        rows.setdefault(getattr(event, "strategy", ""), []).append(event)
    whole = _Whole(policy, chosen, law, carry_in or CarryIn())
    if policy.method is Method.MIN_TAX:
        locked = whole.cheapest(rows, locked or {})
    return whole.assess(rows, locked or {})


class _Whole(NamedTuple):
    """What every assessment of all portfolios is given beside events and orders of parcels."""

    policy: Policy
    choices: Mapping[str, Sequence[Choice]]
    law: Law | None
    carry_in: CarryIn

    def assess(
        self, rows: Mapping[str, Sequence[Event]], locked: Mapping[int, Candidate]
    ) -> tuple[dict[str, Assessment], dict[int, PortfolioYear]]:
        own = replace(self.carry_in, prior_losses=())
        found: dict[str, Assessment] = {}
        for name, group in sorted(rows.items()):
            cuts = self.choices.get(name, ())
            stretches = segments_of(name, in_order(group), policy=self.policy, choices=cuts)
            found |= assess_segments(
                stretches, self.policy, law=self.law, carry_in=own, locked=locked
            )
        return found, _together(found, self.policy, self.carry_in)

    def cheapest(
        self, rows: Mapping[str, Sequence[Event]], locked: Mapping[int, Candidate]
    ) -> dict[int, Candidate]:
        """Find the one order of all portfolios that is best for each year, years before it kept.

        Losses of one portfolio meet the gains of another, so each alone could choose wrongly.
        """
        days = [event.day for group in rows.values() for event in group if event.day is not None]
        chosen = dict(locked)
        for year in sorted({income_year(day) for day in days} - set(locked)):
            until = {name: _until(group, year) for name, group in rows.items()}
            best: tuple[Decimal, ...] | None = None
            for candidate in CANDIDATES:
                found = self.assess(until, {**chosen, year: candidate})[1].get(year)
                score = (ZERO,) if found is None else found.score
                if best is None or score < best:
                    best, order = score, candidate
            chosen[year] = order
        return chosen


def _until(events: Iterable[Event], year: int) -> list[Event]:
    return [event for event in events if event.day is None or income_year(event.day) <= year]


def _checked(choices: Iterable[Choice]) -> dict[str, list[Choice]]:
    chosen: dict[str, list[Choice]] = {}
    for choice in choices:
        if not choice.reason or not choice.signer:
            raise Refused(f"the treatment of {choice.portfolio} needs a reason and who chose it")
        chosen.setdefault(choice.portfolio, []).append(choice)
    return chosen


def _together(
    found: Mapping[str, Assessment], policy: Policy, carry_in: CarryIn
) -> dict[int, PortfolioYear]:
    years = sorted({year for one in found.values() for year in one.years})
    prior = tuple(carry_in.prior_losses)
    together = {}
    with exact():
        for year in years:
            results = [one.years[year] for one in found.values() if year in one.years]
            gains = [gain for result in results for gain in result.gains]
            statement = statement_of(
                gains,
                prior,
                policy=policy,
                year=year,
                quarantined=carry_in.quarantined.get(year, ZERO),
            )
            prior = statement.carried
            rows = tuple(row for r in results for row in r.revenue)
            revenue = sum((row.amount for row in rows), ZERO)
            together[year] = PortfolioYear(statement, revenue, tuple(gains), rows)
    return together

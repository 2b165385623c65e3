"""Assesses one income year from the events up to its end, locked years kept as they were."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from openalpha.books.report.facts import Facts
from openalpha.books.tax.assessment import Assessment, YearResult, assess, statement_of
from openalpha.books.tax.dates import income_year
from openalpha.books.tax.entity import Method, Refused, Treatment
from openalpha.books.tax.events import Event
from openalpha.books.tax.gains import CATEGORIES
from openalpha.books.tax.search import Candidate

__all__ = ["Assessed", "assess_facts", "side_by_side"]


@dataclass(frozen=True, slots=True)
class Assessed:
    """The year's figures under one treatment, and everything the engine found up to its end."""

    assessment: Assessment
    result: YearResult
    order: Candidate

    @property
    def taxable(self) -> Decimal:
        """What the year adds to taxable income, in AUD."""
        result = self.result
        return result.statement.net + result.income - result.deductions

    @property
    def pools(self) -> tuple[tuple[str, bool], ...]:
        """Categories of gains in the order losses meet them, those without discount first."""
        entity = self.assessment.policy.entity
        is_new = entity.is_reformed and "step7" in self.result.statement.steps
        names = CATEGORIES if is_new else ("non_residential",)
        return tuple((name, is_long) for name in names for is_long in (False, True))


def assess_facts(facts: Facts, treatment: Treatment | None = None) -> Assessed:
    """Assess a year.

    Parameters
    ----------
    facts : Facts
    treatment : Treatment or None
        Another one than the policy's, to compare.

    Raises
    ------
    Refused
        If nothing happened in the year, or the law or engine does not allow what was asked.
    """
    events = up_to(facts.events, facts.year)
    years = {income_year(event.day) for event in events if event.day is not None}
    if facts.year not in years:
        raise Refused(_nothing(facts))
    policy = facts.policy
    if treatment is not None:
        policy = replace(policy, treatment=treatment)
    standing = Candidate(policy.method, Decimal(1))
    kept = {year: order for year, order in facts.orders.items() if year in years}
    carry_in = replace(facts.carry_in, year=facts.year)
    if policy.method is not Method.MIN_TAX and any(order != standing for order in kept.values()):
        # Every year's order is given: the search has nothing to search, and keeps locked years.
        kept = {year: kept.get(year, standing) for year in years}
        policy = replace(policy, method=Method.MIN_TAX)
    found = assess(events, policy, law=facts.law, carry_in=carry_in, locked=kept)
    order = found.methods.get(facts.year, standing)
    return Assessed(found, _result(found, facts), order)


def side_by_side(facts: Facts, chosen: Assessed) -> tuple[list[Assessed | None], list[str]]:
    """Assess the year under every treatment, in their order; with a reason where one is refused.

    A treatment the engine refuses (stock without a price) is None.
    """
    found: list[Assessed | None] = []
    reasons = []
    for treatment in Treatment:
        try:
            is_chosen = treatment is facts.policy.treatment
            found.append(chosen if is_chosen else assess_facts(facts, treatment))
            reasons.append("")
        except Refused as error:
            found.append(None)
            reasons.append(error.message)
    return found, reasons


def up_to(events: Sequence[Event], year: int) -> list[Event]:
    """Return the events of an income year and of those before it; undated ones count."""
    return [event for event in events if event.day is None or income_year(event.day) <= year]


def _result(found: Assessment, facts: Facts) -> YearResult:
    """Return the year's result; a year of purchases only has none of its own, and no gain."""
    if facts.year in found.years:
        return found.years[facts.year]
    earlier = [year for year in found.years if year < facts.year]
    prior = found.years[max(earlier)].statement.carried if earlier else facts.carry_in.prior_losses
    statement = statement_of([], prior, policy=found.policy, year=facts.year)
    return YearResult(facts.year, (), (), statement, (), found.policy, found.law)


def _nothing(facts: Facts) -> str:
    name = f"{facts.year - 1}-{facts.year % 100:02d}"
    years = sorted({income_year(event.day) for event in facts.events if event.day is not None})
    if not years:
        return (
            f"there is nothing to report for {facts.entity}: no event is in its books; "
            "openalpha tax import FILE… brings exchange histories in"
        )
    known = ", ".join(f"{year - 1}-{year % 100:02d}" for year in years)
    return f"nothing happened in {name} to {facts.entity}; there are events in {known}"

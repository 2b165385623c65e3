"""Assesses one income year from the events up to its end, locked years kept as they were."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from openalpha.books.report.facts import Facts
from openalpha.books.tax.amounts import ZERO
from openalpha.books.tax.assessment import statement_of
from openalpha.books.tax.dates import income_year
from openalpha.books.tax.entity import Refused, Treatment
from openalpha.books.tax.entity_year import Assessed, EntityYear, assess_profile
from openalpha.books.tax.events import Event
from openalpha.books.tax.gains import CATEGORIES
from openalpha.books.tax.profile import Profile
from openalpha.books.tax.search import Candidate
from openalpha.books.tax.slices import Slice

__all__ = ["Found", "assess_facts", "side_by_side", "treatments_of"]

AS_CHOSEN = "as chosen"


@dataclass(frozen=True, slots=True)
class Found:
    """The year's figures under one treatment, and everything the engine found up to its end.

    `order` of parcels is that of every portfolio, but for trading stock, which is FIFO (TR 96/4).
    """

    record: Assessed
    result: EntityYear
    order: Candidate

    @property
    def slices(self) -> list[tuple[Treatment, Slice]]:
        """What was disposed of in the year, each with the account it was on."""
        return [
            (part.policy.treatment, piece)
            for part in self.record.parts.values()
            if self.result.year in part.years
            for piece in part.years[self.result.year].slices
        ]

    @property
    def pools(self) -> tuple[tuple[str, bool], ...]:
        """Categories of gains in the order losses meet them, those without discount first."""
        is_new = "step7" in self.result.statement.steps
        names = CATEGORIES if is_new else ("non_residential",)
        return tuple((name, is_long) for name in names for is_long in (False, True))

    def carried_before(self) -> dict[int, Decimal]:
        """Return net capital losses brought into the year, by the year they were made."""
        years = self.record.years
        earlier = [year for year in years if year < self.result.year]
        if earlier:
            rows = years[max(earlier)].statement.carried
        else:
            rows = self.record.profile.carry_in().prior_losses
        found: dict[int, Decimal] = {}
        for year, amount in rows:
            found[year] = found.get(year, ZERO) + amount
        return found


def assess_facts(facts: Facts, profile: Profile | None = None) -> Found:
    """Assess a year.

    Parameters
    ----------
    facts : Facts
    profile : Profile or None
        Another one than the facts', to compare.

    Raises
    ------
    Refused
        If nothing happened in the year, or the law or engine does not allow what was asked.
    """
    chosen = profile or facts.profile
    events = _up_to(facts.events, facts.year)
    years = {income_year(event.day) for event in events if event.day is not None}
    if facts.year not in years:
        raise Refused(_nothing(facts))
    record = assess_profile(events, chosen, law=facts.law, locked=facts.orders)
    orders = (part.methods.get(facts.year) for part in record.parts.values())
    standing = Candidate(chosen.policy.method, Decimal(1))
    order = next((order for order in orders if order is not None), standing)
    return Found(record, _result(record, facts.year), order)


def treatments_of(profile: Profile) -> tuple[str, ...]:
    """Name what is compared: every treatment, and before them the profile's own mixture."""
    names = tuple(treatment.value for treatment in Treatment)
    return (AS_CHOSEN, *names) if profile.choices else names


def side_by_side(facts: Facts, chosen: Found) -> tuple[list[Found | None], list[str]]:
    """Assess the year under every treatment, with a reason where one is refused.

    In the order of `treatments_of`. What the engine refuses (stock without a price) is None.
    """
    found: list[Found | None] = []
    reasons = []
    for name in treatments_of(facts.profile):
        try:
            found.append(_under(facts, chosen, name))
            reasons.append("")
        except Refused as error:
            found.append(None)
            reasons.append(error.message)
    return found, reasons


def _under(facts: Facts, chosen: Found, name: str) -> Found:
    profile = facts.profile
    if name == AS_CHOSEN or (not profile.choices and name == profile.policy.treatment):
        return chosen
    policy = replace(profile.policy, treatment=Treatment(name))
    return assess_facts(facts, replace(profile, policy=policy, choices=()))


def _up_to(events: Sequence[Event], year: int) -> list[Event]:
    return [event for event in events if event.day is None or income_year(event.day) <= year]


def _result(record: Assessed, year: int) -> EntityYear:
    """Return the year's result; a year of purchases only has none of its own, and no gain."""
    if year in record.years:
        return record.years[year]
    earlier = [known for known in record.years if known < year]
    prior = record.profile.carry_in().prior_losses
    if earlier:
        prior = record.years[max(earlier)].statement.carried
    policy = record.profile.policy
    return EntityYear(year, policy, statement_of([], prior, policy=policy, year=year), (), ())


def _nothing(facts: Facts) -> str:
    name = facts.profile.name
    years = sorted({income_year(event.day) for event in facts.events if event.day is not None})
    if not years:
        return (
            f"there is nothing to report for {name}: no event is in its books; openalpha tax "
            "import FILE… brings exchange histories in"
        )
    known = ", ".join(f"{year - 1}-{year % 100:02d}" for year in years)
    return f"nothing happened in {facts.year_name} to {name}; there are events in {known}"

"""A trust's income year: who takes which income and which gain, and what falls to the trustee.

Income goes by the resolution made by 30 June. A gain goes to whoever is specifically entitled to
it by 31 August, where the deed allows streaming; what is left of it goes with the income. What
nobody takes is the trustee's (s 99A). A trust's losses stay in the trust.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import NamedTuple

from openalpha.books.tax.amounts import ZERO, exact
from openalpha.books.tax.dates import REFORM_START, income_year
from openalpha.books.tax.entity import Entity, Refused
from openalpha.books.tax.entity_year import EntityYear
from openalpha.books.tax.gains import CATEGORIES, Gain
from openalpha.books.tax.losses import Statement, five_steps, seven_steps
from openalpha.books.tax.profile import Beneficiary, Deed, Resolution
from openalpha.books.tax.rates import Tables
from openalpha.books.tax.trusts import TrustGain, reached

__all__ = ["BeneficiaryYear", "SourcedGain", "Trustee", "TrustYear", "left_of_each", "trust_year"]


class SourcedGain(NamedTuple):
    """What a trust's own losses left of one gain: the disposal it came from, and the gain."""

    source: str
    gain: TrustGain


@dataclass(frozen=True, slots=True)
class BeneficiaryYear:
    """One beneficiary's statement, in AUD.

    `income`: share of the net income apart from gains. `attributable`: share of the gains after
    the trust's discount. `gains`: as the beneficiary is treated to have them, grossed up, named by
    the disposal each came from. `statement`: after its own losses and discount.
    """

    name: str
    entity: Entity
    income: Decimal
    attributable: Decimal
    gains: tuple[Gain, ...]
    statement: Statement

    @property
    def grossed_up(self) -> Decimal:
        """Sum of the gains it is treated to have, before its losses and discount."""
        return sum((gain.amount for gain in self.gains), ZERO)


@dataclass(frozen=True, slots=True)
class Trustee:
    """What is assessed to the trustee under s 99A, in AUD: income, gains undiscounted, tax."""

    income: Decimal
    gains: Decimal
    rate: Decimal
    tax: Decimal


@dataclass(frozen=True, slots=True)
class TrustYear:
    """A trust's year. `problems` are sentences about resolutions that do not count, and why."""

    year: int
    net_income: Decimal
    net_capital_gain: Decimal
    beneficiaries: tuple[BeneficiaryYear, ...]
    trustee: Trustee
    loss_kept: Decimal
    problems: tuple[str, ...]


def trust_year(
    result: EntityYear, deed: Deed, *, tables: Tables, other_income: Decimal = ZERO
) -> TrustYear:
    """Distribute a trust's income year.

    Parameters
    ----------
    result : EntityYear
        The trust's own year: gains after its losses, and what was on revenue account.
    deed : Deed
        Beneficiaries and resolutions.
    tables : Tables
        The trustee's rate.
    other_income : Decimal
        Net income apart from these books, in AUD.

    Raises
    ------
    Refused
        If a beneficiary is not resident, or entitlements exceed the whole.
    """
    with exact():
        return _trust_year(result, deed, tables, other_income)


def left_of_each(result: EntityYear) -> list[SourcedGain]:
    """Return what the year's losses leave of each gain; the sums are those of the statement.

    Losses go against gains in the statement's own order, the earlier disposal first.
    """
    statement = result.statement
    if statement.quarantined_applied:
        raise Refused("a trust with quarantined rental amounts: see a registered tax agent")
    loss = statement.applied_current + statement.applied_prior
    discount = result.policy.entity.discount
    found = []
    for gain in sorted(_gains(result), key=lambda gain: _rank(gain, discount, result.year)):
        used = min(loss, gain.amount)
        loss -= used
        plain = gain.amount if gain.unindexed is None else gain.unindexed
        left = TrustGain(
            gain.amount - used, max(plain - used, ZERO), gain.is_discountable, gain.category
        )
        found.append(SourcedGain(gain.source, left))
    return found


def _gains(result: EntityYear) -> Iterable[Gain]:
    known = (*CATEGORIES,)
    for gain in result.gains:
        if gain.amount > 0:
            is_known = gain.category in known
            yield gain if is_known else gain._replace(category="non_residential")


def _rank(gain: Gain, discount: Decimal, year: int) -> tuple[int, Decimal, date]:
    kept = 1 - gain.concession
    if gain.is_discountable:
        kept *= 1 - discount
    is_reformed = year >= income_year(REFORM_START)
    place = CATEGORIES.index(gain.category) if is_reformed else 0
    return place, -kept, gain.day or date.min


def _trust_year(result: EntityYear, deed: Deed, tables: Tables, other_income: Decimal) -> TrustYear:
    _check_people(deed.beneficiaries)
    income = result.income - result.deductions + other_income
    problems: list[str] = []
    shares = _income_shares(deed, result.year, problems)
    left = left_of_each(result)
    rest = 1 - sum(shares.values(), ZERO)
    rate = tables.rate("trustee_99a", result.year).value
    taken: dict[str, list[tuple[SourcedGain, Decimal]]] = {p.name: [] for p in deed.beneficiaries}
    undistributed = ZERO
    for row in left:
        own = _entitled(row.source, deed, result.year, problems)
        remainder = 1 - sum(own.values(), ZERO)
        for person in deed.beneficiaries:
            fraction = own.get(person.name, ZERO) + remainder * shares.get(person.name, ZERO)
            if fraction:
                taken[person.name].append((row, fraction))
        undistributed += row.gain.amount * remainder * rest
    spread = max(income, ZERO)
    kept = spread * rest
    return TrustYear(
        result.year,
        income,
        result.statement.net,
        tuple(
            _statement(p, spread * shares.get(p.name, ZERO), taken[p.name], result.year)
            for p in deed.beneficiaries
        ),
        Trustee(kept, undistributed, rate, (kept + undistributed) * rate),
        max(-income, ZERO),
        tuple(dict.fromkeys(problems)),
    )


def _check_people(people: Iterable[Beneficiary]) -> None:
    for person in people:
        if not person.is_resident:
            raise Refused(
                f"{person.name} is not resident: the trustee is assessed for such a beneficiary "
                "(s 98); see a registered tax agent"
            )


def _income_shares(deed: Deed, year: int, problems: list[str]) -> dict[str, Decimal]:
    """Return the present entitlements of a year; the last resolution made in time holds."""
    deadline = date(year, 6, 30)
    timely: list[Resolution] = []
    for made in deed.resolutions:
        if made.year != year or made.kind != "income":
            continue
        if made.day > deadline:
            problems.append(
                f"the income resolution of {made.day} came after {deadline}: nobody is presently "
                "entitled by it"
            )
        else:
            timely.append(made)
    if not timely:
        problems.append(
            f"no resolution by {deadline} makes anybody entitled to the income: it is the "
            "trustee's, at the top rate (s 99A)"
        )
        return {}
    return dict(max(timely, key=lambda made: made.day).shares)


def _entitled(source: str, deed: Deed, year: int, problems: list[str]) -> Mapping[str, Decimal]:
    """Return who is specifically entitled to a gain."""
    deadline = date(year, 8, 31)
    found: dict[str, Decimal] = {}
    for made in deed.resolutions:
        is_about = made.kind == "gains" and (not made.gains or source in made.gains)
        if made.year != year or not is_about:
            continue
        if not deed.allows_streaming:
            problems.append(
                "the deed does not allow streaming: gains go with the income, whatever was "
                "resolved about them"
            )
        elif made.day > deadline:
            problems.append(
                f"the entitlement of {made.day} was recorded after {deadline}: it does not count"
            )
        else:
            for name, fraction in made.shares.items():
                found[name] = found.get(name, ZERO) + fraction
    if sum(found.values(), ZERO) > 1:
        raise Refused(f"the entitlements to {source} add up to more than the whole gain")
    return found


def _statement(
    person: Beneficiary, income: Decimal, taken: list[tuple[SourcedGain, Decimal]], year: int
) -> BeneficiaryYear:
    half = Entity.TRUST.discount
    gains = tuple(
        reached(row.gain, person.entity, fraction=fraction)._replace(source=row.source)
        for row, fraction in taken
    )
    attributable = sum(
        (
            row.gain.amount * fraction * ((1 - half) if row.gain.is_discountable else 1)
            for row, fraction in taken
        ),
        ZERO,
    )
    prior = [(0, person.losses)] if person.losses else []
    steps = seven_steps if year >= income_year(REFORM_START) else five_steps
    statement = steps(gains, prior, discount=person.entity.discount, year=year)
    return BeneficiaryYear(person.name, person.entity, income, attributable, gains, statement)

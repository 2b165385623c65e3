"""What an entity's years add to its tax: an estimate, with what it rests on.

Levy surcharge, HELP, Division 293 and offsets other than the low income one are not worked out, and
a note says so. Where the rest of a person's income is not stated the top rate is taken, and a loss
of a business is kept for later unless the entity's file says that Division 35 lets it be used.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from openalpha.books.tax.amounts import ZERO, exact
from openalpha.books.tax.company_year import company_years
from openalpha.books.tax.dates import REFORM_START, income_year
from openalpha.books.tax.entity import Entity
from openalpha.books.tax.entity_year import Assessed, EntityYear
from openalpha.books.tax.minimum_tax import minimum_tax
from openalpha.books.tax.profile import Profile
from openalpha.books.tax.rates import Tables

__all__ = ["YearTax", "taxes_of"]

_HUNDRED = Decimal(100)
_LEFT_OUT = (
    "not in it, and raised by more income: Medicare levy surcharge, HELP repayments, Division 293 "
    "tax; nor any offset but the low income one"
)
_KEPT = (
    "a business makes this loss: it is kept for later years, as Division 35 (non-commercial "
    "losses) is not worked out; where a test of it is passed, name the year in business_loss_years"
)
_USED = (
    "this loss lowers other income: right for a profit-making scheme and for contracts; of a "
    "business only if Division 35 (non-commercial losses) allows it"
)


@dataclass(frozen=True, slots=True)
class YearTax:
    """What a year adds to tax, in AUD.

    `result` is what it adds to taxable income (- a loss), `used` the earlier revenue losses set
    against it, `marginal` the tax on the next dollar as a fraction, `minimum_gap` what the minimum
    tax adds. `basis` says in words what rates were taken.
    """

    year: int
    result: Decimal
    used: Decimal
    added: Decimal
    marginal: Decimal
    minimum_gap: Decimal
    loss_carried: Decimal
    basis: str
    notes: tuple[str, ...] = ()


def taxes_of(assessed: Assessed, *, tables: Tables) -> dict[int, YearTax]:
    """Estimate what every year of an entity adds to its tax.

    Parameters
    ----------
    assessed : Assessed
        Its years.
    tables : Tables
        Scales and rates.

    Returns
    -------
    dict of int to YearTax
        In order; a revenue loss lowers the year's other income where that is stated, and is
        carried to later years beyond that.

    Raises
    ------
    Refused
        If a year lies before the tables.
    """
    with exact():
        entity = assessed.profile.entity
        if entity is Entity.COMPANY:
            return _company(assessed, tables)
        brought = sum(
            (loss.amount for loss in assessed.profile.losses if loss.wallet == "revenue"), ZERO
        )
        found = {}
        for number in sorted(assessed.years):
            year = assessed.years[number]
            if entity is Entity.INDIVIDUAL and number in assessed.profile.other_income:
                one = _person(year, assessed.profile, tables, brought)
            else:
                one = _flat(year, assessed.profile, tables, brought)
            found[number] = one
            brought = one.loss_carried
        return found


def _company(assessed: Assessed, tables: Tables) -> dict[int, YearTax]:
    found = {}
    for number, year in company_years(assessed.years, assessed.profile, tables=tables).items():
        revenue = year.losses[1]
        found[number] = YearTax(
            number,
            year.net_capital_gain + year.trading_result,
            revenue.applied,
            year.tax.tax,
            year.tax.rate,
            ZERO,
            revenue.closing,
            f"company rate of {_percent(year.tax.rate)}",
            year.problems,
        )
    return found


def _flat(year: EntityYear, profile: Profile, tables: Tables, brought: Decimal) -> YearTax:
    """Tax a year at one rate: a fund's, or the top one where nothing else is known."""
    entity = profile.entity
    if entity is Entity.SMSF:
        rate = tables.rate("smsf", year.year).value
        basis = f"complying fund's rate of {_percent(rate)}"
    else:
        rate = tables.scale(year.year).bands[-1][1] + tables.rate("medicare_levy", year.year).value
        why = "other income is not stated"
        if entity is Entity.TRUST:
            why = "a trust's income is taxed to its beneficiaries, whose rates are not known here"
        basis = f"top rate with levy, {_percent(rate)}, as {why}"
    result, kept = year.result, ZERO
    if entity is Entity.INDIVIDUAL:
        result, kept = _without_business_loss(year, profile)
    used = min(brought, max(result, ZERO))
    taxable = max(result - used, ZERO)
    carried = brought - used + max(-result, ZERO) + kept
    notes = _notes(result, kept) if entity is Entity.INDIVIDUAL else ()
    return YearTax(year.year, result, used, taxable * rate, rate, ZERO, carried, basis, notes)


def _without_business_loss(year: EntityYear, profile: Profile) -> tuple[Decimal, Decimal]:
    """Return what a person's year adds to taxable income, and the business loss kept for later."""
    loss = max(year.deductions - year.income, ZERO)
    if not loss or not profile.is_in_business or year.year in profile.business_loss_years:
        return year.result, ZERO
    return year.statement.net, loss


def _notes(result: Decimal, kept: Decimal) -> tuple[str, ...]:
    words = (_KEPT if kept else "", _USED if result < 0 else "", _LEFT_OUT if result > 0 else "")
    return tuple(word for word in words if word)


def _person(year: EntityYear, profile: Profile, tables: Tables, brought: Decimal) -> YearTax:
    number = year.year
    other = profile.other_income[number]
    result, kept = _without_business_loss(year, profile)
    whole = other + result
    used = min(brought, max(whole, ZERO))
    total = max(whole - used, ZERO)
    carried = brought - used + max(-whole, ZERO) + kept
    gap = _gap(year, profile, tables, total)
    before, after = _payable(other, tables, number), _payable(total, tables, number)
    marginal = (_payable(total + _HUNDRED, tables, number) - after) / _HUNDRED
    basis = f"resident scale on other income of {other:,.2f}, with levy and low income offset"
    return YearTax(
        number,
        result,
        used,
        after - before + gap,
        marginal,
        gap,
        carried,
        basis,
        _notes(result, kept),
    )


def _payable(income: Decimal, tables: Tables, year: int) -> Decimal:
    offset = tables.low_income_offset(income)
    return max(ZERO, tables.income_tax(income, year) - offset) + tables.medicare_levy(income, year)


def _gap(year: EntityYear, profile: Profile, tables: Tables, total: Decimal) -> Decimal:
    if year.year < income_year(REFORM_START):
        return ZERO
    done = minimum_tax(
        year.statement.minimum_tax_gain,
        total,
        tax=lambda income: tables.income_tax(income, year.year),
        rate=tables.rate("minimum_tax", year.year).value,
        is_exempt=year.year in profile.support_years,
        gifts=_of(profile.gifts, year.year),
    )
    return done.gap


def _of(amounts: Mapping[int, Decimal], year: int) -> Decimal:
    return amounts.get(year, ZERO)


def _percent(rate: Decimal) -> str:
    return f"{(rate * _HUNDRED).normalize():f} %"

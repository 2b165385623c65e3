"""A company's income year: the rate test, the tax, and its losses in sub-books kept apart."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import NamedTuple

from openalpha.books.tax.amounts import ZERO, exact
from openalpha.books.tax.companies import CompanyTax, company_tax, is_base_rate_entity
from openalpha.books.tax.entity_year import EntityYear
from openalpha.books.tax.profile import BroughtLoss, Profile
from openalpha.books.tax.rates import Tables

__all__ = ["CompanyYear", "LossRow", "company_years"]


class LossRow(NamedTuple):
    """One wallet of losses over a year, in AUD: what it held, gained, gave, and holds.

    `barred` was brought in without a passed test, and may not be used until one is.
    """

    wallet: str
    opening: Decimal
    made: Decimal
    applied: Decimal
    closing: Decimal
    barred: Decimal


@dataclass(frozen=True, slots=True)
class CompanyYear:
    """A company's year, in AUD. `passive_share` is a fraction of its assessable income."""

    year: int
    net_capital_gain: Decimal
    trading_result: Decimal
    passive_share: Decimal | None
    tax: CompanyTax
    losses: tuple[LossRow, ...]
    problems: tuple[str, ...]

    @property
    def franking_note(self) -> str:
        """What the tax of the year means for dividends."""
        rate = (self.tax.rate * 100).normalize()
        return (
            f"tax paid on this year credits the franking account by {self.tax.tax:,.2f}; dividends "
            f"are franked at no more than the company's rate of the year they are paid in, here "
            f"{rate:f} % by last year's facts"
        )


def company_years(
    years: Mapping[int, EntityYear], profile: Profile, *, tables: Tables
) -> dict[int, CompanyYear]:
    """Work out a company's years in order, revenue losses carried from one to the next.

    Parameters
    ----------
    years : mapping of int to EntityYear
        With the capital losses that may be used already set against gains.
    profile : Profile
        Turnover, passive share, other income, losses brought in.
    tables : Tables
        Rates and thresholds.

    Returns
    -------
    dict of int to CompanyYear
        A revenue loss of a year is set against the net income of the next, gains included.
    """
    with exact():
        brought = [loss for loss in profile.losses if profile.may_use(loss)]
        barred = [loss for loss in profile.losses if not profile.may_use(loss)]
        revenue = _sum(loss.amount for loss in brought if loss.wallet == "revenue")
        capital = _sum(loss.amount for loss in brought if loss.wallet == "capital")
        found = {}
        for year in sorted(years):
            one = _year(years[year], profile, tables, (capital, revenue), barred)
            found[year] = one
            capital, revenue = (row.closing for row in one.losses)
        return found


def _year(
    result: EntityYear,
    profile: Profile,
    tables: Tables,
    held: tuple[Decimal, Decimal],
    barred: list[BroughtLoss],
) -> CompanyYear:
    year, statement = result.year, result.statement
    trading = result.income - result.deductions + profile.other_income.get(year, ZERO)
    whole = statement.net + trading
    used = min(held[1], max(whole, ZERO))
    made = max(-whole, ZERO)
    share = profile.passive_share.get(year, _passive(result, profile))
    is_base = is_base_rate_entity(profile.turnover.get(year), share, tables=tables, year=year)
    tax = company_tax(whole - used, is_base_rate=is_base, tables=tables, year=year)
    capital = LossRow(
        "capital",
        held[0],
        statement.current_losses - statement.applied_current,
        statement.applied_prior,
        held[0] + statement.current_losses - statement.applied_current - statement.applied_prior,
        _sum(loss.amount for loss in barred if loss.wallet == "capital"),
    )
    revenue = LossRow(
        "revenue",
        held[1],
        made,
        used,
        held[1] + made - used,
        _sum(loss.amount for loss in barred if loss.wallet == "revenue"),
    )
    return CompanyYear(
        year, statement.net, trading, share, tax, (capital, revenue), _problems(profile, year)
    )


def _passive(result: EntityYear, profile: Profile) -> Decimal | None:
    """Return the passive part of the assessable income: net gains, interest and rewards."""
    passive = result.statement.net + _sum(
        row.amount
        for row in result.revenue
        if row.amount > 0 and row.kind in ("interest", "reward", "earn", "lending")
    )
    whole = result.statement.net + result.income + profile.other_income.get(result.year, ZERO)
    return passive / whole if whole > 0 else None


def _problems(profile: Profile, year: int) -> tuple[str, ...]:
    found = []
    if year not in profile.turnover:
        found.append(
            "the aggregated turnover is not stated, so the full rate is taken; state it under "
            "[turnover]"
        )
    found += [
        f"the {loss.wallet} loss of {loss.amount} of {loss.year - 1}-{loss.year % 100:02d} is not "
        "used: no test of ownership or business is stated for it (Division 165)"
        for loss in profile.losses
        if not profile.may_use(loss)
    ]
    return tuple(found)


def _sum(amounts: Iterable[Decimal]) -> Decimal:
    return sum(amounts, ZERO)

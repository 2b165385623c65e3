"""Companies: the base rate entity test, the tax at either rate, and losses kept apart."""

from dataclasses import dataclass
from decimal import Decimal

from openalpha.books.tax.amounts import ZERO
from openalpha.books.tax.rates import Tables

__all__ = ["CompanyTax", "company_tax", "is_base_rate_entity"]


@dataclass(frozen=True, slots=True)
class CompanyTax:
    """What a company pays, and what it would pay at either rate, in AUD."""

    taxable_income: Decimal
    loss_carried: Decimal
    is_base_rate: bool
    rate: Decimal
    tax: Decimal
    tax_at_full_rate: Decimal
    tax_at_base_rate: Decimal


def is_base_rate_entity(
    turnover: Decimal | None, passive_share: Decimal | None, *, tables: Tables, year: int
) -> bool:
    """Say whether a company is a base rate entity: small turnover and little passive income.

    Net capital gains are passive. A fact nobody stated fails the test: the higher rate is the
    conservative answer.

    Parameters
    ----------
    turnover : Decimal or None
        Aggregated turnover, in AUD.
    passive_share : Decimal or None
        Passive part of the assessable income, as a fraction.
    """
    if turnover is None or passive_share is None:
        return False
    return (
        turnover < tables.rate("base_rate_turnover", year).value
        and passive_share <= tables.rate("base_rate_passive_share", year).value
    )


def company_tax(income: Decimal, *, is_base_rate: bool, tables: Tables, year: int) -> CompanyTax:
    """Return a company's tax on its net income; a revenue loss is carried, never negative tax.

    Parameters
    ----------
    income : Decimal
        Net capital gain plus other income less deductions, in AUD.
    """
    full = tables.rate("company", year).value
    base = tables.rate("base_rate_entity", year).value
    taxable = max(ZERO, income)
    rate = base if is_base_rate else full
    return CompanyTax(
        taxable,
        max(ZERO, -income),
        is_base_rate,
        rate,
        taxable * rate,
        taxable * full,
        taxable * base,
    )

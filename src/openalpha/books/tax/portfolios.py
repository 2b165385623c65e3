"""Several portfolios of one entity, each on its own account: capital here, revenue there.

Each portfolio keeps parcels of its own, as stock and investments are kept apart. Who chose the
treatment, since when and why stands beside every figure.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal

from openalpha.books.tax.amounts import ZERO, exact
from openalpha.books.tax.assessment import Assessment, CarryIn, assess, statement_of
from openalpha.books.tax.entity import Policy, Refused, Treatment
from openalpha.books.tax.events import Event
from openalpha.books.tax.gains import Law
from openalpha.books.tax.losses import Statement

__all__ = ["Choice", "PortfolioYear", "assess_portfolios"]


@dataclass(frozen=True, slots=True)
class Choice:
    """On which account a portfolio is, from which day, why, and who says so."""

    portfolio: str
    treatment: Treatment
    since: date
    reason: str
    signer: str


@dataclass(frozen=True, slots=True)
class PortfolioYear:
    """One income year of all portfolios together, in AUD."""

    statement: Statement
    revenue: Decimal


def assess_portfolios(
    events: Iterable[Event],
    policy: Policy,
    *,
    choices: Iterable[Choice],
    law: Law | None = None,
    carry_in: CarryIn | None = None,
) -> tuple[dict[str, Assessment], dict[int, PortfolioYear]]:
    """Assess every portfolio on its own account and add the years up.

    An event belongs to the portfolio named by its `strategy`; events without one, and portfolios
    without a choice, take the policy's treatment. Capital losses are set against the gains of all
    portfolios, as they are one taxpayer's.

    Raises
    ------
    Refused
        If a portfolio changes its treatment: that is CGT event K4 or a deemed purchase of stock,
        and needs an election this program does not make; or if a choice lacks reason or signer.
    """
    chosen = _checked(choices)
    rows: dict[str, list[Event]] = {}
    for event in events:
        rows.setdefault(getattr(event, "strategy", ""), []).append(event)
    own = replace(carry_in or CarryIn(), prior_losses=())
    found = {
        name: assess(
            group,
            replace(policy, treatment=chosen.get(name, policy.treatment)),
            law=law,
            carry_in=own,
        )
        for name, group in sorted(rows.items())
    }
    return found, _together(found, policy, carry_in or CarryIn())


def _checked(choices: Iterable[Choice]) -> dict[str, Treatment]:
    chosen: dict[str, Treatment] = {}
    for choice in choices:
        if not choice.reason or not choice.signer:
            raise Refused(f"the treatment of {choice.portfolio} needs a reason and who chose it")
        known = chosen.setdefault(choice.portfolio, choice.treatment)
        if known is not choice.treatment:
            raise Refused(
                f"{choice.portfolio} changes from {known} to {choice.treatment} on {choice.since}: "
                "that is CGT event K4 or new stock at an elected value; see a tax agent"
            )
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
            revenue = sum((row.amount for r in results for row in r.revenue), ZERO)
            together[year] = PortfolioYear(statement, revenue)
    return together

"""Several portfolios of one entity, each on its own account: capital here, revenue there.

Each portfolio keeps parcels of its own, as stock and investments are kept apart. Who chose the
treatment, since when and why stands beside every figure.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal

from openalpha.books.tax.amounts import ZERO, exact
from openalpha.books.tax.assessment import Assessment, CarryIn, statement_of
from openalpha.books.tax.changes import Choice, assess_segments, segments_of
from openalpha.books.tax.entity import Policy, Refused
from openalpha.books.tax.events import Event, in_order
from openalpha.books.tax.gains import Gain, Law
from openalpha.books.tax.losses import Statement
from openalpha.books.tax.search import Candidate
from openalpha.books.tax.slices import Revenue

__all__ = ["Choice", "PortfolioYear", "assess_portfolios"]


@dataclass(frozen=True, slots=True)
class PortfolioYear:
    """One income year of all portfolios together, in AUD: gains, and rows on revenue account."""

    statement: Statement
    revenue: Decimal
    gains: tuple[Gain, ...] = ()
    rows: tuple[Revenue, ...] = ()


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
    own = replace(carry_in or CarryIn(), prior_losses=())
    found: dict[str, Assessment] = {}
    for name, group in sorted(rows.items()):
        stretches = segments_of(name, in_order(group), policy=policy, choices=chosen.get(name, ()))
        found |= assess_segments(stretches, policy, law=law, carry_in=own, locked=locked)
    return found, _together(found, policy, carry_in or CarryIn())


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

"""The record of which parcels were chosen, by whom and when; a lodged year cannot change.

The choice is the taxpayer's (TD 33), so what matters is proof that it was made and kept: a hash of
every slice of the year, taken when the year was locked.
"""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from openalpha.books.tax.assessment import Assessment
from openalpha.books.tax.entity import Method, Refused
from openalpha.books.tax.search import Candidate

__all__ = ["Selection", "changed_years", "lock_year", "locked_orders"]


@dataclass(frozen=True, slots=True)
class Selection:
    """One locked income year: method and weight in force, who locked it, when, and its hash."""

    year: int
    method: str
    weight: Decimal
    chosen_by: str
    locked_ts_ms: int
    sha256: str


def lock_year(assessment: Assessment, year: int, *, chosen_by: str, ts_ms: int) -> Selection:
    """Record the parcels of a year as chosen.

    Parameters
    ----------
    assessment : Assessment
        What `assess` returned.
    year : int
        Income year, by the year it ends.
    chosen_by : str
        The person, or the standing rule, that chose.
    ts_ms : int
        When, in UTC milliseconds.

    Raises
    ------
    Refused
        If nothing happened in that year, or an open item still speaks of it.
    """
    if year not in assessment.years:
        raise Refused(f"nothing happened in the income year that ends in {year}: nothing to lock")
    events = {piece.disposal for piece in assessment.years[year].slices}
    for item in assessment.open_items:
        if item.event in events:
            raise Refused(f"the year cannot be locked while an item is open: {item.text}")
    order = assessment.methods.get(year, Candidate(assessment.policy.method, Decimal(1)))
    digest = _digest(assessment, year)
    return Selection(year, order.method.value, order.weight, chosen_by, ts_ms, digest)


def locked_orders(selections: Iterable[Selection]) -> dict[int, Candidate]:
    """Return what `assess(locked=...)` needs to keep lodged years as they were."""
    return {row.year: Candidate(Method(row.method), row.weight) for row in selections}


def changed_years(assessment: Assessment, selections: Iterable[Selection]) -> list[int]:
    """List the locked years whose parcels are no longer those that were locked.

    A change of an earlier year (a late import, another method) shows here and must be refused or
    amended with the return.
    """
    return [row.year for row in selections if _digest(assessment, row.year) != row.sha256]


def _digest(assessment: Assessment, year: int) -> str:
    result = assessment.years.get(year)
    rows = [
        [piece.disposal, piece.lot, f"{piece.qty.normalize():f}", f"{piece.cost.normalize():f}"]
        for piece in (result.slices if result is not None else ())
    ]
    return hashlib.sha256(json.dumps(rows).encode()).hexdigest()

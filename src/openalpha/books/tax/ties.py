"""Events of one instant: whether their order, which is only the record's, changes a figure."""

from collections.abc import Iterable, Sequence

from openalpha.books.tax.assessment import Assessment, CarryIn, assess
from openalpha.books.tax.entity import Policy
from openalpha.books.tax.events import Event, in_order
from openalpha.books.tax.gains import Law

__all__ = ["order_matters"]


def order_matters(
    events: Iterable[Event],
    policy: Policy,
    *,
    law: Law | None = None,
    carry_in: CarryIn | None = None,
) -> list[str]:
    """Say where the order of events of one instant changes a year's figure.

    Everything is assessed once more with the events of each instant reversed; the years whose net
    gain, income or losses differ are named with the instants. It costs two assessments.

    Returns
    -------
    list of str
        One sentence a year that depends on the order; empty when none does.
    """
    rows = in_order(events)
    ties = _ties(rows)
    if not ties:
        return []
    reversed_rows = _reversed(rows, ties)
    straight = assess(rows, policy, law=law, carry_in=carry_in)
    other = assess(reversed_rows, policy, law=law, carry_in=carry_in)
    names = ", ".join(rows[first].id for first, _ in ties[:5])
    found = []
    for year in straight.years:
        one, two = _figures(straight, year), _figures(other, year)
        if one != two:
            found.append(
                f"the year that ends in {year} depends on the order of events of one instant "
                f"(from {names}); the record's order was used"
            )
    return found


def _figures(assessment: Assessment, year: int) -> tuple[object, ...]:
    result = assessment.years.get(year)
    if result is None:
        return ()
    row = result.statement
    # 18 decimals are cut off on the way; what differs below a cent is no difference.
    return tuple(
        round(amount, 2) for amount in (row.net, row.gross, row.carried_forward, result.income)
    )


def _ties(rows: Sequence[Event]) -> list[tuple[int, int]]:
    """Return [first, last) of every run of timed events of one instant."""
    found = []
    first = 0
    for at in range(1, len(rows) + 1):
        same = (
            at < len(rows)
            and rows[at].ts_ms is not None
            and rows[at].ts_ms == rows[first].ts_ms
            and rows[at].day == rows[first].day
        )
        if not same:
            if at - first > 1:
                found.append((first, at))
            first = at
    return found


def _reversed(rows: Sequence[Event], ties: Iterable[tuple[int, int]]) -> list[Event]:
    found = list(rows)
    for first, last in ties:
        found[first:last] = found[first:last][::-1]
    return found

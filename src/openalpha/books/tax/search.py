"""`min_tax`: the order of parcels that makes an income year's tax smallest, year by year.

Each year is posted under several orders, from the parcels the year before left, and the cheapest
is kept: FIFO, LIFO and HIFO always among them, so the choice is never worse than they in its year.
The search is heuristic beyond that: it knows discount and loss, not every combination of parcels.
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import NamedTuple

from openalpha.books.tax.amounts import ZERO
from openalpha.books.tax.dates import REFORM_START, income_year
from openalpha.books.tax.entity import Method, Policy
from openalpha.books.tax.events import Event
from openalpha.books.tax.gains import Gain, Law, summed_gains
from openalpha.books.tax.losses import Statement, five_steps, seven_steps
from openalpha.books.tax.posting import TaxBook
from openalpha.books.tax.slices import OpenItem

__all__ = ["CANDIDATES", "Candidate", "post_cheapest"]


class Candidate(NamedTuple):
    """One order of parcels: a method, and the weight of a discountable gain for `min_tax`'s own."""

    method: Method
    weight: Decimal


CANDIDATES = (
    Candidate(Method.FIFO, Decimal(1)),
    Candidate(Method.LIFO, Decimal(1)),
    Candidate(Method.HIFO, Decimal(1)),
    Candidate(Method.MIN_TAX, Decimal("0.5")),
)


def post_cheapest(
    events: Sequence[Event],
    policy: Policy,
    *,
    law: Law,
    prior: Sequence[tuple[int, Decimal]] = (),
    locked: Mapping[int, Candidate],
) -> tuple[TaxBook, dict[int, Candidate]]:
    """Post events year by year, each year in its cheapest order.

    Parameters
    ----------
    events : sequence of Event
        In order.
    policy, law
        As for `assess`.
    prior : sequence of (int, Decimal)
        Losses brought in, oldest first.
    locked : mapping of int to Candidate
        Years already lodged: their order is kept.

    Returns
    -------
    tuple
        The book of all years, and the order chosen for each year; ties keep the first candidate.
    """
    whole = TaxBook(policy)
    chosen: dict[int, Candidate] = {}
    losses = tuple(prior)
    for year, rows in _by_year(events):
        orders = (locked[year],) if year in locked else CANDIDATES
        best: tuple[tuple[Decimal, ...], TaxBook, Candidate, Statement] | None = None
        for candidate in orders:
            book = whole.fork(candidate.method, weight=candidate.weight)
            book.post(rows)
            statement = _statement(book, policy, law, losses, year)
            score = (statement.net, statement.minimum_tax_gain, -statement.carried_forward)
            if best is None or score < best[0]:
                best = (score, book, candidate, statement)
        assert best is not None
        _, book, chosen[year], statement = best
        whole.absorb(book)
        losses = statement.carried
    return whole, chosen


def _by_year(events: Sequence[Event]) -> list[tuple[int, list[Event]]]:
    years: dict[int, list[Event]] = {}
    year = 0
    for event in events:
        if event.day is not None:
            year = income_year(event.day)
        years.setdefault(year, []).append(event)
    return sorted(years.items())


def _statement(
    book: TaxBook,
    policy: Policy,
    law: Law,
    prior: tuple[tuple[int, Decimal], ...],
    year: int,
) -> Statement:
    ignored: list[OpenItem] = []
    discount = policy.entity.discount
    gains = summed_gains(book.slices, policy, law=law, open_items=ignored)
    gains += [
        Gain(
            row.id,
            row.day,
            row.category,
            row.amount,
            row.is_discountable and discount > 0,
            "stated",
            concession=row.concession,
        )
        for row in book.stated
    ]
    if year < income_year(REFORM_START):
        return five_steps(gains, prior, discount=discount, year=year)
    return seven_steps(gains, prior, discount=discount, year=year, quarantined=ZERO)

"""What a sale would cost in tax, when a discount is due, which losses stand in the book.

Figures, never advice. Every answer is the difference of two assessments of the same record, one
with the sale and one without, so whatever the engine knows the plan knows.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import NamedTuple

from openalpha.books.tax.amounts import ZERO, exact
from openalpha.books.tax.dates import first_eligible_day, held_twelve_months, income_year
from openalpha.books.tax.entity import Entity, Refused, Treatment
from openalpha.books.tax.entity_year import Assessed, assess_profile
from openalpha.books.tax.events import Dispose, Event
from openalpha.books.tax.gains import Law
from openalpha.books.tax.parcels import Parcel
from openalpha.books.tax.payable import YearTax, taxes_of
from openalpha.books.tax.profile import Profile
from openalpha.books.tax.rates import Tables
from openalpha.books.tax.wash import purchases

__all__ = [
    "PART_IVA",
    "Clock",
    "Harvest",
    "Sale",
    "clocks",
    "harvest",
    "sale_days",
    "sale_on",
]

PART_IVA = (
    "A loss made to lower tax, with the coin bought back soon, may be denied whatever the number "
    "of days (Part IVA; TR 2008/1): the law asks for the purpose. This is information, not advice."
)

_NAME = "(planned sale)"


class Clock(NamedTuple):
    """An open parcel and its twelve months.

    `days_left` counts from the day asked about to the first day with the discount, 0 once it is
    due, None where none will ever be. `gain` is what a sale at the price would bring, in AUD.
    """

    portfolio: str
    parcel: Parcel
    eligible: date | None
    days_left: int | None
    value: Decimal | None
    gain: Decimal | None

    @property
    def words(self) -> str:
        """The clock in words."""
        if self.days_left is None:
            return "no discount"
        if not self.days_left:
            return "discount due"
        return f"{self.days_left} more day{'s' if self.days_left > 1 else ''}"


@dataclass(frozen=True, slots=True)
class Sale:
    """What a sale on a day would come to, in AUD.

    `gain` is before losses and discount, `long_gain` the part held twelve months. `tax` is what
    all years together pay more (+) or less (-) for it.
    """

    day: date
    asset: str
    qty: Decimal
    proceeds: Decimal
    gain: Decimal
    long_gain: Decimal
    tax: Decimal
    parcels: tuple[tuple[str, Decimal], ...]
    basis: str

    @property
    def kept(self) -> Decimal:
        """What is left of the proceeds after that tax."""
        return self.proceeds - self.tax


class Harvest(NamedTuple):
    """Coins of a portfolio held at a loss: how much a sale now would realise, and what is near.

    `recent` names purchases of the same coin within the window before; one within it afterwards,
    or a long perpetual, is flagged alike.
    """

    portfolio: str
    asset: str
    qty: Decimal
    loss: Decimal
    recent: tuple[str, ...]
    buy_back_from: date


def clocks(assessed: Assessed, prices: Mapping[str, Decimal], *, day: date) -> list[Clock]:
    """List every open parcel with its clock and what it is worth.

    Parameters
    ----------
    assessed : Assessed
        The record up to the day.
    prices : mapping of str to Decimal
        AUD a unit; a coin without one has neither value nor gain.
    day : date
        From which days are counted.
    """
    found = []
    with exact():
        for name, part in assessed.parts.items():
            has_discount = (
                part.policy.entity is not Entity.COMPANY
                and part.policy.treatment is Treatment.CAPITAL
            )
            for parcel in part.parcels:
                due = _eligible(parcel) if has_discount else None
                price = prices.get(parcel.asset)
                value = None if price is None else parcel.left * price
                gain = None if value is None else _gain(parcel, value)
                left = None if due is None else max(0, (due - day).days)
                found.append(Clock(name, parcel, due, left, value, gain))
    return found


def _eligible(parcel: Parcel) -> date | None:
    return None if parcel.acquired is None else first_eligible_day(parcel.acquired)


def _gain(parcel: Parcel, value: Decimal) -> Decimal:
    gain = value - parcel.cost_left
    return max(gain - parcel.third_left, ZERO) if gain > 0 else gain


def sale_days(rows: Iterable[Clock], asset: str, *, day: date) -> list[date]:
    """Return the days a sale is worth comparing on.

    The day itself, and the first and the last of the days on which parcels of the coin come to
    their discount.
    """
    due = sorted(
        row.eligible
        for row in rows
        if row.parcel.asset == asset and row.days_left and row.eligible is not None
    )
    return [day, *dict.fromkeys((due[0], due[-1]) if due else ())]


def sale_on(
    events: Sequence[Event],
    profile: Profile,
    *,
    sale: tuple[str, Decimal, Decimal],
    days: Iterable[date],
    tables: Tables,
    law: Law | None = None,
    portfolio: str = "",
) -> list[Sale]:
    """Work out what selling now, or on other days at the same price, would cost in tax.

    Parameters
    ----------
    events : sequence of Event
        The record so far.
    sale : (str, Decimal, Decimal)
        Coin, quantity, AUD a unit.
    days : iterable of date
        When; each is worked out for itself.
    portfolio : str
        Whose coins, where portfolios have accounts of their own.

    Raises
    ------
    Refused
        If less than that is held, or the engine refuses the record.
    """
    asset, qty, price = sale
    plain = assess_profile(events, profile, law=law)
    before = taxes_of(plain, tables=tables)
    found = []
    for day in days:
        proceeds = qty * price
        planned = Dispose(_NAME, day, asset, qty, proceeds, strategy=portfolio)
        with_sale = assess_profile([*events, planned], profile, law=law)
        after = taxes_of(with_sale, tables=tables)
        pieces = [piece for piece in with_sale.slices if piece.disposal == _NAME]
        missing = [piece for piece in pieces if piece.parcel is None]
        if missing:
            raise Refused(f"{qty} {asset} are to be sold, {missing[0].qty} of them are not held")
        long = [piece for piece in pieces if held_twelve_months(piece.acquired, day)]
        with exact():
            found.append(
                Sale(
                    day,
                    asset,
                    qty,
                    proceeds,
                    sum((piece.gain for piece in pieces), ZERO),
                    sum((piece.gain for piece in long), ZERO),
                    _total(after) - _total(before),
                    tuple((piece.lot or "", piece.qty) for piece in pieces),
                    after[income_year(day)].basis,
                )
            )
    return found


def _total(years: Mapping[int, YearTax]) -> Decimal:
    return sum((year.added for year in years.values()), ZERO)


def harvest(
    rows: Iterable[Clock], events: Iterable[Event], *, day: date, window_days: int = 30
) -> list[Harvest]:
    """List coins whose parcels stand at a loss, the largest first, with purchases close before.

    Parameters
    ----------
    rows : iterable of Clock
        Open parcels with their gains; those without a price are passed over.
    events : iterable of Event
        Where purchases are looked for.
    """
    losing: dict[tuple[str, str], list[Clock]] = {}
    for row in rows:
        if row.gain is not None and row.gain < 0:
            losing.setdefault((row.portfolio, row.parcel.asset), []).append(row)
    first = day - timedelta(days=window_days)
    bought = purchases(events)
    found = []
    with exact():
        for (portfolio, asset), mine in losing.items():
            qty = sum((row.parcel.left for row in mine), ZERO)
            loss = -sum((row.gain for row in mine if row.gain is not None), ZERO)
            near = [name for when, name in bought.get(asset, ()) if first <= when <= day]
            again = day + timedelta(days=window_days + 1)
            found.append(Harvest(portfolio, asset, qty, loss, tuple(near[-3:]), again))
    return sorted(found, key=lambda row: (-row.loss, row.asset))

"""What a disposal becomes: slices, one for each parcel it used, and what is still unexplained."""

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from typing import NamedTuple

from openalpha.books.tax.amounts import ZERO, share
from openalpha.books.tax.parcels import Parcel, Piece

__all__ = ["OpenItem", "Slice", "Sold", "cut"]


class Slice(NamedTuple):
    """One parcel's part of one disposal, in AUD.

    `cost` holds elements 1, 2, 4 and 5 of what was acquired, `third` element 3, `sale_cost` the
    event's own element 2. `parcel` is None where nothing was held: the zero cost is an estimate.
    """

    disposal: str
    kind: str
    asset: str
    parcel: Parcel | None
    qty: Decimal
    day: date
    proceeds: Decimal
    cost: Decimal
    third: Decimal
    sale_cost: Decimal
    agreed: date | None = None
    is_personal_use: bool = False

    @property
    def lot(self) -> str | None:
        """Id of the event that made the parcel; None where nothing was held."""
        return None if self.parcel is None else self.parcel.id

    @property
    def acquired(self) -> date | None:
        """Day of acquisition; None where unknown."""
        return None if self.parcel is None else self.parcel.acquired

    @property
    def reduced_cost_base(self) -> Decimal:
        """Cost base without element 3, for a loss, in AUD."""
        return self.cost + self.sale_cost

    @property
    def cost_base(self) -> Decimal:
        """All five elements, in AUD, not indexed."""
        return self.cost + self.sale_cost + self.third

    @property
    def gain(self) -> Decimal:
        """Gain (+) or loss (-) in AUD, not indexed; nothing between the two cost bases."""
        surplus = self.proceeds - self.cost - self.sale_cost
        if not self.third or surplus <= 0:
            return surplus
        return max(surplus - self.third, ZERO)


class OpenItem(NamedTuple):
    """Something a person must settle before a report is final: code, event, sentence."""

    code: str
    event: str
    text: str
    found: Decimal | None = None
    missing: Decimal | None = None


class Sold(NamedTuple):
    """What all slices of one disposal share."""

    disposal: str
    kind: str
    asset: str
    day: date
    qty: Decimal
    proceeds: Decimal
    sale_cost: Decimal
    agreed: date | None = None
    is_personal_use: bool = False


def cut(sold: Sold, pieces: Sequence[Piece], *, missing: Decimal) -> list[Slice]:
    """Spread proceeds and sale costs over the pieces by quantity; the last takes the remainder.

    Parameters
    ----------
    sold : Sold
        The disposal; `qty` counts what is missing too.
    pieces : sequence of Piece
        What was held.
    missing : Decimal
        Quantity sold but not held: a slice without a parcel and with no cost.
    """
    rows: list[tuple[Parcel | None, Decimal, Decimal, Decimal]] = [*pieces]
    if missing > 0:
        rows.append((None, missing, ZERO, ZERO))
    if len(rows) == 1:
        parcel, qty, cost, third = rows[0]
        return [_slice(sold, parcel, qty, sold.proceeds, cost, third, sold.sale_cost)]
    slices = []
    done = proceeds_done = fees_done = ZERO
    for parcel, qty, cost, third in rows:
        done += qty
        proceeds = share(sold.proceeds, done, whole=sold.qty)
        fees = share(sold.sale_cost, done, whole=sold.qty)
        slices.append(
            _slice(sold, parcel, qty, proceeds - proceeds_done, cost, third, fees - fees_done)
        )
        proceeds_done, fees_done = proceeds, fees
    return slices


def _slice(
    sold: Sold,
    parcel: Parcel | None,
    qty: Decimal,
    proceeds: Decimal,
    cost: Decimal,
    third: Decimal,
    sale_cost: Decimal,
) -> Slice:
    return Slice(
        sold.disposal,
        sold.kind,
        sold.asset,
        parcel,
        qty,
        sold.day,
        proceeds,
        cost,
        third,
        sale_cost,
        sold.agreed,
        sold.is_personal_use,
    )

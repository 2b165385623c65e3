"""What a disposal becomes: slices, one for each parcel it used, and what is still unexplained."""

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from typing import NamedTuple

from openalpha.books.tax.amounts import ZERO, cut_off
from openalpha.books.tax.parcels import Parcel, Piece

__all__ = ["OpenItem", "Revenue", "Slice", "Sold", "cut", "short_lots"]


# Makes a row of millions from a tuple, three times as quick as calling its class.
_new_row = tuple.__new__


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


class Revenue(NamedTuple):
    """One amount on revenue account: event, day, kind, AUD (+ income, - deduction)."""

    event: str
    day: date | None
    kind: str
    amount: Decimal


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


def short_lots(
    sold: Sold, lots: Sequence[tuple[str, Decimal]], *, pieces: Sequence[Piece]
) -> list[OpenItem]:
    """Ask about parcels that were named for a disposal and held less than was named of them.

    Parameters
    ----------
    lots : sequence of (str, Decimal)
        What was named, in order; beyond the quantity sold nothing is wanted.
    pieces : sequence of Piece
        What was taken, the named parcels first.
    """
    items = []
    left = sold.qty
    for name, named in lots:
        wanted = min(named, left)
        given = sum((piece.qty for piece in pieces if piece.parcel.id == name), ZERO)
        left -= wanted
        if given < wanted:
            text = (
                f"{wanted} {sold.asset} of parcel {name[:10]} were named for this sale, and it had "
                f"{given}: the rest went by the standing method; import what is missing, or undo "
                "the entry that names it (`openalpha ledger correct`)"
            )
            items.append(OpenItem("named_parcel_short", sold.disposal, text, given, wanted - given))
    return items


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
    name, kind, asset, day, whole, proceeds, sale_cost, agreed, is_personal = sold
    if missing <= 0 and len(pieces) == 1:
        only, qty, cost, third = pieces[0]
        row = (
            name, kind, asset, only, qty, day, proceeds, cost, third, sale_cost, agreed, is_personal
        )  # fmt: skip
        return [_new_row(Slice, row)]
    rows: list[tuple[Parcel | None, Decimal, Decimal, Decimal]] = [*pieces]
    if missing > 0:
        rows.append((None, missing, ZERO, ZERO))
    # One division for all slices; a running total is cut off, so that the parts add up.
    unit = proceeds / whole
    unit_fee = sale_cost / whole if sale_cost else ZERO
    slices = []
    done = proceeds_done = fees_done = ZERO
    for source, qty, cost, third in rows:
        done += qty
        if done == whole:
            brought, fees = proceeds, sale_cost
        else:
            brought = cut_off(unit * done)
            fees = cut_off(unit_fee * done) if sale_cost else ZERO
        own, fee = brought - proceeds_done, fees - fees_done
        made = (name, kind, asset, source, qty, day, own, cost, third, fee, agreed, is_personal)
        slices.append(_new_row(Slice, made))
        proceeds_done, fees_done = brought, fees
    return slices

"""The boundary snapshot: what every open parcel was worth at the end of 30 June 2027.

The deemed sale of that day needs one AUD value a coin, kept with its evidence for decades. Two
price sources at least are asked; the first named is used, the others stand beside it.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from openalpha.books.tax.amounts import ZERO, exact
from openalpha.books.tax.dates import BOUNDARY
from openalpha.books.tax.entity import Refused
from openalpha.books.tax.gains import BoundaryValue
from openalpha.books.tax.parcels import Parcel
from openalpha.store.decimals import decimal_text

__all__ = ["Quote", "Snapshot", "SnapshotRow", "boundary_values", "digest_of", "take_snapshot"]


@dataclass(frozen=True, slots=True)
class Quote:
    """AUD a unit by one source, with the instant of the price (UTC ms)."""

    source: str
    asset: str
    unit: Decimal
    ts_ms: int


@dataclass(frozen=True, slots=True)
class SnapshotRow:
    """One open parcel at the boundary, in AUD; `deferred` is its notional gain or loss."""

    parcel: str
    asset: str
    acquired: date | None
    qty: Decimal
    cost: Decimal
    unit: Decimal
    source: str

    @property
    def value(self) -> Decimal:
        """Value of the parcel that day."""
        return self.qty * self.unit

    @property
    def deferred(self) -> Decimal:
        """Gain (+) or loss (-) that waits for the real sale."""
        return self.value - self.cost


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Every open parcel and every price, with a hash over both."""

    day: date
    rows: tuple[SnapshotRow, ...]
    quotes: tuple[Quote, ...]
    sha256: str


def take_snapshot(
    parcels: Iterable[Parcel], quotes: Iterable[Quote], *, day: date = BOUNDARY
) -> Snapshot:
    """Value every open parcel.

    Parameters
    ----------
    parcels : iterable of Parcel
        Open at the end of the day.
    quotes : iterable of Quote
        At least two sources for each coin held; the first one given is used.
    day : date
        The boundary.

    Raises
    ------
    Refused
        If a coin lacks two sources, or a price is not above zero.
    """
    by_asset: dict[str, dict[str, Quote]] = {}
    for quote in quotes:
        if quote.unit <= 0:
            raise Refused(f"{quote.source} gives {quote.asset} a price of {quote.unit}")
        by_asset.setdefault(quote.asset, {}).setdefault(quote.source, quote)
    rows = []
    with exact():
        for parcel in parcels:
            if parcel.left > ZERO:
                rows.append(_row(parcel, by_asset))
    used = tuple(q for a in sorted({r.asset for r in rows}) for q in by_asset[a].values())
    return Snapshot(day, tuple(rows), used, digest_of(day, rows, quotes=used))


def boundary_values(snapshot: Snapshot) -> dict[str, BoundaryValue]:
    """Return the values `Law` needs.

    Examples
    --------
    >>> boundary_values(Snapshot(BOUNDARY, (), (), ""))
    {}
    """
    return {row.asset: BoundaryValue(row.unit, f"market:{row.source}") for row in snapshot.rows}


def _row(parcel: Parcel, by_asset: Mapping[str, Mapping[str, Quote]]) -> SnapshotRow:
    found = by_asset.get(parcel.asset, {})
    if len(found) < 2:
        have = ", ".join(found) if found else "none"
        raise Refused(
            f"{parcel.asset} needs the price of two sources at the boundary, there is {have}"
        )
    first = next(iter(found.values()))
    cost = parcel.cost_left + parcel.third_left
    return SnapshotRow(
        parcel.id, parcel.asset, parcel.acquired, parcel.left, cost, first.unit, first.source
    )


def digest_of(day: date, rows: Iterable[SnapshotRow], *, quotes: Iterable[Quote]) -> str:
    """Return the hash over every parcel and every price, in the order they stand."""
    lines = [
        [
            r.parcel, r.asset, str(r.acquired), decimal_text(r.qty), decimal_text(r.cost),
            decimal_text(r.unit), r.source,
        ]
        for r in rows
    ]  # fmt: skip
    prices = [[q.source, q.asset, decimal_text(q.unit), q.ts_ms] for q in quotes]
    text = json.dumps([day.isoformat(), lines, prices])
    return hashlib.sha256(text.encode()).hexdigest()

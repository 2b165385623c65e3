"""What the events of a worked example are read into, and the fields that readers share."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal

from openalpha.books.tax.amounts import ZERO
from openalpha.books.tax.dates import REFORM_START, income_year
from openalpha.books.tax.entity import Residency
from openalpha.books.tax.events import Acquire, CoinFee, Event
from openalpha.books.tax.gains import BoundaryValue
from openalpha.books.tax.worked.row import HOME_ZONE, Row
from openalpha.core.errors import InputError

__all__ = [
    "Reading",
    "amount_of",
    "asset_of",
    "coin_fee_of",
    "fee_of",
    "quantity_of",
]

ANY_ASSET = "ASSET"


@dataclass(slots=True)
class Reading:
    """What one example says: events for the engine, and facts no parcel is made of."""

    regime: str = "pre-2027"
    zone: str = HOME_ZONE
    events: list[Event] = field(default_factory=list)
    facts: dict[str, list[Row]] = field(default_factory=dict)
    boundary: dict[str, BoundaryValue] = field(default_factory=dict)
    residency: list[Residency] = field(default_factory=list)
    residential: set[str] = field(default_factory=set)
    factor: Decimal | None = None
    indexed_total: Decimal | None = None
    cpi: dict[str, Decimal] = field(default_factory=dict)
    newly_undiscounted: dict[str, bool] = field(default_factory=dict)
    last_day: date | None = None

    def day_of(self, row: Row) -> date:
        """Return an event's day; without one, the day of the event before it in the list."""
        day = row.day()
        if day is None:
            start = REFORM_START.replace(year=2028) if self.is_reform else date(2025, 7, 1)
            day = self.last_day or start
        self.last_day = day
        return day

    @property
    def is_reform(self) -> bool:
        """Whether undated events belong to the regime from 1 July 2027."""
        return self.regime.startswith("2027")

    def default_year(self) -> int:
        """Return the income year of what has no date: that of the last dated event."""
        days = [event.day for event in self.events if event.day is not None]
        if days:
            return income_year(max(days))
        return 2029 if self.is_reform else 2026

    def fact(self, row: Row) -> None:
        """Keep an event that no parcel is made of."""
        self.facts.setdefault(row.type, []).append(row)


def amount_of(row: Row) -> Decimal | None:
    """Return an event's AUD: stated, price times quantity, or foreign currency at its rate."""
    if "usd" in row:
        rate = row.need("audusd", "rate")
        if rate <= 0:
            raise InputError(f"event {row.id}: the rate audusd must be above zero")
        return row.need("usd") / rate
    stated = row.number("aud", "proceeds", "market_value_aud", "amount", "cost", "cost_base")
    if stated is not None:
        return stated
    price = row.number(
        "price", "unit_price", "unit_cost", "unit_reduced_cost_base", "unit_cost_base"
    )
    return None if price is None else price * quantity_of(row)


def quantity_of(row: Row) -> Decimal:
    """Return an event's quantity; one where a single asset is meant."""
    found = row.number("qty", "quantity")
    return Decimal(1) if found is None else found


def asset_of(row: Row, found: Reading) -> str:
    """Return an event's asset; without one, the only asset of the example."""
    if "asset" in row:
        return row.text("asset")
    known = {event.asset for event in found.events if isinstance(event, Acquire)}
    return known.pop() if len(known) == 1 else ANY_ASSET


def fee_of(row: Row) -> Decimal:
    """Return a fee in AUD; one paid in a coin is read by `coin_fee_of`."""
    names = ("fee_aud",) if isinstance(row.fields.get("fee"), Mapping) else ("fee_aud", "fee")
    return row.number(*names) or ZERO


def coin_fee_of(row: Row) -> CoinFee | None:
    """Return a fee paid in a coin."""
    fee = row.row("fee") if isinstance(row.fields.get("fee"), Mapping) else None
    if fee is None:
        return None
    qty = fee.need("qty")
    value = fee.number("market_value_aud", "aud")
    price = fee.number("price")
    if value is None and price is not None:
        value = price * qty
    return CoinFee(fee.text("asset"), qty, value)

"""Who is taxed, and every choice that changes a figure, as one frozen record."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from enum import StrEnum

from openalpha.core.errors import InputError

__all__ = [
    "ABOLISHED_METHODS",
    "Entity",
    "Method",
    "Policy",
    "Refused",
    "Residency",
    "StockValue",
    "Treatment",
    "parse_method",
]


class Refused(InputError):
    """The law or this engine does not allow it; the message says why and what to do."""


class Entity(StrEnum):
    """Whose books these are."""

    INDIVIDUAL = "individual"
    TRUST = "trust"
    COMPANY = "company"
    SMSF = "smsf"

    @property
    def is_reformed(self) -> bool:
        """Whether the regime from 1 July 2027 changes this entity's gains."""
        return self in (Entity.INDIVIDUAL, Entity.TRUST)

    @property
    def discount(self) -> Decimal:
        """Return the share of a discount capital gain that is not taxed, as a fraction."""
        return _DISCOUNTS[self]


# A third has no exact decimal; 60 digits keep every cent right.
_DISCOUNTS = {
    Entity.INDIVIDUAL: Decimal("0.5"),
    Entity.TRUST: Decimal("0.5"),
    Entity.COMPANY: Decimal(0),
    Entity.SMSF: Decimal("0." + "3" * 60),
}


class Method(StrEnum):
    """How the parcels of a disposal are chosen."""

    FIFO = "fifo"
    LIFO = "lifo"
    HIFO = "hifo"
    SPECIFIC = "specific"
    MIN_TAX = "min_tax"


ABOLISHED_METHODS = frozenset({"average", "average_cost", "acb", "avco", "wac", "pooled"})


def parse_method(text: str) -> Method:
    """Read a method's name; average cost is refused.

    Raises
    ------
    Refused
        For average cost, which TD 33 does not accept for crypto assets.
    InputError
        For a name that is no method.

    Examples
    --------
    >>> parse_method("hifo")
    <Method.HIFO: 'hifo'>
    """
    name = text.strip().lower().replace("-", "_")
    if name in ("", "n/a", "none"):
        return Method.FIFO
    if name in ABOLISHED_METHODS:
        raise Refused(
            f"method not permitted: {text} (average cost) is refused for an Australian entity "
            "(TD 33); choose fifo, specific, lifo, hifo or min_tax"
        )
    try:
        return Method(name)
    except ValueError:
        known = ", ".join(Method)
        raise InputError(f"there is no parcel method {text!r}; choose one of {known}") from None


class Treatment(StrEnum):
    """On which account gains are taxed."""

    CAPITAL = "capital"
    REVENUE_PROFIT_SCHEME = "revenue_profit_scheme"
    REVENUE_TRADING_STOCK = "revenue_trading_stock"


class StockValue(StrEnum):
    """How closing trading stock is valued (s 70-45)."""

    COST = "cost"
    MARKET = "market"
    REPLACEMENT = "replacement"


@dataclass(frozen=True, slots=True)
class Residency:
    """A period in which the person was not an ordinary resident; open ends are None."""

    status: str
    start: date | None = None
    end: date | None = None

    def touches(self, first: date, last: date) -> bool:
        """Say whether any day of the period lies between two days, both included."""
        if self.status == "resident":
            return False
        starts_late = self.start is not None and self.start > last
        ends_early = self.end is not None and self.end < first
        return not (starts_late or ends_early)


@dataclass(frozen=True, slots=True)
class Policy:
    """Every choice behind a report; each is printed on its first page.

    `transfer_fee_to_cost_base`: a network fee of an own transfer joins the cost of the coins left.
    `derivatives`: "revenue" or "capital". `funding_received`: "income" or "proceeds", capital only.
    `venue_deposit`: whether a deposit to a derivatives venue is a "transfer" or a "disposal".
    `rebates`: whether a maker's rebate changes "cost" (and proceeds) or is "income".
    """

    entity: Entity = Entity.INDIVIDUAL
    method: Method = Method.FIFO
    treatment: Treatment = Treatment.CAPITAL
    residency: tuple[Residency, ...] = ()
    per_wallet: bool = False
    transfer_fee_to_cost_base: bool = True
    derivatives: str = "revenue"
    funding_received: str = "income"
    venue_deposit: str = "transfer"
    rebates: str = "cost"
    wash_window_days: int = 30
    stock_value: StockValue = StockValue.COST
    stock_prices: Mapping[str, Decimal] = field(default_factory=dict)

"""What can be traded and under which rules: instruments, dated steps, fee schedules, risk tiers."""

from dataclasses import dataclass
from decimal import Decimal
from enum import IntEnum
from typing import NewType

from openalpha.core.errors import InputError

__all__ = [
    "FeeSchedule",
    "Instrument",
    "InstrumentId",
    "Kind",
    "RiskTier",
    "StepRule",
    "instrument_id",
    "market_kind",
    "split_instrument_id",
]

InstrumentId = NewType("InstrumentId", str)
"""`<market>:<SYMBOL>`, e.g. `bybit_linear:BTCUSDT`."""


class Kind(IntEnum):
    """How value follows from quantity and price.

    LINEAR: quantity in base, settled in quote. INVERSE: quantity in quote contracts, settled in
    base. SPOT: the base coin itself changes hands.
    """

    SPOT = 0
    LINEAR = 1
    INVERSE = 2


@dataclass(frozen=True, slots=True)
class StepRule:
    """Tick and lot in force from a moment on (a *dated rule*)."""

    since_ms: int
    tick_size: Decimal
    lot_size: Decimal


@dataclass(frozen=True, slots=True)
class FeeSchedule:
    """Fees in basis points of the notional; a negative maker fee is a rebate."""

    maker_bps: Decimal
    taker_bps: Decimal


@dataclass(frozen=True, slots=True)
class RiskTier:
    """One row of a venue's risk-limit table.

    Parameters
    ----------
    limit_notional : Decimal
        Largest position value of this tier, in the settle coin (inclusive).
    maintenance_rate, initial_rate : Decimal
        Fractions of the position value (0.005 is half a percent).
    max_leverage : Decimal
        Highest leverage a position of this tier may use.
    deduction : Decimal
        Subtracted from value × maintenance_rate, so that the margin is continuous over tiers.
    """

    limit_notional: Decimal
    maintenance_rate: Decimal
    initial_rate: Decimal
    max_leverage: Decimal
    deduction: Decimal


@dataclass(frozen=True, slots=True)
class Instrument:
    """A tradable thing on one venue.

    `price_decimals` (d) and `qty_decimals` (q) fix the integer units of the market's data; ticks
    and lots are dated rules counted in them. `cash_decimals` (c) is the unit the settle coin is
    booked in. A spot instrument's quantity unit is the cash unit of its base coin. `fees` are what
    the venue charges an account of its lowest tier; None where nobody knows. `funding_cap` is the
    largest rate of one settlement, either way, by the venue's rules.
    """

    id: InstrumentId
    kind: Kind
    base: str
    quote: str
    settle: str
    price_decimals: int
    qty_decimals: int
    steps: tuple[StepRule, ...]
    multiplier: Decimal = Decimal(1)
    min_qty: Decimal = Decimal(0)
    max_qty: Decimal | None = None
    max_market_qty: Decimal | None = None
    min_notional: Decimal = Decimal(0)
    max_leverage: Decimal = Decimal(1)
    fees: FeeSchedule | None = None
    tiers: tuple[RiskTier, ...] = ()
    funding_interval_ms: int | None = None
    funding_cap: Decimal | None = None
    cash_decimals: int = 8
    source: str = ""

    @property
    def market(self) -> str:
        """Return the venue's market part of the id."""
        return self.id.partition(":")[0]

    @property
    def symbol(self) -> str:
        """Return the venue's own name of the instrument."""
        return self.id.partition(":")[2]

    def step_at(self, ts_ms: int) -> StepRule:
        """Return the tick and lot in force at a moment (before the first rule: the first)."""
        current = self.steps[0]
        for rule in self.steps:
            if rule.since_ms <= ts_ms:
                current = rule
        return current


def instrument_id(market: str, symbol: str) -> InstrumentId:
    """Join a market and a symbol.

    Examples
    --------
    >>> instrument_id("bybit_linear", "BTCUSDT")
    'bybit_linear:BTCUSDT'
    """
    return InstrumentId(f"{market}:{symbol}")


def split_instrument_id(text: str) -> tuple[str, str]:
    """Split `market:SYMBOL`.

    Raises
    ------
    InputError
        If either part is missing.
    """
    market, colon, symbol = text.partition(":")
    if not (market and colon and symbol):
        raise InputError(
            f"'{text}' is not an instrument; write MARKET:SYMBOL, e.g. bybit_linear:BTCUSDT"
        )
    return market, symbol


def market_kind(market: str) -> Kind:
    """Guess the kind of a market from its name: `_spot`, `_inverse`, `_coinm`, else linear.

    Examples
    --------
    >>> market_kind("bybit_spot").name, market_kind("binance_usdm").name
    ('SPOT', 'LINEAR')
    """
    if market.endswith("spot"):
        return Kind.SPOT
    if market.endswith(("inverse", "coinm")):
        return Kind.INVERSE
    return Kind.LINEAR

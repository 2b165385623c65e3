"""The markets of the twin: rules of each, and the kernel machine of its settle coin."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import NamedTuple

from openalpha.core.clock import HOUR_MS
from openalpha.core.errors import ConfigError
from openalpha.core.instruments import Instrument, Kind, RiskTier, StepRule, instrument_id
from openalpha.core.units import to_units
from openalpha.market.catalogue import known_instrument
from openalpha.venue.kernel.exchange import BookMachine
from openalpha.venue.kernel.setup import AccountSetup
from openalpha.venue.rules import instrument_setup
from openalpha.venue.settings import CostSettings, MarginSettings
from openalpha.venue.twin.orders import Order
from openalpha.venue.twin.settings import ListingSpec
from openalpha.venue.twin.tape import Tape

__all__ = ["CASH", "MOST_PRICE", "PRICE_RANGE_BPS", "Listing", "Pool", "Tier", "make_pools"]

CASH = 8
"""Decimals every coin is booked in: settle coins, and spot coins as the catalogue counts them."""

DEFAULT_LEVERAGE = Decimal(10)
MOST_PRICE = 1_999_999
PRICE_RANGE_BPS = {"spot": (500, 500), "contract": (100, 500)}
"""How far an order may bid above or ask below: first from the mark, then beyond the index."""

_BPS = 10_000
MOST_LOTS = {"linear": 1_000_000, "spot": 100_000_000}

# Where the catalogue has no risk tiers for a market: shapes of our own, not the venue's.
_TWIN_TIERS = (
    ("1000000", "0.01", "0.02", "50", "0"),
    ("5000000", "0.02", "0.04", "25", "10000"),
    ("20000000", "0.05", "0.1", "10", "160000"),
)


class Tier(NamedTuple):
    """A risk tier: up to which value it holds, what it asks; money in cash units."""

    limit: int
    shown_limit: str
    maintenance_rate: float
    deduction: float


@dataclass(slots=True)
class Listing:
    """One market: its rules, its place in its pool's machine, what has traded.

    `key` is category and symbol, which together name a market; tick and lot are in units;
    `value_decimals` are those `notional` counts in.
    """

    category: str
    instrument: Instrument
    spec: ListingSpec
    number: int
    tape: Tape
    pool: "Pool" = field(repr=False)
    status: str = "Trading"
    launched_ms: int = 0
    delivery_ms: int = 0
    version: int = 0
    funding_rate_e12: int = 0
    next_funding_ms: int = 0
    symbol: str = field(init=False)
    key: str = field(init=False)
    tick: int = field(init=False)
    lot: int = field(init=False)
    price_decimals: int = field(init=False)
    qty_decimals: int = field(init=False)
    value_decimals: int = field(init=False)
    is_spot: bool = field(init=False)
    is_inverse: bool = field(init=False)
    tiers: tuple[Tier, ...] = field(init=False)

    def __post_init__(self) -> None:
        rules = self.instrument
        self.symbol = rules.symbol
        self.key = f"{self.category}:{self.symbol}"
        self.price_decimals, self.qty_decimals = rules.price_decimals, rules.qty_decimals
        self.is_spot, self.is_inverse = rules.kind is Kind.SPOT, rules.kind is Kind.INVERSE
        self.value_decimals = CASH if self.is_inverse else self.price_decimals + self.qty_decimals
        self.tick = to_units(rules.steps[-1].tick_size, self.price_decimals)
        self.lot = to_units(rules.steps[-1].lot_size, self.qty_decimals)
        self.tiers = tuple(
            Tier(
                int(one.limit_notional * 10**CASH),
                f"{one.limit_notional:f}",
                float(one.maintenance_rate),
                float(one.deduction * 10**CASH),
            )
            for one in rules.tiers
        )

    def notional(self, qty: int, price: int) -> int:
        """Return the value of a quantity at a price in units of 10^-`value_decimals`."""
        if self.is_inverse:
            power = self.price_decimals - self.qty_decimals + CASH
            return qty * 10**power // price if price else 0
        return qty * price

    def price_limits(self) -> tuple[int, int]:
        """Return the highest price one may bid and the lowest one may ask; 0, 0 before a price.

        As the venue forms them, without the mean premium of the last minutes.
        """
        mark, index = (self.tape.index,) * 2 if self.is_spot else (self.tape.mark, self.tape.index)
        if not (mark and index):
            return 0, 0
        near, far = PRICE_RANGE_BPS["spot" if self.is_spot else "contract"]
        bid = min(max(index, mark * (_BPS + near) // _BPS), mark * (_BPS + far) // _BPS)
        ask = max(min(index, -(-mark * (_BPS - near) // _BPS)), -(-mark * (_BPS - far) // _BPS))
        return bid - bid % self.tick, ask + -ask % self.tick


@dataclass(slots=True)
class Pool:
    """The markets that settle in one coin, on one kernel machine."""

    settle: str
    coins: tuple[str, ...]
    listings: list[Listing]
    machine: BookMachine
    orders: dict[int, Order] = field(default_factory=dict)
    waiting: dict[int, Order] = field(default_factory=dict)

    def empty_account(self) -> AccountSetup:
        """Return the set-up of an account that has nothing yet."""
        return AccountSetup((0,) * len(self.coins))

    def coin_number(self, coin: str) -> int | None:
        """Return a coin's place among the machine's balances; None if it has none."""
        return self.coins.index(coin) if coin in self.coins else None


def make_pools(specs: Sequence[ListingSpec], tapes: dict[str, Tape]) -> list[Pool]:
    """Build a machine for each settle coin of the markets asked for.

    Parameters
    ----------
    specs : sequence of ListingSpec
    tapes : dict
        Filled with a fresh tape for each market, by its key.

    Raises
    ------
    ConfigError
        If a market is listed twice or the catalogue does not know it.
    """
    rules = [(spec, _rules(spec)) for spec in specs]
    settles: dict[str, list[tuple[ListingSpec, Instrument]]] = {}
    for spec, instrument in rules:
        settles.setdefault(instrument.settle, []).append((spec, instrument))
    return [_pool(settle, members, tapes) for settle, members in settles.items()]


def _pool(
    settle: str, members: list[tuple[ListingSpec, Instrument]], tapes: dict[str, Tape]
) -> Pool:
    """Build the machine of one settle coin."""
    coins = [settle]
    setups = []
    for _, instrument in members:
        is_spot = instrument.kind is Kind.SPOT
        if is_spot:
            coins.append(instrument.base)
        setups.append(
            instrument_setup(
                instrument,
                costs=CostSettings(preset="realistic"),
                margin=MarginSettings(
                    leverage=min(DEFAULT_LEVERAGE, max(instrument.max_leverage, Decimal(1)))
                ),
                cash=CASH,
                base_coin=len(coins) - 1 if is_spot else 0,
            )
        )
    # The machine wants one account to begin with; number 0 is the venue's own and stays empty.
    nothing = AccountSetup((0,) * len(coins))
    pool = Pool(settle, tuple(coins), [], BookMachine(tuple(setups), (nothing,)))
    for number, (spec, instrument) in enumerate(members):
        key = f"{spec.category}:{spec.symbol}"
        if key in tapes:
            raise ConfigError(f"{key} is listed twice; name each market once")
        tapes[key] = Tape()
        pool.listings.append(Listing(spec.category, instrument, spec, number, tapes[key], pool))
    return pool


def _rules(spec: ListingSpec) -> Instrument:
    """Return the rules a market has on the twin: the catalogue's, with what it lacks added."""
    if spec.category == "inverse":
        return _inverse(spec)
    found = known_instrument(str(instrument_id(f"bybit_{spec.category}", spec.symbol)))
    if found is None:
        raise ConfigError(
            f"the catalogue does not know bybit_{spec.category}:{spec.symbol}; list a market that "
            "`openalpha data instruments` shows"
        )
    last = replace(found.steps[-1], since_ms=0)
    most = last.lot_size * MOST_LOTS[spec.category]
    found = replace(found, steps=(last,), max_qty=most, max_market_qty=most / 5, cash_decimals=CASH)
    if spec.category == "spot":
        return replace(found, qty_decimals=CASH, min_notional=Decimal(5))
    return found if found.tiers else _with_tiers(found)


def _inverse(spec: ListingSpec) -> Instrument:
    """Return the rules of an inverse contract of one dollar; the catalogue has none."""
    base = spec.symbol.removesuffix("USD")
    return _with_tiers(
        Instrument(
            id=instrument_id("bybit_inverse", spec.symbol),
            kind=Kind.INVERSE,
            base=base,
            quote="USD",
            settle=base,
            price_decimals=1,
            qty_decimals=0,
            steps=(StepRule(0, Decimal("0.5"), Decimal(1)),),
            min_qty=Decimal(1),
            max_qty=Decimal(25_000_000),
            max_market_qty=Decimal(5_000_000),
            funding_interval_ms=8 * HOUR_MS,
            cash_decimals=CASH,
            source="twin",
        )
    )


def _with_tiers(instrument: Instrument) -> Instrument:
    """Add the twin's own risk tiers; those of an inverse contract count its coin."""
    scale = Decimal(100) if instrument.kind is Kind.INVERSE else Decimal(1)
    rows = (tuple(Decimal(text) for text in row) for row in _TWIN_TIERS)
    tiers = tuple(
        RiskTier(limit / scale / scale, maintenance, initial, leverage, deduction / scale / scale)
        for limit, maintenance, initial, leverage, deduction in rows
    )
    return replace(instrument, tiers=tiers, max_leverage=tiers[0].max_leverage)

"""The neutral events the tax engine reads: what happened, valued in AUD at its time.

An importer or the ledger writes them; nothing here knows a venue. `day` is the taxpayer's local
day, `ts_ms` the instant where it is known. Amounts are AUD, quantities are in the asset's unit.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from openalpha.books.tax.amounts import ZERO

__all__ = [
    "Acquire",
    "CoinFee",
    "Cost",
    "Derivative",
    "Dispose",
    "Event",
    "ForexItem",
    "Left",
    "Moved",
    "Money",
    "StatedGain",
    "Swap",
    "claim_on",
    "coin_of",
    "in_order",
]


@dataclass(frozen=True, slots=True)
class CoinFee:
    """A fee paid in a coin: how much of it, and what that was worth in AUD."""

    asset: str
    qty: Decimal
    value: Decimal | None


@dataclass(frozen=True, slots=True)
class Acquire:
    """A parcel begins: bought, rewarded, dropped, split off, given, or held at the opening.

    `cost` is element 1, `fee` element 2, `income` what is assessable on receipt. None as `cost`
    means that nobody stated it: an open item. `acquired` is the day of acquisition where that is an
    earlier one: the coins came from another portfolio.
    """

    id: str
    day: date | None
    asset: str
    qty: Decimal
    cost: Decimal | None
    fee: Decimal = ZERO
    kind: str = "buy"
    income: Decimal = ZERO
    coin_fee: CoinFee | None = None
    wallet: str = ""
    ts_ms: int | None = None
    strategy: str = ""
    acquired: date | None = None


@dataclass(frozen=True, slots=True)
class Dispose:
    """Coins leave: sold, given away, spent (A1), lost or stolen (C1), extinguished (C2).

    `lots` names parcels and quantities for specific identification. `agreed` is the day of an
    earlier agreement to sell (s 115-40). `is_personal_use` needs `reason`.
    """

    id: str
    day: date
    asset: str
    qty: Decimal
    proceeds: Decimal | None
    fee: Decimal = ZERO
    kind: str = "A1"
    lots: tuple[tuple[str, Decimal], ...] = ()
    coin_fee: CoinFee | None = None
    agreed: date | None = None
    is_personal_use: bool = False
    reason: str = ""
    wallet: str = ""
    ts_ms: int | None = None
    strategy: str = ""


@dataclass(frozen=True, slots=True)
class Swap:
    """One coin for another: `value` is what was received in AUD, else what was given."""

    id: str
    day: date
    out_asset: str
    out_qty: Decimal
    in_asset: str
    in_qty: Decimal
    value: Decimal | None
    fee: Decimal = ZERO
    coin_fee: CoinFee | None = None
    lots: tuple[tuple[str, Decimal], ...] = ()
    wallet: str = ""
    ts_ms: int | None = None
    strategy: str = ""


@dataclass(frozen=True, slots=True)
class Moved:
    """Coins moved between own wallets; what did not arrive was the network's fee."""

    id: str
    day: date
    asset: str
    qty: Decimal
    received: Decimal
    fee_value: Decimal | None = None
    coin_fee: CoinFee | None = None
    source: str = ""
    target: str = ""
    to_derivatives: bool = False
    value: Decimal | None = None
    ts_ms: int | None = None
    strategy: str = ""


@dataclass(frozen=True, slots=True)
class Left:
    """Coins that left a portfolio for another of the same entity: the oldest parcels, no event."""

    id: str
    day: date
    asset: str
    qty: Decimal
    wallet: str = ""
    ts_ms: int | None = None
    strategy: str = ""


@dataclass(frozen=True, slots=True)
class Cost:
    """A later cost of what is held: element 2 to 5 of the cost base, spread by quantity."""

    id: str
    day: date
    asset: str
    element: int
    amount: Decimal
    parcel: str = ""
    ts_ms: int | None = None
    strategy: str = ""


@dataclass(frozen=True, slots=True)
class Derivative:
    """Money of a perpetual or CFD: realised P&L, funding, fee, liquidation, clawback.

    `amount` is AUD, + received, - paid. With `coin` the money was that coin: what is received is a
    new parcel, what is paid a disposal.
    """

    id: str
    day: date
    kind: str
    amount: Decimal
    contract: str = ""
    coin: str = ""
    qty: Decimal = ZERO
    wallet: str = ""
    ts_ms: int | None = None
    side: int = 0
    strategy: str = ""


@dataclass(frozen=True, slots=True)
class Money:
    """Ordinary income (+) or a deduction (-) that makes no parcel: interest, a fee, a donation."""

    id: str
    day: date | None
    amount: Decimal
    kind: str
    ts_ms: int | None = None


@dataclass(frozen=True, slots=True)
class StatedGain:
    """A capital gain (+) or loss (-) worked out elsewhere: a fund's statement, another asset.

    `concession` is the fraction a small business concession takes off after the discount.
    """

    id: str
    day: date | None
    amount: Decimal
    is_discountable: bool = False
    category: str = "non_residential"
    concession: Decimal = ZERO
    ts_ms: int | None = None


@dataclass(frozen=True, slots=True)
class ForexItem:
    """A move of a foreign currency between contract and settlement: + gain, - loss, in AUD."""

    id: str
    day: date
    amount: Decimal
    is_capital: bool
    ts_ms: int | None = None


Event = Acquire | Dispose | Swap | Moved | Left | Cost | Derivative | Money | StatedGain | ForexItem


_AT = " at "


def claim_on(venue: str, coin: str) -> str:
    """Name the asset that a deposit becomes where a venue's terms end the ownership of it.

    Examples
    --------
    >>> claim_on("bybit", "USDT")
    'USDT at bybit'
    """
    return f"{coin}{_AT}{venue}"


def coin_of(asset: str) -> str:
    """Return the coin whose price is an asset's: its own name, or what a claim is a claim of.

    Examples
    --------
    >>> coin_of("USDT at bybit"), coin_of("BTC")
    ('USDT', 'BTC')
    """
    return asset.partition(_AT)[0]


def in_order(events: Iterable[Event]) -> list[Event]:
    """Sort by local day and instant; events of one instant keep the order of the record.

    An event without an instant stands where the record put it among its day's events.

    Examples
    --------
    >>> a = Money("a", date(2025, 7, 2), Decimal(1), "interest")
    >>> b = Money("b", date(2025, 7, 1), Decimal(1), "interest")
    >>> [event.id for event in in_order([a, b])]
    ['b', 'a']
    """
    rows = list(events)
    keyed = []
    previous = (date.min, -1)
    for event in rows:
        day = event.day or previous[0]
        if event.ts_ms is not None:
            instant = event.ts_ms
        else:
            instant = previous[1] if previous[0] == day else -1
        previous = (day, instant)
        keyed.append((day, instant))
    order = sorted(range(len(keyed)), key=keyed.__getitem__)
    return [rows[index] for index in order]

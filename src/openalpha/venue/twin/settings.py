"""How a twin is set up: which markets it lists, from what seed, at what pace."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation

from openalpha.core.errors import ConfigError, InputError

__all__ = ["DEFAULT_LISTINGS", "ListingSpec", "TwinSettings", "read_listings"]


@dataclass(frozen=True, slots=True)
class ListingSpec:
    """One market of the twin and the shape of its synthetic trading.

    Parameters
    ----------
    category : str
        linear, inverse or spot.
    symbol : str
    price : Decimal
        Price at the beginning.
    volatility : Decimal
        Of log returns, a year.
    depth : Decimal
        Quantity the market shows at a price, on average, in the quote coin.
    """

    category: str
    symbol: str
    price: Decimal
    volatility: Decimal = Decimal("0.6")
    depth: Decimal = Decimal(60_000)

    def __post_init__(self) -> None:
        if self.category not in ("linear", "inverse", "spot"):
            raise ConfigError(f"category was {self.category!r}, expected linear, inverse or spot")
        if self.price <= 0:
            raise ConfigError(f"price of {self.symbol} was {self.price}, expected more than 0")


DEFAULT_LISTINGS = (
    ListingSpec("linear", "BTCUSDT", Decimal(60_000)),
    ListingSpec("linear", "ETHUSDT", Decimal(3_000), Decimal("0.75"), Decimal(30_000)),
    ListingSpec("linear", "SOLUSDT", Decimal(150), Decimal("0.9"), Decimal(15_000)),
    ListingSpec("spot", "BTCUSDT", Decimal(60_000)),
    ListingSpec("spot", "ETHUSDT", Decimal(3_000), Decimal("0.75"), Decimal(30_000)),
    ListingSpec("inverse", "BTCUSD", Decimal(60_000)),
)


def read_listings(texts: Sequence[str] | None) -> tuple[ListingSpec, ...]:
    """Read markets written as `linear:BTCUSDT=60000`; the default ones for none.

    Raises
    ------
    InputError
        If a text is not of that form.

    Examples
    --------
    >>> read_listings(["spot:ETHUSDT=3000"])[0].price
    Decimal('3000')
    """
    if not texts:
        return DEFAULT_LISTINGS
    return tuple(_read_listing(text) for text in texts)


def _read_listing(text: str) -> ListingSpec:
    name, _, price = text.partition("=")
    category, _, symbol = name.partition(":")
    try:
        value = Decimal(price)
    except InvalidOperation:
        value = Decimal(0)
    if not (category and symbol and value.is_finite() and value > 0):
        raise InputError(f"'{text}' is not CATEGORY:SYMBOL=PRICE; write linear:BTCUSDT=60000")
    return ListingSpec(category, symbol, value)


@dataclass(frozen=True, slots=True)
class TwinSettings:
    """What a twin is made of. Everything it does follows from this, its clock and its requests."""

    seed: int = field(default=7, metadata={"help": "which synthetic market", "min": 0})
    listings: tuple[ListingSpec, ...] = DEFAULT_LISTINGS
    step_ms: int = field(
        default=100, metadata={"help": "how often the market moves", "unit": "ms", "min": 10}
    )
    levels: int = field(default=200, metadata={"help": "price levels a side the market shows"})
    backfill_days: int = field(default=30, metadata={"help": "days of candles before the start"})
    latency_ms: int = field(
        default=0, metadata={"help": "time an order takes to the book", "unit": "ms", "min": 0}
    )
    insurance_fund: Decimal = Decimal(1_000_000)

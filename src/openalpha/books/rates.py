"""What a coin was worth at a moment: the port the ledger asks, and plain tables of rates.

A rate is never assumed. Where none is known the answer is None, and what it was needed for is an
open item; that holds for stablecoins as for any other coin.
"""

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import NamedTuple, Protocol

from openalpha.core.clock import DAY_MS
from openalpha.store.decimals import EXACT

__all__ = [
    "NO_RATES",
    "NoRates",
    "Rate",
    "RateSource",
    "RateTable",
    "RealRates",
    "SeveralRates",
    "in_quote",
]


class Rate(NamedTuple):
    """What one of a coin was worth.

    Parameters
    ----------
    rate : Decimal
        In the quote coin, above 0.
    source : str
        Who said so; SYNTHETIC marks what was made up.
    ts_ms : int
        The moment it is of, UTC ms: at or before the one asked for.
    """

    rate: Decimal
    source: str
    ts_ms: int

    @property
    def is_synthetic(self) -> bool:
        """Whether any of it was made up: such a rate values no real money."""
        return "SYNTHETIC" in self.source


class RateSource(Protocol):
    """Where rates come from."""

    def rate(self, coin: str, quote: str, *, ts_ms: int) -> Rate | None:
        """Return what a coin was worth at a moment; None where that is not known."""
        ...


class NoRates:
    """Knows nothing: every entry posted with it is an open item."""

    def rate(self, coin: str, quote: str, *, ts_ms: int) -> Rate | None:
        """Return None."""
        del coin, quote, ts_ms
        return None


NO_RATES = NoRates()


@dataclass(slots=True)
class RateTable:
    """Rates by coin and quote, each good from its moment until it is too old.

    Parameters
    ----------
    rows : iterable of (coin, quote, Rate)
        In any order.
    carry_ms : int
        How long a rate is carried over days without a new one.

    Examples
    --------
    >>> table = RateTable([("USDT", "AUD", Rate(Decimal("1.52"), "mine", 1_000))], carry_ms=500)
    >>> table.rate("USDT", "AUD", ts_ms=1_200).rate, table.rate("USDT", "AUD", ts_ms=1_501)
    (Decimal('1.52'), None)
    """

    rows: Iterable[tuple[str, str, Rate]]
    carry_ms: int = 5 * DAY_MS
    _series: dict[tuple[str, str], tuple[list[int], list[Rate]]] = field(init=False)

    def __post_init__(self) -> None:
        found: dict[tuple[str, str], list[Rate]] = {}
        for coin, quote, rate in self.rows:
            found.setdefault((coin, quote), []).append(rate)
        self.rows = ()
        self._series = {}
        for pair, rates in found.items():
            rates.sort(key=lambda rate: rate.ts_ms)
            self._series[pair] = ([rate.ts_ms for rate in rates], rates)

    def rate(self, coin: str, quote: str, *, ts_ms: int) -> Rate | None:
        """Return the last rate at or before a moment, unless it is too old."""
        stamps, rates = self._series.get((coin, quote), ([], []))
        at = bisect_right(stamps, ts_ms) - 1
        if at < 0 or ts_ms - stamps[at] > self.carry_ms:
            return None
        return rates[at]


@dataclass(frozen=True, slots=True)
class SeveralRates:
    """Asks one source after the other; the first that knows answers."""

    sources: Sequence[RateSource]

    def rate(self, coin: str, quote: str, *, ts_ms: int) -> Rate | None:
        """Return the first answer."""
        for source in self.sources:
            found = source.rate(coin, quote, ts_ms=ts_ms)
            if found is not None:
                return found
        return None


@dataclass(frozen=True, slots=True)
class RealRates:
    """Passes on what was not made up.

    Examples
    --------
    >>> made_up = RateTable([("USDT", "AUD", Rate(Decimal(2), "SYNTHETIC close", 0))])
    >>> RealRates(made_up).rate("USDT", "AUD", ts_ms=0) is None
    True
    """

    source: RateSource

    def rate(self, coin: str, quote: str, *, ts_ms: int) -> Rate | None:
        """Return the rate, None where it is synthetic."""
        found = self.source.rate(coin, quote, ts_ms=ts_ms)
        return None if found is None or found.is_synthetic else found


def in_quote(
    source: RateSource, coin: str, *, quote: str, amount: Decimal, ts_ms: int
) -> Decimal | None:
    """Return an amount of a coin in another, exactly; None where no rate is known.

    A coin in itself is worth itself, and nothing is worth nothing, whatever is known.

    Examples
    --------
    >>> in_quote(NO_RATES, "USDT", quote="USDT", amount=Decimal(5), ts_ms=0)
    Decimal('5')
    >>> in_quote(NO_RATES, "USDT", quote="USD", amount=Decimal(5), ts_ms=0) is None
    True
    """
    if coin == quote or not amount:
        return amount
    found = source.rate(coin, quote, ts_ms=ts_ms)
    return None if found is None else EXACT.multiply(amount, found.rate)

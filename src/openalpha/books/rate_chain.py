"""Rates over other coins: a coin in USDT, USDT in USD at market, USD in AUD as published."""

import itertools
from dataclasses import dataclass

from openalpha.books.rates import Rate, RateSource
from openalpha.store.decimals import EXACT

__all__ = ["PATHS", "ChainedRates"]

PATHS: tuple[tuple[str, ...], ...] = (
    (), ("USD",), ("USDT", "USD"), ("USDC", "USD"), ("EUR",), ("USDT",), ("BTC", "USD"),
    ("BTC", "USDT", "USD"),
)  # fmt: skip
"""What may lie between a coin and AUD, the first that is known whole being taken."""


@dataclass(frozen=True, slots=True)
class ChainedRates:
    """Asks one source for each step of a path; a stablecoin is priced like any other coin.

    Parameters
    ----------
    source : RateSource

    Examples
    --------
    >>> from decimal import Decimal
    >>> from openalpha.books.rates import RateTable
    >>> rows = [("USDT", "USD", Rate(Decimal("0.999"), "market", 5)),
    ...         ("USD", "AUD", Rate(Decimal("1.5"), "RBA", 0))]
    >>> ChainedRates(RateTable(rows)).rate("USDT", "AUD", ts_ms=9)
    Rate(rate=Decimal('1.4985'), source='market × RBA', ts_ms=0)
    """

    source: RateSource

    def rate(self, coin: str, quote: str, *, ts_ms: int) -> Rate | None:
        """Return the first path's rate: its oldest stamp, and every source it came from.

        A path over made-up prices is taken only where there is no real one.
        """
        made_up = None
        for path in PATHS:
            if coin in path or quote in path:
                continue
            steps = self._steps((coin, *path, quote), ts_ms)
            if steps is None:
                continue
            rate = steps[0].rate
            for step in steps[1:]:
                rate = EXACT.multiply(rate, step.rate)
            source = " × ".join(step.source for step in steps)
            found = Rate(rate, source, min(step.ts_ms for step in steps))
            if not found.is_synthetic:
                return found
            made_up = made_up or found
        return made_up

    def _steps(self, coins: tuple[str, ...], ts_ms: int) -> list[Rate] | None:
        steps = []
        for coin, quote in itertools.pairwise(coins):
            found = self.source.rate(coin, quote, ts_ms=ts_ms)
            if found is None:
                return None
            steps.append(found)
        return steps

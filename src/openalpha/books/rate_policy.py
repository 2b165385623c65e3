"""By whose prices an entity's events are valued in AUD: published rates, or one venue's market."""

from collections.abc import Callable
from dataclasses import dataclass, field

from openalpha.books.entities import profile_of
from openalpha.books.rates import Rate, RateSource
from openalpha.core.clock import Clock
from openalpha.store.database import Database

__all__ = ["EntityRates"]


@dataclass(slots=True)
class EntityRates:
    """Finds the rates of each entity; a declared choice holds from the next opening of the books.

    Parameters
    ----------
    database : Database
        Holds what each entity declared.
    clock : Clock
    published : RateSource
        What most entities use, and what answers where an entity's venue does not.
    venue : callable
        A market of the lake, such as `btcmarkets_spot`, to what it says of a coin at the minute.
    """

    database: Database
    clock: Clock
    published: RateSource
    venue: Callable[[str], RateSource]
    _found: dict[str, RateSource] = field(default_factory=dict)

    def of(self, entity: str) -> RateSource:
        """Return the rates an entity is valued by.

        Raises
        ------
        InputError
            If its file cannot be read.
        """
        if entity not in self._found:
            market = profile_of(self.database, entity, clock=self.clock).aud_market
            self._found[entity] = (
                _VenueFirst(self.venue(market), self.published) if market else self.published
            )
        return self._found[entity]


@dataclass(frozen=True, slots=True)
class _VenueFirst:
    """AUD by one venue's own trades; everything else, and what it does not trade, as published."""

    venue: RateSource
    published: RateSource

    def rate(self, coin: str, quote: str, *, ts_ms: int) -> Rate | None:
        found = self.venue.rate(coin, quote, ts_ms=ts_ms) if quote == "AUD" else None
        return found or self.published.rate(coin, quote, ts_ms=ts_ms)

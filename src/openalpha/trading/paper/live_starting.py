"""Starts paper runs on a live market: what came before them, and when they begin and end."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from openalpha.core.clock import timeframe_name
from openalpha.core.errors import DataError, InputError
from openalpha.core.instruments import Instrument
from openalpha.core.messages import Environment
from openalpha.market.history import History
from openalpha.trading.feeds.feed import Span
from openalpha.trading.feeds.venue_market import Bars
from openalpha.trading.run.folder import RunFolder
from openalpha.venue.bybit.hosts import base_url

__all__ = ["WARM_ROWS", "LiveTerms", "past_of", "public_server", "span_of"]

WARM_ROWS = 500
"""Bars before a run that its indicators begin from."""


@dataclass(frozen=True, slots=True)
class LiveTerms:
    """Whose market a paper run follows, from when and how long; `lasts_ms` 0: until stopped."""

    server: str
    timeframe_ms: int
    now_ms: int
    lasts_ms: int = 0

    def feed(self) -> dict[str, Any]:
        """Return what the run's record says of its feed."""
        since_ms = self.now_ms // self.timeframe_ms * self.timeframe_ms
        return {
            "kind": "live",
            "server": self.server,
            "timeframe": timeframe_name(self.timeframe_ms),
            "since_ms": since_ms,
            "anchor_ms": since_ms - WARM_ROWS * self.timeframe_ms,
            "end_ms": self.now_ms + self.lasts_ms if self.lasts_ms else 0,
        }


def span_of(folder: RunFolder) -> Span:
    """Return when a run on a live market begins and ends, from its record."""
    feed = folder.feed()
    return Span(int(feed["anchor_ms"]), int(feed["since_ms"]), int(feed["end_ms"]))


def public_server(named: str) -> str:
    """Return the server whose public prices are followed: one named, or the exchange's own.

    Raises
    ------
    InputError
        If it is not one that can be.
    """
    # No key goes there: a twin on this machine may stand in.
    return base_url(Environment.LIVE, named, may_stand_in=True)


def past_of(
    asked: Bars, instruments: Mapping[str, Instrument], *, terms: LiveTerms
) -> dict[str, History]:
    """Ask for the bars before a run, by role or instrument id.

    Raises
    ------
    DataError
        If the venue has too few to prove a strategy on.
    InputError
        If an instrument is not one of the venue's.
    VenueUnavailable
        If it does not answer.
    """
    items = list(instruments.values())
    _check_venue(items)
    feed = terms.feed()
    rows = asked.closed(feed["anchor_ms"] - 1, feed["since_ms"])
    empty = np.empty(0, dtype=np.int64)
    found = {}
    for number, (key, item) in enumerate(instruments.items()):
        mine = [(row.ts_ms, row.bars[number]) for row in rows if row.bars[number] is not None]
        if len(mine) < 2:
            raise DataError(
                f"{terms.server} has no bars of {item.id} before now; choose another instrument "
                "or a shorter --timeframe"
            )
        found[key] = History.of(
            item,
            terms.timeframe_ms,
            ts_ms=np.array([stamp for stamp, _ in mine], dtype=np.int64),
            bars=np.array([bar for _, bar in mine], dtype=np.int64),
            funding=(empty, empty),
            notes=(f"bars of {terms.server} before the run",),
        )
    return found


def _check_venue(items: Sequence[Instrument]) -> None:
    for item in items:
        if not item.market.startswith("bybit_"):
            raise InputError(f"{item.id}: only Bybit's markets can be followed live so far")

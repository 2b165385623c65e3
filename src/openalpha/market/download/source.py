"""What a download needs from a venue: its time, its rules, and pages of rows."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import polars as pl

from openalpha.core.clock import HOUR_MS, MINUTE_MS
from openalpha.core.errors import VenueUnavailable
from openalpha.core.instruments import Instrument
from openalpha.market.download.missing import Span
from openalpha.market.series import SeriesKey, SeriesKind

__all__ = ["OPEN_INTEREST_STEP_MS", "Garbled", "Listing", "Source", "rows_frame", "step_of"]

OPEN_INTEREST_STEP_MS = HOUR_MS
_FUNDING_STEP_MS = 8 * HOUR_MS


class Garbled(VenueUnavailable):
    """The venue answered, but not in its own words: ask again."""


@dataclass(frozen=True, slots=True)
class Listing:
    """An instrument as the venue states it now, and since when it is listed (0: not said)."""

    instrument: Instrument
    launch_ms: int = 0


class Source(Protocol):
    """One market of one venue, seen by one thread.

    Every method may raise `VenueUnavailable` or `VenueRefused`.
    """

    market: str

    def now_ms(self) -> int:
        """Return the venue's own time, UTC ms."""
        ...

    def listings(self, symbols: Sequence[str]) -> list[Listing]:
        """Return rules and risk tiers; an unknown symbol is an `UnknownName`."""
        ...

    def has(self, kind: SeriesKind) -> bool:
        """Say whether the venue offers that kind in this market."""
        ...

    def page_rows(self, kind: SeriesKind) -> int:
        """Return how many rows one page can hold."""
        ...

    def page(self, key: SeriesKey, window: Span) -> pl.DataFrame:
        """Return rows that open within [start, stop), the window, as the venue sent them.

        Returns
        -------
        pl.DataFrame
            `ts` int64 ms and the kind's values float64 (see `rows_frame`), in any order, perhaps
            repeated, perhaps with rows outside the window: the caller judges.
        """
        ...


def step_of(key: SeriesKey) -> int:
    """Return the distance between stamps a series surely has: a bar, eight hours of funding.

    Venues settle every eight hours or more often, always on the eight-hour stamps.
    """
    if key.kind is SeriesKind.FUNDING:
        return _FUNDING_STEP_MS
    if key.kind is SeriesKind.OPEN_INTEREST:
        return OPEN_INTEREST_STEP_MS
    assert key.timeframe_ms >= MINUTE_MS
    return key.timeframe_ms


def rows_frame(names: Sequence[str], rows: Sequence[Sequence[object]]) -> pl.DataFrame:
    """Return rows of texts or numbers as a frame, null where a value is none.

    Parameters
    ----------
    names : sequence of str
        `ts` first.

    Examples
    --------
    >>> rows_frame(["ts", "rate"], [["1709884800000", "0.0001"]]).row(0)
    (1709884800000, 0.0001)
    """
    columns = [[str(value) for value in column] for column in zip(*rows, strict=True)]
    if not rows:
        columns = [[] for _ in names]
    frame = pl.DataFrame(
        dict(zip(names, columns, strict=True)), schema=dict.fromkeys(names, pl.String)
    )
    return frame.select(
        pl.col("ts").cast(pl.Int64, strict=False),
        *(pl.col(name).cast(pl.Float64, strict=False) for name in names[1:]),
    )

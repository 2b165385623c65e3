"""Fills the gaps of one series in the lake, page by page, in steps that each survive a crash."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from openalpha.market.download.missing import Span, missing_spans, windows
from openalpha.market.download.pages import Collector
from openalpha.market.download.source import Listing, step_of
from openalpha.market.importers.rows import to_block
from openalpha.market.lake import Lake
from openalpha.market.series import SeriesKey, SeriesKind

__all__ = ["Filled", "fill", "known_stamps", "lacking"]

_ROWS_A_STEP = 20_000


@dataclass(frozen=True, slots=True)
class Filled:
    """What filling one series gave.

    Parameters
    ----------
    series : str
    added, known : int
        Rows new to the lake, and those of the span it had before.
    holes : tuple of (from_ms, to_ms)
        Stretches the venue has nothing for: first and last missing stamp.
    """

    series: str
    added: int
    known: int
    holes: tuple[Span, ...]


def known_stamps(lake: Lake, key: SeriesKey, *, span: Span) -> NDArray[np.int64]:
    """Return the stamps a series has within [start, stop), increasing."""
    if lake.info(key) is None:
        return np.empty(0, dtype=np.int64)
    wanted = pl.col("ts").is_between(span[0], span[1] - 1)
    frame = lake.scan(key).select("ts").filter(wanted).collect()
    return frame["ts"].to_numpy()


def lacking(lake: Lake, key: SeriesKey, *, span: Span, listing: Listing) -> list[Span]:
    """Return the stretches of a span to ask for.

    Funding is due on the eight-hour stamps at least; at a series' end, on those of its own
    interval.
    """
    start, stop = span
    step = step_of(key)
    known = known_stamps(lake, key, span=span)
    spans = missing_spans(known, span, step_ms=step)
    if key.kind is not SeriesKind.FUNDING:
        return spans
    # What is settled between two eight-hour stamps goes with the later one.
    spans = [(max(start, begin - step + 1), min(end, stop)) for begin, end in spans]
    interval = listing.instrument.funding_interval_ms or step
    tail = max(start, (stop - 1) // step * step + 1)
    if not spans or spans[-1][1] < stop:
        spans += [
            (begin, stop) for begin, _ in missing_spans(known, (tail, stop), step_ms=interval)[:1]
        ]
    return spans


def fill(
    lake: Lake,
    collector: Collector,
    *,
    key: SeriesKey,
    span: Span,
    listing: Listing,
    on_rows: Callable[[int], None],
) -> Filled:
    """Fetch what a series lacks within a span and keep it; safe to kill and to run again.

    Parameters
    ----------
    on_rows : callable
        Told how many stamps were dealt with since it was told last.

    Raises
    ------
    VenueUnavailable, VenueRefused
        If the venue fails; what came before is in the lake.
    Stopped
        If the work was stopped; what came before is in the lake.
    """
    before = len(known_stamps(lake, key, span=span))
    kept = _Keeper(lake, key, f"{collector.source.market} api")
    step, rows = step_of(key), collector.source.page_rows(key.kind)
    # Every known interval fits a page of eight-hour steps, hourly ones too.
    rows = max(1, rows // 8) if key.kind is SeriesKind.FUNDING else rows
    try:
        for gap in lacking(lake, key, span=span, listing=listing):
            for window in _worth_asking(collector, key, gap, listing.launch_ms, rows):
                kept.add(collector.rows(key, window))
                on_rows(max(1, (window[1] - window[0]) // step))
    finally:
        kept.flush()
    left = missing_spans(known_stamps(lake, key, span=span), span, step_ms=step)
    holes = tuple((begin, end - step) for begin, end in left)
    return Filled(str(key), kept.added, before, holes)


def _worth_asking(
    collector: Collector, key: SeriesKey, gap: Span, launch_ms: int, rows: int
) -> Iterator[Span]:
    """Yield the windows of a gap; those before the listing only if one question finds anything."""
    step = step_of(key)
    listed = min(max(gap[0], launch_ms // step * step), gap[1])
    early = (gap[0], listed)
    if early[0] < early[1] and collector.source.page(key, early).height:
        yield from windows(early, step_ms=step, rows=rows)
    yield from windows((listed, gap[1]), step_ms=step, rows=rows)


class _Keeper:
    """Collects rows and puts them into the lake in steps, all of a step or none."""

    def __init__(self, lake: Lake, key: SeriesKey, origin: str) -> None:
        self._lake, self._key, self._origin = lake, key, origin
        self._waiting: list[pl.DataFrame] = []
        self.added = 0

    def add(self, rows: pl.DataFrame) -> None:
        """Take rows; a full step goes to the lake."""
        if rows.height:
            self._waiting.append(rows)
        if sum(frame.height for frame in self._waiting) >= _ROWS_A_STEP:
            self.flush()

    def flush(self) -> None:
        """Put everything taken into the lake."""
        if not self._waiting:
            return
        rows = pl.concat(self._waiting).unique(subset="ts", keep="first").sort("ts")
        self._waiting = []
        block, _ = to_block(self._key, rows)
        self.added += self._lake.merge(self._key, block, source=self._origin).added

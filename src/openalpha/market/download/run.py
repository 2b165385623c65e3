"""A whole download: rules first, then every series of every instrument, side by side."""

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass

from openalpha.core.clock import parse_timeframe
from openalpha.core.errors import InputError, OpenAlphaError, VenueUnavailable
from openalpha.market.download.fill import Filled, fill, lacking
from openalpha.market.download.missing import Span
from openalpha.market.download.pages import Collector, Stopped
from openalpha.market.download.source import Listing, Source, step_of
from openalpha.market.lake import Lake
from openalpha.market.series import SeriesKey, SeriesKind

__all__ = ["DownloadReport", "Wanted", "download"]


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to fetch.

    Parameters
    ----------
    market : str
    symbols, timeframes : tuple of str
    since_ms, until_ms : int
        Rows that open within [since, until) and are final by the venue's clock.
    kinds : tuple of SeriesKind
        Beside the bars: FUNDING, MARK, INDEX, OPEN_INTEREST.
    """

    market: str
    symbols: tuple[str, ...]
    timeframes: tuple[str, ...]
    since_ms: int
    until_ms: int
    kinds: tuple[SeriesKind, ...] = ()

    def __post_init__(self) -> None:
        for what, names in (("symbol", self.symbols), ("time frame", self.timeframes)):
            if not names:
                raise InputError(f"name at least one {what}")
            if len(set(names)) != len(names):
                raise InputError(f"a {what} is named twice in {','.join(names)}")
        if self.since_ms >= self.until_ms:
            raise InputError("--since lies after --until (or after now); there is nothing to fetch")

    def keys(self, symbol: str) -> list[SeriesKey]:
        """Return the series of a symbol: bars of each time frame, mark and index of the finest."""
        finest = min(self.timeframes, key=parse_timeframe)
        keys = [
            SeriesKey(self.market, symbol, SeriesKind.BARS, timeframe)
            for timeframe in self.timeframes
        ]
        return keys + [
            SeriesKey(self.market, symbol, kind, finest if kind.has_timeframe else "")
            for kind in self.kinds
        ]


@dataclass(frozen=True, slots=True)
class DownloadReport:
    """What a download gave.

    Parameters
    ----------
    series : tuple of Filled
    instruments : tuple of str
        Those whose rules were kept.
    notes : tuple of str
    """

    series: tuple[Filled, ...]
    instruments: tuple[str, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Job:
    key: SeriesKey
    listing: Listing
    span: Span


def download(
    wanted: Wanted,
    lake: Lake,
    *,
    make_collector: Callable[[threading.Event], Collector],
    workers: int = 4,
    on_start: Callable[[int], None] = lambda total: None,
    on_rows: Callable[[int], None] = lambda count: None,
) -> DownloadReport:
    """Fetch what the lake lacks and keep it.

    Parameters
    ----------
    make_collector : callable
        Makes a collector that heeds the given stop event, one for each thread.
    workers : int
        Instruments fetched side by side.
    on_start, on_rows : callable
        Told the number of stamps to deal with, then how many were dealt with; the second from
        several threads.

    Raises
    ------
    VenueUnavailable, VenueRefused
        The first failure, when everything else is done; all that was fetched is in the lake, and
        the same call goes on from there.
    KeyboardInterrupt
        When stopped by Ctrl-C; the same holds.
    """
    stop = threading.Event()
    first = make_collector(stop)
    listings = {item.instrument.symbol: item for item in first.source.listings(wanted.symbols)}
    now_ms = first.source.now_ms()
    lake.keep_instruments([item.instrument for item in listings.values()], now_ms=now_ms)
    jobs, notes = _plan(wanted, first.source, listings, now_ms)
    on_start(sum(_stamps(lake, job) for job in jobs))
    by_symbol: dict[str, list[_Job]] = {}
    for job in jobs:
        by_symbol.setdefault(job.key.symbol, []).append(job)
    with ThreadPoolExecutor(max_workers=workers) as pool:
        futures = [
            pool.submit(_fetch, lake, make_collector, own, stop, on_rows)
            for own in by_symbol.values()
        ]
        try:
            wait(futures)
        except KeyboardInterrupt:
            stop.set()
            raise
    filled = _results(futures)
    return DownloadReport(
        tuple(filled), tuple(item.instrument.id for item in listings.values()), tuple(notes)
    )


def _plan(
    wanted: Wanted, source: Source, listings: dict[str, Listing], now_ms: int
) -> tuple[list[_Job], list[str]]:
    jobs, notes = [], []
    for symbol, listing in listings.items():
        for key in wanted.keys(symbol):
            if not source.has(key.kind):
                notes.append(f"{wanted.market} has no {key.kind} of {symbol}: left out")
                continue
            step = step_of(key)
            # The last bar that has ended by the venue's clock; of the others, what has happened.
            final = now_ms // step * step if key.timeframe_ms else now_ms + 1
            span = (-(-wanted.since_ms // step) * step, min(wanted.until_ms, final))
            if span[0] < span[1]:
                jobs.append(_Job(key, listing, span))
            else:
                notes.append(f"{key}: no row has ended in that time yet")
    return jobs, notes


def _stamps(lake: Lake, job: _Job) -> int:
    spans = lacking(lake, job.key, span=job.span, listing=job.listing)
    return sum(max(1, (end - begin) // step_of(job.key)) for begin, end in spans)


def _fetch(
    lake: Lake,
    make_collector: Callable[[threading.Event], Collector],
    jobs: list[_Job],
    stop: threading.Event,
    on_rows: Callable[[int], None],
) -> list[Filled]:
    collector = make_collector(stop)
    return [
        fill(lake, collector, key=job.key, span=job.span, listing=job.listing, on_rows=on_rows)
        for job in jobs
    ]


def _results(futures: list[Future[list[Filled]]]) -> list[Filled]:
    errors = [future.exception() for future in futures]
    for error in errors:
        if isinstance(error, VenueUnavailable):
            raise VenueUnavailable(
                f"{error.message}; what was fetched is kept, the same command goes on from there"
            ) from None
        if isinstance(error, Stopped):
            raise KeyboardInterrupt
        if isinstance(error, OpenAlphaError) or error is not None:
            raise error
    return [filled for future in futures for filled in future.result()]

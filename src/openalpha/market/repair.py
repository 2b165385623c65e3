"""Fetches again what a check found missing or wrong in the lake, through the ways of a download."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import polars as pl

from openalpha.core.clock import Clock
from openalpha.core.errors import InputError, UnknownName
from openalpha.market.check import LakeCheck, check_lake
from openalpha.market.check_bars import SeriesCheck
from openalpha.market.download.fill import fill
from openalpha.market.download.missing import Span, missing_spans, windows
from openalpha.market.download.pages import Collector
from openalpha.market.download.source import Listing, step_of
from openalpha.market.importers.rows import to_block
from openalpha.market.lake import Lake
from openalpha.market.series import SeriesKey, SeriesKind

__all__ = ["RepairReport", "Repaired", "repair"]

_PIECE_ROWS = 10_000
_EARLIEST_MS = 1_230_940_800_000


@dataclass(frozen=True, slots=True)
class Repaired:
    """What repairing one series gave.

    Parameters
    ----------
    series : str
    added, replaced : int
        Rows that were missing, and rows the venue sent in place of wrong ones.
    left : tuple of (from_ms, to_ms)
        Stretches [from, to) the venue has nothing for, or not all: as they were.
    """

    series: str
    added: int
    replaced: int
    left: tuple[Span, ...]


@dataclass(frozen=True, slots=True)
class RepairReport:
    """What a repair gave: the series that had faults, what was left out, the lake afterwards."""

    series: tuple[Repaired, ...]
    notes: tuple[str, ...]
    after: LakeCheck


def repair(
    lake: Lake,
    *,
    clock: Clock,
    make_collector: Callable[[str], Collector],
    instruments: tuple[str, ...] = (),
    advance: Callable[..., None] = lambda *_, **__: None,
) -> RepairReport:
    """Check a lake, fetch what is missing or wrong from the venue, and check again.

    Rows found wrong are replaced only by a stretch the venue sent whole, or stamp by stamp; a
    stretch it does not have stays as it is. Each step is one transaction of the lake: killed in the
    middle, the same call goes on from there.

    Parameters
    ----------
    make_collector : callable
        Takes a market; raises `InputError` where no venue is behind it.
    instruments : tuple of str
        Those to look at; all when empty.
    advance : callable
        Told `advance(1, what=series)` after each series with faults.

    Raises
    ------
    VenueUnavailable, VenueRefused
        If the venue fails; what was repaired before stays.
    """
    before = check_lake(lake, clock=clock, only=instruments)
    venues = _Venues(make_collector)
    done: list[Repaired] = []
    for item in before.series:
        wrong = [(u.from_ms, u.to_ms) for u in before.unusable if u.key == item.key]
        lacking = _lacking(lake, item)
        if not wrong and not lacking:
            continue
        found = venues.of(item.key)
        if found is not None:
            mender = _Mender(lake, item.key, *found)
            done.append(mender.repaired(wrong, lacking))
        advance(1, what=str(item.key))
    if done:
        before = check_lake(lake, clock=clock, only=instruments)
    return RepairReport(tuple(done), tuple(venues.notes), before)


def _lacking(lake: Lake, item: SeriesCheck) -> list[Span]:
    """Return the spans of a series that miss rows; of funding, what eight-hour stamps lack."""
    key = item.key
    if key.kind not in (SeriesKind.FUNDING, SeriesKind.OPEN_INTEREST):
        return list(item.gaps)
    frame = lake.read(key).frame
    known = frame.filter(pl.col("ts") >= _EARLIEST_MS)["ts"].to_numpy()
    wild = set(item.clock_faults)
    known = known[[ts not in wild for ts in known.tolist()]] if wild else known
    if not len(known):
        return []
    return missing_spans(known, (int(known[0]), int(known[-1])), step_ms=step_of(key))


class _Venues:
    """The venues behind the markets of a lake, each asked for an instrument's rules once."""

    def __init__(self, make_collector: Callable[[str], Collector]) -> None:
        self._make = make_collector
        self._collectors: dict[str, Collector | None] = {}
        self._listings: dict[str, Listing | None] = {}
        self.notes: list[str] = []

    def of(self, key: SeriesKey) -> tuple[Collector, Listing] | None:
        """Return who to ask for a series, None (and a note) where nobody can be asked."""
        collector = self._collector(key.market)
        if collector is None:
            return None
        if not collector.source.has(key.kind):
            self.notes.append(f"{key} has faults, and {key.market} offers no {key.kind}: left")
            return None
        listing = self._listing(collector, key)
        return None if listing is None else (collector, listing)

    def _collector(self, market: str) -> Collector | None:
        if market not in self._collectors:
            try:
                self._collectors[market] = self._make(market)
            except InputError as error:
                self._collectors[market] = None
                self.notes.append(f"{market} has faults and stays as it is: {error.message}")
        return self._collectors[market]

    def _listing(self, collector: Collector, key: SeriesKey) -> Listing | None:
        if key.instrument not in self._listings:
            try:
                self._listings[key.instrument] = collector.source.listings([key.symbol])[0]
            except UnknownName as error:
                self._listings[key.instrument] = None
                self.notes.append(f"{key.instrument} stays as it is: {error.message}")
        return self._listings[key.instrument]


class _Mender:
    """Mends one series."""

    def __init__(self, lake: Lake, key: SeriesKey, collector: Collector, listing: Listing) -> None:
        self._lake, self._key = lake, key
        self._collector, self._listing = collector, listing
        step = step_of(key)
        self._step, self._final = step, collector.source.now_ms() // step * step

    def repaired(self, wrong: list[Span], lacking: list[Span]) -> Repaired:
        """Replace what is wrong, then fetch what is missing."""
        left: list[Span] = []
        replaced = added = 0
        for span in wrong:
            rows, rest = self._replace(span)
            replaced += rows
            left += rest
        for span in lacking:
            filled = fill(
                self._lake, self._collector, key=self._key, span=span, listing=self._listing,
                on_rows=lambda count: None,
            )  # fmt: skip
            added += filled.added
            left += [(begin, end + self._step) for begin, end in filled.holes]
        return Repaired(str(self._key), added, replaced, tuple(left))

    def _replace(self, span: Span) -> tuple[int, list[Span]]:
        """Return how many rows were replaced, and what of the span the venue did not send."""
        step, replaced, left = self._step, 0, []
        start = span[0] // step * step
        stop = min(-(-span[1] // step) * step, self._final)
        if stop <= start or start < _EARLIEST_MS:
            return 0, [span]
        for piece in windows((start, stop), step_ms=step, rows=_PIECE_ROWS):
            rows = pl.concat(list(self._pages(piece)))
            missing = missing_spans(rows["ts"].to_numpy(), piece, step_ms=step)
            left += missing
            if not rows.height:
                continue
            block, _ = to_block(self._key, rows)
            origin = f"{self._collector.source.market} api"
            with self._lake.transaction() as change:
                change.merge(
                    self._key, block, source=origin, replace=True, within=None if missing else piece
                )
            replaced += rows.height
        return replaced, left

    def _pages(self, span: Span) -> Iterator[pl.DataFrame]:
        page_rows = self._collector.source.page_rows(self._key.kind)
        for window in windows(span, step_ms=self._step, rows=page_rows):
            yield self._collector.rows(self._key, window)

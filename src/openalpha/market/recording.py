"""Keeps in the lake what a live feed brings, by the lake's own all-or-nothing publishing.

Rows gather in memory and are published now and then: a crash loses those since (the run's log still
has its bars, and a recorder is told them again), never half of a file. What the lake has already is
left as it is, so recording and downloads of the same time go together.
"""

import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import polars as pl

from openalpha.core.errors import DataError, OpenAlphaError
from openalpha.market.blocks import Block
from openalpha.market.lake import Lake
from openalpha.market.series import SeriesKey
from openalpha.market.staging import Transaction

__all__ = ["Recorder"]

Values = Sequence[int | str]
_EVERY_S = 60.0
_MOST_ROWS = 200_000
"""Rows held back at most while the disk refuses."""


@dataclass(slots=True)
class _Waiting:
    decimals: tuple[int, int]
    rows: list[Values] = field(default_factory=list)


class Recorder:
    """Writes series of a live feed.

    Parameters
    ----------
    lake : Lake
    source : str
        Where the rows come from, for the files' metadata.
    every_s : float
        How often they are published.

    Attributes
    ----------
    disagreed : int
        Rows that were in the lake already with other values; the lake's were kept.
    trouble : str
        Why the last publishing failed; empty: it did not. What waits is tried again.
    """

    def __init__(self, lake: Lake, *, source: str, every_s: float = _EVERY_S) -> None:
        self._lake, self._source, self._every_s = lake, source, every_s
        self._waiting: dict[SeriesKey, _Waiting] = {}
        self._lock, self._flushing = threading.Lock(), threading.Lock()
        self._over = threading.Event()
        self._thread: threading.Thread | None = None
        self.disagreed = 0
        self.trouble = ""

    def start(self) -> None:
        """Begin to publish now and then, in a thread of its own."""
        self._thread = threading.Thread(target=self._lead, name="recorder", daemon=True)
        self._thread.start()

    def keep(self, key: SeriesKey, rows: Iterable[Values], *, decimals: tuple[int, int]) -> None:
        """Take rows of a series; answers at once.

        Parameters
        ----------
        rows : iterable of sequence
            In the order of the series' columns.
        decimals : (price, quantity)
            Of the rows' units.
        """
        with self._lock:
            waiting = self._waiting.setdefault(key, _Waiting(decimals))
            waiting.rows.extend(rows)
            del waiting.rows[:-_MOST_ROWS]

    def last_ms(self, key: SeriesKey) -> int:
        """Return the stamp of the last row the lake has of a series, -1 without one."""
        info = self._lake.info(key)
        return -1 if info is None else info.last_ms

    def flush(self) -> int:
        """Publish what waits, all or nothing; return how many rows were new.

        Never raises for what the disk or another writer does: see `trouble`.
        """
        with self._flushing:
            with self._lock:
                taken, self._waiting = self._waiting, {}
            try:
                with self._lake.transaction() as change:
                    added = sum(self._merge(change, key, part) for key, part in taken.items())
            except OpenAlphaError as error:
                self.trouble = error.message
                for key, part in taken.items():
                    self._give_back(key, part)
                return 0
            self.trouble = ""
            return added

    def close(self) -> None:
        """Publish what waits and end; safe to repeat."""
        self._over.set()
        if self._thread is not None:
            self._thread.join(timeout=60)
            self._thread = None
        self.flush()

    def _lead(self) -> None:
        while not self._over.wait(self._every_s):
            self.flush()

    def _merge(self, change: Transaction, key: SeriesKey, part: _Waiting) -> int:
        frame = pl.DataFrame(part.rows, schema=key.polars_schema(), orient="row")
        if key.kind.is_keyed:
            frame = frame.unique("ts", keep="first", maintain_order=True).sort("ts")
        block = Block(frame, *part.decimals)
        try:
            return change.merge(key, block, source=self._source).added
        except DataError:
            if not key.kind.is_keyed:
                raise
        span = (int(frame["ts"].min() or 0), int(frame["ts"].max() or 0) + 1)  # type: ignore[arg-type]  # ts is Int64
        known = self._lake.read(key, start_ms=span[0], end_ms=span[1]).frame
        fresh = frame.join(known.select("ts"), on="ts", how="anti", maintain_order="left")
        self.disagreed += frame.height - fresh.height
        block = Block(fresh, *part.decimals)
        return change.merge(key, block, source=self._source).added

    def _give_back(self, key: SeriesKey, part: _Waiting) -> None:
        with self._lock:
            later = self._waiting.get(key)
            if later is not None:
                part.rows.extend(later.rows)
            self._waiting[key] = part

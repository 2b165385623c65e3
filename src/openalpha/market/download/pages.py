"""Gets every row of a window, whatever a page lacks, repeats, mixes up or adds."""

import threading
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import polars as pl

from openalpha.core.clock import format_ms
from openalpha.core.errors import VenueUnavailable
from openalpha.market.download.missing import Span, missing_spans
from openalpha.market.download.source import Garbled, Source, step_of
from openalpha.market.importers.layouts import Canonical
from openalpha.market.importers.rows import judge
from openalpha.market.series import COLUMNS, SeriesKey

__all__ = ["Collector", "Stopped"]

_LOOKS_EMPTY = 3
_LOOKS_ASTRAY = 4
_LOOKS_UNSOUND = 4


class Stopped(Exception):
    """Somebody asked the download to end."""


@dataclass(frozen=True, slots=True)
class Collector:
    """Asks one source for windows of rows until they are whole or surely have holes.

    Parameters
    ----------
    source : Source
    stop : threading.Event
        Set from outside to end the work.
    pause : callable
        Waits a number of seconds before a second look.
    second_look_s : float
        How long to wait before it.
    """

    source: Source
    stop: threading.Event
    pause: Callable[[float], object]
    second_look_s: float = 0.2

    def rows(self, key: SeriesKey, window: Span) -> pl.DataFrame:
        """Return the sound rows of a window that are final, oldest first, each stamp once.

        A page may be short, empty, out of order, repeated or another one's: what is missing is
        asked for again, and a hole is believed after a third look (a fourth, where the
        venue kept sending other rows).

        Raises
        ------
        VenueUnavailable
            If the venue does not answer, or sends rows that cannot be.
        Stopped
            If the work was stopped.
        """
        found: list[pl.DataFrame] = []
        looks = unsound = 0
        start, stop = window
        while True:
            if self.stop.is_set():
                raise Stopped
            now_ms = self.source.now_ms()
            try:
                page = self.source.page(key, (start, stop))
                rows, why = _sound(key, page, (start, stop), now_ms=now_ms)
            except Garbled as error:
                page = rows = _nothing(key)
                why = error.message
            if why:
                unsound += 1
                if unsound >= _LOOKS_UNSOUND:
                    raise VenueUnavailable(
                        f"{self.source.market} keeps sending {key} rows that cannot be ({why})"
                    )
            found.append(rows)
            left = self._left(key, found, (start, stop))
            if not left:
                return _together(found)
            if not why:
                looks = 0 if rows.height else looks + 1
                limit = _LOOKS_ASTRAY if _is_astray(page, now_ms - step_of(key)) else _LOOKS_EMPTY
                if looks >= limit:
                    return _together(found)
            start, stop = left[0][0], left[-1][1]
            if not rows.height:
                self.pause(self.second_look_s * 2**looks)

    @staticmethod
    def _left(key: SeriesKey, found: list[pl.DataFrame], window: Span) -> list[Span]:
        stamps = np.concatenate([frame["ts"].to_numpy() for frame in found])
        return missing_spans(stamps, window, step_ms=step_of(key))


def _nothing(key: SeriesKey) -> pl.DataFrame:
    return pl.DataFrame(schema=dict.fromkeys(COLUMNS[key.kind], pl.Float64) | {"ts": pl.Int64})


def _together(found: list[pl.DataFrame]) -> pl.DataFrame:
    return pl.concat(found).unique(subset="ts", keep="first").sort("ts")


def _sound(
    key: SeriesKey, page: pl.DataFrame, window: Span, *, now_ms: int
) -> tuple[pl.DataFrame, str]:
    """Return the final rows within the window, and why others are unsound (empty: none is)."""
    start, stop = window
    # A bar is final when the venue's clock has passed its end; a settlement when it happened.
    final_ms = now_ms - key.timeframe_ms
    inside = page.filter(
        pl.col("ts").is_null()
        | (pl.col("ts").is_between(start, stop - 1) & (pl.col("ts") <= final_ms))
    )
    judged = judge(
        Canonical(key.kind, inside.with_row_index("_row")), key.timeframe_ms, now_ms=now_ms
    )
    rows = judged.frame.drop("_row").unique(subset="ts", keep="first").sort("ts")
    if not judged.bad.height:
        return rows, ""
    worst = judged.bad.row(0, named=True)
    # Of two versions of a stamp neither is to be trusted.
    stamps = inside.with_row_index("_row").join(judged.bad, on="_row", how="semi")["ts"]
    sound = rows.filter(~pl.col("ts").is_in(stamps.implode()))
    stamp = stamps[0]
    when = f" at {format_ms(stamp)}" if isinstance(stamp, int) and 0 < stamp < 10**14 else ""
    return sound, f"{worst['column']} {worst['reason']}{when}"


def _is_astray(page: pl.DataFrame, final_ms: int) -> bool:
    """Say whether the page held final rows, none of which was asked for (else it is just empty)."""
    return page.filter(pl.col("ts") <= final_ms).height > 0

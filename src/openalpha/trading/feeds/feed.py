"""Where a paper run's market comes from: the lake row by row, or an exchange as it goes."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Protocol

from openalpha.core.clock import Clock
from openalpha.core.errors import OpenAlphaError
from openalpha.engine.history_rows import rows_of
from openalpha.engine.rows import Row
from openalpha.market.history import History
from openalpha.store.run_log import FrameKind, canonical_json
from openalpha.trading.feeds.live_bars import LiveBars
from openalpha.trading.feeds.venue_market import Bars
from openalpha.trading.orders.side import Input
from openalpha.trading.run.feed_rows import row_payload, warm_payload
from openalpha.trading.run.inbox import Inbox

__all__ = ["CHUNK", "Feed", "LakeFeed", "LiveFeed", "Span"]

CHUNK = 256
"""Rows handed on at once where they have all happened already."""
_HOUR_MS = 3_600_000
_LOOK_S = 0.2


class Feed(Protocol):
    """A source of inputs.

    Attributes
    ----------
    is_live : bool
        Whether the market's time is now.
    """

    is_live: bool

    def after(self, last_row_ms: int, heard: int = 0) -> AsyncIterator[list[Input]]:
        """Yield inputs of what came after a row, several at once where they have all happened.

        Parameters
        ----------
        heard : int
            Messages taken already, beside rows, where the feed has them.
        """
        ...


class LakeFeed:
    """Recorded bars, as fast as they are taken; then the end of the feed.

    Each row is stamped with its close: the run's clock is the market's.

    Parameters
    ----------
    histories : sequence of History
        In the order of the run's instruments.
    """

    is_live = False

    def __init__(self, histories: Sequence[History]) -> None:
        self._histories = histories
        self.timeframe_ms = histories[0].timeframe_ms
        self.rows = max(len(history) for history in histories)

    async def after(self, last_row_ms: int, heard: int = 0) -> AsyncIterator[list[Input]]:
        """Yield the rows after one, then that there are no more."""
        rows = (row for row in rows_of(self._histories) if row.ts_ms > last_row_ms)
        last_ms = last_row_ms + self.timeframe_ms
        while chunk := list(islice(rows, CHUNK)):
            last_ms = chunk[-1].ts_ms + self.timeframe_ms
            yield [
                Input(FrameKind.FEED, row_payload(row), row.ts_ms + self.timeframe_ms)
                for row in chunk
            ]
            await asyncio.sleep(0)
        yield [Input(FrameKind.TIMER, canonical_json({"end": "the feed ended"}), last_ms)]


@dataclass(frozen=True, slots=True)
class Span:
    """When a run on a live market begins, ends (0: never), and what its indicators begin from.

    Stamps are the opening stamps of bars, UTC ms; `anchor_ms` is the first one remembered.
    """

    anchor_ms: int
    since_ms: int
    end_ms: int = 0


class LiveFeed:
    """An exchange's bars as they close, with the funding it settles.

    Parameters
    ----------
    bars : LiveBars
        Started.
    asked : Bars
        Where what came before the run, and funding, are asked for.
    span : Span
    clock : Clock
    """

    is_live = True

    def __init__(
        self,
        bars: LiveBars,
        asked: Bars,
        *,
        span: Span,
        clock: Clock,
    ) -> None:
        self._bars, self._asked, self._span, self._clock = bars, asked, span, clock
        self._settled = [span.since_ms - 1 for _ in bars.instruments]

    async def after(self, last_row_ms: int, heard: int = 0) -> AsyncIterator[list[Input]]:
        """Yield what was before the run, then rows as they close, until the run's time is over."""
        span, frame_ms = self._span, self._bars.timeframe_ms
        last_ms = max(last_row_ms, span.since_ms - 1)
        self._settled = [max(stamp, last_row_ms + frame_ms - 1) for stamp in self._settled]
        news = Inbox()
        self._bars.woken = news.wake
        # What was known of the market when the run was last led has aged.
        yield [self._input(FrameKind.HEALTH, canonical_json({"what": "feed", "is_up": False}))]
        if last_row_ms < span.since_ms:
            warm = await asyncio.to_thread(self._asked.closed, span.anchor_ms - 1, span.since_ms)
            yield [self._input(FrameKind.FEED, warm_payload(warm))]
        while True:
            now_ms = self._clock.now_ms()
            items = [self._input(kind, payload) for kind, payload in self._bars.take()]
            rows = self._bars.closed(last_ms, now_ms)
            if span.end_ms:
                rows = [row for row in rows if row.ts_ms + frame_ms <= span.end_ms]
            if rows:
                rows = await asyncio.to_thread(self._with_funding, rows)
                items += [self._input(FrameKind.FEED, row_payload(row)) for row in rows]
                last_ms = rows[-1].ts_ms
            if items:
                yield items
            if span.end_ms and last_ms + 2 * frame_ms > span.end_ms:
                ended = canonical_json({"end": "the time asked for is over"})
                yield [self._input(FrameKind.TIMER, ended)]
                return
            await (asyncio.sleep(0) if rows else news.wait(_LOOK_S))

    def _input(self, kind: FrameKind, payload: bytes) -> Input:
        return Input(kind, payload, self._clock.now_ms())

    def _with_funding(self, rows: Sequence[Row]) -> list[Row]:
        """Return the rows with what was settled since the row before each.

        Settlements are on full hours. What the exchange does not tell yet comes with a later row.
        """
        until_ms = rows[-1].ts_ms + self._bars.timeframe_ms - 1
        settled: list[tuple[int, int, int]] = []
        for number, since_ms in enumerate(self._settled):
            is_due = until_ms // _HOUR_MS > since_ms // _HOUR_MS
            is_perpetual = self._bars.instruments[number].funding_interval_ms is not None
            if is_due and is_perpetual:
                settled += self._asked_funding(number, since_ms, until_ms)
        found = []
        for row in rows:
            mine = tuple(one for one in settled if one[1] < row.ts_ms + self._bars.timeframe_ms)
            settled = [one for one in settled if one not in mine]
            found.append(replace(row, funding=mine) if mine else row)
        return found

    def _asked_funding(
        self, number: int, since_ms: int, until_ms: int
    ) -> list[tuple[int, int, int]]:
        try:
            found = self._asked.funding(number, after_ms=since_ms, until_ms=until_ms)
        except OpenAlphaError:
            return []
        if found:
            self._settled[number] = found[-1][0]
        return [(number, stamp, rate) for stamp, rate in found]

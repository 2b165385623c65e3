"""Where a run's market comes from: here, the lake replayed row by row."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from itertools import islice
from typing import Protocol

from openalpha.engine.history_rows import rows_of
from openalpha.market.history import History
from openalpha.store.run_log import FrameKind, canonical_json
from openalpha.trading.feed_rows import row_payload
from openalpha.trading.side import Input

__all__ = ["CHUNK", "Feed", "LakeFeed"]

CHUNK = 256
"""Rows handed on at once where they have all happened already."""


class Feed(Protocol):
    """A source of inputs.

    Attributes
    ----------
    is_live : bool
        Whether the market's time is now.
    """

    is_live: bool

    def after(self, last_row_ms: int) -> AsyncIterator[list[Input]]:
        """Yield inputs of what came after a row, several at once where they have all happened."""
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

    async def after(self, last_row_ms: int) -> AsyncIterator[list[Input]]:
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

"""Recorded trades and depth as a paper run's market, and the bars made of them."""

import asyncio
from collections.abc import AsyncIterator, Iterator

import numpy as np

from openalpha.engine.funding import Settlements
from openalpha.engine.messages import rows_of_tape
from openalpha.market.tape import Tape
from openalpha.store.run_log import FrameKind, canonical_json
from openalpha.trading.orders.side import Input
from openalpha.trading.run.feed_rows import row_payload
from openalpha.trading.run.message_rows import messages_payload
from openalpha.venue.kernel import book_market as event
from openalpha.venue.kernel.layout import I64

__all__ = ["TapeFeed"]

_MOST = 2_000
"""Messages in one payload, but for those of one moment, which stay together."""


class TapeFeed:
    """Recorded messages, as fast as they are taken; then the end of the feed.

    Each payload is stamped with its last message: the run's clock is the market's.

    Parameters
    ----------
    tape : Tape
    paid : (stamps, rates_e12), optional
        Settlements, which are among the messages.
    """

    is_live = False

    def __init__(self, tape: Tape, paid: Settlements | None) -> None:
        self._tape, self._paid = tape, paid

    async def after(self, last_row_ms: int, heard: int = 0) -> AsyncIterator[list[Input]]:
        """Yield what follows a row and a number of messages, a bar's at once; then the end."""
        last_ms, frame_ms, before = last_row_ms, self._tape.history.timeframe_ms, 0
        for row, events in rows_of_tape(self._tape, self._paid):
            close_ms, items = row.ts_ms + frame_ms, []
            for start, part in _parts(events):
                if before + start >= heard:
                    stamp = int(part[-1, event.V_TS])
                    items.append(Input(FrameKind.FEED, messages_payload(part), stamp))
            before += len(events)
            if row.ts_ms > last_row_ms:
                items.append(Input(FrameKind.FEED, row_payload(row), close_ms))
                last_ms = close_ms
            if items:
                yield items
                await asyncio.sleep(0)
        yield [Input(FrameKind.TIMER, canonical_json({"end": "the feed ended"}), last_ms)]


def _parts(events: I64) -> Iterator[tuple[int, I64]]:
    """Yield messages in parts that cut no moment in two, each with where it begins."""
    start, count = 0, len(events)
    stamps = events[:, event.V_TS]
    while start < count:
        stop = min(start + _MOST, count)
        stop = int(np.searchsorted(stamps, stamps[stop - 1], side="right"))
        yield start, events[start:stop]
        start = stop

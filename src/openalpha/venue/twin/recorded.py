"""A market replayed from what a venue published: its trades, and its book where that was recorded.

A step stands for the time up to the next, as with bars: every trade of it is printed as it was, and
the book is the recorded one of its end. Without depth the book stands a tick on both sides of the
last trade, as if it held four times what the second before traded. Before the first message and
after the last nothing moves.
"""

from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from openalpha.core.errors import InputError
from openalpha.market.history import History
from openalpha.market.tape import Tape
from openalpha.venue.kernel.layout import I64
from openalpha.venue.twin.feed import Step
from openalpha.venue.twin.listings import Listing
from openalpha.venue.twin.replay import ForgottenFeed, settled_between

__all__ = ["Recording", "TapeFeed"]

Recording = History | Tape
"""What a market can be replayed from: bars, or trades with or without depth."""

SHOWN_TIMES = 4
SECOND_MS = 1_000


@dataclass(slots=True)
class TapeFeed:
    """Steps over recorded messages; the book is built up from the first to the stamp asked for.

    Parameters
    ----------
    trades : int64[n, 4]
        Stamp, taker's side, price, quantity, in the market's units.
    depth : int64[m, 5]
        Stamp, 1 for a row of a snapshot, side, price, quantity (0 removes), in the market's units.
    """

    is_recorded: ClassVar[bool] = True
    trades: I64
    depth: I64
    funding_ts: I64
    funding_rate: I64
    step_ms: int
    tick: int
    lot: int
    levels: int
    seen_ms: int = 0
    _read: int = 0
    _in_snapshot: bool = False
    _sides: dict[int, dict[int, int]] = field(default_factory=lambda: {1: {}, -1: {}})

    @classmethod
    def of(cls, listing: Listing, tape: Tape, *, step_ms: int, levels: int) -> "TapeFeed":
        """Return the feed of a market from a recording, in the market's own units.

        Raises
        ------
        InputError
            If recorded levels are off the market's tick: two would become one.
        """
        rules = tape.history.instrument
        d = listing.price_decimals - rules.price_decimals
        q = listing.qty_decimals - rules.qty_decimals
        trades, depth = tape.trades.copy(), tape.depth.copy()
        trades[:, 2] = _nearest(_scaled(trades[:, 2], d), listing.tick)
        trades[:, 3] = np.maximum(_nearest(_scaled(trades[:, 3], q), listing.lot), listing.lot)
        if (depth[:, 3] * 10 ** max(d, 0) % (listing.tick * 10 ** max(-d, 0))).any():
            raise InputError(
                f"recorded levels of {rules.id} are off the tick of {listing.key}; replay them on "
                "a market of their tick, or its trades alone (--feed trades)"
            )
        depth[:, 3], sizes = _scaled(depth[:, 3], d), _scaled(depth[:, 4], q)
        depth[:, 4] = np.where(sizes > 0, np.maximum(_nearest(sizes, listing.lot), listing.lot), 0)
        return cls(
            trades,
            depth,
            np.array(tape.history.funding_ts_ms),
            np.array(tape.history.funding_rate_e12),
            step_ms=step_ms,
            tick=listing.tick,
            lot=listing.lot,
            levels=levels,
        )

    def __reduce__(self) -> tuple[Any, ...]:
        """Leave the recording out of a kept state: it is given anew at the next start."""
        return ForgottenFeed, (self.seen_ms,)

    def price_at(self, ts_ms: int) -> int:
        """Return the price of the last trade up to a moment; that of the first before any."""
        number = int(np.searchsorted(self.trades[:, 0], ts_ms, side="right")) - 1
        return int(self.trades[max(number, 0), 2])

    def step(self, ts_ms: int) -> Step:
        """Return the trades up to the next step, and the recorded book before it."""
        ends_ms = ts_ms + self.step_ms
        first, last = np.searchsorted(self.trades[:, 0], (ts_ms, ends_ms))
        prints = [(price, qty, side) for _, side, price, qty in self.trades[first:last].tolist()]
        price = self.price_at(ends_ms - 1)
        if len(self.depth):
            self._build(ends_ms)
            levels = self._book()
            if len(levels):
                price = self._middle(levels)
        else:
            levels = self._around(price, ends_ms)
        self.seen_ms = ts_ms
        funding = settled_between(
            self.funding_ts, self.funding_rate, after_ms=ts_ms - self.step_ms, until_ms=ts_ms
        )
        return Step(levels, prints, price, price, funding)

    def _build(self, ts_ms: int) -> None:
        """Take every message before a stamp into the book."""
        until = int(np.searchsorted(self.depth[:, 0], ts_ms))
        for _, is_snapshot, side, price, qty in self.depth[self._read : until].tolist():
            if is_snapshot and not self._in_snapshot:
                self._sides = {1: {}, -1: {}}
            self._in_snapshot = bool(is_snapshot)
            if qty:
                self._sides[side][price] = qty
            else:
                self._sides[side].pop(price, None)
        self._read = max(until, self._read)

    def _book(self) -> I64:
        """Return the best levels of both sides; an ask not above the best bid is left out."""
        bids = sorted(self._sides[1].items(), reverse=True)[: self.levels]
        best = bids[0][0] if bids else 0
        asks = sorted(item for item in self._sides[-1].items() if item[0] > best)[: self.levels]
        rows = [(1, *level) for level in bids] + [(-1, *level) for level in asks]
        return np.array(rows, dtype=np.int64).reshape(-1, 3)

    def _middle(self, levels: I64) -> int:
        """Return the middle of a book, on the tick."""
        bids, asks = levels[levels[:, 0] > 0, 1], levels[levels[:, 0] < 0, 1]
        best = [int(side[0]) for side in (bids, asks) if len(side)]
        return sum(best) // len(best) // self.tick * self.tick

    def _around(self, price: int, ts_ms: int) -> I64:
        """Return a book around the last trade: nobody recorded the real one."""
        first, last = np.searchsorted(self.trades[:, 0], (ts_ms - SECOND_MS, ts_ms))
        traded = int(self.trades[first:last, 3].sum())
        away = np.arange(1, self.levels + 1) * self.tick
        rows = np.empty((2 * self.levels, 3), dtype=np.int64)
        rows[: self.levels, 0], rows[self.levels :, 0] = 1, -1
        rows[: self.levels, 1], rows[self.levels :, 1] = price - away, price + away
        rows[:, 2] = max(SHOWN_TIMES * traded, self.lot)
        return rows[rows[:, 1] > 0]

    def strike(self, event: str, size: float) -> None:
        """Refuse: what was recorded cannot be changed."""
        del size
        raise InputError(f"'{event}' cannot strike a replayed market; only a synthetic one")


def _scaled(values: I64, shift: int) -> I64:
    """Return values in units finer (+) or coarser (-) by so many decimals."""
    if shift >= 0:
        return values * np.int64(10**shift)
    return np.rint(values / 10.0**-shift).astype(np.int64)


def _nearest(values: I64, step: int) -> I64:
    return np.rint(values / step).astype(np.int64) * step

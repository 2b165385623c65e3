"""What a market has traded: its last prints, and its candles minute by minute."""

from collections import deque
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from openalpha.core.clock import DAY_MS, MINUTE_MS
from openalpha.venue.twin.intervals import starts_of

__all__ = ["CANDLE_COLS", "Print", "Tape"]

C_TS, C_OPEN, C_HIGH, C_LOW, C_CLOSE, C_VOLUME, C_TURNOVER = range(7)
C_MARK, C_INDEX = 7, 11
CANDLE_COLS = 15
KEPT_PRINTS = 1_000
KEPT_MINUTES = 100_000


@dataclass(frozen=True, slots=True)
class Print:
    """One public trade; `side` is the taker's."""

    trade_id: str
    ts_ms: int
    price: int
    qty: int
    side: int
    seq: int


@dataclass(slots=True)
class Tape:
    """Prints and candles of one market. Minutes without a trade repeat the last close.

    Candles are int64[n, CANDLE_COLS]: stamp, open, high, low, close, volume, turnover, then open,
    high, low, close of the mark and of the index price, in the market's units.
    """

    prints: deque[Print] = field(default_factory=lambda: deque(maxlen=KEPT_PRINTS))
    mark: int = 0
    index: int = 0
    _rows: NDArray[np.int64] = field(
        default_factory=lambda: np.zeros((4096, CANDLE_COLS), dtype=np.int64)
    )
    _count: int = 0
    _past: int = 0

    def __reduce__(self) -> tuple[Any, ...]:
        """Leave out the candles from before the twin began: they follow from its settings."""
        live = self._rows[self._past : self._count].copy()
        return _revived, (list(self.prints), self.mark, self.index, live)

    def follow(self, past: "Tape") -> None:
        """Put the candles another tape had at its beginning before one's own."""
        live = self.candles.copy()
        first = int(live[0, C_TS]) if len(live) else 2**62
        before = past.candles[: past._past]
        before = before[before[:, C_TS] < first]
        self.fill_with(np.concatenate((before, live)))
        self._past = len(before)

    @property
    def candles(self) -> NDArray[np.int64]:
        """Return int64[n, CANDLE_COLS], the oldest first; the last is still open."""
        return self._rows[: self._count]

    @property
    def last(self) -> int:
        """Return the last traded price, 0 before any."""
        return int(self._rows[self._count - 1, C_CLOSE]) if self._count else 0

    def fill_with(self, rows: NDArray[np.int64], *, is_past: bool = False) -> None:
        """Take candles in place of those there are."""
        if is_past:
            self._past = len(rows)
        self._rows = np.zeros((len(rows) + 4096, CANDLE_COLS), dtype=np.int64)
        self._rows[: len(rows)] = rows
        self._count = len(rows)

    def reach(self, ts_ms: int) -> None:
        """Open the candles that began up to a moment."""
        start = ts_ms - ts_ms % MINUTE_MS
        if not self._count:
            return
        last = int(self._rows[self._count - 1, C_TS])
        if start - last > DAY_MS:
            last = start - DAY_MS
        while last < start:
            last += MINUTE_MS
            self._open(last)

    def _open(self, start_ms: int) -> None:
        """Begin one candle at the last prices."""
        if self._count == len(self._rows):
            kept = self._rows[-KEPT_MINUTES:]
            self._past = max(self._past - (self._count - len(kept)), 0)
            self.fill_with(kept.copy())
        before, row = self._rows[self._count - 1], self._rows[self._count]
        row[:] = 0
        row[C_TS] = start_ms
        row[C_OPEN : C_CLOSE + 1] = before[C_CLOSE]
        row[C_MARK : C_MARK + 4] = before[C_MARK + 3]
        row[C_INDEX : C_INDEX + 4] = before[C_INDEX + 3]
        self._count += 1

    def begin(self, ts_ms: int, price: int) -> None:
        """Open the very first candle."""
        row = self._rows[0]
        row[C_TS] = ts_ms - ts_ms % MINUTE_MS
        row[C_OPEN : C_CLOSE + 1] = price
        row[C_MARK:CANDLE_COLS] = price
        self._count = 1

    def trade(self, made: Print, value: int) -> None:
        """Take a print and its value in the market's value units."""
        self.reach(made.ts_ms)
        self.prints.append(made)
        row = self._rows[self._count - 1]
        row[C_HIGH] = max(row[C_HIGH], made.price)
        row[C_LOW] = min(row[C_LOW], made.price)
        row[C_CLOSE] = made.price
        row[C_VOLUME] += made.qty
        row[C_TURNOVER] += value

    def state_prices(self, ts_ms: int, *, mark: int, index: int) -> None:
        """Take the mark and index price of a moment."""
        self.reach(ts_ms)
        self.mark, self.index = mark, index
        row = self._rows[self._count - 1]
        for at, price in ((C_MARK, mark), (C_INDEX, index)):
            row[at + 1] = max(row[at + 1], price)
            row[at + 2] = min(row[at + 2], price)
            row[at + 3] = price

    def grouped(self, interval: str) -> NDArray[np.int64]:
        """Return the candles of an interval of the protocol, the oldest first."""
        rows = self.candles
        if interval == "1" or not len(rows):
            return rows
        starts = starts_of(rows[:, C_TS], interval)
        firsts = np.flatnonzero(np.concatenate(([True], starts[1:] != starts[:-1])))
        lasts = np.concatenate((firsts[1:], [len(rows)])) - 1
        out = np.zeros((len(firsts), CANDLE_COLS), dtype=np.int64)
        out[:, C_TS] = starts[firsts]
        for at in (C_OPEN, C_MARK, C_INDEX):
            out[:, at] = rows[firsts, at]
            out[:, at + 1] = np.maximum.reduceat(rows[:, at + 1], firsts)
            out[:, at + 2] = np.minimum.reduceat(rows[:, at + 2], firsts)
            out[:, at + 3] = rows[lasts, at + 3]
        out[:, C_VOLUME] = np.add.reduceat(rows[:, C_VOLUME], firsts)
        out[:, C_TURNOVER] = np.add.reduceat(rows[:, C_TURNOVER], firsts)
        return out

    def day(self) -> NDArray[np.int64]:
        """Return the candles of the last 24 hours."""
        return self.candles[-DAY_MS // MINUTE_MS :]


def _revived(prints: list[Print], mark: int, index: int, rows: NDArray[np.int64]) -> Tape:
    """Return a tape as it was kept."""
    tape = Tape(deque(prints, maxlen=KEPT_PRINTS), mark, index)
    tape.fill_with(rows)
    return tape

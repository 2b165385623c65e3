"""A market replayed from recorded bars: the recorded path, with a book around it.

Within a bar the price moves from the open over the nearer extreme and the other to the close, at
thirds of the bar, as on the kernel's bar path. The book around it and the split of the volume into
prints are ours: bars say nothing of them. Marks and funding are the recorded ones where there are
any. Before the first bar and after the last the price stands still and nothing trades.
"""

from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from openalpha.core.errors import InputError
from openalpha.market.history import History
from openalpha.venue.kernel.layout import I64
from openalpha.venue.twin.feed import Step
from openalpha.venue.twin.listings import Listing

__all__ = ["BarFeed", "ForgottenFeed", "settled_between"]

DEPTH_SHARE = 4
"""Each level shows a quarter of the bar's volume, so that a small order meets the best price."""


@dataclass(slots=True)
class BarFeed:
    """Steps over the bars of a history; a function of the stamp alone.

    Parameters
    ----------
    ts_ms : int64[n]
        Opening stamps.
    prices : int64[n, 5]
        Open, high, low, close in the market's price units, volume in its quantity units.
    marks : int64[n] or None
        Closing mark prices.
    funding_ts, funding_rate : int64[k]
        Settlements; rates in 10^-12.
    """

    is_recorded: ClassVar[bool] = True
    ts_ms: I64
    prices: I64
    marks: I64 | None
    funding_ts: I64
    funding_rate: I64
    timeframe_ms: int
    step_ms: int
    tick: int
    lot: int
    levels: int
    seen_ms: int = 0

    @classmethod
    def of(cls, listing: Listing, history: History, *, step_ms: int, levels: int) -> "BarFeed":
        """Return the feed of a market from a history, on the market's own grid.

        Raises
        ------
        InputError
            If a step is no whole part of a bar.
        """
        frame = history.timeframe_ms
        if frame % step_ms:
            raise InputError(
                f"a step of {step_ms} ms does not divide bars of {frame} ms; choose another"
            )
        d = listing.price_decimals - history.instrument.price_decimals
        q = listing.qty_decimals - history.instrument.qty_decimals
        rows = np.empty_like(history.bars)
        for column in range(4):
            rows[:, column] = _on_grid(history.bars[:, column], d, listing.tick)
        rows[:, 4] = _on_grid(history.bars[:, 4], q, listing.lot)
        marks = None if history.mark is None else _on_grid(history.mark[:, 3], d, listing.tick)
        return cls(
            ts_ms=np.array(history.ts_ms),
            prices=rows,
            marks=marks,
            funding_ts=np.array(history.funding_ts_ms),
            funding_rate=np.array(history.funding_rate_e12),
            timeframe_ms=frame,
            step_ms=step_ms,
            tick=listing.tick,
            lot=listing.lot,
            levels=levels,
        )

    def __reduce__(self) -> tuple[Any, ...]:
        """Leave the history out of a kept state: it is given anew at the next start."""
        return ForgottenFeed, (self.seen_ms,)

    def step(self, ts_ms: int) -> Step:
        """Return quotes and a print at the recorded price of a stamp."""
        number = int(np.searchsorted(self.ts_ms, ts_ms, side="right")) - 1
        row = self.prices[max(number, 0)]
        into = ts_ms - int(self.ts_ms[max(number, 0)])
        is_inside = number >= 0 and into < self.timeframe_ms
        # A step stands for the time up to the next: a bar's last one ends at its close.
        price = self._price(row, into + self.step_ms) if is_inside else self._still(number)
        before = self._price(row, into) if is_inside else price
        volume = int(row[4]) if is_inside else 0
        size = volume * self.step_ms // self.timeframe_ms // self.lot * self.lot
        prints = [(price, size, 1 if price >= before else -1)] if size > 0 else []
        if into == 0 and size > 0:
            prints.insert(0, (before, self.lot, 1))
        mark = price if self.marks is None else int(self.marks[max(number, 0)])
        step = Step(self._quotes(price, volume), prints, mark, price)
        step.funding = self._funding(ts_ms)
        return step

    def _still(self, number: int) -> int:
        """Return the price where there is no bar: the close before, the first open."""
        return int(self.prices[number, 3] if number >= 0 else self.prices[0, 0])

    def _price(self, row: I64, into_ms: int) -> int:
        """Return the price of a bar so long after its open, on the tick."""
        opened, high, low, close = (int(price) for price in row[:4])
        low_first = opened - low <= high - opened
        path = (opened, low, high, close) if low_first else (opened, high, low, close)
        third = self.timeframe_ms / 3
        into = min(max(into_ms, 0), self.timeframe_ms)
        part = min(int(into / third), 2)
        share = into / third - part
        price = path[part] + (path[part + 1] - path[part]) * share
        return max(round(price / self.tick), 1) * self.tick

    def _quotes(self, price: int, volume: int) -> I64:
        """Quote a tick on both sides of the price."""
        n = self.levels
        lots = max(volume // DEPTH_SHARE // self.lot, 1) * self.lot
        away = np.arange(1, n + 1) * self.tick
        rows = np.empty((2 * n, 3), dtype=np.int64)
        rows[:n, 0], rows[n:, 0] = 1, -1
        rows[:n, 1], rows[n:, 1] = price - away, price + away
        rows[:, 2] = lots
        return rows[rows[:, 1] > 0]

    def _funding(self, ts_ms: int) -> int | None:
        """Return the rate of a settlement since the last step, None without one."""
        self.seen_ms = ts_ms
        return settled_between(
            self.funding_ts, self.funding_rate, after_ms=ts_ms - self.step_ms, until_ms=ts_ms
        )

    def strike(self, event: str, size: float) -> None:
        """Refuse: what was recorded cannot be changed."""
        del size
        raise InputError(f"'{event}' cannot strike a replayed market; only a synthetic one")


@dataclass(slots=True)
class ForgottenFeed:
    """Stands in a kept state for a replayed market's feed, until the history is given again."""

    is_recorded: ClassVar[bool] = True
    seen_ms: int = field(default=0)

    def step(self, ts_ms: int) -> Step:
        """Refuse: there is no history."""
        raise InputError(f"the replayed history is missing at {ts_ms}; start the twin with it")

    def strike(self, event: str, size: float) -> None:
        """Refuse: there is no history."""
        raise InputError(f"'{event}' ({size}) cannot strike a replayed market")


def settled_between(stamps: I64, rates: I64, *, after_ms: int, until_ms: int) -> int | None:
    """Return the rate of the last settlement in a stretch of time, None without one."""
    first, last = np.searchsorted(stamps, (after_ms, until_ms), side="right")
    return int(rates[last - 1]) if last > first else None


def _on_grid(values: I64, shift: int, step: int) -> I64:
    """Return values in other units, rounded to a step, at least one step where positive."""
    scaled = values * 10**shift if shift >= 0 else values / 10.0**-shift
    whole = np.rint(scaled / step).astype(np.int64) * step
    return np.where((whole == 0) & (values > 0), step, whole)

"""A synthetic market: a two-sided, moving book with trades, the same for the same seed.

What a step does follows from the seed, the step's stamp and the middle price before it: there is no
other hidden state, so a market can be taken up again where it was.
"""

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from openalpha.core.clock import DAY_MS, MINUTE_MS
from openalpha.core.errors import InputError
from openalpha.venue.kernel.layout import I64
from openalpha.venue.twin.feed import Step
from openalpha.venue.twin.listings import Listing
from openalpha.venue.twin.numbers import units_of
from openalpha.venue.twin.tape import CANDLE_COLS, Tape

__all__ = ["EVENTS", "SyntheticFeed", "backfill"]

YEAR_MS = 365 * DAY_MS
EVENTS = ("gap", "crash", "thin", "still", "calm")
PRINTS_A_SECOND = 4.0
CRASH_STEPS = 50


@dataclass(slots=True)
class SyntheticFeed:
    """A geometric random walk with a book around it.

    Parameters
    ----------
    seed : int
        Of this market.
    middle : float
        The middle price, in price units.
    """

    is_recorded: ClassVar[bool] = False
    seed: int
    middle: float
    tick: int
    lot: int
    step_ms: int
    levels: int
    volatility: float
    depth: float
    mark: float = 0.0
    thinness: float = 1.0
    drift: float = 0.0
    drift_steps: int = 0
    is_still: bool = False

    @classmethod
    def of(cls, listing: Listing, *, seed: int, step_ms: int, levels: int) -> "SyntheticFeed":
        """Return the feed of a market as its listing describes it."""
        spec, d = listing.spec, listing.price_decimals
        price = units_of(spec.price, d)
        if price is None:
            raise InputError(f"the first price of {spec.symbol}, {spec.price}, is off its grid")
        per_unit = float(spec.price)
        value = 1.0 if listing.category == "inverse" else per_unit
        depth = float(spec.depth) / value * 10.0**listing.qty_decimals
        return cls(
            seed=seed,
            middle=float(price),
            tick=listing.tick,
            lot=listing.lot,
            step_ms=step_ms,
            levels=levels,
            volatility=float(spec.volatility),
            depth=depth,
            mark=float(price),
        )

    def step(self, ts_ms: int) -> Step:
        """Move the middle, quote around it and trade at random."""
        rng = np.random.Generator(np.random.Philox(key=self.seed, counter=ts_ms))
        shock = float(rng.standard_normal())
        sigma = self.volatility * math.sqrt(self.step_ms / YEAR_MS)
        move = 0.0 if self.is_still else sigma * shock - sigma * sigma / 2
        if self.drift_steps > 0:
            move += self.drift
            self.drift_steps -= 1
        self.middle = max(self.middle * math.exp(move), 2.0 * self.tick)
        self.mark += (self.middle - self.mark) * min(1.0, self.step_ms / 2_000)
        levels = self._quotes(rng)
        prints = [] if self.is_still else self._prints(rng)
        mark = max(round(self.mark / self.tick), 1) * self.tick
        index = max(round(self.middle / self.tick), 1) * self.tick
        return Step(levels, prints, mark, index)

    def _quotes(self, rng: np.random.Generator) -> I64:
        """Quote a ladder of levels on both sides; thicker further away."""
        n = self.levels
        away = np.cumsum(rng.geometric(0.6, size=(2, n)), axis=1) - 1
        sizes = rng.gamma(2.0, 0.5, size=(2, n)) * np.minimum(0.3 + 0.1 * np.arange(n), 3.0)
        lots = np.maximum((sizes * (self.depth * self.thinness / self.lot)).astype(np.int64), 1)
        middle = int(self.middle // self.tick)
        rows = np.empty((2 * n, 3), dtype=np.int64)
        rows[:n, 0], rows[n:, 0] = 1, -1
        rows[:n, 1] = (middle - away[0]) * self.tick
        rows[n:, 1] = (middle + 1 + away[1]) * self.tick
        rows[:, 2] = lots.reshape(-1) * self.lot
        return rows[rows[:, 1] > 0] if rows[n - 1, 1] <= 0 else rows

    def _prints(self, rng: np.random.Generator) -> list[tuple[int, int, int]]:
        """Trade at the best prices."""
        count = int(rng.poisson(PRINTS_A_SECOND * self.step_ms / 1_000))
        made = []
        for _ in range(min(count, 20)):
            side = 1 if rng.random() < 0.5 else -1
            size = float(rng.gamma(1.0, 0.05)) * self.depth * self.thinness
            made.append((0, max(int(size / self.lot), 1) * self.lot, side))
        return made

    def strike(self, event: str, size: float) -> None:
        """Let a scripted event happen.

        Parameters
        ----------
        event : str
            gap: the price jumps by `size` (a fraction); crash: it moves by it over 50 steps;
            thin: depth becomes `size` of the usual; still: nothing moves or trades; calm: as usual.
        """
        if event == "gap":
            self.middle = max(self.middle * (1 + size), 2.0 * self.tick)
            self.mark = self.middle
        elif event == "crash":
            self.drift, self.drift_steps = math.log1p(size) / CRASH_STEPS, CRASH_STEPS
        elif event == "thin":
            self.thinness = size
        elif event == "still":
            self.is_still = True
        elif event == "calm":
            self.thinness, self.drift_steps, self.is_still = 1.0, 0, False
        else:
            raise InputError(f"event was '{event}', expected one of {', '.join(EVENTS)}")


def backfill(
    tape: Tape, feed: SyntheticFeed, *, value_of_unit: int, now_ms: int, days: int
) -> None:
    """Fill a tape with the minutes before the market began, ending at its first price.

    Parameters
    ----------
    value_of_unit : int
        Value units of one quantity unit at one price unit (0 for inverse: turnover is volume).
    """
    count = days * DAY_MS // MINUTE_MS
    if count <= 0:
        return
    rng = np.random.Generator(np.random.Philox(key=feed.seed, counter=1))
    sigma = feed.volatility * math.sqrt(MINUTE_MS / YEAR_MS)
    moves = rng.standard_normal(count) * sigma
    closes = feed.middle * np.exp(moves - np.cumsum(moves[::-1])[::-1])
    closes = np.append(closes, feed.middle)[:count]
    opens = np.concatenate(([closes[0]], closes[:-1]))
    wicks = np.abs(rng.standard_normal((2, count))) * sigma / 2
    rows = np.zeros((count, CANDLE_COLS), dtype=np.int64)
    last = now_ms - now_ms % MINUTE_MS - MINUTE_MS
    rows[:, 0] = last - MINUTE_MS * np.arange(count - 1, -1, -1)
    tick = feed.tick
    rows[:, 1] = np.maximum(np.round(opens / tick), 1) * tick
    rows[:, 4] = np.maximum(np.round(closes / tick), 1) * tick
    high = np.maximum(opens, closes) * np.exp(wicks[0])
    low = np.minimum(opens, closes) * np.exp(-wicks[1])
    rows[:, 2] = np.maximum(np.round(high / tick) * tick, np.maximum(rows[:, 1], rows[:, 4]))
    rows[:, 3] = np.minimum(
        np.maximum(np.round(low / tick), 1) * tick, np.minimum(rows[:, 1], rows[:, 4])
    )
    sizes = rng.gamma(2.0, 0.05 * 60 * PRINTS_A_SECOND / 2, size=count) * feed.depth
    rows[:, 5] = np.maximum((sizes / feed.lot).astype(np.int64), 1) * feed.lot
    rows[:, 6] = rows[:, 5] * (rows[:, 4] if value_of_unit else 1)
    rows[:, 7:11] = rows[:, 1:5]
    rows[:, 11:15] = rows[:, 1:5]
    tape.fill_with(rows, is_past=True)
    tape.mark = tape.index = int(rows[-1, 4])

"""The market's side of the twin: steps of the feeds, funding, status, events by script."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from openalpha.core.clock import MINUTE_MS
from openalpha.market.tape import Tape
from openalpha.venue.kernel import book_market as event
from openalpha.venue.kernel.layout import I64
from openalpha.venue.twin.delisting import deliver
from openalpha.venue.twin.desk import follow
from openalpha.venue.twin.feed import Feed, Step
from openalpha.venue.twin.listings import Listing, Pool
from openalpha.venue.twin.recorded import Recording, TapeFeed
from openalpha.venue.twin.replay import BarFeed
from openalpha.venue.twin.settings import TwinSettings
from openalpha.venue.twin.state import State
from openalpha.venue.twin.synthetic import SyntheticFeed, backfill
from openalpha.venue.twin.tape import CANDLE_COLS, Print

__all__ = ["Market", "make_market"]

FUNDING_E12 = 100_000_000
"""0.01 % each interval: the interest part of the venue's formula."""

PREMIUM_CAP_E12 = 3_000_000_000


@dataclass(slots=True)
class Market:
    """The feeds of all markets and when each acts next."""

    feeds: dict[str, Feed]
    step_ms: int
    next_ms: int
    premiums: dict[str, list[float]] = field(default_factory=dict)

    def step(self, state: State) -> None:
        """Let all markets take the step that is due, then settle funding that is."""
        ts_ms = self.next_ms
        state.now_ms = max(state.now_ms, ts_ms)
        for pool in state.pools:
            self._step_pool(state, pool, ts_ms)
        self.next_ms = ts_ms + self.step_ms

    def _step_pool(self, state: State, pool: Pool, ts_ms: int) -> None:
        for listing in pool.listings:
            if listing.delivery_ms:
                deliver(state, listing, ts_ms=ts_ms)
            feed = self.feeds.get(listing.key)
            if feed is None or listing.status not in ("Trading", "PreLaunch"):
                continue
            step = feed.step(ts_ms)
            listing.version += 1
            pool.machine.replay(_quotes(listing, step, ts_ms))
            listing.tape.state_prices(ts_ms, mark=step.mark, index=step.index)
            for price, qty, side in step.prints:
                self._print(state, listing, ts_ms, trade=(price, qty, side))
            if feed.is_recorded:
                self._settle(state, listing, ts_ms, rate=step.funding)
            else:
                self._premium(listing, step)
        self._fund(state, pool, ts_ms)
        follow(state, pool)

    def _print(
        self, state: State, listing: Listing, ts_ms: int, *, trade: tuple[int, int, int]
    ) -> None:
        """Let the market trade with what stands in the book."""
        price, qty, side = trade
        machine = listing.pool.machine
        if price == 0:
            bid, ask = machine.best(listing.number)
            price = ask if side > 0 else bid
        if price == 0:
            return
        machine.on_trade(listing.number, ts_ms, price, qty, side)
        made = Print(state.next_id(), ts_ms, price, qty, side, state.next_seq())
        listing.tape.trade(made, listing.notional(qty, price))

    def _premium(self, listing: Listing, step: Step) -> None:
        """Follow the premium of the book over the index, whose mean sets the funding rate."""
        bid, ask = listing.pool.machine.best(listing.number)
        if listing.is_spot or not (bid and ask and step.index):
            return
        middle = (bid + ask) / 2
        sums = self.premiums.setdefault(listing.key, [0.0, 0.0])
        sums[0] += middle / step.index - 1.0
        sums[1] += 1.0
        mean = int(sums[0] / sums[1] * 1e12)
        inside = max(-500_000_000, min(500_000_000, FUNDING_E12 - mean))
        rate = max(-PREMIUM_CAP_E12, min(PREMIUM_CAP_E12, mean + inside))
        listing.funding_rate_e12 = rate - rate % 10_000

    def _fund(self, state: State, pool: Pool, ts_ms: int) -> None:
        """Settle funding where its stamp has come."""
        for listing in pool.listings:
            interval = listing.instrument.funding_interval_ms
            if listing.is_spot or not interval:
                continue
            feed = self.feeds.get(listing.key)
            if feed is not None and feed.is_recorded:
                continue
            if listing.next_funding_ms == 0:
                listing.next_funding_ms = (ts_ms // interval + 1) * interval
            if ts_ms < listing.next_funding_ms:
                continue
            self._settle(state, listing, ts_ms, rate=listing.funding_rate_e12)
            self.premiums.pop(listing.key, None)
            listing.next_funding_ms = (ts_ms // interval + 1) * interval

    def _settle(self, state: State, listing: Listing, ts_ms: int, *, rate: int | None) -> None:
        """Settle funding at a rate; without one there is nothing to settle."""
        interval = listing.instrument.funding_interval_ms
        if rate is None or listing.is_spot or not interval:
            return
        follow(state, listing.pool)
        listing.funding_rate_e12 = rate
        listing.pool.machine.on_funding(listing.number, ts_ms, rate)
        state.funding[listing.key].append((ts_ms, rate))
        listing.next_funding_ms = (ts_ms // interval + 1) * interval
        follow(state, listing.pool)


def _quotes(listing: Listing, step: Step, ts_ms: int) -> I64:
    """Return the kernel's events of a step's quotes and prices."""
    rows = np.zeros((len(step.levels) + 3, event.EVENT_COLS), dtype=np.int64)
    rows[:, event.V_TS], rows[:, event.V_INST] = ts_ms, listing.number
    rows[0, event.V_KIND] = event.SNAPSHOT_BEGIN
    rows[1:-2, event.V_KIND] = event.LEVEL
    rows[1:-2, event.V_SIDE :] = step.levels
    rows[-2, event.V_KIND] = event.SNAPSHOT_END
    rows[-1, event.V_KIND] = event.MARKS
    rows[-1, event.V_PRICE], rows[-1, event.V_QTY] = step.mark, step.index
    return rows


def make_market(
    state: State, now_ms: int, *, histories: Mapping[str, Recording] | None = None
) -> Market:
    """Give every market its feed, its past and its first quotes.

    Parameters
    ----------
    histories : mapping of market key to Recording, optional
        Markets that replay a recording instead of a synthetic walk.
    """
    settings = state.settings
    first = now_ms - now_ms % settings.step_ms + settings.step_ms
    feeds: dict[str, Feed] = {}
    # Markets of one coin move together: what separates them is their own grid.
    bases = list(dict.fromkeys(one.instrument.base for one in state.listings.values()))
    for listing in state.listings.values():
        recorded = (histories or {}).get(listing.key)
        if recorded is not None:
            feeds[listing.key] = _replayed(listing, recorded, settings, now_ms=now_ms)
            continue
        seed = settings.seed * 1_000 + bases.index(listing.instrument.base)
        feed = SyntheticFeed.of(
            listing, seed=seed, step_ms=settings.step_ms, levels=settings.levels
        )
        feeds[listing.key] = feed
        unit = 0 if listing.is_inverse else 1
        backfill(listing.tape, feed, value_of_unit=unit, now_ms=now_ms, days=settings.backfill_days)
        if not len(listing.tape.candles):
            listing.tape.begin(now_ms, round(feed.middle))
    market = Market(feeds, settings.step_ms, now_ms)
    for pool in state.pools:
        for listing in pool.listings:
            price = listing.tape.last
            pool.machine.on_trade(listing.number, now_ms, price, listing.lot, 1)
    market.step(state)
    market.next_ms = first
    return market


def _replayed(
    listing: Listing, recorded: Recording, settings: TwinSettings, *, now_ms: int
) -> Feed:
    """Return the feed of a recording; the bars before now are the market's past."""
    if isinstance(recorded, Tape):
        told = TapeFeed.of(listing, recorded, step_ms=settings.step_ms, levels=settings.levels)
        listing.tape.begin(now_ms, told.price_at(now_ms))
        return told
    feed = BarFeed.of(listing, recorded, step_ms=settings.step_ms, levels=settings.levels)
    past = int(np.searchsorted(feed.ts_ms + feed.timeframe_ms, now_ms, side="right"))
    if past and feed.timeframe_ms % MINUTE_MS == 0:
        rows = np.zeros((past, CANDLE_COLS), dtype=np.int64)
        rows[:, 0] = feed.ts_ms[:past]
        rows[:, 1:6] = feed.prices[:past]
        rows[:, 6] = feed.prices[:past, 4] * feed.prices[:past, 3]
        rows[:, 7:11] = rows[:, 11:15] = feed.prices[:past, :4]
        listing.tape.fill_with(rows, is_past=True)
    else:
        listing.tape.begin(now_ms, int(feed.prices[0, 0]))
    return feed

"""What can be wrong with one series, found by looking at it alone."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
import polars as pl
from numpy.typing import NDArray

from openalpha.core.clock import DAY_MS
from openalpha.core.units import from_units
from openalpha.market.blocks import Block
from openalpha.market.series import SeriesKey, SeriesKind

__all__ = ["SeriesCheck", "TickChange", "check_series", "gaps_between", "spans_of"]

_EARLIEST_MS = 1_230_940_800_000
"""2009-01-03, the first day anything here was traded."""

_STALE_BARS = 10
_CHUNK_BARS = 200
_GRID_STEPS = (2, 5, 10, 20, 50, 100)
_STRAY = 0.02
_WINDOW = 101
_RETURNED = 0.25
_LEAST_SPIKE = 0.02


@dataclass(frozen=True, slots=True)
class TickChange:
    """From this bar on the prices lie on another grid."""

    ts_ms: int
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class SeriesCheck:
    """What was found in one series; a span is [from_ms, to_ms).

    Parameters
    ----------
    key : SeriesKey
    bars : int
        Rows.
    missing_bars : int
        Bars lacking between the first and the last.
    gaps : tuple of (from_ms, to_ms)
    duplicates, off_grid, ohlc_violations, zero_volume, spikes, clock_faults : tuple of int
        Stamps of the rows concerned. Off grid: not on the time frame's grid. A spike leaps and
        comes back within a bar or two. A clock fault lies in the future or before 2009.
    stale_tail : int
        How many last bars repeat one price with no volume; 0 below ten.
    tick_changes : tuple of TickChange
    """

    key: SeriesKey
    bars: int
    missing_bars: int = 0
    gaps: tuple[tuple[int, int], ...] = ()
    duplicates: tuple[int, ...] = ()
    off_grid: tuple[int, ...] = ()
    ohlc_violations: tuple[int, ...] = ()
    zero_volume: tuple[int, ...] = ()
    spikes: tuple[int, ...] = ()
    clock_faults: tuple[int, ...] = ()
    stale_tail: int = 0
    tick_changes: tuple[TickChange, ...] = ()


def check_series(
    key: SeriesKey, block: Block, *, now_ms: int, spike_factor: float = 25.0
) -> SeriesCheck:
    """Look at one series alone.

    Parameters
    ----------
    key : SeriesKey
        Of bars, mark, index or funding; other kinds are only counted.
    block : Block
        Its rows in stored order.
    now_ms : int
        Stamps beyond it are clock faults.
    spike_factor : float
        How many typical ranges (median of 101 bars) a spike leaps at least.

    Returns
    -------
    SeriesCheck
        All empty for an empty series.
    """
    frame = block.frame
    rows = frame.height
    if rows == 0 or not key.kind.is_keyed or key.kind is SeriesKind.OPEN_INTEREST:
        return SeriesCheck(key, rows)
    stamps = frame["ts"].to_numpy()
    ts_ms = np.sort(stamps)
    wild = (ts_ms > now_ms) | (ts_ms < _EARLIEST_MS)
    found = SeriesCheck(
        key,
        rows,
        duplicates=_stamps(ts_ms[1:][np.diff(ts_ms) == 0]),
        clock_faults=_stamps(ts_ms[wild]),
    )
    step_ms = key.timeframe_ms
    if not step_ms:
        return found
    offset = int(np.bincount((ts_ms % step_ms) // 1000).argmax()) * 1000 if step_ms > DAY_MS else 0
    off_grid = (ts_ms - offset) % step_ms != 0
    gaps = gaps_between(np.unique(ts_ms[~off_grid & ~wild]), step_ms)
    found = replace(
        found,
        gaps=gaps,
        missing_bars=sum((end - start) // step_ms for start, end in gaps),
        off_grid=_stamps(ts_ms[off_grid]),
    )
    if key.kind is SeriesKind.QUOTE_BARS:
        return found
    prices = frame.select("open", "high", "low", "close").to_numpy()
    broken = _broken(prices)
    volume = frame["volume"].to_numpy() if key.kind is SeriesKind.BARS else None
    return replace(
        found,
        ohlc_violations=_stamps(stamps[broken]),
        zero_volume=() if volume is None else _stamps(stamps[volume == 0]),
        spikes=_stamps(stamps[_spikes(prices, spike_factor) & ~broken]),
        stale_tail=_stale_tail(prices, volume),
        tick_changes=_tick_changes(stamps, prices, block.price_decimals),
    )


def gaps_between(ts_ms: NDArray[np.int64], step_ms: int) -> tuple[tuple[int, int], ...]:
    """Return the spans [from_ms, to_ms) in which bars lack between increasing stamps.

    Examples
    --------
    >>> gaps_between(np.array([0, 10, 40]), 10)
    ((20, 40),)
    """
    holes = np.flatnonzero(np.diff(ts_ms) > step_ms)
    return tuple((int(ts_ms[i]) + step_ms, int(ts_ms[i + 1])) for i in holes)


def spans_of(
    stamps: Sequence[int], step_ms: int, *, bridge_ms: int = 0
) -> tuple[tuple[int, int], ...]:
    """Join stamps at most `bridge_ms` apart (beyond one step) into spans [from_ms, to_ms).

    Examples
    --------
    >>> spans_of([0, 10, 50], 10)
    ((0, 20), (50, 60))
    """
    spans: list[tuple[int, int]] = []
    for stamp in stamps:
        if spans and stamp - spans[-1][1] <= bridge_ms:
            spans[-1] = (spans[-1][0], stamp + step_ms)
        else:
            spans.append((stamp, stamp + step_ms))
    return tuple(spans)


def _stamps(values: NDArray[np.int64]) -> tuple[int, ...]:
    return tuple(int(value) for value in values)


def _broken(prices: NDArray[np.int64]) -> NDArray[np.bool_]:
    o, h, low, c = prices.T
    wrong: NDArray[np.bool_] = (
        (h < o) | (h < c) | (h < low) | (low > o) | (low > c) | (prices <= 0).any(axis=1)
    )
    return wrong


def _spikes(prices: NDArray[np.int64], factor: float) -> NDArray[np.bool_]:
    """Bars whose extreme lies far outside both neighbours while the price comes back at once."""
    n = len(prices)
    found = np.zeros(n, dtype=bool)
    if n < 5:
        return found
    h, low, c = prices[:, 1:].T.astype(np.float64)
    span = np.maximum(h - low, np.abs(np.diff(c, prepend=c[0])))
    typical = pl.Series(span).rolling_median(_WINDOW, min_samples=1, center=True).to_numpy()
    scale = np.maximum(factor * typical[1:-1], _LEAST_SPIKE * c[:-2])
    before, after = c[:-2], c[2:]
    up = h[1:-1] - np.maximum(h[:-2], h[2:])
    down = np.minimum(low[:-2], low[2:]) - low[1:-1]
    leap = np.maximum(up, down)
    found[1:-1] = (leap > scale) & (np.abs(after - before) < _RETURNED * leap)
    return found


def _stale_tail(prices: NDArray[np.int64], volume: NDArray[np.int64] | None) -> int:
    last = prices[-1, 3]
    moved = (prices != last).any(axis=1)
    if volume is not None:
        moved |= volume > 0
    active = np.flatnonzero(moved)
    length = len(prices) - (int(active[-1]) + 1 if len(active) else 0)
    return length if length >= _STALE_BARS else 0


def _tick_changes(
    ts_ms: NDArray[np.int64], prices: NDArray[np.int64], decimals: int
) -> tuple[TickChange, ...]:
    starts = np.arange(0, max(len(prices) - _CHUNK_BARS, 0) + 1, _CHUNK_BARS)
    if len(starts) < 2:
        return ()
    # The last chunk takes the rest: a short one could show a coarser grid by chance.
    grids = _grids(prices, starts)
    known = [place for place in range(len(starts)) if grids[place]]
    changes = []
    current = grids[known[0]] if known else 0
    for place, following in pairwise([*known, -1]):
        level = grids[place]
        # One chunk alone may lie on a coarser grid by chance.
        lasts = following == -1 or grids[following] == level
        if level == current or not lasts:
            continue
        # The chunk before the first one that shows the new grid may hold the change.
        first = max(int(starts[place]) - _CHUNK_BARS, 0)
        row = _boundary(prices, first, int(starts[place]) + _CHUNK_BARS, (current, level))
        old, new = (from_units(units, decimals).normalize() for units in (current, level))
        changes.append(TickChange(int(ts_ms[row]), f"{old:f}", f"{new:f}"))
        current = level
    return tuple(changes)


def _grids(prices: NDArray[np.int64], starts: NDArray[np.int64]) -> list[int]:
    """Coarsest grid of each chunk that all but a few bars lie on; 0 where prices hardly move."""
    base = int(np.gcd.reduce(prices, axis=None))
    counts = np.diff(np.append(starts, len(prices)))
    moves = np.maximum.reduceat(prices[:, 1], starts) - np.minimum.reduceat(prices[:, 2], starts)
    grids = np.full(len(starts), base)
    for times in _GRID_STEPS:
        off = np.add.reduceat((prices % (base * times) != 0).any(axis=1), starts, dtype=np.int64)
        grids[off <= _STRAY * counts] = base * times
    grids[moves <= 20 * grids] = 0
    return [int(grid) for grid in grids]


def _boundary(prices: NDArray[np.int64], start: int, stop: int, levels: tuple[int, int]) -> int:
    """Row that best divides a stretch into bars off the coarser grid and bars on it."""
    before, after = levels
    off = (prices[start:stop] % max(before, after) != 0).any(axis=1)
    balance = np.cumsum(off - 0.5)
    edge = int(balance.argmax() if after > before else balance.argmin()) + 1
    return min(start + edge, len(prices) - 1)

"""The benchmark's market: seeded 1m bars with heavy tails and no drift, kept as plain arrays."""

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "FIRST_MS", "MINUTE_MS", "PRICE_DECIMALS", "QTY_DECIMALS", "Market", "load", "make", "save",
]  # fmt: skip

FIRST_MS = 1_672_531_200_000
MINUTE_MS = 60_000
PRICE_DECIMALS = 4
"""Fine enough that two averages are practically never equal: engines differ in what a tie means."""
QTY_DECIMALS = 8

_SIGMA = 0.0006
_YEAR_BARS = 525_600
_NAMES = ("open", "high", "low", "close", "volume")

Floats = NDArray[np.float64]


class Market(NamedTuple):
    """Columns of one instrument, float64[n], bars of one minute from `FIRST_MS` on."""

    open: Floats
    high: Floats
    low: Floats
    close: Floats
    volume: Floats


def make(bars: int, *, seed: int, has_gaps: bool = True) -> Market:
    """Make a market.

    Parameters
    ----------
    bars : int
    seed : int
    has_gaps : bool
        Whether a bar opens a little off the close before it. Without gaps a fill at the deciding
        close and one at the next open cost the same, as event engines that fill at once need.
    """
    rng = np.random.default_rng(seed)
    log = rng.standard_t(4, bars)
    log *= _SIGMA / np.sqrt(2.0)
    for start in range(0, bars, _YEAR_BARS):  # no drift: every year ends where it began
        year = log[start : start + _YEAR_BARS]
        np.cumsum(year, out=year)
        year -= np.linspace(0.0, year[-1], len(year) + 1)[1:]
    close = np.round(3000.0 * np.exp(log), PRICE_DECIMALS)
    del log
    opened = np.concatenate((close[:1], close[:-1]))
    if has_gaps:
        opened = np.round(opened * (1.0 + 0.00002 * rng.standard_normal(bars)), PRICE_DECIMALS)
    top = np.maximum(opened, close)
    high = np.round(top * (1.0 + 0.0002 * rng.standard_exponential(bars)), PRICE_DECIMALS)
    del top
    floor = np.minimum(opened, close)
    low = np.round(floor * (1.0 - 0.0002 * rng.standard_exponential(bars)), PRICE_DECIMALS)
    del floor
    volume = np.round(500.0 * rng.lognormal(0.0, 1.0, bars), 3)
    return Market(opened, high, low, close, volume)


def save(market: Market, folder: Path) -> None:
    """Write a market's columns into a folder, one .npy file each."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, column in zip(_NAMES, market, strict=True):
        np.save(folder / f"{name}.npy", column)


def load(folder: Path, bars: int | None = None) -> Market:
    """Read the first `bars` rows of a market (all of them without a number)."""
    columns: list[Any] = [np.load(folder / f"{name}.npy")[:bars] for name in _NAMES]
    return Market(*columns)

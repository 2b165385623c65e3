"""From shocks to bars: one path inside every bar, then ticks and lots."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Path", "Shape", "calmed", "merged", "on_ticks", "path_of", "shifted", "volumes"]

_LARGEST_STEP = 0.4
_WICK_KEPT = 0.6
_USUAL_RANGE = 1.5


@dataclass(frozen=True, slots=True)
class Shape:
    """How a market is cut into steps: bars an hour, steps a bar."""

    n_hours: int
    bars_an_hour: int
    steps_a_bar: int

    @property
    def n_bars(self) -> int:
        """Bars generated (before any merging into longer ones)."""
        return self.n_hours * self.bars_an_hour

    @property
    def steps_an_hour(self) -> int:
        """Steps an hour."""
        return self.bars_an_hour * self.steps_a_bar


@dataclass(frozen=True, slots=True)
class Path:
    """Open, high, low, close of every bar as floats."""

    open: NDArray[np.float64]
    high: NDArray[np.float64]
    low: NDArray[np.float64]
    close: NDArray[np.float64]


def path_of(
    shocks: NDArray[np.float64],
    shape: Shape,
    *,
    price: float,
    sigma: NDArray[np.float64],
    drift: NDArray[np.float64],
    gaps: NDArray[np.float64],
) -> Path:
    """Walk the price through all steps and read off the bars.

    Simple returns of mean zero are multiplied up, so without drift the price is exactly a
    martingale. A gap lies between a bar's close and the next open: what funding takes from a
    position held across a stamp comes back there, and nothing comes to one opened after it.

    Parameters
    ----------
    shocks : float64[n_bars, steps_a_bar]
        Unit variance; overwritten.
    price : float
        First open.
    sigma, drift : float64[n_hours]
        Volatility and expected return of each hour, fractions.
    gaps : float64[n_hours]
        Return between the hour before and this one.
    """
    returns: NDArray[np.float64] = shocks.reshape(shape.n_hours, shape.steps_an_hour)
    returns *= (sigma / shape.steps_an_hour**0.5)[:, None]
    np.clip(returns, -_LARGEST_STEP, _LARGEST_STEP, out=returns)
    returns += (drift / shape.steps_an_hour)[:, None]
    returns += 1.0
    returns[:, 0] *= 1.0 + gaps
    returns[0, 0] *= price
    walked = np.empty((shape.n_bars, shape.steps_a_bar))
    np.cumprod(returns.reshape(-1), out=walked.reshape(-1))
    close, opening = walked[:, -1].copy(), np.empty(shape.n_bars)
    opening[0] = price
    opening[1:] = close[:-1]
    opening[:: shape.bars_an_hour] *= 1.0 + gaps
    high: NDArray[np.float64] = np.maximum(opening, walked.max(axis=1))
    low: NDArray[np.float64] = np.minimum(opening, walked.min(axis=1))
    return Path(opening, high, low, close)


def shifted(path: Path, basis: NDArray[np.float64]) -> Path:
    """Return the underlying's path: the perpetual's without its basis.

    Parameters
    ----------
    basis : float64[n_bars + 1]
        At each bar's beginning, and at the end.
    """
    first, last = 1.0 + basis[:-1], 1.0 + basis[1:]
    opening, close = path.open / first, path.close / last
    middle = (first + last) / 2
    return Path(
        opening,
        np.maximum(path.high / middle, np.maximum(opening, close)),
        np.minimum(path.low / middle, np.minimum(opening, close)),
        close,
    )


def calmed(path: Path) -> Path:
    """Return a mark (or index) price: opens and closes of the path, calmer in its extremes."""
    top, bottom = np.maximum(path.open, path.close), np.minimum(path.open, path.close)
    return Path(
        path.open,
        top + _WICK_KEPT * (path.high - top),
        bottom - _WICK_KEPT * (bottom - path.low),
        path.close,
    )


def merged(path: Path, n: int) -> Path:
    """Join every n bars into one."""
    if n == 1:
        return path
    return Path(
        path.open[::n].copy(),
        path.high.reshape(-1, n).max(axis=1),
        path.low.reshape(-1, n).min(axis=1),
        path.close[n - 1 :: n].copy(),
    )


def on_ticks(path: Path, *, tick_size: float, tick_units: int) -> NDArray[np.int64]:
    """Return open, high, low, close rounded to ticks (at least one), in price units.

    Returns
    -------
    int64[n, 4]
        Rounding keeps order, so every high stays at or above its bar.
    """
    units = np.empty((len(path.open), 4), dtype=np.int64)
    for place, values in enumerate((path.open, path.high, path.low, path.close)):
        units[:, place] = np.maximum(np.rint(values / tick_size), 1.0)
    units *= tick_units
    return units


def volumes(
    path: Path,
    noise: NDArray[np.float64],
    *,
    sigma: NDArray[np.float64],
    bar_turnover: float,
    lot_size: float,
) -> NDArray[np.int64]:
    """Return each bar's traded lots, more where volatility is high and the bar moved far.

    Parameters
    ----------
    noise : float64[n]
        Standard normals; overwritten.
    sigma : float64[n]
        Volatility expected of each bar, a fraction.
    bar_turnover : float
        Usual turnover of a bar, quote currency.

    Returns
    -------
    int64[n]
        In lots, at least 1.
    """
    moved = (path.high - path.low) / path.open / (_USUAL_RANGE * sigma)
    activity = sigma / float(np.mean(sigma)) * (0.35 + 0.65 * moved)
    noise *= 0.45
    activity *= noise + np.sqrt(1.0 + noise * noise)
    lots = np.rint(activity * (bar_turnover / lot_size) / path.close)
    return np.maximum(lots, 1.0).astype(np.int64)

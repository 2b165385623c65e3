"""Shuffled paths of an account: its round trips drawn again, its days in blocks."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from openalpha.research.daily import DAYS_A_YEAR

__all__ = [
    "BANDS", "Paths", "block_paths", "deepest_bands", "drawdown_bands", "interval",
    "stationary_rows", "trade_paths",
]  # fmt: skip

Floats = NDArray[np.float64]

BANDS = (0.05, 0.25, 0.5, 0.75, 0.95)
DRAWDOWNS = (0.1, 0.2, 0.3, 0.5)
_POINTS = 200
_AT_ONCE = 4_000_000  # numbers
_NEAR = 32_768  # what stays in a core's own cache


@dataclass(frozen=True, slots=True, eq=False)
class Paths:
    """Many paths of an account that began with one unit of money.

    Parameters
    ----------
    kind : str
        `trades` or `days`.
    steps : int64[m]
        Steps (round trips or days) at which the bands stand.
    bands : float64[m, 5]
        Equity at the shares of `BANDS`.
    final, drawdown, sharpe : float64[paths]
        Equity at the end, deepest fall from a high, yearly Sharpe ratio (NaN for trades).
    ruin : float
        Share of equity that counts as ruin.
    ruined : float64[paths]
        1 where the path fell to it, at any step.
    """

    kind: str
    steps: NDArray[np.int64]
    bands: Floats
    final: Floats
    drawdown: Floats
    sharpe: Floats
    ruin: float
    ruined: Floats

    def summary(self) -> dict[str, Any]:
        """Return probabilities and intervals as JSON can hold them."""
        found: dict[str, Any] = {
            "paths": len(self.final),
            "probability_of_loss": float((self.final < 1).mean()),
            "probability_of_ruin": float(self.ruined.mean()),
            "ruin_equity": self.ruin,
            "drawdown_beyond": {
                f"{depth:.0%}": float((self.drawdown > depth).mean()) for depth in DRAWDOWNS
            },
            "total_return": interval(self.final - 1),
            "max_drawdown": interval(self.drawdown),
        }
        if self.kind == "days":
            found["sharpe"] = interval(self.sharpe)
        return found


def trade_paths(shares: Floats, *, paths: int = 10_000, seed: int = 1, ruin: float = 0.5) -> Paths:
    """Draw round trips with replacement, each on what the ones before left.

    Parameters
    ----------
    shares : float64[k]
        Net profit of each round trip over the equity before it.
    paths, seed : int
    ruin : float
        Share of the starting equity at which a path counts as ruined.

    Examples
    --------
    >>> made = trade_paths(np.array([0.02, -0.01]), paths=1000)
    >>> bool(abs(np.median(made.final) - 1.01) < 0.02)
    True
    """
    logs = np.log1p(np.maximum(shares, -1 + 1e-12))
    rng = np.random.default_rng([seed, 1])

    def draw(count: int) -> Floats:
        return logs[rng.integers(0, len(logs), (count, len(logs)), dtype=np.int32)]

    return _followed("trades", draw, len(logs), paths, ruin)


def block_paths(
    returns: Floats, *, paths: int = 10_000, seed: int = 1, block: float = 10.0, ruin: float = 0.5
) -> Paths:
    """Put days together again in blocks of random length (stationary bootstrap).

    Parameters
    ----------
    returns : float64[k]
        Daily simple returns.
    block : float
        Mean length of a block, days: what hangs together within it stays together.
    """
    logs = np.log1p(np.maximum(returns, -1 + 1e-12))
    rng = np.random.default_rng([seed, 2])
    days = len(logs)

    def draw(count: int) -> Floats:
        return logs[stationary_rows(rng, days, count=count, block=block)]

    return _followed("days", draw, days, paths, ruin)


def stationary_rows(
    rng: np.random.Generator, length: int, *, count: int, block: float
) -> NDArray[np.int64]:
    """Return rows of a stationary bootstrap, int64[count, length]; blocks wrap around the end."""
    rows = _unwrapped(rng, length, count=count, block=block)
    rows[rows >= length] -= length
    return rows


def _unwrapped(
    rng: np.random.Generator, length: int, *, count: int, block: float
) -> NDArray[np.int64]:
    """Return the rows before blocks that pass the end wrap around: below twice the length."""
    starts = rng.integers(0, length, (count, length))
    is_new = rng.random((count, length)) < 1.0 / block
    is_new[:, 0] = True
    begun = np.flatnonzero(is_new)
    # Within a block row and place go up together: their distance is that of its first.
    rows = np.repeat(starts.ravel()[begun] - begun, np.diff(begun, append=count * length))
    rows += np.arange(count * length)
    return rows.reshape(count, length)


def _followed(
    kind: str, draw: Callable[[int], Floats], length: int, paths: int, ruin: float
) -> Paths:
    steps = np.unique(np.linspace(1, length, min(length, _POINTS)).astype(np.int64))
    kept = np.empty((paths, len(steps)))
    drawdown, sharpe = np.empty(paths), np.full(paths, math.nan)
    ruined, done = np.empty(paths), 0
    while done < paths:
        count = min(paths - done, max(1, _AT_ONCE // length))
        logs = draw(count)
        part = slice(done, done + count)
        if kind == "days":
            simple = np.expm1(logs)
            spread = simple.std(axis=1, ddof=1) if length > 1 else np.zeros(count)
            with np.errstate(all="ignore"):
                ratio = simple.mean(axis=1) / spread * math.sqrt(DAYS_A_YEAR)
            sharpe[part] = np.where(spread > 1e-12, ratio, math.nan)
        curve = np.cumsum(logs, axis=1, out=logs)
        kept[part] = curve[:, steps - 1]
        ruined[part] = curve.min(axis=1) <= math.log(ruin)
        peaks = np.maximum(np.maximum.accumulate(curve, axis=1), 0.0)
        drawdown[part] = -np.expm1((curve - peaks).min(axis=1).clip(max=0.0))
        done += count
    equity = np.exp(kept)
    bands = np.quantile(equity, BANDS, axis=0).T
    return Paths(kind, steps, bands, equity[:, -1].copy(), drawdown, sharpe, ruin, ruined)


def drawdown_bands(
    returns: Floats,
    *,
    levels: tuple[float, ...] = (0.5, 0.95),
    paths: int = 500,
    block: float = 10.0,
    seed: int = 1,
) -> Floats:
    """Return how deep an account with such days falls, day by day from its start.

    The days are put together again in blocks (stationary bootstrap); of each path the deepest fall
    so far is kept. A live account below the last band does worse than nearly all of them: then the
    days it was chosen by are no longer the days it has.

    Parameters
    ----------
    returns : float64[k]
        Daily simple returns.
    levels : tuple of float
        Shares of the paths that stay within a band.
    paths, seed : int
    block : float
        Mean length of a block, days.

    Returns
    -------
    float64[k, len(levels)]
        Drawdowns in [0, 1], never falling from day to day.

    Examples
    --------
    >>> found = drawdown_bands(np.array([0.01, -0.02, 0.01, 0.0]), paths=200)
    >>> found.shape, bool((found[:, 0] <= found[:, 1]).all())
    ((4, 2), True)
    """
    parts = (
        np.minimum.accumulate(part, axis=1)
        for part in _falls(returns, paths=paths, block=block, seed=seed)
    )
    return np.asarray(np.quantile(-np.expm1(np.concatenate([*parts])), levels, axis=0).T)


def deepest_bands(
    returns: Floats,
    *,
    levels: tuple[float, ...] = (0.5, 0.95),
    paths: int = 500,
    block: float = 10.0,
    seed: int = 1,
) -> Floats:
    """Return the last row of `drawdown_bands`, float64[len(levels)], in half its time.

    Examples
    --------
    >>> days = np.array([0.01, -0.02, 0.01, 0.0])
    >>> bool((deepest_bands(days) == drawdown_bands(days)[-1]).all())
    True
    """
    falls = [part.min(axis=1) for part in _falls(returns, paths=paths, block=block, seed=seed)]
    return np.asarray(np.quantile(-np.expm1(np.concatenate(falls)), levels))


def _falls(returns: Floats, *, paths: int, block: float, seed: int) -> Iterator[Floats]:
    """Yield how far some paths are below their highest point so far: logarithms, 0 or less."""
    logs = np.log1p(np.maximum(returns, -1 + 1e-12))
    rows = _unwrapped(np.random.default_rng([seed, 3]), len(logs), count=paths, block=block)
    twice = np.concatenate([logs, logs])
    few = max(1, _NEAR // max(1, len(logs)))
    for start in range(0, paths, few):
        curve = np.cumsum(twice[rows[start : start + few]], axis=1)
        peaks = np.maximum(np.maximum.accumulate(curve, axis=1), 0.0)
        yield np.minimum(np.subtract(curve, peaks, out=curve), 0.0, out=curve)


def interval(values: Floats) -> dict[str, float]:
    """Return where nine of ten values lie, and the one in the middle; NaN where none is known."""
    known = values[np.isfinite(values)]
    if not len(known):
        return dict.fromkeys(("low", "median", "high"), math.nan)
    low, median, high = np.quantile(known, [0.05, 0.5, 0.95])
    return {"low": float(low), "median": float(median), "high": float(high)}

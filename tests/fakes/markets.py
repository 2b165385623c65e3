"""Seeded markets whose truth is known: pure noise, and noise with an edge planted in it."""

from decimal import Decimal

import numpy as np

from openalpha.core.clock import HOUR_MS
from openalpha.market.history import History
from tests.fakes.small_market import START_MS, linear, spot


def noise(
    bars: int,
    *,
    seed: int = 1,
    sigma: float = 0.01,
    symbol: str = "BTCUSDT",
    spot: bool = False,
    funding: bool = False,
) -> History:
    """Hourly bars whose returns are independent of everything before."""
    moves = np.random.default_rng(seed).standard_normal(bars) * sigma
    return _history(moves, seed=seed, sigma=sigma, symbol=symbol, is_spot=spot, has_funding=funding)


def planted(bars: int, *, seed: int = 1, sigma: float = 0.01, share: float = 0.12) -> History:
    """The same with a slow drift that turns round about every two hundred bars."""
    rng = np.random.default_rng(seed)
    turns = np.cumsum(rng.random(bars) < 1 / 200) % 2
    drift = np.where(turns == 0, share, -share) * sigma
    moves = rng.standard_normal(bars) * sigma + drift
    return _history(moves, seed=seed, sigma=sigma, symbol="BTCUSDT", is_spot=False)


def _history(
    moves: np.ndarray,
    *,
    seed: int,
    sigma: float,
    symbol: str,
    is_spot: bool,
    has_funding: bool = False,
) -> History:
    rng = np.random.default_rng(seed + 1_000)
    n = len(moves)
    close = 20_000.0 * np.exp(np.cumsum(moves))
    opened = np.concatenate(([20_000.0], close[:-1]))
    high = np.maximum(opened, close) * (1 + 0.3 * sigma * rng.random(n))
    low = np.minimum(opened, close) * (1 - 0.3 * sigma * rng.random(n))
    volume = 50.0 + 100.0 * rng.random(n)
    columns = [np.rint(one * 10) for one in (opened, high, low, close)] + [np.rint(volume * 1_000)]
    ts = START_MS + HOUR_MS * np.arange(n, dtype=np.int64)
    due = ts[ts % (8 * HOUR_MS) == 0]
    rates = np.full(len(due), int(Decimal("0.0001") * 10**12), dtype=np.int64)
    make = spot if is_spot else linear
    return History.of(
        make(symbol),
        HOUR_MS,
        ts_ms=ts,
        bars=np.stack(columns, axis=1).astype(np.int64),
        funding=(due, rates) if has_funding else (due[:0], rates[:0]),
    )

"""A small seeded market, for checking a strategy where no history is at hand. Not for backtests."""

import numpy as np

from openalpha.core.clock import HOUR_MS
from openalpha.strategy.bars import Bars, FloatArray

__all__ = ["specimen_bars"]

_FUNDING_MS = 8 * HOUR_MS
_START_MS = 1_704_067_200_000  # 2024-01-01, a Monday
_DECIMALS = 4


def specimen_bars(
    rows: int, *, seed: int = 0, timeframe_ms: int = HOUR_MS, instrument_id: str = "specimen:AAA"
) -> Bars:
    """Return bars of a random walk with fat tails, volume, a mark price and funding every 8 h.

    Swings of all lengths are in it, so that thresholds are crossed and signals change often.

    Parameters
    ----------
    rows : int
        Number of bars.
    seed : int
        The same seed gives the same bars.
    timeframe_ms : int
        Length of a bar.

    Examples
    --------
    >>> bars = specimen_bars(100)
    >>> len(bars), bool((bars.high >= bars.close).all())
    (100, True)
    """
    rng = np.random.default_rng(seed)
    spread = 0.01 * np.exp(0.5 * np.sin(np.arange(rows) / 97))
    close = _on_grid(100 * np.exp(np.cumsum(rng.standard_t(4, rows) * spread)))
    open_ = np.concatenate([[100.0], close[:-1]])[:rows]
    wick = np.abs(rng.normal(0, 0.005, (2, rows)))
    ts_ms = _START_MS + np.arange(rows) * timeframe_ms
    settles = ts_ms % _FUNDING_MS < timeframe_ms
    return Bars.from_columns(
        {
            "open": open_,
            "high": np.maximum(_on_grid(np.maximum(open_, close) * (1 + wick[0])), close),
            "low": np.minimum(_on_grid(np.minimum(open_, close) * (1 - wick[1])), close),
            "close": close,
            "volume": np.round(rng.lognormal(3, 1, rows), 3),
            "funding_rate": np.where(settles, rng.normal(1e-4, 3e-4, rows), np.nan),
            "mark_close": _on_grid(close * (1 + rng.normal(0, 1e-4, rows))),
        },
        timeframe_ms=timeframe_ms,
        ts_ms=ts_ms,
        instrument_id=instrument_id,
        price_decimals=_DECIMALS,
    )


def _on_grid(prices: FloatArray) -> FloatArray:
    grid: FloatArray = np.maximum(np.round(prices, _DECIMALS), 10.0**-_DECIMALS)
    return grid

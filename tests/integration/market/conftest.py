"""Small made-up series for the tests of the lake."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from openalpha.core.clock import HOUR_MS, parse_ms
from openalpha.market.blocks import Block
from openalpha.market.lake import Lake
from openalpha.market.series import SeriesKey, SeriesKind

START = parse_ms("2024-01-01")


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    """Return an empty lake."""
    return Lake(tmp_path / "home")


@pytest.fixture
def hourly() -> SeriesKey:
    """Return the key of hourly bars."""
    return SeriesKey("bybit_linear", "BTCUSDT", SeriesKind.BARS, "1h")


@pytest.fixture
def walk() -> Callable[..., Block]:
    """Return a maker of random-walk bars: `walk(hours, start=…, seed=…, decimals=…)`."""

    def make(
        hours: int, *, start: int = START, seed: int = 1, decimals: int = 1, step: int = HOUR_MS
    ) -> Block:
        rng = np.random.default_rng(seed)
        close = 400_000 + np.cumsum(rng.integers(-500, 501, hours))
        opened = np.concatenate(([400_000], close[:-1]))
        high = np.maximum(opened, close) + rng.integers(1, 300, hours)
        low = np.minimum(opened, close) - rng.integers(1, 300, hours)
        frame = pl.DataFrame(
            {
                "ts": start + step * np.arange(hours),
                "open": opened,
                "high": high,
                "low": low,
                "close": close,
                "volume": rng.integers(1_000, 100_000, hours),
            }
        )
        return Block(frame, decimals, 3)

    return make

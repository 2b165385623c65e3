"""Rates from the lake's spot markets: straight, the other way round, over a coin in between."""

from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest

from openalpha.books.lake_rates import LakeRates
from openalpha.books.rates import Rate
from openalpha.core.clock import DAY_MS, HOUR_MS
from openalpha.market.blocks import Block
from openalpha.market.lake import Lake
from openalpha.market.series import series_key

START_MS = 1_704_067_200_000


def put(lake: Lake, instrument: str, *closes: int, timeframe: str = "1h") -> None:
    """Write bars of an hour each, prices in cents."""
    rows = [
        {"ts": START_MS + n * HOUR_MS, **dict.fromkeys(("open", "high", "low", "close"), c)}
        for n, c in enumerate(closes)
    ]
    frame = pl.DataFrame(rows).with_columns(volume=pl.lit(1, pl.Int64))
    lake.merge(series_key(instrument, "bars", timeframe=timeframe), Block(frame, 2, 0), source="t")


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    found = Lake(tmp_path)
    put(found, "bybit_spot:BTCUSDT", 4_000_000, 4_100_000)
    put(found, "synthetic_spot:USDTAUD", 150, 152)
    put(found, "bybit_linear:ETHAUD", 1, 1)
    return found


def test_a_close_is_known_when_its_bar_has_closed(lake: Lake) -> None:
    rates = LakeRates(lake)
    source = "SYNTHETIC close of synthetic_spot:USDTAUD 1h"
    assert rates.rate("USDT", "AUD", ts_ms=START_MS + HOUR_MS - 1) is None
    first = Rate(Decimal("1.50"), source, START_MS + HOUR_MS)
    assert rates.rate("USDT", "AUD", ts_ms=START_MS + HOUR_MS) == first
    assert rates.rate("USDT", "AUD", ts_ms=START_MS + 2 * HOUR_MS - 1) == first
    last = Rate(Decimal("1.52"), source, START_MS + 2 * HOUR_MS)
    assert rates.rate("USDT", "AUD", ts_ms=START_MS + 2 * HOUR_MS + 5 * DAY_MS) == last
    assert rates.rate("USDT", "AUD", ts_ms=START_MS + 2 * HOUR_MS + 5 * DAY_MS + 1) is None


def test_the_other_way_round_and_over_a_coin(lake: Lake) -> None:
    rates = LakeRates(lake)
    at_ms = START_MS + HOUR_MS
    back = rates.rate("AUD", "USDT", ts_ms=at_ms)
    assert back is not None
    assert back.rate == Decimal("0.666666666666666667")
    over = rates.rate("BTC", "AUD", ts_ms=at_ms)
    assert over is not None
    assert over.rate == 60_000
    assert over.source == (
        "close of bybit_spot:BTCUSDT 1h × SYNTHETIC close of synthetic_spot:USDTAUD 1h"
    )


@pytest.mark.parametrize("coin", ["ETH", "USDC", "USD"])
def test_a_perpetual_says_no_rate_and_no_coin_stands_for_another(lake: Lake, coin: str) -> None:
    assert LakeRates(lake).rate(coin, "AUD", ts_ms=START_MS + HOUR_MS) is None


def test_an_empty_lake_knows_nothing(tmp_path: Path) -> None:
    assert LakeRates(Lake(tmp_path)).rate("USDT", "AUD", ts_ms=START_MS) is None

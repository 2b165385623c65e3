"""The first runs on recorded markets: what must be true of them whatever they earn."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from openalpha.api import BacktestResult, backtest
from openalpha.core.clock import ManualClock, SystemClock, parse_ms
from openalpha.core.messages import EffectKind
from openalpha.market.importers import import_paths
from openalpha.market.lake import Lake

SERIES = [
    "ohlcv/binance_usdm/BTCUSDT_1h.parquet",
    "funding/binance_usdm/BTCUSDT.parquet",
    "funding/binance_usdm/BTCUSDT_2025.parquet",
    "ohlcv/bybit_linear/SOLUSDT_15m.parquet",
    "funding/bybit_linear/SOLUSDT.parquet",
    "ohlcv/bybit_linear/BTCUSDT_1h.parquet",
    "mark/bybit_linear/BTCUSDT_1h.parquet",
    "funding/bybit_linear/BTCUSDT.parquet",
    "ohlcv/bybit_spot/BTCUSDT_5m.parquet",
]


@pytest.fixture(scope="module")
def lake_home(real_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("home")
    import_paths(Lake(home), [real_data / name for name in SERIES], clock=SystemClock())
    return home


def ran(home: Path, strategy: str, data: Any, **given: Any) -> BacktestResult:
    return backtest(strategy, data, home=home, clock=ManualClock(parse_ms("2026-01-01")), **given)


def account_adds_up(result: BacktestResult) -> None:
    run = result.run
    for number, (coin, balance) in enumerate(run.balances.items()):
        start = run.capital if number == 0 else Decimal(0)
        assert start + run.effects.total(number) == balance, coin
    assert run.equity[-1] == pytest.approx(float(run.final_equity), abs=1e-6)


def test_ma_cross_on_a_perpetual_with_a_hole_in_its_funding(lake_home):
    result = ran(lake_home, "ma_cross", "binance_usdm:BTCUSDT", timeframe="1h")
    assert len(result.equity) == 21_888
    items = [item for item in result.open_items if item["code"] == "funding_missing"]
    spans = {(item["from_ms"], item["to_ms"]) for item in items}
    assert (parse_ms("2024-01-01"), parse_ms("2025-03-06T08:00")) in spans
    assert any("worse of two runs" in note for note in result.run.notes)
    assert any("funding settlements missing from 2024-01-01" in note for note in result.run.notes)
    worst = float(result.run.final_equity) / 10_000 - 1
    assert result.context.funding_worst_return == pytest.approx(worst)
    # The hole was paid for: as many settlements as 8 hours fit into the time a position was held.
    funding = result.run.effects.to_frame().filter(kind=int(EffectKind.FUNDING))
    hole = funding.filter(pl.col("ts_ms").is_between(*min(spans)))
    assert len(hole) > 1000
    assert result.metrics["fees"] > 0
    account_adds_up(result)
    # Without funding the run is another one, and nothing is claimed about it.
    free = ran(lake_home, "ma_cross", "binance_usdm:BTCUSDT", costs={"funding": False})
    assert free.run.final_equity > result.run.final_equity
    assert free.context.funding_worst_return is None


def test_mean_reversion_across_a_change_of_tick(lake_home):
    result = ran(lake_home, "mean_reversion_volume", "bybit_linear:SOLUSDT", timeframe="15m")
    (instrument,) = result.instruments
    change = parse_ms("2024-04-03T11:15")
    before, after = instrument.step_at(change - 1), instrument.step_at(change)
    assert (before.tick_size, after.tick_size) == (Decimal("0.001"), Decimal("0.01"))
    fills = result.run.fills.messages()
    off_grid = [
        fill for fill in fills if fill.price % instrument.step_at(fill.ts_ms).tick_size != 0
    ]
    assert off_grid == []
    old = [fill for fill in fills if fill.ts_ms < change]
    assert len(old) > 10
    assert len(fills) - len(old) > 10
    # The finer tick was really used while it was in force.
    assert any(fill.price % after.tick_size != 0 for fill in old)
    assert all(fill.qty % Decimal("0.1") == 0 for fill in fills)
    low, high = (result.context.histories[str(instrument.id)].column(n) for n in ("low", "high"))
    prices = np.array([float(fill.price) for fill in fills])
    assert low.min() * 0.99 < prices.min() <= prices.max() < high.max() * 1.01
    account_adds_up(result)


def test_funding_carry_over_the_months_both_markets_have(lake_home):
    pair = {"spot": "bybit_spot:BTCUSDT", "perp": "bybit_linear:BTCUSDT"}
    lake = Lake(lake_home)
    spans = [(h.ts_ms[0], h.end_ms) for h in (lake.load(name, "1h") for name in pair.values())]
    start, end = max(int(s[0]) for s in spans), min(int(s[1]) for s in spans)
    result = ran(
        lake_home, "funding_carry", pair, timeframe="1h", start=start, end=end,
        sizing={"kind": "all_in"}, params={"open_apr_pct": 5, "close_apr_pct": 1},
    )  # fmt: skip
    assert result.start_ms == start
    assert result.end_ms == end
    spot, perp = (result.run.position[:, number] for number in (0, 1))
    # Fees taken in the coin leave less than a lot behind.
    held = spot > 0.0001
    assert held.sum() > 500
    assert (spot >= 0).all()
    assert (perp <= 0).all()
    # Hedged: what the spot holds is short in the perpetual, but for rounding and fees.
    both = held & (perp < 0)
    assert both.sum() == held.sum()
    assert np.abs(perp[both] / spot[both] + 1).max() < 0.02
    # A hedged account moves by funding and costs, not by the price.
    funding = result.run.effects.to_frame().filter(kind=int(EffectKind.FUNDING))["amount"].sum()
    assert funding > 0
    assert result.metrics["max_drawdown"] < 0.02
    assert result.metrics["total_return"] == pytest.approx(
        (funding - result.metrics["fees"]) / 10_000, abs=0.003
    )
    account_adds_up(result)

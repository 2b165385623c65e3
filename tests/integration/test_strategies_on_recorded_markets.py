"""Every built-in strategy passes its proof on recorded markets, and decides something there."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from openalpha.market.frames import history
from openalpha.market.history import History
from openalpha.strategy import (
    Bars,
    EventStrategy,
    PortfolioStrategy,
    evaluate,
    load_strategy,
    prove,
    strategy_names,
)

SINGLE = [
    name for name in strategy_names() if not issubclass(load_strategy(name), PortfolioStrategy)
]


def recorded(folder: Path, name: str) -> History:
    columns = ("ts", "open", "high", "low", "close", "volume")
    return history(pl.read_parquet(folder / "ohlcv" / f"{name}.parquet").select(columns))


@pytest.mark.parametrize("market", ["bybit_linear/SOLUSDT_15m", "binance_usdm/BTCUSDT_1h"])
@pytest.mark.parametrize("name", SINGLE)
def test_a_built_in_is_honest_on_a_recorded_market(real_data, market, name):
    cls = load_strategy(name)
    bars = Bars.of(recorded(real_data, market))
    result = prove(cls, {market: bars})
    assert result.ok, result.findings[0].words
    if not issubclass(cls, EventStrategy):
        target = evaluate(cls(), {market: bars}, params=cls.Params())[market]
        changes = int((np.diff(np.nan_to_num(target)) != 0).sum())
        # The first bar is no change: buy and hold has none.
        assert changes > 100 or name == "buy_and_hold"

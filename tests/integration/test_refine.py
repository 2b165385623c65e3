"""Fills by finer bars: the same run where nothing hangs on their order, the truth where it does."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from openalpha.api import BacktestResult, backtest
from openalpha.core.clock import HOUR_MS, MINUTE_MS, ManualClock, parse_ms
from openalpha.core.errors import DataError, InputError
from openalpha.core.reasons import Reason
from openalpha.market.blocks import Block
from openalpha.market.lake import Lake
from openalpha.market.resample import resample_lake
from openalpha.market.series import SeriesKey, SeriesKind
from openalpha.strategy import EventStrategy, SignalStrategy, StrategyParams
from openalpha.strategy.params import Exits

START = parse_ms("2024-03-01")
NAME = "bybit_linear:BTCUSDT"
HOURS = 400
FREE = {"preset": "none"}


class Flipping(SignalStrategy):
    """Long and short in turns, with whatever exits are asked for."""

    name = "flipping"
    idea = "Turn."

    class Params(StrategyParams):
        every: int = 7
        stop: float = 0.0
        take_profit: float = 0.0
        time_exit: int = 0

    def target(self, bars: Any, params: Any) -> Any:
        turn = np.arange(len(bars.close)) // params.every
        return np.where(turn % 2 == 0, 1.0, -1.0)

    def exits(self, params: Any) -> Exits:
        return Exits(
            stop_e6=round(params.stop * 1e6),
            take_profit_e6=round(params.take_profit * 1e6),
            time_exit_bars=params.time_exit,
        )


def five_minutes(hours: int, *, seed: int = 1, symbol: str = "BTCUSDT") -> tuple[SeriesKey, Block]:
    random = np.random.default_rng(seed)
    n = hours * 12
    close = 400_000 + random.integers(-400, 401, n).cumsum()
    opened = np.append(400_000, close[:-1])
    frame = pl.DataFrame(
        {
            "ts": START + 5 * MINUTE_MS * np.arange(n),
            "open": opened,
            "high": np.maximum(opened, close) + random.integers(0, 200, n),
            "low": np.minimum(opened, close) - random.integers(0, 200, n),
            "close": close,
            "volume": random.integers(1_000_000, 9_000_000, n),
        }
    )
    return SeriesKey("bybit_linear", symbol, SeriesKind.BARS, "5m"), Block(frame, 1, 3)


def home_of(folder: Path, *rows: tuple[SeriesKey, Block]) -> Path:
    lake = Lake(folder)
    for key, block in rows:
        lake.merge(key, block, source="made up")
        resample_lake(lake, [key], timeframes=["1h"])
    return folder


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return home_of(tmp_path, five_minutes(HOURS))


@pytest.fixture
def ran(home: Path) -> Callable[..., BacktestResult]:
    def run(path: str, **given: Any) -> BacktestResult:
        more: dict[str, Any] = {
            "costs": {**FREE, "funding": False},
            "clock": ManualClock(START),
            "timeframe": "1h",
        }
        strategy, data = given.pop("strategy", Flipping), given.pop("data", NAME)
        fills = {"path": path}
        return backtest(strategy, data, home=home, fills=fills, **(more | given))

    return run


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"params": {"every": 3}, "sizing": {"kind": "all_in"}},
        {"params": {"stop": 0.01}},
        {"params": {"take_profit": 0.012}},
        {"params": {"time_exit": 3}},
        {"sizing": {"kind": "vol_target", "lookback_days": 3}},
        {"sizing": {"rebalance": "every_bar"}},
    ],
)
def test_with_one_trigger_a_bar_it_is_the_same_run(ran, given):
    plain, refined = ran("adverse", **given), ran("refine", **given)
    assert len(plain.fills) > 20
    same = ["side", "price", "qty", "reason", "realised_pnl"]
    assert refined.fills.select(same).equals(plain.fills.select(same))
    hour = pl.col("ts_ms") // HOUR_MS
    assert refined.fills.select(hour).equals(plain.fills.select(hour))
    assert refined.run.ts_ms.tolist() == plain.run.ts_ms.tolist()
    assert refined.run.timeframe_ms == HOUR_MS
    assert refined.run.equity.tolist() == plain.run.equity.tolist()
    assert refined.run.journal.tolist() == plain.run.journal.tolist()
    assert refined.run.position.tolist() == plain.run.position.tolist()
    assert refined.run.exposure.tolist() == plain.run.exposure.tolist()
    assert refined.record["settings"]["fills"]["path"] == "refine"
    assert "follow the 5m bars of the lake" in refined.run.notes[-1]


class Long(Flipping):
    """Long for good, from the first bar on."""

    name = "long"

    def target(self, bars: Any, params: Any) -> Any:
        return np.ones(len(bars.close))


@pytest.mark.parametrize(
    ("first", "reason"),
    [("up", Reason.TAKE_PROFIT), ("down", Reason.STOP)],
)
def test_where_both_lie_in_a_bar_the_finer_order_decides(tmp_path, first, reason):
    flat = [(400_000,) * 4] * 24
    up = (400_000, 410_000, 400_000, 400_000)
    down = (400_000, 400_000, 390_000, 400_000)
    prices = [*flat, *((up, down) if first == "up" else (down, up)), *flat[:10]]
    frame = pl.DataFrame(prices, schema=["open", "high", "low", "close"], orient="row")
    frame = frame.with_columns(
        pl.Series("ts", [START + 5 * MINUTE_MS * n for n in range(len(prices))]),
        volume=pl.lit(9_000_000, dtype=pl.Int64),
    ).select("ts", "open", "high", "low", "close", "volume")
    key = SeriesKey("bybit_linear", "BTCUSDT", SeriesKind.BARS, "5m")
    home = home_of(tmp_path, (key, Block(frame, 1, 3)))
    params = {"stop": 0.02, "take_profit": 0.02}

    def exit_of(path: str) -> Reason:
        costs = {**FREE, "funding": False}
        result = backtest(
            Long, NAME, params=params, costs=costs, fills={"path": path}, home=home,
            clock=ManualClock(START),
        )  # fmt: skip
        return Reason(result.fills["reason"][1])

    assert exit_of("adverse") == Reason.STOP
    assert exit_of("refine") == reason


def test_two_instruments_share_one_finer_time_frame(tmp_path):
    rows = [five_minutes(200, seed=n, symbol=name) for n, name in enumerate(("BTCUSDT", "ETHUSDT"))]
    # One of the two lacks the second day altogether.
    key, block = rows[1]
    gone = pl.col("ts").is_between(START + 24 * HOUR_MS, START + 48 * HOUR_MS - 1)
    rows[1] = (key, Block(block.frame.filter(~gone), 1, 3))
    home = home_of(tmp_path, *rows)
    runs = [
        backtest(
            Flipping, [NAME, "bybit_linear:ETHUSDT"], costs={**FREE, "funding": False},
            fills={"path": path}, home=home, clock=ManualClock(START),
        ).run
        for path in ("adverse", "refine")
    ]  # fmt: skip
    assert runs[0].equity.tolist() == runs[1].equity.tolist()
    assert runs[0].ts_ms.tolist() == runs[1].ts_ms.tolist()


def test_without_finer_bars_it_is_refused(ran, home):
    lake = Lake(home)
    with pytest.raises(
        DataError, match=r"needs finer bars for each 5m bar .* the lake has none of"
    ):
        ran("refine", timeframe="5m")
    key, block = five_minutes(HOURS)
    for path in (lake.root / key.folder).glob("*.parquet"):
        path.unlink()
    lake.merge(key, Block(block.frame[100:], 1, 3), source="a part")
    with pytest.raises(
        DataError, match=r"the lake has 5m of bybit_linear:BTCUSDT .*2024-03-01T08:2"
    ):
        ran("refine")
    assert ran("refine", start="2024-03-02").run.ts_ms[0] == parse_ms("2024-03-02")
    holed = block.frame.filter(pl.col("ts") != START + 50 * HOUR_MS)
    for path in (lake.root / key.folder).glob("*.parquet"):
        path.unlink()
    lake.merge(key, Block(holed, 1, 3), source="with a hole")
    with pytest.raises(DataError, match="test a span they cover whole"):
        ran("refine")


def test_finer_bars_of_another_market_are_refused(ran, home):
    lake = Lake(home)
    key, block = five_minutes(HOURS)
    other = block.frame.with_columns(close=pl.col("close") + 1, high=pl.col("high") + 1)
    lake.merge(key, Block(other, 1, 3), source="elsewhere", replace=True)
    with pytest.raises(
        DataError, match=f"{HOURS} of {HOURS} closes .* differ between its 1h and 5m"
    ):
        ran("refine")


class Buys(EventStrategy):
    name = "buys"
    idea = "Buy."

    def on_bar(self, ctx: Any) -> None:
        ctx.buy(1)


def test_event_strategies_see_every_bar_and_need_no_refining(ran):
    with pytest.raises(InputError, match=r"strategy that gives targets.*--timeframe"):
        ran("refine", strategy=Buys)

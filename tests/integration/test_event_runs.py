"""Event runs against signal runs of the same trades, and the built-ins on recorded markets."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from openalpha.core.instruments import Kind, instrument_id
from openalpha.core.reasons import Reason
from openalpha.engine.events import run_events
from openalpha.engine.run import EngineRun, VenueSettings
from openalpha.engine.signals import EngineSettings, run_signals
from openalpha.market.frames import history
from openalpha.market.history import History
from openalpha.risk.settings import SizingSettings
from openalpha.strategy import Bars, evaluate_e6, load_strategy
from openalpha.strategy.base import NO_OPINION_E6
from openalpha.strategy.params import Exits
from openalpha.venue.settings import CostSettings, MarginSettings
from tests.fakes.event_runs import HOUR_MS, START_MS, Script, bars_of, market, perp, walk

THE_KERNELS = (
    Reason.TIME_EXIT,
    Reason.CANCELLED_BY_OCO,
    Reason.CANCELLED_POSITION_CLOSED,
)
"""How orders without a trigger end that were attached to others."""


class Mimic(Script):
    """Gives the orders of another run again, at the same bars."""

    def __init__(self, run: EngineRun, exits: Exits) -> None:
        super().__init__(self._again)
        self.orders: dict[int, list[dict[str, Any]]] = defaultdict(list)
        self.exits = exits
        for row in run.orders.to_frame().sort("id").to_dicts():
            if row["trigger_kind"] == 0 and row["reason"] not in THE_KERNELS:
                self.orders[row["created_ts_ms"]].append(row)

    def _again(self, ctx: Any) -> None:
        for row in self.orders.get(ctx.ts_ms, ()):
            place = ctx.buy if row["side"] > 0 else ctx.sell
            place(
                row["qty"],
                reduce_only=row["is_reduce_only"],
                exits=self.exits,
                instrument=row["instrument"],
            )


def assert_same(ours: EngineRun, theirs: EngineRun) -> None:
    assert np.array_equal(ours.fills.rows, theirs.fills.rows)
    assert np.array_equal(ours.effects.rows, theirs.effects.rows)
    assert np.array_equal(ours.equity, theirs.equity)
    assert (ours.final_equity, ours.balances) == (theirs.final_equity, theirs.balances)
    assert ours.slow_bars == theirs.slow_bars


def both(
    histories: Sequence[History],
    targets: Sequence[np.ndarray],
    *,
    exits: Exits,
    settings: EngineSettings,
) -> tuple[EngineRun, EngineRun]:
    signals = run_signals(
        histories, targets, capital=Decimal(10_000), settings=settings, exits=exits
    )
    named = {str(h.instrument.id): h for h in histories}
    mimic = Mimic(signals, exits)
    return run_events(mimic, named, capital=Decimal(10_000), settings=settings), signals


def random_targets(count: int, seed: int, *, lowest: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    target = np.full(count, NO_OPINION_E6, dtype=np.int32)
    rows = rng.choice(count - 2, count // 12, replace=False)
    target[rows] = rng.choice([lowest, 0, 500_000, 1_000_000], len(rows))
    return target


def settings_of(mode: str = "cross") -> EngineSettings:
    # Nothing may be left unfilled at the next decision: a signal run cancels it then.
    costs = CostSettings(participation=Decimal(0))
    margin = MarginSettings(mode=mode, leverage=Decimal(3))
    return EngineSettings(VenueSettings(costs=costs, margin=margin), sizing=SizingSettings())


@pytest.mark.parametrize("mode", ["cross", "isolated"])
@pytest.mark.parametrize(
    "exits",
    [
        Exits(),
        Exits(stop_e6=15_000, take_profit_e6=40_000),
        Exits(trailing_e6=20_000, activation_e6=5_000, time_exit_bars=20),
    ],
)
def test_the_same_orders_give_the_same_bytes(mode: str, exits: Exits) -> None:
    count = 2_000
    stamps = START_MS + 8 * HOUR_MS * np.arange(count // 8)
    rates = np.random.default_rng(3).integers(-(10**8), 3 * 10**8, len(stamps))
    one = market(walk(count), wick=0.3, funding=(stamps, rates))
    targets = random_targets(count, 5, lowest=-1_000_000)
    ours, theirs = both([one], [targets], exits=exits, settings=settings_of(mode))
    assert len(ours.fills) > 100
    assert_same(ours, theirs)


def test_the_same_orders_on_several_instruments_give_the_same_bytes() -> None:
    count = 800
    rows = np.delete(np.arange(count + 40), np.arange(300, 340))
    histories = [
        market(walk(count, 1), wick=0.2),
        market(walk(count, 2), wick=0.2, instrument=perp("ETHUSDT"), rows=rows),
    ]
    targets = [random_targets(count, seed, lowest=-500_000) for seed in (7, 8)]
    ours, theirs = both(histories, targets, exits=Exits(trailing_e6=30_000), settings=settings_of())
    assert len(ours.fills) > 60
    assert_same(ours, theirs)


def recorded(folder: Path, name: str) -> History:
    columns = ("ts", "open", "high", "low", "close", "volume")
    market_name, _, symbol = name.partition("/")
    frame = pl.read_parquet(folder / "ohlcv" / f"{name}.parquet").select(columns)
    return history(frame, instrument=f"{market_name}:{symbol.partition('_')[0]}")


def test_a_signal_strategy_given_again_on_a_recorded_market(real_data: Path) -> None:
    one = recorded(real_data, "bybit_linear/BTCUSDT_1h")
    cls = load_strategy("ma_cross")
    targets = evaluate_e6(cls(), {"x": Bars.of(one)}, params=cls.Params())["x"]
    ours, theirs = both([one], [targets], exits=Exits(stop_e6=30_000), settings=settings_of())
    assert len(ours.fills) > 200
    assert_same(ours, theirs)


@pytest.mark.parametrize(
    ("name", "place"),
    [
        ("grid", "bybit_linear/BTCUSDT_1h"),
        ("dca", "bybit_linear/BTCUSDT_1h"),
        ("dca", "binance_spot/BTCUSDT_1h"),
    ],
)
def test_built_ins_on_a_recorded_market(real_data: Path, name: str, place: str) -> None:
    one = recorded(real_data, place)
    cls = load_strategy(name)
    fast, slow = (
        run_events(
            cls(cls.Params()),
            {"x": one},
            capital=Decimal(10_000),
            settings=EngineSettings(),
            skip=skip,
        )
        for skip in (True, False)
    )
    assert np.array_equal(fast.equity, slow.equity)
    assert np.array_equal(fast.fills.rows, slow.fills.rows)
    assert fast.slow_bars < len(one) / 3
    assert fast.position.min() >= 0
    frame = fast.fills.to_frame()
    if name == "dca":
        # One per cent of the first equity each, ninety times, in whole lots.
        assert len(frame) == 90
        assert frame["notional"].max() < 103
        lot = float(one.instrument.steps[0].lot_size)
        close = one.column("close")[0 : 90 * 24 : 24]
        assert frame["qty"].to_list() == pytest.approx(np.floor(100 / close / lot) * lot)
    else:
        sold = frame.filter(side=-1)
        assert len(sold) > 100
        assert sold["is_reducing"].all()
        # Each rung is sold a step of one per cent above where it was bought.
        assert sold["price"].min() > 1.009 * frame.filter(side=1)["price"].min()
    assert fast.final_equity > 0


def test_a_grid_on_spot_strands_no_rung_though_the_fee_is_taken_in_the_coin() -> None:
    coin = replace(
        perp(lot="0.0001"), id=instrument_id("bybit_spot", "BTCUSDT"), kind=Kind.SPOT,
        qty_decimals=8,
    )  # fmt: skip
    # Down three rungs and up past the top, time and again.
    closes = [100, 98.6, 97.6, 96.6, 98, 99, 100.5, 101.5] * 6
    bars = bars_of(closes, wick=0.2, volume=10_000_000)
    one = History.of(coin, HOUR_MS, ts_ms=START_MS + HOUR_MS * np.arange(len(closes)), bars=bars)
    cls = load_strategy("grid")
    run = run_events(
        cls(cls.Params(step_pct=1, rungs=3, share_pct=10)),
        {"x": one},
        capital=Decimal(10_000),
        settings=EngineSettings(),
    )
    orders = run.orders.to_frame()
    assert orders.filter(status=6).height == 0
    frame = run.fills.to_frame()
    bought, sold = (frame.filter(side=side) for side in (1, -1))
    assert len(bought) == len(sold) >= 15
    # What is left is below one lot, not a rung.
    assert float(run.balances["BTC"]) < 0.0001
    assert run.final_equity > 10_000

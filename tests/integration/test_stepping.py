"""Led bar by bar, an account ends where the compiled pass over the whole history leads it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from openalpha.core.reasons import Reason
from openalpha.engine.events import run_events
from openalpha.engine.history_rows import rows_of
from openalpha.engine.rows import Row, Stepped
from openalpha.engine.run import EngineRun, VenueSettings
from openalpha.engine.signals import EngineSettings, run_signals
from openalpha.engine.step import SignalStep
from openalpha.engine.step_events import EventStep
from openalpha.market.history import History
from openalpha.risk.settings import RiskSettings, SizingSettings
from openalpha.strategy import EventStrategy, load_strategy
from openalpha.strategy.params import Exits, build_params
from openalpha.trading.venue.callbacks import VenueContext
from openalpha.venue.settings import CostSettings
from tests.fakes.event_runs import START_MS, market, perp, walk

HOUR_MS = 3_600_000
MONEY = Decimal(10_000)
NO_EXITS = Exits()
TIGHT = Exits(stop_e6=8_000, take_profit_e6=12_000, trailing_e6=9_000)
LIVE = EngineSettings(risk=RiskSettings(profile="live", min_order=Decimal(1)))
ALL_IN = EngineSettings(
    sizing=SizingSettings(kind="fixed_fraction", fraction=Decimal(3), rebalance="every_bar")
)


@dataclass
class Gathered:
    """Everything the steps wrote, put together."""

    fills: np.ndarray
    effects: np.ndarray
    done: np.ndarray
    equity: np.ndarray
    codes: np.ndarray


def gathered(steps: Sequence[Stepped], scale: float) -> Gathered:
    written = [step.written for step in steps]
    return Gathered(
        np.concatenate([part.fills for part in written]),
        np.concatenate([part.effects for part in written]),
        np.concatenate([part.done for part in written]),
        np.array([step.equity for step in steps]) / scale,
        np.array([step.codes for step in steps]),
    )


def assert_same(found: Gathered, run: EngineRun) -> None:
    assert np.array_equal(found.fills, run.fills.rows)
    assert np.array_equal(found.effects, run.effects.rows)
    assert np.array_equal(found.done, run.orders.rows)
    assert found.equity.tobytes() == run.equity.tobytes()
    assert np.array_equal(found.codes, run.journal)


def stepped(
    histories: Sequence[History],
    targets: Sequence[np.ndarray],
    with_settings: EngineSettings,
    exits: Exits = NO_EXITS,
) -> Gathered:
    step = SignalStep(
        [h.instrument for h in histories],
        timeframe_ms=histories[0].timeframe_ms,
        capital=MONEY,
        settings=with_settings,
        exits=exits,
        has_mark=[h.mark is not None for h in histories],
    )
    wanted = [
        dict(zip(h.ts_ms.tolist(), t.tolist(), strict=True))
        for h, t in zip(histories, targets, strict=True)
    ]
    steps = [
        step.lead(row, [part.get(row.ts_ms, -(2**31)) for part in wanted])
        for row in rows_of(histories)
    ]
    return gathered(steps, 10.0 ** step.account.units.coin_decimals[0])


def funding(count: int) -> tuple[np.ndarray, np.ndarray]:
    stamps = START_MS + np.arange(0, count, 8, dtype=np.int64) * HOUR_MS
    return stamps, np.full(len(stamps), 10**8, dtype=np.int64)


def blocks(seed: int, count: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    wanted = np.repeat(rng.choice([-1_000_000, -400_000, 0, 700_000, -(2**31)], count), 5)
    return wanted[:count].astype(np.int32)


@settings(max_examples=12)
@given(
    seed=st.integers(0, 10**6),
    with_settings=st.sampled_from([EngineSettings(), LIVE, ALL_IN]),
    exits=st.sampled_from(
        [Exits(), Exits(stop_e6=8_000, take_profit_e6=12_000, trailing_e6=9_000)]
    ),
    latency=st.sampled_from([0, 700_000]),
)
def test_targets_led_bar_by_bar_write_what_the_pass_writes(seed, with_settings, exits, latency):
    one = market(walk(400, seed), wick=0.5, funding=funding(400), volume=30.0)
    costs = CostSettings(latency_ms=latency)
    with_settings = EngineSettings(VenueSettings(costs), with_settings.sizing, with_settings.risk)
    targets = [blocks(seed, 400)]
    run = run_signals([one], targets, capital=MONEY, settings=with_settings, exits=exits)
    assert_same(stepped([one], targets, with_settings, exits), run)


def two_with_holes(seed: int) -> list[History]:
    rows = np.delete(np.arange(300), np.random.default_rng(seed).integers(1, 299, 40))
    first = market(walk(300, seed), wick=0.4, funding=funding(300))
    second = market(
        walk(len(rows), seed + 1), instrument=perp("ETHUSDT"), rows=rows, funding=funding(300)
    )
    return [first, second]


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("with_settings", [EngineSettings(), LIVE])
def test_two_instruments_one_of_which_lacks_bars(seed, with_settings):
    histories = two_with_holes(seed)
    targets = [blocks(seed + i, len(h)) // 2 for i, h in enumerate(histories)]
    run = run_signals(histories, targets, capital=MONEY, settings=with_settings)
    assert len(run.fills) > 20
    assert_same(stepped(histories, targets, with_settings), run)


@pytest.mark.parametrize("with_settings", [EngineSettings(), LIVE])
@pytest.mark.parametrize(
    ("name", "params"),
    [("grid", {}), ("dca", {})],
)
def test_event_strategies_led_bar_by_bar_write_what_the_run_writes(name, params, with_settings):
    one = market(walk(900, 5), wick=0.3, funding=funding(900))
    cls: Any = load_strategy(name)
    given_params = build_params(cls.Params, params, strategy=name)
    key = str(one.instrument.id)
    run = run_events(cls(given_params), {key: one}, capital=MONEY, settings=with_settings)
    step = EventStep(
        cls(given_params),
        [key],
        [one.instrument],
        timeframe_ms=HOUR_MS,
        capital=MONEY,
        settings=with_settings,
    )
    steps = [step.lead(row) for row in rows_of([one])]
    assert len(run.fills) > 3
    assert_same(gathered(steps, 10.0 ** step.account.units.coin_decimals[0]), run)


def led(step: SignalStep, rows: Sequence[Row], target: Callable[[int], int]) -> list[Stepped]:
    return [step.lead(row, [target(number)]) for number, row in enumerate(rows)]


def test_a_paused_account_opens_nothing_and_goes_on_afterwards():
    one = market([100.0] * 8)
    step = SignalStep(
        [one.instrument], timeframe_ms=HOUR_MS, capital=MONEY, settings=EngineSettings()
    )
    rows = list(rows_of([one]))
    step.pause(True)
    paused = led(step, rows[:3], lambda number: 1_000_000)
    assert paused[0].codes == (Reason.PAUSED,)
    assert not any(len(one_step.commanded.ordered) for one_step in paused)
    step.pause(False)
    after = [step.lead(row, [1_000_000]) for row in rows[3:]]
    assert len(after[0].commanded.ordered) == 1
    assert len(after[1].written.fills) == 1
    step.pause(True)
    assert step.lead(rows[-1], [0]).commanded.ordered, "a paused account may still close"


def test_a_grid_sells_its_rungs_beside_the_stops_that_risk_attaches():
    one = market(walk(900, 5), wick=0.3)
    cls: Any = load_strategy("grid")
    grid = cls(cls.Params(step_pct=0.5, share_pct=0.4))
    run = run_events(grid, {"x": one}, capital=MONEY, settings=LIVE)
    sold = [fill.reason for fill in run.fills.messages() if fill.side < 0]
    assert sold.count(Reason.LIMIT_RESTED) > 20
    assert sold.count(Reason.STOP) > 0


class Watcher(EventStrategy):
    """Notes what it is shown of each bar."""

    name, idea = "watcher", "looks"

    def __init__(self, params):
        super().__init__(params)
        self.seen = []

    def on_bar(self, ctx):
        self.seen.append(shown(ctx))


def shown(ctx: Any) -> tuple[float, ...]:
    bar = (ctx.open, ctx.high, ctx.low, ctx.close, ctx.volume)
    return (*bar, len(ctx.history(500)), ctx.position_of(SECOND))


SECOND = "bybit_linear:ETHUSDT"


class Flat:
    """The hand of a strategy that holds nothing."""

    def holding(self, which: int) -> tuple[float, float]:
        return 0.0, float("nan")


def test_a_bar_that_lacks_is_shown_alike_over_history_on_paper_and_at_a_venue():
    whole, holes = two_with_holes(3)
    holes = holes.window(4, len(holes))  # NaN at first: none has been
    both = {str(h.instrument.id): h for h in (holes, whole)}
    over_history, on_paper = Watcher(Watcher.Params()), Watcher(Watcher.Params())
    run_events(over_history, both, capital=MONEY, settings=EngineSettings())
    instruments = [h.instrument for h in both.values()]
    step = EventStep(
        on_paper,
        tuple(both),
        instruments,
        timeframe_ms=HOUR_MS,
        capital=MONEY,
        settings=EngineSettings(),
    )
    at_venue = VenueContext(
        tuple(both), instruments, timeframe_ms=HOUR_MS, exits=NO_EXITS, silent_bars=0
    )
    at_venue.hand = Flat()
    seen = []
    for row in rows_of(list(both.values())):
        step.lead(row)
        at_venue.show(row, now_ms=row.ts_ms + HOUR_MS)
        seen.append(shown(at_venue))
    assert np.isnan(over_history.seen[0][3])
    assert sum(row[4] == 0 for row in over_history.seen) > 20
    np.testing.assert_array_equal(on_paper.seen, over_history.seen)
    np.testing.assert_array_equal(seen, over_history.seen)

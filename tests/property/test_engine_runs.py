"""What holds for every run of targets: skipping, the price unit, strangers, the account's sum."""

from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as check
from hypothesis import strategies as st

from openalpha.core.clock import HOUR_MS
from openalpha.core.instruments import Instrument, RiskTier
from openalpha.core.units import from_units
from openalpha.engine.run import EngineRun
from openalpha.engine.signals import EngineSettings, run_signals
from openalpha.market.history import History
from openalpha.strategy.params import Exits
from tests.fakes.small_market import START_MS, inverse, linear, same_bytes, settings, spot, total

N_BARS = 120
CAPITAL = Decimal(10_000)
SILENT = -(2**31)


@dataclass(frozen=True)
class Case:
    """One random run: histories with gaps, targets of their rows, settings and exits."""

    histories: tuple[History, ...]
    targets: tuple[np.ndarray, ...]
    settings: EngineSettings
    exits: Exits
    capital: Decimal = CAPITAL

    def run(self, *, skip: bool = True) -> EngineRun:
        return run_signals(
            self.histories,
            self.targets,
            capital=self.capital,
            settings=self.settings,
            exits=self.exits,
            skip=skip,
        )


def bars_at_random(random: np.random.Generator, n: int, restless: float) -> np.ndarray:
    """A walk of closes with wicks, gaps between bars, and bars without volume."""
    steps = np.exp(random.normal(0, 0.02 * restless, n).cumsum())
    close = np.maximum(np.rint(1000 * steps), 20)
    opening = np.maximum(
        np.rint(np.append(1000, close[:-1]) * np.exp(random.normal(0, 0.004, n))), 20
    )
    top, bottom = np.maximum(opening, close), np.minimum(opening, close)
    high = np.rint(top * (1 + np.abs(random.normal(0, 0.01, n))))
    low = np.maximum(np.rint(bottom * (1 - np.abs(random.normal(0, 0.01, n)))), 10)
    volume = np.rint(random.lognormal(11, 1.5, n)) * (random.random(n) > 0.05)
    return np.stack([opening, high, low, close, volume], axis=1).astype(np.int64)


def one_history(random: np.random.Generator, instrument: Instrument, *, gaps: bool) -> History:
    kept = np.flatnonzero(random.random(N_BARS) > (0.15 if gaps else 0))
    bars = bars_at_random(random, len(kept), float(random.choice([0.2, 1, 3])))
    ts_ms = START_MS + kept * HOUR_MS
    has_mark = random.random() < 0.3
    mark = None
    if has_mark:
        shift = np.rint(bars[:, :4] * random.normal(0, 0.002, (len(kept), 1))).astype(np.int64)
        mark = np.maximum(bars[:, :4] + shift, 1)
    stamps = ts_ms[0] + np.arange(1, N_BARS, 8) * HOUR_MS
    rates = random.integers(-(10**9), 10**9, len(stamps))
    with_funding = random.random() < 0.7 and instrument.funding_interval_ms is not None
    return History.of(
        instrument,
        HOUR_MS,
        ts_ms=ts_ms.astype(np.int64),
        bars=bars,
        mark=mark,
        funding=(stamps, rates) if with_funding else (stamps[:0], rates[:0]),
    )


TIERS = (
    RiskTier(Decimal(20_000), Decimal("0.005"), Decimal("0.02"), Decimal(50), Decimal(0)),
    RiskTier(Decimal(90_000), Decimal("0.01"), Decimal("0.05"), Decimal(20), Decimal(100)),
)


def instruments_at_random(random: np.random.Generator, count: int) -> list[Instrument]:
    terms: dict[str, Any] = {"funding_interval_ms": 8 * HOUR_MS}
    if random.random() < 0.5:
        terms["tiers"] = TIERS
    perps = [linear(f"{name}USDT", **terms) for name in ("BTC", "ETH", "SOL")]
    if count > 1 and random.random() < 0.5:
        perps[1] = spot("ETHUSDT")
    return perps[:count]


def targets_at_random(random: np.random.Generator, n: int) -> np.ndarray:
    """Mostly held, now and then new, silent, or flat."""
    choices = [1_000_000, -1_000_000, 0, 250_000, -400_000, 333_333, SILENT]
    drawn = random.choice(choices, n)
    held = np.maximum.accumulate(np.where(random.random(n) < 0.2, np.arange(n), 0))
    return drawn[held].astype(np.int32)


def settings_at_random(random: np.random.Generator) -> EngineSettings:
    def pick(*choices: Any) -> Any:
        return choices[int(random.integers(len(choices)))]

    costs = {
        "preset": pick("realistic", "none"),
        "latency_ms": pick(0, 0, 700, HOUR_MS // 2, 3 * HOUR_MS),
        "participation": pick(0, "0.1", "0.01"),
        "spread_bps": pick(0, 3),
    }
    sizing = {
        "kind": pick("all_in", "fixed_fraction", "fixed_amount", "vol_target", "kelly"),
        "fraction": pick("0.1", "1.5"),
        "amount": pick(1000, 25_000),
        "lookback_days": 2,
        "rebalance": pick("on_change", "every_bar", "band"),
    }
    risk = {"profile": pick("none", "live"), "max_trades_per_day": pick(3, 50)}
    if sizing["kind"] == "all_in":
        risk["profile"] = "none"
    margin = {"mode": pick("cross", "isolated"), "leverage": pick(1, 5, 20)}
    fills = {"path": pick("adverse", "nearer_first")}
    return settings(costs=costs, sizing=sizing, risk=risk, margin=margin, fills=fills)


EXITS = (
    Exits(),
    Exits(stop_e6=20_000),
    Exits(stop_e6=30_000, take_profit_e6=20_000),
    Exits(trailing_e6=15_000, activation_e6=10_000),
    Exits(stop_e6=50_000, trailing_e6=20_000, time_exit_bars=7),
)


def case(seed: int, count: int) -> Case:
    random = np.random.default_rng(seed)
    traded = instruments_at_random(random, count)
    histories = tuple(one_history(random, i, gaps=bool(random.random() < 0.5)) for i in traded)
    return Case(
        histories,
        tuple(targets_at_random(random, len(h)) for h in histories),
        settings_at_random(random),
        EXITS[int(random.integers(len(EXITS)))],
    )


seeds = st.integers(0, 2**32 - 1)
counts = st.sampled_from([1, 3])


@check(max_examples=60)
@given(seeds, counts)
def test_skipping_bars_changes_no_byte(seed, count):
    made = case(seed, count)
    assert same_bytes(made.run(skip=True), made.run(skip=False))


@check(max_examples=40)
@given(seeds, counts)
def test_the_account_is_its_capital_and_effects(seed, count):
    run = case(seed, count).run()
    for number, coin in enumerate(run.fills.units.coins):
        assert total(run, number) == run.balances[coin]
    assert run.equity[-1] == pytest.approx(float(run.final_equity), rel=1e-12, abs=1e-6)


def agree_in_finer_units(made: Case) -> None:
    fine = replace(made, histories=tuple(finer(h) for h in made.histories))
    one, other = made.run(), fine.run()
    assert [exact(fill) for fill in one.fills.messages()] == [
        exact(fill) for fill in other.fills.messages()
    ]
    assert one.effects.messages() == other.effects.messages()
    assert one.orders.to_frame().equals(other.orders.to_frame())
    assert one.balances == other.balances
    assert one.final_equity == other.final_equity
    assert np.array_equal(one.journal, other.journal)
    np.testing.assert_allclose(one.equity, other.equity, rtol=1e-12, atol=1e-6)


def in_whole_positions(made: Case) -> Case:
    """The case with positions that are only ever opened and closed whole."""
    whole = tuple(
        np.where(t == SILENT, SILENT, np.sign(t) * 1_000_000).astype(np.int32) for t in made.targets
    )
    costs = replace(made.settings.venue.costs, participation=Decimal(0), latency_ms=0)
    sizing = replace(made.settings.sizing, rebalance="on_change")
    venue = replace(made.settings.venue, costs=costs)
    return replace(made, targets=whole, settings=replace(made.settings, venue=venue, sizing=sizing))


@check(max_examples=40)
@given(seeds, counts)
def test_a_finer_price_unit_changes_no_fill_and_no_cash(seed, count):
    agree_in_finer_units(in_whole_positions(case(seed, count)))


@check(max_examples=10)
@given(seeds, counts)
def test_a_finer_price_unit_changes_no_partial_close(seed, count):
    agree_in_finer_units(case(seed, count))


def finer(history: History, by: int = 2) -> History:
    """The same history with prices in units a hundredth the size."""
    scale = np.array([10**by] * 4 + [1])
    instrument = replace(history.instrument, price_decimals=history.instrument.price_decimals + by)
    return History.of(
        instrument,
        history.timeframe_ms,
        ts_ms=history.ts_ms,
        bars=history.bars * scale,
        mark=None if history.mark is None else history.mark * 10**by,
        funding=(history.funding_ts_ms, history.funding_rate_e12),
    )


def exact(fill: Any) -> Any:
    """A fill whose equal prices are equal, whatever zeros they end in."""
    return replace(fill, price=fill.price.normalize())


def with_stranger(made: Case, seed: int) -> Case:
    """The case with one more instrument in the account, about which nothing is ever said."""
    random = np.random.default_rng(seed)
    stranger = one_history(random, linear("XRPUSDT"), gaps=True)
    return replace(
        made,
        histories=(*made.histories, stranger),
        targets=(*made.targets, np.full(len(stranger), SILENT, dtype=np.int32)),
    )


@check(max_examples=40)
@given(seeds, counts, seeds)
def test_an_instrument_never_traded_changes_nothing(seed, count, other_seed):
    # With one instrument this is also: the pass for one equals the pass for several.
    made = case(seed, count)
    alone, joined = made.run(), with_stranger(made, other_seed).run()
    assert alone.fills.rows.tobytes() == joined.fills.rows.tobytes()
    assert alone.effects.rows.tobytes() == joined.effects.rows.tobytes()
    assert alone.orders.rows.tobytes() == joined.orders.rows.tobytes()
    assert alone.final_equity == joined.final_equity
    rows = np.searchsorted(joined.ts_ms, alone.ts_ms)
    np.testing.assert_allclose(joined.equity[rows], alone.equity, rtol=1e-12, atol=1e-9)
    assert np.array_equal(joined.journal[rows, :count], alone.journal)


@check(max_examples=30)
@given(seeds, counts)
def test_limits_never_enlarge(seed, count):
    made = case(seed, count)
    sizing = replace(made.settings.sizing, kind="fixed_amount", rebalance="on_change")
    limited = replace(made.settings, sizing=sizing, risk=settings(risk={"profile": "live"}).risk)
    run = replace(made, settings=limited).run()
    biggest = max(
        (float(f.qty * f.price) for f in run.fills.messages() if not f.is_reducing), default=0
    )
    assert biggest <= 10_000 * 1.2


@check(max_examples=30)
@given(seeds)
def test_an_inverse_account_adds_up_too(seed):
    random = np.random.default_rng(seed)
    history = one_history(random, inverse(funding_interval_ms=8 * HOUR_MS), gaps=True)
    made = Case(
        (history,),
        (targets_at_random(random, len(history)),),
        settings_at_random(random),
        EXITS[1],
        capital=Decimal(2),
    )
    run = made.run()
    assert same_bytes(run, made.run(skip=False))
    assert run.capital + from_units(int(run.effects.rows[:, 4].sum()), 8) == run.balances["BTC"]
    assert run.equity[-1] == pytest.approx(float(run.final_equity), rel=1e-9, abs=1e-7)


def test_thousands_of_orders_outgrow_the_memory_they_began_with():
    random = np.random.default_rng(1)
    n = 6000
    bars = bars_at_random(random, n, 0.1)
    bars[:, 4] = 10**9
    history = History.of(
        linear(), HOUR_MS, ts_ms=START_MS + np.arange(n, dtype=np.int64) * HOUR_MS, bars=bars
    )
    flips = np.where(np.arange(n) % 2, 1_000_000, -1_000_000).astype(np.int32)
    made = Case((history,), (flips,), settings(), Exits())
    run = made.run()
    assert len(run.fills) == 2 * (n - 1) - 1
    assert same_bytes(run, made.run(skip=False))

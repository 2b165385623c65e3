"""Exposure followed from fill to fill equals the run's column; drawdown its definition."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from openalpha.core.instruments import Kind
from openalpha.research.compiled import CURVE_STATE, HeldSteps, follow
from openalpha.research.curve import measure_curve
from openalpha.research.drawdown import drawdowns
from openalpha.research.facts import FillColumns
from tests.fakes.engine_run import fake_run


def deepest(values: np.ndarray, start: float, cuts: list[int]) -> float:
    """Return the deepest drawdown as `follow` carries it from stretch to stretch."""
    state = np.zeros(len(CURVE_STATE))
    state[3:5] = start
    none, close = np.zeros(0), np.zeros(0, dtype=np.int64)
    for part in np.split(values, cuts):
        follow(HeldSteps(close, none, close, part), state)
    return float(min(1.0, max(state[5], 1.0 - state[4] / state[3])))


@given(
    seed=st.integers(0, 10_000),
    length=st.sampled_from([0, 1, 2, 100, 5_000, 20_000]),
    drift=st.sampled_from([-1e-4, 0.0, 1e-4, 1e-3]),
    cut=st.floats(0, 1),
)
def test_the_drawdown_equals_its_definition_bit_for_bit(
    seed: int, length: int, drift: float, cut: float
) -> None:
    steps = np.random.default_rng(seed).normal(drift, 1e-3, length)
    values = 100 * np.exp(np.cumsum(steps))
    expected = drawdowns(values, 100.0).max(initial=0.0)
    assert deepest(values, 100.0, [int(cut * length)]) == expected


def test_a_curve_below_zero_is_a_whole_drawdown() -> None:
    assert deepest(np.array([100.0, -5.0]), 100.0, []) == 1.0


def test_a_gap_in_the_bars_changes_nothing() -> None:
    run = fake_run(bars=400, changes=30)
    kept = np.r_[0:200, 203:400]
    fills = FillColumns.of(
        run.fills.to_frame(), instruments=[run.history.instrument], currency="USDT"
    )
    bar = np.searchsorted(run.ts_ms, fills.ts_ms)
    fills = fills.take(np.flatnonzero((bar < 200) | (bar >= 203)))
    whole = np.cumsum(fills.held_units)
    at = np.searchsorted(run.ts_ms[kept], fills.ts_ms)
    expected = np.zeros(len(kept), dtype=bool)
    for step, held in enumerate(whole):
        expected[at[step] :] = held != 0
    gone = replace(run, ts_ms=run.ts_ms[kept], equity=run.equity[kept])
    gone.__dict__["closes"] = (run.closes[0][kept],)
    found = measure_curve(gone, fills, instruments=[run.history.instrument])
    assert (found.bars, found.exposed) == (397, expected.sum())


@pytest.mark.parametrize(
    "shape",
    [
        pytest.param({"bars": 3_000, "changes": 150}, id="ordinary"),
        pytest.param({"bars": 100, "changes": 0}, id="no trade"),
        pytest.param({"bars": 2_000, "changes": 900, "notional": 200_000.0}, id="ruined"),
    ],
)
@pytest.mark.parametrize("stretch", [1 << 20, 77])
def test_both_ways_agree(
    shape: dict[str, Any], stretch: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("openalpha.research.curve._STRETCH", stretch)
    run = fake_run(**shape)
    instrument = run.history.instrument
    fills = FillColumns.of(run.fills.to_frame(), instruments=[instrument], currency="USDT")
    quick = measure_curve(run, fills, instruments=[instrument])
    # An inverse instrument is read from the column; here only the way there differs.
    by_column = measure_curve(run, fills, instruments=[replace(instrument, kind=Kind.INVERSE)])
    assert (quick.bars, quick.exposed) == (by_column.bars, by_column.exposed)
    assert quick.mean == pytest.approx(by_column.mean, rel=1e-9)
    assert quick.highest == pytest.approx(by_column.highest, rel=1e-9)
    assert quick.exposed == np.count_nonzero(run.exposure)
    assert quick.deepest == drawdowns(run.equity, float(run.capital)).max()


@pytest.mark.parametrize("stretch", [1 << 20, 77])
def test_several_instruments_add_up(stretch: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("openalpha.research.curve._STRETCH", stretch)
    run = fake_run(bars=2_000, changes=200)
    instrument = run.history.instrument
    fills = FillColumns.of(run.fills.to_frame(), instruments=[instrument], currency="USDT")
    dealt = replace(fills, instrument=np.arange(len(fills)) % 2)
    two = replace(run)
    two.__dict__["closes"] = (run.closes[0], run.closes[0] * 3)
    found = measure_curve(two, dealt, instruments=[instrument, instrument])
    bar = np.searchsorted(run.ts_ms, fills.ts_ms)
    gross = np.zeros(len(run.ts_ms))
    for number, close in enumerate(two.closes):
        mine = dealt.instrument == number
        held = np.zeros(len(run.ts_ms))
        np.add.at(held, bar[mine], fills.held_units[mine] / 10.0**instrument.qty_decimals)
        gross += np.abs(np.cumsum(held)) * close / 10.0**instrument.price_decimals
    share = np.where(run.equity > 0, gross / run.equity, 0.0)
    assert found.exposed == np.count_nonzero(share > 1e-12)
    assert found.mean == pytest.approx(share.mean(), rel=1e-9)
    assert found.highest == pytest.approx(share.max(), rel=1e-9)

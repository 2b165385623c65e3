"""Exposure followed from fill to fill equals the run's exposure column."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from openalpha.core.instruments import Kind
from openalpha.research.exposure import measure_exposure
from openalpha.research.facts import FillColumns
from tests.fakes.engine_run import fake_run


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
    found = measure_exposure(gone, fills, instruments=[run.history.instrument])
    assert (found.bars, found.exposed) == (397, expected.sum())


@pytest.mark.parametrize(
    "shape",
    [
        pytest.param({"bars": 3_000, "changes": 150}, id="ordinary"),
        pytest.param({"bars": 100, "changes": 0}, id="no trade"),
        pytest.param({"bars": 2_000, "changes": 900, "notional": 200_000.0}, id="ruined"),
    ],
)
def test_both_ways_agree(shape: dict[str, Any]) -> None:
    run = fake_run(**shape)
    instrument = run.history.instrument
    fills = FillColumns.of(run.fills.to_frame(), instruments=[instrument], currency="USDT")
    quick = measure_exposure(run, fills, instruments=[instrument])
    # An inverse instrument is read from the column; here only the way there differs.
    by_column = measure_exposure(run, fills, instruments=[replace(instrument, kind=Kind.INVERSE)])
    assert (quick.bars, quick.exposed) == (by_column.bars, by_column.exposed)
    assert quick.mean == pytest.approx(by_column.mean, rel=1e-9)
    assert quick.highest == pytest.approx(by_column.highest, rel=1e-9)
    assert quick.exposed == np.count_nonzero(run.exposure)

"""The example file is a strategy like any other: it passes the proof and trades."""

from pathlib import Path

import numpy as np

from openalpha.strategy import evaluate, load_strategy, prove
from openalpha.strategy.specimen import specimen_bars

FILE = Path(__file__).parents[3] / "examples" / "daily_trend_hourly_pullback.py"


def test_the_example_is_proven_and_trades_both_ways_of_size():
    cls = load_strategy(FILE)
    bars = {"AAA": specimen_bars(8_000, seed=3)}
    result = prove(cls, bars)
    assert result.ok, result.findings[0].words
    target = evaluate(cls(), bars, params=cls.Params())["AAA"]
    held = target[target > 0]
    assert len(held) > 100
    assert len(np.unique(held)) > 5

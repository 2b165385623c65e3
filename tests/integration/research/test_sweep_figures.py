"""Figures of a sweep are those of a backtest, whatever its curve rests on."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import openalpha
from openalpha.market.history import History
from openalpha.research.definitions import DEFINITIONS
from tests.fakes.markets import noise

HALF: dict[str, Any] = {"sizing": {"kind": "fixed_fraction", "fraction": "0.5"}}
WORN: dict[str, Any] = {
    "sizing": {"kind": "fixed_amount", "amount": "85000"},
    "margin": {"leverage": 10},
}


def marked() -> History:
    """Bars with a mark price that trails the last one: equity is written row by row."""
    history = noise(2_000, funding=True)
    mark = history.bars[:, :4].copy()
    mark[1:, 3] = (mark[1:, 3] + mark[:-1, 3]) // 2
    mark[:, 1], mark[:, 2] = mark.max(axis=1), mark.min(axis=1)
    return replace(history, mark=mark)


def gappy() -> History:
    """Bars of which hours and whole days are missing."""
    history = noise(2_400, funding=True)
    rows = np.arange(len(history))
    keep = (rows % 97 > 3) & ~((rows > 700) & (rows < 800))
    return History.of(
        history.instrument, history.timeframe_ms, ts_ms=history.ts_ms[keep],
        bars=history.bars[keep], funding=(history.funding_ts_ms, history.funding_rate_e12),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("make", "settings"),
    [(marked, HALF), (gappy, HALF), (lambda: noise(1_500, funding=True), WORN)],
    ids=["marked", "with gaps", "worn"],
)
def test_figures_are_those_of_a_backtest(
    tmp_path: Path, make: Callable[[], History], settings: dict[str, Any]
) -> None:
    history, grid = make(), {"fast": [4, 7], "slow": [15, 40]}
    result = openalpha.sweep("ma_cross", history, grid=grid, home=tmp_path, **settings)
    for number, config in enumerate(result.trials.configs):
        one = openalpha.backtest("ma_cross", history, params=config, home=tmp_path, **settings)
        assert one.metrics["fills"] >= (4 if settings is WORN else 50)
        assert settings is not WORN or one.metrics["max_drawdown"] > 0.25
        found = result.row(number)["metrics"]
        for item in DEFINITIONS:
            assert found[item.name] == pytest.approx(
                one.metrics[item.name], rel=1e-9, abs=1e-9, nan_ok=True
            ), item.name
        assert result.daily[number].tobytes() == one.days.returns.astype(np.float32).tobytes()


def test_a_pair_is_called_by_its_instruments_not_its_roles(tmp_path: Path) -> None:
    data = {"spot": noise(900, spot=True), "perp": noise(900, funding=True)}
    result = openalpha.sweep("funding_carry", data, grid={"period": [24, 48]}, home=tmp_path)
    names = [str(history.instrument.id) for history in data.values()]
    assert result.record["instruments"] == names and result.record["roles"] == ["spot", "perp"]
    page = result.page()
    assert ", ".join(names) in page.kicker and page.instruments == names

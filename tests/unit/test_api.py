"""The public functions: what they accept, what they refuse, what they leave behind."""

import math
from decimal import Decimal

import numpy as np
import pandas as pd
import polars as pl
import pytest

import openalpha
from openalpha.core.errors import ConfigError, DataError, InputError, LookAheadError
from openalpha.strategy import SignalStrategy, StrategyParams
from openalpha.venue.settings import CostSettings

START = 1_704_067_200_000
HOUR = 3_600_000


def frame(count: int = 600, step: float = 17.0) -> pl.DataFrame:
    close = [round(100 + 8 * math.sin(at / step), 2) for at in range(count)]
    before = [100.0, *close[:-1]]
    return pl.DataFrame(
        {
            "ts": [START + HOUR * at for at in range(count)],
            "open": before,
            "high": [max(pair) + 0.5 for pair in zip(before, close, strict=True)],
            "low": [min(pair) - 0.5 for pair in zip(before, close, strict=True)],
            "close": close,
            "volume": [50_000.0] * count,
        }
    )


class Late(SignalStrategy):
    """With yesterday's move."""

    name = "late"
    idea = "A move goes on."

    class Params(StrategyParams):
        pass

    def warm_up_bars(self, params):
        return 2

    def target(self, bars, params):
        return np.where(bars.close > np.roll(bars.close, 1), 1.0, 0.0)


class Seer(Late):
    """With tomorrow's move."""

    name = "seer"

    def target(self, bars, params):
        return np.where(np.roll(bars.close, -1) > bars.close, 1.0, 0.0)


def test_all_kinds_of_data_give_the_same_run(home):
    bars = frame()
    prepared = openalpha.history(bars)
    results = [
        openalpha.backtest("ma_cross", data)
        for data in (
            bars,
            pd.DataFrame(bars.to_dict(as_series=False)),
            prepared,
            [prepared],
            {"frame:DATA": prepared},
        )
    ]
    assert len({result.metrics["final_equity"] for result in results}) == 1
    assert results[0].metrics["fees"] > 0


def test_all_kinds_of_strategy(home, tmp_path):
    bars = frame()
    named = openalpha.backtest("ma_cross", bars)
    from openalpha.strategy import load_strategy

    cls = load_strategy("ma_cross")
    assert openalpha.backtest(cls, bars).metrics == named.metrics
    assert openalpha.backtest(cls(), bars).metrics == named.metrics
    assert openalpha.backtest(Late, bars).context.strategy == "late"
    assert openalpha.backtest("dca", bars).metrics["fills"] > 0


def test_settings_by_mapping_and_by_group_agree(home):
    bars = frame()
    by_name = openalpha.backtest("ma_cross", bars, costs={"preset": "none", "taker_bps": 5.5})
    group = CostSettings(preset="none", taker_bps=Decimal("5.5"))
    assert openalpha.backtest("ma_cross", bars, costs=group).metrics == by_name.metrics
    assert by_name.metrics["spread_cost"] == 0
    assert by_name.metrics["fees"] > 0


def test_a_run_is_a_trial_and_is_saved_only_on_demand(home):
    result = openalpha.backtest("ma_cross", frame())
    assert result.record["trial"]["row"] == 0
    assert not (home / "runs").exists()
    stored = result.save()
    assert stored.path.parent == home / "runs" / "backtest"
    again = openalpha.backtest("ma_cross", frame(), params={"fast": 9})
    assert (again.record["trial"]["row"], again.record["trial"]["family"]) == (1, 2)


def test_look_ahead_is_refused_unless_allowed(home):
    with pytest.raises(LookAheadError, match="close"):
        openalpha.backtest(Seer, frame())
    assert not (home / "trials").exists()
    result = openalpha.backtest(Seer, frame(), allow_lookahead=True)
    assert result.context.is_lookahead_allowed
    assert "lookahead_allowed" in result.verdict.codes()


def test_several_instruments_share_one_account(home):
    one = openalpha.history(frame(), instrument="x_linear:AAAUSDT")
    other = openalpha.history(frame(step=23.0), instrument="x_linear:BBBUSDT")
    result = openalpha.backtest("ma_cross", [one, other])
    assert set(result.fills["instrument"]) == {"x_linear:AAAUSDT", "x_linear:BBBUSDT"}
    with pytest.raises(InputError, match="given twice"):
        openalpha.backtest("ma_cross", [one, one])


REFUSED = {
    "capital in words": ({"capital": "much"}, InputError, "much"),
    "capital without end": ({"capital": math.inf}, InputError, "inf"),
    "negative capital": ({"capital": -5}, InputError, "-5"),
    "no capital": ({"capital": 0}, InputError, "must be positive"),
    "unknown parameter": ({"params": {"fats": 3}}, InputError, "fats"),
    "absurd parameter": ({"params": {"fast": -5}}, InputError, "fast"),
    "unknown setting": ({"costs": {"takr_bps": 1}}, ConfigError, "takr_bps"),
    "setting out of range": ({"margin": {"leverage": 0}}, ConfigError, "leverage"),
    "no data": ({"data": []}, InputError, "at least one instrument"),
    "a number for data": ({"data": 5}, InputError, "frame"),
    "unknown instrument": ({"data": "x_linear:NOPE"}, InputError, "x_linear:NOPE"),
    "missing column": ({"data": frame().drop("volume")}, DataError, "volume"),
    "NaN": ({"data": frame().with_columns(close=pl.lit(math.nan))}, DataError, "row 0"),
    "negative price": ({"data": frame().with_columns(low=pl.lit(-1.0))}, DataError, "low"),
    "unsorted": ({"data": frame().reverse()}, DataError, "earlier than the row before"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_used_is_refused_and_counts_no_trial(case, home):
    given, error, words = REFUSED[case]
    options = dict(given)
    data = options.pop("data", None)
    data = frame() if data is None else data
    with pytest.raises(error, match=words):
        openalpha.backtest("ma_cross", data, **options)
    assert not (home / "trials").exists()

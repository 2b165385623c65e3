"""One call from an idea to an honest result: what it takes, refuses and leaves behind."""

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

import openalpha
from openalpha.api import backtest
from openalpha.core.clock import HOUR_MS, ManualClock
from openalpha.core.errors import DataError, InputError, LookAheadError, OpenAlphaError
from openalpha.research.trials import TrialLedger
from openalpha.strategy import EventStrategy, SignalStrategy, StrategyParams
from openalpha.venue.settings import CostSettings
from tests.fakes.small_market import START_MS, linear, market

N = 400


def frame(n: int = N, seed: int = 3) -> pl.DataFrame:
    """Hourly bars of a walk."""
    random = np.random.default_rng(seed)
    close = np.round(100 * np.exp(random.normal(0, 0.01, n).cumsum()), 2)
    opening = np.append(100.0, close[:-1])
    return pl.DataFrame(
        {
            "ts": START_MS + np.arange(n, dtype=np.int64) * HOUR_MS,
            "open": opening,
            "high": np.maximum(opening, close) + 0.5,
            "low": np.minimum(opening, close) - 0.5,
            "close": close,
            "volume": np.full(n, 10_000.0),
        }
    )


class Clairvoyant(SignalStrategy):
    """Long where the next close is higher."""

    name = "clairvoyant"
    idea = "Know tomorrow."

    def target(self, bars: Any, params: Any) -> Any:
        return (np.append(bars.close[1:], 0) > bars.close).astype(float)


class AlwaysLong(SignalStrategy):
    name = "always_long"
    idea = "Hold."

    class Params(StrategyParams):
        share: float = 1.0

    def target(self, bars: Any, params: Any) -> Any:
        return np.full(len(bars.close), params.share)


def ran(home: Path, **given: Any) -> Any:
    given = {"strategy": "ma_cross", "data": frame(), "clock": ManualClock(START_MS)} | given
    return backtest(given.pop("strategy"), given.pop("data"), home=home, **given)


WRONG: list[tuple[str, dict[str, Any], type[OpenAlphaError], str]] = [
    ("no such strategy", {"strategy": "ma_corss"}, InputError, "ma_cross"),
    ("no such file", {"strategy": "nowhere/mine.py"}, InputError, "mine.py"),
    ("no such parameter", {"params": {"fastt": 3}}, InputError, "did you mean 'fast'"),
    ("a parameter out of range", {"params": {"fast": -3}}, InputError, "fast is -3"),
    ("capital in words", {"capital": "a lot"}, InputError, "'a lot'; write a number"),
    ("no capital", {"capital": None}, InputError, "'None'; write a number"),
    ("endless capital", {"capital": "inf"}, InputError, "finite"),
    ("capital that is not a number", {"capital": float("nan")}, InputError, "finite"),
    ("capital below zero", {"capital": -5}, InputError, "must be positive"),
    ("capital beyond all units", {"capital": "1e30"}, DataError, "a capital of 1E+30 is too large"),
    ("no such cost", {"costs": {"taker": 5}}, InputError, "taker"),
    ("an absurd cost", {"costs": {"taker_bps": 20_000}}, InputError, "taker_bps"),
    ("a cost in words", {"costs": {"spread_bps": "wide"}}, InputError, "spread_bps"),
    ("no such sizing", {"sizing": {"kind": "martingale"}}, InputError, "martingale"),
    ("no such path", {"fills": {"path": "lucky"}}, InputError, "lucky"),
    ("no leverage", {"margin": {"leverage": 0}}, InputError, "leverage"),
    ("risk beyond the hard limit", {"risk": {"max_position": 0.9}}, InputError, "max_position"),
    ("hedge mode", {"margin": {"position_mode": "hedge"}}, InputError, "one net position"),
    ("a date in words", {"data": "x:Y", "start": "then"}, InputError, "'then' is not a time"),
    ("an instrument without its market", {"data": "BTCUSDT"}, InputError, "MARKET:SYMBOL"),
    ("an instrument nobody has", {"data": "bybit_linear:NOPE"}, OpenAlphaError, "NOPE"),
    ("a time frame in words", {"data": "x_linear:Y", "timeframe": "often"}, InputError, "often"),
    ("nothing", {"data": []}, InputError, "at least one instrument"),
    ("a number", {"data": 7}, InputError, "data is a int"),
    ("the same instrument twice", {"data": [frame(), frame()]}, InputError, "given twice"),
    ("no rows", {"data": frame().head(0)}, DataError, "no rows"),
    ("no volume", {"data": frame().drop("volume")}, DataError, "lacks the column"),
    ("upside down", {"data": frame().reverse()}, DataError, "earlier than the row before"),
    ("a row twice", {"data": pl.concat([frame(3), frame(3).tail(1)])}, DataError, "repeats"),
    ("a price of nothing", {"data": frame().with_columns(low=pl.lit(0.0))}, DataError, "above 0"),
    ("a missing price", {"data": frame().with_columns(close=pl.lit(None, pl.Float64))}, DataError,
     "column close"),
    ("seconds", {"data": frame().with_columns(ts=pl.col("ts") // 1000)}, DataError, "milliseconds"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("given", "kind", "words"), [case[1:] for case in WRONG], ids=[case[0] for case in WRONG]
)
def test_bad_input_is_one_clear_sentence_and_leaves_nothing(tmp_path, given, kind, words):
    with pytest.raises(kind) as caught:
        ran(tmp_path, **given)
    sentence = str(caught.value)
    assert words in sentence
    assert "\n" not in sentence.strip()
    assert not list(tmp_path.rglob("*trial*"))


def test_a_strategy_that_sees_the_future_is_refused(tmp_path):
    with pytest.raises(LookAheadError, match="clairvoyant"):
        ran(tmp_path, strategy=Clairvoyant)
    result = ran(tmp_path, strategy=Clairvoyant, allow_lookahead=True)
    assert result.record["is_lookahead_allowed"]
    assert any("future" in sentence.lower() for sentence in result.record["flattering"])
    honest = ran(tmp_path, strategy=AlwaysLong, allow_lookahead=True)
    assert not honest.record["is_lookahead_allowed"]


def test_every_run_is_a_trial(tmp_path):
    first = ran(tmp_path)
    second = ran(tmp_path, params={"fast": 5})
    other = ran(tmp_path, strategy=AlwaysLong())
    assert [result.context.trial for result in (first, second, other)] == [0, 1, 2]
    ledger = TrialLedger(tmp_path)
    assert len(ledger) == 3
    assert ledger.verify() is None
    assert "always_long" in str(ledger.row(2))


def test_a_saved_run_leaves_its_folder(tmp_path):
    stored = ran(tmp_path).save()
    assert stored.path.is_dir()
    assert tmp_path in stored.path.parents
    record = json.loads((stored.path / "record.json").read_text("utf-8"))
    assert record["strategy"] == "ma_cross"
    assert record["settings"]["costs"]["preset"] == "realistic"
    assert record["capital"] == "10000"
    names = {path.name for path in stored.path.iterdir()}
    assert {"record.json", "result.json"} <= names


def test_the_same_call_gives_the_same_run(tmp_path):
    one, other = ran(tmp_path / "a"), ran(tmp_path / "b")
    assert one.fills.equals(other.fills)
    assert one.equity.equals(other.equity)
    assert one.record["data_fingerprint"] == other.record["data_fingerprint"]


def test_data_may_be_a_frame_a_history_or_several_of_them(tmp_path):
    plain = ran(tmp_path, strategy=AlwaysLong)
    prepared = ran(tmp_path, strategy=AlwaysLong, data=openalpha.history(frame()))
    assert plain.fills.equals(prepared.fills)
    bars = [100.0] * 50
    pair = [market(bars), market(bars, instrument=linear("ETHUSDT"))]
    both = ran(tmp_path, strategy=AlwaysLong, data=pair)
    assert both.fills["instrument"].to_list() == ["bybit_linear:BTCUSDT", "bybit_linear:ETHUSDT"]
    named = ran(tmp_path, strategy=AlwaysLong, data={"a": pair[0], "b": pair[1]})
    assert named.fills.equals(both.fills)


def test_settings_are_those_of_the_toml_or_their_dataclasses(tmp_path):
    named = ran(tmp_path, costs={"preset": "none", "taker_bps": 5.5}, sizing={"kind": "all_in"})
    built = ran(
        tmp_path,
        costs=CostSettings(preset="none", taker_bps=Decimal("5.5")),
        sizing={"kind": "all_in"},
    )
    assert named.fills.equals(built.fills)
    assert named.metrics["fees"] > 0
    assert named.record["settings"] == built.record["settings"]
    assert any("switched off" in sentence.lower() for sentence in named.record["flattering"])


def test_missing_settlements_are_bounded_and_the_worse_run_is_shown(tmp_path):
    rates = {0: "0.0001", 8: "0.0005", 16: "-0.0004", 24: "-0.0003", 56: "0.0001"}
    traded = linear(funding_interval_ms=8 * HOUR_MS)
    holed = market([100.0] * 60, instrument=traded, funding=rates)
    shown = {
        share: ran(
            tmp_path, strategy=AlwaysLong, data=holed, params={"share": share},
            costs={"preset": "none"},
        )
        for share in (1.0, -1.0)
    }  # fmt: skip
    # Held from hour 1: a long of 1,000 pays 5 - 4 - 3 + 1 of 10,000. The three settlements of the
    # hole (hours 32, 40, 48) add up to 1 + 5 - 4 of 10,000 at most and 5 - 4 - 3 at least.
    long_known, hole = 1000 * (0.0005 - 0.0004 - 0.0003 + 0.0001), 1000 * 0.0002
    assert float(shown[1.0].run.final_equity) == pytest.approx(10_000 - long_known - hole, abs=1e-4)
    assert float(shown[-1.0].run.final_equity) == pytest.approx(
        10_000 + long_known - hole, abs=1e-4
    )
    assert shown[1.0].context.funding_worst_return == pytest.approx(-(long_known + hole) / 10_000)
    items = [item for item in shown[1.0].open_items if "funding" in item["code"]]
    assert items
    assert "highest mean" in shown[1.0].run.notes[-1]
    assert "lowest mean" in shown[-1.0].run.notes[-1]
    off = ran(tmp_path, strategy=AlwaysLong, data=holed, costs={"preset": "none", "funding": False})
    assert off.run.final_equity == 10_000
    assert off.context.funding_worst_return is None


class Buyer(EventStrategy):
    """Buys once; knows how often it was asked."""

    name = "buyer"
    idea = "Hold."

    def on_start(self, ctx: Any) -> None:
        self.asked = 0

    def on_bar(self, ctx: Any) -> None:
        self.asked += 1
        if self.asked == 1:
            ctx.buy(10)


def test_an_event_strategy_is_bounded_with_an_object_for_each_run(tmp_path):
    traded = linear(funding_interval_ms=8 * HOUR_MS)
    rates = {0: "0.0001", 8: "0.0005", 56: "0.0001"}
    holed = market([100.0] * 60, instrument=traded, funding=rates)
    costs = {"preset": "none"}
    result = ran(tmp_path, strategy=Buyer, data=holed, costs=costs)
    # Five missing of hours 16 to 48, more than ever followed each other: the cap of 0.75 %.
    assert float(result.run.final_equity) == pytest.approx(10_000 - 0.6 - 5 * 7.5)
    assert any("±0.75 % a settlement, the cap (assumed)" in note for note in result.run.notes)
    own = Buyer(Buyer.Params())
    again = ran(tmp_path, strategy=own, data=holed, costs=costs)
    assert again.fills.equals(result.fills)
    assert not hasattr(own, "asked")


def test_the_public_door_is_the_same_function():
    assert openalpha.backtest is backtest

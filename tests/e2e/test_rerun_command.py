"""`openalpha runs` and `openalpha rerun` as a user types them."""

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from openalpha.cli.border import execute
from tests.e2e.test_backtest_command import lines, write_bars

MINE = '''"""A rule to change."""

from openalpha.strategy import Param, SignalStrategy, StrategyParams


class Mine(SignalStrategy):
    """Long above the average of the last closes."""

    name = "mine"
    idea = "Long above the average of the last closes."

    class Params(StrategyParams):
        length: int = Param(20, ge=2, le=200, unit="bars", help="Closes averaged.")

    def warm_up_bars(self, params):
        return params.length

    def target(self, bars, params):
        from openalpha.strategy.indicators import sma

        return (bars.close > sma(bars.close, period=params.length)).astype(float) * SIZE
'''


@pytest.fixture
def bars(tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    del home
    monkeypatch.chdir(tmp_path)
    return write_bars(tmp_path / "bars.csv", lines(400))


def as_json(capsys: pytest.CaptureFixture[str], *words: str, code: int = 0) -> Any:
    capsys.readouterr()
    assert execute([*words, "--json", "-"]) == code
    captured = capsys.readouterr()
    assert "Traceback" not in captured.err
    return json.loads(captured.out)


def the_run(home: Path) -> Path:
    (folder,) = (home / "runs" / "backtest").glob("*")
    return folder


def test_a_run_comes_out_again_to_the_byte_whatever_the_settings_say_now(bars, home, capsys):
    assert execute(["backtest", "ma_cross", "--data", "bars.csv", "--quiet"]) == 0
    (home / "openalpha.toml").write_text("[costs]\ntaker_bps = 50\n")
    found = as_json(capsys, "rerun", "latest", "--data", "bars.csv")
    assert found["is_identical"]
    assert found["changed"] == found["differences"] == []
    trials = as_json(capsys, "trials", "list")
    assert trials["rows"] == 1, "a rerun is no new trial"


def test_roles_are_kept(home, capsys):
    assert execute(["data", "synth", "--preset", "small", "--days", "10", "--quiet"]) == 0
    roles = ["--instrument", "spot=synthetic_spot:BTCUSDT", "perp=synthetic_linear:BTCUSDT"]
    assert execute(["backtest", "funding_carry", *roles, "--timeframe", "5m", "--quiet"]) == 0
    assert as_json(capsys, "rerun")["is_identical"]


def test_data_that_changed_is_named_before_what_it_changed(bars, tmp_path, capsys):
    assert execute(["backtest", "ma_cross", "--data", "bars.csv", "--quiet"]) == 0
    rows = lines(400)
    write_bars(bars, [*rows[:300], rows[300].replace(",50300", ",1"), *rows[301:]])
    found = as_json(capsys, "rerun", "--data", "bars.csv")
    assert (found["is_identical"], found["is_same_result"]) == (False, True)
    assert [change["kind"] for change in found["changed"]] == ["data"]
    assert "the values of as many bars" in found["changed"][0]["what"]
    write_bars(bars, rows[:390])
    found = as_json(capsys, "rerun", "--data", "bars.csv", code=4)
    assert [found["changed"][0][at] for at in ("then", "now")] == ["400", "390"]


def test_code_that_changed_is_named_and_its_first_effect(bars, home, capsys):
    (home / "strategies").mkdir(parents=True)
    file = home / "strategies" / "mine.py"
    file.write_text(MINE.replace("SIZE", "0.5"))
    assert execute(["backtest", "mine", "--data", "bars.csv", "--quiet"]) == 0
    assert as_json(capsys, "rerun", "--data", "bars.csv")["is_identical"]
    file.write_text(MINE.replace("SIZE", "0.25"))
    found = as_json(capsys, "rerun", "--data", "bars.csv", code=4)
    assert [change["kind"] for change in found["changed"]] == ["code"]
    places = {place["file"]: place["place"] for place in found["differences"]}
    assert places["fills.parquet"] == "row 0, qty"


def test_a_folder_somebody_touched_is_found_out(bars, home, capsys):
    assert execute(["backtest", "ma_cross", "--data", "bars.csv", "--quiet"]) == 0
    path = the_run(home) / "fills.parquet"
    frame = pl.read_parquet(path)
    frame.with_columns(fee=pl.when(pl.col("seq") == 3).then(0.0).otherwise("fee")).write_parquet(
        path, compression="zstd"
    )
    found = as_json(capsys, "rerun", "--data", "bars.csv", code=4)
    assert found["changed"] == []
    assert [(p["file"], p["place"], p["then"]) for p in found["differences"]] == [
        ("fills.parquet", "row 3, fee", "0.0")
    ]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["rerun", "latest"], "--data FILE"),
        (["rerun", "latest-4"], "there are 1 backtests"),
        (["rerun", "latest", "--data", "spot=bars.csv"], "fits none of the run's instruments"),
        (["rerun", "1999"], "there is no run '1999'"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line(bars, capsys, words, said):
    assert execute(["backtest", "ma_cross", "--data", "bars.csv", "--quiet"]) == 0
    capsys.readouterr()
    assert execute(words) == 1
    captured = capsys.readouterr()
    assert said in captured.err
    assert "Traceback" not in captured.err


def test_runs_are_listed_with_figures_and_by_family(bars, home, capsys):
    assert execute(["runs"]) == 0
    assert "There are no runs" in capsys.readouterr().out
    for strategy, more in (("ma_cross", []), ("macd", ["--family", "averages"]), ("rsi", [])):
        name = {"rsi": "rsi_reversion"}.get(strategy, strategy)
        assert execute(["backtest", name, "--data", "bars.csv", "--quiet", *more]) == 0
    found = as_json(capsys, "runs")["backtests"]
    assert [row["strategy"] for row in found] == ["ma_cross", "macd", "rsi_reversion"]
    document = json.loads((home / "runs/backtest" / found[0]["run"] / "result.json").read_text())
    assert found[0]["metrics"]["sharpe"] == document["metrics"]["sharpe"]
    (row,) = as_json(capsys, "runs", "list", "--family", "averages")["backtests"]
    assert row["strategy"] == "macd"
    assert execute(["runs", "--last", "1"]) == 0
    text = capsys.readouterr().out
    assert "The last 1 of 3 backtests" in text
    assert "ma_cross" not in text

"""`openalpha backtest` as a user types it: what it says, what it leaves, how it ends."""

import json
import math
from pathlib import Path

import pytest

from openalpha.cli.border import execute

START = 1_704_067_200_000
HOUR = 3_600_000


def lines(count: int = 800) -> list[str]:
    """Hourly bars that swing, so that every strategy trades a little."""
    out, before = [], 100.0
    for at in range(count):
        after = round(100 + 8 * math.sin(at / 17) + 3 * math.sin(at / 5.3), 2)
        high, low = max(before, after) + 0.2, min(before, after) - 0.2
        out.append(f"{START + HOUR * at},{before},{high:.2f},{low:.2f},{after},{50_000 + at}")
        before = after
    return out


def write_bars(path: Path, rows: list[str], *, head: str = "") -> Path:
    path.write_text((head or "ts,open,high,low,close,volume") + "\n" + "\n".join(rows) + "\n")
    return path


@pytest.fixture
def bars(tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    del home
    monkeypatch.chdir(tmp_path)
    return write_bars(tmp_path / "bars.csv", lines())


def said(capsys: pytest.CaptureFixture[str]) -> str:
    captured = capsys.readouterr()
    assert "Traceback" not in captured.err
    return captured.out + captured.err


def folders(home: Path) -> list[Path]:
    return sorted((home / "runs" / "backtest").glob("*"))


def test_a_run_from_a_file_reports_and_leaves_its_folder(bars, home, capsys):
    assert execute(["backtest", "ma_cross", "--data", "bars.csv"]) == 0
    text = said(capsys)
    assert "after all costs" in text
    assert "frame:" in text
    (folder,) = folders(home)
    assert f"Run kept in {folder}" in text
    record = json.loads((folder / "record.json").read_text())
    assert record["strategy"] == "ma_cross"
    assert record["trial"]["family"] == 1
    assert record["settings"]["costs"]["preset"] == "realistic"
    assert {"result.json", "fills.parquet", "equity.parquet"} <= {p.name for p in folder.iterdir()}


def test_outputs_for_programs(bars, tmp_path, capsys):
    out = ["--json", "r.json", "--html", "pages/r.html", "--csv", "tables"]
    assert (
        execute(["backtest", "momentum", "--data", "bars.csv", "--param", "lookback=30", *out]) == 0
    )
    said(capsys)
    assert json.loads((tmp_path / "r.json").read_text())["record"]["params"]["lookback"] == 30
    assert "</html>" in (tmp_path / "pages" / "r.html").read_text()
    assert (tmp_path / "tables" / "fills.csv").read_text().startswith("seq,")


def test_json_on_stdout_stands_alone(bars, capsys):
    assert execute(["backtest", "ma_cross", "--data", "bars.csv", "--json", "-"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["metrics"]["round_trips"] > 0
    assert document["record"]["capital"] == "10000"


def test_quiet_says_nothing(bars, capsys):
    assert execute(["backtest", "ma_cross", "--data", "bars.csv", "--quiet"]) == 0
    captured = capsys.readouterr()
    assert captured.out == ""


def test_settings_reach_the_run(bars, capsys):
    free = ["--set", "costs.preset=none", "--set", "sizing.kind=all_in", "--capital", "2_500"]
    assert execute(["backtest", "ma_cross", "--data", "bars.csv", "--json", "-", *free]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["metrics"]["fees"] == 0
    assert document["record"]["capital"] == "2500"
    assert document["record"]["flattering"]
    assert execute(["backtest", "ma_cross", "--data", "bars.csv", *free]) == 0
    assert "Live trading pays" in said(capsys)


def test_a_span_is_half_open(bars, capsys):
    span = ["--from", "2024-01-03", "--to", "2024-01-20", "--json", "-"]
    assert execute(["backtest", "ma_cross", "--data", "bars.csv", *span]) == 0
    (data,) = json.loads(capsys.readouterr().out)["record"]["data"].values()
    assert (data["from"], data["to"]) == ("2024-01-03T00:00:00Z", "2024-01-20T00:00:00Z")
    assert data["bars"] == 17 * 24


def test_funding_in_a_file_is_paid(bars, tmp_path, capsys):
    rates = [f"{row},{'0.001' if at % 8 == 0 else ''}" for at, row in enumerate(lines())]
    head = "ts,open,high,low,close,volume,funding_rate"
    write_bars(tmp_path / "paid.csv", rates, head=head)
    assert execute(["backtest", "buy_and_hold", "--data", "paid.csv", "--json", "-"]) == 0
    assert json.loads(capsys.readouterr().out)["metrics"]["funding"] < 0


def test_a_lake_instrument_and_roles_typed_as_one_option(home, capsys):
    synth = ["data", "synth", "--preset", "small", "--days", "30", "--quiet"]
    assert execute(synth) == 0
    roles = ["--instrument", "spot=synthetic_spot:BTCUSDT", "perp=synthetic_linear:BTCUSDT"]
    assert execute(["backtest", "funding_carry", *roles, "--timeframe", "5m"]) == 0
    text = said(capsys)
    assert "SYNTHETIC market" in text
    both = ["--instrument", "synthetic_linear:BTCUSDT", "--instrument", "synthetic_linear:ETHUSDT"]
    assert execute(["backtest", "ma_cross", *both, "--timeframe", "5m", "--json", "-"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["record"]["instruments"] == [name for name in both if ":" in name]


SEER = """
import numpy as np
from openalpha.strategy import SignalStrategy, StrategyParams


class Seer(SignalStrategy):
    name = "seer"
    idea = "Knows the next close."

    class Params(StrategyParams):
        pass

    def warm_up_bars(self, params):
        return 1

    def target(self, bars, params):
        after = np.append(bars.close[1:], bars.close[-1])
        return np.where(after > bars.close, 1.0, -1.0)
"""


def test_look_ahead_is_refused_with_bar_and_column(bars, home, tmp_path, capsys):
    (tmp_path / "seer.py").write_text(SEER)
    assert execute(["backtest", "seer.py", "--data", "bars.csv"]) == 1
    text = said(capsys)
    assert "close" in text
    assert "2024-0" in text
    assert not folders(home)
    assert not (home / "trials").exists()


def test_allowed_look_ahead_is_said_on_every_output(bars, tmp_path, capsys):
    (tmp_path / "seer.py").write_text(SEER)
    run = ["backtest", "seer.py", "--data", "bars.csv", "--allow-lookahead", "--quiet"]
    assert execute([*run, "--html", "r.html", "--json", "r.json"]) == 0
    captured = capsys.readouterr()
    assert captured.err.startswith("LOOK-AHEAD ALLOWED")
    assert "saw the future" in (tmp_path / "r.html").read_text()
    document = json.loads((tmp_path / "r.json").read_text())
    assert document["record"]["is_lookahead_allowed"] is True
    assert execute(run[:-1]) == 0
    assert "saw the future" in " ".join(said(capsys).split())


FILE = ["ma_cross", "--data"]
BAD: dict[str, tuple[list[str], str]] = {
    "missing file": ([*FILE, "nothing.csv"], "nothing.csv does not exist"),
    "a folder": ([*FILE, "."], "cannot be read"),
    "an empty file": ([*FILE, "empty.csv"], "the file is empty"),
    "a head and no rows": ([*FILE, "head.csv"], "has no rows"),
    "wrong columns": ([*FILE, "columns.csv"], "not market data (columns a, b)"),
    "text for a price": ([*FILE, "text.csv"], "row 4, column high: was missing or not a number"),
    "NaN": ([*FILE, "nan.csv"], "row 4, column close: was NaN"),
    "a negative price": ([*FILE, "negative.csv"], "row 4, column low: was -3"),
    "a negative volume": ([*FILE, "volume.csv"], "row 4, column volume: was -5"),
    "high below low": ([*FILE, "crossed.csv"], "row 4, column high"),
    "unsorted stamps": ([*FILE, "unsorted.csv"], "row 3, column ts: 2024-01-01T00:00:00Z is"),
    "duplicate stamps": ([*FILE, "twice.csv"], "row 5, column ts: 2024-01-01T02:00:00Z repeats"),
    "two rows of one stamp": ([*FILE, "other.csv"], "repeats a stamp of the file"),
    "off the grid": ([*FILE, "bars.csv", "--timeframe", "7m"], "expected a stamp on the 7m grid"),
    "a wrong rate": ([*FILE, "rate.csv"], "row 4, column funding_rate: was much"),
    "no data in range": ([*FILE, "bars.csv", "--from", "2030-01-01"], "no bars in the range"),
    "a turned range": (
        [*FILE, "bars.csv", "--from", "2024-02-01", "--to", "2024-01-01"], "not before"),
    "a date that is none": ([*FILE, "bars.csv", "--from", "yesterday"], "yesterday"),
    "unknown strategy": (["ma_crss", "--data", "bars.csv"], "ma_crss"),
    "no strategy": (["x_spot:AB"], "one strategy is needed"),
    "two strategies": (["macd", "dca", "--data", "bars.csv"], "one strategy is needed"),
    "unknown parameter": ([*FILE, "bars.csv", "--param", "fats=3"], "fats"),
    "a parameter of another kind": ([*FILE, "bars.csv", "--param", "fast=many"], "fast"),
    "an absurd parameter": ([*FILE, "bars.csv", "--param", "fast=-5"], "fast"),
    "a parameter twice": ([*FILE, "bars.csv", "--param", "fast=2", "--param", "fast=3"], "twice"),
    "parameter without value": ([*FILE, "bars.csv", "--param", "fast"], "NAME=VALUE"),
    "nothing to test on": (["ma_cross"], "nothing to test on"),
    "unknown instrument": (["ma_cross", "--instrument", "x_linear:NOPE"], "x_linear:NOPE"),
    "no instrument name": (["ma_cross", "--instrument", "NOPE"], "NOPE"),
    "unknown time frame": ([*FILE, "bars.csv", "--timeframe", "1q"], "not a time frame"),
    "negative capital": ([*FILE, "bars.csv", "--capital", "-5"], "expected an amount above 0"),
    "no capital": ([*FILE, "bars.csv", "--capital", "0"], "expected an amount above 0"),
    "capital in words": ([*FILE, "bars.csv", "--capital", "much"], "expected an amount such as"),
    "capital without end": ([*FILE, "bars.csv", "--capital", "inf"], "expected an amount above 0"),
    "more files than names": (
        [*FILE, "bars.csv", "--instrument", "x_spot:A", "x_spot:B"], "do not pair"),
    "a role for one": ([*FILE, "spot=bars.csv", "--data", "bars.csv"], "give each its role"),
    "a role twice": ([*FILE, "a=bars.csv", "--data", "a=bars.csv"], "given twice"),
    "one file twice": ([*FILE, "bars.csv", "--data", "bars.csv"], "given twice"),
    "unknown setting": ([*FILE, "bars.csv", "--set", "costs.takr_bps=1"], "costs.takr_bps"),
    "a setting out of range": ([*FILE, "bars.csv", "--set", "margin.leverage=0"], "leverage"),
}  # fmt: skip


def spoil(folder: Path) -> None:
    """Write one file for each way a file can be wrong."""
    good = lines(40)
    stamp, price = good[2].split(",", 1)
    o, h, low, c, v = price.split(",")
    wrong = {
        "text": f"{stamp},{o},high,{low},{c},{v}",
        "nan": f"{stamp},{o},{h},{low},nan,{v}",
        "negative": f"{stamp},{o},{h},-3,{c},{v}",
        "volume": f"{stamp},{o},{h},{low},{c},-5",
        "crossed": f"{stamp},{o},{low},{h},{c},{v}",
    }
    for name, row in wrong.items():
        write_bars(folder / f"{name}.csv", [*good[:2], row, *good[3:]])
    write_bars(folder / "unsorted.csv", [good[1], good[0], *good[2:]])
    write_bars(folder / "twice.csv", [*good[:3], good[2], *good[3:]])
    other = f"{stamp},{o},{float(h) + 1},{low},{c},{v}"
    write_bars(folder / "other.csv", [*good[:3], other, *good[3:]])
    write_bars(folder / "columns.csv", ["1,2"], head="a,b")
    (folder / "head.csv").write_text("ts,open,high,low,close,volume\n")
    (folder / "empty.csv").write_text("")
    rates = [f"{row},{'much' if at == 2 else ''}" for at, row in enumerate(good)]
    write_bars(folder / "rate.csv", rates, head="ts,open,high,low,close,volume,funding_rate")


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_one_sentence_and_leaves_nothing(case, bars, home, tmp_path, capsys):
    spoil(tmp_path)
    arguments, words = BAD[case]
    assert execute(["backtest", *arguments, "--html", "r.html", "--json", "r.json"]) == 1
    text = said(capsys)
    assert words in text
    assert text.count("error: ") == 1
    assert not folders(home)
    assert not (home / "trials").exists()
    assert not (tmp_path / "r.html").exists()
    assert not (tmp_path / "r.json").exists()


def test_a_place_that_cannot_be_written_is_named(bars, home, capsys):
    assert execute(["backtest", "ma_cross", "--data", "bars.csv", "--html", "bars.csv/r.html"]) == 5
    assert "bars.csv/r.html could not be written" in said(capsys)
    assert len(folders(home)) == 1

"""Synthetic markets on their way: into the lake and out again, as files and in again."""

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from openalpha.cli.border import execute
from openalpha.core.clock import HOUR_MS, ManualClock, parse_ms
from openalpha.core.errors import DataError
from openalpha.market.importers import Stated, import_paths
from openalpha.market.lake import Lake
from openalpha.market.synth import Edge, SynthSpec, synthesise
from openalpha.market.synth.keep import keep_in_lake, write_files

SPEC = SynthSpec(days=40, timeframe_ms=HOUR_MS, edge=Edge.parse("momentum:2"))
CLOCK = ManualClock(parse_ms("2026-01-01"))
NAMES = ("synthetic_linear:BTCUSDT", "synthetic_linear:ETHUSDT", "synthetic_spot:BTCUSDT")


def same_as_made(lake: Lake, seed: int) -> bool:
    made = {str(name): part for name, part in synthesise(SPEC, seed=seed).histories.items()}
    assert set(made) == set(NAMES)
    for name, history in made.items():
        kept = lake.load(name, "1h")
        for column in ("open", "high", "low", "close", "volume", "funding_rate", "mark_close",
                       "index_close"):  # fmt: skip
            if not np.array_equal(kept.column(column), history.column(column), equal_nan=True):
                return False
    return True


def test_the_lake_gives_back_what_was_made(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    keep_in_lake(synthesise(SPEC, seed=1), lake, clock=CLOCK, replaces=False)
    assert same_as_made(lake, 1)
    history = lake.load(NAMES[0], "1h")
    assert any("SYNTHETIC" in note for note in history.notes)
    assert len(history.instrument.tiers) == 4


def test_the_same_market_twice_changes_nothing(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    for _ in range(2):
        keep_in_lake(synthesise(SPEC, seed=1), lake, clock=CLOCK, replaces=False)
    assert same_as_made(lake, 1)


def test_another_market_takes_the_place_only_when_told(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    keep_in_lake(synthesise(SPEC, seed=1), lake, clock=CLOCK, replaces=False)
    with pytest.raises(DataError, match="--replace"):
        keep_in_lake(synthesise(SPEC, seed=2), lake, clock=CLOCK, replaces=False)
    assert same_as_made(lake, 1)
    keep_in_lake(synthesise(SPEC, seed=2), lake, clock=CLOCK, replaces=True)
    assert same_as_made(lake, 2)


def test_files_are_read_by_the_import(tmp_path: Path) -> None:
    market = synthesise(SPEC, seed=1)
    write_files(market, tmp_path / "files")
    truth = pl.read_parquet(tmp_path / "files/truth/synthetic_linear/BTCUSDT_1h.parquet")
    assert truth.columns == ["ts", "position"]
    assert truth["position"].abs().max() <= 1  # type: ignore[operator]
    lake = Lake(tmp_path / "home")
    folders = [tmp_path / "files" / name for name in ("ohlcv", "mark", "index", "funding")]
    report = import_paths(lake, folders, clock=CLOCK, stated=Stated())
    assert not [item for item in report.files if item.skipped]
    assert same_as_made(lake, 1)


def test_the_command(home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    report = tmp_path / "report.json"
    ask = [
        "data",
        "synth",
        "--preset",
        "small",
        "--days",
        "35",
        "--seed",
        "3",
        "--json",
        str(report),
    ]
    assert execute([*ask, "--edge", "mean_reversion:1.5", "--since", "2024-02-01"]) == 0
    assert "SYNTHETIC, seed 3: 9 series in the lake" in capsys.readouterr().out
    found = json.loads(report.read_text("utf-8"))
    assert [item["instrument"] for item in found["instruments"]] == [NAMES[0], NAMES[2], NAMES[1]]
    assert found["instruments"][0]["planted_net_sharpe"] == pytest.approx(1.5)
    assert found["instruments"][0]["first"] == parse_ms("2024-02-01")
    assert (home / "lake").is_dir()


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (["--preset", "huge"], "--preset was 'huge'"),
        (["--days", "-1"], "--days was -1"),
        (["--since", "2024-01-01T05:00"], "midnight"),
        (["--since", "yesterday"], "not a time"),
        (["--timeframe", "7m"], "time frame"),
        (["--edge", "luck:2"], "'luck:2' is not an edge"),
        (["--edge", "momentum:2", "--days", "3"], "at least 30 days"),
        (["--symbols", "BTC/USDT"], "cannot name"),
    ],
)
def test_bad_input_is_one_sentence(
    more: list[str], words: str, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert execute(["data", "synth", "--preset", "small", *more]) == 1
    said = capsys.readouterr().err
    assert words in said
    assert len(said.strip().splitlines()) == 1
    assert not (home / "lake").exists()


def test_a_folder_that_cannot_be_made_is_one_sentence(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("", "utf-8")
    ask = ["data", "synth", "--preset", "small", "--days", "1", "--out", str(tmp_path / "file")]
    assert execute(ask) == 5
    assert "cannot be written" in capsys.readouterr().err
    assert not home.exists()

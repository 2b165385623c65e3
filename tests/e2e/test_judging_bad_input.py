"""What judging a strategy does with input that says nothing: clear words, nothing lost."""

import errno
import os
from pathlib import Path

import pytest

from openalpha.cli.border import execute
from openalpha.research.trials import TrialLedger
from tests.e2e.test_backtest_command import HOUR, START, lines, write_bars

COMMANDS = {
    "backtest": ["--param", "fast=5", "--param", "slow=20"],
    "walkforward": ["--grid", "fast=3,5", "--grid", "slow=12,20", "--folds", "2"],
    "montecarlo": ["--param", "fast=5", "--param", "slow=20", "--reruns", "2", "--paths", "50"],
    "stress": ["--param", "fast=5", "--param", "slow=20"],
}
SAME = [f"{START + HOUR * at},100,100,100,100,1000" for at in range(400)]
IDLE = {
    "backtest": "It never traded, so there is nothing to judge.",
    "walkforward": "Training made nothing: there was nothing to choose.",
    "montecarlo": "It never traded: no path of it tells anything.",
    "stress": "It never held anything: no crisis or shock could touch it.",
}
MARKETS = {"one bar": lines(1), "two bars": lines(2), "constant price": SAME}


def run(name: str, *more: str, strategy: str = "ma_cross", data: str = "bars.csv") -> list[str]:
    return [name, strategy, "--data", data, *more]


@pytest.fixture
def here(tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    write_bars(tmp_path / "bars.csv", lines(600))
    return home


def heard(capsys: pytest.CaptureFixture[str]) -> str:
    text = capsys.readouterr().err
    assert "Traceback" not in text
    return text


def left_half_written(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.name.startswith(".") and path.is_file()]


@pytest.mark.parametrize("market", MARKETS)
@pytest.mark.parametrize("command", COMMANDS)
def test_a_market_that_says_nothing(here, tmp_path, capsys, command: str, market: str) -> None:
    write_bars(tmp_path / "odd.csv", MARKETS[market])
    page = tmp_path / "page.html"
    asked = run(command, *COMMANDS[command], "--html", str(page), "--quiet", "--timeframe", "1h",
                data="odd.csv")  # fmt: skip
    code = execute(asked)
    text = heard(capsys)
    if code:
        assert code == 1 and text.startswith("error: ") and "too few" in text, text
        assert not page.exists()
    else:
        words = page.read_text("utf-8")
        cells = words[words.index("<main") : words.index("<script")]
        assert not any(bad in cells for bad in (">nan", ">inf", "nan %", "inf %"))
    assert TrialLedger(here).verify() is None


@pytest.mark.parametrize("command", COMMANDS)
def test_a_strategy_that_stays_in_cash(here, tmp_path, capsys, command: str) -> None:
    of_it = {"walkforward": ["--grid", "share=0", "--folds", "2"],
             "montecarlo": ["--param", "share=0", "--reruns", "2"]}  # fmt: skip
    more = of_it.get(command, ["--param", "share=0"])
    page, paper = tmp_path / "page.html", tmp_path / "page.pdf"
    asked = run(command, *more, "--html", str(page), "--pdf", str(paper), strategy="buy_and_hold")
    assert execute(asked) == 0
    assert IDLE[command] in page.read_text("utf-8") and paper.read_bytes().startswith(b"%PDF")
    heard(capsys)
    assert TrialLedger(here).verify() is None


def test_a_grid_of_nothing(here, capsys) -> None:
    assert execute(run("sweep", "--grid", "fast=")) == 1
    assert "fast has no value: write FROM:TO:STEP" in heard(capsys)
    assert not (here / "trials").exists(), "refused before the first trial"


def test_an_objective_nobody_knows(here, capsys) -> None:
    asked = run("walkforward", *COMMANDS["walkforward"], "--objective", "sharp")
    assert execute(asked) == 1
    assert "did you mean" in heard(capsys)
    assert not (here / "trials").exists(), "refused before the first trial"


@pytest.mark.parametrize("command", COMMANDS)
def test_a_full_disk_leaves_what_was_there(here, tmp_path, capsys, monkeypatch, command) -> None:
    page = tmp_path / "page.html"
    page.write_text("an older report")
    asked = run(command, *COMMANDS[command], "--quiet")
    assert execute(asked) == 0
    before = len(TrialLedger(here))
    sync = os.fsync

    def full(handle: int) -> None:
        name = str(Path(f"/proc/self/fd/{handle}").readlink())
        if "page.html" in name:
            raise OSError(errno.ENOSPC, "no space left")
        sync(handle)

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        assert execute([*asked, "--html", str(page)]) == 5
    assert "the disk is full: free some space" in heard(capsys)
    assert page.read_text() == "an older report"
    assert not left_half_written(tmp_path)
    ledger = TrialLedger(here)
    assert ledger.verify() is None and len(ledger) >= before


@pytest.mark.parametrize("command", COMMANDS)
def test_a_full_disk_before_the_first_trial(here, tmp_path, capsys, monkeypatch, command) -> None:
    def full(handle: int) -> None:
        del handle
        raise OSError(errno.ENOSPC, "no space left")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        assert execute(run(command, *COMMANDS[command], "--quiet")) == 5
    assert "the disk is full" in heard(capsys)
    assert execute(run(command, *COMMANDS[command], "--quiet")) == 0, "and then it goes on"
    assert TrialLedger(here).verify() is None


@pytest.mark.parametrize(
    ("runs", "words"),
    [(["latest", "latest"], "two different runs"), (["latest", "nowhere"], "nowhere")],
)
def test_runs_that_cannot_be_compared(here, tmp_path, capsys, runs, words) -> None:
    assert execute(run("backtest", *COMMANDS["backtest"], "--quiet")) == 0
    page = tmp_path / "c.html"
    assert execute(["compare", *runs, "--html", str(page)]) == 1
    assert words in heard(capsys) and not page.exists()


def test_idle_and_constant_runs_are_compared(here, tmp_path, capsys) -> None:
    write_bars(tmp_path / "same.csv", SAME)
    assert execute(run("backtest", *COMMANDS["backtest"], "--quiet", data="same.csv")) == 0
    idle = run("backtest", "--param", "share=0", "--quiet", strategy="buy_and_hold")
    assert execute(idle) == 0
    page = tmp_path / "c.html"
    assert execute(["compare", "latest", "latest-1", "--html", str(page)]) == 0
    assert "nan" not in heard(capsys).lower() and page.stat().st_size > 1_000

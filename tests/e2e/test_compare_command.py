"""`openalpha compare`: runs of folders side by side."""

from pathlib import Path

import pytest

from openalpha.cli.border import execute
from openalpha.research.report import compare_html
from tests.e2e.test_backtest_command import lines, write_bars
from tests.e2e.test_rerun_command import as_json
from tests.fakes.engine_run import fake_result

RUN = ["backtest", "ma_cross", "--data", "bars.csv", "--quiet"]


@pytest.fixture
def bars(tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    del home
    monkeypatch.chdir(tmp_path)
    return write_bars(tmp_path / "bars.csv", lines(400))


def test_runs_are_named_by_what_sets_them_apart_and_warned_of(bars, tmp_path, capsys):
    assert execute([*RUN, "--param", "fast=8"]) == 0
    assert execute([*RUN, "--param", "fast=9", "--set", "costs.taker_bps=1"]) == 0
    assert execute([*RUN, "--param", "fast=9", "--from", "2024-01-03"]) == 0
    found = as_json(capsys, "compare", "latest-2", "latest-1", "latest", "--html", "c.html")
    names = [run["name"] for run in found["runs"]]
    assert names[0].startswith("ma_cross fast 8")
    assert names[1] == "ma_cross fast 9, taker_bps 1"
    assert found["unlike"]["params.fast"] == ["8", "9", "9"]
    said = " ".join(found["cautions"])
    assert "different times" in said
    assert "settings of costs differ" in said
    page = (tmp_path / "c.html").read_text()
    assert "Before you compare" in page
    assert 'id="falls"' in page
    assert execute(["compare", "latest-2", "latest-1"]) == 0
    text = capsys.readouterr().out
    assert "params.fast: 8 | 9" in text
    assert "different times" not in text


def test_what_a_folder_says_is_what_the_result_said(tmp_path, home):
    from openalpha.research.compared import compared, compared_run

    result = fake_result(bars=2_000, changes=80)
    kept = compared_run(result.save(tmp_path))
    fresh = compared(result)
    assert kept.verdict == fresh.verdict
    assert kept.made_from == fresh.made_from
    assert kept.metrics == pytest.approx(fresh.metrics, rel=1e-15, nan_ok=True)
    assert compare_html([result]) == compare_html([kept])


def test_one_run_twice_is_no_comparison(bars, capsys):
    assert execute(RUN) == 0
    capsys.readouterr()
    assert execute(["compare", "latest", "latest"]) == 1
    assert "two different runs" in capsys.readouterr().err


def test_only_runs_of_one_strategy_are_told_apart_by_their_parameters(home):
    from openalpha.research.compared import cautions, compared, labels

    def run(strategy: str, fast: int) -> object:
        return compared(fake_result(strategy, bars=50, changes=2, context={"params": {"f": fast}}))

    assert labels([run("a", 1), run("a", 2), run("b", 3)]) == ["a f 1", "a f 2", "b"]
    assert labels([run("a", 1), run("a", 1)]) == ["a (1)", "a (2)"]
    assert list(cautions([run("a", 1), run("b", 3)])) == []

"""`openalpha demo` on a short market: the table, the pages, what a second call does."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from openalpha.cli.border import execute
from openalpha.cli.demo import PLANS
from openalpha.core.clock import MINUTE_MS
from openalpha.market.synth import PRESETS


@pytest.fixture(autouse=True)
def _short_market(monkeypatch: pytest.MonkeyPatch) -> None:
    """Thirty days instead of two years; everything else is as a user gets it."""
    monkeypatch.setitem(PRESETS, "demo", replace(PRESETS["demo"], days=30, timeframe_ms=MINUTE_MS))


def test_the_demo_compares_all_strategies_and_runs_again(home, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "80")
    assert execute(["demo", "--json", str(tmp_path / "demo.json")]) == 0
    captured = capsys.readouterr()
    assert "SYNTHETIC" in captured.out
    assert max(len(line) for line in captured.out.splitlines()) <= 80
    for plan in PLANS:
        for part in plan.strategy.split("_volume"):
            assert part in captured.out
    assert "\n_volume " in captured.out
    assert f"HTML report: {home / 'demo' / 'report.html'}" in captured.err
    assert "Next, for example" in captured.err
    document = json.loads((tmp_path / "demo.json").read_text())
    assert [run["strategy"] for run in document["runs"]] == [plan.strategy for plan in PLANS]
    assert document["is_synthetic"] is True
    page = (home / "demo" / "report.html").read_text()
    assert "Synthetic market" in page
    for plan in PLANS:
        assert f'href="report/{plan.strategy}.html"' in page
        assert (home / "demo" / "report" / f"{plan.strategy}.html").is_file()

    before = {run["strategy"]: run["metrics"] for run in document["runs"]}
    assert execute(["demo", "--json", "-"]) == 0
    captured = capsys.readouterr()
    assert "is in the lake already" in captured.err
    again = json.loads(captured.out)
    assert {run["strategy"]: run["metrics"] for run in again["runs"]} == before
    assert {run["trials"] for run in again["runs"]} == {1}

    assert execute(["demo", "--seed", "8", "--html", str(tmp_path / "eight.html"), "--quiet"]) == 0
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", "")
    assert (tmp_path / "eight.html").is_file()


def test_another_synthetic_market_is_not_replaced_unasked(home, tmp_path, capsys):
    synth = ["data", "synth", "--days", "30", "--seed", "3", "--quiet"]
    assert execute(synth) == 0
    assert execute(["demo", "--quiet"]) == 1
    assert "--replace" in capsys.readouterr().err
    assert not (home / "runs").exists()
    other = tmp_path / "other"
    assert execute(["demo", "--home", str(other), "--quiet"]) == 0
    assert (other / "demo" / "report.html").is_file()
    assert not (home / "demo").exists()


def test_every_built_in_strategy_is_in_the_demo() -> None:
    from openalpha.strategy import strategy_names

    assert {plan.strategy for plan in PLANS} == set(strategy_names())


def test_a_damaged_note_of_the_market_only_costs_time(home: Path, capsys):
    assert execute(["demo", "--quiet"]) == 0
    (home / "demo" / "market.json").write_text("{")
    assert execute(["demo"]) == 0
    assert "Making a SYNTHETIC market" in capsys.readouterr().err
    assert json.loads((home / "demo" / "market.json").read_text())["seed"] == 7

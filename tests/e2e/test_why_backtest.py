"""`openalpha why` on backtests: a moment, the first missed trade, and where two runs part."""

from pathlib import Path

import pytest

from openalpha.cli.border import execute
from tests.e2e.test_backtest_command import lines, write_bars
from tests.e2e.test_rerun_command import as_json

RUN = ["backtest", "ma_cross", "--data", "bars.csv", "--quiet", "--param"]
FEW = ["--set", "risk.profile=live", "--set", "risk.max_trades_per_day=1"]


@pytest.fixture
def bars(tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    del home
    monkeypatch.chdir(tmp_path)
    return write_bars(tmp_path / "bars.csv", lines(400))


def test_a_moment_is_told_with_its_orders_and_what_became_of_them(bars, capsys):
    assert execute([*RUN, "fast=8"]) == 0
    last = as_json(capsys, "why", "latest", "--limit", "1")
    (decision,) = last["decisions"]
    assert decision["gate"] == "ordered"
    assert sum(last["counts"].values()) == 400
    # A bar is asked for by any moment within it, and decides at its close.
    (again,) = as_json(capsys, "why", "latest", "--at", decision["bar"])["decisions"]
    assert again == decision
    assert decision["orders"]
    assert all(order["filled"] == order["qty"] for order in decision["orders"])
    assert "an order was made; order" in decision["in_words"]
    (warm,) = as_json(capsys, "why", "latest", "--at", "2024-01-01T03:30")["decisions"]
    assert (warm["gate"], warm["held"], warm["time"]) == ("signal", 0, "2024-01-01T04:00:00Z")


def test_the_first_trade_it_did_not_get(bars, capsys):
    assert execute([*RUN, "fast=8"]) == 0
    assert as_json(capsys, "why", "latest", "--first-missed")["first_missed"] is None
    assert execute([*RUN, "fast=8", *FEW]) == 0
    missed = as_json(capsys, "why", "latest", "--first-missed")["first_missed"]
    assert (missed["gate"], missed["reason"]) == ("limits", "max_trades")


def test_an_order_below_the_venues_minimum_is_missed_at_that_gate(bars, capsys):
    rules = ["--instrument", "bybit_linear:ETHUSDT", "--capital", "20"]
    assert execute([*RUN, "fast=8", *rules]) == 0
    missed = as_json(capsys, "why", "latest", "--first-missed")["first_missed"]
    assert missed["gate"] in {"minimum order", "sizing"}
    assert missed["in_words"] != "an order was made"


def test_two_runs_part_at_a_gate_with_what_they_were_made_from(bars, capsys):
    for more in (["fast=8"], ["fast=8"], ["fast=9"], ["fast=9", "--set", "sizing.fraction=0.2"]):
        assert execute([*RUN, *more]) == 0
    same = as_json(capsys, "why", "latest-3", "--against", "latest-2")
    assert (same["made_from"], same["first_difference"]) == ([], None)
    other = as_json(capsys, "why", "latest-2", "--against", "latest-1")
    assert [(row["what"], row["then"], row["now"]) for row in other["made_from"]] == [
        ("fast", "8", "9")
    ]
    assert other["first_difference"]["gate"] == "signal"
    sized = as_json(capsys, "why", "latest-1", "--against", "latest")
    assert sized["first_difference"]["gate"] == "sizing"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--at", "2030-01-01"], "lies in no bar"),
        (["--at", "2024-01-02", "--first-missed"], "give one"),
        (["--against", "1999"], "there is no run"),
    ],
)
def test_what_cannot_be_answered_is_said_in_one_line(bars, capsys, words, said):
    assert execute([*RUN, "fast=8"]) == 0
    capsys.readouterr()
    assert execute(["why", "latest", *words]) == 1
    assert said in capsys.readouterr().err

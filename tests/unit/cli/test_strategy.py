"""`openalpha strategy`: what a user types, what comes out, how it ends."""

import json
from pathlib import Path

import pytest

from openalpha.cli.border import execute

LEAKY = """
import numpy as np
from openalpha.strategy import SignalStrategy

class Leaky(SignalStrategy):
    name = "leaky"
    idea = "Tomorrow's close."

    def target(self, bars, params):
        return np.sign(np.roll(bars.close, -1) - bars.close)
"""


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_list_names_every_strategy_and_the_users_own(home, capsys):
    (home / "strategies").mkdir(parents=True)
    (home / "strategies" / "mine.py").write_text(LEAKY)
    (home / "strategies" / "broken.py").write_text("x = (")
    assert execute(["strategy", "list", "--json", "-"]) == 0
    rows = {row["name"]: row for row in json.loads(capsys.readouterr().out)["strategies"]}
    assert rows["ma_cross"]["kind"] == "signal"
    assert rows["funding_carry"]["kind"] == "portfolio"
    assert rows["grid"]["kind"] == "event"
    assert rows["mine"]["idea"] == "Tomorrow's close."
    assert rows["broken"]["kind"] == "broken"
    assert "SyntaxError" in rows["broken"]["fault"]


def test_show_gives_parameters_as_json(capsys):
    assert execute(["strategy", "show", "ma_cross", "--json", "-"]) == 0
    shown = json.loads(capsys.readouterr().out)
    fast = shown["parameters"][0]
    assert (fast["name"], fast["default"], fast["low"], fast["unit"]) == ("fast", 8, 1, "bars")
    assert len(shown["source_hash"]) == 64


def test_a_new_strategy_passes_its_check(capsys):
    assert execute(["strategy", "new", "fresh"]) == 0
    assert execute(["strategy", "check", "fresh.py", "--bars", "1500"]) == 0
    assert "no look-ahead found" in capsys.readouterr().out


def test_new_keeps_a_file_that_is_there():
    Path("fresh.py").write_text("mine")
    assert execute(["strategy", "new", "fresh"]) == 1
    assert Path("fresh.py").read_text() == "mine"
    assert execute(["strategy", "new", "fresh", "--force"]) == 0
    assert "SignalStrategy" in Path("fresh.py").read_text()


def test_a_leak_ends_with_four_and_is_named(capsys):
    Path("leaky.py").write_text(LEAKY)
    assert execute(["strategy", "check", "leaky.py"]) == 4
    assert "reads close of later bars" in capsys.readouterr().out
    assert execute(["strategy", "check", "leaky.py", "--json", "-"]) == 4
    found = json.loads(capsys.readouterr().out)
    assert found["is_fine"] is False
    assert found["findings"][0]["kind"] == "look_ahead"
    assert found["findings"][0]["column"] == "close"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["check", "none.py"], "cannot be read"),
        (["check", "nothing"], "there is no strategy"),
        (["check", "ma_cross", "--param", "fast"], "write NAME=VALUE"),
        (["check", "ma_cross", "--param", "fast=3", "--param", "fast=4"], "given twice"),
        (["check", "ma_cross", "--param", "fast=-3"], "fast is '-3'"),
        (["check", "ma_cross", "--param", "speed=3"], "there is no parameter 'speed'"),
        (["new", "3x"], "cannot name a strategy"),
        (["new", "x", "--kind", "magic"], "is no kind of strategy"),
        (["show", "ma_corss"], "did you mean 'ma_cross'"),
    ],
)
def test_wrong_input_is_one_sentence(arguments, words, capsys):
    assert execute(["strategy", *arguments]) == 1
    said = capsys.readouterr().err
    assert words in said
    assert "Traceback" not in said
    assert said.count("\n") == 1


def test_a_file_that_fails_says_where(capsys):
    Path("bad.py").write_text(LEAKY.replace("np.sign(", "np.sgin("))
    assert execute(["strategy", "check", "bad.py"]) == 1
    assert "has no attribute 'sgin'" in capsys.readouterr().err

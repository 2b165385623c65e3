"""Strategies by name, file and class; what is wrong with a file is said in one sentence."""

import pytest

from openalpha.core.errors import InputError, UnknownName
from openalpha.strategy import load_strategy, source_hash, strategy_names
from openalpha.strategy.builtin.macd import Macd
from openalpha.strategy.template import KINDS, render_template

HEAD = "import numpy as np\nfrom openalpha.strategy import *\n"
GOOD = HEAD + (
    "class One(SignalStrategy):\n"
    "    name = 'one'\n"
    "    idea = 'i'\n"
    "    def target(self, bars, params):\n"
    "        return np.zeros(len(bars))\n"
)


def written(folder, text, name="mine.py"):
    path = folder / name
    path.write_text(text)
    return path


def test_every_built_in_loads_under_its_own_name():
    for name in strategy_names():
        assert load_strategy(name).name == name
        assert load_strategy(name).idea.endswith(".")


def test_a_class_and_an_object_stand_for_themselves():
    assert load_strategy(Macd) is Macd
    assert load_strategy(Macd()) is Macd


def test_a_file_by_path_and_by_name_in_the_users_folder(tmp_path):
    path = written(tmp_path, GOOD)
    assert load_strategy(path).name == "one"
    assert load_strategy(str(path)) is load_strategy(path)
    assert load_strategy("mine", folder=tmp_path).name == "one"
    assert "mine" in strategy_names(tmp_path)


def test_an_edited_file_is_another_source(tmp_path):
    path = written(tmp_path, GOOD)
    first = load_strategy(path)
    path.write_text(GOOD + "# changed\n")
    second = load_strategy(path)
    assert source_hash(first) != source_hash(second)
    assert source_hash(first) == source_hash(first())


def test_a_file_of_several_needs_a_choice(tmp_path):
    two = GOOD + GOOD.replace(HEAD, "").replace("One", "Two").replace("'one'", "'two'")
    path = written(tmp_path, two)
    with pytest.raises(InputError, match="holds One, Two, expected one"):
        load_strategy(path)
    assert load_strategy(f"{path}:Two").name == "two"
    with pytest.raises(InputError, match="no strategy class 'Three'"):
        load_strategy(f"{path}:Three")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("def x(:\n", r"SyntaxError: .* \(line 1\)"),
        ("x = 1\ny = 1 / 0\n", r"ZeroDivisionError: .* \(line 2\)"),
        ("import nothing_of_that_name\n", "ModuleNotFoundError"),
        ("x = 1\n", "holds none, expected one"),
        (GOOD.replace("    name = 'one'\n", ""), "has no name"),
        (GOOD.replace("    idea = 'i'\n", ""), "has no idea"),
        (GOOD.replace("target", "targte"), "does not define target"),
        (
            GOOD.replace("    idea", "    Params = dict\n    idea"),
            "must derive from StrategyParams",
        ),
    ],
)
def test_a_faulty_file_is_one_sentence(tmp_path, text, words):
    with pytest.raises(InputError, match=words) as caught:
        load_strategy(written(tmp_path, text))
    assert "\n" not in str(caught.value)


def test_a_missing_file_and_an_unknown_name(tmp_path):
    with pytest.raises(InputError, match="cannot be read: No such file"):
        load_strategy(tmp_path / "none.py")
    with pytest.raises(UnknownName, match="did you mean 'ma_cross'"):
        load_strategy("ma_corss")
    with pytest.raises(InputError, match="is not a strategy class"):
        load_strategy(int)


@pytest.mark.parametrize("kind", KINDS)
def test_a_template_runs_as_it_is(tmp_path, kind):
    from openalpha.strategy import prove
    from openalpha.strategy.specimen import specimen_bars

    cls = load_strategy(written(tmp_path, render_template("fresh_idea", kind), "fresh_idea.py"))
    assert cls.name == "fresh_idea"
    rows = 600 if kind == "event" else 3_000
    histories = {f"x:{key}": specimen_bars(rows, seed=key) for key in range(2)}
    result = prove(cls, histories)
    assert result.ok, result.findings[0].words


@pytest.mark.parametrize("name", ["3x", "My", "a-b", "_x", "", "a b"])
def test_a_name_that_cannot_be_a_file_is_refused(name):
    with pytest.raises(InputError, match="cannot name a strategy"):
        render_template(name)

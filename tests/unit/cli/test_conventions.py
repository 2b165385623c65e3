"""What all commands share: where output goes, and how values become JSON."""

import json
from dataclasses import dataclass
from decimal import Decimal
from enum import IntEnum, StrEnum
from pathlib import Path

import numpy as np
import pytest

from openalpha.cli.conventions import Screen, to_json, write_text
from openalpha.core.errors import StorageError


class Word(StrEnum):
    FILE = "file"


class Status(IntEnum):
    OPEN = 2


@dataclass(frozen=True, slots=True)
class Row:
    name: str
    equity: Decimal


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (Decimal("10.50"), "10.50"),
        (float("nan"), None),
        (float("-inf"), None),
        (1.5, 1.5),
        (True, True),
        (Word.FILE, "file"),
        (Status.OPEN, "OPEN"),
        (Path("a/b"), "a/b"),
        ((1, 2), [1, 2]),
        ({1: "x"}, {"1": "x"}),
        (Row("x", Decimal(1)), {"name": "x", "equity": "1"}),
        (np.int64(3), 3),
        (np.float64("nan"), None),
        (np.array([1.0, np.nan]), [1.0, None]),
        (np.bool_(True), True),
    ],
)
def test_json_forms(value: object, expected: object) -> None:
    assert json.loads(to_json({"value": value})) == {"value": expected}


def test_what_has_no_json_form_is_a_bug() -> None:
    with pytest.raises(TypeError, match="object has no JSON form"):
        to_json(object())


def test_json_on_stdout_stands_alone(capsys: pytest.CaptureFixture[str]) -> None:
    screen = Screen("-")
    screen.show("for people")
    screen.remark("about the work")
    screen.result({"a": 1})
    output, errors = capsys.readouterr()
    assert json.loads(output) == {"a": 1}
    assert errors == "about the work\n"


def test_json_in_a_file_leaves_the_screen_to_people(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    screen = Screen(str(tmp_path / "deep" / "a.json"))
    screen.show("for people")
    screen.result({"a": 1})
    output, _ = capsys.readouterr()
    assert output == "for people\n"
    assert json.loads((tmp_path / "deep" / "a.json").read_text("utf-8")) == {"a": 1}


def test_quiet_says_nothing_but_json(capsys: pytest.CaptureFixture[str]) -> None:
    screen = Screen("-", is_quiet=True)
    screen.show("for people")
    screen.remark("about the work")
    with screen.progress("importing", 3) as advance:
        advance(1)
    screen.result([])
    assert capsys.readouterr() == ("[]\n", "")


def test_a_file_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    target = tmp_path / "folder"
    (target / "inside").mkdir(parents=True)
    with pytest.raises(StorageError, match="could not be written"):
        write_text(target, "text")
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]

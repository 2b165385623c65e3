"""Worked examples damaged at random: every one is judged in a sentence, none breaks the checker."""

import copy
import json
import random
from pathlib import Path
from typing import Any

import pytest

from openalpha.books.tax import worked
from openalpha.books.tax.tables import load_tables
from openalpha.books.tax.worked import check_examples

OURS = json.loads(Path(worked.__file__).with_name("examples.json").read_text("utf-8"))
JUNK = [
    None, [], {}, "x", -1, 0, "0", "-5", "1e999", "NaN", True, 1.5, ["a"], {"a": 1},
    [["b1", "1"]], "9" * 60, "2025-13-01", "2027-06-30", "2025-07-01T00:00", "0001-01-01", "",
]  # fmt: skip
PARTS = ("events", "expected", "method", "entity", "regime", "settings", "carry_in", "note")


def places_of(node: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    if not isinstance(node, dict | list):
        return []
    items = list(node.items()) if isinstance(node, dict) else list(enumerate(node))
    return [
        place for key, value in items for place in ((*path, key), *places_of(value, (*path, key)))
    ]


def damaged(rng: random.Random) -> Any:
    example = copy.deepcopy(rng.choice(OURS))
    for _ in range(rng.randrange(1, 4)):
        chosen = [place for place in places_of(example) if place[0] in PARTS]
        if not chosen:
            return example
        place = rng.choice(chosen)
        node = example
        for key in place[:-1]:
            node = node[key]
        if rng.random() < 0.2:
            del node[place[-1]]
        else:
            node[place[-1]] = copy.deepcopy(rng.choice(JUNK))
    return example


@pytest.mark.parametrize("seed", range(8))
def test_damage_is_a_verdict_never_a_crash(seed: int) -> None:
    rng = random.Random(seed)
    examples = [damaged(rng) for _ in range(150)]
    verdicts = check_examples(examples, tables=load_tables())
    assert len(verdicts) == len(examples)
    assert sum(not verdict.has_passed for verdict in verdicts) > 50
    assert all("Traceback" not in text for verdict in verdicts for text in verdict.mismatches)


@pytest.mark.parametrize("junk", [None, 3, "x", [], {}, {"events": 3, "expected": {"gain": "0"}}])
def test_what_is_no_example_is_a_failed_verdict(junk: Any) -> None:
    (verdict,) = check_examples([junk], tables=load_tables())
    assert not verdict.has_passed

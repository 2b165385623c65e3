"""Spaces and searches: what they yield, that they do not repeat themselves, that they learn."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from openalpha.core.errors import InputError
from openalpha.research.sweep_optuna import OptunaSearch
from openalpha.research.sweep_search import GeneticSearch, GridSearch, RandomSearch, Search
from openalpha.research.sweep_space import Axis, Config, Space, parse_axis
from openalpha.research.sweep_verdict import expected_best, superior_ability

SPACE = Space(
    (Axis("a", tuple(range(20))), Axis("b", ("x", "y", "z")), Axis("c", low=0.0, high=1.0))
)
WHOLE = Space((Axis("a", tuple(range(30))), Axis("b", tuple(range(30)))))


def height(config: Config) -> float:
    """A hill with its top at 21, 8."""
    return float(-((config["a"] - 21) ** 2) - (config["b"] - 8) ** 2)


def climbed(search: Search, batches: int, size: int = 16) -> list[Config]:
    found: list[Config] = []
    for _ in range(batches):
        asked = search.ask(size)
        search.tell(asked, [(height(config),) for config in asked])
        found += asked
    return found


def test_a_grid_is_everything_once_in_order() -> None:
    search = GridSearch(WHOLE)
    found = search.ask(7) + search.ask(10_000)
    assert len(found) == 900 == len({tuple(config.values()) for config in found})
    assert found[:2] == [{"a": 0, "b": 0}, {"a": 0, "b": 1}] and search.ask(5) == []
    with pytest.raises(InputError, match="step for c"):
        GridSearch(SPACE)


@pytest.mark.parametrize("kind", [RandomSearch, GeneticSearch])
def test_nothing_is_asked_twice_and_a_small_space_ends(kind: type) -> None:
    small = Space((Axis("a", (1, 2, 3)), Axis("b", (1, 2))))
    found = climbed_or_drawn(kind(small, 1))
    assert sorted(map(tuple, (config.values() for config in found))) == [
        (a, b) for a in (1, 2, 3) for b in (1, 2)
    ]


def climbed_or_drawn(search: Search) -> list[Config]:
    found: list[Config] = []
    while asked := search.ask(4):
        search.tell(asked, [(float(config["a"]),) for config in asked])
        found += asked
    return found


@pytest.mark.parametrize("method", ["genetic", "tpe", "cmaes"])
def test_what_learns_finds_the_hill_sooner_than_chance(method: str) -> None:
    search: Search
    if method == "genetic":
        search = GeneticSearch(WHOLE, 3)
    else:
        search = OptunaSearch(WHOLE, 3, method=method, objectives=1)
    late = climbed(search, 8)[-48:]
    chance = climbed(RandomSearch(WHOLE, 3), 8)[-48:]
    assert np.mean([height(c) for c in late]) > np.mean([height(c) for c in chance]) / 2
    assert max(height(c) for c in late) > -10


@pytest.mark.parametrize("kind", [RandomSearch, GeneticSearch])
def test_the_same_seed_asks_the_same(kind: type) -> None:
    one, other, third = (kind(SPACE, seed).ask(30) for seed in (4, 4, 5))
    assert one == other != third
    assert all(0 <= config["c"] < 1 and config["b"] in "xyz" for config in one)


@given(low=st.integers(1, 100), steps=st.integers(0, 50), step=st.integers(1, 9))
def test_a_typed_axis_has_both_ends(low: int, steps: int, step: int) -> None:
    high = low + steps * step
    assert parse_axis("a", f"{low}:{high}:{step}", is_whole=True).values == tuple(
        range(low, high + 1, step)
    )
    tenths = parse_axis("a", f"{low / 10}:{high / 10}:{step / 10}", is_whole=False).values
    assert tenths == pytest.approx([value / 10 for value in range(low, high + 1, step)])


def test_the_expected_best_has_its_printed_values() -> None:
    assert expected_best(45) / np.sqrt(4.998) == pytest.approx(1.0, abs=5e-3)
    assert expected_best(7) / np.sqrt(1.923) == pytest.approx(1.0, abs=5e-3)


def test_worthless_trials_are_rejected_as_often_as_said() -> None:
    rng = np.random.default_rng(11)
    found = []
    for _ in range(120):
        alike = 0.7 * rng.standard_normal((1, 250))
        found.append(superior_ability(0.01 * (alike + 0.7 * rng.standard_normal((30, 250)))))
    assert 0.0 < np.mean(np.array(found) < 0.1) < 0.2
    planted = 0.01 * rng.standard_normal((30, 250))
    planted[7] += 0.004
    assert superior_ability(planted) < 0.01
    assert np.isnan(superior_ability(planted[:, :20])) and np.isnan(superior_ability(0 * planted))

"""How a sweep chooses what to try next: in fixed batches, each decided by the ones before it.

A search is asked for a batch and told its scores in the same order; nothing else reaches it. So
the same seed gives the same trials for any number of workers, and a resumed sweep, whose search is
asked and told anew from what was kept, goes on as if it had never stopped.
"""

from collections.abc import Sequence
from itertools import islice
from typing import Protocol

import numpy as np

from openalpha.core.errors import InputError
from openalpha.research.sweep_space import Axis, Config, Space

__all__ = ["METHODS", "GeneticSearch", "GridSearch", "RandomSearch", "Scores", "Search"]

Scores = tuple[float, ...] | None
"""One number an objective, higher is better; None where a trial has none."""

METHODS = ("grid", "random", "tpe", "nsga2", "cmaes", "genetic")

_ATTEMPTS = 1_000


class Search(Protocol):
    """Asked for configurations, told what came of them."""

    def ask(self, count: int) -> list[Config]:
        """Return at most so many configurations to try next; none when there is nothing left."""
        ...

    def tell(self, configs: Sequence[Config], scores: Sequence[Scores]) -> None:
        """Take what came of the last batch, in its order."""
        ...


class GridSearch:
    """Every configuration once, in order.

    Parameters
    ----------
    space : Space
        Without ranges.
    """

    def __init__(self, space: Space) -> None:
        if space.has_range:
            names = ", ".join(axis.name for axis in space.axes if axis.is_range)
            raise InputError(
                f"a grid needs a step for {names} (FROM:TO:STEP); or sample: --method random"
            )
        self._left = space.all()

    def ask(self, count: int) -> list[Config]:
        """Return the next configurations of the grid."""
        return list(islice(self._left, count))

    def tell(self, configs: Sequence[Config], scores: Sequence[Scores]) -> None:
        """Take no notice: a grid does not learn."""


class RandomSearch:
    """Configurations drawn evenly, none twice.

    Parameters
    ----------
    space : Space
    seed : int
    """

    def __init__(self, space: Space, seed: int) -> None:
        self._space, self._rng = space, np.random.default_rng([seed, 1])
        self._seen: set[tuple[object, ...]] = set()

    def ask(self, count: int) -> list[Config]:
        """Return configurations that were not drawn before."""
        found: list[Config] = []
        attempts = 0
        while len(found) < count and len(self._seen) < self._space.size:
            config = _drawn(self._space, self._rng)
            key = tuple(config.values())
            attempts += 1
            if key not in self._seen:
                self._seen.add(key)
                found.append(config)
                attempts = 0
            elif attempts > _ATTEMPTS:
                break
        return found

    def tell(self, configs: Sequence[Config], scores: Sequence[Scores]) -> None:
        """Take no notice: drawing does not learn."""


class GeneticSearch:
    """Generations of configurations: the better ones are crossed, and changed a little.

    Parents are chosen by tournaments of three, each parameter comes from either, and one in five is
    moved: to a near value on an ordered axis, to any on another.

    Parameters
    ----------
    space : Space
    seed : int
    population : int
        How many of the best so far may be parents.
    """

    def __init__(self, space: Space, seed: int, *, population: int = 24) -> None:
        self._space, self._rng = space, np.random.default_rng([seed, 2])
        self._population = population
        self._best: list[tuple[float, int, Config]] = []
        self._seen: set[tuple[object, ...]] = set()
        self._told = 0

    def ask(self, count: int) -> list[Config]:
        """Return children of the best so far; at first, configurations drawn evenly."""
        found: list[Config] = []
        attempts = 0
        while len(found) < count and len(self._seen) < self._space.size and attempts < _ATTEMPTS:
            is_stuck = len(self._best) < 2 or attempts > _ATTEMPTS // 2
            config = _drawn(self._space, self._rng) if is_stuck else self._child()
            key = tuple(config.values())
            attempts += 1
            if key not in self._seen:
                self._seen.add(key)
                found.append(config)
                attempts = 0
        return found

    def tell(self, configs: Sequence[Config], scores: Sequence[Scores]) -> None:
        """Let the better ones be parents; of equals the earlier."""
        for config, score in zip(configs, scores, strict=True):
            if score is not None:
                self._best.append((-score[0], self._told, config))
            self._told += 1
        self._best.sort(key=lambda item: item[:2])
        del self._best[self._population :]

    def _child(self) -> Config:
        one, other = self._parent(), self._parent()
        child: Config = {}
        for axis in self._space.axes:
            value = (one if self._rng.random() < 0.5 else other)[axis.name]
            child[axis.name] = self._moved(axis, value) if self._rng.random() < 0.2 else value
        return child

    def _parent(self) -> Config:
        places = self._rng.integers(0, len(self._best), 3)
        return self._best[int(places.min())][2]

    def _moved(self, axis: Axis, value: object) -> object:
        if axis.is_range:
            assert isinstance(value, float)
            width = 0.1 * (axis.high - axis.low)
            moved = value + width * float(self._rng.standard_normal())
            return min(max(moved, axis.low), axis.high)
        if not axis.is_ordered:
            return axis.at(float(self._rng.random()))
        reach = max(1, len(axis.values) // 10)
        step = int(self._rng.integers(1, reach + 1)) * (1 if self._rng.random() < 0.5 else -1)
        place = axis.values.index(value) + step
        return axis.values[min(max(place, 0), len(axis.values) - 1)]


def _drawn(space: Space, rng: np.random.Generator) -> Config:
    return {axis.name: axis.at(float(rng.random())) for axis in space.axes}

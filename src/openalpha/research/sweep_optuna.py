"""Searches of the optuna library: TPE, NSGA-II for several objectives, CMA-ES."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from openalpha.core.errors import InputError
from openalpha.research.sweep_search import Scores
from openalpha.research.sweep_space import Axis, Config, Space

if TYPE_CHECKING:
    import optuna

__all__ = ["OptunaSearch"]

_START = 16


class OptunaSearch:
    """A sampler of optuna, asked and told in batches.

    Parameters
    ----------
    space : Space
    seed : int
    method : str
        `tpe`, `nsga2` or `cmaes`.
    objectives : int
        How many numbers a score has; only `nsga2` and `tpe` take more than one.

    Raises
    ------
    InputError
        If what the method needs is not installed, or it cannot search this space: before the
        first trial.
    """

    def __init__(self, space: Space, seed: int, *, method: str, objectives: int) -> None:
        import optuna

        optuna.logging.set_verbosity(optuna.logging.ERROR)
        self._space = space
        self._sampler = _sampler(space, seed, method, objectives)
        self._study = optuna.create_study(
            sampler=self._sampler, directions=["maximize"] * objectives
        )
        self._asked: list[optuna.trial.Trial] = []

    def ask(self, count: int) -> list[Config]:
        """Return what the sampler suggests next."""
        self._asked = [self._study.ask() for _ in range(count)]
        return [
            {axis.name: _suggested(trial, axis) for axis in self._space.axes}
            for trial in self._asked
        ]

    def tell(self, configs: Sequence[Config], scores: Sequence[Scores]) -> None:
        """Tell the sampler what came of its suggestions."""
        from optuna.trial import TrialState

        for trial, score in zip(self._asked, scores, strict=True):
            if score is None:
                self._study.tell(trial, state=TrialState.FAIL)
            else:
                self._study.tell(trial, list(score))


def _sampler(space: Space, seed: int, method: str, objectives: int) -> Any:
    from optuna import samplers

    if method == "cmaes":
        _check_cmaes(space, objectives)
        return samplers.CmaEsSampler(seed=seed, n_startup_trials=_START)
    if method == "nsga2":
        return samplers.NSGAIISampler(seed=seed, population_size=2 * _START)
    return samplers.TPESampler(seed=seed, n_startup_trials=_START, constant_liar=True)


def _check_cmaes(space: Space, objectives: int) -> None:
    from importlib.util import find_spec

    if find_spec("cmaes") is None:
        raise InputError("CMA-ES needs the package cmaes: pip install cmaes, or use --method tpe")
    if objectives > 1:
        raise InputError("CMA-ES has one objective; use --method nsga2 for several")
    words = [axis.name for axis in space.axes if not (axis.is_range or axis.is_ordered)]
    if words or len(space.axes) < 2:
        what = f"{', '.join(words)} has none" if words else "there is one parameter"
        raise InputError(
            f"CMA-ES needs at least two parameters with numbers in order; {what}: use --method tpe"
        )


def _suggested(trial: "optuna.trial.Trial", axis: Axis) -> Any:
    if axis.is_range:
        return trial.suggest_float(axis.name, axis.low, axis.high)
    if axis.is_ordered:
        # The place on the axis: its values need not be evenly apart.
        return axis.values[trial.suggest_int(axis.name, 0, len(axis.values) - 1)]
    places = list(range(len(axis.values)))
    return axis.values[trial.suggest_categorical(axis.name, places)]

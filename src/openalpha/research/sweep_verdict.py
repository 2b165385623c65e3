"""What to think of the best of many: how far luck would go, and whether its neighbours agree.

Luck is asked about by Hansen's test of superior ability over the daily returns of every trial: how
often would the best of so many worthless configurations, as alike as these are, look this good?
Each mean is scaled by the larger of its bootstrap and its plain deviation, each draw by its own:
a bootstrap that happens to be narrow must not make luck look small.
"""

import math
from dataclasses import dataclass
from statistics import NormalDist
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from openalpha.engine.batch import FIGURES
from openalpha.research.daily import DAYS_A_YEAR

if TYPE_CHECKING:
    from openalpha.research.sweep_result import SweepResult

__all__ = ["SweepVerdict", "expected_best", "judge_sweep", "superior_ability"]

Floats = NDArray[np.float64]

_GAMMA = 0.5772156649
_LEVEL = 0.05
_PLATEAU, _RIDGE = 0.7, 0.4
_FEW_DAYS = 30
_SEED = 20_240_101
_AT_ONCE = 4_096


@dataclass(frozen=True, slots=True)
class SweepVerdict:
    """What to think of the best trial.

    Parameters
    ----------
    luck : str
        `likely`, `unlikely` or `unknown` (too few days).
    p_value : float
        How often the best of as many worthless configurations would look as good; NaN if unknown.
    expected_best : float
        Yearly Sharpe ratio the best of so many independent worthless configurations would show.
    shape : str
        `plateau`, `ridge`, `slope` (between) or `unknown` (no ordered axis, or no neighbour).
    support : float
        Median score of the best trial's neighbours over its own; NaN if unknown.
    neighbours : tuple of int
        Trials one step away from the best on one axis.
    sentences : tuple of str
        The same in words, the headline first.
    """

    luck: str
    p_value: float
    expected_best: float
    shape: str
    support: float
    neighbours: tuple[int, ...]
    sentences: tuple[str, ...]

    @property
    def headline(self) -> str:
        """The first sentence."""
        return self.sentences[0]

    def as_record(self) -> dict[str, Any]:
        """Return the verdict as JSON can hold it."""
        return {
            "luck": self.luck,
            "p_value": self.p_value,
            "expected_best": self.expected_best,
            "shape": self.shape,
            "support": self.support,
            "neighbours": list(self.neighbours),
            "sentences": list(self.sentences),
        }


def expected_best(trials: int) -> float:
    """Return the expected largest of so many independent standard normal values.

    Examples
    --------
    >>> [round(expected_best(n), 5) for n in (10, 100, 1000)]
    [1.5746, 2.5306, 3.25512]
    """
    if trials < 2:
        return 0.0
    z = NormalDist().inv_cdf
    return (1 - _GAMMA) * z(1 - 1 / trials) + _GAMMA * z(1 - 1 / (trials * math.e))


def superior_ability(
    returns: NDArray[np.floating[Any]], *, draws: int = 1_000, block: float = 10.0
) -> float:
    """Return Hansen's p-value: how often the best of these would look as good without any merit.

    Parameters
    ----------
    returns : float[trials, days]
        Daily net returns. Trials without movement are left out.
    draws : int
        Stationary bootstrap draws, from a fixed seed.
    block : float
        Mean length of a block, days.

    Returns
    -------
    float
        In [0, 1]; NaN for fewer than 30 days or no trial that moves.
    """
    days = returns.shape[1]
    moving = np.flatnonzero(returns.std(axis=1) > 1e-12)
    if days < _FEW_DAYS or not len(moving):
        return math.nan
    weights = _weights(days, draws, block).T / days
    best, luck = 0.0, np.zeros(draws)
    for start in range(0, len(moving), _AT_ONCE):
        values = returns[moving[start : start + _AT_ONCE]].astype(np.float64)
        mean = values.mean(axis=1)
        drawn = values @ weights - mean[:, None]
        boot = np.sqrt((drawn**2).mean(axis=1))
        spread = np.maximum(boot, values.std(axis=1, ddof=1) / math.sqrt(days))
        # What is clearly worse than nothing is not let into the race: it would hide the rest.
        floor = -spread * math.sqrt(2 * math.log(math.log(days)))
        behind = np.where(mean >= floor, 0.0, mean / spread)
        best = max(best, float((mean / spread).max()))
        luck = np.maximum(luck, (drawn / boot[:, None] + behind[:, None]).max(axis=0))
    return float(np.mean(luck >= best))


def judge_sweep(result: "SweepResult") -> SweepVerdict:
    """Judge the best trial of a sweep."""
    best = result.best_row
    tried = int(((result.trials.status == 0) | (result.trials.status == 1)).sum())
    if best < 0:
        nothing = f"None of {tried:,} configurations has a figure to rank it by."
        return SweepVerdict("unknown", math.nan, math.nan, "unknown", math.nan, (), (nothing,))
    days = int(result.trials.lengths.max())
    p_value = superior_ability(result.daily[result.trials.lengths > 0])
    years = days / DAYS_A_YEAR
    lucky = expected_best(max(tried, result.family)) / math.sqrt(years) if years else math.nan
    near = _neighbours(result, best)
    support = _support(result, best, near)
    luck = "unknown" if math.isnan(p_value) else "likely" if p_value >= _LEVEL else "unlikely"
    shape = "unknown"
    if not math.isnan(support):
        shape = "plateau" if support >= _PLATEAU else "ridge" if support < _RIDGE else "slope"
    sharpe = float(result.trials.figures[best, FIGURES.index("sharpe")])
    made = float(result.trials.figures[best, FIGURES.index("total_return")])
    words = (
        _luck_words(luck, p_value, tried, days) if made > 0 else _loss_words(made, tried),
        _size_words(sharpe, lucky, max(tried, result.family)),
        _shape_words(shape, support, len(near)),
    )
    return SweepVerdict(luck, p_value, lucky, shape, support, near, tuple(filter(None, words)))


def _luck_words(luck: str, p_value: float, tried: int, days: int) -> str:
    if luck == "unknown":
        return f"{days} days are too few to tell the best of {tried:,} configurations from luck."
    share = f"{p_value:.0%}" if p_value >= 0.01 else "fewer than 1 %"
    share = share.replace("%", " %").replace("  ", " ")
    if luck == "likely":
        return (
            f"The best is what luck would show: of sweeps like this one over worthless "
            f"configurations, {share} have a best at least as good."
        )
    return (
        f"Luck alone hardly explains the best: {share} of sweeps like this one over worthless "
        "configurations have a best as good. Test it on days the sweep has not seen."
    )


def _loss_words(made: float, tried: int) -> str:
    if made == 0:
        return f"The best of {tried:,} configurations made nothing: there is nothing to believe in."
    return (
        f"Even the best of {tried:,} configurations lost money after all costs: there is nothing "
        "to believe in."
    )


def _size_words(sharpe: float, lucky: float, family: int) -> str:
    if math.isnan(sharpe) or math.isnan(lucky) or sharpe <= 0:
        return ""
    return (
        f"Its Sharpe ratio is {sharpe:.2f}; the best of {family:,} independent worthless "
        f"configurations would show about {lucky:.2f} over this time."
    )


def _shape_words(shape: str, support: float, count: int) -> str:
    if shape == "unknown":
        return "" if count else "No trial stands one step beside it: plateau or ridge is not known."
    reached = f"reaches {support * 100:.0f} % of its score"
    beside = f"the median of its {count} neighbours "
    beside += reached if support >= 0 else "lies on the other side of zero"
    return {
        "plateau": f"It stands on a plateau: {beside}.",
        "slope": f"It stands on a slope: {beside}.",
        "ridge": f"It stands on a ridge: {beside}; a small change of a parameter loses it.",
    }[shape]


def _neighbours(result: "SweepResult", best: int) -> tuple[int, ...]:
    """Return the trials one step away from a trial on one ordered axis."""
    place = {repr(config): row for row, config in reversed(list(enumerate(result.trials.configs)))}
    config = result.trials.configs[best]
    found = []
    for axis in result.space.axes:
        if not axis.is_ordered:
            continue
        at = axis.values.index(config[axis.name])
        for step in (at - 1, at + 1):
            if 0 <= step < len(axis.values):
                row = place.get(repr({**config, axis.name: axis.values[step]}))
                if row is not None and result.is_whole[row]:
                    found.append(row)
    return tuple(found)


def _support(result: "SweepResult", best: int, near: tuple[int, ...]) -> float:
    score = float(result.scores[best, 0])
    known = [float(result.scores[row, 0]) for row in near]
    known = [value for value in known if not math.isnan(value)]
    if not known or score == 0 or (score < 0 and result.objectives[0].sign > 0):
        return math.nan  # of a loss no share can be kept
    # For figures made small the score is below zero: how much worse, then, on the same scale.
    share = float(np.median(known)) / score
    return share if score > 0 else 1 / share if share > 0 else math.nan


def _weights(days: int, draws: int, block: float) -> Floats:
    """Return how often each draw of a stationary bootstrap takes each day, float64[draws, days]."""
    rng = np.random.default_rng(_SEED)
    starts = rng.integers(0, days, (draws, days))
    is_new = rng.random((draws, days)) < 1.0 / block
    is_new[:, 0] = True
    place = np.maximum.accumulate(np.where(is_new, np.arange(days), 0), axis=1)
    chosen = (np.take_along_axis(starts, place, axis=1) + np.arange(days) - place) % days
    flat = chosen + days * np.arange(draws)[:, None]
    counts = np.bincount(flat.ravel(), minlength=draws * days)
    return counts.reshape(draws, days).astype(np.float64)

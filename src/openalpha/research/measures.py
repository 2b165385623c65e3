"""Measures of risk as plain functions of daily returns: value at risk, its tests, contributions.

Losses are positive. A level is the share of days that stay above: 0.95 means one day in twenty is
worse. Every function is pure; NaN in, or too few days, gives NaN out, never a made-up number.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray

from openalpha.research.daily import DAYS_A_YEAR

__all__ = [
    "REGIMES", "Capture", "CoverageTest", "against_benchmark", "christoffersen", "correlation",
    "day_regimes", "expected_shortfall", "kupiec", "regimes", "risk_contribution",
    "var_cornish_fisher", "var_historical", "var_parametric",
]  # fmt: skip

Floats = NDArray[np.float64]
_NORMAL = NormalDist()
_FLAT = 1e-12


@dataclass(frozen=True, slots=True)
class CoverageTest:
    """Whether a value at risk was exceeded as often, and as evenly in time, as it should be.

    Parameters
    ----------
    statistic : float
        Likelihood ratio; the larger, the worse.
    p_value : float
        How often a right value at risk would look as bad.
    hits, days : int
    """

    statistic: float
    p_value: float
    hits: int
    days: int


@dataclass(frozen=True, slots=True)
class Capture:
    """A strategy against a benchmark, from daily returns.

    Parameters
    ----------
    beta, alpha_annual, correlation : float
    up, down : float
        Mean return on days the benchmark rose (fell) over the benchmark's own mean then.
    """

    beta: float
    alpha_annual: float
    correlation: float
    up: float
    down: float


def var_historical(returns: Floats, *, level: float = 0.95) -> float:
    """Return the loss that a share of days stayed above: a quantile of the days as they were.

    Examples
    --------
    >>> round(var_historical(np.linspace(-0.10, 0.10, 201)), 4)
    0.09
    """
    _check_level(level)
    if not len(returns) or np.isnan(returns).any():
        return math.nan
    return -float(np.quantile(returns, 1 - level))


def var_parametric(returns: Floats, *, level: float = 0.95) -> float:
    """Return the same under a normal curve: −(mean + z · deviation).

    Examples
    --------
    >>> round(var_parametric(np.array([0.01, -0.01] * 50)), 4)
    0.0165
    """
    _check_level(level)
    if len(returns) < 2 or np.isnan(returns).any():
        return math.nan
    z = _NORMAL.inv_cdf(1 - level)
    return -(float(returns.mean()) + z * float(returns.std(ddof=1)))


def var_cornish_fisher(returns: Floats, *, level: float = 0.95) -> float:
    """Return the same with skew and tails let in (Cornish and Fisher 1938).

    Outside the skew and kurtosis for which the expansion keeps quantiles in order it says nothing
    true: then NaN.
    """
    _check_level(level)
    if len(returns) < 4 or np.isnan(returns).any():
        return math.nan
    centred = returns - returns.mean()
    second = float(np.mean(centred**2))
    if second <= _FLAT**2:
        return math.nan
    skew = float(np.mean(centred**3)) / second**1.5
    excess = float(np.mean(centred**4)) / second**2 - 3.0
    if not _is_ordered(skew, excess):
        return math.nan
    z = _NORMAL.inv_cdf(1 - level)
    wider: float = (
        z + (z**2 - 1) * skew / 6 + (z**3 - 3 * z) * excess / 24 - (2 * z**3 - 5 * z) * skew**2 / 36
    )
    return -float(returns.mean() + wider * returns.std(ddof=1))


def expected_shortfall(returns: Floats, *, level: float = 0.95) -> float:
    """Return the mean loss of the worst days, ⌊(1 − level)(T − 1)⌋ + 1 of them.

    Examples
    --------
    >>> round(expected_shortfall(np.linspace(-0.10, 0.10, 201)), 4)
    0.095
    """
    _check_level(level)
    if not len(returns) or np.isnan(returns).any():
        return math.nan
    worst = int((1 - level) * (len(returns) - 1) + 1e-9) + 1
    return -float(np.sort(returns)[:worst].mean())


def kupiec(hits: int, days: int, *, level: float = 0.99) -> CoverageTest:
    """Test whether a loss limit was exceeded as often as it says (Kupiec 1995, POF).

    Parameters
    ----------
    hits, days : int
        Days beyond the limit, of how many.
    level : float
        Of the value at risk.

    Examples
    --------
    >>> test = kupiec(3, 250)
    >>> round(test.statistic, 4), round(test.p_value, 4)
    (0.0949, 0.758)
    """
    _check_level(level)
    assert 0 <= hits <= days
    if not days:
        return CoverageTest(math.nan, math.nan, hits, days)
    p, found = 1 - level, hits / days
    statistic = -2 * (_log_binomial(hits, days, p) - _log_binomial(hits, days, found))
    return CoverageTest(statistic, _chi_square_tail(statistic, 1), hits, days)


def christoffersen(
    exceeded: NDArray[np.bool_], *, level: float = 0.99
) -> tuple[CoverageTest, CoverageTest, CoverageTest]:
    """Test a value at risk day by day (Christoffersen 1998).

    Parameters
    ----------
    exceeded : bool[n]
        Whether each day's loss was beyond the limit of that day.
    level : float

    Returns
    -------
    tuple of CoverageTest
        Unconditional coverage (Kupiec), independence, and both together.
    """
    hits, days = int(exceeded.sum()), len(exceeded)
    often = kupiec(hits, days, level=level)
    before, after = exceeded[:-1], exceeded[1:]
    n01, n11 = int((~before & after).sum()), int((before & after).sum())
    n00, n10 = int((~before & ~after).sum()), int((before & ~after).sum())
    pooled = (n01 + n11) / max(days - 1, 1)
    apart = _log_binomial(n01, n00 + n01, _share(n01, n00 + n01))
    apart += _log_binomial(n11, n10 + n11, _share(n11, n10 + n11))
    statistic = -2 * (_log_binomial(n01 + n11, days - 1, pooled) - apart) if days > 1 else math.nan
    alone = CoverageTest(statistic, _chi_square_tail(statistic, 1), hits, days)
    both = often.statistic + statistic
    return often, alone, CoverageTest(both, _chi_square_tail(both, 2), hits, days)


def risk_contribution(returns: Floats, weights: Floats) -> Floats:
    """Return each part's share of the whole's volatility; they sum to 1.

    Parameters
    ----------
    returns : float64[days, parts]
    weights : float64[parts]

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> shares = risk_contribution(rng.standard_normal((500, 2)) * [1.0, 2.0], np.array([1.0, 1.0]))
    >>> round(float(shares.sum()), 9), bool(shares[1] > shares[0])
    (1.0, True)
    """
    together = np.atleast_2d(np.cov(returns, rowvar=False, ddof=1))
    whole = float(weights @ together @ weights)
    if not whole > _FLAT**2:
        return np.full(len(weights), math.nan)
    return np.asarray(weights * (together @ weights) / whole)


def correlation(returns: Floats) -> Floats:
    """Return the correlations of parts, float64[parts, parts]; NaN for one that does not move."""
    with np.errstate(all="ignore"):
        return np.atleast_2d(np.corrcoef(returns, rowvar=False))


def against_benchmark(ours: Floats, theirs: Floats) -> Capture:
    """Return beta, alpha, correlation and up and down capture."""
    if len(ours) < 2 or float(theirs.std()) <= _FLAT:
        return Capture(*[math.nan] * 5)
    together = np.cov(ours, theirs, ddof=1)
    beta = float(together[0, 1] / together[1, 1])
    alpha = DAYS_A_YEAR * float(ours.mean() - beta * theirs.mean())
    scale = math.sqrt(float(together[0, 0] * together[1, 1]))
    sides = []
    for part in (theirs > 0, theirs < 0):
        base = float(theirs[part].mean()) if part.any() else 0.0
        sides.append(float(ours[part].mean()) / base if base else math.nan)
    return Capture(beta, alpha, float(together[0, 1]) / scale if scale else math.nan, *sides)


REGIMES = ("rising calm", "rising wild", "falling calm", "falling wild")
"""Names of the regimes of `day_regimes`, by number."""


def day_regimes(market: Floats, *, days: int = 30) -> NDArray[np.int64]:
    """Return the regime of each day, known the evening before: rising or falling, calm or wild.

    Rising: the market's compounded return over the days before it is not below zero. Wild: its
    volatility over them is above the median of all such stretches so far.

    Parameters
    ----------
    market : float64[n]
        Daily simple returns of the market.
    days : int
        How far back is looked, at least 2.

    Returns
    -------
    int64[n]
        Place in `REGIMES`; -1 for the first `days` days, which nothing is known before.

    Examples
    --------
    >>> day_regimes(np.array([0.01, 0.02, -0.05, 0.01, -0.02, 0.0]), days=2).tolist()
    [-1, -1, 0, 3, 3, 2]
    """
    assert days >= 2, "a volatility needs two days"
    found = np.full(len(market), -1, dtype=np.int64)
    seen: list[float] = []
    for day in range(days, len(market)):
        past = market[day - days : day]
        spread = float(past.std(ddof=1))
        is_wild = bool(seen) and spread > float(np.median(seen))
        seen.append(spread)
        found[day] = 2 * int(np.prod(1 + past) < 1) + int(is_wild)
    return found


def regimes(returns: Floats, market: Floats, *, days: int = 30) -> Mapping[str, dict[str, Any]]:
    """Return how a strategy did in rising and falling, calm and wild markets (`day_regimes`).

    Parameters
    ----------
    returns, market : float64[n]
        Daily simple returns of the strategy and the market.
    days : int
        How far back is looked.

    Returns
    -------
    mapping
        By name of `REGIMES`: `days`, `total_return` and `market_return` compounded over them,
        yearly `sharpe` (NaN below two days).
    """
    of_day = day_regimes(market, days=days)
    found = {}
    for number, name in enumerate(REGIMES):
        part, theirs = returns[of_day == number], market[of_day == number]
        deviation = float(part.std(ddof=1)) if len(part) > 1 else 0.0
        sharpe = math.nan
        if deviation > _FLAT:
            sharpe = float(part.mean()) / deviation * math.sqrt(DAYS_A_YEAR)
        found[name] = {
            "days": len(part), "total_return": float(np.prod(1 + part) - 1),
            "market_return": float(np.prod(1 + theirs) - 1), "sharpe": sharpe,
        }  # fmt: skip
    return found


def _check_level(level: float) -> None:
    assert 0.5 < level < 1, "a level is the share of days that stay above, such as 0.95"


def _is_ordered(skew: float, excess: float) -> bool:
    """Say whether the expansion's quantiles rise everywhere between 0.1 % and 99.9 %."""
    z = np.linspace(-3.1, 3.1, 249)
    slope = 1 + z * skew / 3 + (3 * z**2 - 3) * excess / 24 - (6 * z**2 - 5) * skew**2 / 36
    return bool((slope > 0).all())


def _share(part: int, whole: int) -> float:
    return part / whole if whole else 0.0


def _log_binomial(hits: int, days: int, p: float) -> float:
    """Return (n − x) ln(1 − p) + x ln p, with 0 ln 0 = 0."""
    misses = days - hits
    found = 0.0
    if misses:
        found += misses * math.log(1 - p) if p < 1 else -math.inf
    if hits:
        found += hits * math.log(p) if p > 0 else -math.inf
    return found


def _chi_square_tail(statistic: float, degrees: int) -> float:
    if math.isnan(statistic):
        return math.nan
    x = max(statistic, 0.0)
    return math.erfc(math.sqrt(x / 2)) if degrees == 1 else math.exp(-x / 2)

"""Volatility hour by hour: GARCH with leverage, slow and fast factors, regimes, the week."""

import math

import numpy as np
from numpy.typing import NDArray

from openalpha.core.clock import DAY_MS, HOUR_MS
from openalpha.market.synth.spec import SynthSpec
from openalpha.market.synth.streams import stream

__all__ = ["HOURS_A_YEAR", "common_factor", "garch_factor", "pattern"]

HOURS_A_YEAR = 8760

# Quiet late evening, busy when Europe and America overlap; the mean square is set to 1 below.
_HOURS = (
    0.95, 0.90, 0.86, 0.82, 0.80, 0.80, 0.84, 0.94, 1.02, 1.02, 0.98, 0.98,
    1.06, 1.28, 1.42, 1.36, 1.24, 1.12, 1.04, 1.00, 0.98, 0.94, 0.90, 0.92,
)  # fmt: skip
_WEEKDAYS = (1.02, 1.06, 1.08, 1.06, 1.04, 0.82, 0.86)  # Monday first

_ALPHA, _LEVERAGE, _BETA = 0.01, 0.14, 0.905
_LARGEST_VARIANCE = 36.0
_SLOW, _SLOW_SPREAD = 0.998, 0.28
_FAST, _FAST_SPREAD = 0.93, 0.15
_REGIMES = (0.65, 1.0, 1.8)
_STAY = (0.997, 0.996, 0.990)


def pattern(start_ms: int, n_hours: int) -> NDArray[np.float64]:
    """Return each hour's usual volatility by hour of day and day of week, mean square 1.

    Parameters
    ----------
    start_ms : int
        Open of the first hour, UTC ms.
    n_hours : int

    Returns
    -------
    float64[n_hours]
    """
    mean_square = sum(h * h for h in _HOURS) / 24 * sum(d * d for d in _WEEKDAYS) / 7
    hours = np.arange(n_hours) + start_ms // HOUR_MS
    weekday = (hours // (DAY_MS // HOUR_MS) + 3) % 7  # 1970-01-01 was a Thursday
    weights: NDArray[np.float64] = np.array(_HOURS)[hours % 24] * np.array(_WEEKDAYS)[weekday]
    return weights / math.sqrt(mean_square)


def common_factor(spec: SynthSpec, seed: int, *, n_hours: int) -> NDArray[np.float64]:
    """Return the volatility all symbols share, mean square 1: slow, fast and regime parts."""
    factor = np.ones(n_hours)
    if spec.has_stochastic_volatility:
        for name, memory, spread in (
            ("slow", _SLOW, _SLOW_SPREAD),
            ("fast", _FAST, _FAST_SPREAD),
        ):
            factor *= _positive(_wander(stream(seed, "volatility", name), n_hours, memory), spread)
    if spec.has_regimes:
        factor *= _regimes(stream(seed, "volatility", "regime"), n_hours)
    return factor


def garch_factor(shocks: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return GJR-GARCH(1,1) volatility with unit mean variance, known before each hour's shock.

    v' = w + (a + l·[shock < 0])·v·shock² + b·v

    Parameters
    ----------
    shocks : float64[n]
        Standardised hourly shocks; a fall raises what follows more than a rise does.

    Returns
    -------
    float64[n]
        √v; row k depends on shocks before k only.
    """
    base = 1.0 - _ALPHA - _LEVERAGE / 2 - _BETA
    variance = 1.0
    found = np.empty(len(shocks))
    for hour, shock in enumerate(shocks.tolist()):
        found[hour] = variance
        reaction = _ALPHA + _LEVERAGE if shock < 0 else _ALPHA
        variance = min(base + variance * (reaction * shock * shock + _BETA), _LARGEST_VARIANCE)
    return np.sqrt(found)


def _wander(random: np.random.Generator, n_hours: int, memory: float) -> NDArray[np.float64]:
    """Return a stationary AR(1) with unit variance."""
    shocks = (random.standard_normal(n_hours) * math.sqrt(1 - memory * memory)).tolist()
    level = float(random.standard_normal())
    out = []
    for shock in shocks:
        level = memory * level + shock
        out.append(level)
    return np.array(out)


def _positive(level: NDArray[np.float64], spread: float) -> NDArray[np.float64]:
    """Map to y + √(1 + y²), symmetric in ratio like an exponential, scaled to mean square 1."""
    y = level * spread
    return (y + np.sqrt(1 + y * y)) / math.sqrt(1 + 2 * spread * spread)


def _regimes(random: np.random.Generator, n_hours: int) -> NDArray[np.float64]:
    """Walk between calm, usual and wild; leaving an edge leads to the middle."""
    draws = random.random(n_hours).tolist()
    place, states = 1, np.empty(n_hours, dtype=np.int64)
    for hour, draw in enumerate(draws):
        if draw >= _STAY[place]:
            rest = (draw - _STAY[place]) / (1 - _STAY[place])
            place = 1 if place != 1 else (0 if rest < 0.7 else 2)
        states[hour] = place
    return np.array(_REGIMES)[states] / math.sqrt(_mean_square())


def _mean_square() -> float:
    leave = [1 - stay for stay in _STAY]
    weight = [leave[1] * 0.7 / leave[0], 1.0, leave[1] * 0.3 / leave[2]]
    return sum(w * r * r for w, r in zip(weight, _REGIMES, strict=True)) / sum(weight)

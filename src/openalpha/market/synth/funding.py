"""Funding of a synthetic perpetual: rates every eight hours that follow the market's mood."""

import numpy as np
from numpy.typing import NDArray

from openalpha.market.synth.spec import SynthSpec
from openalpha.market.synth.streams import stream

__all__ = ["INTERVAL_HOURS", "basis_of", "funding_rates"]

INTERVAL_HOURS = 8
_MEMORY, _MOOD, _NOISE = 0.9, 0.25, 0.2
_SCALE_BPS = 1.0
_CAP_BPS = 75.0
_BASIS_MEMORY, _BASIS_NOISE_BPS = 0.9, 0.4


def funding_rates(
    spec: SynthSpec, seed: int, *, symbol: str, shocks: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the rate settled at the beginning of every eight hours, to 8 decimals.

    Parameters
    ----------
    shocks : float64[n_hours]
        Standardised hourly shocks of the symbol: after rises longs pay more.

    Returns
    -------
    float64[ceil(n_hours / 8)]
        Fractions; row j depends on hours before its stamp only.
    """
    n_stamps = -(-len(shocks) // INTERVAL_HOURS)
    whole = (n_stamps - 1) * INTERVAL_HOURS
    moods = shocks[:whole].reshape(-1, INTERVAL_HOURS).sum(axis=1) / INTERVAL_HOURS**0.5
    noise = stream(seed, symbol, "funding").standard_normal(n_stamps).tolist()
    level, levels = 0.0, [0.0]
    for mood, draw in zip(moods.tolist(), noise[1:], strict=True):
        level = _MEMORY * level + _MOOD * mood + _NOISE * draw
        levels.append(level)
    shape = np.array(levels)
    bps = spec.funding_mean_bps + _SCALE_BPS * shape * (1 + 0.3 * shape * shape)
    rates: NDArray[np.float64] = np.rint(np.clip(bps, -_CAP_BPS, _CAP_BPS) * 1e4) / 1e8
    return rates


def basis_of(
    rates: NDArray[np.float64], n_hours: int, *, seed: int, symbol: str
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the two parts of how far the perpetual stands above its underlying, hour by hour.

    Neither part knows anything of the hours to come: a spread that did would be an edge.

    Returns
    -------
    (float64[n_hours + 1], float64[n_hours + 1])
        At each hour's beginning and at the end, fractions: the rate last settled an hour ago or
        more, and a little that fades within hours.
    """
    settled = np.maximum(np.arange(n_hours + 1) - 1, 0) // INTERVAL_HOURS
    draws = stream(seed, symbol, "basis").standard_normal(n_hours + 1).tolist()
    level, levels = 0.0, []
    for draw in draws:
        level = _BASIS_MEMORY * level + _BASIS_NOISE_BPS / 1e4 * draw
        levels.append(level)
    return rates[settled], np.array(levels)

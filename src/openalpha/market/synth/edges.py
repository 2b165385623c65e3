"""Planted edges: a reference rule, and the drift that gives it exactly the Sharpe asked for."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from openalpha.core.errors import InputError
from openalpha.market.synth.funding import INTERVAL_HOURS
from openalpha.market.synth.spec import Edge, EdgeKind
from openalpha.market.synth.volatility import HOURS_A_YEAR

__all__ = ["Planted", "plant"]

_SLOW_HOURS, _SLOW_MEMORY = 24, 0.9
_QUICK_HOURS, _QUICK_MEMORY = 8, 0.75
_CLIP = 1.5
_MINIMUM_HOURS = 30 * 24


@dataclass(frozen=True, slots=True)
class Planted:
    """An edge as planted in one symbol.

    Parameters
    ----------
    drift : float64[n_hours]
        Expected return of each hour beyond the martingale.
    positions : float64[n_hours]
        What the reference rule holds through each hour, −1 to 1; decided before it.
    repaid : float
        Share of the funding rate that the price pays back (1 without a carry edge).
    net_sharpe : float
        Annual, after cost, from the drift planted and the volatility drawn: no luck in it.
    """

    drift: NDArray[np.float64]
    positions: NDArray[np.float64]
    repaid: float
    net_sharpe: float


def plant(
    edge: Edge,
    *,
    shocks: NDArray[np.float64],
    leader: NDArray[np.float64] | None,
    sigma: NDArray[np.float64],
    rates: NDArray[np.float64],
    bar_hours: int,
) -> Planted:
    """Choose the strength at which the reference rule's net Sharpe is the one asked for.

    Parameters
    ----------
    shocks, leader : float64[n_hours]
        Standardised hourly shocks of the symbol and of the one that leads it (lead-lag only).
    sigma : float64[n_hours]
        Volatility of each hour, a fraction.
    rates : float64[n_stamps]
        Funding rates (carry only).
    bar_hours : int
        The rule decides no more often than this.

    Raises
    ------
    InputError
        If the market is too short for a Sharpe to mean anything.
    """
    if len(shocks) < _MINIMUM_HOURS:
        raise InputError(
            f"a planted edge needs at least 30 days, was {len(shocks) / 24:g}; ask for more days"
        )
    if edge.kind is EdgeKind.FUNDING_CARRY:
        return _plant_carry(edge, sigma, rates, bar_hours=bar_hours)
    rule = _rule(edge.kind, shocks, leader, bar_hours)

    def outcome(strength: float) -> tuple[NDArray[np.float64], NDArray[np.float64], float]:
        positions = rule(strength)
        drift = strength * sigma * positions
        return positions, drift, _net_sharpe(positions * drift, positions, sigma, edge.cost_bps)

    strength = _solve(lambda value: outcome(value)[2], edge.net_sharpe)
    positions, drift, sharpe = outcome(strength)
    return Planted(drift, positions, 1.0, sharpe)


def _rule(
    kind: EdgeKind,
    shocks: NDArray[np.float64],
    leader: NDArray[np.float64] | None,
    bar_hours: int,
) -> Callable[[float], NDArray[np.float64]]:
    """Return the reference rule as a function of the edge's strength, which feeds back on it."""
    if kind is EdgeKind.LEAD_LAG:
        assert leader is not None
        return lambda strength: _positions(leader, _QUICK_HOURS, bar_hours, memory=0.0)
    if kind is EdgeKind.MOMENTUM:
        return lambda strength: _positions(
            shocks, _SLOW_HOURS, bar_hours, memory=_SLOW_MEMORY, feedback=strength
        )
    return lambda strength: (
        -_positions(shocks, _QUICK_HOURS, bar_hours, memory=_QUICK_MEMORY, feedback=-strength)
    )


def _positions(
    shocks: NDArray[np.float64],
    hours: int,
    bar_hours: int,
    *,
    memory: float,
    feedback: float = 0.0,
) -> NDArray[np.float64]:
    """Return the clipped average of past blocks, held through the next block."""
    length = max(hours, bar_hours)
    n_blocks = len(shocks) // length
    blocks = shocks[: n_blocks * length].reshape(n_blocks, length).sum(axis=1) / length**0.5
    spread = math.sqrt((1 - memory) / (1 + memory)) * _CLIP
    lift = feedback * length**0.5
    level, position, held = 0.0, 0.0, []
    for block in blocks.tolist():
        held.append(position)
        level = memory * level + (1 - memory) * (block + lift * position)
        position = max(-1.0, min(1.0, level / spread))
    out = np.repeat(np.array(held), length)
    return np.append(out, np.full(len(shocks) - len(out), position))


def _plant_carry(
    edge: Edge, sigma: NDArray[np.float64], rates: NDArray[np.float64], *, bar_hours: int
) -> Planted:
    """Short while the last rate was high; the edge is the share the price does not repay."""
    usual = float(np.sqrt(np.mean(rates * rates))) * _CLIP
    held = -np.clip(np.append(0.0, rates[:-1]) / usual, -1.0, 1.0)
    every = max(1, bar_hours // INTERVAL_HOURS)
    held = np.repeat(held[::every], every)[: len(rates)]
    positions = np.repeat(held, INTERVAL_HOURS)[: len(sigma)]
    # Held into stamp j is the position of the hours just before it.
    into = np.append(0.0, held[:-1])
    reward = np.zeros(len(sigma))
    reward[::INTERVAL_HOURS] = -into * rates

    def sharpe(kept: float) -> float:
        return _net_sharpe(kept * reward, positions, sigma, edge.cost_bps)

    kept = _solve(sharpe, edge.net_sharpe)
    return Planted(np.zeros(len(sigma)), positions, 1.0 - kept, sharpe(kept))


def _net_sharpe(
    reward: NDArray[np.float64],
    positions: NDArray[np.float64],
    sigma: NDArray[np.float64],
    cost_bps: float,
) -> float:
    turnover = np.abs(np.diff(positions, prepend=0.0))
    mean = float(np.mean(reward - turnover * cost_bps / 1e4))
    spread = math.sqrt(float(np.mean((positions * sigma) ** 2)))
    return mean / spread * math.sqrt(HOURS_A_YEAR)


def _solve(outcome: Callable[[float], float], wanted: float) -> float:
    """Find the strength that reaches what is wanted, by doubling and halving the interval."""
    low, high = 0.0, 0.01
    while outcome(high) < wanted:
        low, high = high, 2 * high
        if high > 1e4:
            raise InputError(
                f"no edge of net Sharpe {wanted:g} can be planted here; ask for less or more days"
            )
    for _ in range(50):
        middle = (low + high) / 2
        if outcome(middle) < wanted:
            low = middle
        else:
            high = middle
    return high

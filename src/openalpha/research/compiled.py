"""The loops every run pays for, compiled: over its bars, and over its fills.

They call nothing of ours beside each other, so numba's own cache can trust the file's stamp.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from openalpha.venue.kernel._compile import entry, inlined

__all__ = [
    "CURVE_STATE",
    "HeldSteps",
    "TRIP_INTS",
    "TRIP_REALS",
    "TripInput",
    "TripOutput",
    "add_steps",
    "follow",
    "follow_column",
    "walk_fills",
    "warm",
]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

TRIP_INTS = ("direction", "first", "last", "fills")
"""Rows of the integer result of `walk_fills`."""

TRIP_REALS = (
    "qty", "entry_value", "qty_out", "exit_value", "entry_notional", "gross_pnl", "fees",
)  # fmt: skip
"""Rows of the real result of `walk_fills`."""


class TripInput(NamedTuple):
    """Fills sorted by group (instrument and leg), then in order; all of one length.

    `lot_units` int64[g] alone is by group: the lot in quantity units.
    """

    lot_units: Ints
    group: Ints
    held_units: Ints
    price: Floats
    qty: Floats
    notional: Floats
    fee: Floats
    realised_pnl: Floats


class HeldSteps(NamedTuple):
    """A stretch of a run: a position as steps, and what it is measured by.

    Parameters
    ----------
    bar : int64[m]
        Bars from which a step holds, increasing; of several in one bar the last does.
    worth : float64[m]
        What is held from there on, in account currency a price unit.
    close : int64[n]
        Closes in price units.
    equity : float64[n]
        A bar without equity left has an exposure of 0.
    """

    bar: Ints
    worth: Floats
    close: Ints
    equity: Floats


CURVE_STATE = ("exposed", "exposure_sum", "most_exposure", "peak", "trough", "deepest")
"""What `follow` carries from one stretch of a run to the next: float64[6].

Peak and trough begin at the equity before the first bar, the rest at 0. The deepest drawdown leaves
out the fall still going on, 1 - trough / peak.
"""


@inlined
def _fall(equity: Floats, start: int, stop: int, state: Floats) -> None:
    """Carry peak, trough and deepest drawdown over bars [start, stop).

    One division a fall is enough: below one peak, the lowest point has the largest quotient.
    """
    peak, trough, deepest = state[3], state[4], state[5]
    for worth in equity[start:stop]:
        if worth > peak:
            if trough < peak:
                deepest = max(deepest, 1.0 - trough / peak)
            peak = trough = worth
        trough = min(trough, worth)
    state[3], state[4], state[5] = peak, trough, deepest


@inlined
def _expose(steps: HeldSteps, worth: float, start: int, stop: int, into: Floats) -> None:
    """Add what is held to the exposure of bars [start, stop), counted from the block's first."""
    for i in range(start, stop):
        if steps.equity[i] > 0.0:
            into[i] += worth * steps.close[i] / steps.equity[i]


@inlined
def _sum_up(steps: HeldSteps, worth: float, start: int, stop: int, state: Floats) -> None:
    """Carry the exposure's count, sum and maximum over bars [start, stop) of one position."""
    exposed, total, most = 0, state[1], state[2]
    close, equity = steps.close[start:stop], steps.equity[start:stop]
    for i in range(close.shape[0]):
        share = worth * close[i] / equity[i] if equity[i] > 0.0 else 0.0
        exposed += share != 0.0
        total += share
        most = share if share > most else most
    state[0], state[1], state[2] = state[0] + exposed, total, most


@entry
def add_steps(steps: HeldSteps, exposure: Floats) -> None:
    """Add one position's exposure to that of others.

    Parameters
    ----------
    steps : HeldSteps
    exposure : float64[n]
        Added to where something is held and equity is left.
    """
    count, length = steps.bar.shape[0], exposure.shape[0]
    for step in range(count):
        stop = min(steps.bar[step + 1], length) if step + 1 < count else length
        if steps.worth[step] != 0.0:
            _expose(steps, steps.worth[step], max(steps.bar[step], 0), stop, exposure)


@entry
def follow(steps: HeldSteps, state: Floats) -> None:
    """Follow a run's equity, and the exposure of one position, from bar to bar.

    Flat stretches cost next to nothing.

    Parameters
    ----------
    steps : HeldSteps
    state : float64[6]
        As `CURVE_STATE`; carried on.
    """
    count, length = steps.bar.shape[0], steps.equity.shape[0]
    _fall(steps.equity, 0, min(steps.bar[0], length) if count else length, state)
    for step in range(count):
        start = max(steps.bar[step], 0)
        stop = min(steps.bar[step + 1], length) if step + 1 < count else length
        if steps.worth[step] != 0.0:
            _fall(steps.equity, start, stop, state)
            _sum_up(steps, steps.worth[step], start, stop, state)
        else:  # what holds nothing is worth the same at every bar
            _fall(steps.equity, start, min(start + 1, stop), state)


@entry
def follow_column(exposure: Floats, state: Floats) -> None:
    """Sum up the exposure of a run where it stands in a column.

    Parameters
    ----------
    exposure : float64[n]
    state : float64[6]
        As `CURVE_STATE`; its first three are carried on.
    """
    exposed, total, most = 0, state[1], state[2]
    for share in exposure:
        exposed += share != 0.0
        total += share
        most = share if share > most else most
    state[0], state[1], state[2] = state[0] + exposed, total, most


class TripOutput(NamedTuple):
    """Where `walk_fills` writes: int64[4, k] and float64[7, k], a column a round trip.

    Rows as `TRIP_INTS` and `TRIP_REALS`. k is at least the number of fills + 1: a column is in work
    before its trip ends.
    """

    ints: Ints
    reals: Floats


@entry
def walk_fills(fills: TripInput, out: TripOutput) -> int:
    """Find round trips: fill by fill, from flat (below one lot) to flat or to the other side.

    Parameters
    ----------
    fills : TripInput
    out : TripOutput

    Returns
    -------
    int
        Number of round trips that ended.
    """
    ints, reals = out.ints, out.reals
    trips = 0
    group = -1
    held = 0
    sign = 0
    for i in range(fills.group.shape[0]):
        if fills.group[i] != group:  # what the group before left open is no round trip
            group = fills.group[i]
            held = 0
            sign = 0
        change = fills.held_units[i]
        after = held + change
        now = int(after >= fills.lot_units[group]) - int(after <= -fills.lot_units[group])
        closed = 0.0
        if sign * change < 0:
            closed = min(1.0, abs(held) / abs(change))
        if sign != 0:
            reals[2, trips] += closed * fills.qty[i]
            reals[3, trips] += closed * fills.qty[i] * fills.price[i]
            reals[5, trips] += fills.realised_pnl[i]
            reals[6, trips] += closed * fills.fee[i]
            ints[2, trips] = i
            ints[3, trips] += 1
            trips += now != sign
        if now not in (0, sign):
            ints[0, trips] = now
            ints[1, trips] = i
            ints[2, trips] = i
            ints[3, trips] = 1
            for row in range(reals.shape[0]):
                reals[row, trips] = 0.0
        if now != 0:
            opened = 1.0 - closed
            reals[0, trips] += opened * fills.qty[i]
            reals[1, trips] += opened * fills.qty[i] * fills.price[i]
            reals[4, trips] += opened * fills.notional[i]
            reals[6, trips] += opened * fills.fee[i]
        held = after
        sign = now
    return trips


def warm() -> None:
    """Compile all loops (or load them from the cache)."""
    real: Any = np.zeros(1)
    whole: Any = np.zeros(1, dtype=np.int64)
    close: Any = np.zeros(2, dtype=np.int64)
    close.setflags(write=False)  # as a history's closes are
    steps, state = HeldSteps(whole, real, close, np.zeros(2)), np.zeros(len(CURVE_STATE))
    follow(steps, state)
    follow_column(np.zeros(2), state)
    add_steps(steps, np.zeros(2))
    fills = TripInput(whole + 1, whole, whole, real, real, real, real, real)
    walk_fills(fills, TripOutput(np.zeros((4, 2), np.int64), np.zeros((7, 2))))

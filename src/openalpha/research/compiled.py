"""The loops every run pays for, compiled: over its bars, and over its fills.

Each is a leaf: it calls nothing of ours, so numba's own cache can trust the file's stamp.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from openalpha.venue.kernel._compile import entry

__all__ = [
    "HeldSteps",
    "TRIP_INTS",
    "TRIP_REALS",
    "TripInput",
    "TripOutput",
    "add_steps",
    "scan_exposure",
    "scan_steps",
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


@entry
def scan_exposure(exposure: Floats, out: Floats) -> None:
    """Write the bars exposed, the sum and the maximum of the exposure to out[0:3].

    Parameters
    ----------
    exposure : float64[n]
        Gross exposure / equity at bar closes, >= 0.
    out : float64[3]
    """
    bars, total, most = 0, 0.0, 0.0
    for i in range(exposure.shape[0]):
        bars += exposure[i] != 0.0
        total += exposure[i]
        most = max(most, exposure[i])
    out[0], out[1], out[2] = bars, total, most


class HeldSteps(NamedTuple):
    """A position as steps, and what it is measured by.

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


@entry
def scan_steps(steps: HeldSteps, out: Floats) -> None:
    """Write what `scan_exposure` writes, from a position's steps: flat stretches cost nothing.

    Parameters
    ----------
    steps : HeldSteps
    out : float64[3]
    """
    close, equity = steps.close, steps.equity
    bars, total, most = 0, 0.0, 0.0
    count, length = steps.bar.shape[0], close.shape[0]
    for step in range(count):
        stop = steps.bar[step + 1] if step + 1 < count else length
        worth = steps.worth[step]
        if worth == 0.0:
            continue
        for i in range(max(steps.bar[step], 0), stop):
            if equity[i] > 0.0:
                share = worth * close[i] / equity[i]
                bars += 1
                total += share
                most = max(most, share)
    out[0], out[1], out[2] = bars, total, most


@entry
def add_steps(steps: HeldSteps, exposure: Floats) -> None:
    """Add one position's exposure to that of others, from its steps.

    Parameters
    ----------
    steps : HeldSteps
    exposure : float64[n]
        Added to where something is held and equity is left.
    """
    close, equity = steps.close, steps.equity
    count, length = steps.bar.shape[0], close.shape[0]
    for step in range(count):
        stop = steps.bar[step + 1] if step + 1 < count else length
        worth = steps.worth[step]
        if worth == 0.0:
            continue
        for i in range(max(steps.bar[step], 0), stop):
            if equity[i] > 0.0:
                exposure[i] += worth * close[i] / equity[i]


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
    scan_exposure(real, np.zeros(3))
    # A run's closes are a column of its bars, so not contiguous.
    steps = HeldSteps(whole, real, np.zeros((2, 5), dtype=np.int64)[:, 3], np.zeros(2))
    scan_steps(steps, np.zeros(3))
    add_steps(steps, np.zeros(2))
    fills = TripInput(whole + 1, whole, whole, real, real, real, real, real)
    walk_fills(fills, TripOutput(np.zeros((4, 2), np.int64), np.zeros((7, 2))))

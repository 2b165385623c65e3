"""Legs that hedge each other: one position to a judge, and whether they really offset each other.

A spot and a perpetual of one coin, held the opposite way, win and lose together; each leg alone
says nothing about the idea.
"""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from openalpha.core.instruments import Instrument, Kind
from openalpha.research.facts import FillColumns
from openalpha.research.roundtrips import RoundTrips

__all__ = ["DUST", "UNHEDGED", "joined_pnl", "unhedged_share"]

Floats = NDArray[np.float64]
Rows = NDArray[np.intp]

UNHEDGED = 0.2
"""Legs are called unhedged where their net is more than this share of the larger one."""

DUST = 0.01
"""Below this share of the largest holding nothing is held."""


def joined_pnl(trips: RoundTrips, instruments: Sequence[Instrument]) -> tuple[Floats, int]:
    """Return the profit of each position, legs that hedge each other counted as one.

    Round trips of one base coin in several instruments belong together when they overlap in time
    and go both ways.

    Parameters
    ----------
    trips : RoundTrips
    instruments : sequence of Instrument
        Those the trips' `instrument` points to.

    Returns
    -------
    (float64[k], int)
        The profits, and how many round trips were legs of a hedge; 0: the profits are the trips'.
    """
    is_leg = np.zeros(len(trips), dtype=bool)
    found: list[float] = []
    for group in _groups(instruments):
        rows = np.flatnonzero(np.isin(trips.instrument, group))
        for cluster in _overlapping(trips, rows):
            if len(set(trips.direction[cluster].tolist())) > 1:
                is_leg[cluster] = True
                found.append(float(trips.pnl[cluster].sum()))
    return np.concatenate((trips.pnl[~is_leg], found)), int(is_leg.sum())


def unhedged_share(
    fills: FillColumns, instruments: Sequence[Instrument], *, end_ms: int
) -> float | None:
    """Return the share of the time in the market in which the legs did not offset each other.

    Parameters
    ----------
    fills : FillColumns
        All of a run's, in order.
    instruments : sequence of Instrument
    end_ms : int
        The run's end.

    Returns
    -------
    float or None
        In [0, 1], the worst coin's; None where no coin was traded as spot and as a contract, or
        nothing was held.
    """
    shares = []
    for group in _groups(instruments):
        if len({instruments[number].kind is Kind.SPOT for number in group}) < 2:
            continue
        rows = np.flatnonzero(np.isin(fills.instrument, group))
        if not len(rows):
            continue
        # What each leg holds after each fill, in the base coin, side by side.
        held = np.stack(
            [
                np.cumsum(np.where(fills.instrument[rows] == number, fills.held_units[rows], 0))
                * (float(instruments[number].multiplier) / 10.0 ** instruments[number].qty_decimals)
                for number in group
            ]
        )
        lasting = np.diff(np.append(fills.ts_ms[rows], end_ms))
        largest = np.abs(held).max(axis=0)
        is_open = np.abs(held.sum(axis=0)) > UNHEDGED * largest
        # What a fee in the coin left over is no position.
        is_held = largest > DUST * largest.max()
        held_ms = float(lasting[is_held].sum())
        if held_ms > 0:
            shares.append(float(lasting[is_held & is_open].sum()) / held_ms)
    return max(shares) if shares else None


def _groups(instruments: Sequence[Instrument]) -> Iterator[list[int]]:
    """Yield the numbers of instruments that share a base coin, where there are several."""
    bases = [instrument.base for instrument in instruments]
    for base in dict.fromkeys(bases):
        group = [number for number, one in enumerate(bases) if one == base]
        if len(group) > 1 and all(instruments[n].kind is not Kind.INVERSE for n in group):
            yield group


def _overlapping(trips: RoundTrips, rows: Rows) -> Iterator[Rows]:
    """Yield rows of trips that hang together in time."""
    rows = rows[np.argsort(trips.entry_ts_ms[rows], kind="stable")]
    if not len(rows):
        return
    until = np.maximum.accumulate(trips.exit_ts_ms[rows])
    starts = np.flatnonzero(trips.entry_ts_ms[rows][1:] >= until[:-1]) + 1
    yield from np.split(rows, starts)

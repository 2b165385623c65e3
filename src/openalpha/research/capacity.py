"""How much of the market a run took: the share of its bars' volume, and the capital that allows."""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from openalpha.market.history import History
from openalpha.research.facts import FillColumns

__all__ = ["FAIR_SHARE", "Capacity", "capacity_of"]

Floats = NDArray[np.float64]

FAIR_SHARE = 0.05
"""Share of a bar's volume beyond which a model of impact is a guess."""


class Capacity(NamedTuple):
    """What a run took of the volume traded in the bars of its fills.

    Parameters
    ----------
    share : float
        Of bar and instrument together, the share that 19 of 20 stay within.
    largest : float
        The largest.
    capital : float
        Starting balance at which 19 of 20 would stay within `FAIR_SHARE`, sizes growing with it.
    """

    share: float
    largest: float
    capital: float


def capacity_of(
    fills: FillColumns, histories: Iterable[History], *, capital: float
) -> Capacity | None:
    """Return how much of the volume a run took; None where no bar with a fill had volume.

    Parameters
    ----------
    fills : FillColumns
    histories : iterable of History
        In the order of the run's instruments.
    capital : float
        Starting balance.
    """
    shares = [_shares(fills, number, history) for number, history in enumerate(histories)]
    every = np.concatenate(shares) if shares else np.empty(0)
    if not len(every):
        return None
    usual = float(np.quantile(every, 0.95))
    return Capacity(usual, float(every.max()), capital * FAIR_SHARE / usual)


def _shares(fills: FillColumns, number: int, history: History) -> Floats:
    mine = fills.instrument == number
    bar = np.searchsorted(history.ts_ms, fills.ts_ms[mine], side="right") - 1
    rows, place = np.unique(np.maximum(bar, 0), return_inverse=True)
    taken = np.bincount(place, weights=fills.qty[mine], minlength=len(rows))
    volume = history.column("volume")[rows]
    found: Floats = taken[volume > 0] / volume[volume > 0]
    return found

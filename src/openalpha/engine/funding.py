"""Missing funding settlements: never made up silently, but bounded from both sides.

Where settlements are missing, a run is repeated with the stretch's mean set to the lowest and to
the highest mean of any known stretch of that length, within the bars or not, or to the venue's cap
where no known stretch is as long; the worse run is the one shown.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from openalpha.core.clock import HOUR_MS, MINUTE_MS, format_ms
from openalpha.market.history import RATE_DECIMALS, History

__all__ = ["ASSUMED_CAP", "Settlements", "bound_notes", "bounded"]

Settlements = tuple[NDArray[np.int64], NDArray[np.int64]]

ASSUMED_CAP = Decimal("0.0075")
"""Largest rate a settlement where nobody states the venue's, unless a known one is larger.

Venues derive it from the margin rates; this is what 2 % initial and 1 % maintenance give at Bybit:
three quarters of their difference.
"""

_LONGEST_MS = 8 * HOUR_MS


@dataclass(frozen=True, slots=True)
class _Stretch:
    """A missing stretch: its stamps, and the bounds of their mean (10^-12)."""

    stamps: NDArray[np.int64]
    low_e12: int
    high_e12: int
    is_capped: bool


def bounded(history: History, *, highest: bool) -> Settlements:
    """Return a history's settlements with every missing stretch filled at one bound.

    Parameters
    ----------
    history : History
    highest : bool
        True fills with the highest known mean (longs pay most), False with the lowest.

    Returns
    -------
    (int64[k], int64[k])
        Stamps and rates (10^-12), increasing stamps.
    """
    stamps, rates = history.funding_ts_ms, history.funding_rate_e12
    new_stamps, new_rates = [stamps], [rates]
    for stretch in _stretches(history):
        mean = stretch.high_e12 if highest else stretch.low_e12
        new_stamps.append(stretch.stamps)
        new_rates.append(np.full(len(stretch.stamps), mean, dtype=np.int64))
    if len(new_stamps) == 1:
        return stamps, rates
    every, values = np.concatenate(new_stamps), np.concatenate(new_rates)
    order = np.argsort(every, kind="stable")
    return every[order], values[order]


def bound_notes(histories: Iterable[History], *, highest: bool) -> list[str]:
    """Return what a run on one bound should say: the bound, and where it is the venue's cap."""
    notes = []
    for history in histories:
        for stretch in _stretches(history):
            if not stretch.is_capped:
                continue
            first, last = (format_ms(int(stretch.stamps[row])) for row in (0, -1))
            cap = Decimal(stretch.high_e12).scaleb(2 - RATE_DECIMALS).normalize()
            whose = "assumed" if history.instrument.funding_cap is None else "the venue's"
            notes.append(
                f"{history.instrument.id}: no stretch of known funding is as long as the one "
                f"missing from {first} to {last}: it is bounded by ±{cap:f} % a settlement, the "
                f"cap ({whose})"
            )
    side = "highest" if highest else "lowest"
    notes.append(
        f"missing funding settlements stand at the {side} mean known over their length: the worse "
        "of two runs"
    )
    return notes


def _stretches(history: History) -> Iterator[_Stretch]:
    """Yield the missing stretches; the mean is one over the stamps of the instrument's interval."""
    interval = history.instrument.funding_interval_ms
    if interval is None:
        return
    for start, stop in history.funding_gaps:
        stamps = np.arange(start, stop + 1, interval, dtype=np.int64)
        sums = _known_sums(history, len(stamps) * interval)
        if len(sums):
            low, high = int(sums.min()) // len(stamps), -(-int(sums.max()) // len(stamps))
            yield _Stretch(stamps, low, high, is_capped=False)
        else:
            cap = _cap_e12(history)
            yield _Stretch(stamps, -cap, cap, is_capped=True)


def _known_sums(history: History, length_ms: int) -> NDArray[np.int64]:
    """Return the sum of the rates of every known stretch of a length, none across a hole.

    A settlement pays for the time since the one before; the first after a hole for as much as the
    second. Stretches begin at settlements: between two nothing changes.
    """
    stamps, rates = history.known_funding
    interval = history.instrument.funding_interval_ms
    assert interval is not None
    holes = np.flatnonzero(np.diff(stamps) > max(interval, _LONGEST_MS) + MINUTE_MS)
    edges = [0, *(holes + 1).tolist(), len(stamps)]
    found = [np.empty(0, dtype=np.int64)]
    for first, end in pairwise(edges):
        part = stamps[first:end]
        if not len(part):
            continue
        paid = int(part[1] - part[0]) if len(part) > 1 else interval
        begins = np.concatenate([[part[0] - paid], part[:-1]])
        begins = begins[begins + length_ms <= part[-1]]
        total = np.concatenate([[0], np.cumsum(rates[first:end])])
        ends = np.searchsorted(part, begins + length_ms, side="right")
        found.append(total[ends] - total[: len(begins)])
    return np.concatenate(found)


def _cap_e12(history: History) -> int:
    stated = history.instrument.funding_cap
    cap = int((ASSUMED_CAP if stated is None else stated).scaleb(RATE_DECIMALS))
    return max(cap, int(np.abs(history.known_funding[1]).max(initial=0)))

"""A book where only trades are known: what the last print says can be had, and no more."""

from collections.abc import Sequence

import numpy as np

from openalpha.venue.kernel import book_market as event
from openalpha.venue.kernel.layout import I64

__all__ = ["book_of_prints"]


def book_of_prints(
    events: I64, *, half_spread_e8: int, steps: Sequence[tuple[int, int, int]]
) -> I64:
    """Replace each print by the book it speaks of; other events stay as they are.

    After a print there is one level a side, half the spread (at least a tick) beside its price,
    with its quantity. So a taker gets at most what was last traded, at that distance; an order at
    rest fills once a print goes beyond its price by that distance, by at most that print's
    quantity, for whatever stood before it is unknown. A print that only touches it fills nothing.

    Parameters
    ----------
    events : int64[n, EVENT_COLS]
    half_spread_e8 : int
        Of the price.
    steps : sequence of (stamp, tick, lot)
        The instrument's rules by date.

    Returns
    -------
    int64[n + 4 * prints, EVENT_COLS]
        Levels stand before their print, which triggers stops: those take from the new levels.

    Examples
    --------
    >>> prints = np.array([[7, event.TRADE, 0, 1, 1000, 3]])
    >>> book_of_prints(prints, half_spread_e8=0, steps=[(0, 1, 1)])[:, 1:].tolist()
    [[5, 0, 0, 0, 0], [1, 0, 1, 999, 3], [1, 0, -1, 1001, 3], [6, 0, 0, 0, 0], [2, 0, 1, 1000, 0]]
    """
    is_print = events[:, event.V_KIND] == event.TRADE
    if not is_print.any():
        return events
    times = np.where(is_print, 5, 1)
    out = np.repeat(events, times, axis=0)
    first = (np.cumsum(times) - times)[is_print]
    prints = events[is_print]
    price, qty = prints[:, event.V_PRICE], prints[:, event.V_QTY]
    tick = _ticks(prints[:, event.V_TS], steps)
    distance = np.maximum(-(-(price * half_spread_e8) // (10**8 * tick)), 1) * tick
    _set(out, first, event.SNAPSHOT_BEGIN)
    _set(out, first + 1, event.LEVEL, 1, np.maximum(price - distance, 1), qty)
    _set(out, first + 2, event.LEVEL, -1, price + distance, qty)
    _set(out, first + 3, event.SNAPSHOT_END)
    out[first + 4, event.V_QTY] = 0
    return out


def _ticks(stamps: I64, steps: Sequence[tuple[int, int, int]]) -> I64:
    """Return the tick in force at each stamp; before the first rule that one's."""
    begins = np.array([step[0] for step in steps], dtype=np.int64)
    ticks = np.array([step[1] for step in steps], dtype=np.int64)
    return ticks[np.maximum(np.searchsorted(begins, stamps, side="right") - 1, 0)]


def _set(
    out: I64, rows: I64, kind: int, side: int = 0, price: "I64 | int" = 0, qty: "I64 | int" = 0
) -> None:
    out[rows, event.V_KIND], out[rows, event.V_SIDE] = kind, side
    out[rows, event.V_PRICE], out[rows, event.V_QTY] = price, qty

"""Tables of events for the price-time book, made from the columns of recorded depth and trades."""

import numpy as np

from openalpha.venue.kernel import book_market as event
from openalpha.venue.kernel.layout import I64

__all__ = ["depth_rows", "funding_rows", "in_time_order", "mark_rows", "trade_rows"]


def _table(kind: int, number: int, ts_ms: I64, *columns: I64 | int) -> I64:
    """Return rows of one kind; columns are side, price and quantity, 0 where left out."""
    rows = np.zeros((len(ts_ms), event.EVENT_COLS), dtype=np.int64)
    rows[:, event.V_TS], rows[:, event.V_KIND], rows[:, event.V_INST] = ts_ms, kind, number
    for place, column in enumerate(columns):
        rows[:, event.V_SIDE + place] = column
    return rows


def trade_rows(number: int, ts_ms: I64, taker_side: I64, price: I64, qty: I64) -> I64:
    """Return the events of a tape: one print a row.

    Parameters
    ----------
    number : int
        The instrument.
    ts_ms : int64[n]
    taker_side : int64[n]
        +1 where a buyer took, -1 where a seller did.
    price : int64[n], price units
    qty : int64[n], quantity units

    Returns
    -------
    int64[n, EVENT_COLS]
    """
    return _table(event.TRADE, number, ts_ms, taker_side, price, qty)


def mark_rows(number: int, ts_ms: I64, mark: I64, index: I64 | int = 0) -> I64:
    """Return events of mark and index prices (0: no index), in price units."""
    return _table(event.MARKS, number, ts_ms, 0, mark, index)


def funding_rows(number: int, ts_ms: I64, rate_e12: I64) -> I64:
    """Return settlements of funding; the rate in 10^-12."""
    return _table(event.FUNDING, number, ts_ms, 0, rate_e12)


def depth_rows(number: int, ts_ms: I64, is_snapshot: I64, side: I64, price: I64, qty: I64) -> I64:
    """Return the events of a recorded depth feed, one row a level.

    Rows of a snapshot that follow each other with the same stamp are one snapshot: they replace the
    whole book. All others set one level, quantity 0 removes it.

    Parameters
    ----------
    number : int
        The instrument.
    ts_ms, is_snapshot, side, price, qty : int64[n]
        Stamps, 1 for rows of a snapshot, +1 bid and -1 ask, price and quantity units.

    Returns
    -------
    int64[n + 2 * n_snapshots, EVENT_COLS]

    Examples
    --------
    >>> import numpy as np
    >>> ones = np.ones(2, dtype=np.int64)
    >>> rows = depth_rows(0, 5 * ones, ones, ones, 100 * ones, 7 * ones)
    >>> rows[:, 1].tolist()  # begin, two levels, end
    [5, 1, 1, 6]
    """
    rows = _table(event.LEVEL, number, ts_ms, side, price, qty)
    inside = np.concatenate(([0], is_snapshot, [0]))
    stamps = np.concatenate((ts_ms[:1], ts_ms, ts_ms[-1:]))
    is_new = (inside[1:] != inside[:-1]) | ((stamps[1:] != stamps[:-1]) & (inside[1:] == 1))
    starts = np.flatnonzero(is_new & (inside[1:] == 1))
    ends = np.flatnonzero(is_new & (inside[:-1] == 1))
    begin = _table(event.SNAPSHOT_BEGIN, number, ts_ms[starts])
    end = _table(event.SNAPSHOT_END, number, ts_ms[ends - 1])
    # At a place where one snapshot ends and the next begins, the end comes first.
    return np.insert(rows, np.concatenate((ends, starts)), np.concatenate((end, begin)), axis=0)


def in_time_order(*tables: I64) -> I64:
    """Return the rows of several tables by stamp; of the same stamp, those of earlier tables first.

    Within a table rows keep their order: a feed's stamps must not fall.
    """
    rows = np.concatenate(tables)
    return rows[np.argsort(rows[:, event.V_TS], kind="stable")]

"""Prepared, immutable history of one instrument: what every strategy, engine and report reads.

Bars stand in integer units on the instrument's grid; floats are derived from them, never kept
beside them. The grid *is* the history.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from openalpha.core.clock import HOUR_MS, MINUTE_MS, SECOND_MS, timeframe_name
from openalpha.core.errors import DataError, InputError
from openalpha.core.instruments import Instrument
from openalpha.market.grid import to_floats

__all__ = ["OHLCV", "RATE_DECIMALS", "History", "funding_gaps", "snap_stamps"]

OHLCV = ("open", "high", "low", "close", "volume")
"""Columns of `History.bars`, in order."""

RATE_DECIMALS = 12
"""Decimals of a stored funding rate."""

_DERIVED = ("mark_close", "index_close", "funding_rate")
_CACHE_LIMIT = 4_000_000
_EMPTY = np.empty(0, dtype=np.int64)


@dataclass(frozen=True, slots=True, eq=False)
class History:
    """Bars of one instrument and time frame, with what was settled and marked beside them.

    Build one by `openalpha.history(frame)`, `Lake.load` or `History.of`; the arrays are read-only.

    Parameters
    ----------
    instrument : Instrument
        Its `price_decimals` (d) and `qty_decimals` (q) are those of the arrays.
    timeframe_ms : int
        Length of a bar.
    ts_ms : int64[n]
        Bar open stamps, strictly increasing, gaps allowed.
    bars : int64[n, 5]
        Open, high, low, close in price units (10^-d), volume in quantity units (10^-q).
    mark, index : int64[n, 4] or None
        Open, high, low, close of the mark and index price in price units, row for row.
    funding_ts_ms, funding_rate_e12 : int64[k]
        Settlements (jitter below a second snapped to the minute) and their rates in 10^-12.
    funding_gaps : tuple of (from_ms, to_ms)
        First and last missing settlement of each stretch within the bars.
    fingerprint : str
        SHA-256 over all of the above.
    notes : tuple of str
        What a reader should know about where this came from, a sentence each.
    known_funding : (int64[m], int64[m])
        All settlements known of the instrument, outside the bars too, as they were given: what a
        missing stretch is bounded by. Part of the fingerprint where stretches are missing.
    """

    instrument: Instrument
    timeframe_ms: int
    ts_ms: NDArray[np.int64]
    bars: NDArray[np.int64]
    mark: NDArray[np.int64] | None
    index: NDArray[np.int64] | None
    funding_ts_ms: NDArray[np.int64]
    funding_rate_e12: NDArray[np.int64]
    funding_gaps: tuple[tuple[int, int], ...]
    fingerprint: str
    notes: tuple[str, ...]
    known_funding: tuple[NDArray[np.int64], NDArray[np.int64]] = (_EMPTY, _EMPTY)
    _columns: dict[str, NDArray[np.float64]] = field(default_factory=dict, repr=False)
    _units: dict[str, NDArray[np.int64]] = field(default_factory=dict, repr=False)

    @classmethod
    def of(
        cls,
        instrument: Instrument,
        timeframe_ms: int,
        *,
        ts_ms: NDArray[np.int64],
        bars: NDArray[np.int64],
        mark: NDArray[np.int64] | None = None,
        index: NDArray[np.int64] | None = None,
        funding: tuple[NDArray[np.int64], NDArray[np.int64]] = (_EMPTY, _EMPTY),
        notes: Iterable[str] = (),
    ) -> "History":
        """Freeze arrays that are already in the instrument's units into a history.

        Settlements outside the bars are only kept to bound missing ones. The arrays are taken over,
        not copied, where they are contiguous int64: do not write to them afterwards.

        Parameters
        ----------
        ts_ms, bars, mark, index
            As the attributes of the same names.
        funding : (int64[k], int64[k])
            Stamps (UTC ms, increasing) and rates (10^-12).

        Raises
        ------
        DataError
            If there is no bar, or the stamps do not increase on the time frame's grid.
        """
        ts_ms, bars = _frozen(ts_ms), _frozen(bars)
        assert timeframe_ms > 0
        assert bars.shape == (len(ts_ms), 5), "one row of open, high, low, close, volume a stamp"
        assert mark is None or mark.shape == (len(ts_ms), 4)
        assert index is None or index.shape == (len(ts_ms), 4)
        _check_stamps(ts_ms, timeframe_ms, instrument.id)
        mark = None if mark is None else _frozen(mark)
        index = None if index is None else _frozen(index)
        end_ms = int(ts_ms[-1]) + timeframe_ms
        known = _settlements(funding)
        rows = slice(*np.searchsorted(known[0], [int(ts_ms[0]), end_ms]))
        stamps, rates = known[0][rows], known[1][rows]
        gaps = funding_gaps(
            stamps,
            (int(ts_ms[0]), end_ms),
            interval_ms=instrument.funding_interval_ms,
        )
        beyond = known if gaps and len(known[0]) > len(stamps) else ()
        fingerprint = _digest(
            f"{instrument!r}|{timeframe_ms}", ts_ms, bars, mark, index, stamps, rates, *beyond
        )
        return cls(
            instrument, timeframe_ms, ts_ms, bars, mark, index, stamps, rates, gaps, fingerprint,
            tuple(notes), known,
        )  # fmt: skip

    def __len__(self) -> int:
        return len(self.ts_ms)

    def __repr__(self) -> str:
        name = timeframe_name(self.timeframe_ms)
        return f"History({self.instrument.id} {name}, {len(self)} bars, {self.fingerprint[:12]})"

    @property
    def end_ms(self) -> int:
        """Return the close of the last bar, UTC ms."""
        return int(self.ts_ms[-1]) + self.timeframe_ms

    def column(self, name: str) -> NDArray[np.float64]:
        """Return one column as floats in the instrument's own units.

        Parameters
        ----------
        name : str
            open, high, low, close (quote currency), volume (quantity), mark_close, index_close
            (all NaN without that price), or funding_rate: the sum of the rates settled at the
            bar's open stamp or within the bar, NaN where none was.

        Returns
        -------
        float64[n]
            Read-only; the same bits whatever the decimals of the grid.

        Raises
        ------
        InputError
            If there is no such column.
        """
        known = self._columns.get(name)
        if known is not None:
            return known
        values = self._derive(name)
        values.setflags(write=False)
        if len(self) <= _CACHE_LIMIT:
            self._columns[name] = values
        return values

    def close_units(self) -> NDArray[np.int64]:
        """Return the close in price units as a column of its own: quicker to pass over than `bars`.

        Returns
        -------
        int64[n]
            Read-only; contiguous and kept, except for histories so long that a second copy of the
            close would hurt: there a view of `bars`.
        """
        if len(self) > _CACHE_LIMIT:
            return self.bars[:, 3]
        if "close" not in self._units:
            column = np.ascontiguousarray(self.bars[:, 3])
            column.setflags(write=False)
            self._units["close"] = column
        return self._units["close"]

    def window(self, start: int, stop: int) -> "History":
        """Return rows [start, stop) as a history of its own, in the same units, without a copy.

        Raises
        ------
        InputError
            If the window is empty or reaches beyond the bars.
        """
        if not 0 <= start < stop <= len(self):
            raise InputError(f"rows [{start}, {stop}) are not within {self!r}")
        rows = slice(start, stop)
        return History.of(
            self.instrument,
            self.timeframe_ms,
            ts_ms=self.ts_ms[rows],
            bars=self.bars[rows],
            mark=None if self.mark is None else self.mark[rows],
            index=None if self.index is None else self.index[rows],
            funding=self.known_funding,
            notes=self.notes,
        )

    def _derive(self, name: str) -> NDArray[np.float64]:
        decimals = self.instrument.price_decimals
        if name == "volume":
            return to_floats(self.bars[:, 4], self.instrument.qty_decimals)
        if name in OHLCV:
            return to_floats(self.bars[:, OHLCV.index(name)], decimals)
        if name == "funding_rate":
            return self._funding_column()
        if name in _DERIVED:
            prices = self.mark if name == "mark_close" else self.index
            missing = np.full(len(self), np.nan)
            return missing if prices is None else to_floats(prices[:, 3], decimals)
        names = ", ".join((*OHLCV, *_DERIVED))
        raise InputError(f"a history has no column '{name}'; it has {names}")

    def _funding_column(self) -> NDArray[np.float64]:
        out = np.full(len(self), np.nan)
        rows = np.searchsorted(self.ts_ms, self.funding_ts_ms, side="right") - 1
        within = self.funding_ts_ms - self.ts_ms[rows] < self.timeframe_ms if len(rows) else _EMPTY
        units = np.zeros(len(self), dtype=np.int64)
        np.add.at(units, rows[within.astype(bool)], self.funding_rate_e12[within.astype(bool)])
        settled = np.unique(rows[within.astype(bool)])
        out[settled] = to_floats(units[settled], RATE_DECIMALS)
        return out


def snap_stamps(stamps: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return settlement stamps with a jitter below one second snapped to the whole minute.

    Examples
    --------
    >>> snap_stamps(np.array([28_800_003, 57_599_998, 61_000]))
    array([28800000, 57600000,    61000])
    """
    minute = (stamps + MINUTE_MS // 2) // MINUTE_MS * MINUTE_MS
    return np.where(np.abs(stamps - minute) < SECOND_MS, minute, stamps)


def funding_gaps(
    stamps: NDArray[np.int64], span: tuple[int, int], *, interval_ms: int | None
) -> tuple[tuple[int, int], ...]:
    """Return the stretches of a span in which settlements are missing.

    Intervals that venues really use (8 h and shorter) may follow each other freely: only a
    distance longer than the usual interval and than 8 h counts as a hole.

    Parameters
    ----------
    stamps : int64[k]
        Settlements within the span, increasing.
    span : (start_ms, end_ms)
        [start, end), UTC ms.
    interval_ms : int or None
        Usual distance; None: the instrument has no funding, and so no gaps.

    Returns
    -------
    tuple of (from_ms, to_ms)
        First and last missing settlement of each stretch.

    Examples
    --------
    >>> h = 3_600_000
    >>> funding_gaps(np.array([0, 8 * h, 32 * h]), (0, 40 * h), interval_ms=8 * h)
    ((57600000, 86400000),)
    """
    if interval_ms is None:
        return ()
    start_ms, end_ms = span
    longest = max(interval_ms, 8 * HOUR_MS)
    first = -(-start_ms // interval_ms) * interval_ms
    if first >= end_ms:
        return ()
    edges = np.concatenate(([first - interval_ms], stamps, [max(end_ms, first)]))
    holes = np.flatnonzero(np.diff(edges) > longest + MINUTE_MS)
    found = []
    for hole in holes:
        begin = int(edges[hole]) + interval_ms
        last = begin + (int(edges[hole + 1]) - 1 - begin) // interval_ms * interval_ms
        if last >= begin:
            found.append((begin, last))
    return tuple(found)


def _frozen(array: NDArray[np.int64]) -> NDArray[np.int64]:
    fixed = np.ascontiguousarray(array, dtype=np.int64)
    if fixed.flags.writeable:
        fixed = fixed.view()
        fixed.setflags(write=False)
    return fixed


def _check_stamps(ts_ms: NDArray[np.int64], timeframe_ms: int, name: str) -> None:
    if len(ts_ms) == 0:
        raise DataError(f"{name} has no bars in the range asked for")
    steps = np.diff(ts_ms)
    bad = np.flatnonzero((steps <= 0) | (steps % timeframe_ms != 0))
    if len(bad):
        row = int(bad[0]) + 1
        raise DataError(
            f"{name}: row {row}: stamp {int(ts_ms[row])} does not follow {int(ts_ms[row - 1])} "
            f"by a whole number of {timeframe_name(timeframe_ms)} bars"
        )


def _settlements(
    funding: tuple[NDArray[np.int64], NDArray[np.int64]],
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    stamps, rates = funding
    assert len(stamps) == len(rates), "one rate a settlement"
    stamps = snap_stamps(np.asarray(stamps, dtype=np.int64))
    if np.any(np.diff(stamps) <= 0):
        raise DataError("funding settlements must have increasing stamps; check the funding series")
    return _frozen(stamps), _frozen(np.asarray(rates))


def _digest(head: str, *arrays: NDArray[np.int64] | None) -> str:
    digest = hashlib.sha256(head.encode())
    for array in arrays:
        if array is None:
            digest.update(b"|none")
        else:
            digest.update(f"|{array.shape}".encode())
            digest.update(array.astype("<i8", copy=False).data.cast("B") if array.size else b"")
    return digest.hexdigest()

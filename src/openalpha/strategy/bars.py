"""The bars a strategy sees: columns as floats, derived when asked for, never from later bars."""

from collections.abc import Callable, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from openalpha.core.clock import DAY_MS, parse_timeframe, timeframe_name
from openalpha.core.errors import InputError

if TYPE_CHECKING:
    from openalpha.market.history import History

__all__ = ["COLUMNS", "Bars", "FloatArray", "IntArray", "Resampled"]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

COLUMNS = ("open", "high", "low", "close", "volume", "funding_rate", "mark_close")
"""The float columns of `Bars`, in the order of the proof's search for a guilty one."""

# 1970-01-01 was a Thursday; venues begin a week on Monday.
_MONDAY_MS = 4 * DAY_MS


class Bars:
    """Bars of one instrument and time frame, as read-only float columns. Immutable.

    A bar is stamped by its open and visible at its close. Columns that come from a `History` are
    derived on first use, so a strategy that reads the close alone holds no other.

    Attributes
    ----------
    ts_ms : int64[n]
        Open stamps, UTC ms, increasing; gaps allowed.
    open, high, low, close : float64[n]
        Quote currency.
    volume : float64[n]
        Quantity traded.
    funding_rate : float64[n]
        Sum of the rates settled at the bar's open or within it, NaN where none was.
    mark_close : float64[n]
        The mark price at the bar's close, NaN where unknown.
    close_units : int64[n] or None
        The close in whole price units (10^-price_decimals), for exact sums; None without a grid.

    Examples
    --------
    >>> bars = Bars.from_columns({"close": [1.0, 2.0, 4.0]}, timeframe_ms=60_000)
    >>> len(bars), bars.close[-1], bars.upto(2).close[-1]
    (3, np.float64(4.0), np.float64(2.0))
    """

    __slots__ = (
        "_columns", "_source", "close_units", "instrument_id", "price_decimals", "timeframe_ms",
        "ts_ms",
    )  # fmt: skip

    def __init__(
        self,
        ts_ms: IntArray,
        *,
        timeframe_ms: int,
        source: Callable[[str], FloatArray],
        instrument_id: str = "",
        close_units: IntArray | None = None,
        price_decimals: int = 0,
    ) -> None:
        assert timeframe_ms > 0
        self.ts_ms = _read_only(ts_ms)
        self.timeframe_ms = timeframe_ms
        self.instrument_id = instrument_id
        self.close_units = None if close_units is None else _read_only(close_units)
        self.price_decimals = price_decimals
        self._source = source
        self._columns: dict[str, FloatArray] = {}

    @classmethod
    def of(cls, history: "History") -> Self:
        """Return the bars of a prepared history; nothing is copied until a column is read."""
        return cls(
            history.ts_ms,
            timeframe_ms=history.timeframe_ms,
            source=history.column,
            instrument_id=history.instrument.id,
            close_units=history.close_units(),
            price_decimals=history.instrument.price_decimals,
        )

    @classmethod
    def from_columns(
        cls,
        columns: Mapping[str, Any],
        *,
        timeframe_ms: int,
        ts_ms: Any = None,
        instrument_id: str = "",
        price_decimals: int | None = None,
    ) -> Self:
        """Return bars from plain columns.

        Parameters
        ----------
        columns : mapping of str to array-like
            Any of `COLUMNS`; `close` must be there. Prices that are missing take the close,
            volume is then 1, funding and mark NaN.
        timeframe_ms : int
            Length of a bar.
        ts_ms : int64[n], optional
            Open stamps; without them the bars follow each other from 0.
        price_decimals : int, optional
            Where given, the close lies on the grid 10^-price_decimals and `close_units` holds it.

        Raises
        ------
        InputError
            If a column is unknown or of another length, or `close` is missing.
        """
        unknown = set(columns) - set(COLUMNS)
        if unknown or "close" not in columns:
            wrong = f"'{min(unknown)}' is no column of bars" if unknown else "'close' is missing"
            raise InputError(f"{wrong}; bars have {', '.join(COLUMNS)}")
        held = {name: np.array(values, dtype=np.float64) for name, values in columns.items()}
        close = held["close"]
        rows = len(close)
        for name, values in held.items():
            if values.shape != (rows,):
                raise InputError(f"column {name} has shape {values.shape}, close has {rows} rows")
        for name in ("open", "high", "low"):
            held.setdefault(name, close)
        held.setdefault("volume", np.ones(rows))
        held.setdefault("funding_rate", np.full(rows, np.nan))
        held.setdefault("mark_close", np.full(rows, np.nan))
        stamps = np.arange(rows) * timeframe_ms if ts_ms is None else np.array(ts_ms)
        units = None
        if price_decimals is not None:
            units = np.rint(close * 10.0**price_decimals).astype(np.int64)
        return cls(
            stamps.astype(np.int64),
            timeframe_ms=timeframe_ms,
            source=held.__getitem__,
            instrument_id=instrument_id,
            close_units=units,
            price_decimals=price_decimals or 0,
        )

    def __len__(self) -> int:
        return len(self.ts_ms)

    def __repr__(self) -> str:
        return f"Bars({self.instrument_id} {timeframe_name(self.timeframe_ms)}, {len(self)} bars)"

    def column(self, name: str) -> FloatArray:
        """Return one of `COLUMNS`, read-only.

        Raises
        ------
        InputError
            If bars have no such column.
        """
        held = self._columns.get(name)
        if held is None:
            if name not in COLUMNS:
                raise InputError(f"'{name}' is no column of bars; they have {', '.join(COLUMNS)}")
            held = self._columns[name] = _read_only(self._source(name))
        return held

    @property
    def open(self) -> FloatArray:
        """First price of each bar."""
        return self.column("open")

    @property
    def high(self) -> FloatArray:
        """Highest price of each bar."""
        return self.column("high")

    @property
    def low(self) -> FloatArray:
        """Lowest price of each bar."""
        return self.column("low")

    @property
    def close(self) -> FloatArray:
        """Last price of each bar."""
        return self.column("close")

    @property
    def volume(self) -> FloatArray:
        """Quantity traded in each bar."""
        return self.column("volume")

    @property
    def funding_rate(self) -> FloatArray:
        """Sum of the rates settled at each bar's open or within it, NaN where none was."""
        return self.column("funding_rate")

    @property
    def mark_close(self) -> FloatArray:
        """The mark price at each bar's close, NaN where unknown."""
        return self.column("mark_close")

    @property
    def close_ms(self) -> IntArray:
        """The moment each bar becomes visible: its open stamp plus the time frame."""
        stamps: IntArray = self.ts_ms + self.timeframe_ms
        return stamps

    def upto(self, stop: int) -> "Bars":
        """Return the first `stop` bars: what was known at the close of bar `stop - 1`."""
        return self.rows(0, stop)

    def rows(self, start: int, stop: int) -> "Bars":
        """Return rows [start, stop) as bars of their own, without a copy.

        Raises
        ------
        InputError
            If the rows are not within the bars.
        """
        if not 0 <= start <= stop <= len(self):
            raise InputError(f"rows [{start}, {stop}) are not within the {len(self)} of {self!r}")
        part = slice(start, stop)
        units = None if self.close_units is None else self.close_units[part]
        return Bars(
            self.ts_ms[part],
            timeframe_ms=self.timeframe_ms,
            source=lambda name: self.column(name)[part],
            instrument_id=self.instrument_id,
            close_units=units,
            price_decimals=self.price_decimals,
        )

    def resample(self, timeframe: str) -> "Resampled":
        """Return the completed bars of a longer time frame, and how they line up with these.

        A longer bar counts only if every bar it is made of is there, and is visible only once
        the last of them has closed. Weeks begin on Monday, UTC.

        Parameters
        ----------
        timeframe : str
            A whole multiple of these bars' own: `4h`, `1d`, `1w`.

        Raises
        ------
        InputError
            If it is not a longer, whole multiple.

        Examples
        --------
        >>> bars = Bars.from_columns({"close": [1, 2, 3, 4, 5]}, timeframe_ms=3_600_000)
        >>> bars.resample("2h").close
        array([nan,  2.,  2.,  4.,  4.])
        """
        longer_ms = parse_timeframe(timeframe)
        if longer_ms <= self.timeframe_ms or longer_ms % self.timeframe_ms:
            own = timeframe_name(self.timeframe_ms)
            raise InputError(f"'{timeframe}' is not a whole multiple of {own} longer than it")
        return Resampled(self, longer_ms)


class Resampled:
    """Completed bars of a longer time frame beside the bars they were made of.

    Attributes
    ----------
    bars : Bars
        The completed longer bars, one row each: compute indicators on these.
    row : int64[n]
        For each short bar the last longer bar completed at its close, -1 before the first.
    """

    def __init__(self, short: Bars, longer_ms: int) -> None:
        count = longer_ms // short.timeframe_ms
        offset = _MONDAY_MS if longer_ms % (7 * DAY_MS) == 0 else 0
        bucket = (short.ts_ms - offset) // longer_ms
        first = np.flatnonzero(np.diff(bucket, prepend=bucket[:1] - 1))
        size = np.diff(first, append=len(short))
        self._first = first[size == count]
        self._last = self._first + count - 1
        self._short = short
        self.row = np.searchsorted(self._last, np.arange(len(short)), side="right") - 1
        units = None if short.close_units is None else short.close_units[self._last]
        self.bars = Bars(
            bucket[self._first] * longer_ms + offset,
            timeframe_ms=longer_ms,
            source=self._column,
            instrument_id=short.instrument_id,
            close_units=units,
            price_decimals=short.price_decimals,
        )

    def align(self, values: FloatArray) -> FloatArray:
        """Return a column of the longer bars as seen at the close of each short bar.

        Parameters
        ----------
        values : float64[len(bars)]
            One value a longer bar, e.g. an indicator of `bars`.

        Returns
        -------
        float64[n]
            The value of the last completed longer bar, NaN before the first.
        """
        if len(values) != len(self.bars):
            raise InputError(f"{len(values)} values given for {len(self.bars)} bars of {self.bars}")
        out = np.full(len(self.row), np.nan)
        seen = self.row >= 0
        out[seen] = np.asarray(values)[self.row[seen]]
        return out

    @cached_property
    def open(self) -> FloatArray:
        """Open of the last completed longer bar."""
        return self.align(self.bars.open)

    @cached_property
    def high(self) -> FloatArray:
        """High of the last completed longer bar."""
        return self.align(self.bars.high)

    @cached_property
    def low(self) -> FloatArray:
        """Low of the last completed longer bar."""
        return self.align(self.bars.low)

    @cached_property
    def close(self) -> FloatArray:
        """Close of the last completed longer bar."""
        return self.align(self.bars.close)

    @cached_property
    def volume(self) -> FloatArray:
        """Volume of the last completed longer bar."""
        return self.align(self.bars.volume)

    def _column(self, name: str) -> FloatArray:
        values = self._short.column(name)
        if not len(self._first):
            return np.empty(0)
        if name in ("open", "close", "mark_close"):
            edge: FloatArray = values[self._first if name == "open" else self._last]
            return edge
        rows: FloatArray = values[
            self._first[:, None] + np.arange(self._last[0] - self._first[0] + 1)
        ]
        if name == "high":
            return np.asarray(rows.max(axis=1))
        if name == "low":
            return np.asarray(rows.min(axis=1))
        if name == "volume":
            return np.asarray(rows.sum(axis=1))
        return _sum_of_known(rows)


def _sum_of_known(rows: FloatArray) -> FloatArray:
    known = ~np.isnan(rows)
    total = np.where(known, rows, 0.0).sum(axis=1)
    return np.where(known.any(axis=1), total, np.nan)


def _read_only(values: Any) -> Any:
    """Return a view nobody can write through; the caller's own array stays as it is."""
    view = values.view()
    view.flags.writeable = False
    return view

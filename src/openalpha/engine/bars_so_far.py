"""The bars of one instrument as far as they are known, growing at the end."""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from openalpha.core.instruments import Instrument
from openalpha.engine.rows import Row
from openalpha.market.history import RATE_DECIMALS
from openalpha.strategy.bars import Bars

__all__ = ["BarsSoFar", "keep_bars_once", "keep_row"]

_FIRST = 1024
_FLOATS = ("open", "high", "low", "close", "volume")
_RARE = ("funding_rate", "mark_close")
"""Columns that most markets have nothing of: kept from the first value on, NaN before."""


class _Columns:
    """What is kept, row by row; several may read it, each as far as it has come."""

    def __init__(self, columns: dict[str, NDArray[Any]] | None = None, count: int = 0) -> None:
        stamps = {name: np.empty(_FIRST, dtype=np.int64) for name in ("ts", "units")}
        self.by_name: dict[str, NDArray[Any]] = columns or stamps | {
            name: np.empty(_FIRST) for name in _FLOATS
        }
        self.count = count

    def holds(self, row: int, values: Mapping[str, float]) -> bool:
        """Say whether a row that is there is this one, to the bit."""
        kept = dict.fromkeys(_RARE, np.nan)
        kept |= {name: column[row] for name, column in self.by_name.items()}
        return all(
            kept[name] == one or (math.isnan(kept[name]) and math.isnan(one))
            for name, one in values.items()
        )

    def append(self, values: Mapping[str, float]) -> None:
        """Keep one row more."""
        size = len(self.by_name["ts"])
        if self.count == size:
            self.by_name = {name: _longer(one, 2 * size) for name, one in self.by_name.items()}
        for name, value in values.items():
            column = self.by_name.get(name)
            if column is None and not math.isnan(value):
                column = self.by_name[name] = np.full(len(self.by_name["ts"]), np.nan)
            if column is not None:
                column[self.count] = value
        self.count += 1

    def until(self, count: int) -> "_Columns":
        """Return a copy of the first rows."""
        return _Columns({name: one.copy() for name, one in self.by_name.items()}, count)


class BarsSoFar:
    """Columns that a strategy reads, one row appended at each close.

    Parameters
    ----------
    instrument : Instrument
    timeframe_ms : int
    """

    def __init__(self, instrument: Instrument, timeframe_ms: int) -> None:
        self.instrument, self.timeframe_ms = instrument, timeframe_ms
        self._price, self._qty = 10.0**instrument.price_decimals, 10.0**instrument.qty_decimals
        self.count = 0
        self._kept = _Columns()

    def __len__(self) -> int:
        return self.count

    def keep_with(self, other: "BarsSoFar") -> None:
        """Keep the bars in one place with another of the same instrument, while both are alike.

        Neither may have any yet. Each is as long as what it was given; where one is given another
        bar than the other was, it goes on with a copy of its own.
        """
        assert (self.instrument, self.timeframe_ms) == (other.instrument, other.timeframe_ms)
        assert self.count == other.count == 0, "bars are kept once from the first on"
        self._kept = other._kept

    def add(
        self,
        ts_ms: int,
        bar: tuple[int, int, int, int, int],
        *,
        mark_close: int | None = None,
        rates_e12: tuple[int, ...] = (),
    ) -> None:
        """Append a closed bar.

        Parameters
        ----------
        bar : open, high, low, close in price units, volume in quantity units
        mark_close : int or None
            In price units.
        rates_e12 : tuple of int
            Settlements at the bar's open or within it.
        """
        scale = self._price
        values = {
            "ts": ts_ms,
            "units": bar[3],
            "open": bar[0] / scale,
            "high": bar[1] / scale,
            "low": bar[2] / scale,
            "close": bar[3] / scale,
            "volume": bar[4] / self._qty,
            "funding_rate": sum(rates_e12) / 10.0**RATE_DECIMALS if rates_e12 else np.nan,
            "mark_close": np.nan if mark_close is None else mark_close / scale,
        }
        if self.count < self._kept.count and not self._kept.holds(self.count, values):
            self._kept = self._kept.until(self.count)
        if self.count == self._kept.count:
            self._kept.append(values)
        self.count += 1

    def take_back(self) -> None:
        """Forget the last bar, before any who keeps it with this one is given another."""
        self.count -= 1
        self._kept.count = min(self._kept.count, self.count)

    def last_ts_ms(self) -> int:
        """Return the stamp of the last bar; -1 without one."""
        return int(self._kept.by_name["ts"][self.count - 1]) if self.count else -1

    def bars(self, stop: int | None = None) -> Bars:
        """Return the first `stop` bars, or all, without a copy."""
        end = self.count if stop is None else stop
        columns = self._kept.by_name

        def column(name: str) -> NDArray[np.float64]:
            if name in _RARE and name not in columns:
                return np.full(end, np.nan)
            values: NDArray[np.float64] = columns[name][:end]
            return values

        return Bars(
            columns["ts"][:end],
            timeframe_ms=self.timeframe_ms,
            source=column,
            instrument_id=self.instrument.id,
            close_units=columns["units"][:end],
            price_decimals=self.instrument.price_decimals,
        )


def keep_bars_once(parts: Iterable[BarsSoFar]) -> None:
    """Let those of the same instrument and time frame keep their bars in one place."""
    first: dict[tuple[Instrument, int], BarsSoFar] = {}
    for part in parts:
        found = first.setdefault((part.instrument, part.timeframe_ms), part)
        if found is not part:
            part.keep_with(found)


def keep_row(parts: Sequence[BarsSoFar], row: Row) -> None:
    """Append a closed row to the bars of its instruments; one without a bar gets none.

    Parameters
    ----------
    parts : sequence of BarsSoFar
        One an instrument of the row.
    """
    for number, bar in enumerate(row.bars):
        if bar is not None:
            mark = row.mark[number] if row.mark else None
            rates = tuple(rate for n, ts, rate in row.funding if n == number and ts >= row.ts_ms)
            parts[number].add(
                row.ts_ms, bar, mark_close=None if mark is None else mark[3], rates_e12=rates
            )


def _longer(array: NDArray[Any], size: int) -> NDArray[Any]:
    longer = np.empty(size, dtype=array.dtype)
    longer[: len(array)] = array
    return longer

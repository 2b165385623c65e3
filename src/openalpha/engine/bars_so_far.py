"""The bars of one instrument as far as they are known, growing at the end."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from openalpha.core.instruments import Instrument
from openalpha.engine.rows import Row
from openalpha.market.history import RATE_DECIMALS
from openalpha.strategy.bars import Bars

__all__ = ["BarsSoFar", "keep_row"]

_FIRST = 1024
_FLOATS = ("open", "high", "low", "close", "volume", "funding_rate", "mark_close")


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
        self._ts = np.empty(_FIRST, dtype=np.int64)
        self._close = np.empty(_FIRST, dtype=np.int64)
        self._columns: dict[str, NDArray[np.float64]] = {name: np.empty(_FIRST) for name in _FLOATS}

    def __len__(self) -> int:
        return self.count

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
        if self.count == len(self._ts):
            self._grow()
        row, scale, columns = self.count, self._price, self._columns
        self._ts[row], self._close[row] = ts_ms, bar[3]
        columns["open"][row], columns["high"][row] = bar[0] / scale, bar[1] / scale
        columns["low"][row], columns["close"][row] = bar[2] / scale, bar[3] / scale
        columns["volume"][row] = bar[4] / self._qty
        columns["funding_rate"][row] = sum(rates_e12) / 10.0**RATE_DECIMALS if rates_e12 else np.nan
        columns["mark_close"][row] = np.nan if mark_close is None else mark_close / scale
        self.count += 1

    def last_ts_ms(self) -> int:
        """Return the stamp of the last bar; -1 without one."""
        return int(self._ts[self.count - 1]) if self.count else -1

    def bars(self, stop: int | None = None) -> Bars:
        """Return the first `stop` bars, or all, without a copy."""
        end = self.count if stop is None else stop
        columns = self._columns
        return Bars(
            self._ts[:end],
            timeframe_ms=self.timeframe_ms,
            source=lambda name: columns[name][:end],
            instrument_id=self.instrument.id,
            close_units=self._close[:end],
            price_decimals=self.instrument.price_decimals,
        )

    def _grow(self) -> None:
        size = 2 * len(self._ts)
        self._ts, self._close = _longer(self._ts, size), _longer(self._close, size)
        self._columns = {name: _longer(column, size) for name, column in self._columns.items()}


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

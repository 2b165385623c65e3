"""A frame a user holds (polars or pandas) becomes a history: checked row by row, put on a grid."""

import math
from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from openalpha.core.clock import DAY_MS, format_ms, parse_timeframe
from openalpha.core.errors import DataError, InputError
from openalpha.core.instruments import Instrument, InstrumentId, Kind
from openalpha.core.units import MAX_DECIMALS
from openalpha.market.catalogue import UNNAMED, inferred_instrument, known_instrument
from openalpha.market.grid import (
    coin_decimals,
    exact_decimals,
    relative_decimals,
    to_unit_column,
    unit_column,
)
from openalpha.market.history import OHLCV, RATE_DECIMALS, History

__all__ = ["history"]

_PRICES = OHLCV[:4]
_STAMPS = ("ts", "timestamp", "time", "date", "datetime", "open_time")
_EARLIEST_MS, _LATEST_MS = 10**11, 10**14
_MAX_UNITS = 2**53


def history(
    frame: Any,
    *,
    instrument: Instrument | str | None = None,
    timeframe: str | None = None,
    capital: Decimal | float = 10_000,
) -> History:
    """Prepare a frame of bars once, to run any number of backtests on it.

    Prices get the exact grid of their values where that needs no finer step than 1e-8 of the
    largest price, else that step, and the history's notes say so. The lot is the instrument's; with
    no instrument it is the coarsest power of ten worth at most a millionth of the capital.

    Parameters
    ----------
    frame : polars or pandas frame
        `ts` (UTC ms int64, or datetimes; naive ones are UTC), open, high, low, close, volume and
        optionally funding_rate (fraction settled at that stamp, NaN or null where none was).
    instrument : Instrument, str or None
        What is traded: rules, decimals, fees. None: rules are inferred from the frame.
    timeframe : str, optional
        `1m`, `4h` …; left out, the most frequent distance between rows.
    capital : Decimal or float
        Account currency; only used to choose a lot where no instrument states one.

    Returns
    -------
    History

    Raises
    ------
    DataError
        Naming row (from 0) and column: a missing column, NaN, a price that is not above 0, rows out
        of order or repeated, a high below its bar, stamps off the time frame's grid.
    InputError
        If `frame` is not a frame, or the capital is not positive.

    Examples
    --------
    >>> import polars as pl
    >>> ts = [1704067200000 + 60_000 * i for i in range(3)]
    >>> price = [100.5, 101.25, 101.0]
    >>> bars = pl.DataFrame({"ts": ts, "open": price, "high": price, "low": price,
    ...                      "close": price, "volume": [1.0, 2.0, 0.5]})
    >>> prepared = history(bars)
    >>> prepared.instrument.price_decimals, prepared.column("close").tolist()
    (2, [100.5, 101.25, 101.0])
    """
    columns = _numpy_columns(frame)
    ts_ms = _stamps(columns)
    for name in OHLCV:
        _check_values(name, columns[name], ts_ms)
    timeframe_ms = parse_timeframe(timeframe) if timeframe else _usual_step(ts_ms)
    name = instrument if isinstance(instrument, str) else UNNAMED
    known = known_instrument(name) if isinstance(instrument, str) else instrument
    traded, notes = _on_grid(columns, known, name=InstrumentId(name), capital=capital)
    bars = np.empty((len(ts_ms), 5), dtype=np.int64)
    is_exact = True
    for place, name in enumerate(_PRICES):
        is_exact &= to_unit_column(columns[name], traded.price_decimals, out=bars[:, place])
    volume_exact = to_unit_column(columns["volume"], traded.qty_decimals, out=bars[:, 4])
    if not is_exact:
        notes.append(f"prices rounded to {traded.price_decimals} decimals")
    if not volume_exact:
        notes.append(f"volumes rounded to {traded.qty_decimals} decimals")
    _check_bars(bars, ts_ms)
    funding = _settlements(columns.get("funding_rate"), ts_ms)
    if len(funding[0]) and traded.funding_interval_ms is None:
        usual = int(np.median(np.diff(funding[0]))) if len(funding[0]) > 1 else 8 * DAY_MS // 24
        traded = replace(traded, funding_interval_ms=max(usual, 1))
    return History.of(traded, timeframe_ms, ts_ms=ts_ms, bars=bars, funding=funding, notes=notes)


def _numpy_columns(frame: Any) -> Mapping[str, NDArray[Any]]:
    if isinstance(frame, pl.LazyFrame):
        frame = frame.collect()
    if not hasattr(frame, "columns"):
        raise InputError(
            f"data is a {type(frame).__name__}, expected a polars or pandas frame, an instrument "
            "id or openalpha.history(frame)"
        )
    by_name = {str(name).lower(): name for name in frame.columns}
    missing = [name for name in OHLCV if name not in by_name]
    stamp = next((name for name in _STAMPS if name in by_name), None)
    if stamp is None and hasattr(frame, "index") and str(frame.index.dtype).startswith("datetime"):
        by_name["ts"], stamp = "", "ts"
    if missing or stamp is None:
        lacking = (["ts"] if stamp is None else []) + missing
        have = ", ".join(map(str, frame.columns)) or "none"
        raise DataError(f"the frame lacks the column(s) {', '.join(lacking)}; it has {have}")
    wanted = [*OHLCV, *(["funding_rate"] if "funding_rate" in by_name else [])]
    columns: dict[str, NDArray[Any]] = {
        name: _floats(name, frame[by_name[name]]) for name in wanted
    }
    raw = frame.index.to_series() if by_name[stamp] == "" else frame[by_name[stamp]]
    columns["ts"] = _milliseconds(raw)
    if len(columns["ts"]) == 0:
        raise DataError("the frame has no rows")
    return columns


def _floats(name: str, series: Any) -> NDArray[np.float64]:
    try:
        if isinstance(series, pl.Series):
            return series.cast(pl.Float64).to_numpy()
        return np.asarray(series.to_numpy(dtype=np.float64, na_value=np.nan))
    except (pl.exceptions.PolarsError, ValueError, TypeError):
        raise DataError(f"column {name} holds something that is not a number") from None


def _milliseconds(series: Any) -> NDArray[np.int64]:
    if not isinstance(series, pl.Series):
        if getattr(series.dtype, "tz", None) is not None:
            series = series.dt.tz_convert("UTC").dt.tz_localize(None)
        values = series.to_numpy()
        if values.dtype == object:
            raise DataError("column ts holds text; give UTC milliseconds or datetimes")
        series = pl.Series(values)
    if series.dtype in (pl.Datetime, pl.Date):
        series = series.cast(pl.Datetime("ms")).dt.epoch("ms")
    if not series.dtype.is_integer() or series.null_count():
        what = "missing values" if series.null_count() else f"{series.dtype} values"
        raise DataError(f"column ts holds {what}; give UTC milliseconds (int64) or datetimes")
    stamps: NDArray[np.int64] = series.cast(pl.Int64).to_numpy()
    return stamps


def _stamps(columns: Mapping[str, NDArray[Any]]) -> NDArray[np.int64]:
    ts_ms: NDArray[np.int64] = np.ascontiguousarray(columns["ts"])
    wild = np.flatnonzero((ts_ms < _EARLIEST_MS) | (ts_ms > _LATEST_MS))
    if len(wild):
        row = int(wild[0])
        raise DataError(
            f"row {row}, column ts: {int(ts_ms[row])} is not a time in UTC milliseconds "
            "(seconds or microseconds?)"
        )
    steps = np.diff(ts_ms)
    bad = np.flatnonzero(steps <= 0)
    if len(bad):
        row = int(bad[0]) + 1
        what = "repeats" if steps[row - 1] == 0 else "is earlier than"
        raise DataError(
            f"row {row}, column ts: {format_ms(int(ts_ms[row]))} {what} the row before; "
            "sort the frame and drop duplicates"
        )
    return ts_ms


def _usual_step(ts_ms: NDArray[np.int64]) -> int:
    if len(ts_ms) < 2:
        raise DataError("one row does not tell the time frame; name it, e.g. timeframe='1h'")
    lengths, counts = np.unique(np.diff(ts_ms), return_counts=True)
    return int(lengths[np.argmax(counts)])


def _check_values(name: str, values: NDArray[np.float64], ts_ms: NDArray[np.int64]) -> None:
    least = values.min()
    is_price = name != "volume"
    if np.isfinite(least) and (least > 0 if is_price else least >= 0) and np.isfinite(values.max()):
        return
    wrong = ~np.isfinite(values) | (values <= 0 if is_price else values < 0)
    row = int(np.flatnonzero(wrong)[0])
    expected = "a price above 0" if is_price else "a volume of 0 or more"
    raise DataError(
        f"row {row} ({format_ms(int(ts_ms[row]))}), column {name}: was {values[row]}, "
        f"expected {expected}"
    )


def _check_bars(bars: NDArray[np.int64], ts_ms: NDArray[np.int64]) -> None:
    step = 1 << 16
    for start in range(0, len(bars), step):
        o, h, low, c = bars[start : start + step, :4].T
        high_bad = (h < o) | (h < c) | (h < low)
        low_bad = (low > o) | (low > c)
        if high_bad.any() or low_bad.any():
            row = int(np.flatnonzero(high_bad | low_bad)[0])
            column, wrong = ("high", "below") if high_bad[row] else ("low", "above")
            raise DataError(
                f"row {start + row} ({format_ms(int(ts_ms[start + row]))}), column {column}: "
                f"the {column} is {wrong} another price of its bar"
            )


def _on_grid(
    columns: Mapping[str, NDArray[Any]],
    known: Instrument | None,
    *,
    name: InstrumentId,
    capital: Decimal | float,
) -> tuple[Instrument, list[str]]:
    largest = max(float(columns[name].max()) for name in _PRICES)
    most_volume = float(columns["volume"].max())
    least = 0 if known is None else known.price_decimals
    most = max(least, relative_decimals(largest))
    found = exact_decimals(lambda: [columns[name] for name in _PRICES], least=least, most=most)
    d = most if found is None else found
    notes: list[str] = []
    if known is None:
        traded, notes = _inferred(name, largest, most_volume, capital=capital, decimals=d)
        notes.insert(0, f"price grid inferred: {d} decimals ({_how(is_exact=found is not None)})")
    else:
        traded = known
        if d > known.price_decimals:
            notes.append(
                f"prices are finer than the {known.price_decimals} decimals of {known.id}: "
                f"{d} decimals used"
            )
    q = _volume_decimals(columns["volume"], traded.qty_decimals, most_volume)
    if traded.kind is Kind.SPOT:
        q = max(q, coin_decimals(largest))
    if largest * 10**d >= _MAX_UNITS or most_volume * 10**q >= _MAX_UNITS:
        raise DataError(
            f"prices up to {largest:g} with {d} decimals or volumes up to {most_volume:g} with {q} "
            "are too large to hold exactly; name an instrument with coarser steps"
        )
    return replace(traded, price_decimals=d, qty_decimals=q), notes


def _how(*, is_exact: bool) -> str:
    return "exact" if is_exact else "1e-8 of the largest price"


def _inferred(
    name: InstrumentId,
    largest: float,
    most_volume: float,
    *,
    capital: Decimal | float,
    decimals: int,
) -> tuple[Instrument, list[str]]:
    if not capital > 0:
        raise InputError(f"the capital must be above 0, was {capital}")
    fits = MAX_DECIMALS if most_volume <= 0 else math.floor(math.log10(_MAX_UNITS / most_volume))
    lot_decimals = max(min(_lot_decimals(largest, float(capital)), fits), 0)
    lot = f"lot size assumed: {Decimal(1).scaleb(-lot_decimals):f} (no instrument named)"
    return inferred_instrument(name, price_decimals=decimals, qty_decimals=lot_decimals), [lot]


def _volume_decimals(volume: NDArray[np.float64], least: int, most_volume: float) -> int:
    most = max(least, relative_decimals(most_volume))
    found = exact_decimals(lambda: [volume], least=least, most=most)
    return least if found is None else found


def _lot_decimals(largest_price: float, capital: float) -> int:
    """Coarsest power of ten worth at most a millionth of the capital at the largest price."""
    return min(
        max(math.ceil(math.log10(largest_price / (1e-6 * capital)) - 1e-12), 0), MAX_DECIMALS
    )


def _settlements(
    rates: NDArray[np.float64] | None, ts_ms: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    if rates is None:
        empty = np.empty(0, dtype=np.int64)
        return empty, empty
    settled = np.flatnonzero(~np.isnan(rates))
    known = rates[settled]
    wild = np.flatnonzero(np.abs(known) > 1.0)
    if len(wild):
        row = int(settled[wild[0]])
        raise DataError(
            f"row {row} ({format_ms(int(ts_ms[row]))}), column funding_rate: was {rates[row]}, "
            "expected a fraction per settlement such as 0.0001"
        )
    return ts_ms[settled], unit_column(known, RATE_DECIMALS)

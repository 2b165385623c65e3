"""From the lake's rows to a history: which part, which rules, what stands beside the bars."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Protocol

import numpy as np
import polars as pl
from numpy.typing import NDArray

from openalpha.core.clock import format_ms, parse_timeframe, timeframe_name
from openalpha.core.errors import DataError, UnknownName
from openalpha.core.instruments import Instrument, Kind
from openalpha.market.align import beside
from openalpha.market.blocks import Block, rescale
from openalpha.market.catalogue import instrument_for
from openalpha.market.combining import resampled
from openalpha.market.grid import coin_decimals
from openalpha.market.history import OHLCV, History
from openalpha.market.series import SeriesKey, SeriesKind, series_key
from openalpha.market.series_list import SeriesInfo, missing_series, span_text
from openalpha.market.settings import DataSettings

__all__ = ["Rows", "load_history"]


class Rows(Protocol):
    """A lake, as far as loading needs one."""

    root: Path
    settings: DataSettings

    def read(
        self, key: SeriesKey, *, start_ms: int | None = None, end_ms: int | None = None
    ) -> Block:
        """Return rows of a series."""
        ...

    def info(self, key: SeriesKey) -> SeriesInfo | None:
        """Return the catalogue row of a series."""
        ...

    def series(self) -> list[SeriesInfo]:
        """Return the catalogue."""
        ...

    def unusable(self) -> dict[str, list[tuple[int, int, str]]]:
        """Return the ranges found unusable."""
        ...


def load_history(
    lake: Rows,
    instrument: str,
    *,
    timeframe: str,
    span: tuple[int | None, int | None] = (None, None),
    with_: Sequence[str] = ("funding", "mark", "index"),
) -> History:
    """Read a history; see `Lake.load`."""
    timeframe = timeframe_name(parse_timeframe(timeframe))
    key = series_key(instrument, SeriesKind.BARS, timeframe=timeframe)
    notes: list[str] = []
    shorter = None if lake.info(key) is not None else _shorter_series(lake, key)
    if shorter is None:
        block = lake.read(key, start_ms=span[0], end_ms=span[1])
    else:
        block = _combined_block(lake, shorter, key.timeframe_ms, span)
        notes.append(f"{timeframe} bars combined from {shorter.timeframe} bars, whole sets only")
    if block.frame.height == 0:
        known = lake.info(shorter or key)
        if known is None:
            raise UnknownName(missing_series(key, lake.series()))
        raise DataError(f"{key} has no bars in the range asked for; it has {span_text(known)}")
    if span[0] is None:
        block = _latest_part(lake.settings, key, block, notes)
    _refuse_unusable(lake, shorter or key, block, notes)
    rules = instrument_for(instrument, lake, grid=(block.price_decimals, block.qty_decimals))
    if "SYNTHETIC" in "".join(_sources(lake, key)):
        notes.append("SYNTHETIC data: no market behaved like this")
    notes.append(f"instrument rules: {rules.source or 'no source stated'}")
    return _assembled(lake, key, rules, block, with_=with_, notes=notes)


def _shorter_series(lake: Rows, key: SeriesKey) -> SeriesKey | None:
    """Return the kept bars of the longest time frame the wanted one is a whole number of."""
    fitting = [
        info.key
        for info in lake.series()
        if (info.key.market, info.key.symbol, info.key.kind) == (key.market, key.symbol, key.kind)
        and info.key.timeframe_ms < key.timeframe_ms
        and key.timeframe_ms % info.key.timeframe_ms == 0
    ]
    return max(fitting, key=lambda one: one.timeframe_ms, default=None)


def _combined_block(
    lake: Rows, shorter: SeriesKey, timeframe_ms: int, span: tuple[int | None, int | None]
) -> Block:
    block = lake.read(shorter, start_ms=span[0], end_ms=span[1])
    return resampled(shorter, block, timeframe=timeframe_name(timeframe_ms))[1]


def _sources(lake: Rows, key: SeriesKey) -> tuple[str, ...]:
    info = lake.info(key)
    return info.sources if info is not None else ()


def _latest_part(settings: DataSettings, key: SeriesKey, block: Block, notes: list[str]) -> Block:
    ts_ms = block.frame["ts"].to_numpy()
    breaks = np.flatnonzero(np.diff(ts_ms) - key.timeframe_ms > settings.max_gap_ms)
    if not len(breaks):
        return block
    first = int(breaks[-1]) + 1
    notes.append(
        f"a gap above {settings.max_gap} splits {key}: only the part from "
        f"{format_ms(int(ts_ms[first]))} is used (name a start to use more)"
    )
    return replace(block, frame=block.frame[first:])


def _refuse_unusable(lake: Rows, key: SeriesKey, block: Block, notes: list[str]) -> None:
    first, last = int(block.frame["ts"][0]), int(block.frame["ts"][-1])
    ranges = lake.unusable().get(key.folder.as_posix(), [])
    within = [row for row in ranges if row[0] <= last and row[1] > first]
    if not within:
        return
    start, end, why = within[0]
    words = f"{key} is unusable from {format_ms(start)} to {format_ms(end)} ({why})"
    if len(within) > 1:
        words += f" and in {len(within) - 1} other stretch(es) of the range"
    if not lake.settings.allow_unusable:
        raise DataError(
            f"{words}; choose another range or time frame, mend the data, or run all the same with "
            "--set data.allow_unusable=true"
        )
    notes.append(words)


def _assembled(
    lake: Rows,
    key: SeriesKey,
    rules: Instrument,
    block: Block,
    *,
    with_: Sequence[str],
    notes: list[str],
) -> History:
    ts_ms = block.frame["ts"].to_numpy()
    span = (int(ts_ms[0]), int(ts_ms[-1]) + key.timeframe_ms)
    others = {
        kind: _other_price(lake, key, SeriesKind(kind), span)
        for kind in ("mark", "index")
        if kind in with_
    }
    decimals = [found[1].price_decimals for found in others.values() if found is not None]
    d = max(block.price_decimals, rules.price_decimals, *decimals)
    q = max(block.qty_decimals, rules.qty_decimals)
    if rules.kind is Kind.SPOT:
        q = max(q, coin_decimals(float(block.frame["high"].max()) / 10**block.price_decimals))  # type: ignore[arg-type]  # prices are Int64
    bars = _matrix(rescale(block, key, price_decimals=d, qty_decimals=q).frame, OHLCV)
    prices = {
        kind: _price_beside(key, ts_ms, bars, (found, d), kind=kind, notes=notes)
        for kind, found in others.items()
        if found is not None
    }
    has_funding = "funding" in with_ and rules.funding_interval_ms is not None
    if has_funding and "mark" in with_ and others.get("mark") is None:
        notes.append("mark price missing: last price used")
    if not has_funding:
        rules = replace(rules, funding_interval_ms=None)
    empty = np.empty(0, dtype=np.int64)
    result = History.of(
        replace(rules, price_decimals=d, qty_decimals=q),
        key.timeframe_ms,
        ts_ms=ts_ms,
        bars=bars,
        mark=prices.get("mark"),
        index=prices.get("index"),
        funding=_funding(lake, key) if has_funding else (empty, empty),
        notes=notes,
    )
    return replace(result, notes=(*result.notes, *_gap_notes(result)))


def _other_price(
    lake: Rows, key: SeriesKey, kind: SeriesKind, span: tuple[int, int]
) -> tuple[SeriesKey, Block] | None:
    """Read the coarsest series of a kind that still resolves the bars, else the finest there is."""
    folder = lake.root / key.market / key.symbol
    found = []
    for path in folder.glob(f"{kind}_*"):
        candidate = SeriesKey.of_folder(PurePosixPath(*path.parts[-3:]))
        if candidate is not None:
            found.append(candidate)
    if not found:
        return None
    fits = [item for item in found if key.timeframe_ms % item.timeframe_ms == 0]
    if fits:
        chosen = max(fits, key=lambda item: item.timeframe_ms)
    else:
        chosen = min(found, key=lambda item: item.timeframe_ms)
    return chosen, lake.read(chosen, start_ms=span[0], end_ms=span[1])


def _price_beside(
    key: SeriesKey,
    ts_ms: NDArray[np.int64],
    bars: NDArray[np.int64],
    found: tuple[tuple[SeriesKey, Block], int],
    *,
    kind: str,
    notes: list[str],
) -> NDArray[np.int64] | None:
    (other, block), d = found
    finer = rescale(block, other, price_decimals=d, qty_decimals=block.qty_decimals)
    prices, note = beside(
        ts_ms,
        key.timeframe_ms,
        fallback=bars[:, :4],
        other_ts_ms=block.frame["ts"].to_numpy(),
        other=_matrix(finer.frame, OHLCV[:4]),
        other_timeframe_ms=other.timeframe_ms,
        what=kind,
    )
    if note:
        notes.append(note)
    return prices


def _matrix(frame: pl.DataFrame, names: Sequence[str]) -> NDArray[np.int64]:
    out = np.empty((frame.height, len(names)), dtype=np.int64)
    for place, name in enumerate(names):
        out[:, place] = frame[name].to_numpy()
    return out


def _funding(lake: Rows, key: SeriesKey) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Read every settlement there is: those outside the bars bound the ones missing within."""
    frame = lake.read(SeriesKey(key.market, key.symbol, SeriesKind.FUNDING)).frame
    return frame["ts"].to_numpy(), frame["rate"].to_numpy()


def _gap_notes(found: History) -> list[str]:
    notes = []
    missing = (int(found.ts_ms[-1]) - int(found.ts_ms[0])) // found.timeframe_ms + 1 - len(found)
    if missing:
        notes.append(f"{missing} bars are missing within the range")
    for start, end in found.funding_gaps:
        notes.append(f"funding settlements missing from {format_ms(start)} to {format_ms(end)}")
    return notes

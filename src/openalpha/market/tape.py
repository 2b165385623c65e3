"""Recorded depth and trades of an instrument, ready to be played back message by message."""

import hashlib
from dataclasses import dataclass, replace

import numpy as np
import polars as pl
from numpy.typing import NDArray

from openalpha.core.clock import format_ms, timeframe_name
from openalpha.core.errors import DataError
from openalpha.core.instruments import Instrument, Kind
from openalpha.market.blocks import Block, rescale
from openalpha.market.catalogue import instrument_for
from openalpha.market.grid import coin_decimals
from openalpha.market.history import OHLCV, History
from openalpha.market.lake import Lake
from openalpha.market.series import SeriesKey, SeriesKind, series_key
from openalpha.market.series_list import span_text

__all__ = ["Tape", "recorded_history", "tape_of"]

Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Tape:
    """What the venue published, in the units of a history's instrument and in order of arrival.

    Parameters
    ----------
    history : History
        The bars beside it; messages before them only build the book.
    trades : int64[n, 4]
        Stamp (UTC ms), taker's side, price, quantity of each print.
    depth : int64[m, 5]
        Stamp, 1 for a row of a snapshot, side (+1 bid, -1 ask), price, quantity (0 removes).
    fingerprint : str
        SHA-256 over both.
    """

    history: History
    trades: Ints
    depth: Ints
    fingerprint: str


def recorded_history(
    lake: Lake,
    instrument: str,
    *,
    timeframe_ms: int,
    span: tuple[int | None, int | None] = (None, None),
    with_depth: bool = True,
) -> History:
    """Make bars of recorded trades, over the time for which the lake has depth and trades.

    Parameters
    ----------
    lake : Lake
    instrument : str
    timeframe_ms : int
    span : (int or None, int or None)
        Bars that open within [start_ms, end_ms).
    with_depth : bool
        False where trades alone are wanted.

    Raises
    ------
    DataError
        If depth or trades are not there, or do not last one whole bar together.
    """
    *depth, trades = (_series(lake, instrument, kind, with_depth) for kind in _kinds(with_depth))
    known = [lake.info(key) for key in (*depth, trades)]
    first = max(info.first_ms for info in known if info is not None)
    last = min(info.last_ms for info in known if info is not None)
    start = -(-max(first, span[0] or 0) // timeframe_ms) * timeframe_ms
    stop = min(last, span[1] if span[1] is not None else last) // timeframe_ms * timeframe_ms
    if start >= stop:
        raise DataError(
            f"{_words(with_depth)} of {instrument} last from {format_ms(first)} to "
            f"{format_ms(last)} together; that holds no whole {timeframe_name(timeframe_ms)} bar "
            "of the time asked for: choose a shorter --timeframe"
        )
    blocks = [lake.read(key, end_ms=stop) for key in (*depth, trades)]
    rules = _in_units(instrument_for(instrument, lake, grid=_grid(blocks)), blocks)
    prints = _rescaled(blocks[-1], trades, rules).frame
    bars = _bars(prints, (start, stop), timeframe_ms)
    funding = lake.read(SeriesKey(trades.market, trades.symbol, SeriesKind.FUNDING)).frame
    has_funding = rules.funding_interval_ms is not None
    empty = np.empty(0, dtype=np.int64)
    return History.of(
        rules,
        timeframe_ms,
        ts_ms=np.arange(start, stop, timeframe_ms, dtype=np.int64),
        bars=bars,
        funding=(
            (funding["ts"].to_numpy(), funding["rate"].to_numpy())
            if has_funding
            else (empty, empty)
        ),
        notes=(
            f"{timeframe_name(timeframe_ms)} bars made of recorded trades",
            f"instrument rules: {rules.source or 'no source stated'}",
        ),
    )


def tape_of(lake: Lake, history: History, *, with_depth: bool = True) -> Tape:
    """Read the messages of a history's time, and those before it that built its book.

    Changes a snapshot has in it already (by the venue's update numbers) are left out, and changes
    that arrived before the first snapshot but belong after it follow it. Stamps that fall, where
    messages overtook each other, count as the present time. Without depth its table is empty.

    Raises
    ------
    DataError
        If depth or trades are not there over the whole history.
    """
    name, rules = history.instrument.id, history.instrument
    keys = [_series(lake, name, kind, with_depth) for kind in _kinds(with_depth)]
    for key in keys:
        info = lake.info(key)
        assert info is not None
        if info.first_ms > int(history.ts_ms[0]) or info.last_ms < history.end_ms - 1:
            raise DataError(
                f"{key} is recorded for {span_text(info)} only; test within it (--from, --to)"
            )
    blocks = [lake.read(key, end_ms=history.end_ms) for key in keys]
    d, q = _grid(blocks)
    if d > rules.price_decimals or q > rules.qty_decimals:
        raise DataError(
            f"depth and trades of {name} are finer than the bars given; name the instrument, so "
            "that its bars are made of them"
        )
    *depth, trades = (
        _rescaled(block, key, rules).frame for block, key in zip(blocks, keys, strict=True)
    )
    columns = ("side", "price", "qty")
    levels = [_table(_in_sequence(frame), ("is_snapshot", *columns)) for frame in depth]
    tables = (_table(trades, columns), levels[0] if levels else np.empty((0, 5), dtype=np.int64))
    digest = hashlib.sha256(b"".join(table.astype("<i8").tobytes() for table in tables))
    return Tape(history, *tables, digest.hexdigest())


def _kinds(with_depth: bool) -> tuple[SeriesKind, ...]:
    return (SeriesKind.BOOK, SeriesKind.TRADES) if with_depth else (SeriesKind.TRADES,)


def _words(with_depth: bool) -> str:
    return "depth and trades" if with_depth else "trades"


def _series(lake: Lake, instrument: str, kind: SeriesKind, with_depth: bool) -> SeriesKey:
    key = series_key(instrument, kind)
    if lake.info(key) is None:
        raise DataError(
            f"playing messages back needs recorded {_words(with_depth)} of {instrument}; the lake "
            f"has no {kind} of it (`openalpha data import` takes them)"
        )
    return key


def _grid(blocks: list[Block]) -> tuple[int, int]:
    return max(b.price_decimals for b in blocks), max(b.qty_decimals for b in blocks)


def _in_units(rules: Instrument, blocks: list[Block]) -> Instrument:
    d, q = _grid(blocks)
    d, q = max(d, rules.price_decimals), max(q, rules.qty_decimals)
    if rules.kind is Kind.SPOT:
        highest = max(int(b.frame["price"].max()) / 10**b.price_decimals for b in blocks)  # type: ignore[arg-type]  # prices are Int64
        q = max(q, coin_decimals(highest))
    return replace(rules, price_decimals=d, qty_decimals=q)


def _rescaled(block: Block, key: SeriesKey, rules: Instrument) -> Block:
    return rescale(block, key, price_decimals=rules.price_decimals, qty_decimals=rules.qty_decimals)


def _bars(trades: pl.DataFrame, span: tuple[int, int], step_ms: int) -> Ints:
    """Return open, high, low, close, volume of every bar; a quiet one is flat at the last price."""
    price = pl.col("price")
    made = (
        trades.with_columns(ts=pl.col("ts") // step_ms * step_ms)
        .group_by("ts", maintain_order=True)
        .agg(
            open=price.first(),
            high=price.max(),
            low=price.min(),
            close=price.last(),
            volume=pl.col("qty").sum(),
        )
        .sort("ts")
    )
    every = pl.DataFrame({"ts": pl.int_range(*span, step_ms, eager=True)})
    # The bars before the span give its first ones their price.
    joined = made.join(every, on="ts", how="full", coalesce=True).sort("ts")
    flat = joined.with_columns(pl.col("close").forward_fill(), pl.col("volume").fill_null(0))
    filled = flat.with_columns(
        pl.col(name).fill_null(pl.col("close")) for name in ("open", "high", "low")
    ).filter(pl.col("ts").is_between(span[0], span[1] - 1))
    return filled.select(OHLCV).to_numpy().astype(np.int64)


def _in_sequence(depth: pl.DataFrame) -> pl.DataFrame:
    """Put the first snapshot before what follows it by the venue's numbers; drop what it holds."""
    is_snapshot = depth["is_snapshot"].to_numpy() == 1
    if not is_snapshot.any() or is_snapshot[0]:
        return depth
    first = int(np.flatnonzero(is_snapshot)[0])
    number = int(depth["final_u"][first])
    early = depth[:first].filter(pl.col("final_u") >= number) if number >= 0 else depth[:0]
    later = depth[first:]
    length = int(np.argmin(np.append(is_snapshot[first:], False)))
    rest = later[length:]
    if number >= 0:
        rest = rest.filter((pl.col("is_snapshot") == 1) | (pl.col("final_u") >= number))
    return pl.concat([later[:length], early, rest])


def _table(frame: pl.DataFrame, columns: tuple[str, ...]) -> Ints:
    stamps = np.maximum.accumulate(frame["ts"].to_numpy())
    return np.column_stack([stamps, *(frame[name].to_numpy() for name in columns)]).astype(np.int64)

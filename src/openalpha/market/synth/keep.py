"""Puts a synthetic market where others find it: the lake, or plain Parquet files."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import polars as pl

from openalpha.core.clock import Clock, timeframe_name
from openalpha.core.errors import DataError, StorageError
from openalpha.market.blocks import Block
from openalpha.market.grid import to_floats
from openalpha.market.history import OHLCV, RATE_DECIMALS, History
from openalpha.market.lake import Lake
from openalpha.market.series import SeriesKey, SeriesKind
from openalpha.market.synth.build import SynthMarket
from openalpha.store.kept import refuse_kept

__all__ = ["keep_in_lake", "write_files"]

_FOLDERS = {
    SeriesKind.BARS: "ohlcv",
    SeriesKind.MARK: "mark",
    SeriesKind.INDEX: "index",
    SeriesKind.FUNDING: "funding",
}


def keep_in_lake(market: SynthMarket, lake: Lake, *, clock: Clock, replaces: bool) -> list[str]:
    """Put a market into the lake, every series whole or none of the market.

    Parameters
    ----------
    replaces : bool
        Whether series of the same instruments, made by an earlier call, are removed before; else
        rows that differ from theirs are an error.

    Returns
    -------
    list of str
        The series kept.

    Raises
    ------
    DataError
        If the lake holds other synthetic rows of the same stamps and `replaces` is off.
    """
    if replaces:
        for name in {history.instrument.id for history in market.histories.values()}:
            source, _, symbol = name.partition(":")
            # Only markets of the generator are ever removed; they can be made again.
            shutil.rmtree(lake.root / source / symbol, ignore_errors=True)
    kept = []
    try:
        with lake.transaction() as change:
            for history in market.histories.values():
                for key, block in _series(history):
                    change.merge(key, block, source=f"SYNTHETIC seed {market.seed}")
                    kept.append(str(key))
    except DataError:
        raise DataError(
            "the lake holds another synthetic market of these instruments and times; put this one "
            "in its place with --replace, or elsewhere with --out DIR"
        ) from None
    rules = [history.instrument for history in market.histories.values()]
    lake.keep_instruments(rules, now_ms=clock.now_ms())
    return kept


def write_files(market: SynthMarket, folder: Path) -> list[Path]:
    """Write a market as Parquet files in the layout `openalpha data import` reads.

    `ohlcv/<market>/<SYMBOL>_<time frame>.parquet` (ts, open, high, low, close, volume as floats),
    and the same below `mark`, `index` and `funding` (ts, funding_rate). With a planted edge,
    `truth/` holds the reference rule's positions.

    Raises
    ------
    StorageError
        If the disk refuses.
    """
    written = []
    try:
        for history in market.histories.values():
            for key, block in _series(history):
                label = f"_{key.timeframe}" if key.timeframe else ""
                name = f"{_FOLDERS[key.kind]}/{key.market}/{key.symbol}{label}.parquet"
                written.append(_write(folder / name, _floats(block)))
        for instrument, held in market.positions.items():
            ts_ms = market.histories[instrument].ts_ms
            source, _, symbol = instrument.partition(":")
            label = timeframe_name(market.spec.timeframe_ms)
            frame = pl.DataFrame({"ts": ts_ms, "position": held})
            written.append(_write(folder / f"truth/{source}/{symbol}_{label}.parquet", frame))
    except OSError as error:
        raise StorageError(
            f"{folder} cannot be written ({error.strerror or error}); free space or name another"
        ) from None
    return written


def _series(history: History) -> Iterator[tuple[SeriesKey, Block]]:
    instrument = history.instrument
    d, q = instrument.price_decimals, instrument.qty_decimals
    timeframe = timeframe_name(history.timeframe_ms)
    columns = {SeriesKind.BARS: history.bars}
    if history.mark is not None and history.index is not None:
        columns |= {SeriesKind.MARK: history.mark, SeriesKind.INDEX: history.index}
    for kind, prices in columns.items():
        frame = pl.DataFrame(
            {"ts": history.ts_ms}
            | {name: prices[:, place] for place, name in enumerate(OHLCV[: prices.shape[1]])}
        )
        yield SeriesKey(instrument.market, instrument.symbol, kind, timeframe), Block(frame, d, q)
    if len(history.funding_ts_ms):
        frame = pl.DataFrame({"ts": history.funding_ts_ms, "rate": history.funding_rate_e12})
        yield SeriesKey(instrument.market, instrument.symbol, SeriesKind.FUNDING), Block(frame)


def _floats(block: Block) -> pl.DataFrame:
    decimals = {"volume": block.qty_decimals, "rate": RATE_DECIMALS}
    columns = [
        column
        if column.name == "ts"
        else pl.Series(
            column.name,
            to_floats(column.to_numpy(), decimals.get(column.name, block.price_decimals)),
        )
        for column in block.frame
    ]
    return pl.DataFrame(columns).rename({"rate": "funding_rate"}, strict=False)


def _write(path: Path, frame: pl.DataFrame) -> Path:
    refuse_kept(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        frame.write_parquet(partial, compression="zstd")
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
    return path

"""Making longer time frames in the lake from the shorter bars it has."""

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from openalpha.core.errors import InputError
from openalpha.market.blocks import Block
from openalpha.market.combining import resampled, target_key
from openalpha.market.lake import Lake
from openalpha.market.series import SeriesKey

__all__ = ["Resampled", "resample_lake"]


@dataclass(frozen=True, slots=True)
class Resampled:
    """One series made: from which, how many bars, how many of them new to the lake."""

    key: SeriesKey
    source: SeriesKey
    bars: int
    added: int


def resample_lake(
    lake: Lake, sources: Sequence[SeriesKey], *, timeframes: Sequence[str]
) -> list[Resampled]:
    """Make longer time frames in the lake, all or nothing.

    Of several sources of one instrument the one that gives most bars is used. Bars that
    `data check` found unusable are left out, and with them the longer bars they belong to.

    Parameters
    ----------
    lake : Lake
    sources : sequence of SeriesKey
        Bars to make them from.
    timeframes : sequence of str

    Raises
    ------
    InputError
        If no source of an instrument can make a time frame.
    DataError
        If the lake has such bars already and they differ. Nothing is changed.
    """
    done = []
    by_instrument: dict[str, list[SeriesKey]] = {}
    for key in sources:
        by_instrument.setdefault(key.instrument, []).append(key)
    with lake.transaction() as change:
        for instrument, keys in by_instrument.items():
            for timeframe in timeframes:
                source, key, block = _richest(lake, instrument, keys, timeframe)
                merged = change.merge(key, block, source=f"resampled from {source.timeframe}")
                done.append(Resampled(key, source, block.frame.height, merged.added))
    return done


def _richest(
    lake: Lake, instrument: str, keys: Sequence[SeriesKey], timeframe: str
) -> tuple[SeriesKey, SeriesKey, Block]:
    found: tuple[SeriesKey, SeriesKey, Block] | None = None
    refusal: InputError | None = None
    for source in keys:
        if source.timeframe == timeframe:
            continue
        try:
            target_key(source, timeframe)
        except InputError as error:
            refusal = error
            continue
        key, block = resampled(source, _usable(lake, source), timeframe=timeframe)
        if found is None or block.frame.height > found[2].frame.height:
            found = (source, key, block)
    if found is None:
        raise refusal or InputError(f"{instrument} has nothing to make {timeframe} bars from")
    return found


def _usable(lake: Lake, key: SeriesKey) -> Block:
    block = lake.read(key)
    frame = block.frame
    for start, end, _ in lake.unusable().get(key.folder.as_posix(), []):
        frame = frame.filter(~pl.col("ts").is_between(start, end, closed="left"))
    return Block(frame, block.price_decimals, block.qty_decimals)

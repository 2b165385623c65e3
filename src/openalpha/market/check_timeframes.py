"""Compares the time frames of one instrument: they tell of the same trades, so they must agree."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import polars as pl

from openalpha.core.errors import InputError
from openalpha.market.blocks import Block, rescale
from openalpha.market.check_bars import spans_of
from openalpha.market.combining import resampled
from openalpha.market.series import SeriesKey

__all__ = ["LEAST_UNUSABLE_BARS", "Disagreement", "compare_timeframes"]

LEAST_UNUSABLE_BARS = 6
"""A stretch of fewer disagreeing bars is told, but runs are not refused for it."""

_VOLUME_TOLERANCE = 1e-6
_CLEAR = 1.65
_PRICES = ("open", "high", "low", "close")


@dataclass(frozen=True, slots=True)
class Disagreement:
    """A stretch in which two time frames of one instrument tell different stories.

    Parameters
    ----------
    fine, coarse : SeriesKey
    from_ms, to_ms : int
        [from, to), UTC ms.
    bars : int
        Disagreeing bars of the coarser time frame.
    largest_gap : float
        Largest difference of a price, as a fraction of it.
    volume_ratio : float
        Volume of the finer over volume of the coarser, over the stretch.
    suspect : SeriesKey or None
        The one whose volume stands out against its own neighbourhood; None where neither does.
    """

    fine: SeriesKey
    coarse: SeriesKey
    from_ms: int
    to_ms: int
    bars: int
    largest_gap: float
    volume_ratio: float
    suspect: SeriesKey | None


def compare_timeframes(series: Mapping[SeriesKey, Block]) -> list[Disagreement]:
    """Compare every two time frames of one instrument bar by bar, exactly.

    Parameters
    ----------
    series : mapping
        Bars of one instrument by their keys.

    Returns
    -------
    list of Disagreement
        By pair (finest first) and time; empty where all agree or nothing overlaps.
    """
    ordered = sorted(series, key=lambda key: key.timeframe_ms)
    found: list[Disagreement] = []
    for fine, coarse in combinations(ordered, 2):
        found += _compare(fine, series[fine], coarse, series[coarse])
    return found


def _compare(
    fine: SeriesKey, fine_block: Block, coarse: SeriesKey, coarse_block: Block
) -> list[Disagreement]:
    try:
        _, made = resampled(fine, _tidy(fine_block), timeframe=coarse.timeframe)
    except InputError:  # no whole number of the one makes the other
        return []
    d = max(made.price_decimals, coarse_block.price_decimals)
    q = max(made.qty_decimals, coarse_block.qty_decimals)
    left = rescale(made, coarse, price_decimals=d, qty_decimals=q).frame
    right = rescale(_tidy(coarse_block), coarse, price_decimals=d, qty_decimals=q).frame
    both = left.join(right, on="ts", suffix="_coarse").sort("ts")
    gap = pl.max_horizontal(
        (pl.col(name) - pl.col(f"{name}_coarse")).abs() / pl.col(f"{name}_coarse")
        for name in _PRICES
    )
    larger = pl.max_horizontal("volume", "volume_coarse")
    apart = (pl.col("volume") - pl.col("volume_coarse")).abs() > _VOLUME_TOLERANCE * larger
    both = both.with_columns(_gap=gap, _differs=(gap > 0) | apart)
    stamps = both.filter("_differs")["ts"].to_list()
    step_ms = coarse.timeframe_ms
    return [
        _described(both, (fine, coarse), start, end)
        for start, end in spans_of(stamps, step_ms, bridge_ms=step_ms)
    ]


def _tidy(block: Block) -> Block:
    # Rows that are faulty by themselves (repeated, without a positive price) are told elsewhere.
    frame = block.frame.filter(pl.min_horizontal(_PRICES) > 0)
    frame = frame.unique("ts", keep="first", maintain_order=True).sort("ts")
    return Block(frame, block.price_decimals, block.qty_decimals)


def _described(
    both: pl.DataFrame, pair: tuple[SeriesKey, SeriesKey], start_ms: int, end_ms: int
) -> Disagreement:
    within = both.filter(pl.col("ts").is_between(start_ms, end_ms, closed="left"))
    fine_volume, coarse_volume = (int(within[n].sum()) for n in ("volume", "volume_coarse"))
    gap = within["_gap"].max()
    return Disagreement(
        *pair,
        from_ms=start_ms,
        to_ms=end_ms,
        bars=int(within["_differs"].sum()),
        largest_gap=float(gap) if isinstance(gap, float) else 0.0,
        volume_ratio=fine_volume / coarse_volume if coarse_volume else float("inf"),
        suspect=_suspect(both, pair, start_ms, end_ms),
    )


def _suspect(
    both: pl.DataFrame, pair: tuple[SeriesKey, SeriesKey], start_ms: int, end_ms: int
) -> SeriesKey | None:
    around = max(end_ms - start_ms, 24 * pair[1].timeframe_ms)
    within = pl.col("ts").is_between(start_ms, end_ms, closed="left")
    near = pl.col("ts").is_between(start_ms - around, end_ms + around, closed="left")
    calm = both.filter(near & ~within & ~pl.col("_differs"))
    if calm.height == 0:
        return None
    strangeness = []
    for name in ("volume", "volume_coarse"):
        usual = float(np.mean(calm[name].to_numpy())) + 1.0
        here = float(np.mean(both.filter(within)[name].to_numpy())) + 1.0
        strangeness.append(max(here / usual, usual / here))
    fine, coarse = strangeness
    if max(fine, coarse) < _CLEAR * min(fine, coarse):
        return None
    return pair[0] if fine > coarse else pair[1]

"""Other futures: the same bars up to a row, different ones from there on."""

from collections.abc import Callable, Collection

import numpy as np

from openalpha.strategy.bars import COLUMNS, Bars, FloatArray

__all__ = ["FUTURES", "Future", "with_future"]

Future = Callable[[str, FloatArray, np.random.Generator], FloatArray]
"""From a column's name and its later values to other ones."""

_PRICES = frozenset({"open", "high", "low", "close", "mark_close"})


def _rise(name: str, values: FloatArray, rng: np.random.Generator) -> FloatArray:
    if name == "funding_rate":
        return values + 0.01
    return values * (3.0 if name in _PRICES else 25.0)


def _fall(name: str, values: FloatArray, rng: np.random.Generator) -> FloatArray:
    if name == "funding_rate":
        return values - 0.01
    return values / (3.0 if name in _PRICES else 25.0)


def _scatter(name: str, values: FloatArray, rng: np.random.Generator) -> FloatArray:
    if name == "funding_rate":
        # Settlements move to other bars: when they come is as unknown as how much they are.
        drawn = rng.normal(0.0, 0.01, len(values))
        return np.where(rng.random(len(values)) < 0.3, drawn, np.nan)
    return np.asarray(values * np.exp(rng.normal(0.0, 0.5, len(values))))


FUTURES: tuple[Future, ...] = (_rise, _fall, _scatter)
"""A jump up, a jump down, and noise: every leak shows in at least one of them."""


def with_future(
    bars: Bars,
    cut: int,
    *,
    future: Future,
    columns: Collection[str] = COLUMNS,
    seed: int = 0,
) -> Bars:
    """Return bars that are the same before row `cut` and differ from there on.

    Only columns the strategy reads are ever made.

    Parameters
    ----------
    bars : Bars
        The bars as they were.
    cut : int
        First row that differs.
    future : Future
        How it differs.
    columns : collection of str
        Which columns differ; the others stay whole.
    seed : int
        Seed of what is random.
    """
    scale = 10.0**bars.price_decimals

    def later(name: str) -> FloatArray:
        rng = np.random.default_rng([seed, cut, COLUMNS.index(name)])
        changed = future(name, bars.column(name)[cut:], rng)
        if name == "close" and bars.close_units is not None:
            changed = np.maximum(np.rint(changed * scale), 1.0) / scale
        return changed

    def source(name: str) -> FloatArray:
        if name not in columns:
            return bars.column(name)
        return np.concatenate([bars.column(name)[:cut], later(name)])

    units = bars.close_units
    if units is not None and "close" in columns:
        units = np.concatenate([units[:cut], np.rint(later("close") * scale).astype(np.int64)])
    return Bars(
        bars.ts_ms,
        timeframe_ms=bars.timeframe_ms,
        source=source,
        instrument_id=bars.instrument_id,
        close_units=units,
        price_decimals=bars.price_decimals,
    )

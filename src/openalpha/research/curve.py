"""How much of the account was in the market, and how far it fell: one pass over the bars."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from openalpha.core.instruments import Instrument, Kind
from openalpha.research.compiled import HeldSteps, add_steps, follow, follow_column
from openalpha.research.facts import FillColumns, FinishedRun

__all__ = ["Curve", "measure_curve"]

_STRETCH = 1 << 20
"""Bars looked at in one go: closes that lie apart are copied no further than that."""

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_NO_BAR, _NO_CLOSE, _NO_WORTH = np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0)
_NO_CLOSE.flags.writeable = False


@dataclass(frozen=True, slots=True)
class Curve:
    """Equity and gross exposure over equity at bar closes, summed up.

    Parameters
    ----------
    bars : int
        Bars of the run.
    exposed : int
        Those of them that closed with a position (and equity left).
    mean, highest : float
        Exposure over all bars; 0 without a bar.
    deepest : float
        Deepest drawdown, in [0, 1].
    """

    bars: int
    exposed: int
    mean: float
    highest: float
    deepest: float


def measure_curve(
    run: FinishedRun, fills: FillColumns, *, instruments: Sequence[Instrument]
) -> Curve:
    """Sum up a run's equity and exposure.

    Linear and spot positions are followed from fill to fill, which leaves the run's exposure column
    unmade; inverse ones, and two legs of one instrument, are read from that column.

    Parameters
    ----------
    run : FinishedRun
    fills : FillColumns
        All of the run's.
    instruments : sequence of Instrument
    """
    capital = float(run.capital)
    state = np.array([0.0, 0.0, 0.0, capital, capital, 0.0])
    if len(instruments) == 1 and not _needs_column(fills, instruments):
        for steps in _stretches(run, fills, instruments[0], run.closes[0]):
            follow(steps, state)
    else:
        follow(HeldSteps(_NO_BAR, _NO_WORTH, _NO_CLOSE, run.equity), state)
        follow_column(_column(run, fills, instruments), state)
    bars = len(run.ts_ms)
    exposed, total, highest, peak, trough, deepest = state.tolist()
    deepest = min(1.0, max(deepest, 1.0 - trough / peak))
    return Curve(bars, int(exposed), total / bars if bars else 0.0, highest, deepest)


def _needs_column(fills: FillColumns, instruments: Sequence[Instrument]) -> bool:
    return any(i.kind is Kind.INVERSE for i in instruments) or bool(fills.leg.any())


def _column(run: FinishedRun, fills: FillColumns, instruments: Sequence[Instrument]) -> Floats:
    """Return the gross exposure over equity at each bar's close."""
    if _needs_column(fills, instruments):
        return run.exposure
    exposure = np.zeros(len(run.ts_ms))
    for number, (instrument, close) in enumerate(zip(instruments, run.closes, strict=True)):
        mine = fills.take(np.flatnonzero(fills.instrument == number))
        done = 0
        for steps in _stretches(run, mine, instrument, close):
            add_steps(steps, exposure[done : done + len(steps.equity)])
            done += len(steps.equity)
    return exposure


def _stretches(
    run: FinishedRun, fills: FillColumns, instrument: Instrument, close: Ints
) -> Iterator[HeldSteps]:
    """Yield a position's steps, stretch by stretch of the bars; each begins with what is held."""
    bar = _bars_of(run, fills.ts_ms)
    decimals = instrument.qty_decimals + instrument.price_decimals
    held = np.abs(np.cumsum(fills.held_units))
    worth = held * (float(instrument.multiplier) / 10.0**decimals)
    for start in range(0, len(close), _STRETCH):
        part = slice(start, start + _STRETCH)
        first = max(int(np.searchsorted(bar, start, side="right")) - 1, 0)
        last = int(np.searchsorted(bar, start + _STRETCH))
        near = np.ascontiguousarray(close[part])
        near.flags.writeable = False
        yield HeldSteps(bar[first:last] - start, worth[first:last], near, run.equity[part])


def _bars_of(run: FinishedRun, ts_ms: Ints) -> Ints:
    """Return the row of the bar each moment lies in."""
    stamps, length_ms = run.ts_ms, run.timeframe_ms
    if int(stamps[-1]) - int(stamps[0]) == (len(stamps) - 1) * length_ms:
        # Without a gap the bar follows from the stamp; looking it up costs three times as much.
        return (ts_ms - int(stamps[0])) // length_ms
    return np.searchsorted(stamps, ts_ms, side="right") - 1

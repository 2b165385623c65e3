"""How much of the account was in the market: bars exposed, average and highest exposure."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from openalpha.core.instruments import Instrument, Kind
from openalpha.research.compiled import HeldSteps, add_steps, scan_exposure, scan_steps
from openalpha.research.facts import FillColumns, FinishedRun

__all__ = ["Exposure", "measure_exposure"]


@dataclass(frozen=True, slots=True)
class Exposure:
    """Gross exposure over equity at bar closes, summed up.

    Parameters
    ----------
    bars : int
        Bars of the run.
    exposed : int
        Those of them that closed with a position (and equity left).
    mean, highest : float
        Over all bars; 0 without a bar.
    """

    bars: int
    exposed: int
    mean: float
    highest: float


def measure_exposure(
    run: FinishedRun, fills: FillColumns, *, instruments: Sequence[Instrument]
) -> Exposure:
    """Sum up a run's exposure.

    Linear and spot positions are followed from fill to fill, which leaves the run's exposure column
    unmade; inverse ones, and two legs of one instrument, are read from that column.

    Parameters
    ----------
    run : FinishedRun
    fills : FillColumns
        All of the run's.
    instruments : sequence of Instrument
    """
    out = np.zeros(3)
    if any(i.kind is Kind.INVERSE for i in instruments) or fills.leg.any():
        scan_exposure(run.exposure, out)
    elif len(instruments) == 1:
        scan_steps(_steps(run, fills, instruments[0], run.closes[0]), out)
    else:
        exposure = np.zeros(len(run.ts_ms))
        for number, (instrument, close) in enumerate(zip(instruments, run.closes, strict=True)):
            mine = fills.take(np.flatnonzero(fills.instrument == number))
            add_steps(_steps(run, mine, instrument, close), exposure)
        scan_exposure(exposure, out)
    bars = len(run.ts_ms)
    exposed, total, highest = out.tolist()
    return Exposure(bars, int(exposed), total / bars if bars else 0.0, highest)


def _steps(
    run: FinishedRun, fills: FillColumns, instrument: Instrument, close: NDArray[np.int64]
) -> HeldSteps:
    ts_ms, length_ms = run.ts_ms, run.timeframe_ms
    if int(ts_ms[-1]) - int(ts_ms[0]) == (len(ts_ms) - 1) * length_ms:
        # Without a gap the bar follows from the stamp; looking it up costs three times as much.
        bar = (fills.ts_ms - int(ts_ms[0])) // length_ms
    else:
        bar = np.searchsorted(ts_ms, fills.ts_ms, side="right") - 1
    held = np.abs(np.cumsum(fills.held_units))
    decimals = instrument.qty_decimals + instrument.price_decimals
    worth = held * (float(instrument.multiplier) / 10.0**decimals)
    return HeldSteps(bar, worth, close, run.equity)

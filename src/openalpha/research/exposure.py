"""How much of the account was in the market: bars exposed, average and highest exposure."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from openalpha.core.instruments import Instrument, Kind
from openalpha.research.compiled import HeldSteps, scan_exposure, scan_steps
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

    A single linear or spot position is followed from fill to fill, which leaves the run's exposure
    column unmade; anything else is read from that column.

    Parameters
    ----------
    run : FinishedRun
    fills : FillColumns
        All of the run's.
    instruments : sequence of Instrument
    """
    out = np.zeros(3)
    if len(instruments) == 1 and instruments[0].kind is not Kind.INVERSE and not fills.leg.any():
        scan_steps(_steps(run, fills, instruments[0]), out)
    else:
        scan_exposure(run.exposure, out)
    bars = len(run.ts_ms)
    exposed, total, highest = out.tolist()
    return Exposure(bars, int(exposed), total / bars if bars else 0.0, highest)


def _steps(run: FinishedRun, fills: FillColumns, instrument: Instrument) -> HeldSteps:
    ts_ms, length_ms = run.ts_ms, run.timeframe_ms
    if int(ts_ms[-1]) - int(ts_ms[0]) == (len(ts_ms) - 1) * length_ms:
        # Without a gap the bar follows from the stamp; looking it up costs three times as much.
        bar = (fills.ts_ms - int(ts_ms[0])) // length_ms
    else:
        bar = np.searchsorted(ts_ms, fills.ts_ms, side="right") - 1
    held = np.abs(np.cumsum(fills.held_units))
    decimals = instrument.qty_decimals + instrument.price_decimals
    worth = held * (float(instrument.multiplier) / 10.0**decimals)
    return HeldSteps(bar, worth, run.closes[0], run.equity)

"""Breakout: follow the price out of its range, if a model that is asked agrees."""

from collections.abc import Callable
from typing import ClassVar

import numpy as np

from openalpha.core.errors import DataError
from openalpha.strategy.bars import Bars, FloatArray
from openalpha.strategy.base import SignalStrategy
from openalpha.strategy.indicators.rolling import lagged, rolling_max, rolling_min
from openalpha.strategy.params import ExitParams, Param
from openalpha.strategy.signals import after_warm_up, hold

__all__ = ["Breakout", "Confirmation"]

Confirmation = Callable[[Bars, FloatArray], FloatArray]
"""From bars and raw break-outs (+1, -1, 0 a bar) to the probability each one holds, 0 to 1.

It must not look ahead either: the proof runs with it.
"""


class Breakout(SignalStrategy):
    """Long above the highest high of the last bars, short below the lowest low.

    Parameters
    ----------
    confirm : callable, optional
        Asked about every break-out; one below `min_probability` is passed over. A model's
        prediction function fits; without it every break-out counts.
    """

    name: ClassVar[str] = "breakout"
    idea: ClassVar[str] = "A price that leaves its range goes on: follow it until the range turns."

    class Params(ExitParams):
        """The channels that open and close a position."""

        entry: int = Param(55, ge=2, le=10000, unit="bars", help="Channel whose break opens.")
        exit: int = Param(20, ge=1, le=10000, unit="bars", help="Channel whose break closes.")
        min_probability: float = Param(
            0.55, ge=0, le=1, help="Least probability from the confirmation, where there is one."
        )
        long_only: bool = Param(False, help="Stay flat instead of going short.")

    def __init__(self, confirm: Confirmation | None = None) -> None:
        self.confirm = confirm

    def warm_up_bars(self, params: Params) -> int:
        """Return the longer channel and the bar that breaks it."""
        return max(params.entry, params.exit) + 1

    def target(self, bars: Bars, params: Params) -> FloatArray:
        """Return the position from the last confirmed break-out until the exit channel breaks."""
        breaks = _breaks(bars, params.entry)
        ends = _breaks(bars, params.exit)
        confirmed = self._confirmed(bars, breaks, params.min_probability)
        # Leaving the exit channel upward ends a short, downward a long: neither opens anything.
        is_down, is_up = (ends < 0) | (confirmed < 0), (ends > 0) | (confirmed > 0)
        longs = hold(np.where(confirmed > 0, 1.0, np.where(is_down, 0.0, np.nan)))
        shorts = hold(np.where(confirmed < 0, 1.0, np.where(is_up, 0.0, np.nan)))
        wanted = longs - (0.0 if params.long_only else shorts)
        return after_warm_up(wanted, self.warm_up_bars(params))

    def _confirmed(self, bars: Bars, breaks: FloatArray, least: float) -> FloatArray:
        if self.confirm is None:
            return breaks
        probability = np.asarray(self.confirm(bars, breaks), dtype=np.float64)
        if probability.shape != breaks.shape:
            raise DataError(
                f"the confirmation of breakout gave shape {probability.shape} for {len(bars)} bars"
            )
        return np.where(probability >= least, breaks, 0.0)


def _breaks(bars: Bars, period: int) -> FloatArray:
    """Return 1 where the close is above the earlier bars' range, -1 below, else 0."""
    upper = lagged(rolling_max(bars.high, period), 1)
    lower = lagged(rolling_min(bars.low, period), 1)
    return np.where(bars.close > upper, 1.0, np.where(bars.close < lower, -1.0, 0.0))

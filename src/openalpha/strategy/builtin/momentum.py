"""Momentum: hold what has risen, sell what has fallen, over one horizon or several."""

from typing import ClassVar

import numpy as np

from openalpha.strategy.bars import Bars, FloatArray
from openalpha.strategy.base import SignalStrategy
from openalpha.strategy.params import ExitParams, Param
from openalpha.strategy.signals import after_warm_up

__all__ = ["Momentum"]


class Momentum(SignalStrategy):
    """The sign of the return over a look-back; with several horizons, the mean of their signs."""

    name: ClassVar[str] = "momentum"
    idea: ClassVar[str] = "What rose over the last weeks tends to go on rising for a while."

    class Params(ExitParams):
        """The look-back and how many doublings of it vote."""

        lookback: int = Param(96, ge=1, le=20000, unit="bars", help="Shortest look-back.")
        horizons: int = Param(
            1, ge=1, le=4,
            help="How many look-backs vote, each twice the one before: 1 is simple momentum.",
        )  # fmt: skip
        threshold_pct: float = Param(
            0.0, ge=0, le=100, unit="%", help="A horizon's return must exceed this to count."
        )
        long_only: bool = Param(False, help="Stay flat instead of going short.")

    def warm_up_bars(self, params: Params) -> int:
        """Return the longest look-back and the bar itself."""
        return (params.lookback << (params.horizons - 1)) + 1

    def target(self, bars: Bars, params: Params) -> FloatArray:
        """Return the mean vote of the horizons, -1 to 1."""
        close = bars.close
        votes = np.zeros(len(bars))
        for horizon in range(params.horizons):
            back = params.lookback * 2**horizon
            moved = close[back:] / close[: max(len(close) - back, 0)] - 1.0
            votes[back:] += np.where(np.abs(moved) > params.threshold_pct / 100, np.sign(moved), 0)
        wanted = votes / params.horizons
        if params.long_only:
            wanted = np.maximum(wanted, 0.0)
        return after_warm_up(wanted, self.warm_up_bars(params))

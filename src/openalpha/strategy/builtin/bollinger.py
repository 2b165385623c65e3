"""Bollinger bands: fade a move beyond the bands, or follow it."""

from typing import ClassVar, Literal

import numpy as np

from openalpha.strategy import indicators
from openalpha.strategy.bars import Bars, FloatArray
from openalpha.strategy.base import SignalStrategy
from openalpha.strategy.params import ExitParams, Param
from openalpha.strategy.signals import after_warm_up, crossed_above, crossed_below, hold

__all__ = ["Bollinger"]


class Bollinger(SignalStrategy):
    """Act when the close leaves the bands, get out when it is back at the mean."""

    name: ClassVar[str] = "bollinger"
    idea: ClassVar[str] = "Prices beyond two deviations are rare: fade them, or follow a break-out."

    class Params(ExitParams):
        """Window and width of the bands, and which way to trade them."""

        period: int = Param(20, ge=2, le=2000, unit="bars", help="Window of mean and deviation.")
        width: float = Param(2.0, ge=0.1, le=10, help="Band distance in standard deviations.")
        mode: Literal["reversion", "breakout"] = Param(
            "reversion", help="Trade back to the mean, or along with the break-out."
        )
        long_only: bool = Param(False, help="Stay flat instead of going short.")

    def warm_up_bars(self, params: Params) -> int:
        """Return the window."""
        return params.period

    def target(self, bars: Bars, params: Params) -> FloatArray:
        """Return the position from the last break of a band until the mean is crossed."""
        close = bars.close
        bands = indicators.info("bollinger").all(
            close, period=params.period, up=params.width, down=params.width
        )
        middle = bands["middle"]
        back = crossed_above(close - middle, 0.0) | crossed_below(close - middle, 0.0)
        events = np.where(back, 0.0, np.nan)
        above = 1.0 if params.mode == "breakout" else -1.0
        events[close > bands["upper"]] = above
        events[close < bands["lower"]] = -above
        wanted = hold(events)
        if params.long_only:
            wanted = np.maximum(wanted, 0.0)
        return after_warm_up(wanted, self.warm_up_bars(params))

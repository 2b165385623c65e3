"""RSI reversion: buy what has fallen too fast, sell what has risen too fast."""

from typing import ClassVar

import numpy as np

from openalpha.strategy import indicators
from openalpha.strategy.bars import Bars, FloatArray
from openalpha.strategy.base import SignalStrategy
from openalpha.strategy.params import ExitParams, Param
from openalpha.strategy.signals import after_warm_up, crossed_above, crossed_below, hold

__all__ = ["RsiReversion"]


class RsiReversion(SignalStrategy):
    """Long below the lower level, short above the upper one, out at the middle."""

    name: ClassVar[str] = "rsi_reversion"
    idea: ClassVar[str] = "Sharp moves overshoot: fade them until the RSI is back in the middle."

    class Params(ExitParams):
        """Window and levels of the RSI."""

        period: int = Param(14, ge=2, le=500, unit="bars", help="Window of the RSI.")
        oversold: float = Param(30.0, ge=1, le=49, help="Buy below this RSI.")
        overbought: float = Param(70.0, ge=51, le=99, help="Sell above this RSI.")
        exit_level: float = Param(50.0, ge=40, le=60, help="Close when the RSI crosses this.")
        long_only: bool = Param(False, help="Stay flat instead of going short.")

    def warm_up_bars(self, params: Params) -> int:
        """Return the bars until the RSI no longer depends on where it began."""
        return indicators.info("rsi").settled_bars(period=params.period)

    def target(self, bars: Bars, params: Params) -> FloatArray:
        """Return 1 from oversold, -1 from overbought, 0 from the exit level on."""
        rsi = indicators.info("rsi")(bars.close, period=params.period)
        middle = params.exit_level
        back = crossed_above(rsi, middle) | crossed_below(rsi, middle)
        events = np.where(back, 0.0, np.nan)
        events[rsi < params.oversold] = 1.0
        events[rsi > params.overbought] = 0.0 if params.long_only else -1.0
        warm_up = self.warm_up_bars(params)
        events[: warm_up - 1] = np.nan
        return after_warm_up(hold(events), warm_up)

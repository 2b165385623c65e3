"""Buy and hold: what doing nothing would have earned."""

from typing import ClassVar

import numpy as np

from openalpha.strategy.bars import Bars, FloatArray
from openalpha.strategy.base import SignalStrategy
from openalpha.strategy.params import ExitParams, Param

__all__ = ["BuyAndHold"]


class BuyAndHold(SignalStrategy):
    """Fully invested from the first bar on."""

    name: ClassVar[str] = "buy_and_hold"
    idea: ClassVar[str] = "The market itself: every other strategy is measured against it."

    class Params(ExitParams):
        """How much to hold."""

        share: float = Param(1.0, ge=-1, le=1, help="Target held, 1 fully long, -1 fully short.")

    def target(self, bars: Bars, params: Params) -> FloatArray:
        """Return the same target for every bar."""
        return np.full(len(bars), params.share)

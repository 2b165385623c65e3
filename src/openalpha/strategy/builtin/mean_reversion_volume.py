"""Mean reversion on volume: fade a stretched price when heavy volume says somebody had to trade."""

from typing import ClassVar

import numpy as np

from openalpha.strategy import indicators
from openalpha.strategy.bars import Bars, FloatArray
from openalpha.strategy.base import SignalStrategy
from openalpha.strategy.params import ExitParams, Param
from openalpha.strategy.signals import after_warm_up, crossed_above, crossed_below, hold

__all__ = ["MeanReversionVolume"]


class MeanReversionVolume(SignalStrategy):
    """Against a price far from its mean in a bar of unusual volume, out near the mean."""

    name: ClassVar[str] = "mean_reversion_volume"
    idea: ClassVar[str] = "Forced trades push too far: fade a stretched price on a volume spike."

    class Params(ExitParams):
        """Windows and thresholds, in standard deviations."""

        period: int = Param(48, ge=5, le=5000, unit="bars", help="Window of both z-scores.")
        entry_z: float = Param(2.0, ge=0.5, le=10, help="Price distance that opens, deviations.")
        exit_z: float = Param(0.25, ge=0, le=5, help="Price distance that closes, deviations.")
        volume_z: float = Param(1.0, ge=-5, le=20, help="Least volume z-score to open.")
        long_only: bool = Param(False, help="Stay flat instead of going short.")

    def warm_up_bars(self, params: Params) -> int:
        """Return the window."""
        return params.period

    def target(self, bars: Bars, params: Params) -> FloatArray:
        """Return the position from the last spike until the price is back."""
        stretch = indicators.info("zscore")(bars.close, period=params.period)
        busy = indicators.info("volume_zscore")(bars.volume, period=params.period)
        is_spike = busy >= params.volume_z
        back_up = crossed_above(stretch, -params.exit_z)
        back_down = crossed_below(stretch, params.exit_z)
        events = np.where(back_up | back_down, 0.0, np.nan)
        events[is_spike & (stretch <= -params.entry_z)] = 1.0
        events[is_spike & (stretch >= params.entry_z)] = 0.0 if params.long_only else -1.0
        return after_warm_up(hold(events), self.warm_up_bars(params))

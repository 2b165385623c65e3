"""MACD: with the momentum of the trend while the MACD is beyond its signal line."""

from typing import ClassVar, Self

from pydantic import model_validator

from openalpha.strategy import indicators
from openalpha.strategy.bars import Bars, FloatArray
from openalpha.strategy.base import SignalStrategy
from openalpha.strategy.params import ExitParams, Param
from openalpha.strategy.signals import after_warm_up, direction

__all__ = ["Macd"]


class Macd(SignalStrategy):
    """Long while the MACD is above its signal line, short while below."""

    name: ClassVar[str] = "macd"
    idea: ClassVar[str] = (
        "A trend that gains speed goes on: hold with the MACD's side of its signal."
    )

    class Params(ExitParams):
        """The three windows, and whether the zero line must agree."""

        fast: int = Param(12, ge=2, le=1000, unit="bars", help="Window of the fast EMA.")
        slow: int = Param(26, ge=3, le=2000, unit="bars", help="Window of the slow EMA.")
        signal: int = Param(9, ge=2, le=500, unit="bars", help="Window of the signal line.")
        zero_filter: bool = Param(False, help="Long only above zero, short only below.")
        long_only: bool = Param(False, help="Stay flat instead of going short.")

        @model_validator(mode="after")
        def _ordered(self) -> Self:
            if self.fast >= self.slow:
                raise ValueError(f"fast is {self.fast}, expected less than slow ({self.slow})")
            return self

    def warm_up_bars(self, params: Params) -> int:
        """Return the bars until the EMAs no longer depend on where they began."""
        windows = {"fast": params.fast, "slow": params.slow, "signal": params.signal}
        return indicators.info("macd").settled_bars(**windows)

    def target(self, bars: Bars, params: Params) -> FloatArray:
        """Return 1 above the signal line, -1 or 0 below."""
        lines = indicators.info("macd").all(
            bars.close, fast=params.fast, slow=params.slow, signal=params.signal
        )
        rising, falling = lines["histogram"] > 0, lines["histogram"] < 0
        if params.zero_filter:
            rising, falling = rising & (lines["macd"] > 0), falling & (lines["macd"] < 0)
        wanted = direction(rising, falling, long_only=params.long_only)
        return after_warm_up(wanted, self.warm_up_bars(params))

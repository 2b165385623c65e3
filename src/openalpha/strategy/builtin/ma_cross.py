"""Moving-average cross: with the trend while the fast average is beyond the slow one."""

from typing import Any, ClassVar, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import model_validator

from openalpha.strategy import indicators
from openalpha.strategy.bars import Bars, FloatArray, IntArray
from openalpha.strategy.base import NO_OPINION_E6, SignalStrategy
from openalpha.strategy.compiled import compiled_loop
from openalpha.strategy.indicators.memory import lent
from openalpha.strategy.params import ExitParams, Param
from openalpha.strategy.signals import after_warm_up, direction

__all__ = ["MaCross"]

_MILLION = 1_000_000
_BOUND = 2**62
_EXACT = 2.0**53


class MaCross(SignalStrategy):
    """Long while the fast average is above the slow one, short while below (or flat)."""

    name: ClassVar[str] = "ma_cross"
    idea: ClassVar[str] = "Trends last: hold with the fast average's side of the slow one."

    class Params(ExitParams):
        """Windows, the kind of average, and whether to go short."""

        fast: int = Param(8, ge=1, le=2000, unit="bars", help="Window of the fast average.")
        slow: int = Param(21, ge=2, le=5000, unit="bars", help="Window of the slow average.")
        trend: int = Param(
            0, ge=0, le=10000, unit="bars",
            help="Third average that must agree (slow beyond it): 50 makes 8/21/50; 0: none.",
        )  # fmt: skip
        kind: Literal["sma", "ema", "wma", "dema", "tema", "kama"] = Param(
            "sma", help="Which moving average."
        )
        long_only: bool = Param(False, help="Stay flat instead of going short.")

        @model_validator(mode="after")
        def _ordered(self) -> Self:
            if self.fast >= self.slow:
                raise ValueError(f"fast is {self.fast}, expected less than slow ({self.slow})")
            if self.trend and self.trend <= self.slow:
                raise ValueError(f"trend is {self.trend}, expected 0 or more than slow")
            return self

    def warm_up_bars(self, params: Params) -> int:
        """Return the longest window; for averages that fade, until they have settled."""
        average = indicators.info(params.kind) if params.kind != "sma" else None
        windows = [params.slow, params.trend] if params.trend else [params.slow]
        return max(average.settled_bars(period=w) if average else w for w in windows)

    def target(self, bars: Bars, params: Params) -> FloatArray:
        """Return 1 while fast > slow (> trend), -1 or 0 while the other way round."""
        out = np.empty(len(bars))
        if _cross(bars, params, out, full=1, silent=np.nan):
            return out
        average = indicators.info(params.kind)
        fast = average(bars.close, period=params.fast)
        slow = average(bars.close, period=params.slow)
        rising, falling = fast > slow, fast < slow
        if params.trend:
            trend = average(bars.close, period=params.trend)
            rising, falling = rising & (slow > trend), falling & (slow < trend)
        wanted = direction(rising, falling, long_only=params.long_only)
        return after_warm_up(wanted, self.warm_up_bars(params))

    def target_e6(self, bars: Bars, params: Params) -> NDArray[np.int32] | None:
        """Return the same in millionths, without floats on the way."""
        out = np.empty(len(bars), dtype=np.int32)
        return out if _cross(bars, params, out, full=_MILLION, silent=NO_OPINION_E6) else None


def _cross(
    bars: Bars, params: MaCross.Params, out: NDArray[Any], *, full: int, silent: Any
) -> bool:
    """Fill `out`; say whether it holds: simple averages of prices whose sums compare exactly."""
    if params.kind != "sma" or bars.close_units is None or not len(bars):
        return False
    short = 0 if params.long_only else -full
    longest = max(params.slow, params.trend)
    out[: longest - 1] = silent
    loop = compiled_loop("cross_of_means")
    if (sums := _shared_sums(bars.close_units, 4 * longest)) is not None and loop is not None:
        quick = compiled_loop("cross_of_sums")
        assert quick is not None
        quick(sums, params.fast, params.slow, params.trend, short, full, out)
        return True
    if loop is not None:
        largest = loop(bars.close_units, params.fast, params.slow, params.trend, short, full, out)
    else:
        largest = int(bars.close_units.max())
        _cross_of_sums(bars, params, out, full=full, short=short)
    return (int(largest) + 1) * longest * longest < _BOUND


def _cross_of_sums(
    bars: Bars, params: MaCross.Params, out: NDArray[Any], *, full: int, short: int
) -> None:
    assert bars.close_units is not None
    fast = _sums(bars.close_units, params.fast)
    slow = _sums(bars.close_units, params.slow)
    first = max(params.slow, params.trend) - 1
    rising, falling = (
        fast * params.slow > slow * params.fast,
        fast * params.slow < slow * params.fast,
    )
    if params.trend:
        trend = _sums(bars.close_units, params.trend)
        rising &= slow * params.trend > trend * params.slow
        falling &= slow * params.trend < trend * params.slow
    out[first:] = np.where(rising, full, np.where(falling, short, 0))[first:]


def _shared_sums(units: IntArray, factor: int) -> FloatArray | None:
    """Return running sums of prices less the first, where crosses share them and they are exact."""

    def compute() -> tuple[FloatArray, FloatArray]:
        sums = np.zeros(len(units) + 1)
        np.cumsum(units - units[0], out=sums[1:])
        return sums, np.abs(sums).max(keepdims=True)

    held = lent("sums", (units,), parameters={}, compute=compute)
    if held is None or held[1][0] * factor >= _EXACT:
        return None
    return held[0]


def _sums(units: IntArray, window: int) -> IntArray:
    """Return the sum of the last `window` prices; rows before have the sum of what there is."""
    total = np.cumsum(units)
    out = total.copy()
    out[window:] -= total[:-window]
    return out

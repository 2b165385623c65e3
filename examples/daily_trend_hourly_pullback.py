"""Daily trend, hourly pullback: two time frames in one strategy, in one file.

Try it from this folder:

    openalpha strategy check daily_trend_hourly_pullback.py
    openalpha backtest daily_trend_hourly_pullback.py --instrument bybit_linear:BTCUSDT
"""

import numpy as np

from openalpha.strategy import Bars, ExitParams, Param, SignalStrategy
from openalpha.strategy import indicators as ta
from openalpha.strategy.signals import hold


class DailyTrendHourlyPullback(SignalStrategy):
    """Buy an hourly dip while the daily average rises, sell when the dip is over."""

    name = "daily_trend_hourly_pullback"
    idea = "Trends of weeks are interrupted for hours: buy the interruption, not the peak."

    class Params(ExitParams):
        """Windows of both time frames, and how large a position a calm market earns."""

        trend_days: int = Param(20, ge=2, le=200, unit="days", help="Window of the daily average.")
        dip_hours: int = Param(24, ge=4, le=500, unit="bars", help="Window of the hourly z-score.")
        dip_z: float = Param(-1.5, ge=-6, le=-0.1, help="Buy below this z-score.")
        calm_pct: float = Param(
            1.0, ge=0.05, le=20, unit="%", help="Full size at this volatility a bar, less above."
        )

    def warm_up_bars(self, params):
        """Return the longer window: one more day than the average, in hours."""
        return max((params.trend_days + 2) * 24, params.dip_hours)

    def target(self, bars: Bars, params):
        """Return the held size, decided at each hour's close."""
        # A daily bar counts only once its last hour has closed; align() sees to that.
        daily = bars.resample("1d")
        average = ta.sma(daily.bars.close, period=params.trend_days)
        rising = daily.align(np.diff(average, prepend=np.nan)) > 0

        stretch = ta.zscore(bars.close, period=params.dip_hours)
        volatility = ta.realised_volatility(bars.close, period=params.dip_hours)
        size = np.clip(params.calm_pct / 100 / volatility, 0.0, 1.0)

        # An event holds until the next one: a dip in a rising market opens, the mean closes.
        events = np.where((stretch > 0) | ~rising, 0.0, np.nan)
        dips = rising & (stretch < params.dip_z)
        events[dips] = np.round(size[dips], 2)
        return hold(events)

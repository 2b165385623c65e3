"""TA-Lib's indicators under our names: one row each, and the one function that calls them."""

from collections.abc import Iterator, Mapping
from functools import cache, partial
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np

from openalpha.core.errors import InputError
from openalpha.strategy.bars import FloatArray
from openalpha.strategy.indicators.registry import Indicator, Memory, Number

__all__ = ["talib_indicators"]

# How many of its longest period a fading memory needs until its start weighs below 1e-6.
_EMA = 7.0  # weights fall by exp(-2 / period) a bar
_WILDER = 14.0  # weights fall by exp(-1 / period) a bar
_CYCLE_BARS = 500  # Hilbert transform and parabolic SAR: no closed form, found by trial

_THEIRS = MappingProxyType(
    {
        "period": "timeperiod",
        "fast": "fastperiod",
        "slow": "slowperiod",
        "signal": "signalperiod",
        "up": "nbdevup",
        "down": "nbdevdn",
        "deviations": "nbdev",
        "volume_factor": "vfactor",
        "k": "fastk_period",
        "k_slow": "slowk_period",
        "d": "slowd_period",
        "d_fast": "fastd_period",
        "first": "timeperiod1",
        "second": "timeperiod2",
        "third": "timeperiod3",
    }
)


class _Row(NamedTuple):
    name: str
    function: str
    inputs: str
    parameters: Mapping[str, Number]
    help: str
    outputs: str = "value"
    fading: float = 0.0
    memory: Memory | None = None


_HLC, _OHLC, _HL = "high low close", "open high low close", "high low"
_P14, _P20, _P30 = {"period": 14}, {"period": 20}, {"period": 30}

_TREND = (
    _Row("sma", "SMA", "close", _P20, "Simple moving average."),
    _Row("ema", "EMA", "close", _P20, "Exponential moving average.", fading=_EMA),
    _Row("wma", "WMA", "close", _P20, "Linearly weighted moving average."),
    _Row("dema", "DEMA", "close", _P20, "Double exponential moving average.", fading=2 * _EMA),
    _Row("tema", "TEMA", "close", _P20, "Triple exponential moving average.", fading=3 * _EMA),
    _Row("trima", "TRIMA", "close", _P20, "Triangular moving average."),
    _Row("kama", "KAMA", "close", _P20, "Kaufman's adaptive moving average.", fading=60.0),
    _Row("t3", "T3", "close", {"period": 5, "volume_factor": 0.7}, "Tillson's T3.", fading=45.0),
    _Row("midpoint", "MIDPOINT", "close", _P14, "Middle of the highest and lowest close."),
    _Row("midprice", "MIDPRICE", _HL, _P14, "Middle of the highest high and lowest low."),
    _Row("parabolic_sar", "SAR", _HL, {"acceleration": 0.02, "maximum": 0.2},
         "Parabolic stop and reverse.", memory=Memory.FADING),
    _Row("hilbert_trendline", "HT_TRENDLINE", "close", {}, "Trend line without the cycle.",
         memory=Memory.FADING),
    _Row("linear_regression", "LINEARREG", "close", _P14, "End of the regression line."),
    _Row("linear_slope", "LINEARREG_SLOPE", "close", _P14, "Slope of the regression line, a bar."),
    _Row("linear_intercept", "LINEARREG_INTERCEPT", "close", _P14, "Start of that line."),
    _Row("linear_angle", "LINEARREG_ANGLE", "close", _P14, "Angle of that line, degrees."),
    _Row("time_series_forecast", "TSF", "close", _P14, "The regression line one bar on."),
)  # fmt: skip

_BANDS = (
    _Row("bollinger", "BBANDS", "close", {"period": 20, "up": 2.0, "down": 2.0},
         "Mean and bands at standard deviations.", "upper middle lower"),
    _Row("acceleration_bands", "ACCBANDS", _HLC, _P20, "Bands widened by the range.",
         "upper middle lower"),
    _Row("highest", "MAX", "close", _P20, "Highest of the last bars."),
    _Row("lowest", "MIN", "close", _P20, "Lowest of the last bars."),
)  # fmt: skip

_MOMENTUM = (
    _Row("rsi", "RSI", "close", _P14, "Relative strength index, 0 to 100.", fading=_WILDER),
    _Row("macd", "MACD", "close", {"fast": 12, "slow": 26, "signal": 9},
         "Difference of two EMAs, its signal line, their distance.", "macd signal histogram",
         fading=2 * _EMA),
    _Row("apo", "APO", "close", {"fast": 12, "slow": 26}, "Difference of two averages.",
         fading=_EMA),
    _Row("ppo", "PPO", "close", {"fast": 12, "slow": 26}, "The same in percent.", fading=_EMA),
    _Row("stochastic", "STOCH", _HLC, {"k": 5, "k_slow": 3, "d": 3},
         "Place of the close in the range, 0 to 100, smoothed.", "k d"),
    _Row("stochastic_fast", "STOCHF", _HLC, {"k": 5, "d_fast": 3}, "The same, not smoothed.",
         "k d"),
    _Row("stochastic_rsi", "STOCHRSI", "close", {"period": 14, "k": 5, "d_fast": 3},
         "Place of the RSI in its own range.", "k d", fading=_WILDER),
    _Row("cci", "CCI", _HLC, _P14, "Distance from the mean in mean deviations."),
    _Row("cmo", "CMO", "close", _P14, "Chande momentum, -100 to 100.", fading=_WILDER),
    _Row("momentum", "MOM", "close", {"period": 10}, "Change of price."),
    _Row("rate_of_change", "ROC", "close", {"period": 10}, "Change of price, percent."),
    _Row("trix", "TRIX", "close", {"period": 15}, "Change of a triple EMA, percent.",
         fading=3 * _EMA),
    _Row("ultimate_oscillator", "ULTOSC", _HLC, {"first": 7, "second": 14, "third": 28},
         "Buying pressure over three windows."),
    _Row("williams_r", "WILLR", _HLC, _P14, "Place of the close in the range, -100 to 0."),
    _Row("balance_of_power", "BOP", _OHLC, {}, "Body of the bar over its range."),
    _Row("intraday_momentum", "IMI", "open close", _P14, "Share of rising bodies, 0 to 100."),
)  # fmt: skip

_DIRECTION = (
    _Row("adx", "ADX", _HLC, _P14, "Strength of a trend, 0 to 100.", fading=2 * _WILDER),
    _Row("adxr", "ADXR", _HLC, _P14, "ADX averaged with itself earlier.", fading=2 * _WILDER),
    _Row("dx", "DX", _HLC, _P14, "ADX before smoothing.", fading=_WILDER),
    _Row("plus_di", "PLUS_DI", _HLC, _P14, "Upward movement, share.", fading=_WILDER),
    _Row("minus_di", "MINUS_DI", _HLC, _P14, "Downward movement, share.", fading=_WILDER),
    _Row("plus_dm", "PLUS_DM", _HL, _P14, "Upward movement, price.", fading=_WILDER),
    _Row("minus_dm", "MINUS_DM", _HL, _P14, "Downward movement, price.", fading=_WILDER),
    _Row("aroon", "AROON", _HL, _P14, "Bars since the low and the high, 0 to 100.", "down up"),
    _Row("aroon_oscillator", "AROONOSC", _HL, _P14, "Aroon up less down."),
)

_VOLUME = (
    _Row("money_flow_index", "MFI", "high low close volume", _P14, "RSI weighted by volume."),
    _Row("accumulation", "AD", "high low close volume", {}, "Accumulation line.",
         memory=Memory.ENDLESS),
    _Row("chaikin_oscillator", "ADOSC", "high low close volume", {"fast": 3, "slow": 10},
         "EMA difference of the accumulation line.", fading=_EMA),
    _Row("on_balance_volume", "OBV", "close volume", {}, "Volume added up by direction.",
         memory=Memory.ENDLESS),
)  # fmt: skip

_RANGE = (
    _Row("atr", "ATR", _HLC, _P14, "Average true range, price.", fading=_WILDER),
    _Row("natr", "NATR", _HLC, _P14, "Average true range, percent of price.", fading=_WILDER),
    _Row("true_range", "TRANGE", _HLC, {}, "Range including the gap from the last close."),
    _Row("standard_deviation", "STDDEV", "close", {"period": 20, "deviations": 1.0},
         "Standard deviation, ddof 0."),
    _Row("variance", "VAR", "close", _P20, "Variance, ddof 0."),
    _Row("average_deviation", "AVGDEV", "close", _P20, "Mean absolute deviation."),
)  # fmt: skip

_PRICE = (
    _Row("average_price", "AVGPRICE", _OHLC, {}, "Mean of open, high, low, close."),
    _Row("median_price", "MEDPRICE", _HL, {}, "Mean of high and low."),
    _Row("typical_price", "TYPPRICE", _HLC, {}, "Mean of high, low, close."),
    _Row("weighted_close", "WCLPRICE", _HLC, {}, "The same, the close counted twice."),
)

_CYCLE = (
    _Row("cycle_period", "HT_DCPERIOD", "close", {}, "Length of the dominant cycle, bars.",
         memory=Memory.FADING),
    _Row("cycle_phase", "HT_DCPHASE", "close", {}, "Phase of that cycle, degrees.",
         memory=Memory.FADING),
    _Row("cycle_sine", "HT_SINE", "close", {}, "Sine of that phase, and 45 degrees ahead.",
         "sine lead", memory=Memory.FADING),
    _Row("trend_mode", "HT_TRENDMODE", "close", {}, "1 in a trend, 0 in a cycle.",
         memory=Memory.FADING),
)  # fmt: skip

_CANDLES = tuple(
    _Row(f"candle_{name}", f"CDL{function}", _OHLC, {}, f"{words}: 1 bullish, -1 bearish, 0 none.")
    for name, function, words in (
        ("doji", "DOJI", "Open and close alike"),
        ("engulfing", "ENGULFING", "Body around the last body"),
        ("hammer", "HAMMER", "Small body above a long shadow"),
        ("shooting_star", "SHOOTINGSTAR", "Small body below a long shadow"),
        ("morning_star", "MORNINGSTAR", "Turn upward in three bars"),
        ("evening_star", "EVENINGSTAR", "Turn downward in three bars"),
        ("harami", "HARAMI", "Body inside the last body"),
        ("three_soldiers", "3WHITESOLDIERS", "Three rising bars"),
        ("three_crows", "3BLACKCROWS", "Three falling bars"),
    )
)

_GROUPS = {
    "trend": _TREND,
    "bands": _BANDS,
    "momentum": _MOMENTUM,
    "direction": _DIRECTION,
    "volume": _VOLUME,
    "range": _RANGE,
    "price": _PRICE,
    "cycle": _CYCLE,
    "candles": _CANDLES,
}


def talib_indicators() -> Iterator[Indicator]:
    """Yield every indicator of the table; TA-Lib itself is loaded when one is first used."""
    for group, rows in _GROUPS.items():
        for row in rows:
            yield _indicator(group, row)


def _indicator(group: str, row: _Row) -> Indicator:
    memory = row.memory or (Memory.FADING if row.fading else Memory.WINDOW)
    return Indicator(
        name=row.name,
        group=group,
        help=row.help,
        inputs=tuple(row.inputs.split()),
        outputs=tuple(row.outputs.split()),
        function=partial(_call, row),
        warm_up=partial(_warm_up, row),
        settle=partial(_settle, row),
        memory=memory,
        parameters=MappingProxyType(dict(row.parameters)),
    )


def _call(row: _Row, *columns: FloatArray, **parameters: Number) -> tuple[FloatArray, ...]:
    import talib

    theirs = {_THEIRS.get(name, name): value for name, value in parameters.items()}
    try:
        result: Any = getattr(talib, row.function)(*columns, **theirs)
    except Exception as error:  # noqa: BLE001 - TA-Lib raises bare exceptions
        # The columns were checked before: only a parameter can be refused here.
        given = ", ".join(f"{name}={value}" for name, value in parameters.items())
        raise InputError(f"indicator {row.name} refuses {given}: {_reason(error)}") from None
    results = result if isinstance(result, tuple | list) else (result,)
    prefix = _lookback(row.function, tuple(sorted(theirs.items())))
    return tuple(_as_float(values, prefix, row.function) for values in results)


def _reason(error: Exception) -> str:
    return "out of range" if "BAD_PARAM" in str(error) else str(error).splitlines()[0]


def _as_float(values: Any, prefix: int, function: str) -> FloatArray:
    if values.dtype == np.float64:
        out: FloatArray = values
        return out
    # Patterns come as whole hundreds, and zero where there is not history enough.
    floats = values.astype(np.float64)
    if function.startswith("CDL"):
        floats /= 100.0
    floats[:prefix] = np.nan
    return np.asarray(floats)


@cache
def _lookback(function: str, theirs: tuple[tuple[str, Number], ...]) -> int:
    import talib.abstract

    described: Any = talib.abstract.__dict__["Function"](function)
    described.parameters = dict(theirs)
    return int(described.lookback)


def _warm_up(row: _Row, parameters: Mapping[str, Number]) -> int:
    theirs = {_THEIRS.get(name, name): value for name, value in parameters.items()}
    return _lookback(row.function, tuple(sorted(theirs.items()))) + 1


def _settle(row: _Row, parameters: Mapping[str, Number]) -> int:
    ready = _warm_up(row, parameters)
    if row.fading:
        periods = [value for value in parameters.values() if isinstance(value, int)]
        return ready + round(row.fading * max(periods, default=1))
    return ready + (_CYCLE_BARS if row.memory is Memory.FADING else 0)

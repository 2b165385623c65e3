"""Indicators of our own: volatility, volume, quotes, funding, other markets, regimes, sessions."""

import math
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType

import numpy as np

from openalpha.strategy.bars import FloatArray
from openalpha.strategy.indicators.funding import (
    basis,
    basis_zscore,
    funding_mean,
    funding_sum,
    funding_zscore,
    last_funding,
)
from openalpha.strategy.indicators.registry import Indicator, Memory, Missing, Number
from openalpha.strategy.indicators.rolling import (
    change,
    ratio,
    rolling_cov,
    rolling_max,
    rolling_mean,
    rolling_min,
    rolling_std,
    rolling_sum,
)
from openalpha.strategy.indicators.session import (
    day_of_week,
    day_return,
    day_vwap,
    sessions,
    time_of_day,
)

__all__ = [
    "cross_beta",
    "cross_correlation",
    "donchian",
    "drawdown",
    "efficiency",
    "garman_klass",
    "hurst",
    "imbalance",
    "log_return",
    "microprice",
    "momentum_ratio",
    "own_indicators",
    "parkinson",
    "realised_volatility",
    "rogers_satchell",
    "signed_volume",
    "spread_bps",
    "volume_zscore",
    "vwap",
    "zscore",
]

Columns = tuple[FloatArray, ...]


def _log_returns(close: FloatArray) -> FloatArray:
    returns = change(np.log(close))
    returns[:1] = 0.0
    return returns


def _after(values: FloatArray, first_row: int) -> FloatArray:
    values[:first_row] = np.nan
    return values


def log_return(*, close: FloatArray, period: int) -> Columns:
    """Log return over `period` bars."""
    return (change(np.log(close), period),)


def realised_volatility(*, close: FloatArray, period: int) -> Columns:
    """Root mean square of the last `period` log returns, a bar."""
    squared = _log_returns(close) ** 2
    return (_after(np.sqrt(np.maximum(rolling_mean(squared, period), 0.0)), period),)


def parkinson(*, high: FloatArray, low: FloatArray, period: int) -> Columns:
    """Parkinson (1980): volatility a bar from ranges, sqrt(mean(ln(H/L)^2) / (4 ln 2))."""
    squared = np.log(high / low) ** 2
    mean = np.maximum(rolling_mean(squared, period), 0.0)
    return (np.sqrt(mean / (4 * math.log(2))),)


def garman_klass(
    *, open: FloatArray, high: FloatArray, low: FloatArray, close: FloatArray, period: int
) -> Columns:
    """Garman and Klass (1980): mean of ln(H/L)^2 / 2 - (2 ln 2 - 1) ln(C/O)^2, its root."""
    terms = np.log(high / low) ** 2 / 2 - (2 * math.log(2) - 1) * np.log(close / open) ** 2
    return (np.sqrt(np.maximum(rolling_mean(terms, period), 0.0)),)


def rogers_satchell(
    *, open: FloatArray, high: FloatArray, low: FloatArray, close: FloatArray, period: int
) -> Columns:
    """Rogers and Satchell (1991): as above, unbiased under a drift."""
    up = np.log(high / close) * np.log(high / open)
    down = np.log(low / close) * np.log(low / open)
    return (np.sqrt(np.maximum(rolling_mean(up + down, period), 0.0)),)


def zscore(*, close: FloatArray, period: int) -> Columns:
    """Distance from the mean of the last `period` rows in their standard deviations."""
    return (_deviations(close, period),)


def volume_zscore(*, volume: FloatArray, period: int) -> Columns:
    """Volume distance from its mean over `period` bars, in standard deviations."""
    return (_deviations(volume, period),)


def _deviations(values: FloatArray, period: int) -> FloatArray:
    distance = values - rolling_mean(values, period)
    return ratio(distance, rolling_std(values, period), empty=0.0)


def signed_volume(*, close: FloatArray, volume: FloatArray, period: int) -> Columns:
    """Volume signed by the bar's direction, and its share of all volume over `period` bars."""
    signed = volume * np.sign(change(close))
    signed[:1] = 0.0
    share = ratio(rolling_sum(signed, period), rolling_sum(volume, period), empty=0.0)
    return _after(share, period), _after(signed, period)


def vwap(
    *, high: FloatArray, low: FloatArray, close: FloatArray, volume: FloatArray, period: int
) -> Columns:
    """Mean of the typical price weighted by volume; without volume, the plain mean."""
    typical = (high + low + close) / 3
    weighted = ratio(rolling_sum(typical * volume, period), rolling_sum(volume, period))
    plain = rolling_mean(typical, period)
    return (np.where(rolling_max(volume, period) == 0, plain, weighted),)


def donchian(*, high: FloatArray, low: FloatArray, period: int) -> Columns:
    """Highest high, lowest low and their middle over `period` bars."""
    upper, lower = rolling_max(high, period), rolling_min(low, period)
    return upper, (upper + lower) / 2, lower


def drawdown(*, close: FloatArray, period: int) -> Columns:
    """Distance below the highest close of `period` bars, a fraction of it, 0 or more."""
    return (1.0 - close / rolling_max(close, period),)


def spread_bps(*, bid: FloatArray, ask: FloatArray) -> Columns:
    """Quoted spread in basis points of the mid price."""
    return ((ask - bid) / ((ask + bid) / 2) * 1e4,)


def imbalance(*, bid_size: FloatArray, ask_size: FloatArray) -> Columns:
    """Weight of the bid side, -1 to 1; 0 for an empty book."""
    return (ratio(bid_size - ask_size, bid_size + ask_size, empty=0.0),)


def microprice(
    *, bid: FloatArray, ask: FloatArray, bid_size: FloatArray, ask_size: FloatArray
) -> Columns:
    """Mid price leaning to the side with less size; the mid where both are empty."""
    total = bid_size + ask_size
    weighted = ratio(bid * ask_size + ask * bid_size, total)
    return (np.where(total == 0, (bid + ask) / 2, weighted),)


def cross_beta(*, close: FloatArray, other: FloatArray, period: int) -> Columns:
    """Slope of this market's log returns on the other's over `period` returns."""
    own, its = _log_returns(close), _log_returns(other)
    spread = rolling_cov(its, its, period=period)
    return (_after(ratio(rolling_cov(own, its, period=period), np.maximum(spread, 0.0)), period),)


def cross_correlation(*, close: FloatArray, other: FloatArray, period: int) -> Columns:
    """Correlation of both markets' log returns over `period` returns; 0 if one stands still."""
    own, its = _log_returns(close), _log_returns(other)
    spread = rolling_cov(own, own, period=period) * rolling_cov(its, its, period=period)
    scale = np.sqrt(np.maximum(spread, 0.0))
    found = ratio(rolling_cov(own, its, period=period), scale, empty=0.0)
    return (_after(np.clip(found, -1.0, 1.0), period),)


def efficiency(*, close: FloatArray, period: int) -> Columns:
    """Kaufman's efficiency: distance travelled over the way walked, 0 (noise) to 1 (trend)."""
    steps = np.abs(change(close))
    steps[:1] = 0.0
    distance = np.abs(change(close, period))
    return (_after(ratio(distance, rolling_sum(steps, period), empty=0.0), period),)


def hurst(*, close: FloatArray, period: int) -> Columns:
    """Hurst exponent over `period` closes: slope of log spread on log lag.

    The spread at a lag is the standard deviation of log-price changes over that lag; .5 is a
    random walk, more a trend, less a return to the mean. Lags 1, 2, 4 ... up to period / 4.
    """
    prices = np.log(close)
    lags = [2**step for step in range(32) if 2**step <= max(period // 4, 2)]
    logs = np.log(np.array(lags, dtype=np.float64))
    weights = (logs - logs.mean()) / ((logs - logs.mean()) ** 2).sum()
    slope = np.zeros(len(close))
    for lag, weight in zip(lags, weights, strict=True):
        steps = change(prices, lag)
        steps[:lag] = 0.0
        spread = rolling_std(steps, period - lag)
        still = spread <= 0
        slope += weight * np.where(still, np.nan, np.log(np.where(still, 1.0, spread)))
    return (_after(slope, period - 1),)


def momentum_ratio(*, close: FloatArray, period: int) -> Columns:
    """Return over `period` bars divided by what its own volatility would explain."""
    (moved,) = log_return(close=close, period=period)
    (spread,) = realised_volatility(close=close, period=period)
    return (ratio(moved, spread * math.sqrt(period), empty=0.0),)


def own_indicators() -> Iterator[Indicator]:
    """Yield every indicator of this file and of the funding and session files."""
    close, other, volume = ("close",), ("close", "other"), ("volume",)
    hlc, ohlc = ("high", "low", "close"), ("open", "high", "low", "close")
    quotes = ("bid", "ask", "bid_size", "ask_size")
    yield _make("log_return", "momentum", log_return, close, 1, lead=1)
    yield _make("momentum_ratio", "momentum", momentum_ratio, close, 48, lead=1)
    yield _make("realised_volatility", "range", realised_volatility, close, 48, lead=1)
    yield _make("parkinson", "range", parkinson, ("high", "low"), 48)
    yield _make("garman_klass", "range", garman_klass, ohlc, 48)
    yield _make("rogers_satchell", "range", rogers_satchell, ohlc, 48)
    yield _make("drawdown", "range", drawdown, close, 100)
    yield _make("donchian", "bands", donchian, ("high", "low"), 20, "upper middle lower")
    yield _make("zscore", "bands", zscore, close, 20)
    yield _make("volume_zscore", "volume", volume_zscore, volume, 20)
    yield _make(
        "signed_volume", "volume", signed_volume, (*close, *volume), 20, "share signed", lead=1
    )
    yield _make("vwap", "volume", vwap, (*hlc, *volume), 20)
    yield _make("spread_bps", "quotes", spread_bps, quotes[:2])
    yield _make("imbalance", "quotes", imbalance, quotes[2:])
    yield _make("microprice", "quotes", microprice, quotes)
    yield _make("cross_beta", "other markets", cross_beta, other, 96, lead=1)
    yield _make("cross_correlation", "other markets", cross_correlation, other, 96, lead=1)
    yield _make("basis", "funding", basis, other)
    yield _make("basis_zscore", "funding", basis_zscore, other, 96)
    yield _make("efficiency", "regime", efficiency, close, 20, lead=1)
    yield _make("hurst", "regime", hurst, close, 128)
    yield _make("funding_sum", "funding", funding_sum, ("funding_rate",), 72, missing=Missing.MEANT)
    yield from _of_settlements()
    yield from _of_sessions()


def _of_settlements() -> Iterator[Indicator]:
    functions: tuple[tuple[str, Callable[..., Columns], Mapping[str, Number]], ...] = (
        ("last_funding", last_funding, {}),
        ("funding_mean", funding_mean, {"settlements": 9}),
        ("funding_zscore", funding_zscore, {"settlements": 90}),
    )
    for name, function, parameters in functions:
        yield _free(name, "funding", function, ("funding_rate",), parameters, Missing.MEANT)


def _of_sessions() -> Iterator[Indicator]:
    stamps = ("ts_ms",)
    yield _make("time_of_day", "session", time_of_day, stamps, outputs="sine cosine")
    yield _make("day_of_week", "session", day_of_week, stamps, outputs="sine cosine")
    yield _make("sessions", "session", sessions, stamps, outputs="asia europe america")
    day = ("ts_ms", "open", "close")
    yield _free("day_return", "session", day_return, day, {})
    yield _free("day_vwap", "session", day_vwap, ("ts_ms", "high", "low", "close", "volume"), {})


def _make(
    name: str,
    group: str,
    function: Callable[..., Columns],
    inputs: tuple[str, ...],
    period: int = 0,
    outputs: str = "value",
    *,
    lead: int = 0,
    missing: Missing = Missing.SKIPPED,
) -> Indicator:
    """Describe a function of a window: `lead` is what it needs beyond `period` bars."""

    def warm_up(parameters: Mapping[str, Number]) -> int:
        return int(parameters.get("period", 1)) + lead

    return Indicator(
        name=name,
        group=group,
        help=_first_line(function),
        inputs=inputs,
        outputs=tuple(outputs.split()),
        function=_by_name(function, inputs),
        warm_up=warm_up,
        settle=warm_up,
        missing=missing,
        parameters=MappingProxyType({"period": period} if period else {}),
    )


def _free(
    name: str,
    group: str,
    function: Callable[..., Columns],
    inputs: tuple[str, ...],
    parameters: Mapping[str, Number],
    missing: Missing = Missing.SKIPPED,
) -> Indicator:
    """Describe a function whose warm-up depends on the data."""
    return Indicator(
        name=name,
        group=group,
        help=_first_line(function),
        inputs=inputs,
        outputs=("value",),
        function=_by_name(function, inputs),
        warm_up=None,
        settle=lambda _: 1,
        memory=Memory.WINDOW,
        missing=missing,
        parameters=MappingProxyType(dict(parameters)),
    )


def _by_name(function: Callable[..., Columns], inputs: tuple[str, ...]) -> Callable[..., Columns]:
    """Return the function taking its columns in the order of the inputs."""

    def call(*columns: FloatArray, **parameters: Number) -> Columns:
        return function(**dict(zip(inputs, columns, strict=True)), **parameters)

    return call


def _first_line(function: Callable[..., Columns]) -> str:
    return (function.__doc__ or "").splitlines()[0]

"""What the days of a run of a batch come to: daily returns, and every figure that rests on them."""

import math

import numpy as np
from numpy.typing import NDArray

from openalpha.engine.compiled.yardstick import Yardstick, over
from openalpha.venue.kernel._compile import compiled, entry, inlined

__all__ = ["DAY_FIGURES", "day_figures"]

Floats = NDArray[np.float64]

NAN = float("nan")
FLAT = 1e-12
DAYS_A_YEAR = 365.0
ROOT = math.sqrt(DAYS_A_YEAR)

DAY_FIGURES = (
    "final_equity", "net_profit", "total_return", "cagr", "years", "mean_daily_return", "best_day",
    "worst_day", "best_month", "worst_month", "positive_day_share", "positive_month_share",
    "volatility_annual", "sharpe", "sharpe_error", "sortino", "calmar", "omega",
    "max_drawdown_days", "recovery_days", "ulcer", "var_95", "es_95", "tail_ratio", "skew",
    "kurtosis", "benchmark_return", "excess_return", "benchmark_sharpe", "benchmark_max_drawdown",
    "beta", "alpha_annual", "correlation", "information_ratio",
)  # fmt: skip
"""What `day_figures` writes, in order."""


@entry
def day_figures(
    y: Yardstick, deepest: float, days: Floats, kept: NDArray[np.float32], out: Floats
) -> None:  # fmt: skip
    """Measure a finished run by UTC days.

    Parameters
    ----------
    y : Yardstick
    deepest : float
        The run's deepest drawdown at bar closes.
    days : float64[3, k]
        Equity at the end of each day in coins; scratch for returns, and for returns sorted.
    kept : float32[k]
        The daily returns, as the trial ledger keeps them.
    out : float64[34]
        Written as `DAY_FIGURES`.
    """
    capital, k = y.facts[0], y.day_row.shape[0]
    before = capital
    for i in range(k):
        now = days[0, i]
        share = (now - before) / before if before > 0.0 else 0.0
        days[1, i] = share
        kept[i] = np.float32(share)
        before = now
    final = days[0, k - 1]
    out[0], out[1], out[2] = final, final - capital, final / capital - 1.0
    growth = (max(final, 0.0) / capital) ** (1.0 / y.facts[1]) if y.facts[3] != 0.0 else NAN
    out[3] = growth - 1.0 if growth < math.inf else NAN
    out[4] = y.facts[1]
    _months(y, days[1], out)
    _spread(days[1], days[2], out)
    _falls(days[0], capital, out)
    out[16] = over(out[3], deepest)
    _sort(days[2])
    _tails(days[2], out)
    _against(y, days[1], out)


@compiled
def _months(y: Yardstick, r: Floats, out: Floats) -> None:
    """Write mean, best and worst day, and the same of calendar months."""
    k = r.shape[0]
    total, best, worst, gained = 0.0, r[0], r[0], 0
    months, up, top, low, grown = 0, 0, -math.inf, math.inf, 1.0
    for i in range(k):
        total += r[i]
        best, worst = max(best, r[i]), min(worst, r[i])
        gained += r[i] > 0.0
        grown *= 1.0 + r[i]
        if i + 1 == k or y.month[i + 1] != y.month[i]:
            top, low = max(top, grown - 1.0), min(low, grown - 1.0)
            up += grown - 1.0 > 0.0
            months += 1
            grown = 1.0
    out[5], out[6], out[7] = total / k, best, worst
    out[8], out[9] = top, low
    out[10], out[11] = gained / k, up / months


@compiled
def _spread(r: Floats, copy: Floats, out: Floats) -> None:
    """Write volatility, Sharpe ratio and its error, Sortino, omega, skew and kurtosis."""
    k, mean = r.shape[0], out[5]
    second = third = fourth = fallen = gains = losses = 0.0
    for i in range(k):
        copy[i] = r[i]
        away = r[i] - mean
        second += away * away
        third += away * away * away
        fourth += away * away * away * away
        if r[i] < 0.0:
            fallen += r[i] * r[i]
            losses -= r[i]
        else:
            gains += r[i]
    for place in (12, 13, 14, 15, 17, 24, 25):
        out[place] = NAN
    if k < 2:
        return
    deviation = math.sqrt(second / (k - 1))
    down = math.sqrt(fallen / k)
    if second / k > FLAT * FLAT:
        out[24] = third / k / (second / k) ** 1.5
        out[25] = fourth / k / (second / k) ** 2
    per_day = mean / deviation if deviation > FLAT else NAN
    variance = (1.0 - out[24] * per_day + (out[25] - 1.0) / 4.0 * per_day * per_day) / (k - 1)
    out[12] = deviation * ROOT
    out[13] = per_day * ROOT
    out[14] = math.sqrt(variance) * ROOT if variance >= 0.0 else NAN
    out[15] = mean * ROOT / down if down > FLAT else NAN
    out[17] = over(gains, losses)


@compiled
def _falls(closes: Floats, capital: float, out: Floats) -> None:
    """Write the longest drawdown, the recovery of the deepest, and the ulcer index."""
    k = closes.shape[0]
    peak, last, longest, squares = capital, -1, 1, 0.0
    deepest, trough, level = 0.0, -1, capital
    for i in range(k):
        peak = max(peak, closes[i])
        fall = min(max(1.0 - closes[i] / peak, 0.0), 1.0)
        squares += fall * fall
        if fall == 0.0:
            longest = max(longest, i - last)
            last = i
        elif fall > deepest:
            deepest, trough, level = fall, i, peak
    recovery = NAN
    if trough >= 0:
        for i in range(trough, k):
            if closes[i] >= level:
                recovery = float(i - trough)
                break
    out[18] = float(max(longest if longest > 1 else 0, k - 1 - last))
    out[19] = recovery
    out[20] = math.sqrt(squares / k)


@compiled
def _sort(values: Floats) -> None:
    """Sort in place (heap sort: no memory of its own)."""
    n = values.shape[0]
    for start in range(n // 2 - 1, -1, -1):
        _sift(values, start, n)
    for stop in range(n - 1, 0, -1):
        values[0], values[stop] = values[stop], values[0]
        _sift(values, 0, stop)


@compiled
def _sift(values: Floats, start: int, stop: int) -> None:
    root, moved = start, values[start]
    while 2 * root + 1 < stop:
        child = 2 * root + 1
        if child + 1 < stop and values[child] < values[child + 1]:
            child += 1
        if values[child] <= moved:
            break
        values[root] = values[child]
        root = child
    values[root] = moved


@inlined
def _quantile(ordered: Floats, share: float) -> float:
    place = share * (ordered.shape[0] - 1)
    below = int(place)
    above = min(below + 1, ordered.shape[0] - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (place - below)


@compiled
def _tails(ordered: Floats, out: Floats) -> None:
    """Write value at risk, expected shortfall and the tail ratio."""
    k = ordered.shape[0]
    if k < 2:
        out[21] = out[22] = out[23] = NAN
        return
    low, high = _quantile(ordered, 0.05), _quantile(ordered, 0.95)
    worst = int(0.05 * (k - 1)) + 1
    total = 0.0
    for i in range(worst):
        total += ordered[i]
    out[21], out[22] = -low, -total / worst
    out[23] = over(abs(high), abs(low))


@compiled
def _against(y: Yardstick, r: Floats, out: Floats) -> None:
    """Write the figures against the benchmark."""
    for place in range(26, 34):
        out[place] = NAN
    k = r.shape[0]
    if y.theirs.shape[0] != k:
        return
    out[26], out[28], out[29] = y.facts[4], y.facts[5], y.facts[6]
    out[27] = out[2] - y.facts[4]
    if k < 2:
        return
    ours, theirs = out[5], 0.0
    for i in range(k):
        theirs += y.theirs[i]
    theirs /= k
    own = both = other = apart = 0.0
    for i in range(k):
        a, b = r[i] - ours, y.theirs[i] - theirs
        own += a * a
        both += a * b
        other += b * b
        apart += (a - b) * (a - b)
    if math.sqrt(other / k) <= FLAT:
        return
    out[30] = both / other
    out[31] = DAYS_A_YEAR * (ours - out[30] * theirs)
    out[32] = over(both, math.sqrt(own * other))
    spread = math.sqrt(apart / (k - 1))
    out[33] = (ours - theirs) / spread * ROOT if spread > FLAT else NAN

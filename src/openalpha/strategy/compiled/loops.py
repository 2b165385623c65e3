"""The loops worth compiling: plain Python over integer arrays, no import beside the ones below."""

from typing import Any

__all__ = ["cross_of_means"]


def cross_of_means(
    units: Any, fast: int, slow: int, trend: int, short_value: int, full_value: int, out: Any
) -> None:
    """Fill `out` with the targets of a moving-average cross, in one pass over integer prices.

    Sums of whole units are exact, so a row depends on its own window only and means are compared
    without division: mean_fast > mean_slow is sum_fast × slow > sum_slow × fast.

    Parameters
    ----------
    units : int64[n]
        Prices in price units; largest × the product of two windows below 2^63.
    fast, slow, trend : int
        Windows in bars; trend 0: none.
    short_value, full_value : int
        What to write when the order of the means is falling, and when it is rising.
    out : int32[n] or float64[n]
        Written from the first row all windows cover; rows before keep what they hold.
    """
    rows = units.shape[0]
    sum_fast = 0
    sum_slow = 0
    sum_trend = 0
    ready = max(fast, slow, trend)
    for row in range(rows):
        price = units[row]
        sum_fast += price
        sum_slow += price
        if row >= fast:
            sum_fast -= units[row - fast]
        if row >= slow:
            sum_slow -= units[row - slow]
        if trend > 0:
            sum_trend += price
            if row >= trend:
                sum_trend -= units[row - trend]
        if row < ready - 1:
            continue
        rising = sum_fast * slow > sum_slow * fast
        falling = sum_fast * slow < sum_slow * fast
        if trend > 0:
            rising = rising and sum_slow * trend > sum_trend * slow
            falling = falling and sum_slow * trend < sum_trend * slow
        if rising:
            out[row] = full_value
        elif falling:
            out[row] = short_value
        else:
            out[row] = 0

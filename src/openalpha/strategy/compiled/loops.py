"""The loops worth compiling: plain Python over integer arrays, no import beside the ones below."""

from typing import Any

__all__ = ["cross_of_means", "cross_of_sums"]


def cross_of_means(
    units: Any, fast: int, slow: int, trend: int, short_value: int, full_value: int, out: Any
) -> int:
    """Fill `out` with the targets of a moving-average cross, in one pass over integer prices.

    Sums of whole units are exact, so a row depends on its own window only and means are compared
    without division: mean_fast > mean_slow is sum_fast × slow > sum_slow × fast.

    Parameters
    ----------
    units : int64[n]
        Prices in price units, above 0.
    fast, slow, trend : int
        Windows in bars, fast < slow < trend; trend 0: none.
    short_value, full_value : int
        What to write when the order of the means is falling, and when it is rising.
    out : int32[n] or float64[n]
        Written from the first row all windows cover; rows before keep what they hold.

    Returns
    -------
    int
        The largest price. What was written holds only if it times the product of two windows is
        below 2^63.
    """
    rows = units.shape[0]
    largest = 0
    sum_fast = 0
    sum_slow = 0
    sum_trend = 0
    ready = max(slow, trend)
    for row in range(min(ready, rows)):
        price = units[row]
        largest = max(largest, price)
        sum_trend += price
        if row >= ready - slow:
            sum_slow += price
        if row >= ready - fast:
            sum_fast += price
    if rows < ready:
        return largest
    # The averages in pairs: how far the first is beyond the second, times both windows.
    near = sum_fast * slow - sum_slow * fast
    far = sum_slow * trend - sum_trend * slow
    one = full_value if near > 0 else (short_value if near < 0 else 0)
    two = full_value if far > 0 else (short_value if far < 0 else 0)
    out[ready - 1] = one if trend == 0 or one == two else 0
    newest, into = units[ready:], out[ready:]
    left_fast, left_slow = units[ready - fast : rows - fast], units[ready - slow : rows - slow]
    rest = slow - fast
    if trend == 0:
        for row in range(newest.shape[0]):
            price = newest[row]
            largest = max(largest, price)
            near += rest * price - slow * left_fast[row] + fast * left_slow[row]
            into[row] = full_value if near > 0 else (short_value if near < 0 else 0)
        return largest
    left_trend = units[: rows - ready]
    for row in range(newest.shape[0]):
        price = newest[row]
        largest = max(largest, price)
        near += rest * price - slow * left_fast[row] + fast * left_slow[row]
        far += (trend - slow) * price - trend * left_slow[row] + slow * left_trend[row]
        one = full_value if near > 0 else (short_value if near < 0 else 0)
        two = full_value if far > 0 else (short_value if far < 0 else 0)
        into[row] = one if one == two else 0
    return largest


def cross_of_sums(
    sums: Any, fast: int, slow: int, trend: int, short_value: int, full_value: int, out: Any
) -> None:
    """Do as `cross_of_means` from running sums, which many crosses of one series share.

    No row waits for the one before it: several are compared at once.

    Parameters
    ----------
    sums : float64[n + 1]
        Of the prices less any one price, whole and exact: their largest times four of the longest
        window must be below 2^53.
    """
    ready = max(slow, trend)
    into = out[ready - 1 :]
    newest, left_fast, left_slow = sums[ready:], sums[ready - fast :], sums[ready - slow :]
    if trend == 0:
        for row in range(into.shape[0]):
            of_fast, of_slow = newest[row] - left_fast[row], newest[row] - left_slow[row]
            near = of_fast * slow - of_slow * fast
            into[row] = full_value if near > 0 else (short_value if near < 0 else 0)
        return
    for row in range(into.shape[0]):
        of_fast, of_slow = newest[row] - left_fast[row], newest[row] - left_slow[row]
        near = of_fast * slow - of_slow * fast
        far = of_slow * trend - (newest[row] - sums[row]) * slow
        one = full_value if near > 0 else (short_value if near < 0 else 0)
        two = full_value if far > 0 else (short_value if far < 0 else 0)
        into[row] = one if one == two else 0

"""What runs of a batch are measured by, and the names of what is summed up on the way."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from openalpha.venue.kernel._compile import inlined
from openalpha.venue.kernel.layout import I64

Floats = NDArray[np.float64]

BLOCK = 16
"""Rows whose lowest and highest close are known beforehand."""

SUMS = (
    "exposed", "exposure", "most", "peak", "trough", "deepest", "traded", "resting", "fees",
    "funding", "spread", "impact", "liquidation", "trips", "wins", "losses", "gain", "loss", "pnl",
    "notional", "hours", "longest", "best", "worst", "best_return", "worst_return", "wins_now",
    "losses_now", "wins_most", "losses_most", "longs", "row", "seen_ms", "day", "money", "qty",
    "cost",
)  # fmt: skip
(
    EXPOSED, EXPOSURE, MOST, PEAK, TROUGH, DEEPEST, TRADED, RESTING, FEES,
    FUNDED, SPREAD, IMPACT, LIQUIDATED, TRIPS, WINS, LOSSES, GAIN, LOSS, PNL,
    NOTIONAL, HOURS, LONGEST, BEST, WORST, BEST_RETURN, WORST_RETURN, WINS_NOW,
    LOSSES_NOW, WINS_MOST, LOSSES_MOST, LONGS, ROW, SEEN, DAY, MONEY, HELD_QTY,
    COST,
) = range(len(SUMS))  # fmt: skip
"""Equity, its peak, its trough, money and cost are in cash units; a whole number below 2^53."""

TRIP = ("held", "sign", "since_ms", "notional", "gross", "fees", "funding")
HELD, SIGN, SINCE, T_NOTIONAL, T_GROSS, T_FEES, T_FUNDING = range(len(TRIP))
"""Columns of the round trip an instrument is in: float64, exact for quantities below 2^53."""

PRICE, QTY, MULTIPLIER, IS_INVERSE, LOT, CASH, HAS_COST = range(7)


class Yardstick(NamedTuple):
    """What all runs of a batch are measured by.

    ts : int64[n]; closes : float64[n_inst, n] in whole price units; lows, highs : float64[n / 16
    or 0] of the closes of 16 rows each, where one position is marked with them; terms :
    float64[n_inst, 7] of 10^d, 10^q, multiplier, whether inverse, smallest lot, cash units of a
    value unit, whether a position has a cost (spot has its worth); coin : float64[n_coins] of
    10^c; day_row : int64[k] row of the last bar closed in each UTC day, -1 for none; month :
    int64[k]; theirs : float64[k] the benchmark's daily returns (of no rows without one); facts :
    float64[8] of capital, years, timeframe_ms, whether a day long, the benchmark's return, Sharpe
    ratio and deepest drawdown, whether the stamps have no gap
    """

    ts: I64
    closes: Floats
    lows: Floats
    highs: Floats
    terms: Floats
    coin: Floats
    day_row: I64
    month: I64
    theirs: Floats
    facts: Floats


@inlined
def over(part: float, whole: float) -> float:
    """Return a quotient, NaN where there is nothing to divide by."""
    return part / whole if whole != 0.0 else float("nan")

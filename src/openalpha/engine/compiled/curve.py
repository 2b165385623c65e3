"""The equity curve: what an account is worth at the closes of rows in which nothing happens."""

import numpy as np
from numpy.typing import NDArray

from openalpha.venue.kernel._compile import compiled
from openalpha.venue.kernel.account import ACCOUNT, acct_at, inst_at, leg_at, value
from openalpha.venue.kernel.layout import (
    AC_BALANCES,
    B_CLOSE,
    H_N_INST,
    I64,
    I_DEN,
    I_KIND,
    I_MARK_ROW,
    I_NUM,
    INVERSE,
    LEG_COLS,
    P_COST,
    P_QTY,
    SPOT,
    Market,
)

Curve = NDArray[np.float64]


@compiled
def _add_leg(m: I64, prices: I64, i: int, p: int, equity: Curve, start: int, stop: int) -> None:
    """Add a leg's unrealised profit (spot: its worth) at each close; without a price it has none.

    prices : int64[n, 4 or more], of the mark or the bars; or int64[n, 1], the closes alone.
    """
    close = min(prices.shape[1] - 1, B_CLOSE)
    held = m[p + P_QTY]
    cost = 0.0 if m[i + I_KIND] == SPOT else float(m[p + P_COST])
    per_unit = float(m[i + I_NUM]) / float(m[i + I_DEN])
    if m[i + I_KIND] == INVERSE:
        for j in range(start, stop):
            if prices[j, close] != 0:
                equity[j] += float(value(m, i, held, prices[j, close])) * per_unit - cost
    else:
        for j in range(start, stop):
            if prices[j, close] != 0:
                equity[j] += float(held * prices[j, close]) * per_unit - cost


@compiled
def mark_rows(m: I64, mk: Market, equity: Curve, start: int, stop: int) -> None:
    """Write the account's equity at the closes of rows [start, stop), in cash units.

    A curve of no rows asks for none.
    """
    if start >= stop or equity.shape[0] == 0:
        return
    a = acct_at(m, ACCOUNT)
    money = float(m[a + AC_BALANCES])
    for j in range(start, stop):
        equity[j] = money
    for number in range(m[H_N_INST]):
        i = inst_at(number)
        p = leg_at(m, a, i, 0)
        if m[p + P_QTY] != 0 or m[p + LEG_COLS + P_QTY] != 0:
            row = m[i + I_MARK_ROW]
            prices = mk.mark[row] if row >= 0 else mk.closes[number]
            if m[p + P_QTY] != 0:
                _add_leg(m, prices, i, p, equity, start, stop)
            if m[p + LEG_COLS + P_QTY] != 0:
                _add_leg(m, prices, i, p + LEG_COLS, equity, start, stop)

"""How far an account can be led with nothing happening, for strategies that decide in Python."""

import numpy as np
from numpy.typing import NDArray

from openalpha.engine.compiled.run import curve_terms, mark_equity
from openalpha.venue.kernel._compile import entry
from openalpha.venue.kernel.account import ACCOUNT, acct_at, inst_at, leg_at
from openalpha.venue.kernel.layout import (
    ABSENT,
    B_CLOSE,
    B_VOLUME,
    H_N_INST,
    H_SKIP,
    I64,
    I_DEN,
    I_KIND,
    I_MARK_ROW,
    I_NUM,
    INVERSE,
    Market,
)
from openalpha.venue.kernel.watch import is_slow


@entry
def quiet_stretch(
    m: I64, mk: Market, equity: NDArray[np.float64], start: int, stop: int, is_led: bool
) -> int:
    """Mark equity over the rows from `start` on in which nothing can happen. Changes nothing else.

    Parameters
    ----------
    equity : float64[n]
        Filled at each row's close, in cash units, to the bit as the compiled pass fills it.
    is_led : bool
        Whether the account was led through row `start` already: it is marked without a look.

    Returns
    -------
    int
        The first row in which something can happen, or `stop`.
    """
    count = m[H_N_INST]
    i = inst_at(0)
    a = acct_at(m, ACCOUNT)
    is_simple = (
        count == 1
        and m[i + I_MARK_ROW] < 0
        and m[i + I_KIND] != INVERSE
        and mk.bars[0, 0, B_VOLUME] != ABSENT
    )
    per_unit = float(m[i + I_NUM]) / float(m[i + I_DEN])
    cash_now, held, cost = curve_terms(m, a, i, leg_at(m, a, i, 0))
    for j in range(start, stop):
        if j > start or not is_led:
            for number in range(count):
                if m[H_SKIP] == 0 or is_slow(m, mk, inst_at(number), j):
                    return j
        if is_simple:
            equity[j] = cash_now + float(held * mk.bars[0, j, B_CLOSE] - cost) * per_unit
        else:
            equity[j] = mark_equity(m, mk, j)
    return stop

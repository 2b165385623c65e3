"""Leading an account over rows, skipping those that provably change nothing (see `watch`)."""

from openalpha.venue.kernel._compile import compiled
from openalpha.venue.kernel.account import inst_at
from openalpha.venue.kernel.layout import (
    B_CLOSE,
    H_N_INST,
    H_SKIP,
    H_SLOW_BARS,
    I64,
    I_INDEX,
    I_INDEX_ROW,
    I_LAST,
    I_MARK,
    I_MARK_ROW,
    I_SLOW,
    Market,
)
from openalpha.venue.kernel.path import process_bar
from openalpha.venue.kernel.watch import is_slow, watch_all


@compiled
def settle_prices(m: I64, mk: Market, j: int) -> None:
    """Write the closing prices of a row that was skipped into the state.

    A row without a bar repeats the instrument's last close (0 before its first bar).
    """
    for number in range(m[H_N_INST]):
        i = inst_at(number)
        m[i + I_LAST] = mk.bars[number, j, B_CLOSE]
        row = m[i + I_MARK_ROW]
        m[i + I_MARK] = mk.mark[row, j, B_CLOSE] if row >= 0 else m[i + I_LAST]
        row = m[i + I_INDEX_ROW]
        m[i + I_INDEX] = mk.index_price[row, j, B_CLOSE] if row >= 0 else m[i + I_MARK]


@compiled
def advance_row(m: I64, mk: Market, j: int) -> bool:
    """Lead the account through one row of the history, as cheaply as is provably right.

    Returns
    -------
    bool
        Whether anything could have happened: if not, only last and mark prices have moved, and they
        are not written (`settle_prices` does, when somebody asks).
    """
    any_slow = False
    for number in range(m[H_N_INST]):
        i = inst_at(number)
        slow = m[H_SKIP] == 0 or is_slow(m, mk, i, j)
        m[i + I_SLOW] = 1 if slow else 0
        any_slow = any_slow or slow
    if not any_slow:
        return False
    if j > 0:
        settle_prices(m, mk, j - 1)
    m[H_SLOW_BARS] += 1
    process_bar(m, mk, j)
    watch_all(m, mk.funding_ts)
    return True

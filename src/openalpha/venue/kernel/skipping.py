"""Leading an account over rows, skipping those that provably change nothing (see `watch`)."""

from openalpha.venue.kernel._compile import compiled
from openalpha.venue.kernel.account import inst_at
from openalpha.venue.kernel.layout import (
    ABSENT,
    B_CLOSE,
    B_HIGH,
    B_LOW,
    B_VOLUME,
    BIG,
    H_DIRTY,
    H_GUARDS,
    H_N_INST,
    H_SKIP,
    H_SLOW_BARS,
    H_TIMEFRAME_MS,
    I64,
    I_HI,
    I_INDEX,
    I_INDEX_ROW,
    I_LAST,
    I_LO,
    I_MARK,
    I_MARK_HI,
    I_MARK_LO,
    I_MARK_ROW,
    I_NEXT_TS,
    I_NUMBER,
    I_SLOW,
    I_WAS_SLOW,
    I_WATCHED,
    Market,
)
from openalpha.venue.kernel.path import process_bar
from openalpha.venue.kernel.watch import can_only_follow, follow, is_slow, refresh_watch

FEW_ROWS, MANY_ROWS = 4, 8192
"""Rows looked ahead: few after something happened, for the look may be in vain; then ever more."""


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
def _first_due(m: I64, mk: Market, i: int, start: int, stop: int) -> int:
    """Return the first row that ends after the instrument's next moment, or `stop`."""
    due = m[i + I_NEXT_TS] - m[H_TIMEFRAME_MS] + 1
    if m[i + I_NEXT_TS] == BIG:
        return stop
    if mk.ts[start] >= due:
        return start
    if mk.ts[stop - 1] < due:
        return stop
    before, found = start, stop - 1
    while found - before > 1:
        middle = (before + found) >> 1
        if mk.ts[middle] < due:
            before = middle
        else:
            found = middle
    return found


@compiled
def _first_touched(m: I64, mk: Market, i: int, start: int, stop: int) -> int:
    """Return the first row that touches what is watched of one instrument, or `stop`."""
    n, row = m[i + I_NUMBER], m[i + I_MARK_ROW]
    lo, hi = m[i + I_LO], m[i + I_HI]
    bars = mk.bars[n]
    found = _first_due(m, mk, i, start, stop)
    if lo > -BIG or hi < BIG:
        for j in range(start, found):
            is_reached = bars[j, B_LOW] <= lo or bars[j, B_HIGH] >= hi
            if is_reached and bars[j, B_VOLUME] != ABSENT:
                found = j
                break
    lo, hi = m[i + I_MARK_LO], m[i + I_MARK_HI]
    if row >= 0 and (lo > -BIG or hi < BIG):
        marks = mk.mark[row]
        for j in range(start, found):
            is_reached = marks[j, B_LOW] <= lo or marks[j, B_HIGH] >= hi
            if is_reached and bars[j, B_VOLUME] != ABSENT:
                found = j
                break
    while found < stop and bars[found, B_VOLUME] == ABSENT:
        found += 1
    return found


@compiled
def first_touched_row(m: I64, mk: Market, start: int, stop: int) -> int:
    """Return the first row in [start, stop) in which something can happen, or `stop`."""
    if m[H_SKIP] == 0:
        return start
    for number in range(m[H_N_INST]):
        if start < stop:
            stop = _first_touched(m, mk, inst_at(number), start, stop)
    return stop


@compiled
def _is_followed(m: I64, mk: Market, j: int) -> bool:
    """Let trailing orders follow a row; False, and nothing done, if more than that can happen."""
    if m[H_SKIP] == 0 or m[H_DIRTY] != 0:
        return False
    for number in range(m[H_N_INST]):
        i = inst_at(number)
        if is_slow(m, mk, i, j) and not can_only_follow(m, mk, i, j):
            return False
    for number in range(m[H_N_INST]):
        i = inst_at(number)
        if is_slow(m, mk, i, j):
            follow(m, mk, i, j)
    return True


@compiled
def first_slow_row(m: I64, mk: Market, start: int, stop: int) -> int:
    """Return the first row in [start, stop) through which the account must be led, or `stop`.

    Trailing orders have then followed the rows before it.
    """
    while start < stop:
        row = first_touched_row(m, mk, start, stop)
        if row == stop or not _is_followed(m, mk, row):
            return row
        start = row + 1
    return stop


@compiled
def lead_row(m: I64, mk: Market, j: int) -> None:
    """Lead the account through a row in which something can happen.

    What is watched of an instrument is found anew where orders may have acted, and where the guard
    band moved.
    """
    for number in range(m[H_N_INST]):
        i = inst_at(number)
        m[i + I_SLOW] = 1 if m[H_SKIP] == 0 or is_slow(m, mk, i, j) else 0
        m[i + I_WAS_SLOW] = m[i + I_SLOW]
    if j > 0:
        settle_prices(m, mk, j - 1)
    m[H_SLOW_BARS] += 1
    is_quiet = process_bar(m, mk, j)
    for number in range(m[H_N_INST]):
        i = inst_at(number)
        is_old = m[H_DIRTY] != 0 or m[i + I_WATCHED] != m[H_GUARDS]
        if is_old or (m[i + I_WAS_SLOW] != 0 and not is_quiet):
            refresh_watch(m, mk.funding_ts, i)

"""What to watch: the nearest prices and times at which something can happen to an instrument.

A bar inside (I_LO, I_HI), its mark inside (I_MARK_LO, I_MARK_HI), that ends before I_NEXT_TS only
moves prices; inside the wider (I_ACT_LO, I_ACT_HI) trailing orders follow the price and no order
acts. Led through slowly it gives the same bytes; the tests do both.
"""

from openalpha.venue.kernel._compile import compiled, inlined
from openalpha.venue.kernel.account import ACCOUNT, acct_at, inst_at, leg_at
from openalpha.venue.kernel.layout import (
    ABSENT,
    B_CLOSE,
    B_HIGH,
    B_LOW,
    B_VOLUME,
    BIG,
    BY_INDEX,
    BY_LAST,
    FREE,
    H_DIRTY,
    H_GUARDS,
    H_N_INST,
    H_TIMEFRAME_MS,
    I64,
    I_ACT_HI,
    I_ACT_LO,
    I_FUND_AT,
    I_FUND_END,
    I_GUARD_HI,
    I_GUARD_LO,
    I_HI,
    I_INDEX_ROW,
    I_LAST,
    I_LO,
    I_MARK_HI,
    I_MARK_LO,
    I_MARK_ROW,
    I_N_ORDERS,
    I_NEXT_TS,
    I_NUMBER,
    I_WATCHED,
    LEG_COLS,
    MARKET,
    O_ACTIVATION,
    O_ACTIVE,
    O_AMEND_AT,
    O_ARRIVE,
    O_BEST,
    O_CANCEL_AT,
    O_DISTANCE,
    O_LIMIT,
    O_RISES,
    O_SIDE,
    O_STATUS,
    O_TBY,
    O_TKIND,
    O_TRIGGER,
    O_TYPE,
    P_QTY,
    SUBMITTED,
    TRAILING,
    UNTRIGGERED,
    Market,
)
from openalpha.venue.kernel.orders import order_at, ratchet, trailing_trigger

AT_ONCE = -BIG


@inlined
def _watch(m: I64, i: int, rises: bool, level: int) -> None:
    """Let trailing orders follow in bars that reach a level."""
    if rises:
        m[i + I_HI] = min(m[i + I_HI], level)
        if m[i + I_LAST] >= level:
            m[i + I_NEXT_TS] = AT_ONCE
    else:
        m[i + I_LO] = max(m[i + I_LO], level)
        if m[i + I_LAST] <= level:
            m[i + I_NEXT_TS] = AT_ONCE


@inlined
def _watch_act(m: I64, i: int, rises: bool, level: int) -> None:
    """Let bars that reach a level, at which an order acts, be slow."""
    if rises:
        m[i + I_ACT_HI] = min(m[i + I_ACT_HI], level)
        if m[i + I_LAST] >= level:
            m[i + I_NEXT_TS] = AT_ONCE
    else:
        m[i + I_ACT_LO] = max(m[i + I_ACT_LO], level)
        if m[i + I_LAST] <= level:
            m[i + I_NEXT_TS] = AT_ONCE


@compiled
def _watch_conditional(m: I64, i: int, o: int) -> None:
    """Watch a conditional order's trigger, and what makes a trailing one move."""
    rises = m[o + O_RISES] != 0
    if m[o + O_TKIND] == TRAILING:
        # A sell trailing order wakes, or follows, when the price rises; a buy the reverse.
        if m[o + O_ACTIVE] == 0:
            _watch(m, i, not rises, m[o + O_ACTIVATION])
        else:
            _watch_act(m, i, rises, trailing_trigger(m, o))
            _watch(m, i, not rises, m[o + O_BEST] + (-1 if rises else 1))
    elif m[o + O_TBY] == BY_LAST or (m[i + I_MARK_ROW] < 0 and m[i + I_INDEX_ROW] < 0):
        _watch_act(m, i, rises, m[o + O_TRIGGER])
    elif m[o + O_TBY] == BY_INDEX:
        m[i + I_NEXT_TS] = AT_ONCE
    elif rises:
        m[i + I_MARK_HI] = min(m[i + I_MARK_HI], m[o + O_TRIGGER])
    else:
        m[i + I_MARK_LO] = max(m[i + I_MARK_LO], m[o + O_TRIGGER])


@compiled
def _watch_order(m: I64, i: int, o: int) -> None:
    """Watch all that can make one order do something."""
    status = m[o + O_STATUS]
    if status == FREE:
        return
    at = min(m[o + O_CANCEL_AT], m[o + O_AMEND_AT])
    if status == SUBMITTED:
        at = min(at, m[o + O_ARRIVE])
    m[i + I_NEXT_TS] = min(m[i + I_NEXT_TS], at)
    if status == UNTRIGGERED:
        _watch_conditional(m, i, o)
    elif status != SUBMITTED:
        if m[o + O_TYPE] == MARKET:
            m[i + I_NEXT_TS] = AT_ONCE
        elif m[o + O_SIDE] > 0:
            m[i + I_ACT_LO] = max(m[i + I_ACT_LO], m[o + O_LIMIT] - 1)
        else:
            m[i + I_ACT_HI] = min(m[i + I_ACT_HI], m[o + O_LIMIT] + 1)


@compiled
def refresh_watch(m: I64, funding_ts: I64, i: int) -> None:
    """Find anew the nearest levels and time at which something can happen to an instrument."""
    m[i + I_WATCHED] = m[H_GUARDS]
    m[i + I_LO] = m[i + I_ACT_LO] = -BIG
    m[i + I_HI] = m[i + I_ACT_HI] = BIG
    # The guard band's edges are still safe; one step beyond is not.
    m[i + I_MARK_LO] = m[i + I_GUARD_LO] - 1
    m[i + I_MARK_HI] = m[i + I_GUARD_HI] + 1
    m[i + I_NEXT_TS] = AT_ONCE if m[H_DIRTY] != 0 else BIG
    for k in range(m[i + I_N_ORDERS]):
        _watch_order(m, i, order_at(m, i, k))
    at = m[i + I_FUND_AT]
    p = leg_at(m, acct_at(m, ACCOUNT), i, 0)
    if at < m[i + I_FUND_END] and (m[p + P_QTY] != 0 or m[p + LEG_COLS + P_QTY] != 0):
        m[i + I_NEXT_TS] = min(m[i + I_NEXT_TS], funding_ts[at])
    if m[i + I_MARK_ROW] < 0:
        m[i + I_ACT_LO] = max(m[i + I_ACT_LO], m[i + I_MARK_LO])
        m[i + I_ACT_HI] = min(m[i + I_ACT_HI], m[i + I_MARK_HI])
    m[i + I_LO] = max(m[i + I_LO], m[i + I_ACT_LO])
    m[i + I_HI] = min(m[i + I_HI], m[i + I_ACT_HI])


@compiled
def watch_all(m: I64, funding_ts: I64) -> None:
    """Find anew when something can happen to each instrument."""
    for number in range(m[H_N_INST]):
        refresh_watch(m, funding_ts, inst_at(number))


@inlined
def is_reached(m: I64, i: int, low: int, high: int, until_ms: int) -> bool:
    """Say whether a range of last prices, or a moment, touches what is watched."""
    return low <= m[i + I_LO] or high >= m[i + I_HI] or until_ms >= m[i + I_NEXT_TS]


@inlined
def is_mark_reached(m: I64, i: int, low: int, high: int) -> bool:
    """Say whether a range of mark prices touches what is watched."""
    return low <= m[i + I_MARK_LO] or high >= m[i + I_MARK_HI]


@compiled
def is_slow(m: I64, mk: Market, i: int, j: int) -> bool:
    """Say whether something can happen to an instrument in a row of the history."""
    n, row = m[i + I_NUMBER], m[i + I_MARK_ROW]
    if mk.bars[n, j, B_VOLUME] == ABSENT:
        return False
    until_ms = mk.ts[j] + m[H_TIMEFRAME_MS] - 1
    if is_reached(m, i, mk.bars[n, j, B_LOW], mk.bars[n, j, B_HIGH], until_ms):
        return True
    return row >= 0 and is_mark_reached(m, i, mk.mark[row, j, B_LOW], mk.mark[row, j, B_HIGH])


@compiled
def can_only_follow(m: I64, mk: Market, i: int, j: int) -> bool:
    """Say whether a slow row of an instrument does no more than move its trailing orders.

    A row that spans less than a trailing order's distance cannot both pull it along and trigger it.
    """
    n, row = m[i + I_NUMBER], m[i + I_MARK_ROW]
    low, high = mk.bars[n, j, B_LOW], mk.bars[n, j, B_HIGH]
    if low <= m[i + I_ACT_LO] or high >= m[i + I_ACT_HI]:
        return False
    if mk.ts[j] + m[H_TIMEFRAME_MS] > m[i + I_NEXT_TS]:
        return False
    if row >= 0 and is_mark_reached(m, i, mk.mark[row, j, B_LOW], mk.mark[row, j, B_HIGH]):
        return False
    for k in range(m[i + I_N_ORDERS]):
        o = order_at(m, i, k)
        is_trailing = m[o + O_STATUS] == UNTRIGGERED and m[o + O_TKIND] == TRAILING
        if is_trailing and high - low >= m[o + O_DISTANCE]:
            return False
    return True


@compiled
def follow(m: I64, mk: Market, i: int, j: int) -> None:
    """Let an instrument's trailing orders follow a row that does nothing else (O8)."""
    n = m[i + I_NUMBER]
    ratchet(m, i, mk.bars[n, j, B_LOW])
    ratchet(m, i, mk.bars[n, j, B_HIGH])
    m[i + I_LAST] = mk.bars[n, j, B_CLOSE]
    refresh_watch(m, mk.funding_ts, i)

"""Exits attached to an entry, from its average price: stop, profit, trailing, time (rule O9)."""

from openalpha.core.reasons import Reason
from openalpha.venue.kernel._compile import compiled, inlined
from openalpha.venue.kernel.arith import mul_div
from openalpha.venue.kernel.layout import (
    E6,
    FREE,
    H_EVENT,
    H_NOW_MS,
    H_ORDER_ID,
    I64,
    I_DEN,
    I_K,
    I_KIND,
    I_N_ORDERS,
    I_NUM,
    I_TICK,
    INVERSE,
    MARKET,
    NO_TRIGGER,
    O_ACCT,
    O_ACTIVATION,
    O_ACTIVE,
    O_ARRIVE,
    O_ATTACHED,
    O_BEST,
    O_DISTANCE,
    O_LEG,
    O_LIVE,
    O_OCO,
    O_REASON,
    O_REDUCE,
    O_RISES,
    O_SIDE,
    O_STATUS,
    O_TKIND,
    O_TRIGGER,
    O_TYPE,
    O_WHOLE,
    O_X_ACTIVATION,
    O_X_STOP,
    O_X_TIME,
    O_X_TP,
    O_X_TRAIL,
    P_ACCT,
    P_COST,
    P_LEG,
    P_QTY,
    STOP,
    TAKE_PROFIT,
    TRAILING,
    UNTRIGGERED,
)
from openalpha.venue.kernel.orders import BY_OCO, NO_SLOT, cancel_order, new_order, order_at

TIME_EXIT = int(Reason.TIME_EXIT)
STOP_REASON = int(Reason.STOP)
TAKE_PROFIT_REASON = int(Reason.TAKE_PROFIT)
TRAILING_REASON = int(Reason.TRAILING)


@compiled
def entry_scaled(m: I64, i: int, p: int, factor_e6: int, up: bool) -> int:
    """Return the leg's average entry × factor / 10^6, rounded to a tick up or down (O9)."""
    over = abs(m[p + P_COST]) * m[i + I_DEN]
    under = abs(m[p + P_QTY]) * m[i + I_NUM]
    if m[i + I_KIND] == INVERSE:
        over, under = under * m[i + I_K], over
    tick = m[i + I_TICK]
    if up:
        ticks = -(mul_div(-over, factor_e6, E6) // (under * tick))
    else:
        ticks = mul_div(over, factor_e6, E6) // (under * tick)
    return max(ticks, 1) * tick


@compiled
def _new_exit(m: I64, i: int, p: int, group: int, kind: int, reason: int) -> int:
    """Make one attached exit that acts from the next event on; returns its place."""
    o = new_order(m, i)
    if o == NO_SLOT:
        return o
    is_long = m[p + P_QTY] > 0
    m[o + O_ACCT] = m[p + P_ACCT]
    m[o + O_LEG] = m[p + P_LEG]
    m[o + O_SIDE] = -1 if is_long else 1
    m[o + O_TYPE] = MARKET
    m[o + O_REDUCE] = 1
    m[o + O_WHOLE] = 1
    m[o + O_OCO] = group
    m[o + O_ATTACHED] = 1
    m[o + O_LIVE] = m[H_EVENT] + 1
    m[o + O_TKIND] = kind
    m[o + O_REASON] = reason
    m[o + O_RISES] = 1 if is_long == (kind == TAKE_PROFIT) else 0
    if kind != NO_TRIGGER:
        m[o + O_STATUS] = UNTRIGGERED
    return o


@compiled
def _attach_trailing(m: I64, i: int, p: int, group: int, entry: int) -> None:
    """Make the trailing exit of an entry order (O8, O9)."""
    is_long = m[p + P_QTY] > 0
    sign = 1 if is_long else -1
    activation_e6 = m[entry + O_X_ACTIVATION]
    o = _new_exit(m, i, p, group, TRAILING, TRAILING_REASON)
    m[o + O_DISTANCE] = entry_scaled(m, i, p, m[entry + O_X_TRAIL], False)
    m[o + O_BEST] = entry_scaled(m, i, p, E6, not is_long)
    m[o + O_ACTIVE] = 1
    if activation_e6 > 0:
        m[o + O_ACTIVE] = 0
        m[o + O_ACTIVATION] = entry_scaled(m, i, p, E6 + sign * activation_e6, is_long)


@compiled
def attach_exits(m: I64, i: int, p: int, entry: int) -> None:
    """Replace the leg's attached exits by those the order at place `entry` carries (O9)."""
    for k in range(m[i + I_N_ORDERS]):
        o = order_at(m, i, k)
        if m[o + O_STATUS] == FREE or m[o + O_ATTACHED] == 0:
            continue
        if m[o + O_ACCT] == m[p + P_ACCT] and m[o + O_LEG] == m[p + P_LEG]:
            cancel_order(m, i, o, BY_OCO)
    is_long = m[p + P_QTY] > 0
    sign = 1 if is_long else -1
    group = -(m[H_ORDER_ID] + 1)
    if m[entry + O_X_STOP] > 0:
        o = _new_exit(m, i, p, group, STOP, STOP_REASON)
        m[o + O_TRIGGER] = entry_scaled(m, i, p, E6 - sign * m[entry + O_X_STOP], not is_long)
    if m[entry + O_X_TP] > 0:
        o = _new_exit(m, i, p, group, TAKE_PROFIT, TAKE_PROFIT_REASON)
        m[o + O_TRIGGER] = entry_scaled(m, i, p, E6 + sign * m[entry + O_X_TP], is_long)
    if m[entry + O_X_TRAIL] > 0:
        _attach_trailing(m, i, p, group, entry)
    if m[entry + O_X_TIME] > 0:
        o = _new_exit(m, i, p, group, NO_TRIGGER, TIME_EXIT)
        m[o + O_ARRIVE] = m[H_NOW_MS] + m[entry + O_X_TIME]


@inlined
def has_exits(m: I64, o: int) -> bool:
    """Say whether an order carries exits for the position it opens."""
    return (m[o + O_X_STOP] | m[o + O_X_TP] | m[o + O_X_TRAIL] | m[o + O_X_TIME]) != 0

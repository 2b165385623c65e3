"""The order table: slots, the one change of a status, cancels and trailing (rules O)."""

from openalpha.core.reasons import Reason
from openalpha.venue.kernel._compile import compiled, inlined
from openalpha.venue.kernel.account import acct_at, leg_at
from openalpha.venue.kernel.layout import (
    BIG,
    D_ACCT,
    D_CREATED,
    D_FILLED,
    D_ID,
    D_INST,
    D_LEG,
    D_LIMIT,
    D_QTY,
    D_REASON,
    D_REDUCE,
    D_SIDE,
    D_STATUS,
    D_TKIND,
    D_TRIGGER,
    D_TS,
    D_TYPE,
    DONE_COLS,
    EV_CANCEL,
    EV_REJECT,
    FREE,
    H_BUG,
    H_DONE_AT,
    H_DONE_CAP,
    H_LATENCY_MS,
    H_LOST,
    H_N_DONE,
    H_NOW_MS,
    H_ORDER_ID,
    H_SEQ,
    H_SLOTS,
    I64,
    I_N_ORDERS,
    I_NUMBER,
    I_ORDERS_AT,
    NEXT,
    O_ACCT,
    O_ACTIVATION,
    O_ACTIVE,
    O_AMEND_AT,
    O_ARRIVE,
    O_ATTACHED,
    O_BEST,
    O_CANCEL_AT,
    O_CREATED,
    O_DISTANCE,
    O_FILLED,
    O_ID,
    O_LEG,
    O_LIMIT,
    O_OCO,
    O_QTY,
    O_REASON,
    O_REDUCE,
    O_RISES,
    O_SEQ,
    O_SIDE,
    O_STATUS,
    O_TKIND,
    O_TRIGGER,
    O_TYPE,
    ORDER_COLS,
    P_ACCT,
    P_LEG,
    SUBMITTED,
    TRAILING,
    UNTRIGGERED,
)

BY_OCO = int(Reason.CANCELLED_BY_OCO)
POSITION_CLOSED = int(Reason.CANCELLED_POSITION_CLOSED)
MARKET_REASON = int(Reason.MARKET)

NO_SLOT = -1
NEVER = BIG


@inlined
def order_at(m: I64, i: int, slot: int) -> int:
    """Return the place of an order slot of an instrument."""
    return m[i + I_ORDERS_AT] + slot * ORDER_COLS


@inlined
def acct_of(m: I64, o: int) -> int:
    """Return the place of the account an order belongs to."""
    return acct_at(m, m[o + O_ACCT])


@inlined
def leg_of(m: I64, i: int, o: int) -> int:
    """Return the place of the leg an order works on."""
    return leg_at(m, acct_of(m, o), i, m[o + O_LEG])


@inlined
def step_status(m: I64, o: int, event: int) -> None:
    """Move an order along the transition table. The only place a live order's status changes."""
    after = NEXT[m[o + O_STATUS], event]
    if after < 0:
        m[H_BUG] = 1
    else:
        m[o + O_STATUS] = after


@compiled
def new_order(m: I64, i: int) -> int:
    """Take a free slot, cleared, with the next order id and sequence number.

    Returns
    -------
    int
        Place of the order, in flight from now; NO_SLOT if the table is full.
    """
    n = m[i + I_N_ORDERS]
    slot = n
    for k in range(n):
        if m[order_at(m, i, k) + O_STATUS] == FREE:
            slot = k
            break
    if slot >= m[H_SLOTS]:
        m[H_LOST] = 1
        return NO_SLOT
    m[i + I_N_ORDERS] = max(n, slot + 1)
    o = order_at(m, i, slot)
    for column in range(ORDER_COLS):
        m[o + column] = 0
    m[H_ORDER_ID] += 1
    m[H_SEQ] += 1
    m[o + O_ID] = m[H_ORDER_ID]
    m[o + O_SEQ] = m[H_SEQ]
    m[o + O_STATUS] = SUBMITTED
    m[o + O_CREATED] = m[H_NOW_MS]
    m[o + O_ARRIVE] = m[H_NOW_MS] + m[H_LATENCY_MS]
    m[o + O_CANCEL_AT] = NEVER
    m[o + O_AMEND_AT] = NEVER
    m[o + O_REASON] = MARKET_REASON
    return o


@compiled
def finish(m: I64, i: int, o: int, reason: int) -> None:
    """Write an ended order's row and free its slot. The status must be final already."""
    n = m[H_N_DONE]
    if n >= m[H_DONE_CAP]:
        m[H_LOST] = 1
        n = m[H_DONE_CAP] - 1
    m[H_N_DONE] = n + 1
    d = m[H_DONE_AT] + n * DONE_COLS
    m[d + D_ID] = m[o + O_ID]
    m[d + D_ACCT] = m[o + O_ACCT]
    m[d + D_INST] = m[i + I_NUMBER]
    m[d + D_STATUS] = m[o + O_STATUS]
    m[d + D_REASON] = reason
    m[d + D_TS] = m[H_NOW_MS]
    m[d + D_CREATED] = m[o + O_CREATED]
    m[d + D_SIDE] = m[o + O_SIDE]
    m[d + D_LEG] = m[o + O_LEG]
    m[d + D_QTY] = m[o + O_QTY]
    m[d + D_FILLED] = m[o + O_FILLED]
    m[d + D_TYPE] = m[o + O_TYPE]
    m[d + D_TKIND] = m[o + O_TKIND]
    m[d + D_LIMIT] = m[o + O_LIMIT]
    m[d + D_TRIGGER] = m[o + O_TRIGGER]
    m[d + D_REDUCE] = m[o + O_REDUCE]
    m[o + O_STATUS] = FREE
    top = m[i + I_N_ORDERS]
    while top > 0 and m[order_at(m, i, top - 1) + O_STATUS] == FREE:
        top -= 1
    m[i + I_N_ORDERS] = top


@compiled
def cancel_order(m: I64, i: int, o: int, reason: int) -> None:
    """Cancel an order that is live or in flight."""
    step_status(m, o, EV_CANCEL)
    finish(m, i, o, reason)


@compiled
def reject_order(m: I64, i: int, o: int, reason: int) -> None:
    """Refuse an order with its reason."""
    step_status(m, o, EV_REJECT)
    finish(m, i, o, reason)


@inlined
def _is_standing(m: I64, o: int) -> bool:
    """Say whether an order stands at the venue, or is an attached time exit in flight."""
    status = m[o + O_STATUS]
    if status == SUBMITTED:
        return m[o + O_ATTACHED] != 0
    return status != FREE


@compiled
def cancel_group(m: I64, i: int, account: int, group: int, but_id: int) -> None:
    """Cancel the other orders of an OCO group (O7)."""
    if group == 0:
        return
    for k in range(m[i + I_N_ORDERS]):
        o = order_at(m, i, k)
        if m[o + O_STATUS] == FREE or m[o + O_OCO] != group:
            continue
        if m[o + O_ACCT] == account and m[o + O_ID] != but_id:
            cancel_order(m, i, o, BY_OCO)


@compiled
def cancel_reducing(m: I64, i: int, p: int, but_id: int) -> None:
    """Cancel what was there to reduce a leg that is now flat or turned over (O7, X9)."""
    for k in range(m[i + I_N_ORDERS]):
        o = order_at(m, i, k)
        if m[o + O_REDUCE] == 0 or not _is_standing(m, o) or m[o + O_ID] == but_id:
            continue
        if m[o + O_ACCT] == m[p + P_ACCT] and m[o + O_LEG] == m[p + P_LEG]:
            cancel_order(m, i, o, POSITION_CLOSED)


@compiled
def cancel_standing(m: I64, i: int, account: int, reason: int) -> None:
    """Cancel all of an account's orders on an instrument that stand at the venue (L2)."""
    for k in range(m[i + I_N_ORDERS]):
        o = order_at(m, i, k)
        if m[o + O_ACCT] == account and _is_standing(m, o):
            cancel_order(m, i, o, reason)


@inlined
def trailing_trigger(m: I64, o: int) -> int:
    """Return the price at which an active trailing order triggers now (O8)."""
    if m[o + O_RISES] != 0:
        return m[o + O_BEST] + m[o + O_DISTANCE]
    return m[o + O_BEST] - m[o + O_DISTANCE]


@compiled
def ratchet(m: I64, i: int, last: int) -> None:
    """Let trailing orders follow the last price of a finished event (O8)."""
    for k in range(m[i + I_N_ORDERS]):
        o = order_at(m, i, k)
        if m[o + O_STATUS] != UNTRIGGERED or m[o + O_TKIND] != TRAILING:
            continue
        falls = m[o + O_RISES] == 0
        if m[o + O_ACTIVE] == 0:
            level = m[o + O_ACTIVATION]
            if (falls and last >= level) or (not falls and last <= level):
                m[o + O_ACTIVE] = 1
                m[o + O_BEST] = last
        elif falls:
            m[o + O_BEST] = max(m[o + O_BEST], last)
        else:
            m[o + O_BEST] = min(m[o + O_BEST], last)

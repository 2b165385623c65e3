"""Commands in flight: which arrives next, and carrying it out (rules O1, O4, O6, O10, E6).

What makes an order live says whether it is to execute now; the liquidity model then executes it.
"""

from openalpha.core.reasons import Reason
from openalpha.venue.kernel._compile import compiled
from openalpha.venue.kernel.checks import (
    OK,
    WRONG_SIDE,
    form_refusal,
    is_wrong_side,
    margin_refusal,
    money_refusal,
)
from openalpha.venue.kernel.layout import (
    BIG,
    EV_ACCEPT,
    EV_AMEND,
    EV_CONDITIONAL,
    EV_TRIGGER,
    FREE,
    H_EVENT,
    H_SEQ,
    I64,
    I_AT_OPEN,
    I_KIND,
    I_LAST,
    I_N_ORDERS,
    LIMIT,
    NO_TRIGGER,
    O_A_LIMIT,
    O_A_QTY,
    O_A_TRIGGER,
    O_ACCT,
    O_ACTIVATION,
    O_ACTIVE,
    O_AMEND_AT,
    O_AMEND_SEQ,
    O_ARRIVE,
    O_BEST,
    O_CANCEL_AT,
    O_CANCEL_SEQ,
    O_CANCEL_WHY,
    O_FILLED,
    O_ID,
    O_LIMIT,
    O_LIVE,
    O_OCO,
    O_QTY,
    O_REASON,
    O_REDUCE,
    O_SEQ,
    O_STATUS,
    O_TKIND,
    O_TRIGGER,
    O_TYPE,
    O_WHOLE,
    OPEN,
    PARTLY,
    SPOT,
    STOP,
    SUBMITTED,
    TRAILING,
    UNTRIGGERED,
)
from openalpha.venue.kernel.orders import (
    NEVER,
    cancel_group,
    cancel_order,
    order_at,
    reject_order,
    step_status,
)

NEW, CANCEL, AMEND = 0, 1, 2
STOP_AT_GAP = int(Reason.STOP_AT_GAP)


@compiled
def next_command(m: I64, i: int, until_ms: int) -> tuple[int, int, int]:
    """Find the command that arrives first, by (arrival, sequence), up to a moment.

    Returns
    -------
    tuple of int
        Place of the order (-1: none), kind (NEW, CANCEL, AMEND) and arrival.
    """
    best, kind, when, seq = -1, NEW, until_ms, BIG
    for k in range(m[i + I_N_ORDERS]):
        o = order_at(m, i, k)
        if m[o + O_STATUS] == FREE:
            continue
        for which in range(3):
            at, number = m[o + O_ARRIVE], m[o + O_SEQ]
            if which == CANCEL:
                at, number = m[o + O_CANCEL_AT], m[o + O_CANCEL_SEQ]
            elif which == AMEND:
                at, number = m[o + O_AMEND_AT], m[o + O_AMEND_SEQ]
            elif m[o + O_STATUS] != SUBMITTED or m[o + O_LIVE] > m[H_EVENT]:
                continue
            if at < when or (at == when and number < seq):
                best, kind, when, seq = o, which, at, number
    return best, kind, when


@compiled
def cancel_before(m: I64, i: int, until_ms: int) -> None:
    """Carry out the cancels of standing orders that arrive by an opening, before its jump (E2)."""
    while True:
        best, when, seq = -1, until_ms, BIG
        for k in range(m[i + I_N_ORDERS]):
            o = order_at(m, i, k)
            if m[o + O_STATUS] == FREE or m[o + O_STATUS] == SUBMITTED:
                continue
            at, number = m[o + O_CANCEL_AT], m[o + O_CANCEL_SEQ]
            if at < when or (at == when and number < seq):
                best, when, seq = o, at, number
        if best < 0:
            return
        cancel_order(m, i, best, m[best + O_CANCEL_WHY])


@compiled
def _arrive(m: I64, i: int, o: int, base: int) -> bool:
    """Check an order on arrival; returns whether it is to execute, or waits or is refused (O4)."""
    kind = m[o + O_TKIND]
    reason = form_refusal(m, i, o, base)
    if reason == OK and kind != NO_TRIGGER and is_wrong_side(m, i, o):
        reason = WRONG_SIDE
    if reason == OK and kind == NO_TRIGGER:
        reason = money_refusal(m, i, o, base, True)
    if reason != OK:
        reject_order(m, i, o, reason)
    elif kind == NO_TRIGGER:
        step_status(m, o, EV_ACCEPT)
        return True
    else:
        step_status(m, o, EV_CONDITIONAL)
        if kind == TRAILING and m[o + O_ACTIVATION] == 0:
            m[o + O_ACTIVE] = 1
            m[o + O_BEST] = m[i + I_LAST]
    return False


@compiled
def trigger_order(m: I64, i: int, o: int, base: int) -> bool:
    """Make a conditional order live; returns whether it is to execute at the base price (E6)."""
    if m[i + I_AT_OPEN] != 0 and m[o + O_TKIND] == STOP:
        m[o + O_REASON] = STOP_AT_GAP
    step_status(m, o, EV_TRIGGER)
    cancel_group(m, i, m[o + O_ACCT], m[o + O_OCO], m[o + O_ID])
    return _may_go_on(m, i, o, base, True)


@compiled
def _may_go_on(m: I64, i: int, o: int, base: int, is_first: bool) -> bool:
    """Check a live order again and refuse it where it may not execute."""
    reason = money_refusal(m, i, o, base, is_first)
    if reason != OK:
        reject_order(m, i, o, reason)
    return reason == OK


@compiled
def work_order(m: I64, i: int, o: int, base: int) -> bool:
    """Say whether a market order whose rest waited for liquidity may go on; else refuse it (O6)."""
    return _may_go_on(m, i, o, base, False)


@compiled
def _has_fields(m: I64, o: int) -> bool:
    """Say whether an order is live and has the fields it is to be amended in (O10, X11)."""
    status = m[o + O_STATUS]
    if status != OPEN and status != PARTLY and status != UNTRIGGERED:
        return False
    if m[o + O_A_LIMIT] != 0 and m[o + O_TYPE] != LIMIT:
        return False
    if m[o + O_A_TRIGGER] != 0 and (status != UNTRIGGERED or m[o + O_TKIND] == TRAILING):
        return False
    return m[o + O_A_QTY] == 0 or m[o + O_A_QTY] > m[o + O_FILLED]


@compiled
def _amend(m: I64, i: int, o: int, base: int) -> bool:
    """Change a live order, or leave it; returns whether it is to execute anew (O10, X11)."""
    if not _has_fields(m, o):
        return False
    qty, limit, trigger = m[o + O_QTY], m[o + O_LIMIT], m[o + O_TRIGGER]
    whole = m[o + O_WHOLE]
    if m[o + O_A_QTY] != 0:
        m[o + O_QTY] = m[o + O_A_QTY]
        m[o + O_WHOLE] = 0
    if m[o + O_A_LIMIT] != 0:
        m[o + O_LIMIT] = m[o + O_A_LIMIT]
    if m[o + O_A_TRIGGER] != 0:
        m[o + O_TRIGGER] = m[o + O_A_TRIGGER]
    is_live = m[o + O_STATUS] != UNTRIGGERED
    reason = form_refusal(m, i, o, base)
    if reason == OK and is_live and (m[o + O_REDUCE] == 0 or m[i + I_KIND] == SPOT):
        reason = margin_refusal(m, i, o, base)
    if reason != OK:
        m[o + O_QTY], m[o + O_LIMIT], m[o + O_TRIGGER] = qty, limit, trigger
        m[o + O_WHOLE] = whole
        return False
    step_status(m, o, EV_AMEND)
    if m[o + O_LIMIT] != limit or m[o + O_QTY] > qty:
        m[H_SEQ] += 1
        m[o + O_SEQ] = m[H_SEQ]
        return is_live and m[o + O_TYPE] == LIMIT
    return False


@compiled
def carry_out(m: I64, i: int, o: int, kind: int, base: int) -> bool:
    """Carry out a command that has arrived; returns whether its order is to execute at `base`."""
    if kind == CANCEL:
        cancel_order(m, i, o, m[o + O_CANCEL_WHY])
        return False
    if kind == AMEND:
        m[o + O_AMEND_AT] = NEVER
        return _amend(m, i, o, base)
    return _arrive(m, i, o, base)

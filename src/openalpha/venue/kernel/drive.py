"""What Python calls: place, cancel and amend orders, and lead the account over rows of history."""

from openalpha.core.reasons import Reason
from openalpha.venue.kernel._compile import compiled, entry
from openalpha.venue.kernel.account import acct_at, apply_effect, inst_at, leg_at
from openalpha.venue.kernel.layout import (
    AC_BALANCES,
    AC_POSITION_MODE,
    FREE,
    H_DONE_CAP,
    H_EFFECTS_CAP,
    H_FILLS_CAP,
    H_LATENCY_MS,
    H_N_DONE,
    H_N_EFFECTS,
    H_N_FILLS,
    H_N_INST,
    H_NOW_MS,
    H_SEQ,
    H_SLOTS,
    HEDGE,
    I64,
    I_BASE_COIN,
    I_KIND,
    I_N_ORDERS,
    O_A_LIMIT,
    O_A_QTY,
    O_A_TRIGGER,
    O_ACCT,
    O_ACTIVATION,
    O_AMEND_AT,
    O_AMEND_SEQ,
    O_CANCEL_AT,
    O_CANCEL_SEQ,
    O_CANCEL_WHY,
    O_DISTANCE,
    O_ID,
    O_LEG,
    O_LIMIT,
    O_OCO,
    O_QTY,
    O_REASON,
    O_REDUCE,
    O_RISES,
    O_SIDE,
    O_STATUS,
    O_TBY,
    O_TIF,
    O_TKIND,
    O_TRIGGER,
    O_TYPE,
    O_WHOLE,
    O_X_ACTIVATION,
    O_X_STOP,
    O_X_TIME,
    O_X_TP,
    O_X_TRAIL,
    P_QTY,
    SPOT,
    TAKE_PROFIT,
    Market,
)
from openalpha.venue.kernel.margin import equity
from openalpha.venue.kernel.orders import acct_of, new_order, order_at
from openalpha.venue.kernel.skipping import (
    FEW_ROWS,
    MANY_ROWS,
    first_slow_row,
    lead_row,
    settle_prices,
)
from openalpha.venue.kernel.watch import watch_all

REASONS = (int(Reason.MARKET), int(Reason.STOP), int(Reason.TAKE_PROFIT), int(Reason.TRAILING))
"""Fill reason by trigger kind."""

# columns of a request
R_ACCT, R_SIDE, R_LEG, R_TYPE, R_TIF, R_QTY, R_LIMIT, R_TKIND, R_TBY, R_TRIGGER = range(10)
R_REDUCE, R_OCO, R_ACTIVATION, R_DISTANCE, R_X_STOP, R_X_TP, R_X_TRAIL = range(10, 17)
R_X_ACTIVATION, R_X_TIME = range(17, 19)
REQUEST_COLS = 20

ROOM = 512
SPARE_SLOTS = 8


@entry
def place(m: I64, number: int, ts_ms: int, request: I64) -> int:
    """Put a new order in flight. Returns its id, or -1 if the instrument's table is full."""
    i = inst_at(number)
    m[H_NOW_MS] = ts_ms
    o = new_order(m, i)
    if o < 0:
        return -1
    kind, side = request[R_TKIND], request[R_SIDE]
    m[o + O_ACCT] = request[R_ACCT]
    m[o + O_SIDE] = side
    m[o + O_LEG] = request[R_LEG]
    m[o + O_TYPE] = request[R_TYPE]
    m[o + O_TIF] = request[R_TIF]
    m[o + O_QTY] = request[R_QTY]
    m[o + O_LIMIT] = request[R_LIMIT]
    m[o + O_TKIND] = kind
    m[o + O_TBY] = request[R_TBY]
    m[o + O_TRIGGER] = request[R_TRIGGER]
    is_hedged = m[acct_of(m, o) + AC_POSITION_MODE] == HEDGE and m[i + I_KIND] != SPOT
    closes = (request[R_LEG] == 0) == (side < 0)
    m[o + O_REDUCE] = 1 if request[R_REDUCE] != 0 or (is_hedged and closes) else 0
    m[o + O_WHOLE] = 1 if request[R_QTY] == 0 and m[o + O_REDUCE] != 0 else 0
    m[o + O_OCO] = request[R_OCO]
    m[o + O_ACTIVATION] = request[R_ACTIVATION]
    m[o + O_DISTANCE] = request[R_DISTANCE]
    m[o + O_X_STOP] = request[R_X_STOP]
    m[o + O_X_TP] = request[R_X_TP]
    m[o + O_X_TRAIL] = request[R_X_TRAIL]
    m[o + O_X_ACTIVATION] = request[R_X_ACTIVATION]
    m[o + O_X_TIME] = request[R_X_TIME]
    # A buy stop (or trailing buy) waits for a rise, a sell stop for a fall; take-profits not.
    m[o + O_RISES] = 1 if (side > 0) != (kind == TAKE_PROFIT) else 0
    m[o + O_REASON] = REASONS[kind]
    return m[o + O_ID]


@compiled
def find_order(m: I64, i: int, order_id: int) -> int:
    """Return the place of a live order, or -1."""
    for k in range(m[i + I_N_ORDERS]):
        o = order_at(m, i, k)
        if m[o + O_STATUS] != FREE and m[o + O_ID] == order_id:
            return o
    return -1


@entry
def request_cancel(m: I64, number: int, ts_ms: int, order_id: int, why: int) -> bool:
    """Put a cancel in flight. False if no such order lives."""
    o = find_order(m, inst_at(number), order_id)
    m[H_SEQ] += 1
    if o < 0:
        return False
    m[o + O_CANCEL_AT] = ts_ms + m[H_LATENCY_MS]
    m[o + O_CANCEL_SEQ] = m[H_SEQ]
    m[o + O_CANCEL_WHY] = why
    return True


@entry
def request_amend(
    m: I64, number: int, ts_ms: int, order_id: int, qty: int, limit: int, trigger: int
) -> bool:
    """Put an amend in flight (0 keeps a value). False if no such order lives."""
    o = find_order(m, inst_at(number), order_id)
    m[H_SEQ] += 1
    if o < 0:
        return False
    m[o + O_AMEND_AT] = ts_ms + m[H_LATENCY_MS]
    m[o + O_AMEND_SEQ] = m[H_SEQ]
    m[o + O_A_QTY] = qty
    m[o + O_A_LIMIT] = limit
    m[o + O_A_TRIGGER] = trigger
    return True


@entry
def transfer(m: I64, account: int, coin: int, ts_ms: int, kind: int, amount: int) -> None:
    """Book a deposit, withdrawal or other change from outside."""
    m[H_NOW_MS] = ts_ms
    a = acct_at(m, account)
    apply_effect(m, a, coin, kind, amount, -1, -1)
    for number in range(m[H_N_INST]):
        i = inst_at(number)
        if m[i + I_KIND] == SPOT and m[i + I_BASE_COIN] == coin:
            # A spot position is the coin's balance (A1).
            m[leg_at(m, a, i, 0) + P_QTY] = m[a + AC_BALANCES + coin]


@compiled
def has_room(m: I64) -> bool:
    """Say whether the memory holds whatever one more row can write."""
    used = 0
    for number in range(m[H_N_INST]):
        n = m[inst_at(number) + I_N_ORDERS]
        if n + SPARE_SLOTS > m[H_SLOTS]:
            return False
        used += n + 4
    need = ROOM + 16 * used
    return (
        m[H_N_FILLS] + need <= m[H_FILLS_CAP]
        and m[H_N_EFFECTS] + 3 * need <= m[H_EFFECTS_CAP]
        and m[H_N_DONE] + 2 * need <= m[H_DONE_CAP]
    )


@entry
def advance(m: I64, mk: Market, start: int, stop: int) -> int:
    """Lead the account over rows [start, stop).

    Returns
    -------
    int
        The row reached: `stop`, or an earlier one where the memory must be enlarged first.
    """
    j, look = start, FEW_ROWS
    while j < stop:
        end = min(j + look, stop)
        j = first_slow_row(m, mk, j, end)
        look = min(2 * look, MANY_ROWS)
        if j < end:
            if not has_room(m):
                return j
            lead_row(m, mk, j)
            j += 1
            look = FEW_ROWS
    if stop > start:
        settle_prices(m, mk, stop - 1)
    return stop


@entry
def watch(m: I64, funding_ts: I64) -> None:
    """Find anew when something can happen, after orders or balances changed from outside."""
    watch_all(m, funding_ts)


@entry
def equity_of(m: I64, account: int) -> int:
    """Return an account's equity at the present marks, in cash units of coin 0."""
    return equity(m, acct_at(m, account))

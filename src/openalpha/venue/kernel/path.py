"""The bar path: leading an account through the four events of each bar (rules P, E, F)."""

from openalpha.venue.kernel._compile import compiled, inlined
from openalpha.venue.kernel.account import ACCOUNT, acct_at, inst_at, leg_at, pay_funding
from openalpha.venue.kernel.acting import NOBODY, first_to_act
from openalpha.venue.kernel.arith import mul_div
from openalpha.venue.kernel.commands import (
    cancel_before,
    carry_out,
    next_command,
    trigger_order,
    work_order,
)
from openalpha.venue.kernel.execute import execute, fill_resting
from openalpha.venue.kernel.layout import (
    ABSENT,
    B_CLOSE,
    B_HIGH,
    B_LOW,
    B_OPEN,
    B_VOLUME,
    BIG,
    E6,
    FREE,
    H_DIRTY,
    H_EVENT,
    H_N_INST,
    H_NOW_MS,
    H_PATH,
    H_SKIP,
    H_TIMEFRAME_MS,
    I64,
    I_AT_OPEN,
    I_BAR,
    I_BAR_INDEX,
    I_BAR_MARK,
    I_BAR_TS,
    I_BUDGET,
    I_EVENT_TS,
    I_FUND_AT,
    I_FUND_END,
    I_GUARD_HI,
    I_GUARD_LO,
    I_INDEX,
    I_INDEX_ROW,
    I_KIND,
    I_LAST,
    I_LOT,
    I_LOW_FIRST,
    I_MARK,
    I_MARK_ROW,
    I_N_ORDERS,
    I_N_STEPS,
    I_NUMBER,
    I_PARTICIPATION_E6,
    I_SLOW,
    I_STARVED,
    I_STEPS_AT,
    I_TICK,
    I_VOLUME,
    LEG_COLS,
    MARKET,
    NEARER_FIRST,
    O_REDUCE,
    O_SEQ,
    O_SIDE,
    O_STATUS,
    O_TYPE,
    P_QTY,
    SPOT,
    ST_LOT,
    ST_SINCE_MS,
    ST_TICK,
    STEP_COLS,
    UNTRIGGERED,
    Market,
)
from openalpha.venue.kernel.liquidation import check_liquidation
from openalpha.venue.kernel.orders import order_at, ratchet
from openalpha.venue.kernel.watch import is_mark_reached, is_reached, refresh_watch


@inlined
def set_point(m: I64, i: int, price: int) -> None:
    """Move the current point of the path; mark and index follow where they have no series (E2b)."""
    m[i + I_LAST] = price
    if m[i + I_MARK_ROW] < 0:
        m[i + I_MARK] = price
    if m[i + I_INDEX_ROW] < 0:
        m[i + I_INDEX] = m[i + I_MARK]


@inlined
def _set_marks(m: I64, i: int, column: int) -> None:
    """Take mark and index of an event from their series, where there are any (P1)."""
    if m[i + I_MARK_ROW] >= 0:
        m[i + I_MARK] = m[i + I_BAR_MARK + column]
    m[i + I_INDEX] = m[i + I_BAR_INDEX + column] if m[i + I_INDEX_ROW] >= 0 else m[i + I_MARK]


@compiled
def _settle_due(m: I64, stamps: I64, rates: I64, i: int, until_ms: int) -> None:
    """Pay the stamps up to and including a moment with the present mark (F1)."""
    a = acct_at(m, ACCOUNT)
    p = leg_at(m, a, i, 0)
    at = m[i + I_FUND_AT]
    while at < m[i + I_FUND_END] and stamps[at] <= until_ms:
        if m[p + P_QTY] != 0 or m[p + LEG_COLS + P_QTY] != 0:
            m[H_NOW_MS] = stamps[at]
            pay_funding(m, a, i, rates[at])
            check_liquidation(m, a, i)
        at += 1
    m[i + I_FUND_AT] = at


@inlined
def settle_funding(m: I64, stamps: I64, rates: I64, i: int, until_ms: int) -> None:
    """Pay what is due up to and including a moment, if anything is."""
    at = m[i + I_FUND_AT]
    if at < m[i + I_FUND_END] and stamps[at] <= until_ms:
        _settle_due(m, stamps, rates, i, until_ms)


@compiled
def take_steps(m: I64, i: int, t_ms: int) -> None:
    """Put the tick and lot of a moment in force."""
    for k in range(m[i + I_N_STEPS]):
        step = m[i + I_STEPS_AT] + k * STEP_COLS
        if k == 0 or m[step + ST_SINCE_MS] <= t_ms:
            m[i + I_TICK] = m[step + ST_TICK]
            m[i + I_LOT] = m[step + ST_LOT]


@compiled
def _copy_bar(m: I64, mk: Market, j: int, i: int) -> None:
    """Copy an instrument's bar into its block: the events then need nothing but the arena."""
    number, mark_row, index_row = m[i + I_NUMBER], m[i + I_MARK_ROW], m[i + I_INDEX_ROW]
    m[i + I_BAR_TS] = mk.ts[j]
    m[i + I_VOLUME] = mk.bars[number, j, B_VOLUME]
    for column in range(4):
        m[i + I_BAR + column] = mk.bars[number, j, column]
        if mark_row >= 0:
            m[i + I_BAR_MARK + column] = mk.mark[mark_row, j, column]
        if index_row >= 0:
            m[i + I_BAR_INDEX + column] = mk.index_price[index_row, j, column]


@compiled
def _begin_bar(m: I64, i: int) -> None:
    """Set budget, tick and lot, and the marks of the bar's opening (E1)."""
    share = m[i + I_PARTICIPATION_E6]
    m[i + I_BUDGET] = mul_div(m[i + I_VOLUME], share, E6) if share > 0 else BIG
    m[i + I_STARVED] = 0
    take_steps(m, i, m[i + I_BAR_TS])
    m[i + I_EVENT_TS] = m[i + I_BAR_TS]
    if m[i + I_LAST] == 0:
        m[i + I_LAST] = m[i + I_BAR]
    if m[i + I_MARK_ROW] < 0:
        m[i + I_MARK] = m[i + I_BAR]
    _set_marks(m, i, B_OPEN)
    if m[i + I_MARK] < m[i + I_GUARD_LO] or m[i + I_MARK] > m[i + I_GUARD_HI]:
        m[H_DIRTY] = 1  # whichever instrument is looked at first must check the whole account


@compiled
def _move(m: I64, i: int, a: int, z: int, is_jump: bool) -> None:
    """Lead the price from a to z, letting orders act in the order it reaches them (E4, E6)."""
    done_seq = -1
    if is_jump:
        set_point(m, i, z)
    while True:
        o, x = first_to_act(m, i, a, z, is_jump, done_seq)
        if o == NOBODY:
            break
        set_point(m, i, x)
        if check_liquidation(m, acct_at(m, ACCOUNT), i):
            continue
        a = x
        if m[o + O_STATUS] == UNTRIGGERED:
            if trigger_order(m, i, o, x):
                execute(m, i, o, x)
        elif m[o + O_TYPE] == MARKET:
            done_seq = m[o + O_SEQ]
            if work_order(m, i, o, x):
                execute(m, i, o, x)
        else:
            fill_resting(m, i, o)
    set_point(m, i, z)


@compiled
def _run(m: I64, i: int, start: int, z: int, t1: int, is_jump: bool) -> None:
    """Lead one instrument from `start` to an event's price, with the commands on the way (E2).

    An order that arrives between two events executes at the worse of here and the start (E3).
    """
    t0 = m[i + I_EVENT_TS]
    here = start
    if is_jump:
        cancel_before(m, i, t1)
        _move(m, i, start, z, True)
        here = z
    o, kind, arrival = next_command(m, i, t1)
    while o >= 0:
        if not is_jump:
            there = z
            if arrival < t1:
                since = max(arrival - t0, 0)
                tick = m[i + I_TICK]
                there = start + tick * mul_div(z - start, since, (t1 - t0) * tick)
            m[H_NOW_MS] = max(arrival, t0)
            _move(m, i, here, there, False)
            here = there
            # The move may have ended the order: ask again which command is next.
            again, same, _ = next_command(m, i, t1)
            if again != o or same != kind:
                o, kind, arrival = next_command(m, i, t1)
                continue
        base = here
        if not is_jump and arrival < t1:
            base = max(here, start) if m[o + O_SIDE] > 0 else min(here, start)
        if carry_out(m, i, o, kind, base):
            execute(m, i, o, base)
        o, kind, arrival = next_command(m, i, t1)
    m[H_NOW_MS] = t1
    if not is_jump:
        _move(m, i, here, z, False)


@inlined
def _column(m: I64, i: int, number: int) -> int:
    """Return the bar's column whose price an event has (P3)."""
    if number == 0:
        return B_OPEN
    if number == 3:
        return B_CLOSE
    return B_LOW if (number == 1) == (m[i + I_LOW_FIRST] != 0) else B_HIGH


@inlined
def _event_time(m: I64, i: int, number: int) -> int:
    """Return when one of the bar's four events happens (P1)."""
    frame = m[H_TIMEFRAME_MS]
    return m[i + I_BAR_TS] + (frame - 1 if number == 3 else number * frame // 3)


@compiled
def _event(m: I64, i: int, number: int) -> None:
    """Lead one instrument through one of a bar's four events (E2-E7)."""
    m[H_EVENT] += 1
    t1 = _event_time(m, i, number)
    column = _column(m, i, number)
    z = m[i + I_BAR + column]
    m[H_NOW_MS] = t1
    m[i + I_AT_OPEN] = 1 if number == 0 else 0
    start = m[i + I_LAST]
    _set_marks(m, i, column)
    if m[i + I_N_ORDERS] > 0:
        _run(m, i, start, z, t1, number == 0)
        ratchet(m, i, z)
    else:
        set_point(m, i, z)
    m[i + I_EVENT_TS] = t1
    check_liquidation(m, acct_at(m, ACCOUNT), i)


@inlined
def _pass_event(m: I64, i: int, number: int) -> None:
    """Move an instrument's prices through an event in which none of its orders can act."""
    m[H_EVENT] += 1
    column = _column(m, i, number)
    price = m[i + I_BAR + column]
    m[i + I_LAST] = price
    m[i + I_MARK] = m[i + I_BAR_MARK + column] if m[i + I_MARK_ROW] >= 0 else price
    m[i + I_INDEX] = m[i + I_BAR_INDEX + column] if m[i + I_INDEX_ROW] >= 0 else m[i + I_MARK]
    is_inside = m[i + I_GUARD_LO] <= m[i + I_MARK] <= m[i + I_GUARD_HI]
    if m[H_DIRTY] != 0 or not is_inside:
        m[H_NOW_MS] = _event_time(m, i, number)
        check_liquidation(m, acct_at(m, ACCOUNT), i)


@compiled
def _choose_path(m: I64, i: int) -> None:
    """Decide which extreme comes first, worse for the position in the adverse path (P3)."""
    opening = m[i + I_BAR]
    nearer_is_low = opening - m[i + I_BAR + B_LOW] <= m[i + I_BAR + B_HIGH] - opening
    low_first = 1 if nearer_is_low else 0
    if m[H_PATH] != NEARER_FIRST:
        p = leg_at(m, acct_at(m, ACCOUNT), i, 0)
        net = m[p + P_QTY] + m[p + LEG_COLS + P_QTY]
        if net != 0:
            low_first = 1 if net > 0 else 0
        else:
            sides = _entries(m, i)
            if sides == 1 or sides == 2:
                low_first = 0 if sides == 1 else 1
    m[i + I_LOW_FIRST] = low_first


@compiled
def _entries(m: I64, i: int) -> int:
    """Say whether orders that could open stand or are in flight: 1 buys, 2 sells, 3 both (P3)."""
    sides = 0
    is_spot = m[i + I_KIND] == SPOT
    for k in range(m[i + I_N_ORDERS]):
        o = order_at(m, i, k)
        if m[o + O_STATUS] == FREE or m[o + O_REDUCE] != 0:
            continue
        if m[o + O_SIDE] > 0 or not is_spot:
            sides |= 1 if m[o + O_SIDE] > 0 else 2
    return sides


@compiled
def _look_ahead(m: I64, funding_ts: I64, i: int) -> None:
    """See whether anything is left that the rest of the bar can do to the instrument."""
    if m[H_SKIP] != 0 and m[i + I_SLOW] != 0:
        refresh_watch(m, funding_ts, i)
        is_left = is_reached(
            m, i, m[i + I_BAR + B_LOW], m[i + I_BAR + B_HIGH], _event_time(m, i, 3)
        )
        if m[i + I_MARK_ROW] >= 0:
            low, high = m[i + I_BAR_MARK + B_LOW], m[i + I_BAR_MARK + B_HIGH]
            is_left = is_left or is_mark_reached(m, i, low, high)
        m[i + I_SLOW] = 1 if is_left else 0


@compiled
def _is_quiet(m: I64, mk: Market, j: int) -> bool:
    """Take the closing prices at once if the rest of the bar can do nothing to any instrument."""
    if m[H_DIRTY] != 0:
        return False
    for number in range(m[H_N_INST]):
        if mk.bars[number, j, B_VOLUME] != ABSENT and m[inst_at(number) + I_SLOW] != 0:
            return False
    for number in range(m[H_N_INST]):
        if mk.bars[number, j, B_VOLUME] != ABSENT:
            i = inst_at(number)
            _set_marks(m, i, B_CLOSE)
            set_point(m, i, m[i + I_BAR + B_CLOSE])
    m[H_EVENT] += 3
    return True


@compiled
def process_bar(m: I64, mk: Market, j: int) -> bool:
    """Lead the account through one row of the history: all instruments, event by event (P4).

    Returns
    -------
    bool
        Whether nothing happened after the row's opening, when what is watched was last looked for.
    """
    n, is_quiet = m[H_N_INST], False
    for number in range(n):
        if mk.bars[number, j, B_VOLUME] != ABSENT:
            i = inst_at(number)
            _copy_bar(m, mk, j, i)
            _begin_bar(m, i)
            settle_funding(m, mk.funding_ts, mk.funding_rate, i, mk.ts[j])
    for event in range(4):
        if event == 1 and _is_quiet(m, mk, j):
            is_quiet = m[H_SKIP] != 0
            break
        for number in range(n):
            if mk.bars[number, j, B_VOLUME] == ABSENT:
                continue
            i = inst_at(number)
            if m[i + I_SLOW] == 0:
                _pass_event(m, i, event)
            else:
                if event > 0:
                    until = _event_time(m, i, event)
                    settle_funding(m, mk.funding_ts, mk.funding_rate, i, until)
                _event(m, i, event)
            if event == 0:
                _choose_path(m, i)
                _look_ahead(m, mk.funding_ts, i)
    m[H_NOW_MS] = mk.ts[j] + m[H_TIMEFRAME_MS]
    return is_quiet

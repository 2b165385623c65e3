"""One decision: a target becomes a quantity, passes the limits, and goes in flight as orders."""

from openalpha.core.reasons import Reason
from openalpha.engine.compiled.plan import (
    ALL_IN,
    AMOUNT,
    FRACTION,
    IN_BAND,
    PL_ACTIVATION_E6,
    PL_AMOUNT,
    PL_BAND_E6,
    PL_DAILY_LOSS_E6,
    PL_DAY,
    PL_DAY_EQUITY,
    PL_DAY_LOST,
    PL_DRAWDOWN_E6,
    PL_FRACTION_E6,
    PL_HALTED,
    PL_KIND,
    PL_LAST_EQUITY,
    PL_LEVERAGE_E2,
    PL_MAX_ORDER,
    PL_MAX_POSITION_E6,
    PL_MAX_TRADES,
    PL_MIN_ORDER,
    PL_PEAK_EQUITY,
    PL_REBALANCE,
    PL_RESERVE_E8,
    PL_STOP_E6,
    PL_TAKE_PROFIT_E6,
    PL_TIME_EXIT_MS,
    PL_TRADES,
    PL_TRAILING_E6,
)
from openalpha.venue.kernel._compile import compiled
from openalpha.venue.kernel.account import ACCOUNT, acct_at, cash, leg_at, notional
from openalpha.venue.kernel.arith import floor_to, mul_div
from openalpha.venue.kernel.layout import (
    E6,
    E8,
    FREE,
    H_LATENCY_MS,
    H_NOW_MS,
    H_SEQ,
    I64,
    I_DEN,
    I_K,
    I_KIND,
    I_LAST,
    I_LOT,
    I_N_ORDERS,
    I_NUM,
    INVERSE,
    NO_TRIGGER,
    O_ATTACHED,
    O_CANCEL_AT,
    O_CANCEL_SEQ,
    O_CANCEL_WHY,
    O_FILLED,
    O_QTY,
    O_REDUCE,
    O_SIDE,
    O_STATUS,
    O_TKIND,
    O_WHOLE,
    O_X_ACTIVATION,
    O_X_STOP,
    O_X_TIME,
    O_X_TP,
    O_X_TRAIL,
    P_QTY,
    SPOT,
)
from openalpha.venue.kernel.margin import equity
from openalpha.venue.kernel.orders import NEVER, NO_SLOT, new_order, order_at
from openalpha.venue.kernel.path import take_steps

DAY_MS = 86_400_000
NEW_TARGET = int(Reason.CANCELLED_BY_NEW_TARGET)
UNCHANGED = int(Reason.UNCHANGED)
ORDERED = int(Reason.ORDERED)
BELOW_LOT = int(Reason.BELOW_LOT)
RISK_REFUSED = int(Reason.RISK_REFUSED)
DAILY_LOSS = int(Reason.BREAKER_DAILY_LOSS)
DRAWDOWN = int(Reason.BREAKER_DRAWDOWN)
MAX_TRADES = int(Reason.MAX_TRADES)
BANKRUPT = int(Reason.BANKRUPT)


@compiled
def _full_size(plan: I64, equity_cash: int, size_e6: int) -> int:
    """Return what a target of 1 is worth, in cash units."""
    kind = plan[PL_KIND]
    if kind == AMOUNT:
        return int(plan[PL_AMOUNT])
    if kind == ALL_IN:
        whole = mul_div(equity_cash, plan[PL_LEVERAGE_E2], 100)
    elif kind == FRACTION:
        whole = mul_div(equity_cash, plan[PL_FRACTION_E6], E6)
    else:
        whole = mul_div(equity_cash, size_e6, E6)
    return mul_div(whole, E8, E8 + plan[PL_RESERVE_E8])


@compiled
def _quantity(m: I64, i: int, plan: I64, budget: int, target_e6: int) -> int:
    """Return the whole lots, in quantity units, that a share of a budget buys at the last price."""
    money = mul_div(budget, abs(target_e6), E6)
    price = m[i + I_LAST]
    if m[i + I_KIND] == INVERSE:
        qty = mul_div(money, price, m[i + I_K])
    else:
        qty = mul_div(money, m[i + I_DEN], m[i + I_NUM] * price)
    return floor_to(qty, m[i + I_LOT])


@compiled
def _cancel_entries(m: I64, i: int) -> None:
    """Put in flight the cancel of all the strategy's own unfilled orders (not attached exits)."""
    for k in range(m[i + I_N_ORDERS]):
        o = order_at(m, i, k)
        is_own = m[o + O_STATUS] != FREE and m[o + O_ATTACHED] == 0
        if is_own and m[o + O_CANCEL_AT] == NEVER:
            m[H_SEQ] += 1
            m[o + O_CANCEL_AT] = m[H_NOW_MS] + m[H_LATENCY_MS]
            m[o + O_CANCEL_SEQ] = m[H_SEQ]
            m[o + O_CANCEL_WHY] = NEW_TARGET


@compiled
def _open(m: I64, i: int, plan: I64, signed_qty: int) -> None:
    """Put a market order in flight that opens or adds, and carries the plan's exits."""
    o = new_order(m, i)
    if o == NO_SLOT:
        return
    m[o + O_SIDE] = 1 if signed_qty > 0 else -1
    m[o + O_QTY] = abs(signed_qty)
    m[o + O_X_STOP] = plan[PL_STOP_E6]
    m[o + O_X_TP] = plan[PL_TAKE_PROFIT_E6]
    m[o + O_X_TRAIL] = plan[PL_TRAILING_E6]
    m[o + O_X_ACTIVATION] = plan[PL_ACTIVATION_E6]
    m[o + O_X_TIME] = plan[PL_TIME_EXIT_MS]


@compiled
def _reduce(m: I64, i: int, held: int, qty: int) -> None:
    """Put a reduce-only market order in flight; quantity 0 closes whatever is held when it arrives.

    An entry still working may add to the position before its cancel arrives: flat must mean flat.
    """
    o = new_order(m, i)
    if o == NO_SLOT:
        return
    m[o + O_SIDE] = -1 if held > 0 else 1
    m[o + O_QTY] = qty
    m[o + O_WHOLE] = 1 if qty == 0 else 0
    m[o + O_REDUCE] = 1


@compiled
def follow_limits(m: I64, limits: I64) -> bool:
    """Follow the account's day and peak to a bar's close. Call it at every bar.

    Parameters
    ----------
    limits : int64[PLAN_COLS]
        The plan that keeps the account's state (row 0). A day begins with the equity at the close
        before it.

    Returns
    -------
    bool
        Whether the account has fallen too far from its peak and must be closed for good.
    """
    now_equity = equity(m, acct_at(m, ACCOUNT))
    day = (m[H_NOW_MS] - 1) // DAY_MS
    if day != limits[PL_DAY]:
        limits[PL_DAY] = day
        limits[PL_DAY_EQUITY] = limits[PL_LAST_EQUITY]
        limits[PL_TRADES] = limits[PL_DAY_LOST] = 0
    limits[PL_LAST_EQUITY] = now_equity
    opening, share = limits[PL_DAY_EQUITY], limits[PL_DAILY_LOSS_E6]
    if share > 0 and opening - now_equity > mul_div(opening, share, E6):
        limits[PL_DAY_LOST] = 1
    peak = max(limits[PL_PEAK_EQUITY], now_equity)
    limits[PL_PEAK_EQUITY] = peak
    share = limits[PL_DRAWDOWN_E6]
    if share > 0 and peak - now_equity > mul_div(peak, share, E6):
        limits[PL_HALTED] = 1
    return bool(limits[PL_HALTED] != 0)


@compiled
def close_for_good(m: I64, i: int) -> bool:
    """Cancel the entries and close the position of a halted account. False: nothing to do."""
    held = m[leg_at(m, acct_at(m, ACCOUNT), i, 0) + P_QTY]
    if m[i + I_KIND] == SPOT:
        held = floor_to(held, m[i + I_LOT])
    is_closing = held == 0
    has_entries = False
    for k in range(m[i + I_N_ORDERS]):
        o = order_at(m, i, k)
        if m[o + O_STATUS] == FREE or m[o + O_ATTACHED] != 0 or m[o + O_TKIND] != NO_TRIGGER:
            continue
        if m[o + O_REDUCE] == 0:
            has_entries = has_entries or m[o + O_CANCEL_WHY] != NEW_TARGET
        elif m[o + O_WHOLE] != 0 or m[o + O_QTY] - m[o + O_FILLED] >= abs(held):
            is_closing = True
    if has_entries or not is_closing:
        _cancel_entries(m, i)
    if not is_closing:
        _reduce(m, i, held, 0)
    return has_entries or not is_closing


@compiled
def _stopped(limits: I64) -> int:
    """Return the reason why nothing may be opened, or 0."""
    if limits[PL_HALTED] != 0:
        return DRAWDOWN
    return DAILY_LOSS if limits[PL_DAY_LOST] != 0 else 0


@compiled
def _limited(m: I64, i: int, plan: I64, wanted: int, held: int, now_equity: int) -> int:
    """Shrink the size wanted to what the limits allow; never enlarge it."""
    size = abs(wanted)
    if plan[PL_MAX_POSITION_E6] > 0:
        cap = mul_div(now_equity, plan[PL_MAX_POSITION_E6], E6)
        size = min(size, _quantity(m, i, plan, cap, E6))
    if plan[PL_MAX_ORDER] > 0:
        same_side = abs(held) if (held > 0) == (wanted > 0) else 0
        size = min(size, same_side + _quantity(m, i, plan, plan[PL_MAX_ORDER], E6))
    return size if wanted > 0 else -size


@compiled
def _entry_refusal(m: I64, i: int, limits: I64, qty: int) -> int:
    """Return the reason why an opening order of the day is refused by the limits, or 0."""
    worth = cash(m, i, notional(m, i, qty, m[i + I_LAST]))
    if limits[PL_MIN_ORDER] > 0 and worth < limits[PL_MIN_ORDER]:
        return RISK_REFUSED
    if limits[PL_MAX_TRADES] > 0 and limits[PL_TRADES] >= limits[PL_MAX_TRADES]:
        return MAX_TRADES
    limits[PL_TRADES] += 1
    return 0


@compiled
def decide(m: I64, i: int, plan: I64, limits: I64, target_e6: int, size_e6: int) -> int:
    """Make the orders that lead from what is held to what is wanted.

    Parameters
    ----------
    m, i : the kernel's memory and the instrument's place
    plan : int64[PLAN_COLS]
        Sizing, exits, limits, and the step's own state.
    limits : int64[PLAN_COLS]
        The plan that keeps the state of the account's limits (`follow_limits`).
    target_e6 : int
        Wanted fraction of the full size, in millionths.
    size_e6 : int
        Share of equity a full target has at this bar, where the sizing kind varies.

    Returns
    -------
    int
        Reason code of the decision.
    """
    a = acct_at(m, ACCOUNT)
    take_steps(m, i, m[H_NOW_MS])  # the lot that will be in force when the order arrives
    held = m[leg_at(m, a, i, 0) + P_QTY]
    if m[i + I_KIND] == SPOT:
        held = floor_to(held, m[i + I_LOT])
        target_e6 = max(target_e6, 0)
    now_equity = equity(m, a)
    if now_equity <= 0:
        return BANKRUPT
    stopped = _stopped(limits)
    if stopped == DRAWDOWN:
        return DRAWDOWN
    qty = _quantity(m, i, plan, _full_size(plan, now_equity, size_e6), target_e6)
    wanted = qty if target_e6 > 0 else -qty
    if wanted != 0:
        wanted = _limited(m, i, plan, wanted, held, now_equity)
    if plan[PL_REBALANCE] == IN_BAND and wanted != 0 and (held > 0) == (wanted > 0) and held != 0:
        if abs(wanted - held) <= mul_div(abs(wanted), plan[PL_BAND_E6], E6):
            return UNCHANGED
    _cancel_entries(m, i)
    if wanted == held:
        return BELOW_LOT if qty == 0 and target_e6 != 0 else UNCHANGED
    return _trade(m, i, plan, limits, held, wanted, stopped)


@compiled
def _trade(m: I64, i: int, plan: I64, limits: I64, held: int, wanted: int, stopped: int) -> int:
    """Order the way from what is held to what is wanted; a flip is a close and an open."""
    is_flip = (held > 0 and wanted < 0) or (held < 0 and wanted > 0)
    if is_flip or wanted == 0:
        _reduce(m, i, held, 0)
        held = 0
    elif abs(wanted) < abs(held):
        _reduce(m, i, held, abs(held - wanted))
        held = wanted
    if wanted == held:
        return ORDERED
    refused = stopped if stopped != 0 else _entry_refusal(m, i, limits, abs(wanted - held))
    if refused != 0:
        return refused
    _open(m, i, plan, wanted - held)
    return ORDERED

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
    PL_DRAWDOWN_E6,
    PL_FRACTION_E6,
    PL_HALTED,
    PL_KIND,
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
    O_ATTACHED,
    O_CANCEL_AT,
    O_CANCEL_SEQ,
    O_CANCEL_WHY,
    O_QTY,
    O_REDUCE,
    O_SIDE,
    O_STATUS,
    O_X_ACTIVATION,
    O_X_STOP,
    O_X_TIME,
    O_X_TP,
    O_X_TRAIL,
    P_QTY,
    SPOT,
)
from openalpha.venue.kernel.margin import equity
from openalpha.venue.kernel.orders import NO_SLOT, new_order, order_at

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
        return plan[PL_AMOUNT]
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
        if m[o + O_STATUS] != FREE and m[o + O_ATTACHED] == 0:
            m[H_SEQ] += 1
            m[o + O_CANCEL_AT] = m[H_NOW_MS] + m[H_LATENCY_MS]
            m[o + O_CANCEL_SEQ] = m[H_SEQ]
            m[o + O_CANCEL_WHY] = NEW_TARGET


@compiled
def _order(m: I64, i: int, plan: I64, signed_qty: int, reduces: bool) -> None:
    """Put a market order in flight; one that opens carries the plan's exits."""
    o = new_order(m, i)
    if o == NO_SLOT:
        return
    m[o + O_SIDE] = 1 if signed_qty > 0 else -1
    m[o + O_QTY] = abs(signed_qty)
    if reduces:
        m[o + O_REDUCE] = 1
    else:
        m[o + O_X_STOP] = plan[PL_STOP_E6]
        m[o + O_X_TP] = plan[PL_TAKE_PROFIT_E6]
        m[o + O_X_TRAIL] = plan[PL_TRAILING_E6]
        m[o + O_X_ACTIVATION] = plan[PL_ACTIVATION_E6]
        m[o + O_X_TIME] = plan[PL_TIME_EXIT_MS]


@compiled
def _breaker(m: I64, plan: I64, now_equity: int) -> int:
    """Follow day and peak equity; return the reason why nothing may be opened, or 0."""
    day = (m[H_NOW_MS] - 1) // DAY_MS
    if day != plan[PL_DAY]:
        plan[PL_DAY] = day
        plan[PL_DAY_EQUITY] = now_equity
        plan[PL_TRADES] = 0
    plan[PL_PEAK_EQUITY] = max(plan[PL_PEAK_EQUITY], now_equity)
    fall = plan[PL_PEAK_EQUITY] - now_equity
    if plan[PL_DRAWDOWN_E6] > 0 and fall > mul_div(plan[PL_PEAK_EQUITY], plan[PL_DRAWDOWN_E6], E6):
        plan[PL_HALTED] = 1
    if plan[PL_HALTED] != 0:
        return DRAWDOWN
    loss = plan[PL_DAY_EQUITY] - now_equity
    limit = mul_div(plan[PL_DAY_EQUITY], plan[PL_DAILY_LOSS_E6], E6)
    return DAILY_LOSS if plan[PL_DAILY_LOSS_E6] > 0 and loss > limit else 0


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
def _entry_refusal(m: I64, i: int, plan: I64, qty: int) -> int:
    """Return the reason why an opening order of the day is refused by the limits, or 0."""
    worth = cash(m, i, notional(m, i, qty, m[i + I_LAST]))
    if plan[PL_MIN_ORDER] > 0 and worth < plan[PL_MIN_ORDER]:
        return RISK_REFUSED
    if plan[PL_MAX_TRADES] > 0 and plan[PL_TRADES] >= plan[PL_MAX_TRADES]:
        return MAX_TRADES
    plan[PL_TRADES] += 1
    return 0


@compiled
def decide(m: I64, i: int, plan: I64, target_e6: int, size_e6: int) -> int:
    """Make the orders that lead from what is held to what is wanted.

    Parameters
    ----------
    m, i : the kernel's memory and the instrument's place
    plan : int64[PLAN_COLS]
        Sizing, exits, limits, and the step's own state.
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
    held = m[leg_at(m, a, i, 0) + P_QTY]
    if m[i + I_KIND] == SPOT:
        held = floor_to(held, m[i + I_LOT])
        target_e6 = max(target_e6, 0)
    now_equity = equity(m, a)
    stopped = _breaker(m, plan, now_equity)
    if now_equity <= 0:
        return BANKRUPT
    qty = _quantity(m, i, plan, _full_size(plan, now_equity, size_e6), target_e6)
    wanted = qty if target_e6 > 0 else -qty
    if wanted != 0:
        wanted = _limited(m, i, plan, wanted, held, now_equity)
    if stopped == DRAWDOWN:
        wanted = 0
    if plan[PL_REBALANCE] == IN_BAND and wanted != 0 and (held > 0) == (wanted > 0) and held != 0:
        if abs(wanted - held) <= mul_div(abs(wanted), plan[PL_BAND_E6], E6):
            return UNCHANGED
    _cancel_entries(m, i)
    return _trade(m, i, plan, held, wanted, stopped, qty == 0 and target_e6 != 0)


@compiled
def _trade(m: I64, i: int, plan: I64, held: int, wanted: int, stopped: int, too_small: bool) -> int:
    """Order the way from what is held to what is wanted; a flip is a close and an open."""
    if wanted == held:
        return BELOW_LOT if too_small else UNCHANGED
    is_flip = (held > 0 and wanted < 0) or (held < 0 and wanted > 0)
    if is_flip:
        _order(m, i, plan, -held, True)
        held = 0
    if abs(wanted) < abs(held):
        _order(m, i, plan, wanted - held, True)
        return ORDERED
    if stopped != 0:
        return stopped
    refused = _entry_refusal(m, i, plan, abs(wanted - held))
    if refused != 0:
        return refused
    _order(m, i, plan, wanted - held, False)
    return ORDERED

"""How a live order takes or makes liquidity on the bar path (rules O2, O3, O5-O7)."""

import math

from openalpha.core.reasons import Reason
from openalpha.venue.kernel._compile import compiled, inlined
from openalpha.venue.kernel.account import apply_fill, closing_part
from openalpha.venue.kernel.arith import ceil_to, floor_to, mul_div, mul_div_up
from openalpha.venue.kernel.exits import attach_exits, has_exits
from openalpha.venue.kernel.layout import (
    BIG,
    E8,
    EV_FILL_ALL,
    EV_FILL_PART,
    F_BASE,
    F_IMPACT_E8,
    F_REASON,
    F_ROLE,
    FOK,
    FREE,
    I64,
    I_BUDGET,
    I_HALF_SPREAD_E8,
    I_IMPACT_E8,
    I_KIND,
    I_LOT,
    I_STARVED,
    I_TICK,
    I_VOLUME,
    IOC,
    LIMIT,
    MAKER,
    O_ACCT,
    O_FILLED,
    O_ID,
    O_LIMIT,
    O_OCO,
    O_QTY,
    O_REASON,
    O_REDUCE,
    O_SIDE,
    O_STATUS,
    O_TIF,
    O_TYPE,
    O_WHOLE,
    P_COST,
    P_MAKER_E8,
    P_QTY,
    P_TAKER_E8,
    POST_ONLY,
    SPOT,
    TAKER,
)
from openalpha.venue.kernel.orders import (
    acct_of,
    cancel_group,
    cancel_order,
    cancel_reducing,
    finish,
    leg_of,
    reject_order,
    step_status,
)

MAX_SLIP_E8 = 50_000_000
LIMIT_TAKEN = int(Reason.LIMIT_TAKEN)
LIMIT_RESTED = int(Reason.LIMIT_RESTED)
IOC_REMAINDER = int(Reason.IOC_REMAINDER)
FOK_NOT_FILLABLE = int(Reason.FOK_NOT_FILLABLE)
POST_ONLY_WOULD_TAKE = int(Reason.POST_ONLY_WOULD_TAKE)
NO_POSITION = int(Reason.REDUCE_ONLY_NO_POSITION)
OFF_LOT = int(Reason.OFF_LOT)


@compiled
def impact_e8(m: I64, i: int, qty: int) -> int:
    """Return the price impact of taking a quantity from this bar, in 10^-8 of the price (O2)."""
    full = m[i + I_IMPACT_E8]
    if full == 0 or m[i + I_VOLUME] <= 0:
        return full
    share = float(qty) / float(m[i + I_VOLUME])
    return math.floor(min(float(full) * math.sqrt(share), float(MAX_SLIP_E8)))


@compiled
def taker_price(m: I64, i: int, side: int, base: int, impact: int) -> int:
    """Return a taker's price: base, half spread and impact, rounded a tick against it (O2)."""
    slip = min(m[i + I_HALF_SPREAD_E8] + impact, MAX_SLIP_E8)
    tick = m[i + I_TICK]
    if side > 0:
        raw = mul_div_up(base, E8 + slip, E8) if slip != 0 else base
        return max(ceil_to(raw, tick), tick)
    raw = mul_div(base, E8 - slip, E8) if slip != 0 else base
    return max(floor_to(raw, tick), tick)


@inlined
def closable(m: I64, i: int, p: int, side: int) -> int:
    """Return the whole lots a reduce-only order of this side can close (O7, X7)."""
    return floor_to(closing_part(m, p, side * (BIG - 1)), m[i + I_LOT])


@inlined
def is_flat(m: I64, i: int, p: int) -> bool:
    """Say whether a leg is closed; a spot balance below one lot is dust (O7)."""
    held = m[p + P_QTY]
    return held < m[i + I_LOT] if m[i + I_KIND] == SPOT else held == 0


@compiled
def cut_to_position(m: I64, i: int, o: int) -> bool:
    """Cut a reduce-only order to the position it reduces; False if there is none (O7)."""
    room = closable(m, i, leg_of(m, i, o), m[o + O_SIDE])
    if room == 0:
        return False
    rest = m[o + O_QTY] - m[o + O_FILLED]
    m[o + O_QTY] = m[o + O_FILLED] + (room if m[o + O_WHOLE] != 0 else min(rest, room))
    m[o + O_WHOLE] = 0
    return True


@compiled
def _takeable(m: I64, i: int, o: int) -> int:
    """Return how much the order may trade now: whole lots within the bar's budget (O3)."""
    rest = m[o + O_QTY] - m[o + O_FILLED]
    if rest > m[i + I_BUDGET]:
        m[i + I_STARVED] = 1
    return floor_to(min(rest, m[i + I_BUDGET]), m[i + I_LOT])


@compiled
def fill_order(m: I64, i: int, o: int, qty: int, price: int, role: int, reason: int) -> int:
    """Fill part of an order and do all that follows; returns the place of the fill's row."""
    a, p = acct_of(m, o), leg_of(m, i, o)
    x = m[o + O_SIDE] * qty
    held = m[p + P_QTY]
    opened = qty - closing_part(m, p, x)
    fee_e8 = m[p + P_TAKER_E8] if role == TAKER else m[p + P_MAKER_E8]
    f = apply_fill(m, a, i, p, x, price, fee_e8, m[o + O_ID])
    m[f + F_ROLE] = role
    m[f + F_REASON] = reason
    m[f + F_BASE] = price
    m[f + F_IMPACT_E8] = 0
    if m[i + I_BUDGET] < BIG:
        m[i + I_BUDGET] -= qty
    m[o + O_FILLED] += qty
    is_full = m[o + O_FILLED] >= m[o + O_QTY]
    step_status(m, o, EV_FILL_ALL if is_full else EV_FILL_PART)
    group, account, order_id = m[o + O_OCO], m[o + O_ACCT], m[o + O_ID]
    cancel_group(m, i, account, group, order_id)
    is_closed = is_flat(m, i, p)
    after = m[p + P_QTY]
    if is_closed or (held > 0 and after < 0) or (held < 0 and after > 0):
        cancel_reducing(m, i, p, order_id)
    if opened > 0 and not is_closed and m[p + P_COST] != 0 and has_exits(m, o):
        attach_exits(m, i, p, o)
    if is_full:
        finish(m, i, o, reason)
    return f


@compiled
def _take(m: I64, i: int, o: int, qty: int, base: int, bound: int, reason: int) -> None:
    """Take a quantity at the taker price of a base, never worse than `bound` (0: none)."""
    side = m[o + O_SIDE]
    impact = impact_e8(m, i, qty)
    price = taker_price(m, i, side, base, impact)
    if bound > 0:
        price = min(price, bound) if side > 0 else max(price, bound)
    f = fill_order(m, i, o, qty, price, TAKER, reason)
    m[f + F_BASE] = base
    m[f + F_IMPACT_E8] = impact


@inlined
def is_done(m: I64, o: int, order_id: int) -> bool:
    """Say whether the order that stood in a slot has ended meanwhile."""
    return m[o + O_STATUS] == FREE or m[o + O_ID] != order_id


@compiled
def execute(m: I64, i: int, o: int, base: int) -> None:
    """Execute a live order at a base price: take what it may, then rest or end (O5, O6)."""
    order_id, tif, side = m[o + O_ID], m[o + O_TIF], m[o + O_SIDE]
    is_marketable, bound, reason = True, 0, m[o + O_REASON]
    if m[o + O_TYPE] == LIMIT:
        bound, reason = m[o + O_LIMIT], LIMIT_TAKEN
        touch = taker_price(m, i, side, base, 0)
        is_marketable = bound >= touch if side > 0 else bound <= touch
        if is_marketable and tif == POST_ONLY:
            reject_order(m, i, o, POST_ONLY_WOULD_TAKE)
            return
    qty = _takeable(m, i, o) if is_marketable else 0
    if tif == FOK and qty < m[o + O_QTY] - m[o + O_FILLED]:
        cancel_order(m, i, o, FOK_NOT_FILLABLE)
        return
    if qty > 0:
        _take(m, i, o, qty, base, bound, reason)
    if tif == IOC and not is_done(m, o, order_id):
        cancel_order(m, i, o, IOC_REMAINDER)


@compiled
def fill_resting(m: I64, i: int, o: int) -> None:
    """Fill a resting limit order the price has traded through, as maker at its own price (E6)."""
    if m[o + O_REDUCE] != 0 and not cut_to_position(m, i, o):
        cancel_order(m, i, o, NO_POSITION)
        return
    qty = _takeable(m, i, o)
    if qty == 0:  # what is left is no whole lot (the lot size changed): it can never fill
        cancel_order(m, i, o, OFF_LOT)
    else:
        fill_order(m, i, o, qty, m[o + O_LIMIT], MAKER, LIMIT_RESTED)

"""Liquidation as the venue does it: cancel, reduce tier by tier, take over (rules L)."""

from openalpha.core.reasons import Reason
from openalpha.venue.kernel._compile import compiled, inlined
from openalpha.venue.kernel.account import (
    INSURANCE,
    LIQUIDATION_FEE,
    apply_effect,
    apply_fill,
    fee_of,
    inst_at,
    leg_at,
    value,
)
from openalpha.venue.kernel.arith import floor_to, mul_div, mul_div_up
from openalpha.venue.kernel.execute import taker_price
from openalpha.venue.kernel.guard import refresh_guard
from openalpha.venue.kernel.layout import (
    AC_BALANCES,
    AC_MARGIN_MODE,
    AC_NUMBER,
    F_BASE,
    F_FEE,
    F_IMPACT_E8,
    F_REASON,
    F_ROLE,
    H_DIRTY,
    H_LIQUIDATIONS,
    H_N_FILLS,
    H_N_INST,
    H_SKIP,
    I64,
    I_DEN,
    I_GUARD_HI,
    I_GUARD_LO,
    I_K,
    I_KIND,
    I_LOT,
    I_MARK,
    I_NUM,
    I_TICK,
    I_TIERS_AT,
    INVERSE,
    ISOLATED,
    P_COST,
    P_MARGIN,
    P_QTY,
    P_TAKER_E8,
    SPOT,
    TAKER,
    TI_LIMIT,
    TIER_COLS,
)
from openalpha.venue.kernel.margin import (
    has_perpetual,
    isolated_gap,
    leg_notional,
    maintenance,
    margin_balance,
    tier_of,
    total_maintenance,
)
from openalpha.venue.kernel.orders import cancel_reducing, cancel_standing

PARTIAL = int(Reason.LIQUIDATION_PARTIAL)
TAKEOVER = int(Reason.LIQUIDATION_TAKEOVER)
BY_LIQUIDATION = int(Reason.CANCELLED_BY_LIQUIDATION)
LIQUIDATION_ORDER = -1
NO_LEG = -1


@compiled
def close_leg(m: I64, a: int, i: int, p: int, qty: int, price: int, reason: int) -> None:
    """Trade a liquidation; a takeover's fee is bounded by what the wallet still holds (L3)."""
    x = -qty if m[p + P_QTY] > 0 else qty
    f = apply_fill(m, a, i, p, x, price, 0, LIQUIDATION_ORDER)
    fee = fee_of(m, i, qty, price, m[p + P_TAKER_E8])
    if reason == TAKEOVER:
        fee = max(fee, -max(m[a + AC_BALANCES], 0))
    apply_effect(m, a, 0, LIQUIDATION_FEE, fee, i, m[H_N_FILLS] - 1)
    m[f + F_FEE] = fee
    m[f + F_REASON] = reason
    m[f + F_ROLE] = TAKER
    m[f + F_BASE] = m[i + I_MARK]
    m[f + F_IMPACT_E8] = 0
    if m[p + P_QTY] == 0:
        cancel_reducing(m, i, p, LIQUIDATION_ORDER)
    if m[a + AC_BALANCES] < 0:
        _insure(m, a, i)


@compiled
def _insure(m: I64, a: int, i: int) -> None:
    """Let insurance pay what a liquidation left owing; spot collateral answers first (X14)."""
    owed = -m[a + AC_BALANCES]
    if m[a + AC_MARGIN_MODE] != ISOLATED:
        if has_perpetual(m, a):
            return
        owed = -margin_balance(m, a)
    if owed > 0:
        apply_effect(m, a, 0, INSURANCE, owed, i, -1)


@compiled
def _price_of_value(m: I64, i: int, p: int, spare: int) -> int:
    """Return the price at which the leg has the value `spare` (value units), a tick inward (L3)."""
    held, tick = m[p + P_QTY], m[i + I_TICK]
    over, under = spare, held
    if m[i + I_KIND] == INVERSE:
        over, under = -held * m[i + I_K], spare
        if under == 0 or (over < 0) != (under < 0):
            return m[i + I_MARK]
    if under < 0:
        over, under = -over, -under
    if over <= 0:
        return tick
    if held > 0:
        return max(-((-over) // (under * tick)), 1) * tick
    return max(over // (under * tick), 1) * tick


@compiled
def bankruptcy_price(m: I64, a: int, i: int, p: int) -> int:
    """Return the price at which closing a leg leaves its account or its margin nothing (L3)."""
    held = m[p + P_QTY]
    if m[a + AC_MARGIN_MODE] == ISOLATED:
        spare = mul_div_up(m[p + P_COST] - m[p + P_MARGIN], m[i + I_DEN], m[i + I_NUM])
    else:
        lost = mul_div(margin_balance(m, a), m[i + I_DEN], m[i + I_NUM])
        spare = value(m, i, held, m[i + I_MARK]) - lost
    return _price_of_value(m, i, p, spare)


@compiled
def reduction(m: I64, i: int, p: int, amount: int, is_last: bool) -> int:
    """Return how much of a leg is closed in the market; 0: the venue takes all of it over (L3)."""
    size, lot = abs(m[p + P_QTY]), m[i + I_LOT]
    k = tier_of(m, i, amount)
    if k > 0:
        limit = m[m[i + I_TIERS_AT] + (k - 1) * TIER_COLS + TI_LIMIT]
        kept = floor_to(mul_div(size, limit, amount), lot)
        return min(max(size - kept, lot), size)
    return 0 if is_last else size


@compiled
def _reduce(m: I64, a: int, i: int, p: int, amount: int, is_last: bool) -> None:
    """Reduce a leg to the next tier, close it if others remain, or let it be taken over (L3)."""
    held = m[p + P_QTY]
    qty = reduction(m, i, p, amount, is_last)
    if qty == 0:
        close_leg(m, a, i, p, abs(held), bankruptcy_price(m, a, i, p), TAKEOVER)
    else:
        price = taker_price(m, i, -1 if held > 0 else 1, m[i + I_MARK], 0)
        close_leg(m, a, i, p, qty, price, PARTIAL)


@compiled
def _worst_leg(m: I64, a: int) -> tuple[int, int, int]:
    """Return instrument and leg of the largest maintenance margin, and the number of legs held."""
    best_i, best_p, best, count = -1, -1, -1, 0
    for number in range(m[H_N_INST]):
        i = inst_at(number)
        for leg in range(2):
            p = leg_at(m, a, i, leg)
            if m[i + I_KIND] == SPOT or m[p + P_QTY] == 0:
                continue
            count += 1
            margin = maintenance(m, i, leg_notional(m, i, p))
            if margin > best:
                best_i, best_p, best = i, p, margin
    return best_i, best_p, count


@compiled
def _next_of_cross(m: I64, a: int, before: int) -> tuple[int, int, int, bool]:
    """Find the leg a cross account must reduce, cancelling its orders at first (L1-L3)."""
    if not has_perpetual(m, a) or margin_balance(m, a) > total_maintenance(m, a):
        return -1, NO_LEG, 0, False
    if before == NO_LEG:
        m[H_LIQUIDATIONS] += 1
        for number in range(m[H_N_INST]):
            cancel_standing(m, inst_at(number), m[a + AC_NUMBER], BY_LIQUIDATION)
    i, p, count = _worst_leg(m, a)
    return i, p, leg_notional(m, i, p), count == 1


@compiled
def _next_of_legs(m: I64, a: int, before: int) -> tuple[int, int, int, bool]:
    """Find the first isolated leg that must be reduced, cancelling its orders at first (L1-L3)."""
    for number in range(m[H_N_INST]):
        i = inst_at(number)
        for leg in range(2):
            p = leg_at(m, a, i, leg)
            if m[i + I_KIND] == SPOT or m[p + P_QTY] == 0:
                continue
            if isolated_gap(m, i, p, m[i + I_MARK]) > 0:
                continue
            if p != before:
                m[H_LIQUIDATIONS] += 1
                cancel_standing(m, i, m[a + AC_NUMBER], BY_LIQUIDATION)
            return i, p, abs(m[p + P_COST]), True
    return -1, NO_LEG, 0, False


@compiled
def next_reduction(m: I64, a: int, before: int) -> tuple[int, int, int, bool]:
    """Find what a liquidation of an account must reduce next, if anything.

    Parameters
    ----------
    before : int
        The leg this liquidation reduced before, NO_LEG at first.

    Returns
    -------
    tuple
        Instrument, leg (NO_LEG: nothing), its notional in cash units, and whether it is the last.
    """
    if m[a + AC_MARGIN_MODE] == ISOLATED:
        return _next_of_legs(m, a, before)
    return _next_of_cross(m, a, before)


@inlined
def check_liquidation(m: I64, a: int, i: int) -> bool:
    """Liquidate what must be after an instrument moved; the guard proves most checks needless.

    Returns
    -------
    bool
        Whether a liquidation happened.
    """
    if m[H_DIRTY] == 0 and m[H_SKIP] != 0:
        if m[i + I_GUARD_LO] <= m[i + I_MARK] <= m[i + I_GUARD_HI]:
            return False
    return _is_liquidated(m, a)


@compiled
def _is_liquidated(m: I64, a: int) -> bool:
    """Look at the account, liquidate what must be, and find the guard bands anew."""
    if m[H_SKIP] != 0 and refresh_guard(m, a):
        m[H_DIRTY] = 0
        return False
    j, p, amount, is_last = next_reduction(m, a, NO_LEG)
    happened = p != NO_LEG
    while p != NO_LEG:
        _reduce(m, a, j, p, amount, is_last)
        j, p, amount, is_last = next_reduction(m, a, p)
    refresh_guard(m, a)
    m[H_DIRTY] = 0
    return happened

"""Equity, margin and what an order needs (rules M)."""

from openalpha.venue.kernel._compile import compiled, inlined
from openalpha.venue.kernel.account import (
    acct_at,
    cash,
    cash_up,
    inst_at,
    leg_at,
    notional,
    unrealised,
)
from openalpha.venue.kernel.arith import mul_div, mul_div_up
from openalpha.venue.kernel.layout import (
    AC_BALANCES,
    AC_MARGIN_MODE,
    AC_NUMBER,
    E8,
    H_N_INST,
    I64,
    I_COLLATERAL_E4,
    I_KIND,
    I_MARK,
    I_MAX_LEVERAGE_E2,
    I_N_ORDERS,
    I_N_TIERS,
    I_ORDERS_AT,
    I_TIERS_AT,
    ISOLATED,
    LEG_COLS,
    LIMIT,
    O_ACCT,
    O_FILLED,
    O_LEG,
    O_LIMIT,
    O_QTY,
    O_REDUCE,
    O_SIDE,
    O_STATUS,
    O_TYPE,
    OPEN,
    ORDER_COLS,
    P_ACCT,
    P_COST,
    P_LEVERAGE_E2,
    P_MARGIN,
    P_QTY,
    P_TAKER_E8,
    PARTLY,
    SPOT,
    TI_DEDUCTION,
    TI_LIMIT,
    TI_MAX_LEVERAGE_E2,
    TI_MMR_E8,
    TIER_COLS,
)

NOT_THIS = -1


@compiled
def tier_of(m: I64, i: int, amount: int) -> int:
    """Return the risk tier of a notional (cash units); beyond all, the last; -1 without (M1)."""
    last = m[i + I_N_TIERS] - 1
    t = m[i + I_TIERS_AT]
    for k in range(last):
        if m[t + k * TIER_COLS + TI_LIMIT] >= amount:
            return k
    return last


@compiled
def maintenance(m: I64, i: int, amount: int) -> int:
    """Return the maintenance margin of a notional in cash units (M1)."""
    k = tier_of(m, i, amount)
    if k < 0:
        return 0
    t = m[i + I_TIERS_AT] + k * TIER_COLS
    return max(mul_div_up(amount, m[t + TI_MMR_E8], E8) - m[t + TI_DEDUCTION], 0)


@compiled
def maintenance_most(m: I64, i: int, amount: int) -> int:
    """Return the largest of all tiers' maintenance margins of a notional.

    Equal to `maintenance` where a venue's tiers join without a step; where they do not, this bound
    still grows steadily with the notional, which `maintenance` then does not.
    """
    most = 0
    for k in range(m[i + I_N_TIERS]):
        t = m[i + I_TIERS_AT] + k * TIER_COLS
        most = max(most, mul_div_up(amount, m[t + TI_MMR_E8], E8) - m[t + TI_DEDUCTION])
    return most


@compiled
def close_fee(m: I64, p: int, amount: int, side: int) -> int:
    """Return the fee expected for closing a notional at its bankruptcy price (M3)."""
    leverage_e2 = m[p + P_LEVERAGE_E2]
    if leverage_e2 == side * 100:
        return 0
    return mul_div_up(amount, (leverage_e2 - side * 100) * m[p + P_TAKER_E8], leverage_e2 * E8)


@inlined
def initial_margin(m: I64, p: int, amount: int) -> int:
    """Return a notional over the leg's leverage, rounded up (M2)."""
    leverage_e2 = m[p + P_LEVERAGE_E2]
    return amount if leverage_e2 == 100 else mul_div_up(amount, 100, leverage_e2)


@compiled
def margin_balance(m: I64, a: int) -> int:
    """Return E of M2: wallet, open profit of perpetuals and the collateral value of spot coins."""
    total = m[a + AC_BALANCES]
    for number in range(m[H_N_INST]):
        i = inst_at(number)
        p = leg_at(m, a, i, 0)
        if m[i + I_KIND] == SPOT:
            if m[i + I_COLLATERAL_E4] > 0 and m[p + P_QTY] > 0:
                worth = cash(m, i, m[p + P_QTY] * m[i + I_MARK])
                total += mul_div(worth, m[i + I_COLLATERAL_E4], 10_000)
        else:
            for leg in range(2):
                total += unrealised(m, i, p + leg * LEG_COLS, m[i + I_MARK])
    return total


@inlined
def leg_notional(m: I64, i: int, p: int) -> int:
    """Return a perpetual leg's notional at the mark, in cash units."""
    return cash_up(m, i, notional(m, i, abs(m[p + P_QTY]), m[i + I_MARK]))


@compiled
def total_maintenance(m: I64, a: int) -> int:
    """Return MM of M2 over all perpetual legs of the account."""
    total = 0
    for number in range(m[H_N_INST]):
        i = inst_at(number)
        for leg in range(2):
            p = leg_at(m, a, i, leg)
            if m[i + I_KIND] != SPOT and m[p + P_QTY] != 0:
                total += maintenance(m, i, leg_notional(m, i, p))
    return total


@compiled
def equity(m: I64, a: int) -> int:
    """Return the account's equity in units of its currency (A7)."""
    total = m[a + AC_BALANCES]
    for number in range(m[H_N_INST]):
        i = inst_at(number)
        p = leg_at(m, a, i, 0)
        if m[i + I_KIND] == SPOT:
            total += cash(m, i, m[p + P_QTY] * m[i + I_MARK])
        else:
            for leg in range(2):
                total += unrealised(m, i, p + leg * LEG_COLS, m[i + I_MARK])
    return total


@compiled
def has_perpetual(m: I64, a: int) -> bool:
    """Say whether the account holds any perpetual position."""
    for number in range(m[H_N_INST]):
        i = inst_at(number)
        p = leg_at(m, a, i, 0)
        if m[i + I_KIND] != SPOT and (m[p + P_QTY] != 0 or m[p + LEG_COLS + P_QTY] != 0):
            return True
    return False


@compiled
def _needed(m: I64, i: int, p: int, side: int, opened: int, qty: int, price: int) -> int:
    """Return the margin an opening order takes (M5)."""
    opening = cash_up(m, i, notional(m, i, opened, price))
    whole = opening if qty == opened else cash_up(m, i, notional(m, i, qty, price))
    return (
        initial_margin(m, p, opening)
        + mul_div_up(whole, m[p + P_TAKER_E8], E8)
        + close_fee(m, p, opening, side)
    )


@compiled
def _resting_of(m: I64, a: int, i: int, side: int, but: int) -> int:
    """Return the margin (spot buys: quote; spot sells: base) resting limits of one side hold."""
    total = 0
    for k in range(m[i + I_N_ORDERS]):
        o = m[i + I_ORDERS_AT] + k * ORDER_COLS
        if (m[o + O_STATUS] != OPEN and m[o + O_STATUS] != PARTLY) or o == but:
            continue
        if m[o + O_ACCT] != m[a + AC_NUMBER] or m[o + O_SIDE] != side:
            continue
        if m[o + O_TYPE] != LIMIT or (m[o + O_REDUCE] != 0 and m[i + I_KIND] != SPOT):
            continue
        rest = m[o + O_QTY] - m[o + O_FILLED]
        if m[i + I_KIND] != SPOT:
            p = leg_at(m, a, i, m[o + O_LEG])
            total += _needed(m, i, p, side, rest, rest, m[o + O_LIMIT])
        elif side > 0:
            total += cash_up(m, i, notional(m, i, rest, m[o + O_LIMIT]))
        else:
            total += rest
    return total


@compiled
def _reserved(m: I64, a: int, but: int) -> int:
    """Return what all resting limit orders but one hold (M5)."""
    total = 0
    for number in range(m[H_N_INST]):
        i = inst_at(number)
        buys = _resting_of(m, a, i, 1, but)
        sells = 0 if m[i + I_KIND] == SPOT else _resting_of(m, a, i, -1, but)
        total += max(buys, sells)
    return total


@compiled
def leg_margin(m: I64, a: int, i: int, p: int) -> int:
    """Return the margin a position takes: what is locked in it, or at the mark (M2, M7)."""
    if m[a + AC_MARGIN_MODE] == ISOLATED:
        return m[p + P_MARGIN]
    amount = leg_notional(m, i, p)
    return initial_margin(m, p, amount) + close_fee(m, p, amount, 1 if m[p + P_QTY] > 0 else -1)


@compiled
def available(m: I64, a: int, but: int) -> int:
    """Return the margin free for new orders, leaving out the order at place `but` (M5)."""
    is_isolated = m[a + AC_MARGIN_MODE] == ISOLATED
    free = (m[a + AC_BALANCES] if is_isolated else margin_balance(m, a)) - _reserved(m, a, but)
    for number in range(m[H_N_INST]):
        i = inst_at(number)
        if m[i + I_KIND] == SPOT:
            continue
        for leg in range(2):
            p = leg_at(m, a, i, leg)
            if m[p + P_QTY] != 0:
                free -= leg_margin(m, a, i, p)
    return free


@compiled
def covers_spot(m: I64, a: int, i: int, side: int, qty: int, price: int, but: int) -> bool:
    """Say whether balances cover a spot order (M6)."""
    if side < 0:
        held = m[leg_at(m, a, i, 0) + P_QTY]
        return qty <= held - _resting_of(m, a, i, -1, but)
    needed = cash_up(m, i, notional(m, i, qty, price))
    spoken_for = 0
    for number in range(m[H_N_INST]):
        j = inst_at(number)
        if m[j + I_KIND] == SPOT:
            spoken_for += _resting_of(m, a, j, 1, but)
    if needed > m[a + AC_BALANCES] - spoken_for:
        return False
    return not has_perpetual(m, a) or needed <= available(m, a, but)


@compiled
def covers_perpetual(
    m: I64, i: int, p: int, side: int, opened: int, qty: int, price: int, but: int
) -> bool:
    """Say whether the available margin covers an opening order (M5)."""
    a = acct_at(m, m[p + P_ACCT])
    return _needed(m, i, p, side, opened, qty, price) <= available(m, a, but)


@compiled
def tier_allows(m: I64, i: int, p: int, qty_after: int, price: int) -> int:
    """Return 0 if risk limits allow a position, 1 if it is too large, 2 if leverage is too high."""
    amount = cash_up(m, i, notional(m, i, qty_after, price))
    k = tier_of(m, i, amount)
    if k < 0:
        return 2 if m[p + P_LEVERAGE_E2] > m[i + I_MAX_LEVERAGE_E2] else 0
    t = m[i + I_TIERS_AT] + k * TIER_COLS
    if amount > m[t + TI_LIMIT]:
        return 1
    return 2 if m[p + P_LEVERAGE_E2] > m[t + TI_MAX_LEVERAGE_E2] else 0


@compiled
def isolated_gap(m: I64, i: int, p: int, price: int) -> int:
    """Return margin + open profit - maintenance of an isolated leg; <= 0 means liquidation (L1)."""
    kept = maintenance(m, i, abs(m[p + P_COST]))
    return m[p + P_MARGIN] + unrealised(m, i, p, price) - kept

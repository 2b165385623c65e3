"""The guard band: how far marks may move with proof that nothing is liquidated.

While every mark stays inside its band, the exact check (L1) need not be made: bars are skipped.
"""

from openalpha.venue.kernel._compile import compiled
from openalpha.venue.kernel.account import cash, cash_up, inst_at, leg_at, notional, unrealised
from openalpha.venue.kernel.arith import mul_div, mul_div_up
from openalpha.venue.kernel.layout import (
    AC_BALANCES,
    AC_MARGIN_MODE,
    BIG,
    E6,
    H_GUARDS,
    H_N_INST,
    I64,
    I_COLLATERAL_E4,
    I_GUARD_HI,
    I_GUARD_LO,
    I_KIND,
    I_MARK,
    INVERSE,
    ISOLATED,
    P_COST,
    P_QTY,
    SPOT,
)
from openalpha.venue.kernel.margin import has_perpetual, isolated_gap, maintenance_most

WIDEST_E6 = 900_000
NARROWEST_E6 = 20
ROUNDING = 4
"""Cash units by which roundings can make a leg's gap fall where exactly it would rise."""


@compiled
def _edge(m: I64, i: int, p: int, width_e6: int) -> int:
    """Return the mark a band's width away, on the side that hurts the leg."""
    if m[p + P_QTY] > 0:
        low = mul_div(m[i + I_MARK], E6 - width_e6, E6)
        return max(low, 1) if m[i + I_KIND] == INVERSE else low  # an inverse value divides by it
    return mul_div_up(m[i + I_MARK], E6 + width_e6, E6)


@compiled
def _worst_gap(m: I64, a: int, width_e6: int, is_rough: bool) -> int:
    """Return E - MM with every mark at the far edge of its band at once; roughly: MM at its most.

    No tier keeps more than the whole notional: where that is covered, no tier need be looked at.
    """
    total = m[a + AC_BALANCES]
    for number in range(m[H_N_INST]):
        i = inst_at(number)
        for leg in range(2):
            p = leg_at(m, a, i, leg)
            if m[p + P_QTY] == 0:
                continue
            price = _edge(m, i, p, width_e6)
            if m[i + I_KIND] == SPOT:
                worth = cash(m, i, m[p + P_QTY] * price)
                total += mul_div(worth, m[i + I_COLLATERAL_E4], 10_000)
            else:
                amount = cash_up(m, i, notional(m, i, abs(m[p + P_QTY]), price))
                kept = amount if is_rough else maintenance_most(m, i, amount)
                total += unrealised(m, i, p, price) - kept - ROUNDING
    return total


@compiled
def _lives_at_any_price(m: I64, a: int) -> bool:
    """Say whether no price can liquidate: only longs, and cash that pays for what they cost.

    At a mark of p a linear long adds its worth less its cost to equity, and no tier keeps more than
    that worth.
    """
    total = m[a + AC_BALANCES]
    for number in range(m[H_N_INST]):
        i = inst_at(number)
        if m[i + I_KIND] == SPOT:
            continue
        for leg in range(2):
            p = leg_at(m, a, i, leg)
            if m[p + P_QTY] != 0:
                if m[p + P_QTY] < 0 or m[i + I_KIND] == INVERSE:
                    return False
                total -= m[p + P_COST] + ROUNDING
    return total > 0


@compiled
def _cross_width(m: I64, a: int) -> int:
    """Return how far, in millionths, all marks may move against the account without liquidation."""
    width = WIDEST_E6
    if _worst_gap(m, a, width, True) > 0:
        return width
    while width > NARROWEST_E6:
        if _worst_gap(m, a, width, False) > 0:
            return width
        width >>= 1
    return 0


@compiled
def _isolated_width(m: I64, i: int, p: int) -> int:
    """Return how far, in millionths, the mark may move against an isolated leg."""
    width = WIDEST_E6
    while width > NARROWEST_E6:
        if isolated_gap(m, i, p, _edge(m, i, p, width)) > ROUNDING:
            return width
        width >>= 1
    return 0


@compiled
def refresh_guard(m: I64, a: int) -> bool:
    """Set each instrument's guard band anew.

    E - MM falls monotonically as marks move against their legs, so the gap with all of them at the
    far edge at once bounds it everywhere inside.

    Returns
    -------
    bool
        Whether every band has some width: then nothing can be liquidated at the present marks.
    """
    m[H_GUARDS] += 1
    is_isolated = m[a + AC_MARGIN_MODE] == ISOLATED
    is_exposed = has_perpetual(m, a) and (is_isolated or not _lives_at_any_price(m, a))
    shared = _cross_width(m, a) if is_exposed and not is_isolated else 0
    is_safe = True
    for number in range(m[H_N_INST]):
        i = inst_at(number)
        m[i + I_GUARD_LO] = -BIG
        m[i + I_GUARD_HI] = BIG
        if not is_exposed or (m[i + I_KIND] == SPOT and m[i + I_COLLATERAL_E4] == 0):
            continue
        for leg in range(2):
            p = leg_at(m, a, i, leg)
            if m[p + P_QTY] == 0:
                continue
            width = _isolated_width(m, i, p) if is_isolated else shared
            is_safe = is_safe and width > 0
            if m[p + P_QTY] > 0:
                lo = mul_div_up(m[i + I_MARK], E6 - width, E6)
                m[i + I_GUARD_LO] = max(m[i + I_GUARD_LO], lo)
            else:
                hi = mul_div(m[i + I_MARK], E6 + width, E6)
                m[i + I_GUARD_HI] = min(m[i + I_GUARD_HI], hi)
    return is_safe

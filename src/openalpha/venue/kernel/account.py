"""Value, cash and fills: what a trade does to a position and to cash (rules N, A)."""

from openalpha.core.messages import EffectKind
from openalpha.venue.kernel._compile import compiled, inlined
from openalpha.venue.kernel.arith import mul_div, mul_div_up
from openalpha.venue.kernel.layout import (
    AC_BALANCES,
    AC_LEGS_AT,
    AC_MARGIN_MODE,
    AC_NUMBER,
    E8,
    E12,
    E_ACCT,
    E_AMOUNT,
    E_COIN,
    E_FILL,
    E_INST,
    E_KIND,
    E_TS,
    EFFECT_COLS,
    F_ACCT,
    F_AFTER,
    F_CLOSED,
    F_COST,
    F_FEE,
    F_FEE_COIN,
    F_INST,
    F_LEG,
    F_ORDER,
    F_PRICE,
    F_QTY,
    F_REALISED,
    F_TS,
    FILL_COLS,
    H_ACCT_SIZE,
    H_ACCTS_AT,
    H_DIRTY,
    H_EFFECTS_AT,
    H_EFFECTS_CAP,
    H_FILLS_AT,
    H_FILLS_CAP,
    H_LOST,
    H_N_EFFECTS,
    H_N_FILLS,
    H_NOW_MS,
    HEAD_COLS,
    I64,
    I_BASE_COIN,
    I_DEN,
    I_K,
    I_KIND,
    I_MARK,
    I_NUM,
    I_NUMBER,
    INST_COLS,
    INVERSE,
    ISOLATED,
    LEG_COLS,
    P_COST,
    P_LEG,
    P_LEVERAGE_E2,
    P_MARGIN,
    P_QTY,
    SPOT,
)

FEE = int(EffectKind.FEE)
REALISED_PNL = int(EffectKind.REALISED_PNL)
FUNDING = int(EffectKind.FUNDING)
TRADE = int(EffectKind.TRADE)
LIQUIDATION_FEE = int(EffectKind.LIQUIDATION_FEE)
INSURANCE = int(EffectKind.INSURANCE)

NO_FILL = -1
ACCOUNT_COIN = 0
ACCOUNT = 0
"""The bar path leads one account: account 0."""


@inlined
def inst_at(number: int) -> int:
    """Return the place of an instrument's block."""
    return HEAD_COLS + number * INST_COLS


@inlined
def acct_at(m: I64, number: int) -> int:
    """Return the place of an account's block."""
    return m[H_ACCTS_AT] + number * m[H_ACCT_SIZE]


@inlined
def leg_at(m: I64, a: int, i: int, leg: int) -> int:
    """Return the place of an account's leg of an instrument."""
    return a + m[a + AC_LEGS_AT] + (2 * m[i + I_NUMBER] + leg) * LEG_COLS


@inlined
def value(m: I64, i: int, qty: int, price: int) -> int:
    """Return V(Q,P), the value of a signed quantity in value units (N2)."""
    if m[i + I_KIND] == INVERSE:
        return (-qty * m[i + I_K]) // price
    return qty * price


@inlined
def notional(m: I64, i: int, qty: int, price: int) -> int:
    """Return N(q,P) of a quantity >= 0 in value units, rounded up (N2)."""
    return -value(m, i, qty, price) if m[i + I_KIND] == INVERSE else qty * price


@inlined
def cash(m: I64, i: int, value_units: int) -> int:
    """Convert value units to cash units of the settle coin, rounded down (N3)."""
    if m[i + I_DEN] == 1:
        return value_units * m[i + I_NUM]
    return (value_units * m[i + I_NUM]) // m[i + I_DEN]


@inlined
def cash_up(m: I64, i: int, value_units: int) -> int:
    """Convert value units to cash units of the settle coin, rounded up (N3)."""
    return -cash(m, i, -value_units)


@compiled
def fee_of(m: I64, i: int, qty: int, price: int, fee_e8: int) -> int:
    """Return the fee effect of a fill in cash units: negative when paid (A4)."""
    return mul_div(-notional(m, i, qty, price) * m[i + I_NUM], fee_e8, E8) // m[i + I_DEN]


@compiled
def apply_effect(m: I64, a: int, coin: int, kind: int, amount: int, i: int, fill: int) -> None:
    """Change a balance. The only place that does, so the account is the sum of its effects."""
    m[a + AC_BALANCES + coin] += amount
    m[H_DIRTY] = 1
    n = m[H_N_EFFECTS]
    if n >= m[H_EFFECTS_CAP]:
        m[H_LOST] = 1
        return
    e = m[H_EFFECTS_AT] + n * EFFECT_COLS
    m[e + E_TS] = m[H_NOW_MS]
    m[e + E_ACCT] = m[a + AC_NUMBER]
    m[e + E_COIN] = coin
    m[e + E_KIND] = kind
    m[e + E_AMOUNT] = amount
    m[e + E_INST] = m[i + I_NUMBER] if i > 0 else -1
    m[e + E_FILL] = fill
    m[e + E_FILL + 1] = 0
    m[H_N_EFFECTS] = n + 1


@compiled
def _apply_spot(m: I64, a: int, i: int, p: int, x: int, price: int, fee_e8: int, f: int) -> None:
    """Apply a spot fill (A5) and write its money into the fill's row `f`."""
    coin = m[i + I_BASE_COIN]
    fill = m[H_N_FILLS] - 1
    apply_effect(m, a, ACCOUNT_COIN, TRADE, cash(m, i, -x * price), i, fill)
    apply_effect(m, a, coin, TRADE, x, i, fill)
    if x > 0:
        fee = mul_div(-x, fee_e8, E8)
        m[f + F_FEE_COIN] = coin
        m[p + P_COST] += cash_up(m, i, x * price)
    else:
        fee = fee_of(m, i, -x, price, fee_e8)
        held = m[p + P_QTY]
        cost = m[p + P_COST]
        released = cost if held == -x else mul_div_up(cost, -x, held)
        m[p + P_COST] = cost - released
        m[f + F_REALISED] = cash(m, i, -x * price) - released
        m[f + F_CLOSED] = -x
    m[f + F_FEE] = fee
    apply_effect(m, a, m[f + F_FEE_COIN], FEE, fee, i, fill)
    m[p + P_QTY] = m[a + AC_BALANCES + coin]


@compiled
def _close_part(m: I64, a: int, i: int, p: int, closed: int, price: int, f: int) -> None:
    """Release cost and margin of the part a fill closes and book its profit or loss (A3, M7)."""
    held = m[p + P_QTY]
    cost = m[p + P_COST]
    size = abs(held)
    signed = closed if held > 0 else -closed
    released = cost if closed == size else mul_div_up(cost, closed, size)
    freed = m[p + P_MARGIN] if closed == size else mul_div(m[p + P_MARGIN], closed, size)
    realised = cash(m, i, value(m, i, signed, price)) - released
    m[p + P_COST] = cost - released
    m[p + P_MARGIN] -= freed
    m[p + P_QTY] = held - signed
    m[f + F_REALISED] = realised
    m[f + F_CLOSED] = closed
    apply_effect(m, a, ACCOUNT_COIN, REALISED_PNL, realised, i, m[H_N_FILLS] - 1)


@compiled
def _open_part(m: I64, a: int, i: int, p: int, opened: int, price: int) -> None:
    """Add to a position: cost and, when isolated, its margin (A3, M7)."""
    m[p + P_COST] += cash_up(m, i, value(m, i, opened, price))
    m[p + P_QTY] += opened
    if m[a + AC_MARGIN_MODE] == ISOLATED:
        amount = cash_up(m, i, notional(m, i, abs(opened), price))
        m[p + P_MARGIN] += mul_div_up(amount, 100, m[p + P_LEVERAGE_E2])


@inlined
def closing_part(m: I64, p: int, x: int) -> int:
    """Return how much of a signed fill closes what the leg holds, >= 0."""
    held = m[p + P_QTY]
    if held > 0 and x < 0:
        return min(held, -x)
    if held < 0 and x > 0:
        return min(-held, x)
    return 0


@compiled
def apply_fill(m: I64, a: int, i: int, p: int, x: int, price: int, fee_e8: int, order: int) -> int:
    """Trade a signed quantity at a price: position, cash effects and the fill's row (A3-A6).

    Returns
    -------
    int
        Place of the fill's row; role, reason, base price and impact are the caller's to write. A
        liquidation (`order` < 0) books its own fee: none is written for it here.
    """
    n = m[H_N_FILLS]
    if n >= m[H_FILLS_CAP]:
        m[H_LOST] = 1
        n = m[H_FILLS_CAP] - 1
    m[H_N_FILLS] = n + 1
    f = m[H_FILLS_AT] + n * FILL_COLS
    m[f + F_TS] = m[H_NOW_MS]
    m[f + F_ACCT] = m[a + AC_NUMBER]
    m[f + F_INST] = m[i + I_NUMBER]
    m[f + F_LEG] = m[p + P_LEG]
    m[f + F_ORDER] = order
    m[f + F_QTY] = x
    m[f + F_PRICE] = price
    m[f + F_FEE] = 0
    m[f + F_FEE_COIN] = ACCOUNT_COIN
    m[f + F_REALISED] = 0
    m[f + F_CLOSED] = 0
    if m[i + I_KIND] == SPOT:
        _apply_spot(m, a, i, p, x, price, fee_e8, f)
    else:
        closed = closing_part(m, p, x)
        if closed > 0:
            _close_part(m, a, i, p, closed, price, f)
        opened = x - closed if x > 0 else x + closed
        if opened != 0:
            _open_part(m, a, i, p, opened, price)
        if order >= 0:
            m[f + F_FEE] = fee_of(m, i, abs(x), price, fee_e8)
            apply_effect(m, a, ACCOUNT_COIN, FEE, m[f + F_FEE], i, n)
    m[f + F_AFTER] = m[p + P_QTY]
    m[f + F_COST] = m[p + P_COST]
    return f


@inlined
def unrealised(m: I64, i: int, p: int, price: int) -> int:
    """Return a perpetual leg's unrealised profit in cash units at a price."""
    held = m[p + P_QTY]
    if held == 0:
        return 0
    return cash(m, i, value(m, i, held, price)) - m[p + P_COST]


@compiled
def pay_funding(m: I64, a: int, i: int, rate_e12: int) -> None:
    """Book one funding settlement at the present mark on every leg the account holds (F1)."""
    for leg in range(2):
        held = m[leg_at(m, a, i, leg) + P_QTY]
        if held != 0:
            scaled = notional(m, i, abs(held), m[i + I_MARK]) * m[i + I_NUM]
            signed = -scaled if held > 0 else scaled
            amount = mul_div(signed, rate_e12, E12) // m[i + I_DEN]
            apply_effect(m, a, ACCOUNT_COIN, FUNDING, amount, i, NO_FILL)

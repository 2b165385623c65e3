"""What a venue tells an account about itself: margin, what is free, where liquidation stands."""

from openalpha.venue.kernel._compile import entry
from openalpha.venue.kernel.account import (
    acct_at,
    apply_fill,
    inst_at,
    leg_at,
    unrealised,
)
from openalpha.venue.kernel.book import best_price
from openalpha.venue.kernel.layout import (
    AC_BALANCES,
    AC_MARGIN_MODE,
    F_BASE,
    F_FEE,
    F_IMPACT_E8,
    F_REASON,
    F_ROLE,
    H_N_INST,
    I64,
    I_KIND,
    I_MARK,
    ISOLATED,
    P_COST,
    P_MARGIN,
    P_QTY,
    SPOT,
    TAKER,
)
from openalpha.venue.kernel.liquidation import LIQUIDATION_ORDER, bankruptcy_price
from openalpha.venue.kernel.margin import (
    NOT_THIS,
    available,
    initial_margin,
    leg_margin,
    leg_notional,
    maintenance,
    margin_balance,
    total_maintenance,
)
from openalpha.venue.kernel.orders import cancel_reducing

# columns of an account's state, all in cash units of coin 0
S_EQUITY, S_MAINTENANCE, S_FREE, S_POSITIONS, S_ORDERS, S_UNREALISED = range(6)
STATE_COLS = 6

# columns of a leg's state: cash units, the last in price units
L_NOTIONAL, L_INITIAL, L_MAINTENANCE, L_UNREALISED, L_BANKRUPTCY = range(5)
LEG_STATE_COLS = 5


@entry
def read_leg(m: I64, account: int, number: int, leg: int, into: I64) -> None:
    """Write what a leg holds, needs and shows at the present mark; zeros for a flat one."""
    a, i = acct_at(m, account), inst_at(number)
    p = leg_at(m, a, i, leg)
    into[:] = 0
    if m[p + P_QTY] == 0 or m[i + I_KIND] == SPOT:
        return
    amount = leg_notional(m, i, p)
    into[L_NOTIONAL] = amount
    into[L_INITIAL] = leg_margin(m, a, i, p)
    into[L_MAINTENANCE] = maintenance(m, i, amount)
    into[L_UNREALISED] = unrealised(m, i, p, m[i + I_MARK])
    into[L_BANKRUPTCY] = bankruptcy_price(m, a, i, p)


@entry
def read_account(m: I64, account: int, into: I64) -> None:
    """Write an account's equity, margins and what is free for new orders (M2, M5)."""
    a = acct_at(m, account)
    into[:] = 0
    for number in range(m[H_N_INST]):
        i = inst_at(number)
        for leg in range(2):
            p = leg_at(m, a, i, leg)
            if m[i + I_KIND] == SPOT or m[p + P_QTY] == 0:
                continue
            into[S_UNREALISED] += unrealised(m, i, p, m[i + I_MARK])
            into[S_POSITIONS] += leg_margin(m, a, i, p)
    is_isolated = m[a + AC_MARGIN_MODE] == ISOLATED
    into[S_EQUITY] = margin_balance(m, a)
    into[S_MAINTENANCE] = total_maintenance(m, a)
    into[S_FREE] = available(m, a, NOT_THIS)
    whole = m[a + AC_BALANCES] if is_isolated else into[S_EQUITY]
    into[S_ORDERS] = whole - into[S_POSITIONS] - into[S_FREE]


@entry
def lock_margin(m: I64, account: int, number: int) -> None:
    """Lock each leg's margin anew from its entry value, after leverage or mode changed (M7)."""
    a, i = acct_at(m, account), inst_at(number)
    if m[i + I_KIND] == SPOT:
        return
    for leg in range(2):
        p = leg_at(m, a, i, leg)
        is_isolated = m[a + AC_MARGIN_MODE] == ISOLATED
        m[p + P_MARGIN] = initial_margin(m, p, abs(m[p + P_COST])) if is_isolated else 0


@entry
def settle_leg(m: I64, account: int, number: int, leg: int, price: int, reason: int) -> None:
    """Close a whole leg at a price the venue names, outside the book and without a fee (B18)."""
    a, i = acct_at(m, account), inst_at(number)
    p = leg_at(m, a, i, leg)
    held = m[p + P_QTY]
    if held == 0:
        return
    f = apply_fill(m, a, i, p, -held, price, 0, LIQUIDATION_ORDER)
    m[f + F_FEE] = 0
    m[f + F_REASON] = reason
    m[f + F_ROLE] = TAKER
    m[f + F_BASE] = price
    m[f + F_IMPACT_E8] = 0
    cancel_reducing(m, i, p, LIQUIDATION_ORDER)


@entry
def touch(m: I64, i: int) -> tuple[int, int]:
    """Return best bid and ask of an instrument's book, 0 where there is none."""
    return best_price(m, i, 1), best_price(m, i, -1)

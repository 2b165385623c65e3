"""Names of the kernel's memory: one int64 arena, its regions and the columns of their rows.

Compiled code is handed the arena `m` and *places* in it (`i` an instrument's block, `a` an
account's, `p` a leg's, `o` an order's): a column is read as `m[o + O_SIDE]`. One array argument
instead of a dozen keeps calls cheap and a cold compile short. Layout:

    head | instruments | tiers | steps | accounts (with legs) | orders | fills | effects | done
    | levels of the market (in the price-time book; none on the bar path)
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from openalpha.core.orders import TRANSITIONS, OrderEvent, OrderStatus

I64 = NDArray[np.int64]


class Market(NamedTuple):
    """The history a kernel is led over. Volume -1 says that the instrument has no bar there.

    ts : int64[n]; bars : int64[n_inst, n, 5]; mark, index_price : int64[n_series, n, 4];
    funding_ts, funding_rate : int64[k], the instruments' stretches one after another;
    closes : int64[n_inst, n, 1], where the closes also lie side by side; else `bars` again.
    """

    ts: I64
    bars: I64
    mark: I64
    index_price: I64
    funding_ts: I64
    funding_rate: I64
    closes: I64


BIG = 2**62
E8 = 10**8
E6 = 10**6
E12 = 10**12

# head: counters and switches, then where the regions lie
H_SEQ, H_ORDER_ID, H_EVENT, H_N_FILLS, H_N_EFFECTS, H_N_DONE, H_PATH, H_LATENCY_MS = range(8)
H_NOW_MS, H_TIMEFRAME_MS, H_LIQUIDATIONS, H_DIRTY, H_LOST, H_BUG, H_SLOW_BARS, H_SKIP = range(8, 16)
H_N_INST, H_N_ACCTS, H_N_COINS, H_INSTS_END, H_ACCTS_AT, H_ACCT_SIZE, H_SLOTS = range(16, 23)
H_FILLS_AT, H_FILLS_CAP, H_EFFECTS_AT, H_EFFECTS_CAP, H_DONE_AT, H_DONE_CAP = range(23, 29)
H_LEVELS, H_GUARDS = 29, 30
HEAD_COLS = 32

# instrument block: rules, then present state
I_KIND, I_BASE_COIN, I_NUM, I_DEN, I_K, I_TICK, I_LOT, I_MIN_QTY, I_MAX_QTY, I_MAX_MARKET_QTY = (
    range(10)
)
I_MIN_NOTIONAL, I_HALF_SPREAD_E8, I_IMPACT_E8, I_PARTICIPATION_E6, I_COLLATERAL_E4 = range(10, 15)
I_N_TIERS, I_N_STEPS, I_MARK_ROW, I_INDEX_ROW, I_MAX_LEVERAGE_E2 = range(15, 20)
I_LAST, I_MARK, I_INDEX, I_BUDGET, I_VOLUME, I_N_ORDERS, I_FUND_AT, I_FUND_END = range(20, 28)
I_EVENT_TS, I_LOW_FIRST, I_LO, I_HI, I_MARK_LO, I_MARK_HI, I_NEXT_TS, I_SLOW = range(28, 36)
I_GUARD_LO, I_GUARD_HI, I_AT_OPEN, I_STARVED, I_NUMBER = range(36, 41)
I_TIERS_AT, I_STEPS_AT, I_ORDERS_AT, I_BAR_TS = range(41, 45)
# the bar being led through: open, high, low, close of last, mark and index price
I_BAR, I_BAR_MARK, I_BAR_INDEX = 45, 49, 53
I_BOOK_AT, I_N_BIDS, I_N_ASKS, I_IN_SNAPSHOT = range(57, 61)
I_WAS_SLOW, I_WATCHED, I_ACT_LO, I_ACT_HI = range(61, 65)
INST_COLS = 66

# tiers, steps
TI_LIMIT, TI_MMR_E8, TI_MAX_LEVERAGE_E2, TI_DEDUCTION = range(4)
TIER_COLS = 4
ST_SINCE_MS, ST_TICK, ST_LOT = range(3)
STEP_COLS = 4

# account block: modes, balances (n_coins), then two legs an instrument
AC_MARGIN_MODE, AC_POSITION_MODE, AC_NUMBER, AC_LEGS_AT, AC_BALANCES = range(5)

# leg: the position, then the account's terms on the instrument
P_QTY, P_COST, P_MARGIN, P_ACCT, P_LEG, P_MAKER_E8, P_TAKER_E8, P_LEVERAGE_E2 = range(8)
LEG_COLS = 8

# orders
O_ID, O_STATUS, O_ACCT, O_SIDE, O_LEG, O_TYPE, O_TIF, O_QTY, O_FILLED, O_LIMIT = range(10)
O_TKIND, O_TBY, O_TRIGGER, O_RISES, O_REDUCE, O_WHOLE, O_OCO, O_SEQ, O_ARRIVE, O_LIVE = range(
    10, 20
)
O_ACTIVATION, O_DISTANCE, O_BEST, O_ACTIVE, O_REASON, O_CREATED, O_ATTACHED = range(20, 27)
O_X_STOP, O_X_TP, O_X_TRAIL, O_X_ACTIVATION, O_X_TIME = range(27, 32)
O_CANCEL_AT, O_CANCEL_SEQ, O_CANCEL_WHY, O_AMEND_AT, O_AMEND_SEQ = range(32, 37)
O_A_QTY, O_A_LIMIT, O_A_TRIGGER, O_QUEUE = range(37, 41)
ORDER_COLS = 42

# fills
F_TS, F_ACCT, F_INST, F_LEG, F_ORDER, F_QTY, F_PRICE, F_ROLE, F_FEE, F_FEE_COIN = range(10)
F_REALISED, F_CLOSED, F_REASON, F_BASE, F_IMPACT_E8, F_AFTER, F_COST = range(10, 17)
FILL_COLS = 17

# effects
E_TS, E_ACCT, E_COIN, E_KIND, E_AMOUNT, E_INST, E_FILL = range(7)
EFFECT_COLS = 8

# ended orders
D_ID, D_ACCT, D_INST, D_STATUS, D_REASON, D_TS, D_CREATED, D_SIDE, D_LEG, D_QTY = range(10)
D_FILLED, D_TYPE, D_TKIND, D_LIMIT, D_TRIGGER, D_REDUCE = range(10, 16)
DONE_COLS = 16

# levels of the market in the book: best last
L_PRICE, L_QTY = range(2)
LEVEL_COLS = 2

# bars
B_OPEN, B_HIGH, B_LOW, B_CLOSE, B_VOLUME = range(5)
BAR_COLS = 5
ABSENT = -1

SPOT, LINEAR, INVERSE = 0, 1, 2
CROSS, ISOLATED = 0, 1
ONE_WAY, HEDGE = 0, 1
MARKET, LIMIT = 0, 1
GTC, IOC, FOK, POST_ONLY = 0, 1, 2, 3
NO_TRIGGER, STOP, TAKE_PROFIT, TRAILING = 0, 1, 2, 3
BY_LAST, BY_MARK, BY_INDEX = 0, 1, 2
MAKER, TAKER = 0, 1
ADVERSE, NEARER_FIRST = 0, 1

# statuses; a free slot holds CREATED
FREE, SUBMITTED, OPEN, PARTLY, FILLED, CANCELLED, REJECTED, UNTRIGGERED = range(8)

# events
EV_ACCEPT, EV_REJECT, EV_FILL_PART, EV_FILL_ALL, EV_CANCEL, EV_CONDITIONAL, EV_TRIGGER = range(1, 8)
EV_AMEND = 11


def _transition_matrix() -> I64:
    matrix = np.full((len(OrderStatus), len(OrderEvent)), -1, dtype=np.int64)
    for (status, event), after in TRANSITIONS.items():
        matrix[status, event] = after
    return matrix


NEXT = _transition_matrix()
"""int64[n_status, n_event]: the table of `core.orders`, -1 where it has no row."""

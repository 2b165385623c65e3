"""The compiled pass over history: kernel and decision step, bar by bar."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from openalpha.core.reasons import Reason
from openalpha.engine.compiled.decide import close_for_good, decide, follow_limits
from openalpha.engine.compiled.plan import (
    NO_TARGET,
    ON_CHANGE,
    PL_IS_LIVE,
    PL_LAST_TARGET,
    PL_REBALANCE,
)
from openalpha.venue.kernel._compile import compiled, entry
from openalpha.venue.kernel.account import ACCOUNT, acct_at, inst_at, leg_at, value
from openalpha.venue.kernel.drive import has_room
from openalpha.venue.kernel.layout import (
    ABSENT,
    AC_BALANCES,
    B_CLOSE,
    B_HIGH,
    B_LOW,
    B_VOLUME,
    H_N_INST,
    H_NOW_MS,
    H_SKIP,
    H_SLOW_BARS,
    H_TIMEFRAME_MS,
    I64,
    I_DEN,
    I_HI,
    I_KIND,
    I_LO,
    I_MARK_ROW,
    I_NEXT_TS,
    I_NUM,
    I_SLOW,
    INVERSE,
    LEG_COLS,
    P_COST,
    P_QTY,
    SPOT,
    Market,
)
from openalpha.venue.kernel.path import process_bar
from openalpha.venue.kernel.skipping import advance_row, settle_prices
from openalpha.venue.kernel.watch import refresh_watch, watch_all

NO_SIGNAL = int(Reason.NO_SIGNAL)
UNCHANGED = int(Reason.UNCHANGED)
MISSING_BAR = int(Reason.MISSING_BAR)
WARM_UP = int(Reason.WARM_UP)
DRAWDOWN = int(Reason.BREAKER_DRAWDOWN)


class Wishes(NamedTuple):
    """What a run is to do: targets and sizes by instrument and bar, and the decision plans.

    targets : int32[n_inst, n]; sizes : int64[n_inst or 0, n], negative where not known yet;
    plans : int64[n_inst, PLAN_COLS], the first with the state of the account's limits
    """

    targets: NDArray[np.int32]
    sizes: I64
    plans: I64


@compiled
def _decide_at(m: I64, mk: Market, w: Wishes, number: int, j: int) -> int:
    """Decide for one instrument at the close of a row, if its target asks for it."""
    target = int(w.targets[number, j])
    plan = w.plans[number]
    if target == NO_TARGET:
        return NO_SIGNAL
    if target == plan[PL_LAST_TARGET] and plan[PL_REBALANCE] == ON_CHANGE:
        return UNCHANGED
    if mk.bars[number, j, B_VOLUME] == ABSENT:
        return MISSING_BAR
    size = w.sizes[number, j] if w.sizes.shape[0] > 0 else 0
    if size < 0:
        return WARM_UP
    plan[PL_LAST_TARGET] = target
    return decide(m, inst_at(number), plan, w.plans[0], target, size)


@compiled
def _is_halting(m: I64, mk: Market, w: Wishes, j: int) -> bool:
    """Follow the limits to a row's close; say whether orders were made to close the account."""
    settle_prices(m, mk, j)
    m[H_NOW_MS] = mk.ts[j] + m[H_TIMEFRAME_MS]
    found = False
    if follow_limits(m, w.plans[0]):
        for number in range(m[H_N_INST]):
            if close_for_good(m, inst_at(number)):
                refresh_watch(m, mk.funding_ts, inst_at(number))
                found = True
    return found


@compiled
def _leg_worth(m: I64, i: int, p: int, price: int) -> float:
    """Return a leg's unrealised profit (spot: worth), in cash units, as a float for the curve."""
    held = m[p + P_QTY]
    if held == 0 or price == 0:
        return 0.0
    cost = 0 if m[i + I_KIND] == SPOT else m[p + P_COST]
    units = value(m, i, held, price) - cost
    return float(units) * float(m[i + I_NUM]) / float(m[i + I_DEN])


@compiled
def mark_equity(m: I64, mk: Market, j: int) -> float:
    """Return the account's equity at a row's closes, in cash units, as a float for the curve."""
    a = acct_at(m, ACCOUNT)
    total = float(m[a + AC_BALANCES])
    for number in range(m[H_N_INST]):
        i = inst_at(number)
        p = leg_at(m, a, i, 0)
        row = m[i + I_MARK_ROW]
        price = mk.mark[row, j, B_CLOSE] if row >= 0 else mk.bars[number, j, B_CLOSE]
        total += _leg_worth(m, i, p, price) + _leg_worth(m, i, p + LEG_COLS, price)
    return total


@compiled
def _run_many(
    m: I64,
    mk: Market,
    w: Wishes,
    equity: NDArray[np.float64],
    journal: NDArray[np.int32],
    start: int,
    stop: int,
) -> int:
    """Lead an account of several instruments over the rows (see `run`)."""
    keeps = journal.shape[0] > 0
    moved, is_live = True, w.plans[0, PL_IS_LIVE] != 0
    for j in range(start, stop):
        if moved and not has_room(m):
            return j
        moved = advance_row(m, mk, j)
        equity[j] = mark_equity(m, mk, j)
        is_halting = is_live and _is_halting(m, mk, w, j)
        moved = moved or is_halting
        is_settled = moved
        for number in range(m[H_N_INST]):
            target = int(w.targets[number, j])
            if target == NO_TARGET:
                code = NO_SIGNAL
            elif target == w.plans[number, PL_LAST_TARGET] and w.plans[number, PL_REBALANCE] == 0:
                code = UNCHANGED
            else:
                if not is_settled:
                    settle_prices(m, mk, j)
                    is_settled = True
                m[H_NOW_MS] = mk.ts[j] + m[H_TIMEFRAME_MS]
                code = _decide_at(m, mk, w, number, j)
                refresh_watch(m, mk.funding_ts, inst_at(number))
                moved = True
            if keeps:
                journal[j, number] = DRAWDOWN if is_halting else code
    if stop > start:
        settle_prices(m, mk, stop - 1)
    return stop


@compiled
def _run_one(
    m: I64,
    mk: Market,
    w: Wishes,
    equity: NDArray[np.float64],
    journal: NDArray[np.int32],
    start: int,
    stop: int,
) -> int:
    """Do what `_run_many` does for one instrument that has every bar, its watch in registers."""
    i = inst_at(0)
    a = acct_at(m, ACCOUNT)
    p = leg_at(m, a, i, 0)
    bars, targets, ts, plan = mk.bars[0], w.targets[0], mk.ts, w.plans[0]
    keeps = journal.shape[0] > 0
    frame, skip, mark_row = m[H_TIMEFRAME_MS], m[H_SKIP] != 0, m[i + I_MARK_ROW]
    is_simple = mark_row < 0 and m[i + I_KIND] != INVERSE
    per_unit = float(m[i + I_NUM]) / float(m[i + I_DEN])
    always, is_live = plan[PL_REBALANCE] != ON_CHANGE, plan[PL_IS_LIVE] != 0
    lo, hi, next_ts = m[i + I_LO], m[i + I_HI], m[i + I_NEXT_TS]
    cash_now, held, cost = curve_terms(m, a, i, p)
    last, fresh = int(plan[PL_LAST_TARGET]), True
    for j in range(start, stop):
        if fresh and not has_room(m):
            return j
        fresh = False
        is_slow = bars[j, B_LOW] <= lo or bars[j, B_HIGH] >= hi or ts[j] + frame >= next_ts
        if is_slow or not skip or mark_row >= 0:
            fresh = _go(m, mk, i, j, is_slow)
            if fresh:
                lo, hi, next_ts = m[i + I_LO], m[i + I_HI], m[i + I_NEXT_TS]
                cash_now, held, cost = curve_terms(m, a, i, p)
        if is_simple:
            equity[j] = cash_now + float(held * bars[j, B_CLOSE] - cost) * per_unit
        else:
            equity[j] = mark_equity(m, mk, j)
        target = int(targets[j])
        code = NO_SIGNAL if target == NO_TARGET else UNCHANGED
        if is_live or (target != NO_TARGET and (target != last or always)):
            code = _decide_one(m, mk, w, j)
            last = int(plan[PL_LAST_TARGET])
            lo, hi, next_ts = m[i + I_LO], m[i + I_HI], m[i + I_NEXT_TS]
            fresh = True
        if keeps:
            journal[j, 0] = code
    if stop > start:
        settle_prices(m, mk, stop - 1)
    return stop


@compiled
def _decide_one(m: I64, mk: Market, w: Wishes, j: int) -> int:
    """Follow the limits and decide for the one instrument at the close of a row."""
    settle_prices(m, mk, j)
    m[H_NOW_MS] = mk.ts[j] + m[H_TIMEFRAME_MS]
    is_halting = w.plans[0, PL_IS_LIVE] != 0 and _is_halting(m, mk, w, j)
    code = _decide_at(m, mk, w, 0, j)
    refresh_watch(m, mk.funding_ts, inst_at(0))
    return DRAWDOWN if is_halting else code


@compiled
def curve_terms(m: I64, a: int, i: int, p: int) -> tuple[float, int, int]:
    """Return what the equity curve of one instrument needs: cash, quantity and cost."""
    cost = 0 if m[i + I_KIND] == SPOT else m[p + P_COST]
    return float(m[a + AC_BALANCES]), m[p + P_QTY], cost


@compiled
def _go(m: I64, mk: Market, i: int, j: int, is_slow: bool) -> bool:
    """Lead the one instrument through a row: slowly where something can happen."""
    if not is_slow:
        return advance_row(m, mk, j)
    if j > 0:
        settle_prices(m, mk, j - 1)
    m[i + I_SLOW] = 1
    m[H_SLOW_BARS] += 1
    process_bar(m, mk, j)
    watch_all(m, mk.funding_ts)
    return True


@entry
def run(
    m: I64,
    mk: Market,
    w: Wishes,
    equity: NDArray[np.float64],
    journal: NDArray[np.int32],
    start: int,
    stop: int,
) -> int:
    """Lead an account over rows [start, stop), deciding at each close.

    Parameters
    ----------
    equity : float64[n]
        Filled with the account's equity at each row's close, in cash units.
    journal : int32[n, n_inst] (or of no rows)
        Filled with the reason code of each decision.

    Returns
    -------
    int
        The row reached; below `stop` where the memory must be enlarged first.
    """
    if m[H_N_INST] == 1:
        return _run_one(m, mk, w, equity, journal, start, stop)
    return _run_many(m, mk, w, equity, journal, start, stop)

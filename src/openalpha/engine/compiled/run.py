"""The compiled pass over history: kernel and decision step, bar by bar."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from openalpha.core.reasons import Reason
from openalpha.engine.compiled.curve import mark_rows
from openalpha.engine.compiled.decide import close_for_good, decide, follow_limits
from openalpha.engine.compiled.plan import (
    NO_TARGET,
    ON_CHANGE,
    PL_IS_LIVE,
    PL_LAST_TARGET,
    PL_REBALANCE,
    PL_TURN,
    PL_TURN_END,
)
from openalpha.venue.kernel._compile import compiled, entry, fetch_ahead, inlined
from openalpha.venue.kernel.account import inst_at
from openalpha.venue.kernel.drive import has_room
from openalpha.venue.kernel.layout import (
    ABSENT,
    B_VOLUME,
    BAR_COLS,
    H_N_INST,
    H_NOW_MS,
    H_TIMEFRAME_MS,
    I64,
    Market,
)
from openalpha.venue.kernel.skipping import (
    FEW_ROWS,
    MANY_ROWS,
    first_slow_row,
    lead_row,
    settle_prices,
)
from openalpha.venue.kernel.watch import refresh_watch

NO_SIGNAL = int(Reason.NO_SIGNAL)
UNCHANGED = int(Reason.UNCHANGED)
MISSING_BAR = int(Reason.MISSING_BAR)
WARM_UP = int(Reason.WARM_UP)
DRAWDOWN = int(Reason.BREAKER_DRAWDOWN)


class Wishes(NamedTuple):
    """What a run is to do: targets and sizes by instrument and bar, and the decision plans.

    targets : int32[n_inst, n]; sizes : int64[n_inst or 0, n], negative where not known yet;
    plans : int64[n_inst, PLAN_COLS], the first with the state of the account's limits;
    turns : int32[k], rows whose target differs from the one before, instrument by instrument
    """

    targets: NDArray[np.int32]
    sizes: I64
    plans: I64
    turns: NDArray[np.int32]


@compiled
def _decide_at(m: I64, mk: Market, w: Wishes, number: int, j: int) -> int:
    """Decide for one instrument, whose target asks for it, at the close of a row."""
    if mk.bars[number, j, B_VOLUME] == ABSENT:
        return MISSING_BAR
    size = w.sizes[number, j] if w.sizes.shape[0] > 0 else 0
    if size < 0:
        return WARM_UP
    target, plan = int(w.targets[number, j]), w.plans[number]
    plan[PL_LAST_TARGET] = target
    return decide(m, inst_at(number), plan, w.plans[0], target, size)


@compiled
def _is_halting(m: I64, mk: Market, w: Wishes) -> bool:
    """Follow the limits to a row's close; say whether orders were made to close the account."""
    found = False
    if follow_limits(m, w.plans[0]):
        for number in range(m[H_N_INST]):
            if close_for_good(m, inst_at(number)):
                refresh_watch(m, mk.funding_ts, inst_at(number))
                found = True
    return found


@compiled
def _asks(w: Wishes, number: int, j: int) -> bool:
    """Say whether a target asks for a decision at the close of a row."""
    target, plan = int(w.targets[number, j]), w.plans[number]
    if target == NO_TARGET:
        return False
    return target != plan[PL_LAST_TARGET] or plan[PL_REBALANCE] != ON_CHANGE


@compiled
def _next_change(w: Wishes, number: int, start: int, stop: int) -> int:
    """Return the first row in [start, stop) whose target says something else than the last."""
    targets, plan = w.targets[number], w.plans[number]
    last = plan[PL_LAST_TARGET]
    if targets[start] != last and targets[start] != NO_TARGET:
        return start
    while plan[PL_TURN] < plan[PL_TURN_END] and w.turns[plan[PL_TURN]] <= start:
        plan[PL_TURN] += 1
    for k in range(plan[PL_TURN], plan[PL_TURN_END]):
        j = int(w.turns[k])
        if j >= stop:
            break
        if targets[j] != last and targets[j] != NO_TARGET:
            return j
    return stop


@compiled
def _next_decision(m: I64, w: Wishes, start: int, stop: int) -> int:
    """Return the first row in [start, stop) at whose close something is decided, or `stop`."""
    if w.plans[0, PL_IS_LIVE] != 0:
        return start
    for number in range(m[H_N_INST]):
        j, targets = start, w.targets[number]
        if w.plans[number, PL_REBALANCE] == ON_CHANGE:
            j = _next_change(w, number, start, stop)
        else:
            while j < stop and targets[j] == NO_TARGET:
                j += 1
        stop = j
    return stop


@inlined
def _fetch_ahead(m: I64, mk: Market, start: int, j: int) -> None:
    """Have a row and the one after it at hand when the account gets there."""
    fetch_ahead(mk.ts, j)
    for k in range(6):
        fetch_ahead(mk.bars, start * BAR_COLS + 8 * (k + 2))
    for number in range(m[H_N_INST]):
        place = (number * mk.ts.shape[0] + j) * BAR_COLS
        fetch_ahead(mk.bars, place)
        fetch_ahead(mk.bars, place + 2 * BAR_COLS - 1)


@compiled
def _note_quiet(w: Wishes, journal: NDArray[np.int8], start: int, stop: int) -> None:
    """Write into the journal why nothing was decided at the closes of rows [start, stop)."""
    if journal.shape[0] == 0:
        return
    for number in range(journal.shape[1]):
        targets = w.targets[number]
        for j in range(start, stop):
            journal[j, number] = NO_SIGNAL if targets[j] == NO_TARGET else UNCHANGED


@compiled
def _decide_row(m: I64, mk: Market, w: Wishes, journal: NDArray[np.int8], j: int) -> None:
    """Follow the limits and decide for every instrument whose target asks for it."""
    settle_prices(m, mk, j)
    m[H_NOW_MS] = mk.ts[j] + m[H_TIMEFRAME_MS]
    is_halting = w.plans[0, PL_IS_LIVE] != 0 and _is_halting(m, mk, w)
    for number in range(m[H_N_INST]):
        code = NO_SIGNAL if w.targets[number, j] == NO_TARGET else UNCHANGED
        if _asks(w, number, j):
            code = _decide_at(m, mk, w, number, j)
            refresh_watch(m, mk.funding_ts, inst_at(number))
        if journal.shape[0] > 0:
            journal[j, number] = DRAWDOWN if is_halting else code


@entry
def run(
    m: I64,
    mk: Market,
    w: Wishes,
    equity: NDArray[np.float64],
    journal: NDArray[np.int8],
    start: int,
    stop: int,
) -> int:
    """Lead an account over rows [start, stop), deciding at each close.

    Parameters
    ----------
    equity : float64[n]
        Filled with the account's equity at each row's close, in cash units.
    journal : int8[n, n_inst] (or of no rows)
        Filled with the reason code of each decision.

    Returns
    -------
    int
        The row reached; below `stop` where the memory must be enlarged first.
    """
    _note_quiet(w, journal, start, stop)
    few = FEW_ROWS if m[H_N_INST] > 1 else MANY_ROWS
    j, look, decision, moved = start, few, start - 1, True
    marked = start
    while j < stop:
        if moved and not has_room(m):
            break
        moved = False
        if decision < j:
            decision = _next_decision(m, w, j, min(j + MANY_ROWS, stop))
            _fetch_ahead(m, mk, j, min(decision, stop - 1))
        end = min(decision + 1, stop, j + look)
        j = first_slow_row(m, mk, j, end)
        look = min(2 * look, MANY_ROWS)
        if j < end:
            mark_rows(m, mk, equity, marked, j)
            lead_row(m, mk, j)
            marked = j
            j += 1
            look, moved = few, True
        if j > decision:
            _decide_row(m, mk, w, journal, decision)
            moved = True
    mark_rows(m, mk, equity, marked, j)
    if j > start:
        settle_prices(m, mk, j - 1)
    return j

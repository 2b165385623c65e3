"""Which order acts first as the price moves (rules E4, E5)."""

from openalpha.venue.kernel._compile import compiled, inlined
from openalpha.venue.kernel.layout import (
    BIG,
    BY_INDEX,
    BY_LAST,
    H_EVENT,
    I64,
    I_BUDGET,
    I_INDEX,
    I_INDEX_ROW,
    I_LOT,
    I_MARK,
    I_MARK_ROW,
    I_N_ORDERS,
    MARKET,
    O_ACTIVE,
    O_LIMIT,
    O_LIVE,
    O_RISES,
    O_SEQ,
    O_SIDE,
    O_STATUS,
    O_TBY,
    O_TKIND,
    O_TRIGGER,
    O_TYPE,
    OPEN,
    PARTLY,
    TAKE_PROFIT,
    TRAILING,
    UNTRIGGERED,
)
from openalpha.venue.kernel.orders import order_at, trailing_trigger

NOBODY = -1
DOES_NOT_ACT = -1


@inlined
def _reached(level: int, a: int, z: int, rises: bool, is_jump: bool) -> int:
    """Return the point on the way from a to z where a level is reached, or DOES_NOT_ACT (E5)."""
    if rises:
        if max(a, z) < level:
            return DOES_NOT_ACT
    elif min(a, z) > level:
        return DOES_NOT_ACT
    if is_jump:
        return z
    return level if min(a, z) <= level <= max(a, z) else a


@compiled
def _conditional_acts_at(m: I64, i: int, o: int, a: int, z: int, is_jump: bool) -> int:
    """Return the point at which a conditional order triggers, or DOES_NOT_ACT (E5, O8)."""
    rises = m[o + O_RISES] != 0
    if m[o + O_TKIND] == TRAILING:
        if m[o + O_ACTIVE] == 0:
            return DOES_NOT_ACT
        return _reached(trailing_trigger(m, o), a, z, rises, is_jump)
    watched, level = m[o + O_TBY], m[o + O_TRIGGER]
    if watched == BY_LAST:
        return _reached(level, a, z, rises, is_jump)
    price = z
    if watched == BY_INDEX and m[i + I_INDEX_ROW] >= 0:
        price = m[i + I_INDEX]
    elif m[i + I_MARK_ROW] >= 0:
        price = m[i + I_MARK]
    is_met = price >= level if rises else price <= level
    return z if is_met else DOES_NOT_ACT


@compiled
def acts_at(m: I64, i: int, o: int, a: int, z: int, is_jump: bool) -> int:
    """Return the point at which an order acts on the way from a to z, or DOES_NOT_ACT (E5)."""
    status = m[o + O_STATUS]
    if m[o + O_LIVE] > m[H_EVENT]:
        return DOES_NOT_ACT
    if status == UNTRIGGERED:
        return _conditional_acts_at(m, i, o, a, z, is_jump)
    if status != OPEN and status != PARTLY:
        return DOES_NOT_ACT
    if m[o + O_TYPE] == MARKET:
        return z if is_jump else DOES_NOT_ACT
    level = m[o + O_LIMIT]
    is_through = z < level if m[o + O_SIDE] > 0 else z > level
    if not is_through or m[i + I_BUDGET] < m[i + I_LOT]:
        return DOES_NOT_ACT
    if is_jump:
        return z
    return level if min(a, z) <= level <= max(a, z) else a


@inlined
def _rank(m: I64, o: int) -> int:
    """Return an order's rank among those that act at the same point: worse for the holder first."""
    if m[o + O_STATUS] == UNTRIGGERED:
        return 2 if m[o + O_TKIND] == TAKE_PROFIT else 1
    return 0 if m[o + O_TYPE] == MARKET else 2


@compiled
def first_to_act(m: I64, i: int, a: int, z: int, is_jump: bool, done_seq: int) -> tuple[int, int]:
    """Find the order that acts first on the way from a to z (E4, E5).

    Parameters
    ----------
    done_seq : int
        Sequence of the working market order that acted last at this jump; each acts once.

    Returns
    -------
    tuple of int
        Place of the order (NOBODY: none acts) and the point at which it does.
    """
    best, where, best_gap, best_rank, best_seq = NOBODY, z, BIG, 9, BIG
    for k in range(m[i + I_N_ORDERS]):
        o = order_at(m, i, k)
        x = acts_at(m, i, o, a, z, is_jump)
        if x == DOES_NOT_ACT:
            continue
        rank, seq = _rank(m, o), m[o + O_SEQ]
        if rank == 0 and seq <= done_seq:
            continue
        gap = 0 if is_jump else abs(x - a)
        is_sooner = gap < best_gap or (gap == best_gap and rank < best_rank)
        if is_sooner or (gap == best_gap and rank == best_rank and seq < best_seq):
            best, where, best_gap, best_rank, best_seq = o, x, gap, rank, seq
    return best, where

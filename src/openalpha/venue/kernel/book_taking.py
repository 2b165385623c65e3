"""How orders take from the price-time book and come to rest in it (docs/kernel/book.md, B6-B10)."""

from openalpha.core.reasons import Reason
from openalpha.venue.kernel._compile import compiled
from openalpha.venue.kernel.arith import floor_to
from openalpha.venue.kernel.book import (
    NO_ORDER,
    NO_PRICE,
    best_price,
    is_beyond,
    is_resting,
    level_qty,
    next_piece,
    price_after,
    take_from_level,
)
from openalpha.venue.kernel.execute import (
    FOK_NOT_FILLABLE,
    IOC_REMAINDER,
    LIMIT_RESTED,
    LIMIT_TAKEN,
    NO_POSITION,
    OFF_LOT,
    POST_ONLY_WOULD_TAKE,
    closable,
    cut_to_position,
    fill_order,
    is_done,
)
from openalpha.venue.kernel.layout import (
    F_BASE,
    FOK,
    GTC,
    H_SEQ,
    I64,
    I_LAST,
    I_LOT,
    I_N_ORDERS,
    LIMIT,
    MAKER,
    O_ACCT,
    O_FILLED,
    O_ID,
    O_LIMIT,
    O_OCO,
    O_QTY,
    O_QUEUE,
    O_REASON,
    O_REDUCE,
    O_SEQ,
    O_SIDE,
    O_TIF,
    O_TYPE,
    O_WHOLE,
    POST_ONLY,
    TAKER,
)
from openalpha.venue.kernel.orders import cancel_order, leg_of, order_at, reject_order
from openalpha.venue.kernel.path import set_point

SELF_MATCH = int(Reason.SELF_MATCH)


@compiled
def rest_of(m: I64, o: int) -> int:
    """Return what of an order has not filled."""
    return m[o + O_QTY] - m[o + O_FILLED]


@compiled
def fill_maker(m: I64, i: int, o: int, most: int) -> int:
    """Fill a resting order at its own price with at most a quantity; returns how much (B6).

    0 means that the order could not trade and was cancelled, or that less than a lot was wanted.
    """
    if m[o + O_REDUCE] != 0 and not cut_to_position(m, i, o):
        cancel_order(m, i, o, NO_POSITION)
        return 0
    lot = m[i + I_LOT]
    qty = floor_to(min(rest_of(m, o), most), lot)
    if qty > 0:
        fill_order(m, i, o, qty, m[o + O_LIMIT], MAKER, LIMIT_RESTED)
    elif rest_of(m, o) < lot:
        cancel_order(m, i, o, OFF_LOT)
    return qty


@compiled
def take_piece(m: I64, i: int, side: int, bound: int, most: int) -> tuple[int, int]:
    """Take the next piece a taker meets; its own side of the trade is the caller's (B3, B6).

    Returns
    -------
    tuple of int
        Quantity and price. Quantity 0 with a price: an order went away, ask again; NO_PRICE:
        nothing is left within the bound.
    """
    lot = m[i + I_LOT]
    maker, price, ahead = next_piece(m, i, -side)
    if most < lot or price == NO_PRICE or is_beyond(side, price, bound):
        return 0, NO_PRICE
    if maker == NO_ORDER:
        qty = min(most, ahead)
        take_from_level(m, i, -side, price, qty)
    else:
        qty = fill_maker(m, i, maker, most)
    if qty > 0:
        set_point(m, i, price)
    return qty, price


@compiled
def sweep(m: I64, i: int, side: int, bound: int, qty: int) -> int:
    """Let an anonymous taker trade; returns what it did not get (B8)."""
    left = floor_to(qty, m[i + I_LOT])
    while left > 0:
        got, price = take_piece(m, i, side, bound, left)
        if price == NO_PRICE:
            break
        left -= got
    return left


@compiled
def _own_order(m: I64, i: int, o: int, price: int) -> int:
    """Return the first order of the taker's own account that stands opposite at a price."""
    first = NO_ORDER
    for k in range(m[i + I_N_ORDERS]):
        own = order_at(m, i, k)
        if m[own + O_ACCT] != m[o + O_ACCT] or m[own + O_SIDE] == m[o + O_SIDE]:
            continue
        if m[own + O_LIMIT] != price or not is_resting(m, own):
            continue
        if first == NO_ORDER or m[own + O_SEQ] < m[first + O_SEQ]:
            first = own
    return first


@compiled
def _certain_at(m: I64, i: int, side: int, price: int, own: int) -> int:
    """Return what a taker surely gets at a price, up to its own account's order there (B7)."""
    found = level_qty(m, i, -side, price)
    if own != NO_ORDER:
        found = min(found, m[own + O_QUEUE])
    for k in range(m[i + I_N_ORDERS]):
        o = order_at(m, i, k)
        if m[o + O_SIDE] == side or m[o + O_LIMIT] != price or not is_resting(m, o):
            continue
        if m[o + O_REDUCE] != 0 or m[o + O_OCO] != 0:
            continue
        if own == NO_ORDER or m[o + O_SEQ] < m[own + O_SEQ]:
            found += floor_to(rest_of(m, o), m[i + I_LOT])
    return found


@compiled
def _probe(m: I64, i: int, o: int, bound: int) -> tuple[int, int]:
    """Return how much an order surely gets within a bound, and the worst price it reaches (B7)."""
    side, wanted = m[o + O_SIDE], rest_of(m, o)
    if m[o + O_WHOLE] != 0:
        wanted = closable(m, i, leg_of(m, i, o), side)
    found, worst, own = 0, NO_PRICE, NO_ORDER
    price = best_price(m, i, -side)
    while price != NO_PRICE and found < wanted and own == NO_ORDER:
        if is_beyond(side, price, bound):
            break
        own = _own_order(m, i, o, price)
        found += _certain_at(m, i, side, price, own)
        worst = price
        price = price_after(m, i, -side, price)
    return found, worst


@compiled
def taking_price(m: I64, i: int, o: int) -> int:
    """Return the price an order is checked at: the last it would reach, or last trade (B9)."""
    if m[o + O_TYPE] == LIMIT:
        return m[o + O_LIMIT]
    _, worst = _probe(m, i, o, 0)
    return worst if worst != NO_PRICE else m[i + I_LAST]


@compiled
def _meets_own(m: I64, i: int, o: int, bound: int) -> bool:
    """Say whether the next piece an order would take is an order of its own account (B10)."""
    maker, price, _ = next_piece(m, i, -m[o + O_SIDE])
    if maker == NO_ORDER or is_beyond(m[o + O_SIDE], price, bound):
        return False
    return m[maker + O_ACCT] == m[o + O_ACCT]


@compiled
def _take_all(m: I64, i: int, o: int, bound: int, reason: int) -> None:
    """Let a live order take what it meets within its bound (B6, B10)."""
    order_id, side = m[o + O_ID], m[o + O_SIDE]
    touch = best_price(m, i, -side)
    while not is_done(m, o, order_id):
        if _meets_own(m, i, o, bound):
            cancel_order(m, i, o, SELF_MATCH)
            return
        qty, price = take_piece(m, i, side, bound, rest_of(m, o))
        if price == NO_PRICE:
            return
        if qty > 0:
            f = fill_order(m, i, o, qty, price, TAKER, reason)
            m[f + F_BASE] = touch


@compiled
def take_in_book(m: I64, i: int, o: int) -> None:
    """Execute a live order against the book: take what it may, then rest or end (B6-B10)."""
    order_id, tif, side = m[o + O_ID], m[o + O_TIF], m[o + O_SIDE]
    is_limit = m[o + O_TYPE] == LIMIT
    bound = m[o + O_LIMIT] if is_limit else 0
    if is_limit and tif == POST_ONLY:
        price = best_price(m, i, -side)
        if price != NO_PRICE and not is_beyond(side, price, bound):
            reject_order(m, i, o, POST_ONLY_WOULD_TAKE)
            return
    if tif == FOK and _probe(m, i, o, bound)[0] < rest_of(m, o):
        cancel_order(m, i, o, FOK_NOT_FILLABLE)
        return
    _take_all(m, i, o, bound, LIMIT_TAKEN if is_limit else m[o + O_REASON])
    if is_done(m, o, order_id):
        return
    if is_limit and (tif == GTC or tif == POST_ONLY):
        m[H_SEQ] += 1
        m[o + O_SEQ] = m[H_SEQ]
        m[o + O_QUEUE] = level_qty(m, i, side, m[o + O_LIMIT])
    else:
        cancel_order(m, i, o, IOC_REMAINDER)

"""The price-time book of an instrument: the market's levels, orders among them, and who is next.

The market's levels are anonymous quantities at a price (rules B1-B5 of docs/kernel/book.md);
orders of all accounts stand between them, each behind the quantity it found (`O_QUEUE`).
"""

from openalpha.venue.kernel._compile import compiled
from openalpha.venue.kernel.layout import (
    H_LEVELS,
    I64,
    I_BOOK_AT,
    I_N_BIDS,
    I_N_ORDERS,
    L_PRICE,
    L_QTY,
    LEVEL_COLS,
    LIMIT,
    O_LIMIT,
    O_QUEUE,
    O_SEQ,
    O_SIDE,
    O_STATUS,
    O_TYPE,
    OPEN,
    PARTLY,
)
from openalpha.venue.kernel.orders import order_at

NO_ORDER = -1
NO_PRICE = 0


@compiled
def _count_at(i: int, side: int) -> int:
    """Return where the number of a side's levels stands: +1 bids, -1 asks."""
    return i + I_N_BIDS + (0 if side > 0 else 1)


@compiled
def _level_at(m: I64, i: int, side: int, k: int) -> int:
    """Return the place of a side's k-th level, counted from the worst."""
    shift = 0 if side > 0 else m[H_LEVELS]
    return m[i + I_BOOK_AT] + (shift + k) * LEVEL_COLS


@compiled
def _rank_of(m: I64, i: int, side: int, price: int) -> int:
    """Return how many levels of a side are worse than a price."""
    low, high = 0, m[_count_at(i, side)]
    while low < high:
        middle = (low + high) >> 1
        if side * m[_level_at(m, i, side, middle) + L_PRICE] < side * price:
            low = middle + 1
        else:
            high = middle
    return low


@compiled
def level_qty(m: I64, i: int, side: int, price: int) -> int:
    """Return the market's quantity at a price, 0 if it shows none."""
    k = _rank_of(m, i, side, price)
    if k < m[_count_at(i, side)]:
        place = _level_at(m, i, side, k)
        if m[place + L_PRICE] == price:
            return m[place + L_QTY]
    return 0


@compiled
def put_level(m: I64, i: int, side: int, price: int, qty: int) -> None:
    """Set the market's quantity at a price; 0 removes the level."""
    count_at = _count_at(i, side)
    n, k = m[count_at], _rank_of(m, i, side, price)
    place = _level_at(m, i, side, k)
    end = _level_at(m, i, side, n)
    if k < n and m[place + L_PRICE] == price:
        if qty > 0:
            m[place + L_QTY] = qty
            return
        for c in range(place, end - LEVEL_COLS):
            m[c] = m[c + LEVEL_COLS]
        m[count_at] = n - 1
    elif qty > 0:
        for c in range(end - 1, place - 1, -1):
            m[c + LEVEL_COLS] = m[c]
        m[place + L_PRICE] = price
        m[place + L_QTY] = qty
        m[count_at] = n + 1


@compiled
def best_level(m: I64, i: int, side: int) -> int:
    """Return the market's best price of a side, NO_PRICE if it shows none."""
    n = m[_count_at(i, side)]
    return m[_level_at(m, i, side, n - 1) + L_PRICE] if n > 0 else NO_PRICE


@compiled
def is_resting(m: I64, o: int) -> bool:
    """Say whether an order rests in the book."""
    status = m[o + O_STATUS]
    return (status == OPEN or status == PARTLY) and m[o + O_TYPE] == LIMIT


@compiled
def best_order(m: I64, i: int, side: int) -> int:
    """Return the resting order of a side that is first by price, then time (B1)."""
    best = NO_ORDER
    for k in range(m[i + I_N_ORDERS]):
        o = order_at(m, i, k)
        if m[o + O_SIDE] != side or not is_resting(m, o):
            continue
        if best == NO_ORDER:
            best = o
            continue
        ahead = side * (m[o + O_LIMIT] - m[best + O_LIMIT])
        if ahead > 0 or (ahead == 0 and m[o + O_SEQ] < m[best + O_SEQ]):
            best = o
    return best


@compiled
def next_piece(m: I64, i: int, side: int) -> tuple[int, int, int]:
    """Return what a taker meets first on a side of the book (B1, B3).

    Returns
    -------
    tuple of int
        The order it meets (NO_ORDER: the market's quantity), the price (NO_PRICE: nothing is there)
        and, for the market's quantity, how much of it stands before the next order.
    """
    o = best_order(m, i, side)
    price = best_level(m, i, side)
    if o == NO_ORDER:
        return NO_ORDER, price, level_qty(m, i, side, price)
    limit = m[o + O_LIMIT]
    if price == NO_PRICE or side * limit > side * price:
        return o, limit, 0
    ahead = level_qty(m, i, side, price)
    if limit == price:
        ahead = min(m[o + O_QUEUE], ahead)
        if ahead == 0:
            return o, limit, 0
    return NO_ORDER, price, ahead


@compiled
def best_price(m: I64, i: int, side: int) -> int:
    """Return the best price of a side, the market's or an order's; NO_PRICE if it is empty."""
    o = best_order(m, i, side)
    price = best_level(m, i, side)
    if o == NO_ORDER:
        return price
    limit = m[o + O_LIMIT]
    return limit if price == NO_PRICE or side * limit > side * price else price


@compiled
def price_after(m: I64, i: int, side: int, price: int) -> int:
    """Return the next worse price of a side at which anything stands, or NO_PRICE."""
    k = _rank_of(m, i, side, price)
    best = m[_level_at(m, i, side, k - 1) + L_PRICE] if k > 0 else NO_PRICE
    for slot in range(m[i + I_N_ORDERS]):
        o = order_at(m, i, slot)
        limit = m[o + O_LIMIT]
        if m[o + O_SIDE] != side or not is_resting(m, o) or side * limit >= side * price:
            continue
        if best == NO_PRICE or side * limit > side * best:
            best = limit
    return best


@compiled
def take_from_level(m: I64, i: int, side: int, price: int, qty: int) -> None:
    """Take from the front of the market's quantity at a price; those behind move up (B3, B4)."""
    put_level(m, i, side, price, level_qty(m, i, side, price) - qty)
    for k in range(m[i + I_N_ORDERS]):
        o = order_at(m, i, k)
        if m[o + O_SIDE] == side and m[o + O_LIMIT] == price and is_resting(m, o):
            m[o + O_QUEUE] = max(m[o + O_QUEUE] - qty, 0)


@compiled
def cut_queues(m: I64, i: int) -> None:
    """Cut each order's queue to what the market still shows at its price (B5)."""
    for k in range(m[i + I_N_ORDERS]):
        o = order_at(m, i, k)
        if m[o + O_QUEUE] > 0 and is_resting(m, o):
            m[o + O_QUEUE] = min(m[o + O_QUEUE], level_qty(m, i, m[o + O_SIDE], m[o + O_LIMIT]))


@compiled
def is_beyond(side: int, price: int, bound: int) -> bool:
    """Say whether a price is worse for a taker than the bound it set (0: none)."""
    return bound > 0 and side * price > side * bound

"""What happens to the price-time book: feed events, commands that arrive, and what follows.

Rules B11-B16 of docs/kernel/book.md. One event is done with all its consequences before the next.
"""

from openalpha.venue.kernel._compile import compiled, entry
from openalpha.venue.kernel.account import acct_at, inst_at, pay_funding
from openalpha.venue.kernel.acting import DOES_NOT_ACT, NOBODY, acts_at
from openalpha.venue.kernel.arith import floor_to
from openalpha.venue.kernel.book import (
    NO_ORDER,
    NO_PRICE,
    best_level,
    best_order,
    cut_queues,
    level_qty,
    put_level,
)
from openalpha.venue.kernel.book_liquidation import reduce_in_book
from openalpha.venue.kernel.book_taking import fill_maker, sweep, take_in_book, taking_price
from openalpha.venue.kernel.checks import WRONG_SIDE
from openalpha.venue.kernel.commands import (
    AMEND,
    CANCEL,
    NEW,
    carry_out,
    next_command,
    trigger_order,
)
from openalpha.venue.kernel.layout import (
    BIG,
    H_DONE_CAP,
    H_EFFECTS_CAP,
    H_EVENT,
    H_FILLS_CAP,
    H_LEVELS,
    H_N_ACCTS,
    H_N_DONE,
    H_N_EFFECTS,
    H_N_FILLS,
    H_N_INST,
    H_NOW_MS,
    H_SLOTS,
    I64,
    I_IN_SNAPSHOT,
    I_INDEX,
    I_INDEX_ROW,
    I_LAST,
    I_LOT,
    I_MARK,
    I_MARK_ROW,
    I_N_ASKS,
    I_N_BIDS,
    I_N_ORDERS,
    NO_TRIGGER,
    O_AMEND_SEQ,
    O_CANCEL_SEQ,
    O_LIMIT,
    O_QUEUE,
    O_SEQ,
    O_SIDE,
    O_STATUS,
    O_TKIND,
    TAKE_PROFIT,
    UNTRIGGERED,
)
from openalpha.venue.kernel.liquidation import NO_LEG, next_reduction
from openalpha.venue.kernel.orders import order_at, ratchet, reject_order
from openalpha.venue.kernel.path import set_point, take_steps

# columns of an event
V_TS, V_KIND, V_INST, V_SIDE, V_PRICE, V_QTY = range(6)
EVENT_COLS = 6

# kinds of events
TIME, LEVEL, TRADE, MARKS, FUNDING, SNAPSHOT_BEGIN, SNAPSHOT_END = range(7)

ROOM = 256


@compiled
def _has_room(m: I64) -> bool:
    """Say whether the memory holds whatever one more event or command can write."""
    need = ROOM + 64 * m[H_N_ACCTS]
    for number in range(m[H_N_INST]):
        i = inst_at(number)
        n = m[i + I_N_ORDERS]
        if 5 * n + 8 > m[H_SLOTS]:
            return False
        levels = max(m[i + I_N_BIDS], m[i + I_N_ASKS])
        if levels + 1 > m[H_LEVELS]:
            return False
        need += 2 * levels + 16 * n
    return (
        m[H_N_FILLS] + need <= m[H_FILLS_CAP]
        and m[H_N_EFFECTS] + 3 * need <= m[H_EFFECTS_CAP]
        and m[H_N_DONE] + 2 * need <= m[H_DONE_CAP]
    )


@compiled
def _liquidate_all(m: I64) -> bool:
    """Liquidate every account that must be. Returns whether anything was done (B15)."""
    happened = False
    for number in range(m[H_N_ACCTS]):
        a = acct_at(m, number)
        i, p, amount, is_last = next_reduction(m, a, NO_LEG)
        while p != NO_LEG:
            happened = True
            reduce_in_book(m, a, i, p, amount, is_last)
            i, p, amount, is_last = next_reduction(m, a, p)
    return happened


@compiled
def _first_triggered(m: I64, i: int) -> int:
    """Return the conditional order that acts first at the present prices (B13)."""
    best, best_rank = NOBODY, 9
    last = m[i + I_LAST]
    for k in range(m[i + I_N_ORDERS]):
        o = order_at(m, i, k)
        if m[o + O_STATUS] != UNTRIGGERED or acts_at(m, i, o, last, last, True) == DOES_NOT_ACT:
            continue
        rank = 2 if m[o + O_TKIND] == TAKE_PROFIT else 1
        is_sooner = best != NOBODY and rank == best_rank and m[o + O_SEQ] < m[best + O_SEQ]
        if rank < best_rank or is_sooner:
            best, best_rank = o, rank
    return best


@compiled
def _settle(m: I64) -> None:
    """Let liquidations and triggers follow until none is left; then trailing orders (B13, B15)."""
    acted = True
    while acted:
        acted = _liquidate_all(m)
        for number in range(m[H_N_INST]):
            i = inst_at(number)
            o = NOBODY if acted else _first_triggered(m, i)
            if o != NOBODY:
                if trigger_order(m, i, o, taking_price(m, i, o)):
                    take_in_book(m, i, o)
                acted = True
    for number in range(m[H_N_INST]):
        i = inst_at(number)
        if m[i + I_LAST] > 0:
            ratchet(m, i, m[i + I_LAST])


@compiled
def _seq_of(m: I64, o: int, kind: int) -> int:
    """Return the sequence number of a command in flight."""
    if kind == CANCEL:
        return m[o + O_CANCEL_SEQ]
    return m[o + O_AMEND_SEQ] if kind == AMEND else m[o + O_SEQ]


@compiled
def _first_command(m: I64, until_ms: int) -> tuple[int, int, int, int]:
    """Find the command that arrives first at any instrument, by (arrival, sequence) (B12)."""
    best_i, best_o, best_kind, when, seq = -1, NO_ORDER, NEW, until_ms, BIG
    for number in range(m[H_N_INST]):
        i = inst_at(number)
        o, kind, arrival = next_command(m, i, when)
        if o < 0:
            continue
        mine = _seq_of(m, o, kind)
        if arrival < when or mine < seq:
            best_i, best_o, best_kind, when, seq = i, o, kind, arrival, mine
    return best_i, best_o, best_kind, when


@compiled
def _run_commands(m: I64, until_ms: int) -> bool:
    """Carry out the commands that have arrived. False: the memory must be enlarged first (B12)."""
    while True:
        i, o, kind, arrival = _first_command(m, until_ms)
        if o < 0:
            return True
        if not _has_room(m):
            return False
        m[H_EVENT] += 1
        m[H_NOW_MS] = max(m[H_NOW_MS], arrival)
        take_steps(m, i, m[H_NOW_MS])
        if kind == NEW and m[o + O_TKIND] != NO_TRIGGER and m[i + I_LAST] == 0:
            reject_order(m, i, o, WRONG_SIDE)
        elif carry_out(m, i, o, kind, taking_price(m, i, o)):
            take_in_book(m, i, o)
        _settle(m)


@compiled
def _match_crossed(m: I64, i: int) -> bool:
    """Fill orders that the market's levels now cross. Returns whether anything happened (B11)."""
    happened = False
    for side in (1, -1):
        while True:
            o, price = best_order(m, i, side), best_level(m, i, -side)
            if o == NO_ORDER or price == NO_PRICE or side * m[o + O_LIMIT] < side * price:
                break
            limit, shown = m[o + O_LIMIT], level_qty(m, i, -side, price)
            qty = fill_maker(m, i, o, shown)
            happened = True
            if qty > 0:
                put_level(m, i, -side, price, shown - qty)
                set_point(m, i, limit)
    return happened


@compiled
def _on_level(m: I64, i: int, side: int, price: int, qty: int) -> bool:
    """Take what the feed says of one level. Returns whether an order acted (B2, B5, B11)."""
    qty = floor_to(qty, m[i + I_LOT])
    put_level(m, i, side, price, qty)
    if m[i + I_IN_SNAPSHOT] != 0 or m[i + I_N_ORDERS] == 0:
        return False
    for k in range(m[i + I_N_ORDERS]):
        o = order_at(m, i, k)
        if m[o + O_SIDE] == side and m[o + O_LIMIT] == price:
            m[o + O_QUEUE] = min(m[o + O_QUEUE], qty)
    return qty > 0 and _match_crossed(m, i)


@compiled
def _on_snapshot(m: I64, i: int, is_begin: bool) -> bool:
    """Begin a snapshot with an empty book, or end it: queues are cut, crossed orders fill (B2)."""
    m[i + I_IN_SNAPSHOT] = 1 if is_begin else 0
    if is_begin:
        m[i + I_N_BIDS] = m[i + I_N_ASKS] = 0
        return False
    cut_queues(m, i)
    return _match_crossed(m, i)


@compiled
def _on_marks(m: I64, i: int, mark: int, index: int) -> None:
    """Take a new mark and, if given, index price (B13)."""
    m[i + I_MARK] = mark
    m[i + I_MARK_ROW] = 0
    if index > 0:
        m[i + I_INDEX_ROW] = 0
        m[i + I_INDEX] = index
    elif m[i + I_INDEX_ROW] < 0:
        m[i + I_INDEX] = mark


@compiled
def _on_event(m: I64, events: I64, k: int) -> None:
    """Apply one event of the feed with all that follows from it."""
    kind, i = events[k, V_KIND], inst_at(events[k, V_INST])
    side, price, qty = events[k, V_SIDE], events[k, V_PRICE], events[k, V_QTY]
    m[H_EVENT] += 1
    m[H_NOW_MS] = max(m[H_NOW_MS], events[k, V_TS])
    if kind == LEVEL:
        if not _on_level(m, i, side, price, qty):
            return
    elif kind == TRADE:
        take_steps(m, i, m[H_NOW_MS])
        sweep(m, i, side, price, qty)
        set_point(m, i, price)
    elif kind == MARKS:
        _on_marks(m, i, price, qty)
    elif kind == FUNDING:
        for number in range(m[H_N_ACCTS]):
            pay_funding(m, acct_at(m, number), i, price)
    elif not _on_snapshot(m, i, kind == SNAPSHOT_BEGIN):
        return
    _settle(m)


@entry
def replay(m: I64, events: I64, start: int) -> int:
    """Lead all accounts over rows of events, with the commands that arrive between them.

    Commands that arrive before an event's stamp come before it; those of the same stamp after all
    of its events (B12). A TIME event carries out commands that arrive up to and at its stamp.

    Returns
    -------
    int
        The row reached: the number of rows, or an earlier one where the memory must grow first.
    """
    n = events.shape[0]
    due = 0
    for k in range(start, n):
        ts = events[k, V_TS]
        is_time = events[k, V_KIND] == TIME
        if ts > due or is_time:
            if not _run_commands(m, ts if is_time else ts - 1):
                return k
            due = ts
        if is_time:
            m[H_NOW_MS] = max(m[H_NOW_MS], ts)
        else:
            if not _has_room(m):
                return k
            _on_event(m, events, k)
    return n

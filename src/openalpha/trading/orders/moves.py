"""How rows and executions of the venue move an order: along the table, never back."""

from collections import deque
from dataclasses import dataclass
from functools import cache

from openalpha.core.orders import (
    TRANSITIONS,
    OrderEvent,
    OrderStatus,
    is_terminal,
    next_status,
)
from openalpha.trading.orders.record import LiveOrder, OrderRecord, Pending
from openalpha.venue.bybit.rows import Execution, OrderRow

__all__ = ["Trouble", "end", "path", "see_execution", "see_row"]

_RANK = {
    OrderStatus.CREATED: 0,
    OrderStatus.SUBMITTED: 1,
    OrderStatus.UNTRIGGERED: 2,
    OrderStatus.OPEN: 3,
    OrderStatus.PARTIALLY_FILLED: 4,
}
_ENDED = 5


@dataclass(frozen=True, slots=True)
class Trouble:
    """What of the venue's word does not fit what is known: a code and words for a person."""

    code: str
    words: str


@cache
def path(status: OrderStatus, target: OrderStatus) -> tuple[OrderEvent, ...] | None:
    """Return the fewest events that lead from one status to another; None if the table has none.

    Examples
    --------
    >>> [event.name for event in path(OrderStatus.UNTRIGGERED, OrderStatus.FILLED) or ()]
    ['TRIGGER', 'FILL_ALL']
    >>> path(OrderStatus.FILLED, OrderStatus.CANCELLED) is None
    True
    """
    queue: deque[tuple[OrderStatus, tuple[OrderEvent, ...]]] = deque([(status, ())])
    seen = {status}
    while queue:
        here, events = queue.popleft()
        if here is target:
            return events
        for (before, event), after in sorted(TRANSITIONS.items()):
            # What has ended leads nowhere else, but for the fills that an end itself may be told.
            is_through_end = is_terminal(here) and here is not status
            if before is here and after not in seen and not is_through_end:
                seen.add(after)
                queue.append((after, (*events, event)))
    return None


def see_row(order: LiveOrder, row: OrderRow, *, is_asked: bool = False) -> Trouble | None:
    """Take in an order as the venue shows it.

    Parameters
    ----------
    order : LiveOrder
    row : OrderRow
    is_asked : bool
        Whether it is the answer to a question, not a push that may be old.

    Returns
    -------
    Trouble or None
        What does not fit: the order is then of unknown fate and must be asked for.
    """
    # What a row does not say is no contradiction.
    is_other = row.symbol not in ("", order.symbol)
    if is_other or (row.side is not None and row.side is not order.side):
        return Trouble("id_mismatch", f"{order.link_id} names another order at the venue")
    if row.status is OrderStatus.UNKNOWN:
        order.is_lost = True
        return Trouble("unknown_status", f"{order.link_id} is '{row.venue_status}' at the venue")
    if _is_old(order, row):
        return None
    order.row_ms = max(order.row_ms, row.updated_ms)
    trouble = _move(order, row)
    order.reported_qty = max(order.reported_qty, row.filled_qty)
    if trouble is not None and not is_asked:
        return trouble
    if trouble is not None:
        # Asked, the venue's word wins; a person hears of it.
        order.status = row.status
    order.is_lost = False
    _compare_terms(order, row)
    end(order, row.updated_ms)
    return trouble


def end(order: LiveOrder, ts_ms: int) -> None:
    """Note that an order has ended, if it has: no change of it is under way any more."""
    if not order.is_open:
        order.pending = Pending.NONE
        order.wish.clear()
        order.ended_ms = order.ended_ms or ts_ms


def see_execution(record: OrderRecord, order: LiveOrder, *, execution: Execution) -> Trouble | None:
    """Count an execution of an order, the first time it is heard of."""
    record.bind(order, execution.order_id)
    order.filled_qty += execution.qty
    order.filled_value += execution.qty * execution.price
    # A change of quantity may be in force already: then only the venue's row says it is whole.
    most = max(order.qty, order.most_qty)
    is_whole = order.filled_qty >= most
    target = OrderStatus.FILLED if is_whole else OrderStatus.PARTIALLY_FILLED
    if order.is_open or is_whole:
        _follow(order, target)
    order.is_lost = order.is_lost and order.is_open
    end(order, execution.ts_ms)
    most = max(most, order.reported_qty)
    if order.filled_qty > most:
        return Trouble(
            "overfilled", f"{order.link_id} filled {order.filled_qty}, more than its {most}"
        )
    return None


def _is_old(order: LiveOrder, row: OrderRow) -> bool:
    """Whether a row tells of a moment before what is known: orders only go forward."""
    if row.filled_qty < order.reported_qty or 0 < row.updated_ms < order.row_ms:
        return True
    rank = _ENDED if is_terminal(row.status) else _RANK[row.status]
    known = _ENDED if is_terminal(order.status) else _RANK[order.status]
    if rank < known:
        # An end that was declared without the venue's own word is put right by its word.
        return order.status is not OrderStatus.REJECTED or order.is_acked
    return False


def _move(order: LiveOrder, row: OrderRow) -> Trouble | None:
    if row.status is order.status or _follow(order, row.status):
        return None
    if order.status is OrderStatus.FILLED and row.filled_qty == order.reported_qty:
        # After a fill that crossed our cancel the venue may call the order cancelled as well.
        return None
    before = order.status.name
    order.is_lost = True
    return Trouble("contradiction", f"{order.link_id} was {before}, now {row.venue_status}")


def _follow(order: LiveOrder, target: OrderStatus) -> bool:
    events = path(order.status, target)
    if events is None:
        return False
    for event in events:
        order.status = next_status(order.status, event)
    return True


def _compare_terms(order: LiveOrder, row: OrderRow) -> None:
    """Take over the terms in force; an amend is done once they are those wished for."""
    order.qty = row.qty or order.qty
    order.limit_price = row.price if order.limit_price is not None else None
    order.trigger_price = row.trigger_price or order.trigger_price
    terms = {
        "qty": order.qty,
        "limit_price": order.limit_price,
        "trigger_price": order.trigger_price,
    }
    if order.wish and all(terms[name] == value for name, value in order.wish.items()):
        order.wish.clear()
        if order.pending is Pending.AMEND:
            order.pending = Pending.NONE

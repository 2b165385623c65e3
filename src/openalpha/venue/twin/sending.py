"""Commands of accounts on their way to the book: at once, or after the venue's latency.

With latency a command is acknowledged when it is sent, and carried out when it arrives: after the
market's steps of that stamp, in the order commands were sent. What is refused then is an order that
ends Rejected; a cancel or amend that comes too late changes nothing.
"""

from heapq import heappop, heappush

from openalpha.venue.twin import desk
from openalpha.venue.twin.codes import Refused
from openalpha.venue.twin.orders import Order
from openalpha.venue.twin.rows import order_ws_row
from openalpha.venue.twin.state import Due, State

__all__ = ["arrive", "send_amend", "send_cancel", "send_order"]


def send_order(state: State, order: Order) -> None:
    """Send a new order.

    Raises
    ------
    Refused
        Where there is no latency and the book refuses it.
    """
    if not state.latency_ms:
        desk.place(state, order)
        return
    order.order_id = state.next_id()
    if order.link_id:
        state.records[order.account].links[order.link_id] = order.order_id
    _send(state, "place", order)


def send_cancel(state: State, order: Order) -> None:
    """Send the cancel of an open order."""
    if state.latency_ms:
        _send(state, "cancel", order)
    else:
        desk.cancel(state, order)


def send_amend(state: State, order: Order, *, changes: tuple[int, int, int]) -> None:
    """Send an amend: quantity, limit and trigger, 0 to keep one.

    Raises
    ------
    Refused
        Where there is no latency and the book leaves the order as it is.
    """
    if state.latency_ms:
        _send(state, "amend", order, changes)
        return
    qty, limit, trigger = changes
    desk.amend(state, order, qty=qty, limit=limit, trigger=trigger)


def _send(state: State, what: str, order: Order, changes: tuple[int, int, int] = (0, 0, 0)) -> None:
    arrival = state.now_ms + state.latency_ms
    heappush(state.due, Due(arrival, state.next_seq(), what, order, changes))


def arrive(state: State) -> None:
    """Carry out the command that arrives next."""
    due = heappop(state.due)
    state.now_ms = max(state.now_ms, due.ts_ms)
    order = due.order
    try:
        if due.what == "place":
            order.created_ms = order.updated_ms = state.now_ms
            desk.place(state, order)
        elif order.is_open and due.what == "cancel":
            desk.cancel(state, order)
        elif order.is_open:
            qty, limit, trigger = due.changes
            desk.amend(state, order, qty=qty, limit=limit, trigger=trigger)
    except Refused:
        if due.what == "place":
            _reject(state, order)


def _reject(state: State, order: Order) -> None:
    """Keep an order the book refused when it arrived, as Rejected."""
    record = state.records[order.account]
    order.status, order.reject_reason = "Rejected", "EC_Others"
    record.add(order)
    if order.link_id:
        record.links[order.link_id] = order.order_id
    record.end(order)
    if state.is_heard(order.account, "order"):
        row = order_ws_row(order, state.listings[order.listing])
        state.push(order.account, "order", rows=[row])

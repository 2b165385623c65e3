"""O10 and X11: cancel and amend on arrival."""

from openalpha.core.orders import OrderStatus, OrderType, TriggerKind
from openalpha.core.reasons import Reason
from tests.reference import margin
from tests.reference.arrival import execute_limit, form_refusal
from tests.reference.state import IN_FLIGHT, RESTING, Flight, Order, State


def cancel(state: State, flight: Flight) -> None:
    order = flight.order
    if order.is_live or order.status is IN_FLIGHT:
        state.end(order, OrderStatus.CANCELLED, flight.reason)


def amend(state: State, flight: Flight, base: int) -> None:
    order = flight.order
    if not order.is_live or not _has_fields(order, flight):
        state.saw("amend refused")
        return
    before = (order.qty, order.limit, order.trigger, order.is_whole)
    if flight.new_qty:
        order.qty, order.is_whole = flight.new_qty, False
    order.limit = flight.new_limit or order.limit
    order.trigger = flight.new_trigger or order.trigger
    if _is_refused(state, order, flight, base):
        order.qty, order.limit, order.trigger, order.is_whole = before
        state.saw("amend refused")
        return
    state.saw("amended")
    if order.limit != before[1] or order.qty > before[0]:
        order.seq = state.next_seq()
        if order.is_resting_limit:
            execute_limit(state, order, base)


def _has_fields(order: Order, flight: Flight) -> bool:
    if flight.new_limit and order.order_type is not OrderType.LIMIT:
        return False
    has_trigger = order.status is OrderStatus.UNTRIGGERED and order.trigger_kind in (
        TriggerKind.STOP,
        TriggerKind.TAKE_PROFIT,
    )
    return has_trigger or not flight.new_trigger


def _is_refused(state: State, order: Order, flight: Flight, base: int) -> bool:
    if flight.new_qty and flight.new_qty <= order.filled:
        return True
    if form_refusal(state, order, base) is not Reason.NONE:
        return True
    return order.status in RESTING and margin.refusal(state, order, base) is not Reason.NONE

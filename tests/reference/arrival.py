"""O4 to O6: an order arrives or triggers, is checked, and takes, rests or ends."""

from openalpha.core.orders import (
    OrderStatus,
    OrderType,
    Role,
    TimeInForce,
    TriggerKind,
)
from openalpha.core.reasons import Reason
from tests.reference import margin
from tests.reference.aftermath import cancel_group, take
from tests.reference.money import cash as to_cash
from tests.reference.money import impact_e8, notional, shifted, too_large
from tests.reference.state import Order, State, Venue

_TRIGGER_REASONS = {
    TriggerKind.STOP: Reason.STOP,
    TriggerKind.TAKE_PROFIT: Reason.TAKE_PROFIT,
    TriggerKind.TRAILING: Reason.TRAILING,
}


def arrive(state: State, order: Order, base: int) -> None:
    """O4: the order has reached the venue."""
    venue = state.venues[order.instrument]
    reason = form_refusal(state, order, base)
    if reason is Reason.NONE and order.trigger_kind is not TriggerKind.NONE:
        reason = _trigger_side_refusal(venue, order)
        if reason is Reason.NONE:
            order.status = OrderStatus.UNTRIGGERED
            if order.trigger_kind is TriggerKind.TRAILING and order.activation == 0:
                order.best = venue.last
            return
    if reason is not Reason.NONE:
        state.end(order, OrderStatus.REJECTED, reason)
        return
    order.status = OrderStatus.OPEN
    if admit(state, order, base):
        execute(state, order, base)


def trigger(state: State, order: Order, base: int, is_jump: bool) -> None:
    """E6: a conditional order becomes a live one and executes."""
    order.status = OrderStatus.OPEN
    order.fill_reason = _TRIGGER_REASONS[order.trigger_kind]
    if is_jump and order.trigger_kind is TriggerKind.STOP:
        order.fill_reason = Reason.STOP_AT_GAP
    cancel_group(state, order)
    if admit(state, order, base):
        execute(state, order, base)


def form_refusal(state: State, order: Order, base: int) -> Reason:
    """O4 up to N7: what is wrong with the order itself."""
    venue = state.venues[order.instrument]
    if order.leg not in ((0, 1) if state.is_hedge and venue.is_perp else (0,)):
        return Reason.LEG_MISMATCH
    if order.qty % venue.lot:
        return Reason.OFF_LOT
    if not _is_on_tick(order, venue.tick):
        return Reason.OFF_TICK
    reason = _size_refusal(venue, order)
    if reason is not Reason.NONE:
        return reason
    return _units_refusal(venue, order, base)


def _is_on_tick(order: Order, tick: int) -> bool:
    """X8."""
    prices = []
    if order.order_type is OrderType.LIMIT:
        prices.append(order.limit)
    if order.trigger_kind in (TriggerKind.STOP, TriggerKind.TAKE_PROFIT):
        prices.append(order.trigger)
    if order.trigger_kind is TriggerKind.TRAILING:
        prices.append(order.distance)
        if order.activation % tick:
            return False
    return all(price >= tick and price % tick == 0 for price in prices)


def _size_refusal(venue: Venue, order: Order) -> Reason:
    if order.is_whole and order.is_reduce_only:
        return Reason.NONE
    if order.qty < max(venue.rules.min_qty, 1):
        return Reason.BELOW_MIN_QTY
    highest = venue.rules.max_qty
    if order.order_type is OrderType.MARKET:
        highest = venue.rules.max_market_qty
    return Reason.ABOVE_MAX_QTY if order.qty > highest else Reason.NONE


def _units_refusal(venue: Venue, order: Order, base: int) -> Reason:
    price = order.limit if order.order_type is OrderType.LIMIT else base
    held = venue.legs[order.leg].qty
    if too_large(venue.rules, held, order.remaining, price):
        return Reason.TOO_LARGE_FOR_UNITS
    return Reason.NONE


def _trigger_side_refusal(venue: Venue, order: Order) -> Reason:
    """O4 and X3."""
    if order.trigger_kind is TriggerKind.TRAILING:
        return Reason.NONE
    assert venue.last is not None
    watched = venue.watched(order.trigger_by, venue.last)
    if order.waits_for_fall():
        is_right = order.trigger < watched
    else:
        is_right = order.trigger > watched
    return Reason.NONE if is_right else Reason.TRIGGER_WRONG_SIDE


def admit(state: State, order: Order, base: int, *, goes_on: bool = False) -> bool:
    """O4 and X6, for orders about to execute: reduce-only, minimum notional, margin."""
    reason = _admission_refusal(state, order, base, goes_on)
    if reason is Reason.NONE:
        return True
    state.end(order, OrderStatus.REJECTED, reason)
    return False


def _admission_refusal(state: State, order: Order, base: int, goes_on: bool) -> Reason:
    rules = state.venues[order.instrument].rules
    if order.is_reduce_only:
        if not cut(state, order):
            return Reason.REDUCE_ONLY_NO_POSITION
    elif not goes_on:
        price = order.limit if order.order_type is OrderType.LIMIT else base
        if to_cash(rules, notional(rules, order.remaining, price)) < rules.min_notional:
            return Reason.BELOW_MIN_NOTIONAL
    return margin.refusal(state, order, base)


def cut(state: State, order: Order) -> bool:
    """O7: shorten a reduce-only order to what it can close; say whether anything is left."""
    closable = state.closable(order)
    if order.is_whole:
        order.qty = closable
        order.is_whole = False
    if closable < order.remaining:
        state.saw("reduce-only cut")
        if closable > 0:
            order.qty = order.filled + closable
    return closable > 0


def execute(state: State, order: Order, base: int) -> None:
    if order.order_type is OrderType.LIMIT:
        execute_limit(state, order, base)
    else:
        execute_market(state, order, base)


def execute_limit(state: State, order: Order, base: int) -> None:
    """O5."""
    venue = state.venues[order.instrument]
    best = shifted(venue.rules, order.side, base, 0, venue.tick)
    is_marketable = order.limit >= best if order.side > 0 else order.limit <= best
    if is_marketable and order.time_in_force is TimeInForce.POST_ONLY:
        state.end(order, OrderStatus.REJECTED, Reason.POST_ONLY_WOULD_TAKE)
        return
    e = venue.available_lots(order.remaining) if is_marketable else 0
    if order.time_in_force is TimeInForce.FOK and e < order.remaining:
        state.end(order, OrderStatus.CANCELLED, Reason.FOK_NOT_FILLABLE)
        return
    if e > 0:
        price = _taker_price(venue, order, base, e)
        price = min(price, order.limit) if order.side > 0 else max(price, order.limit)
        _use(venue, e)
        take(state, order, e, price, Role.TAKER, Reason.LIMIT_TAKEN)
    if order.remaining > 0 and order.time_in_force is TimeInForce.IOC:
        state.end(order, OrderStatus.CANCELLED, Reason.IOC_REMAINDER)


def execute_market(state: State, order: Order, base: int) -> None:
    """O6."""
    venue = state.venues[order.instrument]
    e = venue.available_lots(order.remaining)
    if order.time_in_force is TimeInForce.FOK and e < order.remaining:
        state.end(order, OrderStatus.CANCELLED, Reason.FOK_NOT_FILLABLE)
        return
    if e > 0:
        price = _taker_price(venue, order, base, e)
        _use(venue, e)
        take(state, order, e, price, Role.TAKER, order.fill_reason)
    if order.remaining > 0:
        if order.time_in_force is TimeInForce.IOC:
            state.end(order, OrderStatus.CANCELLED, Reason.IOC_REMAINDER)
        else:
            state.saw("working market")


def execute_resting(state: State, order: Order) -> None:
    """E6 and X5: a resting limit fills as maker, at its limit."""
    venue = state.venues[order.instrument]
    if order.is_reduce_only and not cut(state, order):
        state.end(order, OrderStatus.CANCELLED, Reason.REDUCE_ONLY_NO_POSITION)
        return
    e = venue.available_lots(order.remaining)
    if e == 0:
        state.end(order, OrderStatus.CANCELLED, Reason.OFF_LOT)
        return
    _use(venue, e)
    take(state, order, e, order.limit, Role.MAKER, Reason.LIMIT_RESTED)


def _taker_price(venue: Venue, order: Order, base: int, e: int) -> int:
    """O2."""
    move = impact_e8(venue.rules, e, venue.volume)
    return shifted(venue.rules, order.side, base, move, venue.tick)


def _use(venue: Venue, e: int) -> None:
    if venue.budget is not None:
        venue.budget -= e

"""O7, O9 and X9: what follows a fill: status, one-cancels-other, closed positions, new exits."""

from fractions import Fraction

from openalpha.core.instruments import Kind
from openalpha.core.orders import OrderStatus, OrderType, Role, Side, TriggerKind
from openalpha.core.reasons import Reason
from tests.reference.account import Execution, apply_fill
from tests.reference.money import E6, tick_down, tick_up
from tests.reference.state import IN_FLIGHT, Flight, Order, State


def take(state: State, order: Order, qty: int, price: int, role: Role, reason: Reason) -> None:
    """Fill `qty` of an order and let everything happen that follows from it."""
    assert 0 < qty <= order.remaining
    what = Execution(order.instrument, order.leg, order.side * qty, price, role, reason, order.id)
    applied = apply_fill(state, what)
    order.filled += qty
    order.status = OrderStatus.PARTIALLY_FILLED if order.remaining else OrderStatus.FILLED
    cancel_group(state, order)
    is_flat = state.venues[order.instrument].is_flat(order.leg)
    if applied.passed_zero or is_flat:
        _cancel_reduce_only(state, order.instrument, order.leg)
    if applied.opened > 0 and not is_flat and _has_exits(order):
        _make_exits(state, order)


def cancel_group(state: State, order: Order) -> None:
    """O7: the others of an OCO group go when one of it triggers or fills."""
    if order.oco_group is None:
        return
    for other in state.orders.values():
        if (
            other is not order
            and other.oco_group == order.oco_group
            and other.instrument == order.instrument
            and (other.is_live or other.status is IN_FLIGHT)
        ):
            state.end(other, OrderStatus.CANCELLED, Reason.CANCELLED_BY_OCO)


def _cancel_reduce_only(state: State, instrument: int, leg: int) -> None:
    """O7: nothing is left to reduce."""
    for order in state.orders.values():
        if order.instrument != instrument or order.leg != leg or not order.is_reduce_only:
            continue
        if order.is_live or (order.is_exit and order.status is IN_FLIGHT):
            state.end(order, OrderStatus.CANCELLED, Reason.CANCELLED_POSITION_CLOSED)


def _has_exits(order: Order) -> bool:
    e = order.exits
    return bool(e.stop_e6 or e.take_profit_e6 or e.trailing_e6 or e.time_exit_ms)


def _make_exits(state: State, entry: Order) -> None:
    """O9."""
    venue = state.venues[entry.instrument]
    p = venue.legs[entry.leg]
    if p.cost == 0:
        return
    for old in state.orders.values():
        is_old = old.is_exit and old.instrument == entry.instrument and old.leg == entry.leg
        if is_old and (old.is_live or old.status is IN_FLIGHT):
            state.end(old, OrderStatus.CANCELLED, Reason.CANCELLED_BY_OCO)
    if venue.rules.kind is Kind.INVERSE:
        average = Fraction(abs(p.qty) * venue.rules.k_inverse, abs(p.cost))
    else:
        rules = venue.rules
        average = Fraction(abs(p.cost) * rules.den, abs(p.qty) * rules.num)
    state.last_group += 1
    # toward(x): rounded toward the loss side of the entry, away(x): toward the profit side.
    is_long = p.qty > 0
    direction = 1 if is_long else -1
    toward, away = (tick_down, tick_up) if is_long else (tick_up, tick_down)
    e, tick = entry.exits, venue.tick
    if e.stop_e6:
        level = toward(average * (E6 - direction * e.stop_e6) / E6, tick)
        _add_exit(state, entry, TriggerKind.STOP).trigger = level
    if e.take_profit_e6:
        level = away(average * (E6 + direction * e.take_profit_e6) / E6, tick)
        _add_exit(state, entry, TriggerKind.TAKE_PROFIT).trigger = level
    if e.trailing_e6:
        order = _add_exit(state, entry, TriggerKind.TRAILING)
        order.distance = max(tick, tick_down(average * e.trailing_e6 / E6, tick))
        if e.activation_e6:
            order.activation = away(average * (E6 + direction * e.activation_e6) / E6, tick)
        else:
            order.best = toward(average, tick)
    if e.time_exit_ms:
        order = _add_exit(state, entry, TriggerKind.NONE)
        order.status, order.fill_reason = IN_FLIGHT, Reason.TIME_EXIT
        arrival = state.now_ms + e.time_exit_ms
        flight = Flight(arrival, order.seq, order.instrument, order, "new")
        flight.born_at = state.event_counter
        state.flights.append(flight)


def _add_exit(state: State, entry: Order, kind: TriggerKind) -> Order:
    held = state.venues[entry.instrument].legs[entry.leg].qty
    order = Order(
        id=len(state.orders) + 1,
        seq=state.next_seq(),
        instrument=entry.instrument,
        leg=entry.leg,
        side=Side.SELL if held > 0 else Side.BUY,
        qty=0,
        order_type=OrderType.MARKET,
        trigger_kind=kind,
        is_reduce_only=True,
        is_whole=True,
        oco_group=("exit", state.last_group),
        is_exit=True,
        born_at=state.event_counter,
        status=OrderStatus.UNTRIGGERED,
    )
    state.orders[order.id] = order
    state.saw(f"exit {kind.name}")
    return order

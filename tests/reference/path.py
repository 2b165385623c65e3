"""Sections 3 and 4: the path of a bar, and which order acts on the way between two points."""

from typing import NamedTuple

from openalpha.core.orders import OrderStatus, TriggerBy, TriggerKind
from tests.reference import liquidation
from tests.reference.arrival import (
    admit,
    execute_market,
    execute_resting,
    trigger,
)
from tests.reference.money import sign
from tests.reference.scenario import Bar
from tests.reference.state import IN_FLIGHT, Order, State, Venue


def low_comes_first(state: State, instrument: int, bar: Bar, path: str) -> bool:
    """P3: the order of a bar's two extremes."""
    opened, high, low = bar[:3]
    nearer = opened - low <= high - opened
    if path == "nearer_first":
        return nearer
    legs = state.venues[instrument].legs
    s = sign(legs[0].qty + legs[1].qty)
    if s != 0:
        return s > 0
    sides = _opening_sides(state, instrument)
    if sides == {1}:
        return False
    if sides == {-1}:
        return True
    return nearer


def _opening_sides(state: State, instrument: int) -> set[int]:
    """X12: the sides of the orders that could open a position."""
    is_perp = state.venues[instrument].is_perp
    return {
        int(o.side)
        for o in state.orders.values()
        if o.instrument == instrument
        and (o.is_live or o.status is IN_FLIGHT)
        and not o.is_reduce_only
        and (is_perp or o.side > 0)
    }


class Candidate(NamedTuple):
    """An order that acts, sorted as E5 says: distance, class, sequence."""

    distance: int
    order_class: int
    seq: int
    point: int
    order: Order


def travel(state: State, instrument: int, z: int, *, is_jump: bool) -> None:
    """E4 and E6: let every order act that the way to `z` meets."""
    venue = state.venues[instrument]
    working = [
        o
        for o in state.orders.values()
        if is_jump and o.instrument == instrument and o.is_working_market
    ]
    while True:
        found = _first(state, instrument, z, is_jump, working)
        if found is None:
            break
        _mark_follows(venue, found.point)
        if liquidation.check(state):
            continue
        venue.last = found.point
        _act(state, found, is_jump, working)
    venue.last = z
    _mark_follows(venue, z)


def _mark_follows(venue: Venue, point: int) -> None:
    """X3."""
    venue.mark = point if venue.event_mark is None else venue.event_mark


def _act(state: State, found: Candidate, is_jump: bool, working: list[Order]) -> None:
    order = found.order
    if order in working:
        working.remove(order)
        if admit(state, order, found.point, goes_on=True):
            execute_market(state, order, found.point)
    elif order.status is OrderStatus.UNTRIGGERED:
        trigger(state, order, found.point, is_jump)
    else:
        execute_resting(state, order)


def _first(
    state: State, instrument: int, z: int, is_jump: bool, working: list[Order]
) -> Candidate | None:
    """E5."""
    venue = state.venues[instrument]
    a = venue.last
    assert a is not None
    found = []
    for order in state.orders.values():
        if order.instrument != instrument:
            continue
        order_class, point = _meets(state, venue, order, z, is_jump, working)
        if order_class >= 0:
            found.append(Candidate(abs(point - a), order_class, order.seq, point, order))
    return min(found, key=lambda c: c[:3], default=None)


def _meets(
    state: State, venue: Venue, order: Order, z: int, is_jump: bool, working: list[Order]
) -> tuple[int, int]:
    """Return the class of an order and the point at which it acts; class -1: it does not."""
    a = venue.last
    assert a is not None
    if order.status is OrderStatus.UNTRIGGERED:
        may_act = order.born_at < state.event_counter  # P6
        return _meets_conditional(venue, order, a, z, is_jump) if may_act else (-1, 0)
    if order in working and order.is_working_market:
        return 0, z
    if order.is_resting_limit:
        is_through = z < order.limit if order.side > 0 else z > order.limit
        has_budget = venue.budget is None or venue.budget >= venue.lot
        if is_through and has_budget:
            return 2, z if is_jump else _on_the_way(order.limit, a, z)
    return -1, 0


def _on_the_way(price: int, a: int, z: int) -> int:
    return price if min(a, z) <= price <= max(a, z) else a


def _meets_conditional(
    venue: Venue, order: Order, a: int, z: int, is_jump: bool
) -> tuple[int, int]:
    order_class = 2 if order.trigger_kind is TriggerKind.TAKE_PROFIT else 1
    g = order.trigger_price()
    if g is None:
        return -1, 0
    falls = order.waits_for_fall()
    is_trailing = order.trigger_kind is TriggerKind.TRAILING
    if order.trigger_by is TriggerBy.LAST or is_trailing:
        is_met = min(a, z) <= g if falls else max(a, z) >= g
        point = z if is_jump else _on_the_way(g, a, z)
    else:
        watched = venue.watched(order.trigger_by, z)
        is_met = watched <= g if falls else watched >= g
        point = z
    return (order_class, point) if is_met else (-1, 0)


def ratchet(state: State, instrument: int, last: int) -> None:
    """O8: trailing orders follow the last price of a finished event."""
    for order in state.orders.values():
        is_trailing = order.trigger_kind is TriggerKind.TRAILING
        if order.instrument != instrument or not is_trailing:
            continue
        if order.status is not OrderStatus.UNTRIGGERED:
            continue
        best = max if order.side < 0 else min
        if order.best is not None:
            order.best = best(order.best, last)
        elif order.activation == 0 or best(order.activation, last) == last:
            order.best = last

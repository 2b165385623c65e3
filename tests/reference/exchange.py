"""The reference exchange: runs a whole case, event by event (rules P1 to P6, E1 to E7, O1, F1)."""

from fractions import Fraction

from openalpha.core.instruments import Kind
from openalpha.core.messages import EffectKind
from openalpha.core.orders import OrderStatus, PositionMode, is_terminal
from tests.reference import change, liquidation
from tests.reference.arrival import arrive
from tests.reference.money import E6, E12, floor, notional, sign
from tests.reference.path import low_comes_first, ratchet, travel
from tests.reference.scenario import Amend, Bar, Cancel, Case, Command, Mark, New, Outcome
from tests.reference.state import Flight, Order, State, Venue, new_state

OPEN, CLOSE = 0, 3
_HIGH_FIRST, _LOW_FIRST = (0, 1, 2, 3), (0, 2, 1, 3)


def run(case: Case) -> Outcome:
    """Run a case from its first bar to its last."""
    return run_state(case).finish()


def run_state(case: Case) -> State:
    """Run a case and keep the whole state, for tests that look inside."""
    state = new_state(case)
    stamps = case.market.ts_ms
    _make_commands(state, -1, stamps[0])
    for bar, open_ms in enumerate(stamps):
        state.bar = bar
        _run_bar(state, bar, open_ms)
        _make_commands(state, bar, open_ms + case.market.timeframe_ms)
    return state


def _run_bar(state: State, bar: int, open_ms: int) -> None:
    """P4: event k of every instrument before event k + 1 of any."""
    present = [i for i, s in enumerate(state.case.market.series) if s.bars[bar] is not None]
    columns: dict[int, tuple[int, ...]] = {}
    for i in present:
        _start_bar(state, i, bar, open_ms)
    for i in present:
        _event(state, i, bar, OPEN, OPEN)
        row = _row(state, i, bar)
        is_low_first = low_comes_first(state, i, row, state.case.path)
        columns[i] = _LOW_FIRST if is_low_first else _HIGH_FIRST
    for k in (1, 2, 3):
        for i in present:
            until = _event_ms(state, bar, k)
            if k == CLOSE:
                until -= 1  # a stamp at the close belongs to the next bar
            _pay_funding(state, i, until)
            _event(state, i, bar, k, columns[i][k])


def _row(state: State, i: int, bar: int) -> Bar:
    row = state.case.market.series[i].bars[bar]
    assert row is not None
    return row


def _event_ms(state: State, bar: int, k: int) -> int:
    """P1."""
    length = state.case.market.timeframe_ms
    return state.case.market.ts_ms[bar] + (length - 1 if k == 3 else k * length // 3)


def _start_bar(state: State, i: int, bar: int, open_ms: int) -> None:
    """E1 and P5."""
    venue = state.venues[i]
    volume = _row(state, i, bar)[4]
    share = venue.rules.participation_e6
    venue.volume = volume
    venue.budget = floor(Fraction(volume * share, E6)) if share else None
    venue.tick, venue.lot = _steps(venue, open_ms)
    _set_event_prices(state, i, bar, OPEN)
    venue.mark = venue.event_mark or _row(state, i, bar)[OPEN]
    _pay_funding(state, i, open_ms)


def _steps(venue: Venue, open_ms: int) -> tuple[int, int]:
    """X1."""
    rule = venue.rules.steps[0]
    for step in venue.rules.steps:
        if step.since_ms <= open_ms:
            rule = step
    return rule.tick_price_units, rule.lot_qty_units


def _set_event_prices(state: State, i: int, bar: int, column: int) -> None:
    """P1: mark and index of an event, where there are series."""
    series, venue = state.case.market.series[i], state.venues[i]
    venue.event_mark = _at(series.mark, bar, column)
    venue.event_index = _at(series.index, bar, column)


def _at(rows: tuple[Mark | None, ...] | None, bar: int, column: int) -> int | None:
    if rows is None:
        return None
    row = rows[bar]
    assert row is not None, "a series has a row wherever its instrument has a bar"
    return row[column]


def _pay_funding(state: State, i: int, until_ms: int) -> None:
    """F1: every stamp up to a moment, each checked on its own."""
    venue = state.venues[i]
    funding = state.case.market.series[i].funding
    while venue.funding_done < len(funding) and funding[venue.funding_done][0] <= until_ms:
        stamp, rate = funding[venue.funding_done]
        venue.funding_done += 1
        if venue.rules.kind is Kind.SPOT:
            continue
        state.now_ms = stamp
        for p in venue.legs:
            if p.qty != 0:
                assert venue.mark is not None
                paid = sign(p.qty) * notional(venue.rules, abs(p.qty), venue.mark)
                exact = Fraction(-paid * venue.rules.num * rate, venue.rules.den * E12)
                state.post(0, EffectKind.FUNDING, floor(exact), i)
                state.saw("FUNDING")
        if any(p.qty for p in venue.legs) and liquidation.check(state):
            state.saw("liquidated by funding")


def _event(state: State, i: int, bar: int, k: int, column: int) -> None:
    """E2 to E7: one event of one instrument."""
    state.event_counter += 1
    venue = state.venues[i]
    pb = _row(state, i, bar)[column]
    t1 = _event_ms(state, bar, k)
    _set_event_prices(state, i, bar, column)
    if venue.last is None:
        venue.last = pb
    if k == OPEN:
        state.now_ms = t1
        while early := _next_flight(state, i, t1, before_jump=True):
            _land(state, early, pb)
        travel(state, i, pb, is_jump=True)
        while flight := _next_flight(state, i, t1):
            _land(state, flight, pb)
    else:
        _move_with_arrivals(state, i, _event_ms(state, bar, k - 1), t1, pb)
    venue.last, venue.mark = pb, venue.event_mark or pb
    ratchet(state, i, pb)
    liquidation.check(state)


def _move_with_arrivals(state: State, i: int, t0: int, t1: int, pb: int) -> None:
    """E2 and E3: commands land on the way."""
    venue = state.venues[i]
    pa = venue.last
    assert pa is not None
    while flight := _next_flight(state, i, t1):
        arrival = max(flight.arrival_ms, t0)
        state.now_ms = arrival
        point = pb
        if arrival < t1:
            way = Fraction((pb - pa) * (arrival - t0), (t1 - t0) * venue.tick)
            point = pa + venue.tick * floor(way)
        travel(state, i, point, is_jump=False)
        _land(state, flight, _base(flight.order.side, point, pa, arrival == t1))
    state.now_ms = t1
    travel(state, i, pb, is_jump=False)


def _base(side: int, point: int, pa: int, at_event: bool) -> int:
    """E3: never better than the last event's price."""
    if at_event:
        return point
    return max(point, pa) if side > 0 else min(point, pa)


def _next_flight(
    state: State, i: int, until_ms: int, *, before_jump: bool = False
) -> Flight | None:
    """E2: in order of arrival, then sequence; P6 holds back what this event made.

    Before the jump of an opening only cancels of orders that stand are carried out.
    """
    due = [
        f
        for f in state.flights
        if f.instrument == i
        and f.arrival_ms <= until_ms
        and f.born_at < state.event_counter
        and not is_terminal(f.order.status)
    ]
    if before_jump:
        due = [f for f in due if f.action == "cancel" and f.order.is_live]
    return min(due, key=lambda f: (f.arrival_ms, f.seq), default=None)


def _land(state: State, flight: Flight, base: int) -> None:
    state.flights.remove(flight)
    order = flight.order
    if flight.action == "cancel":
        change.cancel(state, flight)
    elif flight.action == "amend":
        change.amend(state, flight, base)
    elif order.status is OrderStatus.SUBMITTED:
        arrive(state, order, base)


def _make_commands(state: State, bar: int, ts_ms: int) -> None:
    """O1: a command arrives `latency_ms` after it was made."""
    for command in state.case.commands:
        if command.after_bar == bar:
            flight = _flight(state, command, ts_ms + state.case.latency_ms)
            if flight is not None:
                state.flights = [f for f in state.flights if not _is_replaced(f, flight)]
                state.flights.append(flight)


def _is_replaced(old: Flight, new: Flight) -> bool:
    """X16."""
    return old.order is new.order and old.action == new.action


def _flight(state: State, command: Command, arrival_ms: int) -> Flight | None:
    seq = state.next_seq()
    if isinstance(command, New):
        order = _new_order(state, command, seq)
        state.orders[order.id] = order
        return Flight(arrival_ms, seq, order.instrument, order, "new")
    order_named = state.orders.get(command.order_id)
    if order_named is None:
        return None
    if isinstance(command, Cancel):
        flight = Flight(arrival_ms, seq, order_named.instrument, order_named, "cancel")
        flight.reason = command.reason
        return flight
    assert isinstance(command, Amend)
    flight = Flight(arrival_ms, seq, order_named.instrument, order_named, "amend")
    flight.new_qty, flight.new_limit = command.qty, command.limit
    flight.new_trigger = command.trigger
    return flight


def _new_order(state: State, new: New, seq: int) -> Order:
    rules = state.case.instruments[new.instrument]
    is_hedged_perp = (
        state.case.account.position_mode is PositionMode.HEDGE and rules.kind is not Kind.SPOT
    )
    closes_leg = is_hedged_perp and new.side == (-1 if new.leg == 0 else 1)
    return Order(
        id=len(state.orders) + 1,
        seq=seq,
        instrument=new.instrument,
        leg=new.leg,
        side=int(new.side),
        qty=new.qty,
        order_type=new.order_type,
        limit=new.limit,
        time_in_force=new.time_in_force,
        trigger_kind=new.trigger_kind,
        trigger_by=new.trigger_by,
        trigger=new.trigger,
        distance=new.distance,
        activation=new.activation,
        is_reduce_only=new.is_reduce_only or closes_leg,
        is_whole=new.qty == 0,
        oco_group=("user", new.oco_group) if new.oco_group else None,
        exits=new.exits,
    )

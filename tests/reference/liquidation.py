"""Section 7 of the rule table: when the venue steps in, and at what price."""

from fractions import Fraction

from openalpha.core.instruments import Kind
from openalpha.core.messages import EffectKind
from openalpha.core.orders import OrderStatus, Role
from openalpha.core.reasons import Reason
from tests.reference import margin
from tests.reference.account import Execution, apply_fill
from tests.reference.money import ceil, floor, lot_down, shifted, tick_down, tick_up, value
from tests.reference.state import IN_FLIGHT, State


def check(state: State) -> bool:
    """L1: liquidate what must be; say whether anything was."""
    if state.is_isolated:
        happened = False
        for i, leg in state.perp_legs():
            if _is_leg_due(state, i, leg):
                _liquidate_isolated(state, i, leg)
                happened = True
        return happened
    if not _is_account_due(state):
        return False
    _cancel_orders(state, None)
    while _is_account_due(state):
        _one_cross_step(state)
    return True


def _is_account_due(state: State) -> bool:
    if not state.perp_legs():
        return False
    return margin.equity(state) <= margin.maintenance_of_account(state)


def _is_leg_due(state: State, instrument: int, leg: int) -> bool:
    venue = state.venues[instrument]
    if venue.legs[leg].qty == 0:
        return False
    own = venue.legs[leg].isolated + margin.unrealised(venue, leg)
    worth = margin.entry_worth(state, instrument, leg)
    return own <= margin.maintenance(venue.rules, worth)


def _cancel_orders(state: State, instrument: int | None) -> None:
    """L2."""
    for order in state.orders.values():
        if instrument is not None and order.instrument != instrument:
            continue
        exit_in_flight = order.is_exit and order.status is IN_FLIGHT
        if order.is_live or exit_in_flight:
            state.end(order, OrderStatus.CANCELLED, Reason.CANCELLED_BY_LIQUIDATION)


def _liquidate_isolated(state: State, instrument: int, leg: int) -> None:
    _cancel_orders(state, instrument)
    venue = state.venues[instrument]
    while _is_leg_due(state, instrument, leg):
        worth = margin.entry_worth(state, instrument, leg)
        part = _down_to_tier(state, instrument, leg, worth)
        if part > 0:
            _close_at_mark(state, instrument, leg, part)
        else:
            p = venue.legs[leg]
            lost = Fraction((p.cost - p.isolated) * venue.rules.den, venue.rules.num)
            _take_over(state, instrument, leg, ceil(lost))


def _one_cross_step(state: State) -> None:
    """L3: the leg with the largest maintenance margin."""
    legs = state.perp_legs()
    worth = {at: margin.leg_worth(state, *at) for at in legs}
    mm = {at: margin.maintenance(state.venues[at[0]].rules, worth[at]) for at in legs}
    at = min(legs, key=lambda leg: (-mm[leg], leg))
    venue = state.venues[at[0]]
    part = _down_to_tier(state, *at, worth[at])
    if part > 0:
        _close_at_mark(state, *at, part)
    elif len(legs) > 1:
        _close_at_mark(state, *at, abs(venue.legs[at[1]].qty))
    else:
        assert venue.mark is not None
        worth_now = value(venue.rules, venue.legs[at[1]].qty, venue.mark)
        lost = floor(Fraction(margin.equity(state) * venue.rules.den, venue.rules.num))
        _take_over(state, *at, worth_now - lost)


def _down_to_tier(state: State, instrument: int, leg: int, worth: int) -> int:
    """L3: what to close to reach the tier below; 0 in the lowest tier."""
    venue = state.venues[instrument]
    k = margin.tier_index(venue.rules, worth)
    if k <= 0:
        return 0
    held = abs(venue.legs[leg].qty)
    kept = lot_down(Fraction(held * venue.rules.tiers[k - 1].limit_cash, worth), venue.lot)
    return min(held, max(venue.lot, held - kept))


def _close_at_mark(state: State, instrument: int, leg: int, qty: int) -> None:
    venue = state.venues[instrument]
    assert venue.mark is not None
    side = -1 if venue.legs[leg].qty > 0 else 1
    price = shifted(venue.rules, side, venue.mark, 0, venue.tick)
    _fill(state, instrument, leg, side * qty, price, Reason.LIQUIDATION_PARTIAL)


def _take_over(state: State, instrument: int, leg: int, target_value: int) -> None:
    """L3: close all of it where V(Q, P) is the target value."""
    venue = state.venues[instrument]
    held = venue.legs[leg].qty
    price = _bankruptcy_price(state, instrument, held, target_value)
    _fill(state, instrument, leg, -held, price, Reason.LIQUIDATION_TAKEOVER)


def _bankruptcy_price(state: State, instrument: int, held: int, target: int) -> int:
    """L3 and X14."""
    venue = state.venues[instrument]
    assert venue.mark is not None
    rounded = tick_up if held > 0 else tick_down
    if venue.rules.kind is not Kind.INVERSE:
        return rounded(Fraction(target, held), venue.tick)
    if target == 0 or (target > 0) == (held > 0):
        return venue.mark
    return rounded(Fraction(-held * venue.rules.k_inverse, target), venue.tick)


def _fill(state: State, instrument: int, leg: int, x: int, price: int, reason: Reason) -> None:
    apply_fill(state, Execution(instrument, leg, x, price, Role.TAKER, reason))
    # X14: with no perpetual position left, equity is the balance and the spot collateral.
    if state.is_isolated:
        debt = -state.balances[0]
    else:
        debt = 0 if state.perp_legs() else min(-margin.equity(state), -state.balances[0])
    if debt > 0:
        state.saw("INSURANCE")
        state.post(0, EffectKind.INSURANCE, debt, instrument)

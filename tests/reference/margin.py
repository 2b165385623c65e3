"""Section 6 of the rule table: tiers, equity, margins, and what an order needs."""

from fractions import Fraction

from openalpha.core.instruments import Kind
from openalpha.core.orders import OrderType
from openalpha.core.reasons import Reason
from tests.reference.money import (
    E8,
    cash,
    ceil,
    floor,
    impact_e8,
    notional_cash,
    shifted,
    sign,
    value,
)
from tests.reference.scenario import InstrumentCase, Tier
from tests.reference.state import Order, State, Venue


def tier_index(rules: InstrumentCase, worth: int) -> int:
    """M1: the tier of a notional in cash; beyond all, the last."""
    for k, tier in enumerate(rules.tiers):
        if tier.limit_cash >= worth:
            return k
    return len(rules.tiers) - 1


def maintenance(rules: InstrumentCase, worth: int) -> int:
    """M1: MM(N)."""
    if not rules.tiers:
        return 0
    tier: Tier = rules.tiers[tier_index(rules, worth)]
    return max(0, ceil(Fraction(worth * tier.mmr_e8, E8)) - tier.deduction_cash)


def close_fee(rules: InstrumentCase, worth: int, side: int) -> int:
    """M3: the fee of closing at the bankruptcy price."""
    lever = rules.leverage_e2
    return ceil(Fraction(worth * (lever - side * 100) * rules.taker_e8, lever * E8))


def initial(rules: InstrumentCase, worth: int) -> int:
    return ceil(Fraction(worth * 100, rules.leverage_e2))


def unrealised(venue: Venue, leg: int) -> int:
    """A7: unrealised profit of one leg, in cash."""
    p = venue.legs[leg]
    if p.qty == 0:
        return 0
    assert venue.mark is not None
    return cash(venue.rules, value(venue.rules, p.qty, venue.mark)) - p.cost


def equity(state: State) -> int:
    """M2: E, with spot at its collateral value."""
    total = state.balances[0]
    for venue in state.venues:
        if venue.is_perp:
            total += unrealised(venue, 0) + unrealised(venue, 1)
        elif venue.mark is not None:
            held = cash(venue.rules, venue.legs[0].qty * venue.mark)
            total += floor(Fraction(held * venue.rules.collateral_e4, 10**4))
    return total


def leg_worth(state: State, instrument: int, leg: int) -> int:
    """cash_up(N(|Q|, mark))."""
    venue = state.venues[instrument]
    assert venue.mark is not None
    return notional_cash(venue.rules, abs(venue.legs[leg].qty), venue.mark)


def maintenance_of_account(state: State) -> int:
    """M2: MM of a cross account."""
    return sum(
        maintenance(state.venues[i].rules, leg_worth(state, i, leg)) for i, leg in state.perp_legs()
    )


def entry_worth(state: State, instrument: int, leg: int) -> int:
    """L1: the entry notional of a leg, in cash."""
    venue = state.venues[instrument]
    return abs(venue.legs[leg].cost)


def needed(rules: InstrumentCase, opening: int, qty: int, price: int, side: int) -> int:
    """M5: margin and both fees of an opening order."""
    worth_opened = notional_cash(rules, opening, price)
    worth_all = notional_cash(rules, qty, price)
    fee = ceil(Fraction(worth_all * rules.taker_e8, E8))
    return initial(rules, worth_opened) + fee + close_fee(rules, worth_opened, side)


def _positions_margin(state: State) -> int:
    total = 0
    for i, leg in state.perp_legs():
        rules = state.venues[i].rules
        worth = leg_worth(state, i, leg)
        side = sign(state.venues[i].legs[leg].qty)
        total += initial(rules, worth) + close_fee(rules, worth, side)
    return total


def _resting(state: State, instrument: int, side: int, but: Order) -> list[Order]:
    return [
        o
        for o in state.orders.values()
        if o.is_resting_limit and o.instrument == instrument and o.side == side and o is not but
    ]


def spot_buys(state: State, but: Order) -> int:
    """M6: what resting spot buys have locked of coin 0."""
    return sum(
        notional_cash(venue.rules, o.remaining, o.limit)
        for i, venue in enumerate(state.venues)
        if not venue.is_perp
        for o in _resting(state, i, 1, but)
    )


def _orders_margin(state: State, but: Order) -> int:
    """M5: `orders`, the larger side of each instrument, and spot buys."""
    total = spot_buys(state, but)
    for i, venue in enumerate(state.venues):
        if venue.is_perp:
            total += max(
                sum(
                    needed(venue.rules, o.remaining, o.remaining, o.limit, side)
                    for o in _resting(state, i, side, but)
                    if not o.is_reduce_only
                )
                for side in (1, -1)
            )
    return total


def available(state: State, but: Order) -> int:
    """M5: margin that a new order may use."""
    if state.is_isolated:
        locked = sum(state.venues[i].legs[leg].isolated for i, leg in state.perp_legs())
        return state.balances[0] - locked - _orders_margin(state, but)
    return equity(state) - _positions_margin(state) - _orders_margin(state, but)


def order_price(state: State, order: Order, base: int) -> int:
    """M4: P*, the limit price, or the taker price of the whole remainder."""
    if order.order_type is OrderType.LIMIT:
        return order.limit
    venue = state.venues[order.instrument]
    move = impact_e8(venue.rules, order.remaining, venue.volume)
    return shifted(venue.rules, order.side, base, move, venue.tick)


def refusal(state: State, order: Order, base: int) -> Reason:
    """M4 to M6: why the order cannot be afforded, or NONE."""
    rules = state.venues[order.instrument].rules
    price = order_price(state, order, base)
    if rules.kind is Kind.SPOT:
        return _spot_refusal(state, order, price)
    if order.is_reduce_only:
        return Reason.NONE
    held = state.venues[order.instrument].legs[order.leg].qty
    opening = order.remaining
    if sign(held) == -order.side:
        opening = max(0, order.remaining - abs(held))
    if opening == 0:
        return Reason.NONE
    after = notional_cash(rules, abs(held + order.side * order.remaining), price)
    tier_says = _tier_refusal(rules, after)
    if tier_says is not Reason.NONE:
        return tier_says
    if needed(rules, opening, order.remaining, price, order.side) > available(state, order):
        return Reason.INSUFFICIENT_MARGIN
    return Reason.NONE


def _tier_refusal(rules: InstrumentCase, worth_after: int) -> Reason:
    """M4."""
    highest = rules.max_leverage_e2
    if rules.tiers:
        if worth_after > rules.tiers[-1].limit_cash:
            return Reason.RISK_LIMIT
        highest = rules.tiers[tier_index(rules, worth_after)].max_leverage_e2
    return Reason.LEVERAGE_TOO_HIGH if rules.leverage_e2 > highest else Reason.NONE


def _spot_refusal(state: State, order: Order, price: int) -> Reason:
    """M6."""
    venue = state.venues[order.instrument]
    if order.side > 0:
        free = state.balances[0] - spot_buys(state, order)
        if state.perp_legs():
            free = min(free, available(state, order))
        wanted = notional_cash(venue.rules, order.remaining, price)
    else:
        locked = sum(o.remaining for o in _resting(state, order.instrument, -1, order))
        free = venue.legs[0].qty - locked
        wanted = order.remaining
    return Reason.INSUFFICIENT_BALANCE if wanted > free else Reason.NONE

"""A3 to A6 and M7: what a fill does to position and balances."""

from dataclasses import dataclass
from fractions import Fraction

from openalpha.core.instruments import Kind
from openalpha.core.messages import EffectKind
from openalpha.core.orders import Role
from openalpha.core.reasons import Reason
from tests.reference.money import (
    E8,
    cash,
    cash_up,
    ceil,
    fee_effect,
    floor,
    notional_cash,
    sign,
    value,
)
from tests.reference.scenario import FillRow
from tests.reference.state import State


@dataclass(frozen=True, slots=True)
class Execution:
    """A signed quantity at a price, and why."""

    instrument: int
    leg: int
    qty: int
    price: int
    role: Role
    reason: Reason
    order_id: int = 0


@dataclass(frozen=True, slots=True)
class Applied:
    """What a fill did to its leg: how much it closed and opened, and whether the leg passed 0."""

    closed: int
    opened: int
    passed_zero: bool


def apply_fill(state: State, fill: Execution) -> Applied:
    if state.venues[fill.instrument].rules.kind is Kind.SPOT:
        return _apply_spot(state, fill)
    return _apply_perp(state, fill)


def _apply_perp(state: State, fill: Execution) -> Applied:
    rules = state.venues[fill.instrument].rules
    closed, opened, realised = _change_position(state, fill)
    if closed > 0:
        state.post(0, EffectKind.REALISED_PNL, realised, fill.instrument)
    fee = fee_effect(rules, abs(fill.qty), fill.price, _fee_rate(state, fill))
    kind = EffectKind.FEE
    if fill.reason in (Reason.LIQUIDATION_PARTIAL, Reason.LIQUIDATION_TAKEOVER):
        kind = EffectKind.LIQUIDATION_FEE
    if fill.reason is Reason.LIQUIDATION_TAKEOVER:
        # L3: a takeover takes no more than what is left.
        fee = -min(-fee, max(state.balances[0], 0))
    state.post(0, kind, fee, fill.instrument)
    _record(state, fill, fee=-fee, fee_coin=0, realised=realised)
    held = state.venues[fill.instrument].legs[fill.leg].qty
    return Applied(closed, opened, closed > 0 and (held == 0 or opened > 0))


def _change_position(state: State, fill: Execution) -> tuple[int, int, int]:
    """A3: return the closed and the opened quantity and the realised pnl in cash."""
    rules = state.venues[fill.instrument].rules
    p = state.venues[fill.instrument].legs[fill.leg]
    closed = min(abs(fill.qty), abs(p.qty)) if sign(fill.qty) == -sign(p.qty) else 0
    s = sign(p.qty)
    realised = 0
    if closed > 0:
        released = ceil(Fraction(p.cost * closed, abs(p.qty)))
        realised = cash(rules, value(rules, s * closed, fill.price)) - released
        p.isolated -= floor(Fraction(p.isolated * closed, abs(p.qty)))
        p.cost -= released
        p.qty -= s * closed
    opening = fill.qty + s * closed
    if opening != 0:
        p.cost += cash_up(rules, value(rules, opening, fill.price))
        p.qty += opening
        if state.is_isolated:
            worth = notional_cash(rules, abs(opening), fill.price)
            p.isolated += ceil(Fraction(worth * 100, rules.leverage_e2))
    return closed, abs(opening), realised


def _apply_spot(state: State, fill: Execution) -> Applied:
    """A5 and A6: TRADE quote, TRADE base, FEE."""
    venue = state.venues[fill.instrument]
    rules, p, base = venue.rules, venue.legs[0], venue.rules.base_coin
    quote = floor(Fraction(-fill.qty * fill.price * rules.num, rules.den))
    rate = _fee_rate(state, fill)
    realised = 0
    if fill.qty > 0:
        p.cost += cash_up(rules, fill.qty * fill.price)
        fee, fee_coin = floor(Fraction(-fill.qty * rate, E8)), base
    else:
        released = ceil(Fraction(p.cost * -fill.qty, p.qty))
        realised = cash(rules, -fill.qty * fill.price) - released
        p.cost -= released
        fee, fee_coin = fee_effect(rules, -fill.qty, fill.price, rate), 0
    state.post(0, EffectKind.TRADE, quote, fill.instrument)
    state.post(base, EffectKind.TRADE, fill.qty, fill.instrument)
    state.post(fee_coin, EffectKind.FEE, fee, fill.instrument)
    p.qty = state.balances[base]
    _record(state, fill, fee=-fee, fee_coin=fee_coin, realised=realised)
    is_buy = fill.qty > 0
    return Applied(
        closed=0 if is_buy else -fill.qty,
        opened=fill.qty if is_buy else 0,
        passed_zero=not is_buy and p.qty == 0,
    )


def _fee_rate(state: State, fill: Execution) -> int:
    rules = state.venues[fill.instrument].rules
    return rules.maker_e8 if fill.role is Role.MAKER else rules.taker_e8


def _record(state: State, fill: Execution, *, fee: int, fee_coin: int, realised: int) -> None:
    state.record(
        FillRow(
            state.now_ms,
            fill.instrument,
            fill.leg,
            fill.order_id,
            fill.qty,
            fill.price,
            fill.role,
            fee,
            fee_coin,
            realised,
            fill.reason,
        )
    )

"""Section 1 and O2 of the rule table: values, notionals, cash, fees, ticks and taker prices."""

import math
from fractions import Fraction

from openalpha.core.instruments import Kind
from tests.reference.scenario import InstrumentCase

E6, E8, E12 = 10**6, 10**8, 10**12
BOUND, QTY_BOUND = 2**61, 2**55
WIDEST_E8 = 5 * 10**7


def sign(x: int) -> int:
    return (x > 0) - (x < 0)


def floor(x: Fraction | int) -> int:
    return math.floor(x)


def ceil(x: Fraction | int) -> int:
    return math.ceil(x)


def value(rules: InstrumentCase, qty: int, price: int) -> int:
    """N2: the value of a signed quantity."""
    if rules.kind is Kind.INVERSE:
        return floor(Fraction(-qty * rules.k_inverse, price))
    return qty * price


def notional(rules: InstrumentCase, qty: int, price: int) -> int:
    """N2: the notional of a quantity, in value units."""
    assert qty >= 0
    if rules.kind is Kind.INVERSE:
        return ceil(Fraction(qty * rules.k_inverse, price))
    return qty * price


def cash(rules: InstrumentCase, v: int) -> int:
    """N3: value units to cash, rounded down."""
    return floor(Fraction(v * rules.num, rules.den))


def cash_up(rules: InstrumentCase, v: int) -> int:
    """N3: value units to cash, rounded up."""
    return ceil(Fraction(v * rules.num, rules.den))


def notional_cash(rules: InstrumentCase, qty: int, price: int) -> int:
    """cash_up(N(q, P)), the notional as margin sees it."""
    return cash_up(rules, notional(rules, qty, price))


def fee_effect(rules: InstrumentCase, qty: int, price: int, rate_e8: int) -> int:
    """A4: the effect of a fee, negative when paid."""
    return floor(Fraction(-notional(rules, qty, price) * rules.num * rate_e8, rules.den * E8))


def tick_down(x: Fraction | int, tick: int) -> int:
    """N6."""
    return max(tick, tick * floor(Fraction(x) / tick))


def tick_up(x: Fraction | int, tick: int) -> int:
    """N6."""
    return max(tick, tick * ceil(Fraction(x) / tick))


def lot_down(x: Fraction | int, lot: int) -> int:
    return lot * floor(Fraction(x) / lot)


def impact_e8(rules: InstrumentCase, qty: int, volume: int) -> int:
    """O2: the square-root impact, in IEEE doubles."""
    if volume == 0:
        return rules.impact_e8
    return math.floor(rules.impact_e8 * math.sqrt(float(qty) / float(volume)))


def shifted(rules: InstrumentCase, side: int, base: int, move_e8: int, tick: int) -> int:
    """O2: the base price moved against the taker by half the spread and the impact."""
    k = min(rules.half_spread_e8 + move_e8, WIDEST_E8)
    if side > 0:
        return tick_up(Fraction(base * (E8 + k), E8), tick)
    return tick_down(Fraction(base * (E8 - k), E8), tick)


def too_large(rules: InstrumentCase, held: int, qty: int, price: int) -> bool:
    """N7."""
    size = abs(held) + qty
    factor = rules.k_inverse if rules.kind is Kind.INVERSE else price * max(rules.num, 1)
    return size >= QTY_BOUND or float(size) * float(factor) >= float(BOUND)

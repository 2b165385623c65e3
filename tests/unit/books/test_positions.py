"""The average cost rule against a plain one written from the rule table, in fractions."""

import math
from decimal import Decimal
from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from openalpha.books.positions import FLAT, Held, Terms, after_fill, unrealised

fills = st.lists(
    st.tuples(st.integers(-50, 50).filter(bool), st.integers(1, 5_000)), min_size=1, max_size=12
)


def value(qty: int, price: int, k: int, *, is_inverse: bool) -> int:
    """Rule N2: V(Q,P) = Q·P, inverse floor(-Q·K/P)."""
    return math.floor(Fraction(-qty * k, price)) if is_inverse else qty * price


def follow(trades: list[tuple[int, int]], k: int, *, is_inverse: bool) -> tuple[int, int]:
    """Rule A3: what closes releases ceil(C·close/|Q|), the rest opens at its own value."""
    held = cost = 0
    for traded, price in trades:
        qty = traded
        close = min(abs(qty), abs(held)) if qty * held < 0 else 0
        if close:
            cost -= math.ceil(Fraction(cost * close, abs(held)))
            step = close if held > 0 else -close
            held, qty = held - step, qty + step
        cost += value(qty, price, k, is_inverse=is_inverse) if qty else 0
        held += qty
    return held, cost


@given(fills, st.booleans(), st.integers(1, 10**9))
def test_quantity_and_cost_follow_the_rules(
    trades: list[tuple[int, int]], is_inverse: bool, k: int
) -> None:
    terms = Terms(is_inverse, Decimal(k if is_inverse else 1), Decimal(1))
    held = FLAT
    for qty, price in trades:
        held = after_fill(held, terms, qty=Decimal(qty), price=Decimal(price))
    assert (held.qty, held.cost) == follow(trades, k, is_inverse=is_inverse)
    if not held.qty:
        assert held.cost == 0, "nothing held costs nothing"


@given(fills, st.sampled_from(["0.001", "0.01", "0.1"]))
def test_a_multiplier_multiplies(trades: list[tuple[int, int]], multiplier: str) -> None:
    plain, times = FLAT, FLAT
    for qty, price in trades:
        of = {"qty": Decimal(qty), "price": Decimal(price)}
        plain = after_fill(plain, Terms(False, Decimal(1), Decimal(1)), **of)
        times = after_fill(times, Terms(False, Decimal(multiplier), Decimal(multiplier)), **of)
    assert times == Held(plain.qty, plain.cost * Decimal(multiplier))


def test_what_a_short_gains_when_the_price_falls() -> None:
    terms = Terms(False, Decimal(1), Decimal("0.01"))
    short = after_fill(FLAT, terms, qty=Decimal(-2), price=Decimal(100))
    assert unrealised(short, terms, price=Decimal(90)) == 20
    inverse = Terms(True, Decimal(1), Decimal("0.00000001"))
    long = after_fill(FLAT, inverse, qty=Decimal(100), price=Decimal(50_000))
    # 100 USD of contracts were 0.002 BTC and are 0.001 BTC at twice the price
    assert unrealised(long, inverse, price=Decimal(100_000)) == Decimal("0.001")

"""The kernel's exact arithmetic, compiled, against Python's integers."""

from hypothesis import given
from hypothesis import strategies as st

from openalpha.venue.kernel import arith
from openalpha.venue.kernel._compile import entry

BIG = 2**61


@entry
def floor_of(a: int, b: int, c: int) -> int:
    return arith.mul_div(a, b, c)


@entry
def ceil_of(a: int, b: int, c: int) -> int:
    return arith.mul_div_up(a, b, c)


@entry
def steps_of(x: int, step: int) -> tuple[int, int]:
    return arith.floor_to(x, step), arith.ceil_to(x, step)


def spread(limit: int) -> st.SearchStrategy[int]:
    """Integers of every size, not mostly large ones."""
    bits = st.integers(1, limit.bit_length() - 1)
    return bits.flatmap(lambda n: st.integers(-(2**n), 2**n))


@given(spread(BIG), spread(BIG), spread(BIG).map(lambda c: abs(c) + 1))
def test_products_over_a_divisor_are_exact(a: int, b: int, c: int) -> None:
    exact = a * b // c
    if abs(exact) < BIG:
        assert floor_of(a, b, c) == exact
        assert ceil_of(a, b, c) == -(-a * b // c)


@given(spread(BIG), st.integers(1, 2**40))
def test_steps_round_down_and_up(x: int, step: int) -> None:
    down, up = steps_of(x, step)
    assert (down, up) == (x // step * step, -(-x // step) * step)

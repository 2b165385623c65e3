"""Exact integer arithmetic that does not fit in 64 bits on the way."""

import math

from openalpha.venue.kernel._compile import compiled, inlined

_SAFE = float(2**62)
_ULP = 2.0**-51


@compiled
def _mul_div_slow(a: int, b: int, c: int) -> int:
    """Multiply 0 <= a by 0 <= b < c and divide by c, bit by bit."""
    quotient = 0
    rest = 0
    for bit in range(62, -1, -1):
        quotient <<= 1
        rest <<= 1
        if rest >= c:
            rest -= c
            quotient += 1
        if (a >> bit) & 1:
            rest += b
            if rest >= c:
                rest -= c
                quotient += 1
    return quotient


@compiled
def _mul_div_wide(a: int, b: int, c: int) -> int:
    """Do what `mul_div` does where the product needs more than 64 bits."""
    whole = a // c
    rest = a - whole * c  # 0 <= rest < c
    estimate = float(rest) * float(b) / float(c)
    if (abs(estimate) * _ULP + 2.0) * float(c) < _SAFE:
        # The estimate is off by a few; the remainder, computed modulo 2^64, is small and exact.
        part = math.floor(estimate)
        remainder = rest * b - part * c
        return whole * b + part + remainder // c
    negative = b < 0
    size = -b if negative else b
    high = size // c
    low = size - high * c
    part = rest * high + _mul_div_slow(rest, low, c)
    if negative:
        exact = rest * size == part * c  # modulo 2^64, and both differ by less than c
        part = -part if exact else -part - 1
    return whole * b + part


@inlined
def mul_div(a: int, b: int, c: int) -> int:
    """Return floor(a × b / c) exactly, although a × b may need 128 bits.

    Parameters
    ----------
    a, b : int
        |a|, |b| < 2^62.
    c : int
        0 < c < 2^62.

    Returns
    -------
    int
        Exact as long as the result itself is below 2^62 in size.
    """
    if abs(float(a) * float(b)) < _SAFE:
        return a * b // c
    return _mul_div_wide(a, b, c)


@inlined
def mul_div_up(a: int, b: int, c: int) -> int:
    """Return ceil(a × b / c) exactly; limits as in `mul_div`."""
    return -mul_div(-a, b, c)


@inlined
def floor_to(x: int, step: int) -> int:
    """Round down to a multiple of `step` > 0."""
    return x if step == 1 else x // step * step


@inlined
def ceil_to(x: int, step: int) -> int:
    """Round up to a multiple of `step` > 0."""
    return x if step == 1 else -(-x // step) * step

"""Runs random cases on the kernel that comes first on the path until one differs.

Run as a program by the test of seeded bugs. The kernel's functions run as plain Python: a cold
compile for each bug would take longer than all the cases. Exits with 0 when a case differed (its
number is printed), else 1.
"""

import sys
import types
import warnings
from typing import TypeVar

F = TypeVar("F")


def leave_uncompiled() -> None:
    """Stand in for the module that compiles, before any kernel module loads."""
    stand_in = types.ModuleType("openalpha.venue.kernel._compile")

    def as_it_is(function: F) -> F:
        return function

    vars(stand_in).update(compiled=as_it_is, inlined=as_it_is, entry=as_it_is)
    sys.modules[stand_in.__name__] = stand_in


def exact_arithmetic() -> None:
    """Let Python's integers do what compiled code does modulo 2^64."""
    from openalpha.venue.kernel import arith

    def mul_div(a: int, b: int, c: int) -> int:
        return int(a) * int(b) // int(c)

    def mul_div_up(a: int, b: int, c: int) -> int:
        return -(-int(a) * int(b) // int(c))

    arith.mul_div, arith.mul_div_up = mul_div, mul_div_up


def differs(number: int) -> bool:
    from tests.reference import exchange, kernel_adapter
    from tests.reference.cases import make_case

    case = make_case(number)
    try:
        return kernel_adapter.run(case) != exchange.run(case)
    except (ArithmeticError, AssertionError, IndexError, ValueError):
        return True


def main(root: str, most: int) -> int:
    import openalpha

    assert openalpha.__file__ is not None
    assert openalpha.__file__.startswith(root), "another openalpha than the one to test"
    warnings.simplefilter("ignore")
    leave_uncompiled()
    exact_arithmetic()
    for number in range(most):
        if differs(number):
            print(number)
            return 0
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], int(sys.argv[2])))

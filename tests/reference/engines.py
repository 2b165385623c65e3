"""The engines a case can run on: the reference, and the compiled kernel through its adapter."""

import importlib.util
from collections.abc import Callable

import pytest

from tests.reference import exchange
from tests.reference.scenario import Case, Outcome

HAS_KERNEL = importlib.util.find_spec("tests.reference.kernel_adapter") is not None
ENGINES = [
    "reference",
    pytest.param(
        "kernel", marks=pytest.mark.skipif(not HAS_KERNEL, reason="the kernel has no adapter yet")
    ),
]
on_both_engines = pytest.mark.parametrize("engine", ENGINES)


def runner(engine: str) -> Callable[[Case], Outcome]:
    """Return the function that runs a case on an engine."""
    if engine == "reference":
        return exchange.run
    from tests.reference.kernel_adapter import run

    return run

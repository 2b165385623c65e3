"""Random cases: what must always hold, and that the kernel agrees with the reference exactly."""

from collections import Counter

import pytest
from hypothesis import HealthCheck, given, seed, settings

from openalpha.core.reasons import Reason
from tests.reference import exchange
from tests.reference.cases import cases, make_case, smallest
from tests.reference.engines import HAS_KERNEL, runner
from tests.reference.invariants import check_invariants
from tests.reference.scenario import Case, Outcome

GATE_CASES = 1_500
NIGHTLY_CASES = 25_000
IN_KERNEL = pytest.mark.skipif(not HAS_KERNEL, reason="the kernel has no adapter yet")
QUIET = list(HealthCheck)

IN_THE_BOOK = (Reason.DELEVERAGED, Reason.SETTLED)
"""Fills that only the price-time book makes."""

REACHED = frozenset(
    [f"fill {reason.name}" for reason in Reason if 0 < reason < 20 and reason not in IN_THE_BOOK]
    + [f"exit {kind}" for kind in ("STOP", "TAKE_PROFIT", "TRAILING", "NONE")]
    + ["amended", "amend refused", "reduce-only cut", "working market"]
    + ["FUNDING", "INSURANCE", "liquidated by funding"]
    + [
        reason.name
        for reason in Reason
        if Reason.CANCELLED_BY_USER <= reason <= Reason.LEG_MISMATCH
        and reason not in (Reason.CANCELLED_BY_NEW_TARGET, Reason.EXPIRED)
    ]
)
"""Every branch of the rule table that leaves a trace."""


def differences(mine: Outcome, theirs: Outcome) -> str:
    """Say where two outcomes part, the earliest kind of thing first."""
    for name in ("fills", "effects", "orders", "balances", "positions"):
        a, b = getattr(mine, name), getattr(theirs, name)
        if a != b:
            return f"{name}:\n reference {a}\n kernel    {b}"
    return ""


def disagree(case: Case) -> bool:
    try:
        return differences(exchange.run(case), runner("kernel")(case)) != ""
    except AssertionError:
        return True


def compare(case: Case) -> None:
    if not disagree(case):
        return
    least = smallest(case, disagree)
    found = differences(exchange.run(least), runner("kernel")(least))
    pytest.fail(f"the kernel differs from the reference in\n{least}\n{found}")


@settings(max_examples=GATE_CASES, suppress_health_check=QUIET)
@given(cases())
def test_invariants_hold_on_the_reference(case: Case) -> None:
    check_invariants(case, exchange.run(case))


def test_random_cases_reach_every_rule() -> None:
    seen: Counter[str] = Counter()
    for number in range(3_000):
        seen.update(exchange.run_state(make_case(number)).seen.keys())
    assert REACHED - set(seen) == set(), seen


@IN_KERNEL
@settings(max_examples=GATE_CASES, suppress_health_check=QUIET)
@given(cases())
def test_the_kernel_agrees_with_the_reference(case: Case) -> None:
    compare(case)


@IN_KERNEL
@settings(max_examples=GATE_CASES, suppress_health_check=QUIET)
@given(cases())
def test_skipping_bars_changes_nothing(case: Case) -> None:
    from tests.reference import kernel_adapter

    assert kernel_adapter.run(case, skip=False) == kernel_adapter.run(case)


@IN_KERNEL
@pytest.mark.nightly
@seed(20_260_101)
@settings(max_examples=NIGHTLY_CASES, suppress_health_check=QUIET)
@given(cases())
def test_the_kernel_agrees_with_the_reference_on_many_cases(case: Case) -> None:
    compare(case)
    check_invariants(case, exchange.run(case))

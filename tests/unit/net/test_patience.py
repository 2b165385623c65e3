"""Trying again: how often, how long between, and what the venue says about it."""

from collections.abc import Callable

import pytest

from openalpha.core.clock import ManualClock
from openalpha.core.errors import VenueUnavailable
from openalpha.net import (
    MemoryTransport,
    Objection,
    Patience,
    PatientTransport,
    Priority,
    Request,
    Response,
    judge_status,
)

ASK = Request("https://venue.test/v1/bars")
FINE = Response(200, {}, b"fine")


class Budget:
    def __init__(self) -> None:
        self.taken: list[Priority] = []
        self.until_ms: list[int] = []

    def take(self, priority: Priority) -> None:
        self.taken.append(priority)

    def cool_down(self, until_ms: int) -> None:
        self.until_ms.append(until_ms)


def network(*answers: Response | None) -> MemoryTransport:
    """A network that gives these answers in turn; None: it gives none."""
    left = list(answers)

    def answer(request: Request) -> Response:
        found = left.pop(0)
        if found is None:
            raise VenueUnavailable("the line is dead")
        return found

    return MemoryTransport(answer)


def patient(
    inner: MemoryTransport, waits: list[float], budget: Budget | None = None, attempts: int = 4
) -> PatientTransport:
    budget_of: Callable[[str], Budget] | None = (lambda host: budget) if budget else None
    return PatientTransport(
        inner,
        clock=ManualClock(1_000_000),
        patience=Patience(attempts, 1.0, 3.0),
        budget_of=budget_of,
        pause=waits.append,
        chance=lambda: 0.5,
    )


@pytest.mark.parametrize(
    ("answers", "waits"),
    [
        ([FINE], []),
        ([None, FINE], [0.75]),
        ([Response(500, {}, b""), None, FINE], [0.75, 1.5]),
        ([None, None, None, FINE], [0.75, 1.5, 2.25]),
        ([Response(503, {"retry-after": "9"}, b""), FINE], [9.0]),
        ([Response(429, {}, b""), FINE], [1.0]),
        ([Response(403, {"retry-after": "nonsense"}, b""), FINE], [1.0]),
    ],
)
def test_it_waits_longer_each_time(answers: list[Response | None], waits: list[float]) -> None:
    slept: list[float] = []
    assert patient(network(*answers), slept).send(ASK) == FINE
    assert slept == waits


@pytest.mark.parametrize("status", [200, 304, 400, 401, 404])
def test_an_answer_is_an_answer_even_if_it_is_no(status: int) -> None:
    slept: list[float] = []
    answer = Response(status, {}, b"")
    assert patient(network(answer), slept).send(ASK) is answer
    assert slept == []


def test_patience_ends_and_says_why() -> None:
    slept: list[float] = []
    inner = network(None, None, None, Response(502, {}, b""))
    with pytest.raises(VenueUnavailable, match=r"venue\.test did not .* in 4 tries \(HTTP 502"):
        patient(inner, slept).send(ASK)
    assert len(inner.requests) == 4
    assert len(slept) == 3


def test_every_try_is_paid_from_the_budget_and_a_refusal_stops_everybody() -> None:
    budget = Budget()
    answers = network(Response(429, {"retry-after": "7"}, b""), Response(500, {}, b""), FINE)
    patient(answers, [], budget).send(ASK)
    assert budget.taken == [Priority.DATA] * 3
    assert budget.until_ms == [1_007_000]


def test_a_venues_own_judge_is_heard() -> None:
    def judge(response: Response) -> Objection | None:
        return Objection("not yet", wait_s=42.0) if response.body == b"wait" else None

    slept: list[float] = []
    transport = PatientTransport(
        network(Response(200, {}, b"wait"), FINE),
        clock=ManualClock(),
        judge=judge,
        pause=slept.append,
        chance=lambda: 0.0,
    )
    assert transport.send(ASK) == FINE
    assert slept == [42.0]


def test_a_venue_cannot_make_us_wait_for_days() -> None:
    objection = judge_status(Response(429, {"retry-after": "999999"}, b""))
    assert objection is not None
    assert objection.wait_s == 3600

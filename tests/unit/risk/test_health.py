"""What a look at safety does to the ladder, and that it survives the tape."""

import json
from decimal import Decimal

import pytest

from openalpha.core.reasons import Reason
from openalpha.risk.health import Health, heed
from openalpha.risk.ladder import Ladder
from openalpha.risk.limits import Limits
from openalpha.risk.memory import Release
from openalpha.risk.settings import BreakerSettings
from openalpha.risk.view import Stage

RELEASE = Release(5, "ann", "looked at it", reset_high_water=True)


def ladder() -> Ladder:
    return Ladder(Limits(), BreakerSettings(), start=Decimal(1000))


@pytest.mark.parametrize(
    "health",
    [Health(), Health("why"), Health("", 5_000), Health("a", 0, RELEASE), Health(is_restart=True)],
)
def test_it_survives_the_tape(health: Health) -> None:
    assert Health.of(json.loads(json.dumps(health.content()))) == health


def test_a_restart_that_was_not_armed_waits_for_a_person() -> None:
    led = ladder()
    (step,) = heed(led, Health(is_restart=True), ts_ms=1)
    assert (step.after, step.reason) == (Stage.HALTED, Reason.NOT_ARMED)
    assert heed(led, Health(), ts_ms=2) == ()
    (step,) = heed(led, Health(release=RELEASE), ts_ms=3)
    assert step.after is Stage.ACTIVE


def test_a_lock_halts_until_a_release_and_not_by_going_away() -> None:
    led = ladder()
    (step,) = heed(led, Health("a bad day"), ts_ms=1)
    assert (step.after, step.reason, step.words) == (Stage.HALTED, Reason.LOCKED, "a bad day")
    assert heed(led, Health("a bad day"), ts_ms=2) == ()
    assert heed(led, Health(), ts_ms=3) == ()
    assert led.standing.stage is Stage.HALTED
    (step,) = heed(led, Health(release=RELEASE), ts_ms=4)
    assert step.after is Stage.ACTIVE


def test_a_release_beside_a_lock_that_still_stands_releases_nothing() -> None:
    led = ladder()
    heed(led, Health("first"), ts_ms=1)
    heed(led, Health("second", release=RELEASE), ts_ms=2)
    assert led.standing.stage is Stage.HALTED and led.standing.words == "second"


def test_a_silent_guardian_stops_openings_until_it_is_heard() -> None:
    led = ladder()
    assert heed(led, Health(guardian_silent_ms=30_000), ts_ms=1) == ()
    (step,) = heed(led, Health(guardian_silent_ms=35_000), ts_ms=2)
    assert (step.after, step.reason) == (Stage.REDUCING, Reason.BREAKER_GUARDIAN)
    heed(led, Health(guardian_silent_ms=0), ts_ms=3)
    (step,) = heed(led, Health(guardian_silent_ms=0), ts_ms=60_003)
    assert step.after is Stage.ACTIVE

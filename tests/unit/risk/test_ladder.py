"""The ladder, story by story: what leads down, and what alone leads up again."""

import json
from decimal import Decimal
from typing import Any

import pytest

from openalpha.core.clock import DAY_MS, HOUR_MS, MINUTE_MS
from openalpha.core.reasons import Reason
from openalpha.risk.ladder import Ladder, Step
from openalpha.risk.limits import Limits
from openalpha.risk.reading import Reading
from openalpha.risk.settings import BreakerSettings, RiskSettings
from openalpha.risk.view import Stage

START = Decimal(10_000)


def new_ladder(**settings: Any) -> Ladder:
    return Ladder(Limits(), BreakerSettings(**settings), start=START)


def look(ladder: Ladder, ts_ms: int, **what: Any) -> Step | None:
    return ladder.observe(Reading(ts_ms=ts_ms, **what))


@pytest.mark.parametrize(
    ("what", "stage", "reason", "value", "limit"),
    [
        ({"equity": Decimal(9400)}, Stage.REDUCING, Reason.BREAKER_DAILY_LOSS, "0.06", "0.05"),
        ({"equity": Decimal(8499)}, Stage.FLATTEN, Reason.BREAKER_DRAWDOWN, "0.1501", "0.15"),
        ({"volatility": Decimal(7)}, Stage.REDUCING, Reason.BREAKER_VOLATILITY, "7", "6"),
        ({"spread_bps": Decimal(51)}, Stage.REDUCING, Reason.BREAKER_SPREAD, "51", "50"),
        ({"data_age_ms": 180_001}, Stage.REDUCING, Reason.BREAKER_STALE, "180001", "180000"),
        ({"clock_skew_ms": -1_001}, Stage.REDUCING, Reason.BREAKER_CLOCK, "1001", "1000"),
        ({"rate_left": Decimal("0.09")}, Stage.REDUCING, Reason.BREAKER_RATE_BUDGET, "0.09", "0.1"),
        ({"requests": 10, "errors": 4}, Stage.REDUCING, Reason.BREAKER_ERRORS, "0.4", "0.3"),
        ({"orders": 10, "rejects": 4}, Stage.REDUCING, Reason.BREAKER_REJECTS, "0.4", "0.3"),
        ({"guardian_silent_ms": 30_001}, Stage.REDUCING, Reason.BREAKER_GUARDIAN, "30001", "30000"),
        ({"open_incidents": 1}, Stage.REDUCING, Reason.OPEN_INCIDENT, "1", "0"),
        (
            {"liquidation_distance": Decimal("0.09")},
            Stage.REDUCING,
            Reason.BREAKER_LIQUIDATION,
            "0.09",
            "0.1",
        ),
        (
            {"liquidation_distance": Decimal("0.02")},
            Stage.FLATTEN,
            Reason.BREAKER_LIQUIDATION,
            "0.02",
            "0.03",
        ),
        (
            {"round_trips": (Decimal(-1),) * 8},
            Stage.REDUCING,
            Reason.BREAKER_LOSS_STREAK,
            "8",
            "8",
        ),
    ],
)
def test_each_breaker_steps_down_with_its_number(
    what: dict[str, Any], stage: Stage, reason: Reason, value: str, limit: str
) -> None:
    ladder = new_ladder()
    step = look(ladder, HOUR_MS, **what)
    assert step is not None
    assert (step.seq, step.before, step.after, step.reason) == (1, Stage.ACTIVE, stage, reason)
    shown = {part.rstrip("0").rstrip(".") if "." in part else part for part in (step.value,)}
    assert shown == {value} and Decimal(step.limit) == Decimal(limit)
    assert ladder.standing.reason is reason
    group, _, name = step.words.rpartition("(")[2].rstrip(")").partition(".")
    groups = {"risk": RiskSettings, "breakers": BreakerSettings}
    is_named = group in groups and name in groups[group].__dataclass_fields__
    assert is_named != (reason is Reason.OPEN_INCIDENT), "the setting behind it is named"
    assert look(ladder, HOUR_MS + 1, **what | {"round_trips": ()}) is None, "said once"


@pytest.mark.parametrize(
    "what",
    [
        {"equity": Decimal(9500)},
        {"volatility": Decimal(6)},
        {"spread_bps": Decimal(50)},
        {"data_age_ms": 180_000},
        {"clock_skew_ms": 1_000},
        {"rate_left": Decimal("0.1")},
        {"requests": 9, "errors": 9},
        {"orders": 10, "rejects": 3},
        {"liquidation_distance": Decimal("0.1")},
        {"round_trips": (Decimal(-1),) * 7},
        {},
    ],
)
def test_at_the_limit_nothing_happens(what: dict[str, Any]) -> None:
    ladder = new_ladder()
    assert look(ladder, HOUR_MS, **what) is None
    assert ladder.standing.stage is Stage.ACTIVE


def test_calm_for_a_while_resumes_and_a_relapse_begins_the_while_anew() -> None:
    ladder = new_ladder(calm_ms=MINUTE_MS)
    look(ladder, 0, spread_bps=Decimal(60))
    look(ladder, 1_000, spread_bps=Decimal(10))
    look(ladder, 50_000, spread_bps=Decimal(60))
    look(ladder, 60_000, spread_bps=Decimal(10))
    assert look(ladder, 119_999, spread_bps=Decimal(10)) is None
    step = look(ladder, 120_000, spread_bps=Decimal(10))
    assert step is not None and (step.after, step.reason) == (Stage.ACTIVE, Reason.BREAKER_SPREAD)


def test_what_is_not_looked_at_ends_no_trip() -> None:
    ladder = new_ladder()
    look(ladder, 0, data_age_ms=10**9)
    look(ladder, HOUR_MS, spread_bps=Decimal(1))
    assert ladder.standing.stage is Stage.REDUCING


def test_the_day_s_loss_ends_with_the_day_and_the_streak_too() -> None:
    ladder = new_ladder()
    look(ladder, HOUR_MS, equity=Decimal(9_400), round_trips=(Decimal(-1),) * 8)
    look(ladder, DAY_MS, equity=Decimal(9_400))
    assert len(ladder.reasons) == 2, "midnight still belongs to the day"
    step = look(ladder, DAY_MS + 1, equity=Decimal(9_400))
    assert step is not None and step.after is Stage.ACTIVE


def test_a_drawdown_ends_by_a_person_only_and_trips_again_unless_reset() -> None:
    ladder = new_ladder()
    look(ladder, HOUR_MS, equity=Decimal(8_000))
    look(ladder, 9 * DAY_MS, equity=Decimal(12_000))
    assert ladder.standing.stage is Stage.FLATTEN
    look(ladder, 10 * DAY_MS, equity=Decimal(10_000))
    step = ladder.release(ts_ms=10 * DAY_MS, who="ann", words="looked at")
    assert step is not None and step.words == "released by ann: looked at"
    step = look(ladder, 10 * DAY_MS, equity=Decimal(10_000))
    assert step is not None and step.after is Stage.FLATTEN
    look(ladder, 11 * DAY_MS, equity=Decimal(10_000))
    ladder.release(ts_ms=11 * DAY_MS, who="ann", words="start over", reset_high_water=True)
    assert look(ladder, 11 * DAY_MS, equity=Decimal(10_000)) is None
    assert ladder.standing.stage is Stage.ACTIVE


def test_a_release_ends_no_breaker_whose_cause_stands() -> None:
    ladder = new_ladder()
    look(ladder, 0, data_age_ms=10**9)
    ladder.trip(Reason.ORDERED_BY_PERSON, Stage.HALTED, ts_ms=1, words="lunch")
    ladder.release(ts_ms=2, who="ann", words="back")
    assert ladder.standing.reason is Reason.BREAKER_STALE


def test_too_many_trips_of_a_day_halt_until_a_person_comes() -> None:
    ladder = new_ladder(most_trips_a_day=3, calm_ms=0)
    for number in range(4):
        look(ladder, 2 * number + 1, spread_bps=Decimal(99))
        look(ladder, 2 * number + 2, spread_bps=Decimal(1))
    assert ladder.standing.stage is Stage.HALTED
    look(ladder, DAY_MS * 5, spread_bps=Decimal(1))
    assert ladder.standing.reason is Reason.TRIPPED_TOO_OFTEN


def test_a_lesser_reason_is_told_too() -> None:
    ladder = new_ladder()
    ladder.trip(Reason.LOCKED, Stage.HALTED, ts_ms=1)
    step = look(ladder, 2, spread_bps=Decimal(99))
    assert step is not None
    assert (step.after, step.reason) == (Stage.HALTED, Reason.BREAKER_SPREAD)
    assert [reason for _, reason, _ in ladder.reasons] == [Reason.LOCKED, Reason.BREAKER_SPREAD]


def test_failures_are_forgotten_after_the_window() -> None:
    ladder = new_ladder(window_ms=60_000, calm_ms=0)
    look(ladder, 0, requests=10, errors=5)
    assert look(ladder, 30_000, requests=1) is None
    step = look(ladder, 60_000, requests=1)
    assert step is not None and step.after is Stage.ACTIVE


def test_the_next_run_takes_over_what_waits_for_a_person_and_how_deep_it_stood() -> None:
    last = new_ladder()
    look(last, HOUR_MS, equity=Decimal(9_000))
    look(last, DAY_MS * 2, equity=Decimal(9_000))
    kept = json.loads(json.dumps(last.state()))
    other = Ladder(Limits(), BreakerSettings(), start=Decimal(50_000))
    other.take_over(kept, equity=Decimal(50_000), ts_ms=DAY_MS * 3)
    step = look(other, DAY_MS * 3, equity=Decimal(47_000))
    assert step is not None and step.reason is Reason.BREAKER_DRAWDOWN, "10 % and then 6 %"
    third = Ladder(Limits(), BreakerSettings(), start=Decimal(1))
    step = third.take_over(other.state(), equity=Decimal(2_000), ts_ms=DAY_MS * 4)
    assert step is not None and step.after is Stage.FLATTEN
    assert step.seq == third.state()["seq"]


def test_a_restart_keeps_where_it_stood() -> None:
    ladder = new_ladder()
    look(ladder, HOUR_MS, equity=Decimal(8_000), orders=5, rejects=5)
    other = new_ladder()
    other.restore(json.loads(json.dumps(ladder.state())))
    assert other.standing == ladder.standing
    assert other.state() == ladder.state()

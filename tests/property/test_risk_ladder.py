"""The ladder under anything: it never grows looser by itself, and a restart changes nothing."""

import json
from decimal import Decimal
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from openalpha.core.clock import DAY_MS
from openalpha.core.reasons import Reason
from openalpha.risk.breakers import RESUMES, Resume
from openalpha.risk.ladder import Ladder
from openalpha.risk.limits import Limits
from openalpha.risk.reading import Reading
from openalpha.risk.settings import BreakerSettings
from openalpha.risk.view import Stage

SETTINGS = BreakerSettings(calm_ms=60_000, most_trips_a_day=6)
decimals = st.integers(0, 20).map(lambda one: Decimal(one) / 100)
readings = st.fixed_dictionaries(
    {"wait_ms": st.sampled_from([1, 30_000, 60_000, 3_600_000, DAY_MS])},
    optional={
        "equity": st.integers(7_000, 13_000).map(Decimal),
        "spread_bps": st.sampled_from([Decimal(10), Decimal(60)]),
        "data_age_ms": st.sampled_from([0, 10**7]),
        "liquidation_distance": decimals,
        "rate_left": decimals,
        "requests": st.integers(0, 12),
        "errors": st.integers(0, 6),
        "open_incidents": st.integers(0, 1),
        "round_trips": st.lists(st.sampled_from([Decimal(-1), Decimal(1)]), max_size=4).map(tuple),
    },
)
acts = st.lists(
    st.one_of(readings, st.sampled_from(["halt", "pause", "release"])), min_size=1, max_size=60
)


def play(acts: list[Any], *, restart_at: int) -> list[Any]:
    """What a ladder says to each act; once it is stopped and taken up from its kept state."""
    ladder, now_ms, said = Ladder(Limits(), SETTINGS, start=Decimal(10_000)), 1, []
    for number, act in enumerate(acts):
        before = ladder.standing.stage
        held = ladder.reasons
        if act == "release":
            step = ladder.release(ts_ms=now_ms, who="ann", words="seen")
        elif isinstance(act, str):
            stage = Stage.HALTED if act == "halt" else Stage.REDUCING
            step = ladder.trip(Reason.ORDERED_BY_PERSON, stage, ts_ms=now_ms)
            assert ladder.standing.stage >= before
        else:
            now_ms += act["wait_ms"]
            looked = {name: value for name, value in act.items() if name != "wait_ms"}
            step = ladder.observe(Reading(ts_ms=now_ms, **looked))
            after = ladder.standing.stage
            if before >= Stage.HALTED:
                assert after >= before, "only a person leads out of HALTED and FLATTEN"
            if after < before:
                assert all(
                    RESUMES.get(reason, Resume.PERSON) is not Resume.PERSON
                    for stage, reason, _ in held
                    if stage > after
                )
        if ladder.standing.stage is not before:
            assert step is not None and step.before is before and step.words
        said.append((step, ladder.standing))
        if number == restart_at:
            kept = json.loads(json.dumps(ladder.state()))
            ladder = Ladder(Limits(), SETTINGS, start=Decimal(1))
            ladder.restore(kept)
    return said


@given(acts, st.integers(0, 59))
def test_it_never_grows_looser_by_itself_and_a_restart_changes_nothing(
    acts: list[Any], restart_at: int
) -> None:
    assert play(acts, restart_at=restart_at) == play(acts, restart_at=-1)


@given(st.lists(st.integers(8_500, 12_000), min_size=1, max_size=20))
def test_beyond_the_drawdown_it_is_always_flat(equities: list[int]) -> None:
    ladder = Ladder(Limits(max_drawdown=Decimal(1)), SETTINGS, start=Decimal(10_000))
    peak, has_fallen = 10_000, False
    for number, equity in enumerate(equities):
        peak = max(peak, equity)
        has_fallen = has_fallen or peak - equity > peak * 0.15
        ladder.observe(Reading(ts_ms=number + 1, equity=Decimal(equity)))
        assert (ladder.standing.stage is Stage.FLATTEN) == has_fallen

"""Clock offsets: measured within the round trip, the quickest answer wins."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openalpha.core.clock import ManualClock
from openalpha.core.errors import VenueUnavailable
from openalpha.net import OffsetClock, measure_offset


@given(
    truth=st.integers(-(10**7), 10**7),
    trips=st.lists(st.tuples(st.integers(0, 400), st.integers(0, 400)), min_size=1, max_size=5),
)
def test_the_truth_lies_within_the_uncertainty(truth: int, trips: list[tuple[int, int]]) -> None:
    clock = ManualClock(10**9)
    left = list(trips)

    def ask() -> int:
        there, back = left.pop(0)
        clock.advance(there)
        stamp = clock.now_ms() + truth
        clock.advance(back)
        return stamp

    found = measure_offset(ask, clock, samples=len(trips))
    assert abs(found.offset_ms - truth) <= found.uncertainty_ms
    assert found.uncertainty_ms <= min(a + b for a, b in trips) // 2 + 1
    shown = OffsetClock(clock, found).now_ms()
    assert abs(shown - (clock.now_ms() + truth)) <= found.uncertainty_ms


def test_a_question_that_is_not_answered_ends_what_is_known_already() -> None:
    """On a network that loses half of all, three answers in a row hold a recovery up."""
    answers: list[int | None] = [5_000, None, None]

    def ask() -> int:
        found = answers.pop(0)
        if found is None:
            raise VenueUnavailable("no answer")
        return found

    assert measure_offset(ask, ManualClock(2_000)).offset_ms == 3_000
    with pytest.raises(VenueUnavailable):
        measure_offset(ask, ManualClock(2_000))

"""The shared budget: rates hold in every window, orders are never starved by data."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openalpha.core.clock import ManualClock
from openalpha.core.errors import StorageError, VenueUnavailable
from openalpha.net import Priority, RateBudget, RateLimit

LIMIT = RateLimit(per_s=10, burst=20)


def budget(folder: Path, clock: ManualClock, limit: RateLimit = LIMIT) -> RateBudget:
    return RateBudget(
        folder,
        "venue.test",
        limit=limit,
        clock=clock,
        pause=lambda seconds: clock.advance(max(1, round(seconds * 1000))),
    )


def full(folder: Path, clock: ManualClock) -> RateBudget:
    made = budget(folder, clock)
    made.take(Priority.RISK)
    clock.advance(60_000)
    return made


def taken_at_once(made: RateBudget, priority: Priority) -> int:
    count = 0
    while True:
        try:
            made.take(priority, wait_at_most_s=0.0)
        except VenueUnavailable:
            return count
        count += 1


def test_data_leaves_something_for_all_before_it(tmp_path: Path) -> None:
    made = full(tmp_path, ManualClock(1_000_000))
    counts = [
        taken_at_once(made, priority)
        for priority in (
            Priority.UI,
            Priority.DATA,
            Priority.RECONCILE,
            Priority.ORDERS,
            Priority.RISK,
        )
    ]
    assert counts == [10, 2, 4, 2, 2]


def test_a_starved_class_waits_for_the_refill(tmp_path: Path) -> None:
    clock = ManualClock(1_000_000)
    made = full(tmp_path, clock)
    taken_at_once(made, Priority.RISK)
    before = clock.now_ms()
    made.take(Priority.ORDERS)
    assert clock.now_ms() - before == pytest.approx(300, abs=5)
    before = clock.now_ms()
    made.take(Priority.DATA)
    assert clock.now_ms() - before == pytest.approx(700, abs=5)


@given(st.lists(st.tuples(st.sampled_from(Priority), st.integers(0, 400)), min_size=1, max_size=60))
def test_no_window_holds_more_than_the_rate_and_one_burst(
    tmp_path_factory: pytest.TempPathFactory, asks: list[tuple[Priority, int]]
) -> None:
    folder = tmp_path_factory.mktemp("net")
    clock = ManualClock(1_000_000)
    one, other = budget(folder, clock), budget(folder, clock)
    stamps = []
    for place, (priority, gap_ms) in enumerate(asks):
        clock.advance(gap_ms)
        (one if place % 2 else other).take(priority)
        stamps.append(clock.now_ms())
    for first, start in enumerate(stamps):
        for last in range(first, len(stamps)):
            allowed = LIMIT.burst + (stamps[last] - start) / 1000 * LIMIT.per_s
            assert last - first + 1 <= allowed + 1e-6


def test_two_processes_share_one_bucket(tmp_path: Path) -> None:
    clock = ManualClock(1_000_000)
    one, other = full(tmp_path, clock), budget(tmp_path, clock)
    assert taken_at_once(one, Priority.RISK) == 20
    assert taken_at_once(other, Priority.RISK) == 0


def test_a_cool_down_stops_everybody_until_it_is_over(tmp_path: Path) -> None:
    clock = ManualClock(1_000_000)
    one, other = full(tmp_path, clock), budget(tmp_path, clock)
    one.cool_down(clock.now_ms() + 5_000)
    with pytest.raises(VenueUnavailable, match=r"venue\.test is used up for another 5 s"):
        other.take(Priority.RISK, wait_at_most_s=1)
    before = clock.now_ms()
    other.take(Priority.RISK)
    assert clock.now_ms() - before == 5_000


@pytest.mark.parametrize("text", ["", "[1", "null", '["a", 1, 2]', "[1e9, 0, 0]", "[-4, 0, 0]"])
def test_a_damaged_file_counts_as_an_empty_bucket(text: str, tmp_path: Path) -> None:
    clock = ManualClock(1_000_000)
    (tmp_path / "budget-venue.test.json").write_text(text, "utf-8")
    made = budget(tmp_path, clock)
    assert taken_at_once(made, Priority.DATA) == 0
    made.take(Priority.DATA)


def test_a_clock_set_back_neither_refills_nor_blocks_for_ever(tmp_path: Path) -> None:
    clock = ManualClock(1_000_000_000)
    made = full(tmp_path, clock)
    made.cool_down(clock.now_ms() + 2_000)
    clock.ts_ms -= 900_000
    before = clock.now_ms()
    made.take(Priority.DATA)
    assert clock.now_ms() - before <= 2_000


def test_a_folder_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", "utf-8")
    with pytest.raises(StorageError, match="cannot be written"):
        budget(tmp_path / "file", ManualClock()).take(Priority.RISK)

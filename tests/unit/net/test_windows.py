"""Rolling windows: the venue's limit is never reached, and each class leaves its part."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openalpha.core.clock import ManualClock
from openalpha.core.errors import StorageError, VenueUnavailable
from openalpha.net import Priority, RateBroker, RateLimit, Use, WindowBudget, WindowLimit

LIMIT = WindowLimit(10)
HOST = "venue.test"


def window(folder: Path, clock: ManualClock, limit: WindowLimit = LIMIT) -> WindowBudget:
    return WindowBudget(
        folder,
        "key-create",
        limit=limit,
        clock=clock,
        pause=lambda seconds: clock.advance(max(1, round(seconds * 1000))),
    )


def taken_at_once(made: WindowBudget, priority: Priority) -> int:
    count = 0
    while True:
        try:
            made.take(priority, wait_at_most_s=0.0)
        except VenueUnavailable:
            return count
        count += 1


def test_each_class_leaves_something_for_those_before_it(tmp_path: Path) -> None:
    made = window(tmp_path, ManualClock(1_000_000))
    assert [taken_at_once(made, priority) for priority in reversed(Priority)] == [5, 1, 2, 1, 1]


@given(st.lists(st.tuples(st.sampled_from(Priority), st.integers(0, 400)), min_size=1, max_size=60))
def test_no_window_ever_holds_more_than_its_limit(
    tmp_path_factory: pytest.TempPathFactory, asks: list[tuple[Priority, int]]
) -> None:
    folder = tmp_path_factory.mktemp("net")
    clock = ManualClock(1_000_000)
    one, other = window(folder, clock), window(folder, clock)
    stamps = []
    for place, (priority, gap_ms) in enumerate(asks):
        clock.advance(gap_ms)
        (one if place % 2 else other).take(priority)
        stamps.append(clock.now_ms())
    for last in stamps:
        assert sum(last - LIMIT.span_ms < stamp <= last for stamp in stamps) <= LIMIT.count


def test_a_batch_counts_its_orders_and_waits_for_room(tmp_path: Path) -> None:
    clock = ManualClock(1_000_000)
    made = window(tmp_path, clock)
    made.take(Priority.RISK, cost=7)
    before = clock.now_ms()
    made.take(Priority.RISK, cost=5)
    assert clock.now_ms() - before == LIMIT.span_ms
    # More than a whole window: it has the window to itself.
    made.take(Priority.RISK, cost=40, wait_at_most_s=5)
    assert taken_at_once(made, Priority.RISK) == 0


def test_a_full_window_the_venue_reports_stops_everybody(tmp_path: Path) -> None:
    clock = ManualClock(1_000_000)
    window(tmp_path, clock).cool_down(clock.now_ms() + 700)
    before = clock.now_ms()
    window(tmp_path, clock).take(Priority.RISK)
    assert clock.now_ms() - before == 700


@pytest.mark.parametrize("back_ms", [1_500, 86_400_000])
def test_a_clock_set_back_never_blocks_for_long(tmp_path: Path, back_ms: int) -> None:
    clock = ManualClock(1_000_000_000)
    made = window(tmp_path, clock)
    assert taken_at_once(made, Priority.RISK) == 10
    made.cool_down(clock.now_ms() + 500_000)
    clock.ts_ms -= back_ms
    if back_ms > 600_000:
        assert taken_at_once(made, Priority.RISK) == 10
    else:
        made.take(Priority.RISK, wait_at_most_s=600)


@pytest.mark.parametrize("text", ["", "{}", '["a", 2]', "[1", "[null]"])
def test_a_damaged_file_counts_as_an_empty_window(tmp_path: Path, text: str) -> None:
    (tmp_path / "window-key-create.json").write_text(text, "utf-8")
    made = window(tmp_path, ManualClock(1_000_000))
    assert taken_at_once(made, Priority.RISK) == 10


def broker(folder: Path, clock: ManualClock) -> RateBroker:
    return RateBroker(
        folder,
        clock=clock,
        limit=RateLimit(10, 20),
        pause=lambda seconds: clock.advance(max(1, round(seconds * 1000))),
    )


def test_a_request_takes_from_its_window_and_its_host(tmp_path: Path) -> None:
    clock = ManualClock(1_000_000)
    broker(tmp_path, clock).take(HOST, Priority.RISK, uses=[Use("key-create", LIMIT)])
    assert len(json.loads((tmp_path / "window-key-create.json").read_text("utf-8"))) == 2
    assert (tmp_path / f"budget-{HOST}.json").exists()


def test_a_window_that_is_full_does_not_stop_the_host(tmp_path: Path) -> None:
    clock = ManualClock(1_000_000)
    made, use = broker(tmp_path, clock), Use("key-create", LIMIT)
    made.cool_down(HOST, clock.now_ms() + 60_000, uses=[use])
    made.take(HOST, Priority.UI, wait_at_most_s=2)
    with pytest.raises(VenueUnavailable, match="key-create is used up"):
        made.take(HOST, Priority.RISK, uses=[use], wait_at_most_s=1)
    made.cool_down(HOST, clock.now_ms() + 60_000)
    with pytest.raises(VenueUnavailable, match=HOST):
        made.take(HOST, Priority.RISK, wait_at_most_s=1)


def test_where_the_count_cannot_be_kept_only_risk_goes(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", "utf-8")
    made = broker(tmp_path / "file", ManualClock(1_000_000))
    made.take(HOST, Priority.RISK)
    made.cool_down(HOST, 2_000_000)
    with pytest.raises(StorageError, match="cannot be written"):
        made.take(HOST, Priority.ORDERS)


def sent_at_once(broker: RateBroker, use: Use) -> int:
    """How many messages of a socket go, one after the other, each counted once it went."""
    count = 0
    while count < 20 and broker.may_go(Priority.ORDERS, uses=(use,)):
        broker.went(uses=(use,))
        count += 1
    return count


def test_a_message_goes_before_it_is_counted_and_what_others_sent_shows(tmp_path: Path) -> None:
    clock, use = ManualClock(1_000_000), Use("key-create", LIMIT)
    limit = RateLimit(per_s=100, burst=100)
    ours, other = (RateBroker(tmp_path, clock=clock, limit=limit) for _ in range(2))
    assert sent_at_once(ours, use) == 7
    clock.advance(1_001)
    for _ in range(5):
        other.take(HOST, Priority.ORDERS, uses=(use,))
    assert sent_at_once(ours, use) == 2, "the first message tells what the other sent"
    assert taken_at_once(window(tmp_path, clock), Priority.ORDERS) == 2, "both are counted"


def test_no_message_goes_while_the_venue_or_the_file_says_no(tmp_path: Path) -> None:
    clock, use = ManualClock(1_000_000), Use("key-create", LIMIT)
    limit = RateLimit(per_s=100, burst=100)
    broker = RateBroker(tmp_path, clock=clock, limit=limit)
    broker.cool_down(HOST, clock.now_ms() + 500, uses=(use,))
    assert not broker.may_go(Priority.ORDERS, uses=(use,))
    clock.advance(501)
    assert broker.may_go(Priority.ORDERS, uses=(use,))
    (tmp_path / "window-key-create.json").unlink()
    (tmp_path / "window-key-create.json").mkdir()
    broker.went(uses=(use,))
    assert not broker.may_go(Priority.ORDERS, uses=(use,))

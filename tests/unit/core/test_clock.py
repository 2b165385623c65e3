"""Time: read from text and written back, without a naive moment anywhere."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openalpha.core.clock import (
    DAY_MS,
    HOUR_MS,
    ManualClock,
    SystemClock,
    format_ms,
    parse_ms,
    parse_timeframe,
    timeframe_name,
)
from openalpha.core.errors import InputError

NEW_YEAR_MS = 1_704_067_200_000


@given(st.integers(0, 4_102_444_800_000))
def test_a_moment_is_read_as_it_was_written(ts_ms):
    assert parse_ms(format_ms(ts_ms)) == ts_ms


@pytest.mark.parametrize(
    ("text", "ts_ms"),
    [
        ("2024-01-01", NEW_YEAR_MS),
        ("2024-01-01T08:00", NEW_YEAR_MS + 8 * HOUR_MS),
        ("2024-01-01T00:00:00.250Z", NEW_YEAR_MS + 250),
        ("2024-01-01T10:00+10:00", NEW_YEAR_MS),
        ("1704067200000", NEW_YEAR_MS),
    ],
)
def test_moments_people_write(text, ts_ms):
    assert parse_ms(text) == ts_ms


def test_a_moment_without_an_offset_is_utc_wherever_the_machine_stands(monkeypatch):
    monkeypatch.setenv("TZ", "Australia/Sydney")
    time.tzset()
    try:
        assert parse_ms("2024-01-01T08:00") == NEW_YEAR_MS + 8 * HOUR_MS
        assert format_ms(NEW_YEAR_MS) == "2024-01-01T00:00:00Z"
    finally:
        monkeypatch.undo()
        time.tzset()


@pytest.mark.parametrize("text", ["", "yesterday", "2024-13-01", "1704067200", "12:00"])
def test_what_is_no_moment(text):
    with pytest.raises(InputError, match="is not a time; write 2024-01-31"):
        parse_ms(text)


@given(st.integers(1, 10_000), st.sampled_from("smhdw"))
def test_a_time_frame_s_name_means_its_length(number, unit):
    length = parse_timeframe(f"{number}{unit}")
    assert parse_timeframe(timeframe_name(length)) == length


@pytest.mark.parametrize("text", ["", "h", "0m", "-1h", "1.5h", "5x", "1M", "٣m", "1 h"])
def test_what_is_no_time_frame(text):
    with pytest.raises(InputError, match="is not a time frame"):
        parse_timeframe(text)


def test_clocks():
    clock = ManualClock(5)
    clock.advance(10)
    assert clock.now_ms() == 15
    with pytest.raises(AssertionError, match="forward"):
        clock.advance(-1)
    assert SystemClock().now_ms() > NEW_YEAR_MS
    assert timeframe_name(7 * DAY_MS) == "7d"

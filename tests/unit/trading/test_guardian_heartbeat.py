"""Heartbeats: silence is timed by the hearer's own clock, and an end is no silence."""

from pathlib import Path

import pytest

from openalpha.core.errors import StorageError
from openalpha.trading.safety.guardian_heartbeat import Heartbeat, Listener, read_beat


def test_silence_counts_from_the_last_new_beat(tmp_path: Path) -> None:
    heart = Heartbeat(tmp_path, "twin")
    ear = Listener(tmp_path, "twin", role="trader")
    assert ear.silent_ms(0) is None, "a file that nobody wrote into yet"
    heart.beat(1)
    assert [ear.silent_ms(at) for at in (100, 400)] == [0, 300]
    heart.beat(1)  # the wall clock may stand still: the number tells
    assert [ear.silent_ms(at) for at in (500, 900)] == [0, 400]


def test_a_beat_of_before_the_listening_counts_from_its_begin(tmp_path: Path) -> None:
    Heartbeat(tmp_path, "twin").beat(1)
    ear = Listener(tmp_path, "twin", role="trader")
    assert [ear.silent_ms(at) for at in (10_000, 11_000)] == [0, 1_000]


def test_one_that_ended_is_not_missed_and_one_that_comes_back_is(tmp_path: Path) -> None:
    heart, ear = Heartbeat(tmp_path, "twin"), Listener(tmp_path, "twin", role="trader")
    heart.beat(1)
    ear.silent_ms(0)
    heart.end(2)
    assert ear.silent_ms(10**6) is None
    Heartbeat(tmp_path, "twin").beat(3)
    assert [ear.silent_ms(10**6), ear.silent_ms(10**6 + 5)] == [0, 5]


def test_one_that_fell_silent_is_missed_unless_it_ended(tmp_path: Path) -> None:
    heart, ear = Heartbeat(tmp_path, "twin"), Listener(tmp_path, "twin", role="trader")
    heart.beat(1)
    ear.silent_ms(0)
    heart.close()
    heart.close()
    assert ear.silent_ms(900) == 900
    heart = Heartbeat(tmp_path, "twin")
    heart.end(2)
    heart.close()
    assert ear.silent_ms(1_800) is None


def test_roles_and_environments_are_apart(tmp_path: Path) -> None:
    Heartbeat(tmp_path, "twin", role="guardian").beat(1)
    assert read_beat(tmp_path, "twin") is None
    assert read_beat(tmp_path, "demo", role="guardian") is None
    assert read_beat(tmp_path, "twin", role="guardian") is not None


@pytest.mark.parametrize("text", ["", "{", "[]", '{"pid": 1}'])
def test_a_file_that_cannot_be_read_just_now_is_silence_not_an_end(
    tmp_path: Path, text: str
) -> None:
    Heartbeat(tmp_path, "twin").beat(1)
    ear = Listener(tmp_path, "twin", role="trader")
    ear.silent_ms(0)
    (tmp_path / "safety" / "twin" / "trader.beat").write_text(text)
    assert ear.silent_ms(700) == 700


def test_a_home_that_is_a_file_is_said(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.write_text("")
    with pytest.raises(StorageError, match="could not be written"):
        Heartbeat(home, "twin")

"""A run's log in segments: a restart goes on from the last one as if nothing had happened."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from openalpha.store.run_log import INPUTS, FrameKind, read, segments, tail
from openalpha.trading.analysis.replay import replay
from openalpha.trading.venue import keeping as venue_keeping
from openalpha.trading.venue.keeping import freeze_desk, thaw_desk
from tests.fakes.live_runs import books
from tests.integration.trading.test_venue_runs import Place, held, placed


@pytest.fixture
def place(home: Path) -> Iterator[Place]:
    with placed(home) as one:
        yield one


def killed_after(driver: Any, steps: int) -> None:
    """Lead a driver some steps, then let its process be gone."""
    for _ in range(steps):
        driver.turns.step()
    driver._log.close()


def test_killed_with_orders_open_it_goes_on_from_the_last_segment(place: Place, home: Path) -> None:
    folder = place.begun(30)
    counts = []
    with books(home) as ledger:
        for _ in range(6):
            driver: Any = place.driver(folder, ledger)
            driver.largest_segment = 3_000  # a new one at nearly every step
            counts.append(driver.start())
            killed_after(driver, 4)
        assert driver.desk.side.record.open_orders(), "its stop stands meanwhile"
        driver = place.led(folder, ledger)
        assert driver.reconciled.is_equal
    assert driver.desk.books[0].held[0].qty == held(place)
    assert driver.desk.incidents == []
    assert len(segments(folder.log)) > 6
    every = sum(1 for _ in read(folder.log, INPUTS))
    assert max(counts) < every / 4, "what came before the last segment is not done again"
    verdict = replay(folder)
    assert verdict.is_same and verdict.inputs == every


def test_a_crash_at_the_very_roll_loses_nothing(place: Place, home: Path) -> None:
    folder = place.begun(20)
    with books(home) as ledger:
        driver: Any = place.driver(folder, ledger)
        driver.start()
        while not held(place):
            driver.turns.step()
        driver.largest_segment = 0
        driver.roll_now_and_then()
        assert [frame.kind for frame in tail(folder.log)] == [FrameKind.STATE]
        killed_after(driver, 0)
        again: Any = place.driver(folder, ledger)
        assert again.start() == 1
        assert freeze_desk(again.desk) != b""
        asyncio.run(again.lead())
        assert again.reconciled.is_equal
    assert replay(folder).is_same


def test_another_program_goes_through_the_whole_log(
    place: Place, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = place.begun(12)
    driver: Any = place.driver(folder, None)
    driver.largest_segment = 3_000
    driver.start()
    killed_after(driver, 12)
    assert len(segments(folder.log)) > 1
    every = sum(1 for _ in read(folder.log, INPUTS))
    monkeypatch.setattr(venue_keeping, "program_mark", lambda: b"another ")
    again: Any = place.driver(folder, None)
    assert thaw_desk(next(iter(tail(folder.log))).payload, again.desk) is None
    assert again.start() == every
    assert again.desk.books[0].cash == driver.desk.books[0].cash
    asyncio.run(again.lead())


def test_a_new_day_begins_a_segment(place: Place, home: Path) -> None:
    folder = place.begun(2)
    driver: Any = place.driver(folder, None)
    driver.start()
    driver.turns.step()
    assert len(segments(folder.log)) == 1
    driver._last_ts_ms += 86_400_000
    driver.roll_now_and_then()
    assert len(segments(folder.log)) == 2
    driver._log.close()

"""Entries of strategies worked in pieces at the real twin: never naked, never too much."""

import json
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from openalpha.core.messages import Environment
from openalpha.engine.signals import EngineSettings
from openalpha.market.catalogue import instrument_for
from openalpha.store.run_log import FrameKind, canonical_json, read
from openalpha.trading.analysis.execution import carried_orders
from openalpha.trading.analysis.replay import replay
from openalpha.trading.paper.starting import Asked
from openalpha.trading.run.commands import Command
from openalpha.trading.run.folder import RunFolder
from openalpha.trading.run.settings import ExecutionSettings, Handling
from openalpha.trading.venue.driver import VenueDriver
from openalpha.trading.venue.starting import VenueTerms, begin_venue_run
from tests.integration.trading.test_venue_runs import MINUTE_MS, Place, held, placed
from tests.integration.trading.test_worked_orders import open_rows

SLOW = Asked("ma_cross", {"fast": 3, "slow": 12})


@pytest.fixture
def place(home: Path) -> Iterator[Place]:
    with placed(home) as one:
        yield one


def begun(place: Place, *asked: Asked, **terms: Any) -> RunFolder:
    execution = ExecutionSettings(**{"minutes": 6, "pieces": 4, **terms})
    handling = Handling(execution=execution)
    return begin_venue_run(
        place.home,
        asked or [SLOW],
        instruments=[instrument_for("bybit_linear:BTCUSDT")],
        terms=VenueTerms(Environment.TWIN, MINUTE_MS, Decimal(40_000), handling=handling),
        settings=EngineSettings(),
        clock=place.clock,
    )


def started(place: Place, folder: RunFolder) -> VenueDriver:
    driver = place.driver(folder, None)
    driver.start()
    return driver


def turned(driver: VenueDriver) -> None:
    driver.turns.step()
    driver.turns.settle()


def notes(folder: RunFolder, kind: FrameKind) -> list[dict[str, Any]]:
    return [json.loads(frame.payload) for frame in read(folder.log) if frame.kind is kind]


def parents(folder: RunFolder) -> list[dict[str, Any]]:
    return [note for note in notes(folder, FrameKind.INTENT) if "work" in note]


def assert_protected(place: Place, driver: VenueDriver) -> None:
    """Each step ends with a stop over all that is held, or the one its entry brought."""
    rows = place.client.get(
        "/v5/order/realtime", category="linear", symbol="BTCUSDT", orderFilter="StopOrder"
    )["list"]
    own = sum((Decimal(row["qty"]) for row in rows if row["orderLinkId"]), Decimal(0))
    whole = Decimal(place.client.position()["stopLoss"] or 0) > 0
    assert whole or own >= abs(held(place))
    if driver.desk.plan.handling.execution.algorithm == "twap":  # what rests is heard of later
        assert held(place) == sum((book.held[0].qty for book in driver.desk.books), Decimal(0))


@pytest.mark.parametrize("algorithm", ["twap", "vwap", "iceberg", "chase"])
def test_an_entry_goes_out_by_and_by_and_is_protected_all_along(place, home, algorithm):
    folder = begun(place, algorithm=algorithm)
    driver = started(place, folder)
    sizes = set()
    while driver.desk.rows < 60:
        turned(driver)
        assert_protected(place, driver)
        sizes.add(abs(held(place)))
    assert driver.desk.incidents == []
    found = parents(folder)
    assert len(found) > 1 and {note["work"] for note in found} == {algorithm}
    largest = max(Decimal(note["qty"]) for note in found)
    assert max(sizes) <= largest * Decimal("1.1")
    if algorithm in ("twap", "vwap"):
        assert len(sizes) > 3, "it grew piece by piece"
    driver._log.close()
    assert replay(folder).is_same


def test_a_new_target_ends_what_was_worked_and_closes_at_once(place, home):
    folder = begun(place, algorithm="twap", minutes=60, pieces=20)
    driver = started(place, folder)
    while not held(place):
        turned(driver)
    (one,) = driver.desk.worked.parents.values()
    before = held(place)
    while one.name in driver.desk.worked.parents:
        turned(driver)
    assert one.filled < one.parent.intent.qty, "it was not done when the target turned"
    assert held(place) * before <= 0, "what was held is closed within the same step"


def test_a_process_that_dies_between_any_two_steps_goes_on(place, home):
    folder = begun(place, algorithm="twap")
    rows = 0
    while rows < 45:
        driver = started(place, folder)
        for _ in range(4):
            turned(driver)
            assert_protected(place, driver)
        rows = driver.desk.rows
        driver._log.close()
    assert len(parents(folder)) > 1
    assert replay(folder).is_same


def test_two_strategies_cross_first_and_work_what_is_left(place, home):
    folder = begun(
        place,
        SLOW,
        Asked("rsi_reversion", {"period": 3}),
        algorithm="twap",
    )
    driver = started(place, folder)
    while driver.desk.rows < 60:
        turned(driver)
        assert_protected(place, driver)
    assert driver.desk.incidents == []
    assert {note["book"] for note in parents(folder)} == {0, 1}
    driver._log.close()
    assert replay(folder).is_same


def test_pause_and_stop_end_what_is_worked(place, home):
    folder = begun(place, algorithm="iceberg", minutes=30, limit_bps=Decimal(0))
    driver = started(place, folder)
    while not open_rows(place):
        turned(driver)
    driver.command(Command("PAUSE", "news"))
    for _ in range(3):
        turned(driver)
    assert open_rows(place) == [] and driver.desk.worked.parents == {}
    driver.command(Command("STOP", "home time"))
    driver.turns.settle()
    assert driver.desk.mode.value == "ended"


def test_what_the_orders_cost_is_told_piece_by_piece(place, home):
    folder = begun(place, algorithm="twap")
    driver = started(place, folder)
    while driver.desk.rows < 40:
        turned(driver)
    driver._log.close()
    pieces = [one for one in carried_orders(folder) if one.how == "twap"]
    assert len(pieces) > 3 and all(one.decided_ms and one.filled for one in pieces)


def test_a_vwap_follows_the_curve_it_was_told(place, home):
    folder = begun(place, algorithm="vwap")
    driver = place.driver(folder, None)
    first_hour = [0] * 1440
    driver.curves = lambda: {"bybit_linear:BTCUSDT": [*first_hour[:-1], 1]}
    driver.start()
    while not driver.desk.worked.parents:
        turned(driver)
    (one,) = driver.desk.worked.parents.values()
    assert one.parent.shares == (0.25,) * 4, "nothing is usual then: even pieces"
    told = [json.loads(f.payload) for f in read(folder.log) if f.kind is FrameKind.FEED]
    assert any("curves" in content for content in told)
    driver.take(FrameKind.FEED, canonical_json({"curves": {"bybit_linear:BTCUSDT": [1, 3] * 720}}))
    assert driver.desk.worked._curves["bybit_linear:BTCUSDT"][1] == 3
    driver._log.close()
    assert replay(folder).is_same

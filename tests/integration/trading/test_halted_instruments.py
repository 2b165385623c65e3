"""C8: an instrument is delisted or halted while in a trade; nothing hangs, nothing is forgotten."""

import asyncio
import json
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from openalpha.core.errors import InputError
from openalpha.store.run_log import FrameKind, canonical_json, read
from openalpha.trading.analysis.replay import replay
from openalpha.trading.run.commands import Command
from openalpha.trading.venue.driver import VenueDriver
from openalpha.trading.venue.halts import Halts
from tests.fakes.live_runs import books
from tests.fakes.twin import admin
from tests.integration.trading.test_venue_runs import Place, held, placed

HOUR_MS, DAY_MS = 3_600_000, 86_400_000
BTC_ID = "bybit_linear:BTCUSDT"


@pytest.fixture
def place(home: Path) -> Iterator[Place]:
    with placed(home) as one:
        yield one


def until_held(driver: VenueDriver, place: Place) -> None:
    driver.start()
    while not held(place):
        driver.turns.step()


def told(driver: VenueDriver, status: str, delivery_ms: int = 0) -> None:
    """What the watch on instruments says."""
    content = {"what": "instrument", "id": BTC_ID, "status": status, "delivery_ms": delivery_ms}
    driver.take(FrameKind.HEALTH, canonical_json(content))
    driver.turns.settle()


def notes(driver: VenueDriver) -> list[dict]:
    frames = read(driver.folder.log, {FrameKind.NOTE, FrameKind.INTENT})
    return [json.loads(frame.payload) for frame in frames]


def test_what_is_to_be_delisted_is_closed_and_not_opened_again(place: Place, home: Path) -> None:
    folder = place.begun(40)
    with books(home) as ledger:
        driver = place.driver(folder, ledger)
        until_held(driver, place)
        told(driver, "Trading", driver.clock.now_ms() + DAY_MS // 2)
        rows = driver.desk.rows
        while driver.desk.rows == rows:
            driver.turns.step()
        assert held(place) == 0, "by the next close"
        asyncio.run(driver.lead())
        assert driver.reconciled is not None and driver.reconciled.is_equal
    assert held(place) == 0
    words = [note["words"] for note in notes(driver) if "incident" in note]
    assert len(words) == 1 and "is delisted at" in words[0]
    assert "instrument_halted" in [one.code for one in driver.desk.incidents]
    refused = {note["refused"] for note in notes(driver) if "refused" in note}
    assert "instrument_halted" in refused or driver.desk.books[0].fills == 2
    assert replay(folder).is_same


def test_a_delisting_that_the_exchange_announces_is_met_by_the_run_itself(
    place: Place, home: Path
) -> None:
    folder = place.begun(60 * 30)
    with books(home) as ledger:
        driver = place.driver(folder, ledger)
        until_held(driver, place)
        moment_ms = driver.clock.now_ms() + DAY_MS // 2
        admin(place.exchange, "/twin/instrument", symbol="BTCUSDT", delivery_ms=moment_ms)
        ends_ms = driver.clock.now_ms() + 2 * HOUR_MS
        while held(place) and driver.clock.now_ms() < ends_ms:
            driver.turns.step()
        assert held(place) == 0, "closed within the hour in which it is looked"
        assert "instrument_halted" in [one.code for one in driver.desk.incidents]
        driver.command(Command("STOP", "enough"))
        asyncio.run(driver.lead())
    assert replay(folder).is_same


def test_a_run_goes_on_although_its_instrument_is_not_traded_now(place: Place, home: Path) -> None:
    folder = place.begun(40)
    driver = place.driver(folder, None)
    until_held(driver, place)
    driver._log.close()  # killed
    admin(place.exchange, "/twin/instrument", symbol="BTCUSDT", status="Maintenance")
    with pytest.raises(InputError, match="not traded now: the venue says Maintenance"):
        place.driver(place.begun(40), None)
    again = place.driver(folder, None)
    again.start()
    again.turns.step()
    assert again.desk.halts.is_halted(BTC_ID)
    again._log.close()
    admin(place.exchange, "/twin/instrument", symbol="BTCUSDT", status="Trading")
    third = place.driver(folder, None)
    third.start()
    third.turns.step()
    assert not third.desk.halts.is_halted(BTC_ID), "what ended while it was away is heard, too"
    assert held(place)


def test_a_delisting_far_off_lets_the_position_be(place: Place, home: Path) -> None:
    folder = place.begun(40)
    with books(home) as ledger:
        driver = place.driver(folder, ledger)
        until_held(driver, place)
        before = held(place)
        told(driver, "Trading", driver.clock.now_ms() + 20 * DAY_MS)
        driver.turns.step()
        assert held(place) == before
        driver.command(Command("STOP", "enough"))
        asyncio.run(driver.lead())


def test_a_market_closed_at_the_exchange_settles_and_the_books_follow(
    place: Place, home: Path
) -> None:
    folder = place.begun(40)
    with books(home) as ledger:
        driver = place.driver(folder, ledger)
        until_held(driver, place)
        admin(place.exchange, "/twin/instrument", symbol="BTCUSDT", status="Closed")
        told(driver, "Closed")
        asyncio.run(driver.lead())
        assert driver.poster is not None
        assert driver.poster.cash() == {"USDT": place.client.balance()}
    assert held(place) == 0
    assert driver.desk.books[0].held[0].qty == Decimal(0)
    assert driver.desk.mode.value == "ended"
    assert replay(folder).is_same


@pytest.mark.parametrize(
    ("status", "delivery_ms", "is_halted", "must_close", "words"),
    [
        ("Trading", 0, False, False, "is traded again"),
        ("Trading", 3 * DAY_MS, True, False, "is delisted at"),
        ("Trading", DAY_MS, True, True, "closed a day before"),
        ("Closed", 0, True, False, "settled there"),
        ("Maintenance", 0, True, False, "until it is traded again"),
    ],
)
def test_what_each_status_means(
    status: str, delivery_ms: int, is_halted: bool, must_close: bool, words: str
) -> None:
    halts = Halts()
    halts.hear({"id": BTC_ID, "status": "PreLaunch", "delivery_ms": 0})
    content = {"id": BTC_ID, "status": status, "delivery_ms": delivery_ms}
    assert words in halts.hear(content)
    assert halts.is_halted(BTC_ID) is is_halted
    assert halts.must_close(BTC_ID, DAY_MS // 2) is must_close
    assert halts.hear(content) == "", "said once"
    again = Halts()
    again.restore(halts.state())
    assert again.state() == halts.state()

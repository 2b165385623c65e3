"""An environment is wiped: what runs is closed first, what was real is kept, books stay."""

import asyncio
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path

import pytest

from openalpha.cli.border import execute
from openalpha.core.clock import ManualClock
from openalpha.core.errors import InputError
from openalpha.core.messages import Environment
from openalpha.trading.safety.wiping import wipe
from tests.fakes.twin import START_MS
from tests.integration.trading.test_people_and_spot import LINEAR_ID, begun, opened, said
from tests.integration.trading.test_venue_runs import Place, held, placed


@pytest.fixture
def place(home: Path) -> Iterator[Place]:
    with placed(home) as one:
        yield one


@contextmanager
def led(place: Place) -> Iterator[str]:
    """A run that holds something, led in a thread until it is told to stop."""
    folder = begun(place, on=LINEAR_ID)
    driver = opened(place, folder, None)
    said(driver, "ORDER", instrument=LINEAR_ID, side="buy", qty="0.02")
    assert held(place) == Decimal("0.02")
    thread = threading.Thread(target=lambda: asyncio.run(driver.lead()))
    thread.start()
    try:
        while not folder.port.exists():
            threading.Event().wait(0.01)
        yield folder.id
    finally:
        thread.join(timeout=60)
    assert not thread.is_alive()


def test_what_runs_is_closed_and_put_away(
    place: Place, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with led(place):
        assert execute(["wipe", "--env", "twin", "--confirm", "wipe twin", "--json", "-"]) == 0
    done = json.loads(capsys.readouterr().out)["outcome"]
    assert held(place) == 0
    assert len(done["stopped"]) == done["runs"] == 1
    assert not (home / "runs" / "twin").exists()
    assert list((Path(done["archive"])).glob("*/log"))


def test_positions_of_a_run_are_closed_by_hand(
    place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    with led(place) as run:
        assert execute(["order", "close", "--confirm", "close", "--json", "-"]) == 0
        closing = json.loads(capsys.readouterr().out)["closing"]
        assert closing == [["manual", LINEAR_ID, "0.02"]]
        assert execute(["runs", "stop", run, "--reason", "enough"]) == 0
    assert held(place) == 0


def test_a_run_left_holding_something_is_not_wiped(place: Place, home: Path) -> None:
    folder = begun(place, on=LINEAR_ID)
    driver = opened(place, folder, None)
    said(driver, "ORDER", instrument=LINEAR_ID, side="buy", qty="0.02")
    driver.say(is_led=False)
    driver._log.close()
    with pytest.raises(InputError, match=r"was left holding 0\.020 bybit_linear:BTCUSDT"):
        wipe(
            home,
            Environment.TWIN,
            erase=True,
            clock=ManualClock(START_MS),
            sleep=lambda seconds: None,
        )
    assert folder.log.is_dir()


def test_live_is_never_erased(home: Path) -> None:
    (home / "runs" / "live" / "a-run" / "log").mkdir(parents=True)
    assert execute(["wipe", "--env", "live", "--erase", "--confirm", "wipe live"]) == 1
    assert (home / "runs" / "live" / "a-run" / "log").is_dir()
    assert execute(["wipe", "--env", "backtest", "--confirm", "wipe backtest"]) == 1

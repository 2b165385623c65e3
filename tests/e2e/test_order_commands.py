"""A person trades spot by hand: two purchases, a sale by named parcels, and the report of it."""

import asyncio
import getpass
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from openalpha.cli.border import execute
from openalpha.core.clock import ManualClock
from openalpha.trading.run.commands import Command, CommandPort
from openalpha.trading.run.folder import RunFolder
from tests.fakes.live_runs import books
from tests.fakes.twin import START_MS
from tests.integration.trading.test_people_and_spot import SPOT_ID, begun, both_markets, opened
from tests.integration.trading.test_venue_runs import Place


@pytest.fixture
def place(home: Path) -> Iterator[Place]:
    with both_markets(home) as one:
        yield one


@contextmanager
def led(place: Place, folder: RunFolder) -> Iterator[None]:
    """Lead a run in a thread of its own: a few turns of the twin's clock after each command."""
    is_open, is_over = threading.Event(), threading.Event()

    async def lead() -> None:
        with books(place.home, clock=ManualClock(START_MS)) as ledger:
            driver = opened(place, folder, ledger)

            def take(command: Command) -> Any:
                answer = driver.command(command)
                for _ in range(3 if command.verb != "STATUS" else 0):
                    driver.turns.step()
                return answer

            port = CommandPort(folder.port, take, heard=folder.note_command)
            await port.open()
            is_open.set()
            while not is_over.is_set():
                await asyncio.sleep(0.01)
            await port.close()
            driver._log.close()

    thread = threading.Thread(target=lambda: asyncio.run(lead()))
    thread.start()
    try:
        assert is_open.wait(60)
        yield
    finally:
        is_over.set()
        thread.join(timeout=60)


def typed(capsys: Any, *words: str) -> Any:
    code = execute([*words, "--json", "-"])
    said = capsys.readouterr()
    assert code == 0, said.err
    return json.loads(said.out)


def test_bought_twice_sold_by_parcels_and_reported(
    place: Place, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    folder = begun(place)
    with led(place, folder):
        for qty in ("0.02", "0.03"):
            done = typed(capsys, "order", "buy", SPOT_ID, qty, "--confirm", "buy")
            assert done["links"][0].startswith("manual-")
        with books(place.home, clock=ManualClock(START_MS)) as ledger:
            (dear,) = parcels_of(ledger, least="0.025")
        sale = ["order", "sell", SPOT_ID, "0.025", "--confirm", "sell"]
        assert execute([*sale, "--lots", "nothing"]) == 1
        assert "fits 0 parcels" in capsys.readouterr().err
        typed(capsys, *sale, "--lots", f"{dear[:10]}")
        assert execute(["order", "sell", SPOT_ID, "1", "--confirm", "sell"]) == 1
        assert "insufficient_balance" in capsys.readouterr().err
        assert execute(["order", "buy", SPOT_ID, "0.02", "--confirm", "yes"]) == 1
        capsys.readouterr()
    report = typed(capsys, "tax", "report", "--year", "2023-24", "--environment", "twin", "--draft")
    (used,) = [row for row in report["disposals"] if row["qty"] == "0.025"]
    assert used["parcel"] == dear, "the dearer parcel, not the first one"
    assert (used["method"], used["chosen_by"]) == ("specific", getpass.getuser())


def parcels_of(ledger: Any, *, least: str) -> list[str]:
    from decimal import Decimal

    from openalpha.books.tax import Policy, assess
    from openalpha.books.whole import history_of
    from openalpha.core.messages import Environment

    found = assess(history_of(ledger, "me", environment=Environment.TWIN).events, Policy())
    return [p.id for p in found.parcels if p.asset == "BTC" and p.left > Decimal(least)]

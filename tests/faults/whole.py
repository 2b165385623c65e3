"""The product's own loop ended at each step of a story: worked, by hand, on spot, netted.

What `World` leaves out is here: the desk, the gate, sub-books, people's commands, the ledger. The
exchange is in memory and in lock-step, log and ledger are on the machine's disk. A process that
ends leaves what it had written; what it had only queued is lost.
"""

import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any
from unittest.mock import patch

from sqlalchemy import event

from openalpha.books.ledger import Ledger
from openalpha.core.clock import MINUTE_MS
from openalpha.core.errors import VenueUnavailable
from openalpha.core.messages import Environment
from openalpha.engine.signals import EngineSettings
from openalpha.market.catalogue import instrument_for
from openalpha.net import Request, Response
from openalpha.store import run_log
from openalpha.store.disk import AppendFile, RealDisk
from openalpha.store.exchange_key import ExchangeKey
from openalpha.store.run_log import FrameKind, read
from openalpha.trading.feeds.venue_market import LockstepClock
from openalpha.trading.paper.desk import Mode
from openalpha.trading.run.commands import Command
from openalpha.trading.run.folder import RunFolder
from openalpha.trading.venue.driver import VenueDriver
from openalpha.trading.venue.starting import (
    VenueAccess,
    VenueTerms,
    begin_venue_run,
    venue_driver,
)
from openalpha.venue.bybit.channel import Channel
from openalpha.venue.twin import Exchange
from tests.fakes.bybit import URL, account, answer_of
from tests.fakes.live_runs import books
from tests.fakes.twin import BTC, BTC_SPOT, admin, new_exchange, wait
from tests.fakes.twin import LINEAR as LINEAR_MARKET
from tests.fakes.twin import SPOT as SPOT_MARKET
from tests.faults.network import Crash, Steps
from tests.faults.outcome import Account, judged
from tests.faults.whole_stories import SPOT, STORIES, Story

__all__ = ["WholeReport", "crash_all", "crash_in", "steps_of"]

_MOST_TURNS = 400
_COINS = Decimal("0.5")
"""Held on spot before the run: what is sold beyond the run's own shows."""


@dataclass
class WholeReport:
    """What came of one story, ended at some of its steps."""

    name: str
    points: int = 0
    bad: int = 0
    faults: list[str] = field(default_factory=list)


class _Way:
    """The way to the exchange; a request's way out and its way back are steps."""

    def __init__(
        self, exchange: Exchange, steps: Steps, gap: tuple[str, str, int] | None = None
    ) -> None:
        self._exchange, self._answer, self.steps = exchange, answer_of(exchange), steps
        self._gap, self._seen = gap, 0

    def send(self, request: Request) -> Response:
        """See `Transport`."""
        name = request.url.removeprefix(URL).partition("?")[0]
        self.steps(f"sending {name}")
        if self._gap is not None and name == self._gap[1]:
            self._seen += 1
            if self._seen == self._gap[2]:
                for market in (LINEAR_MARKET, SPOT_MARKET):
                    admin(self._exchange, "/twin/market", **market, event="gap", size=self._gap[0])
                wait(self._exchange, 30_000)
        response = self._answer(request)
        self.steps(f"processed {name}")
        return response


class _File:
    """A file of the machine whose writes and syncs are steps."""

    def __init__(self, file: AppendFile, steps: Steps) -> None:
        self._file, self._steps = file, steps
        self.truncate, self.close = file.truncate, file.close

    def write(self, content: bytes) -> None:
        """A step, then the write."""
        self._steps("write")
        self._file.write(content)

    def sync(self) -> None:
        """A step on either side of the sync."""
        self._steps("sync")
        self._file.sync()
        self._steps("synced")


class _Disk(RealDisk):
    """The machine's disk, its appended files stepped."""

    def __init__(self, steps: Steps) -> None:
        self._steps = steps

    def appender(self, path: Path, *, at: int) -> AppendFile:
        """See `Disk`."""
        return _File(super().appender(path, at=at), self._steps)


class _Place:
    """One home, its exchange, and the lives of the process that leads a run there."""

    def __init__(self, home: Path, story: Story, at: int) -> None:
        self.home, self.story = home, story
        self.steps, self.answered = Steps(), set[str]()
        self.exchange = new_exchange(BTC, BTC_SPOT, step_ms=10_000)
        wait(self.exchange, story.ahead_ms)
        given = {"balances": {"USDT": "50000", **({"BTC": str(_COINS)} if self.is_spot else {})}}
        made = account(self.exchange, **given)
        self.key = ExchangeKey(made.api_key, made.secret, URL)
        self.way = _Way(self.exchange, self.steps, story.gap)
        self.folder = begin_venue_run(
            home,
            story.asked,
            instruments=[instrument_for(story.instrument)],
            terms=VenueTerms(
                Environment.TWIN,
                MINUTE_MS,
                Decimal(40_000),
                story.minutes * MINUTE_MS,
                handling=story.handling,
            ),
            settings=EngineSettings(),
            clock=LockstepClock(self.way, URL),
        )
        # What was asked before the run began is none of its steps.
        self.steps.count, self.steps.at = 0, at
        self.steps.names.clear()

    @property
    def is_spot(self) -> bool:
        """Whether the story is one of spot."""
        return self.story.instrument == SPOT

    def live(self) -> bool:
        """One life of the process; False where it was ended before the run was over."""
        driver = None
        try:
            with self._ledger() as ledger, patch.object(run_log, "RealDisk", self._disk):
                driver = self._driver(ledger)
                driver.start()
                self._lead(driver)
        except Crash:
            return False
        finally:
            if driver is not None and driver._log is not None:
                driver._log.close()
        return True

    def faults(self) -> list[str]:
        """What is wrong at the end."""
        channel = Channel(answering(self.exchange), self.key, clock=self.exchange.clock)
        category = self.story.instrument.partition(":")[0].removeprefix("bybit_")
        lost = self.answered - _reasons(self.folder)
        found = [f"{reason} was answered and is lost" for reason in sorted(lost)]
        with books(self.home) as ledger:
            before = {SPOT: _COINS} if self.is_spot else {}
            there = Account(channel, category, before=before)
            return [*found, *judged(there, self.folder, ledger)]

    def _lead(self, driver: VenueDriver) -> None:
        for _ in range(_MOST_TURNS):
            if driver.desk.mode is Mode.ENDED:
                driver.say(is_led=False)
                return
            self._say(driver)
            driver.turns.step()
        raise AssertionError("the run goes on for ever")

    def _say(self, driver: VenueDriver) -> None:
        """Say what is due; what was answered, or is on the log, was heard and is not said again."""
        known = self.answered | _reasons(self.folder)
        for number, (row, verb, act) in enumerate(self.story.acts):
            reason = f"act {number}"
            if driver.desk.rows >= row and reason not in known:
                driver.command(Command(verb, reason, wish={"by": "ann", **act(driver)}))
                self.answered.add(reason)
                driver.turns.settle()

    def _disk(self) -> _Disk:
        return _Disk(self.steps)

    @contextmanager
    def _ledger(self) -> Iterator[Ledger]:
        with books(self.home) as ledger:
            event.listen(ledger.database.engine, "commit", lambda one: self.steps("commit"))
            yield ledger

    def _driver(self, ledger: Ledger) -> VenueDriver:
        return venue_driver(
            self.folder,
            self.home,
            access=VenueAccess(self.way, self.key, LockstepClock(self.way, URL)),
            ledger=ledger,
            entity="me",
            hear=lambda words: None,
        )


def answering(exchange: Exchange) -> Any:
    """A network to an exchange without steps."""
    return _Way(exchange, Steps())


def _reasons(folder: RunFolder) -> set[str]:
    if not folder.log.is_dir():
        return set()
    frames = read(folder.log, {FrameKind.COMMAND})
    return {str(json.loads(frame.payload)["reason"]) for frame in frames}


def steps_of(story: Story, home: Path) -> list[str]:
    """Return the names of a story's steps, nobody dying; it must be without a fault itself."""
    place = _Place(home, story, -1)
    assert place.live()
    found = place.faults()
    assert found == [], found
    frames = read(place.folder.log)
    assert any(story.shows in frame.payload for frame in frames), f"{story.shows!r} is not told"
    return place.steps.names


def crash_all(name: str, *, every: int = 1, first: int = 1) -> WholeReport:
    """End the process at each step of a story, or at every n-th, each in a home of its own."""
    story, report = STORIES[name], WholeReport(name)
    with tempfile.TemporaryDirectory(prefix="openalpha-whole-") as folder:
        count = len(steps_of(story, Path(folder) / "alive"))
        for at in range(first, count + 1, every):
            found = crash_in(story, Path(folder) / str(at), at=at)
            report.points += 1
            report.bad += bool(found)
            report.faults += [f"{name}: {fault}" for fault in found]
    return report


def crash_in(story: Story, home: Path, *, at: int) -> list[str]:
    """End the process at one step of a story, start it again, and say what is wrong at the end."""
    place = _Place(home, story, at)
    lives = 1
    try:
        while not place.live():
            lives += 1
        name = place.steps.names[at - 1]
        found = place.faults()
    except (AssertionError, VenueUnavailable) as error:
        name, found = "?", [f"{type(error).__name__}: {error}"]
    if lives != 2:
        found.append(f"{lives} lives, 2 expected")
    return [f"step {at} ({name}): {fault}" for fault in found]

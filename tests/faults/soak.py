"""Days on end on the virtual clock, with faults: does anything grow, and does anything stay open?

The loop of the product on its own log and ledger on the machine's disk, an exchange behind a pipe,
and no wall clock between them. Each day some faults strike. On the first days the trader dies each
night and a new one starts, in the same process; then one lives on, and memory is looked at: what
grows in one life is what counts, a process that ends takes its memory along. It dies once more when
all the days are behind it.
"""

import asyncio
import ctypes
import gc
import multiprocessing
import os
import random
import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from statistics import linear_regression, mean
from typing import Any

from openalpha.books.ledger import Ledger
from openalpha.books.opening import open_ledger
from openalpha.books.settings import BooksSettings
from openalpha.core.clock import DAY_MS, MINUTE_MS, SystemClock
from openalpha.core.errors import OpenAlphaError, VenueUnavailable
from openalpha.core.messages import Environment
from openalpha.engine.signals import EngineSettings
from openalpha.market.catalogue import instrument_for
from openalpha.net import Request, Response
from openalpha.risk.settings import BreakerSettings
from openalpha.store.exchange_key import ExchangeKey
from openalpha.trading.analysis.replay import replay
from openalpha.trading.feeds.venue_market import LockstepClock
from openalpha.trading.paper.desk import Mode
from openalpha.trading.paper.starting import Asked
from openalpha.trading.venue.driver import VenueDriver
from openalpha.trading.venue.starting import (
    VenueAccess,
    VenueTerms,
    begin_venue_run,
    venue_driver,
)
from openalpha.venue.twin import ListingSpec
from tests.fakes.bybit import URL, account, answer_of
from tests.fakes.twin import new_exchange

__all__ = ["Day", "SoakReport", "soak"]

STRATEGIES = ("ma_cross", "rsi_reversion", "momentum")
PRICES = {"BTCUSDT": 60_000, "ETHUSDT": 3_000, "SOLUSDT": 150}
FRAME_MS = 15 * MINUTE_MS
_WARM_DAYS = 5
"""Before memory is looked at: what is loaded once is loaded, caches fill, the trader dies."""
_FAULTS = ("drop_before", "drop_after", "duplicate", "truncate", "http_500", "busy_after")
_MOST_STARTS = 20


@dataclass(frozen=True)
class Day:
    """How things stood at the end of a day: memory, the disk, files open, orders kept in mind."""

    memory_mb: float
    log_bytes: int
    ledger_bytes: int
    files: int
    handles: int
    orders: int


@dataclass
class SoakReport:
    """What came of it."""

    days: list[Day] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    deaths: int = 0
    struck: int = 0
    executions: int = 0

    @property
    def memory_growth(self) -> float:
        """Growth of memory over the days after the first few, by a straight line, as a share."""
        return growth([day.memory_mb for day in self.days[_WARM_DAYS:]])

    def pace(self, of: Callable[[Day], int]) -> float:
        """How many times as fast something grows in the second half as in the first.

        What a policy allows to grow (logs, the ledger) grows with what happens, day by day alike.
        """
        sizes = [of(day) for day in self.days]
        middle = len(sizes) // 2
        first = (sizes[middle] - sizes[0]) / max(middle, 1)
        second = (sizes[-1] - sizes[middle]) / max(len(sizes) - 1 - middle, 1)
        return second / first if first else float(second > 0)

    def verdict(self) -> list[str]:
        """Everything that is wrong, in words."""
        found = list(self.faults)
        if self.memory_growth >= 0.01:
            found.append(f"memory grows by {self.memory_growth:.1%}")
        for what, of in GROWN.items():
            if len(self.days) > _WARM_DAYS and self.pace(of) > 1.5:
                found.append(f"{what} grows {self.pace(of):.1f} times as fast later on")
        if self.days[-1].handles > self.days[0].handles:
            found.append(f"{self.days[-1].handles} files are open, {self.days[0].handles} at first")
        return found


def growth(values: Sequence[float]) -> float:
    """Return how much a straight line through values rises from end to end, beside their mean."""
    if len(values) < 3:
        return 0.0
    line = linear_regression(range(len(values)), values)
    return line.slope * (len(values) - 1) / mean(values)


GROWN: dict[str, Callable[[Day], int]] = {
    "the log": lambda day: day.log_bytes,
    "the ledger": lambda day: day.ledger_bytes,
    "the number of files": lambda day: day.files,
}
"""What may grow, and how large it is."""


class _Exchange:
    """The exchange, in a process of its own so that its records are not the trader's memory.

    It is asked through a pipe, one question after the other; see `openalpha.net.Transport`.
    """

    def __init__(self, seed: int) -> None:
        spawn = multiprocessing.get_context("spawn")
        self._pipe, other = spawn.Pipe()
        self._process = spawn.Process(target=_serve, args=(other, seed), daemon=True)
        self._process.start()

    def send(self, request: Request) -> Response:
        found = self._ask("send", request)
        if isinstance(found, VenueUnavailable):
            raise found
        assert isinstance(found, Response)
        return found

    def account(self) -> ExchangeKey:
        """Open an account."""
        return ExchangeKey(*self._ask("account", None), URL)

    def strike(self, rules: list[dict[str, Any]]) -> None:
        """Let these faults loose and no others."""
        self._ask("strike", rules)

    def close(self) -> None:
        """End its process."""
        self._process.kill()
        self._process.join()

    def _ask(self, what: str, content: Any) -> Any:
        self._pipe.send((what, content))
        return self._pipe.recv()


def _serve(pipe: Any, seed: int) -> None:
    """Answer what comes through a pipe; ends with the process that asks."""
    listings = [ListingSpec("linear", name, Decimal(price)) for name, price in PRICES.items()]
    exchange = new_exchange(*listings, step_ms=MINUTE_MS, seed=seed)
    exchange.faults.reseed(seed)
    answer = answer_of(exchange)
    while True:
        what, content = pipe.recv()
        found: Any = None
        if what == "send":
            try:
                found = answer(content)
            except VenueUnavailable as error:
                found = error
        elif what == "account":
            made = account(exchange)
            found = (made.api_key, made.secret)
        else:
            exchange.faults.clear()
            for rule in content:
                exchange.faults.add(rule)
        pipe.send(found)


class _Run:
    """One run and the process that leads it, which may die and start again."""

    def __init__(self, home: Path, exchange: _Exchange, days: int) -> None:
        self.home, self.exchange = home, exchange
        self.key = exchange.account()
        self.folder = begin_venue_run(
            home,
            [Asked(name) for name in STRATEGIES],
            instruments=[instrument_for(f"bybit_linear:{name}") for name in PRICES],
            terms=VenueTerms(
                Environment.TWIN,
                FRAME_MS,
                Decimal(40_000),
                days * DAY_MS,
                # Losing round trips in a row would pause it; it is to trade on.
                breakers=BreakerSettings(loss_streak=0),
            ),
            settings=EngineSettings(),
            clock=LockstepClock(self.exchange, URL),
        )
        self.driver: VenueDriver | None = None

    def start(self, ledger: Ledger) -> VenueDriver:
        """Start the process, again and again where the exchange does not answer."""
        for _ in range(_MOST_STARTS):
            try:
                driver = venue_driver(
                    self.folder,
                    self.home,
                    access=VenueAccess(self.exchange, self.key, LockstepClock(self.exchange, URL)),
                    ledger=ledger,
                    entity="me",
                    hear=lambda words: None,
                )
                driver.start()
            except OpenAlphaError:
                self.exchange.strike([])
                continue
            self.driver = driver
            return driver
        raise AssertionError(f"the trader did not start in {_MOST_STARTS} tries")

    def die_and_start(self, ledger: Ledger) -> int:
        """End the process and start another; returns how many ended."""
        self.die()
        self.start(ledger)
        return 1

    def die(self) -> None:
        """End the process: nothing is said, nothing is written down."""
        if self.driver is not None and self.driver._log is not None:
            self.driver._log.close()
        self.driver = None


def soak(home: Path, *, seed: int, days: int) -> SoakReport:
    """Run some days and say what grew.

    Parameters
    ----------
    home : Path
        Of its own.
    seed : int
        Of the market, the faults and the deaths.
    days : int
    """
    # Compiled elsewhere: what the compiler takes is memory too, and would hide what grows.
    subprocess.run(
        [sys.executable, "-m", "openalpha", "kernel", "warm"], check=True, stdout=subprocess.DEVNULL
    )
    draw, report = random.Random(seed), SoakReport()
    (home / "books").mkdir(parents=True, exist_ok=True)
    ledger = open_ledger(home, BooksSettings(), clock=SystemClock())
    ledger.database.keep_little()  # as a run does
    with closing(_Exchange(seed)) as exchange, closing(ledger.database):
        run = _Run(home, exchange, days)
        began_ms = run.start(ledger).clock.now_ms()
        for number in range(1, days + 1):
            report.struck += _strike(exchange, draw)
            if 1 < number <= _WARM_DAYS:
                report.deaths += run.die_and_start(ledger)
            _lead_until(run, ledger, began_ms + number * DAY_MS, report)
            report.days.append(_day(run))
        exchange.strike([])
        # Once more, with all of its days behind it.
        report.deaths += run.die_and_start(ledger)
        _lead_until(run, ledger, 1 << 62, report)
    report.executions = sum(book.fills for book in _driver(run).desk.books)
    report.faults += _judged(run)
    return report


def _strike(exchange: _Exchange, draw: random.Random) -> int:
    """Let some faults loose on what the trader asks; what is left of the day before is over."""
    kinds = draw.sample(_FAULTS, k=draw.randint(1, 3))
    exchange.strike(
        [
            {
                "kind": kind,
                "match": draw.choice(("/v5/order", "/v5/", "")),
                "count": 5,
                "probability": draw.choice((0.05, 0.3)),
            }
            for kind in kinds
        ]
    )
    return len(kinds)


def _lead_until(run: _Run, ledger: Ledger, until_ms: int, report: SoakReport) -> None:
    """Lead the run to a moment, or to its end; a process that gives up is started again."""
    while True:
        driver = _driver(run)
        try:
            asyncio.run(_turns(driver, until_ms))
        except OpenAlphaError:
            report.deaths += run.die_and_start(ledger)
            continue
        return


async def _turns(driver: VenueDriver, until_ms: int) -> None:
    while driver.desk.mode is not Mode.ENDED and driver.clock.now_ms() < until_ms:
        await driver.turns.turn()


def _driver(run: _Run) -> VenueDriver:
    assert run.driver is not None
    return run.driver


def _judged(run: _Run) -> list[str]:
    """What is wrong at the end, in words."""
    driver, faults = _driver(run), []
    found = driver.reconciled
    if found is None:
        return [f"the run did not end: it is {driver.desk.mode}"]
    driver.say(is_led=False)
    faults += [*found.cash, *found.positions]
    faults += [f"incident {one.code}: {one.words}" for one in driver.desk.incidents]
    run.die()
    if not replay(run.folder).is_same:
        faults.append("the log's inputs do not lead to its outputs")
    return faults


def _day(run: _Run) -> Day:
    gc.collect()
    # What was freed and is kept for reuse is no growth; where it lies between what is in use, it
    # stays and counts.
    ctypes.CDLL(None).malloc_trim(0)
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return Day(
        memory_mb=pages * os.sysconf("SC_PAGE_SIZE") / 1e6,
        log_bytes=_size(run.folder.log, "*.log"),
        ledger_bytes=_size(run.home / "books", "*.sqlite"),
        files=sum(path.is_file() for path in run.home.rglob("*")),
        handles=len(list(Path("/proc/self/fd").iterdir())),
        orders=len(_driver(run).desk.side.record.orders),
    )


def _size(folder: Path, names: str) -> int:
    return sum(path.stat().st_size for path in folder.glob(names) if path.is_file())

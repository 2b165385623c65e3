"""Paper runs on given histories, led in this process, with books of their own."""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np

from openalpha.books.accounts import Book
from openalpha.books.ledger import Ledger
from openalpha.books.opening import open_ledger
from openalpha.books.settings import BooksSettings
from openalpha.core.clock import Clock, ManualClock
from openalpha.core.messages import Environment
from openalpha.engine.signals import EngineSettings
from openalpha.market.history import History
from openalpha.store.run_log import FrameKind, read
from openalpha.trading.feeds.feed import LakeFeed
from openalpha.trading.paper.desk import Desk
from openalpha.trading.paper.driver import Driver
from openalpha.trading.paper.posting import Poster
from openalpha.trading.paper.starting import Asked, begin_paper_run
from openalpha.trading.run.folder import RunFolder
from openalpha.trading.run.settings import Handling

CREATED_MS = 1_800_000_000_000
BOOK = Book(Environment.PAPER, "me")


@dataclass
class Written:
    """What the notes of a run's log say, for one sub-book."""

    fills: np.ndarray
    effects: np.ndarray
    ended: np.ndarray
    equity: list[float]


@contextmanager
def books(home: Path, *, clock: Clock | None = None) -> Any:
    """The ledger of a home."""
    (home / "books").mkdir(parents=True, exist_ok=True)
    ledger = open_ledger(home, BooksSettings(), clock=clock or ManualClock(CREATED_MS))
    try:
        yield ledger
    finally:
        ledger.database.close()


def begun(
    home: Path,
    asked: Sequence[Asked],
    histories: Mapping[str, History],
    *,
    settings: EngineSettings | None = None,
    capital: Decimal = Decimal(10_000),
    handling: Handling | None = None,
) -> RunFolder:
    """A new run, its folder made."""
    return begin_paper_run(
        home,
        asked,
        histories=histories,
        capital=capital,
        settings=settings or EngineSettings(),
        clock=ManualClock(CREATED_MS),
        handling=handling,
    )


def driver_for(
    folder: RunFolder, histories: Sequence[History], ledger: Ledger, **given: Any
) -> Driver:
    """A driver for a run, not started."""
    desk = Desk(folder.plan())
    poster = Poster(ledger, BOOK, desk=desk, run_id=folder.id)
    feed = given.pop("feed", None) or LakeFeed(histories)
    return Driver(folder, desk, poster=poster, feed=feed, clock=ManualClock(CREATED_MS), **given)


def led_to_its_end(
    folder: RunFolder, histories: Sequence[History], ledger: Ledger, **given: Any
) -> Driver:
    """Lead a run until it ends."""

    async def lead() -> Driver:
        driver = driver_for(folder, histories, ledger, **given)
        driver.start()
        await driver.lead()
        return driver

    return asyncio.run(lead())


def noted(folder: RunFolder, book: int = 0) -> Written:
    """Read what a run's log says a sub-book did."""
    import json

    rows: dict[str, list[list[int]]] = {"fill": [], "effect": [], "ended": []}
    equity = []
    for frame in read(folder.log, {FrameKind.NOTE, FrameKind.DECISION}):
        content = json.loads(frame.payload)
        if content.get("book") != book:
            continue
        if frame.kind is FrameKind.DECISION:
            equity.append(content["equity"])
        for name, found in rows.items():
            if name in content:
                assert content["n"] == len(found), "rows are numbered without a hole"
                found.append(content[name])
    tables = [np.array(found, dtype=np.int64) for found in rows.values()]
    return Written(tables[0], tables[1], tables[2], equity)

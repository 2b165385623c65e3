"""Risk over a whole run at the twin: breakers close and lock, locks hold, memory stays."""

import asyncio
import json
import os
import signal
import threading
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from openalpha.cli.conventions import Screen
from openalpha.cli.run_venue import lead_at_venue
from openalpha.core.clock import parse_ms
from openalpha.core.errors import StorageError, VenueUnavailable
from openalpha.risk.limits import Limits
from openalpha.risk.memory import RiskMemory
from openalpha.risk.view import Stage
from openalpha.settings import load_settings
from openalpha.store.audit import AuditTrail
from openalpha.store.exchange_key import ExchangeKey
from openalpha.store.keys import Vault
from openalpha.store.run_log import FrameKind, RunLog, read
from openalpha.trading.analysis.journal import journal_of
from openalpha.trading.analysis.replay import replay
from openalpha.trading.orders.side import RequestKind
from openalpha.trading.safety.emergency_lock import Lock, lock, locked
from openalpha.trading.safety.emergency_post import SafetyPost
from openalpha.trading.safety.emergency_watch import STOP_SIGNAL
from openalpha.trading.venue.driver import VenueDriver
from openalpha.trading.venue.risk import VenueRisk
from openalpha.trading.venue.turns import LockstepTurns
from tests.integration.trading.test_venue_runs import Place, held, placed


def led(
    place: Place,
    home: Path,
    *,
    limits: Limits | None = None,
    judged_by: Limits | None = None,
    lock_at: int = 0,
) -> VenueDriver:
    """Lead a run of half an hour with a post beside it; after some rows it may be locked."""
    driver: Any = place.driver(place.begun(30), None)
    if judged_by is not None:
        driver.desk.risk.gate.limits = judged_by
    steady = iter(range(0, 10**9, 1_000))
    driver.post = SafetyPost(home, "twin", lambda who: None, steady_ms=lambda: next(steady))
    if limits is not None:
        driver.desk.risk = VenueRisk(driver.desk.plan, driver.desk.books, limits=limits)
    driver.start()
    step = driver.turns.step

    def stepped() -> None:
        if lock_at and driver.desk.rows == lock_at:
            lock(home, "twin", why=Lock("a bad day", "ann", 0))
        step()

    driver.turns.step = stepped
    asyncio.run(driver.lead())
    made: VenueDriver = driver
    return made


@pytest.fixture
def place(home: Path) -> Any:
    with placed(home) as one:
        yield one


def test_a_breaker_closes_everything_locks_and_is_remembered(place: Place, home: Path) -> None:
    driver = led(place, home, limits=Limits(max_drawdown=Decimal("0.0001")))
    assert "drawdown" in driver.desk.why
    assert held(place) == 0 and driver.desk.is_flat()
    found = locked(home, "twin")
    assert found is not None and "drawdown" in found.words
    assert RiskMemory(home, "twin").is_held()
    # The next run stands where this one ended: it closes at once what it does not hold.
    (home / "safety" / "twin" / "lock.json").unlink()
    again = led(place, home)
    assert again.desk.risk.ladder.standing.stage is Stage.FLATTEN
    assert sum(book.fills for book in again.desk.books) == 0


def test_a_restart_that_was_not_armed_orders_nothing_until_a_person_says_so(
    place: Place, home: Path
) -> None:
    folder = place.begun(30)
    driver: Any = place.driver(folder, None)
    driver.start()
    while not held(place):
        driver.turns.step()
    driver._log.close()
    again: Any = place.driver(folder, None)
    again.halts_restarts = True
    assert again.start()
    assert again.desk.risk.ladder.standing.stage is Stage.HALTED
    fills = again.desk.books[0].fills
    asyncio.run(again.lead())
    assert again.desk.books[0].fills <= fills + 1, "its stop at most"
    assert replay(folder).is_same


def test_a_lock_that_comes_while_it_runs_stops_every_order(place: Place, home: Path) -> None:
    driver = led(place, home, lock_at=8)
    assert driver.desk.risk.ladder.standing.stage is Stage.HALTED
    rows = driver.desk.rows
    assert rows >= 30, "the run goes on, without orders"
    frames = list(read(driver.folder.log))
    (since,) = [
        frame.seq
        for frame in frames
        if frame.kind is FrameKind.HEALTH and b"a bad day" in frame.payload
    ]
    intents = [
        json.loads(frame.payload)
        for frame in frames
        if frame.kind is FrameKind.INTENT and frame.seq > since
    ]
    assert "locked" in {intent.get("refused") for intent in intents}
    sent = [intent["order"] for intent in intents if "order" in intent]
    assert all(order["reduce_only"] and "trigger" in order for order in sent), "stops at most"
    assert replay(driver.folder).is_same


def test_a_leading_that_fails_leaves_nothing_open_and_is_missed(place: Place, home: Path) -> None:
    """One process leads a run again and again: each try gives its heart and its watch back."""
    folder = place.begun(5)
    Vault(home, environ={}, source="file").put(
        "twin", ExchangeKey(place.key.api_key, place.key.secret, "http://127.0.0.1:9")
    )
    loaded = load_settings(environ=os.environ)
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    try:
        for _ in range(2):
            with pytest.raises(VenueUnavailable):
                lead_at_venue(Screen(is_quiet=True), loaded, folder)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        signal.signal(STOP_SIGNAL, signal.SIG_DFL)
    assert [path for path in open_files() if path.startswith(str(home))] == []
    assert [one.name for one in threading.enumerate() if one.name == "emergency"] == []


@pytest.mark.parametrize(
    ("trouble", "words"),
    [(StorageError("the disk is full"), "the disk is full"), (KeyError("x"), "a fault, KeyError")],
)
def test_a_run_that_dies_by_itself_is_told(
    place: Place, home: Path, monkeypatch: pytest.MonkeyPatch, trouble: Exception, words: str
) -> None:
    """Nobody sits before it: without an address an alert is an act of the audit trail."""
    folder, step = place.begun(30), LockstepTurns.step
    Vault(home, environ={}, source="file").put("twin", place.key)

    def dying(self: LockstepTurns) -> None:
        if self._driver.desk.rows >= 3:
            raise trouble
        step(self)

    monkeypatch.setattr(LockstepTurns, "step", dying)
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    try:
        with pytest.raises(type(trouble)):
            lead_at_venue(Screen(is_quiet=True), load_settings(environ=os.environ), folder)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        signal.signal(STOP_SIGNAL, signal.SIG_DFL)
    alerts = [act.details["words"] for act in AuditTrail(home).acts() if act.name == "alert"]
    assert alerts[-1] == f"a run is led no more: {folder.id}: {words}"


def open_files() -> list[str]:
    """What this process has open."""
    return [str(path.readlink()) for path in Path("/proc/self/fd").iterdir() if path.is_symlink()]


def test_what_was_decided_before_a_stop_and_not_sent_stays_here(
    place: Place, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk hangs between decision and sending, and somebody stops everything meanwhile."""
    driver: Any = place.driver(place.begun(30), None)
    driver.post = SafetyPost(home, "twin", lambda who: None)
    sync = RunLog.sync

    def hanging(self: RunLog) -> None:
        sync(self)
        if any(one.kind is RequestKind.PLACE for one in driver._waiting):
            lock(home, "twin", why=Lock("a bad day", "ann", 0))

    monkeypatch.setattr(RunLog, "sync", hanging)
    driver.start()
    asyncio.run(driver.lead())
    driver.post.close()
    assert locked(home, "twin") is not None, "there was something to send"
    assert place.client.get("/v5/order/history", category="linear")["list"] == []
    assert driver.desk.is_flat() and driver.desk.incidents == []
    told = [row["in_words"] for row in journal_of(driver.folder).rows]
    assert any("it was not sent: a bad day" in words for words in told)
    monkeypatch.undo()
    assert replay(driver.folder).is_same


@pytest.mark.parametrize(
    ("most", "lock_at", "words"),
    [
        ("0.3", 8, "the gate refused it: a bad day (by ann"),
        ("0.01", 0, "the gate refused it: "),
    ],
)
def test_why_says_what_the_gate_made_of_a_decision(
    place: Place, home: Path, most: str, lock_at: int, words: str
) -> None:
    driver = led(place, home, judged_by=Limits(max_strategy=Decimal(most)), lock_at=lock_at)
    told = journal_of(driver.folder, limit=1_000)
    refused = [row for row in told.rows if row["in_words"].startswith(words)]
    assert lock_at or "limits.max_strategy" in refused[0]["in_words"]
    assert refused and all(row["book"] and row["instrument"] and row["wanted"] for row in refused)
    frames = [json.loads(frame.payload) for frame in read(driver.folder.log, {FrameKind.INTENT})]
    sent = {frame["of"] for frame in frames if "order" in frame}
    ordered = [row for row in told.rows if row["reason"] == "ordered"]
    assert bool(ordered) is bool(lock_at)
    assert {row["input"] for row in ordered} <= sent, "no order is told that was not made"
    halts = [row for row in told.rows if row["in_words"].startswith("risk is halted")]
    assert bool(halts) is bool(lock_at)
    (first, *_) = [row["time"] for row in refused]
    moment = journal_of(driver.folder, at_ms=parse_ms(first)).rows
    assert [row["in_words"] for row in moment if row["wanted"]] == [refused[0]["in_words"]]

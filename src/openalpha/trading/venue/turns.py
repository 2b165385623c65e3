"""How a run at a venue goes on turn by turn: in lock-step with a twin, or on the wall clock."""

import logging
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from openalpha.engine.rows import Row
from openalpha.store.frames import FrameKind
from openalpha.trading.paper.desk import Mode
from openalpha.trading.run.calm import Calm
from openalpha.trading.run.feed_rows import row_payload
from openalpha.trading.run.hands import Carrier, Hands
from openalpha.trading.run.inbox import Inbox
from openalpha.trading.run.vigil import Vigil
from openalpha.trading.venue.rehearsal import Rehearsal

if TYPE_CHECKING:
    from openalpha.trading.venue.driver import VenueDriver

_log = logging.getLogger(__name__)

__all__ = ["Feed", "LiveTurns", "LockstepTurns", "Market", "Pushes"]

_TICK_MS = 500
_LOOK_EVERY_MS = 3_600_000
"""In lock-step the instruments' standing is asked once an hour of the venue's time."""
_LONGEST_WAIT_MS = 500
"""A look at what changes beside the loop is due as often: made while waiting, not before a row."""
_MOST_TICKS = 240
_LAST_TICKS = 60
"""Time for wallet, positions and statement to be asked for once more before books are compared."""
_LONGEST_REHEARSAL_S = 0.04
_LATE = "the venue left something open for two minutes; it goes on being asked"


class Market(Protocol):
    """Where closed rows come from; on the wall clock it answers at once with what it has."""

    def closed(self, after_ms: int, now_ms: int) -> list[Row]:
        """Return the rows that opened after a stamp and have closed."""
        ...


class Feed(Protocol):
    """Closed rows as they happen, each told of in a thread of its own; see `LiveBars`."""

    woken: Callable[[], None]
    has_row: Callable[[], None] | None

    def take(self) -> list[tuple[FrameKind, bytes]]:
        """Return what came beside rows since, oldest first: kind and payload of inputs."""
        ...

    def watch(self, prepare: Callable[[], object], refresh: Callable[[], object]) -> Vigil:
        """Be awake around closes."""
        ...


class Pushes(Protocol):
    """What the venue tells by itself."""

    def take(self) -> list[tuple[FrameKind, bytes]]:
        """Return what came since, oldest first: kind and payload of inputs."""
        ...


class LockstepTurns:
    """Everything one after the other; time passes only while it is waited for.

    Parameters
    ----------
    driver : VenueDriver
    carrier : Carrier
    market : Market
    """

    def __init__(self, driver: "VenueDriver", carrier: Carrier, market: Market) -> None:
        self._driver, self._carrier, self._market = driver, carrier, market
        self._look_ms = 0

    def begin(self) -> None:
        """Get every answer that the start asks for."""
        self.settle()

    async def turn(self) -> None:
        """Take one step."""
        self.step()

    def step(self) -> None:
        """Lead the rows that have closed, else let time pass."""
        driver = self._driver
        driver.roll_now_and_then()
        driver.look()
        self._carry_out()
        if driver.desk.mode is Mode.CLOSING:
            self.settle()
        if driver.desk.mode is Mode.ENDED:
            return
        now_ms = driver.clock.now_ms()
        if driver.watch is not None and now_ms >= self._look_ms:
            self._look_ms = now_ms + _LOOK_EVERY_MS
            for payload in driver.watch():
                driver.take(FrameKind.HEALTH, payload)
        rows = self._market.closed(driver.known_ms, now_ms)
        if not rows:
            if driver.is_over(now_ms):
                self._end()
                return
            frame_ms = driver.desk.plan.timeframe_ms
            driver.clock.wait((now_ms // frame_ms + 1) * frame_ms - now_ms)
            driver.take(FrameKind.TIMER, b"{}")
            self._carry_out()
            return
        for row in rows:
            driver.take(FrameKind.FEED, row_payload(row))
            self.settle()
            driver.say_now_and_then()

    def settle(self) -> None:
        """Carry out what waits until nothing is under way but stops that stand."""
        driver = self._driver
        for _ in range(_MOST_TICKS):
            self._carry_out()
            if driver.desk.is_settled:
                return
            driver.clock.wait(_TICK_MS)
            driver.take(FrameKind.TIMER, b"{}")
        driver.hear(_LATE)

    def wake(self) -> None:
        """Do nothing: each turn looks at everything."""

    def attend(self, feed: Feed) -> None:
        """Do nothing: here nothing happens but while it is asked for."""

    @property
    def is_idle(self) -> bool:
        """Whether every request has its reply, as between any two turns."""
        return True

    def close(self) -> None:
        """Do nothing: nothing is under way between two turns."""

    def _end(self) -> None:
        driver = self._driver
        driver.begin_end()
        for tick in range(2 * _LAST_TICKS):
            if tick >= _LAST_TICKS and _agrees(driver):
                break
            driver.clock.wait(_TICK_MS)
            driver.take(FrameKind.TIMER, b"{}")
            self._carry_out()
        driver.end()

    def _carry_out(self) -> None:
        """Send what waits, after one sync that covers it and every input before it."""
        while requests := self._driver.requests():
            for request in requests:
                self._driver.take(FrameKind.REPLY, self._carrier.carry_out(request))


class LiveTurns:
    """On the wall clock; whatever the venue does or leaves undone, the loop goes on.

    Requests are carried out by `Hands`; their replies, what the venue pushes and closed bars are
    taken as they come.

    Parameters
    ----------
    driver : VenueDriver
    carrier : Carrier
        Safe among threads.
    market : Market

    """

    def __init__(self, driver: "VenueDriver", carrier: Carrier, market: Market) -> None:
        self._driver, self._market = driver, market
        self.inbox = Inbox()
        self._hands = Hands(
            carrier,
            lambda reply: self.inbox.put(FrameKind.REPLY, reply),
            failed=self.inbox.fail,
        )
        self._calm = Calm()
        self._feed: Feed | None = None
        self._vigil: Vigil | None = None
        self._has_led = self._is_leading = False
        self._rehearsal: Rehearsal | None = None
        self._rehearses = True
        self._ticked_ms = self._settled_ms = _steady_ms()
        self._last_ticks: int | None = None

    def begin(self) -> None:
        """Send what the start asks for; its answers come while the loop goes on."""
        self._calm.begin()
        self._is_leading = True
        self._send()

    async def turn(self) -> None:
        """Take in all there is, send what follows from it, then wait for news or a tick."""
        with self._driver.alone:
            self._step()
        if self._driver.desk.mode is Mode.ENDED:
            return
        if self._vigil is None or not self._vigil.is_on:
            self._calm.rest()
        left_ms = self._ticked_ms + self._period_ms - _steady_ms()
        await self.inbox.wait(min(max(left_ms, 0), _LONGEST_WAIT_MS) / 1000)

    def attend(self, feed: Feed) -> None:
        """Hear of its bars, and lead each in the thread that heard of it."""
        feed.woken, feed.has_row = self.wake, self.lead_at_once
        self._feed, self._vigil = feed, feed.watch(self.prepare, self.refresh)

    def lead_at_once(self) -> None:
        """Lead the rows that have closed in the caller's thread, or leave it to the busy loop.

        The thread that heard of a bar need not wake another up for it.
        """
        driver = self._driver
        if driver.alone.acquire(blocking=False):
            try:
                if self._is_leading and self._feed is not None:
                    for kind, payload in self._feed.take():
                        driver.take(kind, payload)
                    self._lead_rows()
            except BaseException as error:  # noqa: BLE001 - told to the loop, which raises it
                self.inbox.fail(error)
            finally:
                driver.alone.release()
        self.inbox.wake()

    def prepare(self) -> None:
        """Go through a decision without its effects: a bar closes in a moment."""
        driver, begun_s = self._driver, time.monotonic()
        is_due = self._rehearsal is None or self._rehearsal.is_old
        if is_due and self._rehearses and driver.alone.acquire(blocking=False):
            try:
                self._rehearsal = Rehearsal(driver.desk, after_ms=driver.known_ms)
            finally:
                driver.alone.release()
            # A desk so large that its copy takes long is not held up for it again.
            self._rehearses = time.monotonic() - begun_s < _LONGEST_REHEARSAL_S
        self.refresh()
        self._hands.prepare()

    def refresh(self) -> None:
        """Go through it once more, while the bar is awaited."""
        if self._rehearsal is not None and self._rehearses:
            try:
                self._hands.rehearse(self._rehearsal.again())
            except Exception:  # noqa: BLE001 - whatever it is, it is no decision's
                # Nobody lives by it: the run goes on without.
                _log.exception("a rehearsal failed; none is made any more")
                self._rehearses = False

    def _step(self) -> None:
        driver = self._driver
        driver.roll_now_and_then()
        driver.look()
        for pushes in driver.pushes:
            for kind, payload in pushes.take():
                driver.take(kind, payload)
        for kind, payload in self.inbox.take():
            driver.take(kind, payload)
        self._send()
        self._lead_rows()
        self._tick()
        self._send()
        if driver.desk.mode is Mode.ENDED:
            return
        # What can come after the orders does.
        if self._has_led:
            self._has_led = False
            driver.say()

    def wake(self) -> None:
        """Look at once, and not only at the next tick."""
        self.inbox.wake()

    def close(self) -> None:
        """Wait for orders that are being sent."""
        with self._driver.alone:
            self._is_leading = False
        self._hands.close()
        self._calm.end()

    @property
    def is_idle(self) -> bool:
        """Whether every request has its reply."""
        return self._hands.is_idle

    @property
    def _period_ms(self) -> int:
        return 2 * _TICK_MS if self._driver.desk.is_settled else _TICK_MS

    def _send(self) -> None:
        self._hands.give_all(self._driver.requests())

    def _lead_rows(self) -> None:
        """Lead closed rows; while an order's fate is unknown nothing is decided, they wait."""
        driver = self._driver
        now_ms = driver.clock.now_ms()
        if self._last_ticks is not None or not driver.desk.side.is_recovered:
            return
        for row in self._market.closed(driver.known_ms, now_ms):
            driver.take(FrameKind.FEED, row_payload(row))
            self._send()
            self._has_led = True
        if driver.is_over(now_ms):
            self._last_ticks = _LAST_TICKS
            driver.begin_end()

    def _tick(self) -> None:
        now_ms = _steady_ms()
        driver = self._driver
        if now_ms - self._ticked_ms < self._period_ms:
            return
        self._ticked_ms = now_ms
        driver.take(FrameKind.TIMER, b"{}")
        if driver.desk.is_settled:
            self._settled_ms = now_ms
        elif now_ms - self._settled_ms > _TICK_MS * _MOST_TICKS:
            self._settled_ms = now_ms
            driver.hear(_LATE)
        if self._last_ticks is not None:
            self._last_ticks -= 1
            if self._last_ticks <= 0 and (_agrees(driver) or self._last_ticks <= -_LAST_TICKS):
                driver.end()


def _agrees(driver: "VenueDriver") -> bool:
    """Say whether books, run and venue tell the same: an exit may fill while they are asked."""
    state, poster = driver.desk.account, driver.poster
    if state is None or driver.desk.differences():
        return False
    return poster is None or not poster.differences(state.balances)


def _steady_ms() -> int:
    return time.monotonic_ns() // 1_000_000

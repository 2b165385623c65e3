"""Leads a run: takes inputs, logs them, asks the desk, syncs, acts, posts. All I/O is here."""

import asyncio
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from openalpha.core.clock import Clock
from openalpha.store.run_log import FrameKind, RunLog, canonical_json, read
from openalpha.trading.feeds.feed import Feed
from openalpha.trading.orders.side import Input
from openalpha.trading.paper.desk import Desk, Mode, Outcome
from openalpha.trading.paper.posting import Poster
from openalpha.trading.paper.recovery_log import Recovered, recover
from openalpha.trading.paper.status import status_of
from openalpha.trading.run.commands import Command, CommandPort
from openalpha.trading.run.folder import RunFolder

__all__ = ["Driver"]

_QUEUED = 2
"""Groups of inputs a feed may be ahead of the desk."""
_STATUS_EVERY_S = 0.5


class Driver:
    """One process leading one run.

    Parameters
    ----------
    folder : RunFolder
    desk : Desk
        Fresh, as the run's plan has it.
    poster : Poster or None
        The books; None posts nothing.
    feed : Feed
    clock : Clock
        Stamps commands and tells when the status was said.
    hear : callable, optional
        Told every notice.
    """

    def __init__(
        self,
        folder: RunFolder,
        desk: Desk,
        *,
        poster: Poster | None,
        feed: Feed,
        clock: Clock,
        hear: Callable[[str], None] = lambda words: None,
    ) -> None:
        self.folder, self.desk, self.poster = folder, desk, poster
        self._feed, self._clock, self._hear = feed, clock, hear
        self._waiting: deque[tuple[list[Input], bool]] = deque()
        self._wake = asyncio.Event()
        self._places = asyncio.Semaphore(_QUEUED)
        self._log: RunLog | None = None
        self._last_ts_ms = 0
        self._said_s = 0.0
        self.is_restarting = False

    def start(self) -> Recovered:
        """Open the log and lead the desk to where it stood; a new run stands at its beginning.

        Raises
        ------
        StorageError
            If another process leads the run, or the log is damaged before its end.
        DataError
            If the log cannot be followed.
        """
        self._log = RunLog.open(self.folder.log)
        if self._log.cut is not None:
            self._hear(f"a torn end of the log was cut off and kept as {self._log.cut.kept.name}")
        found = recover(self.desk, list(read(self.folder.log)), post=self._post_again)
        for ts_ms, (kind, payload) in found.missing:
            self._log.append(kind, payload, ts_ms=ts_ms)
        self._log.sync()
        if self.poster is not None:
            self.poster.check()
        self._last_ts_ms = found.last_ts_ms
        self._say(is_led=True)
        return found

    async def lead(self) -> str:
        """Lead the run until it ends or the process is asked to go; returns why.

        Raises
        ------
        OpenAlphaError
            If log or books fail; the run can be started again.
        """
        assert self._log is not None, "start it first"
        port = CommandPort(self.folder.port, self._command, heard=self.folder.note_command)
        await port.open()
        pump = asyncio.create_task(self._pump())
        try:
            while self.desk.mode is not Mode.ENDED and not self.is_restarting:
                self._take(await self._next(pump))
                await asyncio.sleep(0)
        finally:
            pump.cancel()
            await port.close()
            self._say(is_led=False)
            self._log.close()
        return self.desk.why

    def command(self, command: Command) -> None:
        """Take a command from within this process, such as a signal."""
        self._put([self._as_input(command)])

    async def _next(self, pump: "asyncio.Task[None]") -> list[Input]:
        """Return what comes next; a failure of the feed comes out here."""
        while not self._waiting:
            if pump.done():
                pump.result()
            self._wake.clear()
            await self._wake.wait()
        items, is_of_feed = self._waiting.popleft()
        if is_of_feed:
            self._places.release()
        return items

    async def _pump(self) -> None:
        try:
            async for items in self._feed.after(self.desk.last_row_ms, self.desk.heard):
                await self._places.acquire()
                self._put(items, is_of_feed=True)
        finally:
            self._wake.set()

    def _put(self, items: list[Input], *, is_of_feed: bool = False) -> None:
        self._waiting.append((items, is_of_feed))
        self._wake.set()

    def _command(self, command: Command) -> Mapping[str, Any]:
        if command.verb == "STATUS":
            return self._status(is_led=True)
        self._put([self._as_input(command)])
        return {"taken": command.verb, "run": self.folder.id}

    def _as_input(self, command: Command) -> Input:
        # A recorded feed has a time of its own: a command comes after what was taken last.
        now_ms = self._clock.now_ms() if self._feed.is_live else 0
        payload = canonical_json(command.content())
        return Input(FrameKind.COMMAND, payload, max(now_ms, self._last_ts_ms))

    def _take(self, items: Sequence[Input]) -> None:
        """Log inputs, lead the desk through them, log what follows, sync, post."""
        log = self._log
        assert log is not None
        numbered = [(log.append(item.kind, item.payload, ts_ms=item.ts_ms), item) for item in items]
        outcomes = self.desk.apply_many(numbered)
        for (_, item), outcome in zip(numbered, outcomes, strict=True):
            for kind, payload in outcome.outputs:
                log.append(kind, payload, ts_ms=item.ts_ms)
            for words in outcome.notices:
                self._hear(words)
        self.is_restarting = any(outcome.restarts for outcome in outcomes)
        self._last_ts_ms = items[-1].ts_ms
        log.sync()
        self._post(outcomes)
        self._say_now_and_then()

    def _post(self, outcomes: list[Outcome]) -> None:
        if self.poster is not None:
            self.poster.post(outcomes, is_last=self.desk.mode is Mode.ENDED)

    def _post_again(self, outcomes: list[Outcome]) -> None:
        if self.poster is not None:
            self.poster.post(outcomes, is_last=self.desk.mode is Mode.ENDED, is_again=True)

    def _say_now_and_then(self) -> None:
        now_s = asyncio.get_running_loop().time()
        if now_s - self._said_s >= _STATUS_EVERY_S:
            self._said_s = now_s
            self._say(is_led=True)

    def _say(self, *, is_led: bool) -> None:
        self.folder.keep_status(self._status(is_led=is_led))

    def _status(self, *, is_led: bool) -> dict[str, Any]:
        checks = 0 if self.poster is None else self.poster.checks
        return status_of(
            self.desk,
            run_id=self.folder.id,
            said_ms=self._clock.now_ms(),
            last_ts_ms=self._last_ts_ms,
            is_led=is_led,
            ledger_checks=checks,
        )

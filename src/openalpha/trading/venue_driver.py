"""Leads a run at a venue: bars in, orders out, every input logged before it is acted on."""

import asyncio
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Protocol

from openalpha.core.clock import SystemClock
from openalpha.core.errors import DataError, VenueUnavailable
from openalpha.engine.rows import Row
from openalpha.risk.health import Health
from openalpha.store.run_log import INPUTS, Frame, FrameKind, RunLog, canonical_json, read
from openalpha.trading.commands import Command, CommandPort
from openalpha.trading.desk import Mode
from openalpha.trading.desk_notes import Output
from openalpha.trading.emergency_lock import Lock, lock
from openalpha.trading.emergency_post import SafetyPost
from openalpha.trading.feed_rows import row_payload
from openalpha.trading.incidents import IncidentBook
from openalpha.trading.run_folder import RunFolder
from openalpha.trading.side import Input, Request
from openalpha.trading.venue_desk import VenueDesk, VenueOutcome
from openalpha.trading.venue_market import VenueClock
from openalpha.trading.venue_posting import VenuePoster
from openalpha.trading.venue_status import venue_status

__all__ = ["Carrier", "Market", "Reconciled", "VenueDriver"]

_TICK_MS = 500
_MOST_TICKS = 240
_STATUS_ROWS = 20
_WARM_ROWS = 500
"""Bars before the run that indicators begin from."""


class Market(Protocol):
    """Where closed rows come from."""

    def closed(self, after_ms: int, now_ms: int) -> list[Row]:
        """Return the rows that opened after a stamp and have closed."""
        ...


class Carrier(Protocol):
    """Carries requests out and says what became of each."""

    def carry_out(self, request: Request) -> bytes:
        """Return the payload of a REPLY input."""
        ...


@dataclass(frozen=True, slots=True)
class Reconciled:
    """Whether books, desk and venue agree at the end: empty differences say so."""

    cash: tuple[str, ...]
    positions: tuple[str, ...]
    balances: Mapping[str, Decimal]

    @property
    def is_equal(self) -> bool:
        """Whether nothing differs."""
        return not self.cash and not self.positions


class VenueDriver:
    """One process leading one run at a venue.

    Parameters
    ----------
    folder : RunFolder
    desk : VenueDesk
        Fresh.
    carrier : Carrier
    market : Market
    clock : VenueClock
    poster : VenuePoster or None
    end_ms : int
        When the run ends by itself, UTC ms at the venue; 0: never.
    hear : callable
        Told every notice.

    Attributes
    ----------
    post : SafetyPost or None
        What this process does for safety beside its loop; set before `start`.
    incident_book : IncidentBook or None
        Where incidents are kept until a person settles them.
    """

    def __init__(
        self,
        folder: RunFolder,
        desk: VenueDesk,
        *,
        carrier: Carrier,
        market: Market,
        clock: VenueClock,
        poster: VenuePoster | None,
        end_ms: int = 0,
        hear: Callable[[str], None] = lambda words: None,
    ) -> None:
        self.folder, self.desk, self.poster, self.clock = folder, desk, poster, clock
        self._carrier, self._market, self._end_ms, self._hear = carrier, market, end_ms, hear
        self._since_ms = int(folder.feed().get("since_ms", 0))
        self._waiting: deque[Request] = deque()
        self._commands: deque[Command] = deque()
        self._log: RunLog | None = None
        self._last_ts_ms = 0
        self.is_restarting = False
        self.reconciled: Reconciled | None = None
        self.post: SafetyPost | None = None
        self.incident_book: IncidentBook | None = None
        self._told_incidents = 0
        self._has_account = False

    def start(self) -> int:
        """Lead the desk through its log, then ask the venue for every fate not known.

        Returns
        -------
        int
            Inputs applied again.

        Raises
        ------
        StorageError
            If another process leads the run.
        DataError
            If the log does not follow from its inputs.
        """
        self._log = RunLog.open(self.folder.log)
        count = self._again(list(read(self.folder.log)))
        self._waiting.clear()
        if count == 0 and self.post is not None:
            health = self.post.look(SystemClock().now_ms()) or Health()
            remembered = (self.post.memory.load() or {}).get("ladder")
            content = {"what": "safety", **health.content(), "memory": remembered}
            self._take(FrameKind.HEALTH, canonical_json(content))
        self._take(FrameKind.TIMER, canonical_json({"recover": 1}))
        self.settle()
        self._say(is_led=True)
        return count

    async def lead(self) -> str:
        """Lead the run until it ends; returns why."""
        port = CommandPort(self.folder.port, self._command)
        await port.open()
        try:
            while self.desk.mode is not Mode.ENDED and not self.is_restarting:
                self._step()
                await asyncio.sleep(0)
            if self._log is not None:
                self._log.sync()
        finally:
            await port.close()
            self._say(is_led=False)
            if self._log is not None:
                self._log.close()
        return self.desk.why

    def command(self, command: Command) -> None:
        """Take a command from within this process, such as a signal."""
        self._commands.append(command)

    def _warm_up(self) -> None:
        """Show the strategies the bars before the run, as many as the venue gives at once."""
        if not self._since_ms:
            return
        first_ms = self._since_ms - _WARM_ROWS * self.desk.plan.timeframe_ms
        rows = self._market.closed(first_ms - 1, self._since_ms)
        payload = canonical_json({"warm": [row_payload(row).decode() for row in rows]})
        self._take(FrameKind.FEED, payload)

    def settle(self) -> None:
        """Carry out what waits until nothing is under way but stops that stand."""
        for _ in range(_MOST_TICKS):
            self._carry_out()
            if self.desk.is_settled:
                return
            self.clock.wait(_TICK_MS)
            self._take(FrameKind.TIMER, b"{}")
        self._hear("the venue left something open for two minutes; it goes on being asked")

    def reconcile(self) -> Reconciled:
        """Let wallet, positions and statement be asked once more and compare all three books."""
        for _ in range(60):
            self.clock.wait(_TICK_MS)
            self._take(FrameKind.TIMER, b"{}")
            self._carry_out()
        state = self.desk.account
        if state is None:
            raise VenueUnavailable("the venue did not say what the account holds; try again")
        cash = [] if self.poster is None else self.poster.differences(state.balances)
        return Reconciled(tuple(cash), tuple(self._positions()), dict(state.balances))

    def _positions(self) -> list[str]:
        """Say where what the sub-books hold is not what the venue reports."""
        state, found = self.desk.account, []
        assert state is not None
        for book in self.desk.books:
            for item, held in zip(book.instruments, book.held, strict=True):
                theirs = sum(
                    (
                        position.qty
                        for key, position in state.positions.items()
                        if key.partition("/")[0] == item.id
                    ),
                    Decimal(0),
                )
                if theirs != held.qty:
                    found.append(f"{item.id}: the run holds {held.qty}, the venue {theirs}")
        return found

    def _step(self) -> None:
        """Take what has closed, else let time pass."""
        if self.post is not None:
            health = self.post.look(SystemClock().now_ms())
            if health is not None:
                content = {"what": "safety", **health.content()}
                self._take(FrameKind.HEALTH, canonical_json(content))
        while self._commands:
            self._take(FrameKind.COMMAND, canonical_json(self._commands.popleft().content()))
            self.settle()
        if self.desk.mode is Mode.ENDED:
            return
        now_ms = self.clock.now_ms()
        rows = self._market.closed(max(self.desk.last_row_ms, self._since_ms - 1), now_ms)
        if not rows:
            if self._end_ms and now_ms >= self._end_ms:
                self._end()
                return
            self._pass_time(now_ms)
            return
        for row in rows:
            self._take(FrameKind.FEED, row_payload(row))
            self.settle()
            if self.desk.rows % _STATUS_ROWS == 0:
                self._say(is_led=True)

    def _end(self) -> None:
        self.reconciled = self.reconcile()
        for words in (*self.reconciled.cash, *self.reconciled.positions):
            self._hear(f"NOT EQUAL: {words}")
        self._take(FrameKind.TIMER, canonical_json({"end": "the time asked for is over"}))

    def _pass_time(self, now_ms: int) -> None:
        frame_ms = self.desk.plan.timeframe_ms
        left_ms = (now_ms // frame_ms + 1) * frame_ms - now_ms
        self.clock.wait(left_ms if self.clock.is_lockstep else min(left_ms, 2 * _TICK_MS))
        self._take(FrameKind.TIMER, b"{}")
        self._carry_out()

    def _command(self, command: Command) -> Mapping[str, Any]:
        if command.verb == "STATUS":
            return self._status(is_led=True)
        self._commands.append(command)
        return {"taken": command.verb, "run": self.folder.id}

    def _carry_out(self) -> None:
        """Send what waits, after one sync that covers it and every input before it."""
        assert self._log is not None
        while self._waiting:
            self._log.sync()
            requests, count = self._waiting, len(self._waiting)
            for _ in range(count):
                self._take(FrameKind.REPLY, self._carrier.carry_out(requests.popleft()))

    def _take(self, kind: FrameKind, payload: bytes) -> None:
        log = self._log
        assert log is not None
        item = Input(kind, payload, max(self.clock.now_ms(), self._last_ts_ms))
        self._last_ts_ms = item.ts_ms
        seq = log.append(kind, payload, ts_ms=item.ts_ms)
        outcome = self.desk.apply(seq, item)
        for out_kind, out in outcome.outputs:
            log.append(out_kind, out, ts_ms=item.ts_ms)
        self._waiting.extend(outcome.requests)
        for words in outcome.notices:
            self._hear(words)
        self.is_restarting = self.is_restarting or outcome.restarts
        self._make_known(outcome)
        heard = outcome.heard
        is_first = bool(heard.accounts) and not self._has_account
        self._has_account = self._has_account or is_first
        if heard.fills or heard.effects or is_first:
            # What the books hold stands in the log; decisions are synced with their orders.
            log.sync()
            self._post([outcome])

    def _make_known(self, outcome: VenueOutcome) -> None:
        """Keep new incidents for a person, and lock the environment where a breaker says so."""
        if self.incident_book is not None:
            for incident in self.desk.incidents[self._told_incidents :]:
                self.incident_book.add(incident, run_id=self.folder.id)
        self._told_incidents = len(self.desk.incidents)
        if outcome.locks:
            home, environment = self.folder.path.parents[2], self.folder.environment.name.lower()
            lock(home, environment, why=Lock(outcome.locks, "a breaker", self.clock.now_ms()))

    def _post(self, outcomes: Sequence[VenueOutcome]) -> None:
        if self.poster is not None:
            self.poster.post(outcomes)

    def _again(self, frames: Sequence[Frame]) -> int:
        """Apply the inputs of a log again; what it lacks of outputs is written now."""
        log = self._log
        assert log is not None
        logged = deque((f.seq, (f.kind, f.payload)) for f in frames if f.kind not in INPUTS)
        outcomes, count = [], 0
        for frame in frames:
            if frame.kind not in INPUTS:
                continue
            count += 1
            item = Input(frame.kind, frame.payload, frame.ts_ms)
            self._last_ts_ms = frame.ts_ms
            outcome = self.desk.apply(frame.seq, item)
            outcomes.append(outcome)
            for output in outcome.outputs:
                self._match(logged, output, frame.ts_ms)
        if logged:
            raise DataError(f"frame {logged[0][0]} of the log follows from none of its inputs")
        log.sync()
        self._told_incidents = len(self.desk.incidents)
        self._post(outcomes)
        return count

    def _match(self, logged: "deque[tuple[int, Output]]", output: Output, ts_ms: int) -> None:
        assert self._log is not None
        if not logged:
            self._log.append(output[0], output[1], ts_ms=ts_ms)
            return
        seq, known = logged.popleft()
        if known != output:
            raise DataError(
                f"the log says in frame {seq} {known[1].decode()}, its inputs lead to "
                f"{output[1].decode()}: the program changed since; start a new run"
            )

    def _say(self, *, is_led: bool) -> None:
        if self.post is not None:
            self.post.memory.save({"ladder": self.desk.risk.ladder.state()})
        self.folder.keep_status(self._status(is_led=is_led))

    def _status(self, *, is_led: bool) -> dict[str, Any]:
        found = venue_status(
            self.desk, said_ms=self.clock.now_ms(), last_ts_ms=self._last_ts_ms, is_led=is_led
        )
        if self.reconciled is not None:
            found["reconciliation"] = {
                "cash": list(self.reconciled.cash),
                "positions": list(self.reconciled.positions),
            }
        return found

"""Leads a run at a venue: bars in, orders out, every input logged before it is acted on."""

import asyncio
import json
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from openalpha.core.clock import DAY_MS, SystemClock
from openalpha.core.errors import DataError, VenueUnavailable
from openalpha.core.instruments import Kind
from openalpha.engine.rows import Row
from openalpha.risk.health import Health
from openalpha.store.frames import LARGEST_PAYLOAD
from openalpha.store.run_log import INPUTS, Frame, FrameKind, RunLog, canonical_json, read, tail
from openalpha.trading.feeds.venue_market import VenueClock
from openalpha.trading.orders.side import Input, Request
from openalpha.trading.paper.desk import Mode
from openalpha.trading.run.commands import Command, CommandPort
from openalpha.trading.run.feed_rows import warm_payload
from openalpha.trading.run.folder import RunFolder
from openalpha.trading.run.hands import Carrier
from openalpha.trading.run.incidents import IncidentBook
from openalpha.trading.run.notes import Output
from openalpha.trading.safety.emergency_holdings import Purchases
from openalpha.trading.safety.emergency_lock import Lock, lock
from openalpha.trading.safety.emergency_post import SafetyPost
from openalpha.trading.venue.desk import VenueDesk
from openalpha.trading.venue.keeping import UNKEPT, freeze_desk, thaw_desk
from openalpha.trading.venue.last_look import held_back
from openalpha.trading.venue.posting import VenuePoster
from openalpha.trading.venue.rehearsal import Rehearsal
from openalpha.trading.venue.state import Reconciled, VenueOutcome
from openalpha.trading.venue.status import decided_row, venue_status
from openalpha.trading.venue.turns import LiveTurns, LockstepTurns, Market, Pushes

__all__ = ["Carrier", "Market", "VenueDriver"]

_STATUS_ROWS = 20
_LARGEST_SEGMENT = 1 << 25


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
        In lock-step everything is done one after the other; else the loop waits for nothing.
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
    halts_restarts : bool
        Whether a run that is started again waits for a person before it orders anything.
    largest_segment : int
        Size beyond which the log begins a new segment, bytes; it begins one each UTC day besides.
    past, watch : callable or None
        Rows before the run; in lock-step, payloads that say which instruments stand otherwise.
    curves : callable or None
        Returns usual volumes of the day by instrument: told at a start and with each segment.
    alone : RLock
        Held by the thread that leads, logs or reads the desk.
    pushes : list of Pushes
        What the venue tells by itself, of account and feed; without it the venue is asked.
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
        self.hear, self._end_ms = hear, end_ms
        self._since_ms = int(folder.feed().get("since_ms", 0))
        # Home and environment.
        self._place = (folder.path.parents[2], folder.environment.name.lower())
        self.alone = threading.RLock()
        self._waiting: deque[Request] = deque()
        self._log: RunLog | None = None
        self._last_ts_ms = 0
        self.is_restarting = False
        self.reconciled: Reconciled | None = None
        self.post: SafetyPost | None = None
        self.incident_book: IncidentBook | None = None
        self.pushes: list[Pushes] = []
        self.past: Callable[[], Sequence[Row]] | None = None
        self.curves: Callable[[], Mapping[str, Sequence[int]]] | None = None
        self.watch: Callable[[], Sequence[bytes]] | None = None
        self.halts_restarts = False
        self.largest_segment = _LARGEST_SEGMENT
        self._day = -1
        self._told_incidents = 0
        self._open_incidents = (0, 0)
        self._has_account = False
        self._decided = b""
        self._purchases: Purchases | None = None
        kind = LockstepTurns if clock.is_lockstep else LiveTurns
        self.turns: LockstepTurns | LiveTurns = kind(self, carrier, market)

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
        with self.alone:
            return self._start()

    def _start(self) -> int:
        self._log = RunLog.open(self.folder.log)
        count = self._again(self._frames())
        self._waiting.clear()
        if count and self.halts_restarts:
            health = Health(is_restart=True)
            self.take(FrameKind.HEALTH, canonical_json({"what": "safety", **health.content()}))
        if count == 0 and self.post is not None:
            health = self.post.look(SystemClock().now_ms()) or Health()
            remembered = (self.post.memory.load() or {}).get("ladder")
            content = {"what": "safety", **health.content(), "memory": remembered}
            self.take(FrameKind.HEALTH, canonical_json(content))
        if count == 0 and self.past is not None:
            self.take(FrameKind.FEED, warm_payload(self.past()))
        self._tell_curves()
        self._purchases = Purchases(*self._place, held=self._coins())
        self.take(FrameKind.TIMER, canonical_json({"recover": 1}))
        Rehearsal(self.desk, after_ms=self.known_ms).again()
        self.turns.begin()
        self.say()
        return count

    async def lead(self) -> str:
        """Lead the run until it ends; returns why."""
        port = CommandPort(self.folder.port, self.command, heard=self.folder.note_command)
        await port.open()
        try:
            while self.desk.mode is not Mode.ENDED and not self.is_restarting:
                await self.turns.turn()
                await asyncio.sleep(0)
            if self._log is not None:
                self._log.sync()
        finally:
            await port.close()
            self.turns.close()
            self.say(is_led=False)
            if self._log is not None:
                self._log.close()
        return self.desk.why

    def command(self, command: Command) -> Mapping[str, Any]:
        """Take a command from a person or a signal, at once; returns the answer to it."""
        with self.alone:
            if command.verb == "STATUS":
                return self._status(is_led=True)
            outcome = self.take(FrameKind.COMMAND, canonical_json(command.content()))
            assert self._log is not None
            # What a person was told is taken must outlive this process.
            self._log.sync()
        self.turns.wake()
        return {"taken": command.verb, "run": self.folder.id, **outcome.answer}

    # what its turns do with it

    @property
    def known_ms(self) -> int:
        """The stamp after which rows are new."""
        return max(self.desk.last_row_ms, self._since_ms - 1)

    def is_over(self, now_ms: int) -> bool:
        """Say whether the time that was asked for is over."""
        return 0 < self._end_ms <= now_ms

    def take(self, kind: FrameKind, payload: bytes) -> VenueOutcome:
        """Log an input, let the desk act on it, log what it says, and post what it heard."""
        log = self._log
        assert log is not None
        item = Input(kind, payload, max(self.clock.now_ms(), self._last_ts_ms))
        self._last_ts_ms = item.ts_ms
        seq = log.append(kind, payload, ts_ms=item.ts_ms)
        outcome = self.desk.apply(seq, item)
        for out_kind, out in outcome.outputs:
            log.append(out_kind, out, ts_ms=item.ts_ms)
            self._decided = out if out_kind is FrameKind.DECISION else self._decided
        self._waiting.extend(outcome.requests)
        for words in outcome.notices:
            self.hear(words)
        self.is_restarting = self.is_restarting or outcome.restarts
        self._make_known(outcome)
        heard = outcome.heard
        is_first = bool(heard.accounts) and not self._has_account
        self._has_account = self._has_account or is_first
        if heard.fills or heard.effects or is_first:
            # What the books hold stands in the log; decisions are synced with their orders.
            log.sync()
            self._post([outcome])
        if heard.fills and self._purchases is not None:
            self._purchases.keep(self._coins())
        return outcome

    def requests(self) -> list[Request]:
        """Return what is to be asked of the venue now, after one sync that covers all of it."""
        if not self._waiting:
            return []
        assert self._log is not None
        self._log.sync()
        home, environment = self._place
        requests, refused = held_back(self._waiting, home=home, environment=environment)
        self._waiting.clear()
        for reply in refused:
            self.take(FrameKind.REPLY, reply)
        return requests

    def look(self) -> None:
        """Look at what changes beside the loop: locks, guardian, releases, incidents."""
        if self.post is not None:
            health = self.post.look(SystemClock().now_ms())
            if health is not None:
                content = {"what": "safety", **health.content()}
                self.take(FrameKind.HEALTH, canonical_json(content))
        if self.incident_book is not None:
            changed, known = self.incident_book.changed_ns(), self._open_incidents
            if changed != known[0]:
                count = len(self.incident_book.open_ones())
                self._open_incidents = (changed, count)
                if count != known[1]:
                    content = {"what": "incidents", "open": count}
                    self.take(FrameKind.HEALTH, canonical_json(content))

    def begin_end(self) -> None:
        """Let what strategies of callbacks have open be withdrawn, before books are compared."""
        if self.desk.callbacks.has_any:
            self.take(FrameKind.TIMER, canonical_json({"last": 1}))

    def end(self) -> None:
        """Compare books, run and venue, then end the run: its time is over."""
        state = self.desk.account
        if state is None:
            raise VenueUnavailable("the venue did not say what the account holds; try again")
        cash = [] if self.poster is None else self.poster.differences(state.balances)
        held = tuple(self.desk.differences())
        self.reconciled = Reconciled(tuple(cash), held, dict(state.balances))
        for words in (*self.reconciled.cash, *self.reconciled.positions):
            self.hear(f"NOT EQUAL: {words}")
        self.take(FrameKind.TIMER, canonical_json({"end": "the time asked for is over"}))

    def roll_now_and_then(self) -> None:
        """Begin a new segment with each UTC day and when one is large: a restart reads the last."""
        log = self._log
        assert log is not None
        day = self._last_ts_ms // DAY_MS
        self._day = day if self._day < 0 else self._day
        is_due = day != self._day or log.segment_bytes > self.largest_segment
        if self._waiting or not is_due:
            return
        self._day = day
        log.sync()
        state = freeze_desk(self.desk)
        if state is None:
            self.hear(UNKEPT)
            self.largest_segment *= 2  # said and tried less and less often
        elif len(state) < LARGEST_PAYLOAD:
            log.roll(state, ts_ms=self._last_ts_ms)
        self._tell_curves()

    def _tell_curves(self) -> None:
        if self.curves is not None and (found := self.curves()):
            self.take(FrameKind.FEED, canonical_json({"curves": dict(found)}))

    def say(self, *, is_led: bool = True) -> None:
        """Keep where the run stands, for those who ask while nobody leads it."""
        if self.post is not None:
            self.post.memory.save({"ladder": self.desk.risk.ladder.state()})
        self.folder.keep_status(self._status(is_led=is_led))

    def say_now_and_then(self) -> None:
        """Keep it every few rows."""
        if self.desk.rows % _STATUS_ROWS == 0:
            self.say()

    def _make_known(self, outcome: VenueOutcome) -> None:
        """Keep new incidents for a person, and lock the environment where a breaker says so."""
        if self.incident_book is not None:
            for incident in self.desk.incidents[self._told_incidents :]:
                self.incident_book.add(incident, run_id=self.folder.id)
        self._told_incidents = len(self.desk.incidents)
        if outcome.locks:
            lock(*self._place, why=Lock(outcome.locks, "a breaker", self.clock.now_ms()))

    def _coins(self) -> dict[str, Decimal]:
        """Return what the sub-books hold on spot, by symbol."""
        found: dict[str, Decimal] = {}
        for book in self.desk.books:
            for item, held in zip(book.instruments, book.held, strict=True):
                if item.kind is Kind.SPOT:
                    found[item.symbol] = found.get(item.symbol, Decimal(0)) + held.qty
        return found

    def _post(self, outcomes: Sequence[VenueOutcome]) -> None:
        if self.poster is not None:
            self.poster.post(outcomes)

    def _frames(self) -> list[Frame]:
        """Take the last segment's state over; return the frames since, or all without a state."""
        frames = list(tail(self.folder.log))
        if not frames or frames[0].kind is not FrameKind.STATE:
            return list(read(self.folder.log))
        desk = thaw_desk(frames[0].payload, self.desk)
        if desk is None:
            self.hear("the program changed since the log's last segment: all of it is gone through")
            return list(read(self.folder.log))
        self.desk, self._last_ts_ms = desk, frames[0].ts_ms
        self._has_account = desk.account is not None
        if self.poster is not None and self._has_account:
            self.poster.is_opened = True
        return frames

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
            if frame.kind is FrameKind.STATE:
                continue
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

    def _status(self, *, is_led: bool) -> dict[str, Any]:
        found = venue_status(
            self.desk, said_ms=self.clock.now_ms(), last_ts_ms=self._last_ts_ms, is_led=is_led
        )
        if self._decided:
            found["decided"] = decided_row(self.desk, json.loads(self._decided))
        if (told := self.reconciled) is not None:
            found["reconciliation"] = {"cash": list(told.cash), "positions": list(told.positions)}
        return found

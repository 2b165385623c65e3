"""One run as a pure state machine: inputs in, decisions and effects out. No clock, no file."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from openalpha.core.reasons import Reason
from openalpha.engine.bars_so_far import keep_bars_once
from openalpha.engine.rows import Row, Stepped
from openalpha.store.run_log import FrameKind, canonical_json
from openalpha.trading.orders.side import Input, Request
from openalpha.trading.paper.allocating import PaperAllocation
from openalpha.trading.paper.message_book import MessageBook
from openalpha.trading.paper.subbooks import SubBook, open_sub_book, part_of
from openalpha.trading.run.allocation import Move
from openalpha.trading.run.feed_rows import is_row, is_warm, row_of, warm_rows
from openalpha.trading.run.message_rows import is_messages, messages_of
from openalpha.trading.run.notes import Output, notes_of_step, notes_of_written
from openalpha.trading.run.plan import RunPlan
from openalpha.venue.kernel import layout as at
from openalpha.venue.kernel.setup import OrderRequest

__all__ = ["Desk", "Led", "Mode", "Outcome"]


class Mode(StrEnum):
    """What a run does."""

    RUNNING = "running"
    PAUSED = "paused"
    CLOSING = "closing"
    ENDED = "ended"


@dataclass(frozen=True, slots=True)
class Led:
    """One sub-book led through one row that closed at `ts_ms`; marks in price units, 0 unknown."""

    book: int
    ts_ms: int
    step: Stepped
    marks: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one input led to.

    Parameters
    ----------
    seq : int
        The input.
    outputs : tuple of (kind, payload)
        Frames for the log: decisions, intents, notes.
    led : tuple of Led
        What the books must post.
    requests : tuple of Request
        What must be asked of the venue, once the log is synced.
    notices : tuple of str
        What a person should hear.
    restarts : bool
        Whether the process is to begin anew from the log.
    moved : tuple of (ts_ms, Move)
        Money that went from one sub-book to another: its effects are in `led` as well.
    """

    seq: int
    outputs: tuple[Output, ...] = ()
    led: tuple[Led, ...] = ()
    requests: tuple[Request, ...] = ()
    notices: tuple[str, ...] = ()
    restarts: bool = False
    moved: tuple[tuple[int, Move], ...] = ()


@dataclass(slots=True)
class _Pending:
    """Settlements of rows in which a sub-book had no bar: they go with its next row."""

    funding: list[tuple[int, int, int]] = field(default_factory=list)


class Desk:
    """The state machine of one run on one simulated account a strategy.

    The same inputs lead to the same outputs, to the byte, however they are grouped.

    Parameters
    ----------
    plan : RunPlan
    folder : Path, optional
        The user's folder of strategy files.

    Raises
    ------
    InputError
        If the plan cannot be carried out.
    """

    def __init__(self, plan: RunPlan, *, folder: Path | None = None) -> None:
        self.plan = plan
        self.books: tuple[SubBook, ...] = tuple(
            open_sub_book(plan, part, folder=folder) for part in plan.strategies
        )
        keep_bars_once(part for book in self.books for part in book.so_far)
        self.mode = Mode.RUNNING
        self.why = ""
        self.last_row_ms = -1
        self._has_past = False
        self.rows = self.heard = 0
        self._heard_ms = 0
        self.equity: list[float] = [
            float(book.account.machine.account.balances[0]) for book in self.books
        ]
        self._pending = [_Pending() for _ in self.books]
        self._allocation = PaperAllocation(plan, self.books)
        self._has_led: set[int] = set()

    def apply(self, seq: int, item: Input) -> Outcome:
        """Take in one input."""
        return self.apply_many([(seq, item)])[0]

    def apply_many(self, items: Sequence[tuple[int, Input]]) -> list[Outcome]:
        """Take in inputs that have all happened already, in order.

        What they lead to is what they would have led to one by one; strategies are only asked once.
        """
        fed = [(seq, item.payload) for seq, item in items if item.kind is FrameKind.FEED]
        for payload in [payload for _, payload in fed if is_warm(payload)]:
            self._remember(payload)
        rows = {seq: row_of(payload) for seq, payload in fed if is_row(payload)}
        for number, book in enumerate(self.books):
            parts = [self._part(number, row) for row in rows.values()]
            seen = [part for part in parts if any(bar is not None for bar in part.bars)]
            if seen and self.mode is not Mode.ENDED:
                book.foresee(seen)
        return [self._taken(seq, item, rows.get(seq)) for seq, item in items]

    def _remember(self, payload: bytes) -> None:
        """Let the strategies see, once, what came before the run."""
        rows = [] if self._has_past else warm_rows(payload)
        self._has_past = True
        for number, book in enumerate(self.books):
            parts = [self._part(number, row) for row in rows]
            book.remember([part for part in parts if any(bar is not None for bar in part.bars)])

    def _taken(self, seq: int, item: Input, row: Row | None) -> Outcome:
        if self.mode is Mode.ENDED:
            return Outcome(seq)
        if row is not None:
            return self._lead(seq, row)
        if item.kind is FrameKind.FEED:
            return self._hear(seq, item.payload) if is_messages(item.payload) else Outcome(seq)
        content = json.loads(item.payload)
        if item.kind is FrameKind.COMMAND:
            return self._obey(seq, content)
        if item.kind is FrameKind.TIMER and content.get("end"):
            return self._end(seq, str(content["end"]))
        if item.kind is FrameKind.HEALTH and content.get("what") == "feed":
            return self._note_feed(seq, content)
        return Outcome(seq)

    def _part(self, number: int, row: Row) -> Row:
        return part_of(row, self.plan.strategies[number].numbers)

    def _lead(self, seq: int, row: Row) -> Outcome:
        outputs: list[Output] = []
        led = []
        close_ms = row.ts_ms + self.plan.timeframe_ms
        for number, book in enumerate(self.books):
            step = self._lead_book(number, book, row)
            if step is None:
                continue
            self.equity[number] = step.equity
            self._has_led.add(number)
            led.append(Led(number, close_ms, step, book.account.marks()))
            outputs.extend(
                notes_of_step(
                    seq,
                    step,
                    book=number,
                    ts_ms=close_ms,
                    targets=book.last_targets,
                    instruments=book.account.units.instruments,
                )
            )
        self.last_row_ms = row.ts_ms
        self.rows += 1
        moves = self._share_out(seq, close_ms, outputs, led)
        if self.mode is Mode.CLOSING:
            return self._closed(seq, outputs, led)
        return Outcome(
            seq, tuple(outputs), tuple(led), moved=tuple((close_ms, move) for move in moves)
        )

    def _hear(self, seq: int, payload: bytes) -> Outcome:
        """Lead the books that are filled by messages through some."""
        number, events = messages_of(payload)
        self.heard += len(events)
        outputs: list[Output] = []
        led = []
        for which, book in enumerate(self.books):
            if not isinstance(book, MessageBook) or self.plan.strategies[which].numbers != (
                number,
            ):
                continue
            for ts_ms, step in book.hear(events, is_silent=self.mode is Mode.CLOSING):
                self.equity[which] = step.equity
                led.append(Led(which, ts_ms, step, book.account.marks()))
                items = book.account.units.instruments
                outputs += notes_of_step(
                    seq, step, book=which, ts_ms=ts_ms, targets=(), instruments=items
                )
        if len(events):
            self._heard_ms = max(self._heard_ms, int(events[:, 0].max()))
        if self.mode is Mode.CLOSING:
            return self._closed(seq, outputs, led)
        return Outcome(seq, tuple(outputs), tuple(led))

    def _note_feed(self, seq: int, content: dict[str, Any]) -> Outcome:
        """Take in that the market's socket is there or not: what was known of it has aged."""
        for book in self.books:
            if isinstance(book, MessageBook):
                book.go_stale()
        return Outcome(seq)

    def _closed(self, seq: int, outputs: list[Output], led: list[Led]) -> Outcome:
        """End a run that is being closed once all is; what a book could not give is asked again."""
        if self.is_flat():
            ended = self._end(seq, self.why)
            return Outcome(seq, (*outputs, *ended.outputs), tuple(led), (), ended.notices)
        again = [
            [number, order_id]
            for number, book in enumerate(self.books)
            if isinstance(book, MessageBook) and not book.is_closing()
            for order_id in self._close_book(number)
        ]
        if again:
            note = canonical_json({"of": seq, "closing_orders": again})
            outputs.append((FrameKind.NOTE, note))
        return Outcome(seq, tuple(outputs), tuple(led))

    def _now_ms(self) -> int:
        """Return the time up to which the market is known."""
        return max(self.last_row_ms + self.plan.timeframe_ms, self._heard_ms)

    def _share_out(
        self, seq: int, close_ms: int, outputs: list[Output], led: list[Led]
    ) -> Sequence[Move]:
        """Move money between sub-books where it is due; the next decision sizes by what it left."""
        is_trading = self.mode in (Mode.RUNNING, Mode.PAUSED)
        if not is_trading or len(self._has_led) < len(self.books):
            return ()
        moves = self._allocation.moves(close_ms)
        for move in moves:
            note = {"of": seq, "ts": close_ms, "moved": f"{move.amount.normalize():f}"}
            ends = {"giver": move.giver, "taker": move.taker}
            outputs.append((FrameKind.NOTE, canonical_json(note | ends)))
            for number, units, step in self._allocation.move(move, close_ms):
                self.equity[number] += units
                led.append(Led(number, close_ms, step, self.books[number].account.marks()))
                outputs.extend(notes_of_written(seq, step.written, book=number))
        return moves

    def _lead_book(self, number: int, book: SubBook, row: Row) -> Stepped | None:
        part, waiting = self._part(number, row), self._pending[number].funding
        if all(bar is None for bar in part.bars):
            waiting.extend(part.funding)
            return None
        if waiting:
            part = Row(part.ts_ms, part.bars, part.mark, part.index, (*waiting, *part.funding))
            waiting.clear()
        return book.lead(part, is_silent=self.mode is Mode.CLOSING)

    def _obey(self, seq: int, command: dict[str, Any]) -> Outcome:
        verb, reason = command["verb"], str(command.get("reason", ""))
        if verb == "PAUSE":
            return self._pause(seq, True, reason)
        if verb == "RESUME":
            return self._pause(seq, False, reason)
        if verb == "STOP" and command.get("flatten") and not self.is_flat():
            return self._close(seq, reason)
        if verb == "STOP":
            withdrawn = [item for number in range(len(self.books)) for item in self._cancel(number)]
            return self._end(seq, reason or "stopped", extra={"withdrawn": withdrawn})
        return Outcome(seq, restarts=verb == "RESTART")

    def _pause(self, seq: int, is_paused: bool, reason: str) -> Outcome:
        if self.mode is Mode.CLOSING:
            return Outcome(seq, notices=("the run is being closed",))
        self.mode = Mode.PAUSED if is_paused else Mode.RUNNING
        self.why = reason
        for book in self.books:
            book.pause(is_paused)
        return self._noted(seq, {"mode": self.mode.value, "reason": reason})

    def _close(self, seq: int, reason: str) -> Outcome:
        self.mode, self.why = Mode.CLOSING, reason or "stopped and closed"
        closing = []
        for number in range(len(self.books)):
            self._cancel(number)
            closing += [[number, order_id] for order_id in self._close_book(number)]
        return self._noted(
            seq, {"mode": self.mode.value, "reason": self.why, "closing_orders": closing}
        )

    def _close_book(self, number: int) -> list[int]:
        """Put market orders in flight that close all a sub-book holds; returns their ids."""
        machine, found = self.books[number].account.machine, []
        for which in range(len(machine.instruments)):
            held = self._held(number, which)
            if held:
                order = OrderRequest(-1 if held > 0 else 1, 0, reduce_only=True)
                found.append(machine.submit(which, self._now_ms(), order))
        return found

    def _cancel(self, number: int) -> list[list[int]]:
        """Put cancels of all entries in flight; protective orders stay."""
        account = self.books[number].account
        machine, now_ms = account.machine, self._now_ms()
        found = []
        for which in range(len(machine.instruments)):
            for order in machine.live_orders(which).tolist():
                if not order[at.O_REDUCE] and not order[at.O_ATTACHED]:
                    why = Reason.CANCELLED_BY_USER
                    machine.cancel(which, now_ms, order[at.O_ID], why=why)
                    found.append([number, order[at.O_ID]])
        return found

    def _end(self, seq: int, why: str, *, extra: dict[str, Any] | None = None) -> Outcome:
        self.mode, self.why = Mode.ENDED, why
        for book in self.books:
            book.stop()
        return self._noted(seq, {"mode": self.mode.value, "reason": why, **(extra or {})})

    def _noted(self, seq: int, content: dict[str, Any]) -> Outcome:
        output = (FrameKind.NOTE, canonical_json({"of": seq, **content}))
        words = f"the run is {content['mode']}"
        return Outcome(
            seq,
            (output,),
            notices=(f"{words}: {content['reason']}" if content["reason"] else words,),
        )

    def _held(self, number: int, which: int) -> int:
        """Return the signed quantity a sub-book holds, dust that cannot be sold left out."""
        machine = self.books[number].account.machine
        held = machine.position(which)[0]
        if machine.instruments[which].kind == at.SPOT:
            block = at.HEAD_COLS + which * at.INST_COLS
            held -= held % int(machine.arena[block + at.I_LOT])
        return held

    def is_flat(self) -> bool:
        """Say whether no sub-book holds anything."""
        return not any(
            self._held(number, which)
            for number, book in enumerate(self.books)
            for which in range(len(book.account.machine.instruments))
        )

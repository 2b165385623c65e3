"""The order path of a trader on a log: the smallest loop that keeps the rules of the real one.

An input is logged before it is acted on; an intent is synced with every input before it, then sent.
Starting is recovering: the last segment's state, its inputs again, then every fate is asked for.
"""

import json
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from openalpha.core.messages import CashEffect
from openalpha.store.disk import Disk
from openalpha.store.run_log import INPUTS, FrameKind, RunLog, canonical_json, tail
from openalpha.trading.bybit.executor import Executor
from openalpha.trading.bybit.fates import SideTerms
from openalpha.trading.bybit.side import BybitSide
from openalpha.trading.orders.events import VenueFill
from openalpha.trading.orders.side import Change, Incident, Input, OrderUpdate, PlacedOrder, Request

FOLDER = Path("/runs/twin/run/log")
Plan = Callable[[int, BybitSide], "Wishes"]


@dataclass
class Wishes:
    """What a strategy wants at one decision."""

    orders: Sequence[PlacedOrder] = ()
    cancels: Sequence[str] = ()
    changes: Sequence[Change] = ()


@dataclass
class Heard:
    """All that the side told, from the start of the run: the same after every restart."""

    fills: list[VenueFill] = field(default_factory=list)
    effects: list[CashEffect] = field(default_factory=list)
    incidents: list[Incident] = field(default_factory=list)
    updates: list[OrderUpdate] = field(default_factory=list)


@dataclass
class Trader:
    """One life of the process: ends with a crash."""

    disk: Disk
    executor: Executor
    plan: Plan
    draw: random.Random
    terms: SideTerms
    folder: Path = FOLDER
    log: RunLog = field(init=False)
    side: BybitSide = field(init=False)
    heard: Heard = field(default_factory=Heard)
    decisions: int = 0
    waiting: list[Request] = field(default_factory=list)
    replies: list[tuple[int, bytes]] = field(default_factory=list)

    def start(self, now_ms: int) -> None:
        """Open the log, do its inputs again, and ask for what is not known."""
        self.log = RunLog.open(self.folder, disk=self.disk)
        self.side = BybitSide(self.terms)
        made: list[bytes] = []
        for frame in tail(self.folder, disk=self.disk):
            if frame.kind in INPUTS:
                assert not made, f"intents of before frame {frame.seq} were not logged"
                made = self._apply(Input(frame.kind, frame.payload, frame.ts_ms))
            else:
                # The same inputs make the same intents, byte for byte.
                assert made, f"intent {frame.seq} is made by no input"
                assert made.pop(0) == frame.payload, f"intent {frame.seq} differs"
        for intent in made:
            # The crash came between an input and its intents.
            self.log.append(FrameKind.INTENT, intent, ts_ms=now_ms)
        self.waiting.clear()
        self.take(FrameKind.COMMAND, canonical_json({"start": 1}), now_ms)

    def take(self, kind: FrameKind, payload: bytes, now_ms: int) -> None:
        """Log an input, act on it, log what came of it."""
        self.log.append(kind, payload, ts_ms=now_ms)
        for intent in self._apply(Input(kind, payload, now_ms)):
            self.log.append(FrameKind.INTENT, intent, ts_ms=now_ms)

    def send(self, now_ms: int) -> None:
        """Sync, then carry out what waits, in any order; replies come some time later."""
        self.log.sync()
        waiting, self.waiting = self.waiting, []
        self.draw.shuffle(waiting)
        for request in waiting:
            reply = self.executor.carry_out(request)
            self.replies.append((now_ms + self.draw.randint(0, 300), reply))

    def answered(self, now_ms: int) -> list[bytes]:
        """Replies that have arrived, in the order of their arrival."""
        due = sorted((item for item in self.replies if item[0] <= now_ms), key=lambda one: one[0])
        self.replies = [item for item in self.replies if item[0] > now_ms]
        return [reply for _, reply in due]

    def _apply(self, item: Input) -> list[bytes]:
        """Act on an input; returns the intents it made. Pure but for this object's own state."""
        content = json.loads(item.payload)
        if item.kind is FrameKind.COMMAND:
            events = self.side.recover(item)
        else:
            events = self.side.hear(item)
        for event in events:
            if isinstance(event, VenueFill):
                self.heard.fills.append(event)
            elif isinstance(event, CashEffect):
                self.heard.effects.append(event)
            elif isinstance(event, Incident):
                self.heard.incidents.append(event)
            elif isinstance(event, OrderUpdate):
                self.heard.updates.append(event)
        requests: list[Request] = []
        if item.kind is FrameKind.TIMER and content.get("decide"):
            self.decisions += 1
            wishes = self.plan(self.decisions, self.side)
            requests += self.side.send(wishes.orders)
            requests += self.side.cancel(wishes.cancels)
            requests += self.side.amend(wishes.changes)
        requests += self.side.owed()
        self.waiting += requests
        return [
            canonical_json([request.kind, request.params, request.link_ids]) for request in requests
        ]

"""One run on one account of an exchange as a pure state machine: decisions out, fills in."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from pathlib import Path
from typing import Any

from openalpha.core.errors import InputError
from openalpha.core.instruments import InstrumentId
from openalpha.core.messages import CashEffect, EffectKind, OrderIntent
from openalpha.core.orders import Side, TriggerKind, is_terminal
from openalpha.engine.rows import Row
from openalpha.risk.gate import Refusal
from openalpha.risk.ladder import Step
from openalpha.risk.limits import Limits
from openalpha.store.run_log import FrameKind, canonical_json
from openalpha.trading.bybit_fates import SideTerms
from openalpha.trading.bybit_side import BybitSide
from openalpha.trading.desk import Mode
from openalpha.trading.desk_notes import Output
from openalpha.trading.feed_rows import row_of
from openalpha.trading.link_id import Cause, link_id
from openalpha.trading.orders_events import VenueFill
from openalpha.trading.plan import RunPlan
from openalpha.trading.side import (
    AccountState,
    Incident,
    Input,
    OrderUpdate,
    PlacedOrder,
    Request,
)
from openalpha.trading.subbooks import part_of
from openalpha.trading.venue_books import (
    Standing,
    of_whom,
    open_venue_book,
    stands,
)
from openalpha.trading.venue_risk import VenueRisk, told

__all__ = ["Heard", "VenueDesk", "VenueOutcome"]

_ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class Heard:
    """What the venue told that the books must post, each once."""

    fills: tuple[VenueFill, ...] = ()
    effects: tuple[CashEffect, ...] = ()
    accounts: tuple[AccountState, ...] = ()


@dataclass(frozen=True, slots=True)
class VenueOutcome:
    """What one input led to."""

    seq: int
    outputs: tuple[Output, ...] = ()
    requests: tuple[Request, ...] = ()
    heard: Heard = Heard()
    notices: tuple[str, ...] = ()
    restarts: bool = False
    locks: str = ""


@dataclass(slots=True)
class _Work:
    """What gathers while one input is taken in."""

    seq: int
    outputs: list[Output] = field(default_factory=list)
    requests: list[Request] = field(default_factory=list)
    fills: list[VenueFill] = field(default_factory=list)
    effects: list[CashEffect] = field(default_factory=list)
    accounts: list[AccountState] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)
    locks: str = ""

    def note(self, kind: FrameKind, **content: Any) -> None:
        self.outputs.append((kind, canonical_json({"of": self.seq, **content})))


class VenueDesk:
    """The state machine of a run at a venue.

    Each strategy trades instruments of its own, so what the account holds of one is its. Every
    order passes the gate; every position carries a stop at the venue.

    Parameters
    ----------
    plan : RunPlan
    run_id : str
        Part of every order's id.
    folder : Path, optional
        Of the user's strategy files.
    limits : Limits, optional
        Else those of the plan.

    Raises
    ------
    InputError
        If two strategies trade one instrument, or a strategy cannot be traded at a venue.
    """

    def __init__(
        self,
        plan: RunPlan,
        *,
        run_id: str,
        folder: Path | None = None,
        limits: Limits | None = None,
    ) -> None:
        self.plan, self.run_id = plan, run_id
        used = [number for part in plan.strategies for number in part.numbers]
        if len(set(used)) < len(used):
            raise InputError("two strategies trade one instrument; at a venue each needs its own")
        self.books = tuple(open_venue_book(plan, part, folder=folder) for part in plan.strategies)
        self.side = BybitSide(SideTerms())
        self.risk = VenueRisk(plan, self.books, limits=limits)
        self.mode, self.why = Mode.RUNNING, ""
        self.last_row_ms, self.rows = -1, 0
        self.account: AccountState | None = None
        self.incidents: list[Incident] = []
        self._causes: dict[str, tuple[int, int, str]] = {}
        self._is_flattening = False

    def apply(self, seq: int, item: Input) -> VenueOutcome:
        """Take in one input."""
        work = _Work(seq)
        content, self.risk.now_ms = json.loads(item.payload), item.ts_ms
        if self.mode is Mode.ENDED:
            return VenueOutcome(seq)
        if item.kind is FrameKind.FEED and "warm" in content:
            self._warm([row_of(payload.encode()) for payload in content["warm"]])
        elif item.kind is FrameKind.FEED and "bars" in content:
            self._lead(work, row_of(item.payload))
        elif item.kind is FrameKind.HEALTH and content.get("what") == "safety":
            self._stepped(work, self.risk.health(content, item.ts_ms))
        elif item.kind is FrameKind.COMMAND:
            self._obey(work, content)
        elif item.kind is FrameKind.TIMER and content.get("end"):
            self._end(work, str(content["end"]))
        elif item.kind is FrameKind.TIMER and content.get("recover"):
            self._hear(work, self.side.recover(item))
        else:
            self._hear(work, self.side.hear(item))
        work.requests += self.side.owed()
        self._wind_up(work)
        return VenueOutcome(
            seq,
            tuple(work.outputs),
            tuple(work.requests),
            Heard(tuple(work.fills), tuple(work.effects), tuple(work.accounts)),
            tuple(work.notices),
            item.kind is FrameKind.COMMAND and content.get("verb") == "RESTART",
            work.locks,
        )

    @property
    def is_settled(self) -> bool:
        """Whether nothing is under way but stops that stand at the venue."""
        if not self.side.is_recovered:
            return False
        return all(stands(order) for order in self.side.record.unsettled())

    @property
    def _now_ms(self) -> int:
        return self.side.now_ms or self.last_row_ms + self.plan.timeframe_ms

    def is_flat(self) -> bool:
        """Say whether no sub-book holds anything, as far as executions were heard of."""
        return not any(held.qty for book in self.books for held in book.held)

    # decisions

    def _warm(self, rows: Sequence[Row]) -> None:
        """Let the strategies see what came before the run; nothing is decided on it."""
        for book in self.books:
            parts = [part_of(row, book.part.numbers) for row in rows]
            book.thinker.remember([part for part in parts if any(part.bars)])

    def _lead(self, work: _Work, row: Row) -> None:
        close_ms = row.ts_ms + self.plan.timeframe_ms
        self.last_row_ms, self.rows = row.ts_ms, self.rows + 1
        every = [(book, part_of(row, book.part.numbers)) for book in self.books]
        led = [
            (number, book, *book.decide(part))
            for number, (book, part) in enumerate(every)
            if any(bar is not None for bar in part.bars)
        ]
        self._stepped(work, self.risk.watch(close_ms, incidents=len(self.incidents)))
        for number, book, decided, targets in led:
            work.note(
                FrameKind.DECISION,
                book=number,
                ts=close_ms,
                codes=decided.codes,
                targets=targets,
                equity=f"{decided.equity:f}",
            )
            if self.mode in (Mode.RUNNING, Mode.PAUSED) and self.side.is_recovered:
                intents = book.intents(decided, ts_ms=close_ms)
                self._order(work, number, intents)

    def _order(self, work: _Work, number: int, intents: list[tuple[str, OrderIntent]]) -> None:
        """Let intents pass the gate one after the other, and send those that did."""
        book = self.books[number]
        closing: dict[str, Decimal] = {}
        placed = []
        for leg, intent in intents:
            verdict = self.risk.judge(
                intent, intent.ts_ms, closing=closing, by_risk=self.mode is Mode.CLOSING
            )
            if isinstance(verdict, Refusal) or (self.mode is Mode.PAUSED and leg == "entry"):
                refused = isinstance(verdict, Refusal)
                words = verdict.words if isinstance(verdict, Refusal) else "the run is paused"
                reason = verdict.reason.name.lower() if isinstance(verdict, Refusal) else "paused"
                work.note(FrameKind.INTENT, book=number, refused=reason, words=words)
                if not refused or leg == "close":  # an exit is asked for again
                    book.undecide(book.number_of(intent.instrument))
                continue
            if leg == "close":
                closing[intent.instrument] = intent.qty
            if leg == "entry":
                book.stop_e6[book.number_of(intent.instrument)] = verdict.intent.stop_e6
            placed.append(self._named(work, number, leg, PlacedOrder(verdict, "")))
        if placed:
            work.requests += self.side.send(placed)

    def _named(self, work: _Work, number: int, leg: str, order: PlacedOrder) -> PlacedOrder:
        """Give an order the id that follows from its cause, and note it."""
        intent, book = order.approved.intent, self.books[number]
        cause = Cause(self.run_id, book.part.name, work.seq, intent.instrument, leg)
        name = link_id(cause)
        self._causes[name] = (number, book.number_of(intent.instrument), leg)
        row: dict[str, Any] = {
            "instrument": intent.instrument,
            "side": int(intent.side),
            "qty": f"{intent.qty.normalize():f}",
            "reduce_only": intent.is_reduce_only,
        }
        if intent.trigger_price is not None:
            row["trigger"] = f"{intent.trigger_price.normalize():f}"
        work.note(FrameKind.INTENT, book=number, link=name, order=row)
        return replace(order, link_id=name)

    def _stepped(self, work: _Work, steps: Sequence[Step]) -> None:
        """Note what the ladder did; where it says so, close everything and lock."""
        for step in steps:
            work.note(FrameKind.NOTE, **told(step))
            work.notices.append(f"risk is {step.after.name.lower()}: {step.words}")
        if self.risk.must_flatten and self.mode in (Mode.RUNNING, Mode.PAUSED):
            self.mode, self._is_flattening = Mode.CLOSING, True
            self.why = work.locks = self.risk.ladder.standing.words
            work.note(FrameKind.NOTE, mode=self.mode.value, reason=self.why)

    # what the venue says

    def _hear(self, work: _Work, events: Sequence[object]) -> None:
        moved: set[tuple[int, int]] = set()
        for event in events:
            if isinstance(event, VenueFill):
                moved |= self._filled(work, event)
            elif isinstance(event, CashEffect):
                self._paid(work, event)
            elif isinstance(event, AccountState):
                self.account = event
                work.accounts.append(event)
            elif isinstance(event, Incident):
                self.incidents.append(event)
                work.note(FrameKind.NOTE, incident=event.code, words=event.words)
                work.notices.append(f"incident {event.code}: {event.words}")
            elif isinstance(event, OrderUpdate):
                self._updated(work, event)
        for number, which in sorted(moved):
            self._protect(work, number, which)

    def _filled(self, work: _Work, event: VenueFill) -> set[tuple[int, int]]:
        work.fills.append(event)
        fill = event.fill
        work.note(
            FrameKind.NOTE,
            exec=event.exec_id,
            link=event.link_id,
            instrument=fill.instrument,
            side=int(fill.side),
            qty=f"{fill.qty:f}",
            price=f"{fill.price:f}",
            fee=f"{fill.fee:f}",
            ts=fill.ts_ms,
        )
        book = of_whom(self.books, fill.instrument)
        if book is None:
            return set()
        return {(self.books.index(book), book.take(fill))}

    def _paid(self, work: _Work, effect: CashEffect) -> None:
        work.effects.append(effect)
        work.note(
            FrameKind.NOTE,
            effect=effect.kind.name.lower(),
            coin=effect.coin,
            amount=f"{effect.amount:f}",
            n=effect.seq,
            ts=effect.ts_ms,
        )
        book = of_whom(self.books, effect.instrument or "")
        if book is not None and effect.kind is EffectKind.FUNDING:
            book.cash += effect.amount

    def _updated(self, work: _Work, event: OrderUpdate) -> None:
        status = event.status.name.lower()
        work.note(FrameKind.NOTE, link=event.link_id, status=status, words=event.words)
        cause = self._causes.get(event.link_id)
        if cause is None or not is_terminal(event.status):
            return
        number, which, leg = cause
        book = self.books[number]
        if leg == "entry" and event.filled_qty == 0:
            book.undecide(which)
        if book.stops[which].link_id == event.link_id:
            book.stops[which] = Standing()
            self._protect(work, number, which)

    def _protect(self, work: _Work, number: int, which: int) -> None:
        """Let a position's stop cover it whole; it is never without one."""
        book = self.books[number]
        old, (qty, trigger) = book.stops[which], book.wanted_stop(which)
        if (old.qty, old.trigger) == (qty, trigger):
            return
        book.stops[which] = Standing()
        if qty:
            side = Side.SELL if book.held[which].qty > 0 else Side.BUY
            intent = OrderIntent(
                ts_ms=self.side.now_ms,
                instrument=InstrumentId(book.instruments[which].id),
                side=side,
                qty=qty,
                trigger_price=trigger,
                trigger_kind=TriggerKind.STOP,
                is_reduce_only=True,
                strategy=book.part.name,
            )
            verdict = self.risk.judge(intent, self.side.now_ms)
            if isinstance(verdict, Refusal):
                words = f"{intent.instrument} stands without a stop: {verdict.words}"
                self.incidents.append(Incident("no_stop", words, self.side.now_ms))
                work.notices.append(words)
            else:
                leg = f"stop{qty.normalize():f}"
                placed = self._named(work, number, leg, PlacedOrder(verdict, ""))
                book.stops[which] = Standing(placed.link_id, qty, trigger)
                if old.link_id:
                    # The old one goes only once the venue has the new one.
                    work.requests += self.side.replace(placed, old=old.link_id)
                else:
                    work.requests += self.side.send([placed])
                return
        if old.link_id:
            work.requests += self.side.cancel([old.link_id])

    # commands

    def _obey(self, work: _Work, command: dict[str, Any]) -> None:
        verb, reason = command["verb"], str(command.get("reason", ""))
        if verb in ("PAUSE", "RESUME") and self.mode is not Mode.CLOSING:
            self.mode, self.why = (Mode.PAUSED if verb == "PAUSE" else Mode.RUNNING), reason
            work.note(FrameKind.NOTE, mode=self.mode.value, reason=reason)
        elif verb == "STOP":
            # What is under way is heard of first: only then is known what there is to close.
            self.mode, self.why = Mode.CLOSING, reason or "stopped"
            self._is_flattening = bool(command.get("flatten"))
            work.note(FrameKind.NOTE, mode=self.mode.value, reason=self.why)

    def _wind_up(self, work: _Work) -> None:
        """Close what is to be closed once nothing is under way; end when nothing is left to do."""
        if self.mode is not Mode.CLOSING or not self.is_settled:
            return
        if not self._is_flattening or self.is_flat():
            self._end(work, self.why)
            return
        for number, book in enumerate(self.books):
            self._order(work, number, book.closing(self._now_ms))

    def _end(self, work: _Work, why: str) -> None:
        self.mode, self.why = Mode.ENDED, why
        work.note(FrameKind.NOTE, mode=self.mode.value, reason=why)
        work.notices.append(f"the run is ended: {why}")

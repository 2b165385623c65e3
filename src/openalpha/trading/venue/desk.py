"""One run on one account of an exchange as a pure state machine: decisions out, fills in."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from openalpha.core.clock import DAY_MS
from openalpha.engine.bars_so_far import keep_bars_once
from openalpha.engine.mirror import Decided
from openalpha.engine.rows import Row
from openalpha.risk.ladder import Step
from openalpha.risk.limits import Limits
from openalpha.risk.view import Stage
from openalpha.store.run_log import FrameKind
from openalpha.trading.bybit.fates import SideTerms
from openalpha.trading.bybit.side import BybitSide
from openalpha.trading.orders.side import AccountState, Incident, Input, RequestKind
from openalpha.trading.paper.desk import Mode
from openalpha.trading.paper.subbooks import part_of
from openalpha.trading.run.feed_rows import row_in, row_of
from openalpha.trading.run.plan import RunPlan
from openalpha.trading.venue.allocating import VenueAllocation
from openalpha.trading.venue.books import MANUAL, open_manual_book, open_venue_book, stands
from openalpha.trading.venue.callback_desk import CallbackDesk
from openalpha.trading.venue.events import VenueEvents
from openalpha.trading.venue.manual import ManualDesk
from openalpha.trading.venue.orders import VenueOrders
from openalpha.trading.venue.risk import VenueRisk, told
from openalpha.trading.venue.state import VenueOutcome, Work
from openalpha.trading.venue.stops import Protection
from openalpha.trading.venue.worked import WorkedOrders

__all__ = ["VenueDesk"]


class VenueDesk:
    """The state machine of a run at a venue.

    Every order passes the gate; every position carries a stop at the venue. Sub-books may share an
    instrument: what they want is netted. People's orders have a sub-book of their own, opened by
    the first of them, or at once in a run without strategies.

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
        If a strategy cannot be traded at a venue.
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
        self.books = [open_venue_book(plan, part, folder=folder) for part in plan.strategies]
        keep_bars_once(part for book in self.books for part in book.so_far)
        if not plan.strategies:
            self.books.append(open_manual_book(plan))
        categories = {item.market.removeprefix("bybit_"): None for item in plan.instruments}
        self.side = BybitSide(SideTerms(categories=tuple(categories)))
        self.risk = VenueRisk(plan, self.books, limits=limits)
        self.mode, self.why = Mode.RUNNING, ""
        self.last_row_ms, self.rows = -1, 0
        self.incidents: list[Incident] = []
        self._is_flattening = False
        common: dict[str, Any] = {"side": self.side, "risk": self.risk}
        self.orders = VenueOrders(run_id, books=self.books, **common)
        self.stops = Protection(self.books, self.orders, incidents=self.incidents, **common)
        self.events = VenueEvents(
            self.books,
            self.orders,
            self.stops,
            incidents=self.incidents,
            manual=self._manual,
            **common,
        )
        self.callbacks = CallbackDesk(
            self.books, self.orders, side=self.side, incidents=self.incidents, plan=plan
        )
        self.halts = self.orders.halts
        self.allocation = VenueAllocation(plan, self.books, orders=self.orders)
        terms = plan.handling.execution
        self.worked = WorkedOrders(self.books, self.orders, side=self.side, terms=terms)
        self.orders.slow = self.worked
        self.people = ManualDesk(
            self.books, self.orders, self.stops, worked=self.worked, side=self.side
        )

    def apply(self, seq: int, item: Input) -> VenueOutcome:
        """Take in one input."""
        work = Work(seq)
        content, self.risk.now_ms = json.loads(item.payload), item.ts_ms
        if self.mode is Mode.ENDED:
            return VenueOutcome(seq)
        if item.kind is FrameKind.FEED:
            if not self._feed(work, item, content):
                return work.outcome()
        elif item.kind is FrameKind.HEALTH and content.get("what") == "instrument":
            self._halted(work, content, item.ts_ms)
        elif item.kind is FrameKind.COMMAND:
            self._obey(work, content)
        elif item.kind is FrameKind.TIMER and content.get("end"):
            self._end(work, str(content["end"]))
        elif item.kind is FrameKind.TIMER and content.get("last"):
            self.callbacks.end(work)
        else:
            self._hear(work, item, content)
        self._stepped(work, self.risk.hear(item.kind, content))
        work.requests += [*self.side.owed(), *self.risk.owed()]
        if item.kind is FrameKind.TIMER and self.side.is_recovered:
            self.worked.tick(work)
        self._tell(work)
        self._settle(work)
        self._wind_up(work)
        self._settle(work)
        self.orders.dispatch(work)
        return work.outcome()

    def _feed(self, work: Work, item: Input, content: dict[str, Any]) -> bool:
        """Take in what is fed; returns whether anything can follow from it."""
        if "messages" in content:
            callbacks, now_ms = self.callbacks, item.ts_ms
            return callbacks.market(work, content, now_ms=now_ms, is_asked=self._may_ask)
        if "warm" in content:
            self._warm([row_of(payload.encode()) for payload in content["warm"]])
        elif "curves" in content:
            self.worked.learn(content)
        elif "bars" in content:
            self._lead(work, row_in(content))
        else:
            self._hear(work, item, content)
        return True

    def _hear(self, work: Work, item: Input, content: dict[str, Any]) -> None:
        """Take in what came of the venue, of time, and of the process's own safety."""
        if item.kind is FrameKind.HEALTH and content.get("what") == "feed":
            self.callbacks.go_stale()
        if item.kind is FrameKind.HEALTH and content.get("what") == "safety":
            self._stepped(work, self.risk.health(content, item.ts_ms))
        elif item.kind is FrameKind.TIMER and content.get("recover"):
            self.callbacks.go_stale()
            self.events.hear(work, self.side.recover(item))
        elif content.get("kind") == RequestKind.ASK_MARKET:
            self.worked.hear(work, content)
        else:
            self.events.hear(work, self.side.hear(item))

    def _settle(self, work: Work) -> None:
        """Send the net of what is wanted, and let stops cover what is held, until both agree."""
        self.stops.settle(work)
        while work.wants:
            self.orders.net(work)
            self.stops.settle(work)
        self.orders.release(work)

    @property
    def account(self) -> AccountState | None:
        """The account as the venue stated it last; None before that."""
        return self.events.account

    @property
    def is_settled(self) -> bool:
        """Whether nothing is under way but stops that stand at the venue."""
        if not self.side.is_recovered or self.callbacks.owes or self.orders.sales.waiting:
            return False
        return all(stands(order) for order in self.side.record.unsettled())

    @property
    def _now_ms(self) -> int:
        return self.side.now_ms or self.last_row_ms + self.plan.timeframe_ms

    def is_flat(self) -> bool:
        """Say whether no sub-book holds anything that can be sold, as far as was heard."""
        return not any(
            book.tradable(which) for book in self.books for which in range(len(book.instruments))
        )

    def differences(self) -> list[str]:
        """Say where what the sub-books hold together is not what the venue stated last."""
        state = self.account
        return [] if state is None else list(self.events.sums.differences(state).values())

    def _halted(self, work: Work, content: dict[str, Any], ts_ms: int) -> None:
        """Hear that an instrument is not simply traded, or is again; a person hears it too."""
        words = self.halts.hear(content)
        if not words:
            return
        work.note(FrameKind.NOTE, incident="instrument_halted", words=words)
        work.notices.append(words)
        if self.halts.is_halted(str(content["id"])):
            self.incidents.append(Incident("instrument_halted", words, ts_ms))

    # decisions

    def _warm(self, rows: Sequence[Row]) -> None:
        """Let the strategies see what came before the run; nothing is decided on it."""
        for book in self.books:
            parts = [part_of(row, book.part.numbers) for row in rows]
            seen = [part for part in parts if any(part.bars)]
            if book.mind is not None:
                book.mind.thinker.remember(seen)
            if book.callbacks is not None:
                book.callbacks.context.remember(seen)
            for part in seen[-1:]:
                book.see(part)

    def _lead(self, work: Work, row: Row) -> None:
        close_ms = row.ts_ms + self.plan.timeframe_ms
        if row.ts_ms // DAY_MS != self.last_row_ms // DAY_MS:
            self.orders.forget()
        self.last_row_ms, self.rows = row.ts_ms, self.rows + 1
        decisions: dict[int, tuple[Decided, list[int]]] = {}
        for number, book in enumerate(self.books):
            part = part_of(row, book.part.numbers)
            book.see(part, close_ms=close_ms)
            if book.mind is not None and any(bar is not None for bar in part.bars):
                decided, targets = decisions[number] = book.decide(part)
                work.note(
                    FrameKind.DECISION,
                    book=number,
                    ts=close_ms,
                    codes=decided.codes,
                    targets=targets,
                    equity=f"{decided.equity:f}",
                )
        self._stepped(work, self.risk.watch(row, incidents=len(self.incidents)))
        if self.mode in (Mode.RUNNING, Mode.PAUSED) and self.side.is_recovered:
            is_paused = self.mode is Mode.PAUSED
            for number, book in enumerate(self.books):
                legs = [
                    (leg, intent)
                    for leg, intent in book.closing(close_ms)
                    if self.halts.must_close(intent.instrument, close_ms)
                ]
                self.orders.decide(work, legs, number=number, by_risk=True)
            for number, (decided, targets) in decisions.items():
                legs = [
                    (leg, intent)
                    for leg, intent in self.books[number].intents(decided, ts_ms=close_ms)
                    if not self.halts.must_close(intent.instrument, close_ms)
                ]
                legs = self.worked.sifted(work, legs, number=number, targets=targets)
                self.orders.decide(work, legs, number=number, is_paused=is_paused)
            self.allocation.look(work, close_ms)
            self.stops.look(work, close_ms)
        self._call(work, row)

    def _call(self, work: Work, row: Row) -> None:
        """Show a row to the strategies of callbacks, fills of before it first."""
        self._tell(work)
        for number, book in enumerate(self.books):
            part = part_of(row, book.part.numbers)
            if book.callbacks is not None and any(bar is not None for bar in part.bars):
                self.callbacks.bar(
                    work,
                    part,
                    number=number,
                    now_ms=row.ts_ms + self.plan.timeframe_ms,
                    is_asked=self._may_ask,
                )

    @property
    def _may_ask(self) -> bool:
        """Whether strategies of callbacks may order: the run goes on, and every fate is known."""
        return self.mode in (Mode.RUNNING, Mode.PAUSED) and self.side.is_recovered

    def _tell(self, work: Work) -> None:
        """Tell strategies of callbacks of their fills; while a fate is unknown they wait."""
        self.callbacks.is_paused = self.mode is Mode.PAUSED
        if self.side.is_recovered or self.mode is Mode.CLOSING:
            self.callbacks.tell(work, now_ms=self._now_ms, is_asked=self._may_ask)

    def _stepped(self, work: Work, steps: Sequence[Step]) -> None:
        """Note what the ladder did; where it says so, close everything and lock."""
        for step in steps:
            work.note(FrameKind.NOTE, **told(step))
            work.notices.append(f"risk is {step.after.name.lower()}: {step.words}")
        if any(step.after is not Stage.ACTIVE for step in steps):
            self.people.withdraw(work)
        if self.risk.must_flatten and self.mode in (Mode.RUNNING, Mode.PAUSED):
            self.mode, self._is_flattening = Mode.CLOSING, True
            self.why = work.locks = self.risk.ladder.standing.words
            self.callbacks.end(work)
            work.note(FrameKind.NOTE, mode=self.mode.value, reason=self.why)

    # commands

    def _obey(self, work: Work, command: dict[str, Any]) -> None:
        verb, reason = command["verb"], str(command.get("reason", ""))
        work.restarts = verb == "RESTART"
        if verb in ("PAUSE", "RESUME") and self.mode is not Mode.CLOSING:
            self.mode, self.why = (Mode.PAUSED if verb == "PAUSE" else Mode.RUNNING), reason
            if verb == "PAUSE":
                self.worked.withdraw(work)
            work.note(FrameKind.NOTE, mode=self.mode.value, reason=reason)
            standing = self.risk.ladder.standing
            if verb == "RESUME" and standing.stage is not Stage.ACTIVE:
                # Risk's own ladder is another thing than a pause, and has its own way down.
                name = self.plan.environment.name.lower()
                work.answer["words"] = (
                    f"risk is {standing.stage.name} still ({standing.words}): look, then "
                    f"`openalpha unlock --env {name}`"
                )
        elif verb == "STOP":
            # What is under way is heard of first: only then is known what there is to close.
            self.mode, self.why = Mode.CLOSING, reason or "stopped"
            self._is_flattening = bool(command.get("flatten"))
            self.people.withdraw(work)
            self.callbacks.end(work)
            work.note(FrameKind.NOTE, mode=self.mode.value, reason=self.why)
        elif verb in ("ORDER", "AMEND", "CANCEL", "CLOSE"):
            self._order_of_a_person(work, verb, command.get("wish") or {})

    def _order_of_a_person(self, work: Work, verb: str, wish: dict[str, Any]) -> None:
        if self.mode is Mode.CLOSING or not self.side.is_recovered:
            words = "is being closed" if self.mode is Mode.CLOSING else "asks the venue still"
            work.answer |= {"refused": "busy", "words": f"the run {words}"}
        elif verb == "ORDER":
            self.people.order(work, wish, number=self._manual())
        elif verb == "AMEND":
            self.people.amend(work, wish)
        elif verb == "CLOSE":
            self.people.close(work, wish)
        else:
            self.people.cancel(work, wish)

    def _manual(self) -> int:
        """Return the number of the sub-book of people's orders, opened where it is not yet."""
        for number, book in enumerate(self.books):
            if book.part.name == MANUAL:
                return number
        book = open_manual_book(self.plan)
        for other in self.books:
            for which, item in enumerate(other.instruments):
                book.marks[book.number_of(item.id)] = other.marks[which]
        self.books.append(book)
        return len(self.books) - 1

    def _wind_up(self, work: Work) -> None:
        """Close what is to be closed once nothing is under way; end when nothing is left to do."""
        if self.mode is not Mode.CLOSING or not self.is_settled:
            return
        if not self._is_flattening or self.is_flat():
            self._end(work, self.why)
            return
        for number, book in enumerate(self.books):
            legs = book.closing(self._now_ms)
            self.orders.decide(work, legs, number=number, by_risk=True)

    def _end(self, work: Work, why: str) -> None:
        self.mode, self.why = Mode.ENDED, why
        self.callbacks.stop(work)
        work.note(FrameKind.NOTE, mode=self.mode.value, reason=why)
        work.notices.append(f"the run is ended: {why}")

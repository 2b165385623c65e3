"""Risk of one run at a venue: the gate before every order, the ladder of breakers above it."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from openalpha.core.instruments import Kind
from openalpha.core.messages import ApprovedIntent, OrderIntent
from openalpha.engine.rows import Row
from openalpha.risk.gate import Gate, Refusal
from openalpha.risk.health import Health, heed
from openalpha.risk.ladder import Ladder, Step
from openalpha.risk.limits import Limits, limits_of
from openalpha.risk.view import AccountView, MarketNow, Stage, StrategyMoney, SubBook
from openalpha.store.frames import FrameKind
from openalpha.trading.bybit.requests import ask_market
from openalpha.trading.orders.side import Request, RequestKind
from openalpha.trading.run.plan import RunPlan
from openalpha.trading.venue.books import VenueBook
from openalpha.trading.venue.gauges import VenueGauges

__all__ = ["VenueRisk", "told"]

_ZERO = Decimal(0)
_ASK_EVERY_MS = 10_000
Place = tuple[str, str]
"""A sub-book's name and an instrument."""


class VenueRisk:
    """Judges the orders of a run and watches its equity. Pure: no clock, no file.

    Parameters
    ----------
    plan : RunPlan
    books : sequence of VenueBook
        The run's sub-books; read, never changed.
    limits : Limits, optional
        Else those of the plan.

    Attributes
    ----------
    now_ms : int
        The time of the input that is being taken in, UTC ms: what a bar's age is counted by.
    """

    def __init__(
        self,
        plan: RunPlan,
        books: Sequence[VenueBook],
        *,
        limits: Limits | None = None,
    ) -> None:
        limits = limits or limits_of(plan.settings.risk, plan.limits)
        self.now_ms = 0
        self.gauges = VenueGauges(plan.instruments)
        self._plan, self._closed_ms, self._asked_ms = plan, 0, 0
        self._books, self._leverage = books, plan.settings.venue.margin.leverage
        self.gate = Gate(limits)
        self.ladder = Ladder(limits, plan.breakers, start=self.equity)

    @property
    def equity(self) -> Decimal:
        """Return what the sub-books are worth together, open profit included."""
        return sum((book.equity for book in self._books), _ZERO)

    @property
    def equity_now(self) -> Decimal:
        """Return what they are worth at the marks that the venue told last."""
        moved = _ZERO
        for book in self._books:
            for item, held, mark in zip(book.instruments, book.held, book.marks, strict=True):
                now = self.gauges.marks.get(str(item.id))
                if now is not None and mark and item.kind is not Kind.INVERSE:
                    moved += held.qty * (now - mark)
        return self.equity + moved

    @property
    def must_flatten(self) -> bool:
        """Whether everything is to be closed."""
        return self.ladder.standing.stage is Stage.FLATTEN

    def judge(
        self,
        intent: OrderIntent,
        ts_ms: int,
        *,
        closing: Mapping[Place, Decimal] | None = None,
        coming: Mapping[Place, tuple[Decimal, Decimal]] | None = None,
        by_risk: bool = False,
        is_part: bool = False,
    ) -> ApprovedIntent | Refusal:
        """Ask the gate.

        Parameters
        ----------
        closing : mapping of (sub-book, instrument) to Decimal, optional
            What is being closed by orders on their way.
        coming : mapping of (sub-book, instrument) to (bought, sold), optional
            What open orders may still open.
        by_risk : bool
            Risk itself or a person closes.
        is_part : bool
            It is part of an order that passed before: a piece, or the order as it would be changed.
        """
        view = self._view(ts_ms, closing or {}, coming or {})
        return self.gate.judge(intent, view, by_risk=by_risk, is_part=is_part)

    def watch(self, row: Row, *, incidents: int) -> tuple[Step, ...]:
        """Take a reading of the account as of a row's close; return the steps it led to.

        A row that is led late, after a pause of feed or process, is stale: see `now_ms`.

        Parameters
        ----------
        row : Row
            Of the plan's instruments.
        incidents : int
            How many the run has had: what counts until it is told how many are open.
        """
        ts_ms = self._closed_ms = row.ts_ms + self._plan.timeframe_ms
        known = self.gauges.open_incidents
        reading = self.gauges.reading(
            ts_ms,
            equity=self.equity,
            open_incidents=incidents if known is None else known,
            data_age_ms=max(0, self.now_ms - ts_ms),
            volatility=self.gauges.bars(row),
        )
        step = self.ladder.observe(reading)
        return () if step is None else (step,)

    def hear(self, kind: FrameKind, content: Mapping[str, Any]) -> tuple[Step, ...]:
        """Take in what an input tells of the run's health; return the steps it led to.

        Between bars equity is counted at the venue's marks, and the feed is stale once the next row
        is overdue.
        """
        if not self.gauges.hear(kind, content, ts_ms=self.now_ms):
            return ()
        late_ms = self.now_ms - self._closed_ms - self._plan.timeframe_ms
        is_marked = kind is FrameKind.REPLY and content["kind"] == RequestKind.ASK_MARKET
        reading = self.gauges.reading(
            self.now_ms,
            equity=self.equity_now if is_marked else None,
            open_incidents=self.gauges.open_incidents,
            data_age_ms=max(0, late_ms) if self._closed_ms else None,
        )
        step = self.ladder.observe(reading)
        return () if step is None else (step,)

    def owed(self) -> list[Request]:
        """Return what the venue is to be asked now and again: how the markets stand."""
        if not self._closed_ms or self.now_ms - self._asked_ms < _ASK_EVERY_MS:
            return []
        self._asked_ms = self.now_ms
        return [
            ask_market(item.market.removeprefix("bybit_"), item.symbol)
            for item in self._plan.instruments
        ]

    def health(self, content: Mapping[str, Any], ts_ms: int) -> tuple[Step, ...]:
        """Take in what the process saw of its own safety (`Health.content`).

        Where it holds a `memory`, the run goes on from where the environment's last one stood.
        """
        steps: tuple[Step, ...] = ()
        if content.get("memory"):
            step = self.ladder.take_over(content["memory"], equity=self.equity, ts_ms=ts_ms)
            steps = () if step is None else (step,)
        return steps + heed(self.ladder, Health.of(content), ts_ms=ts_ms)

    def _view(
        self,
        ts_ms: int,
        closing: Mapping[Place, Decimal],
        coming: Mapping[Place, tuple[Decimal, Decimal]],
    ) -> AccountView:
        equity, locked = self.equity, _ZERO
        markets, rows = {}, []
        for book in self._books:
            for item, held, mark in zip(book.instruments, book.held, book.marks, strict=True):
                leverage = Decimal(1) if item.kind is Kind.SPOT else self._leverage
                if mark:
                    markets[item.id] = MarketNow(item, mark, ts_ms, leverage=leverage)
                place = (book.part.name, str(item.id))
                away = closing.get(place, _ZERO)
                bought, sold = coming.get(place, (_ZERO, _ZERO))
                rows.append(SubBook(place[0], item.id, held.qty, bought, sold, closing=away))
                committed = max(abs(held.qty) - away, _ZERO) + max(bought, sold)
                locked += committed * mark / leverage
        free = max(equity - locked, _ZERO)
        now_ms = max(ts_ms, self.now_ms)
        money = {
            book.part.name: StrategyMoney(book.capital, book.equity)
            for book in self._books
            if book.mind is not None or book.callbacks is not None
        }
        return AccountView(now_ms, equity, free, markets, rows, self.ladder.standing, money)


def told(step: Step) -> dict[str, str]:
    """Return a step of the ladder as the journal holds it."""
    return {
        "stage": step.after.name.lower(),
        "before": step.before.name.lower(),
        "reason": step.reason.name.lower(),
        "value": step.value,
        "limit": step.limit,
        "words": step.words,
    }

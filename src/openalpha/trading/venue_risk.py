"""Risk of one run at a venue: the gate before every order, the ladder of breakers above it."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from openalpha.core.instruments import Kind
from openalpha.core.messages import ApprovedIntent, OrderIntent
from openalpha.risk.gate import Gate, Refusal
from openalpha.risk.health import Health, heed
from openalpha.risk.ladder import Ladder, Step
from openalpha.risk.limits import Limits, limits_of
from openalpha.risk.reading import Reading
from openalpha.risk.settings import BreakerSettings, LimitSettings
from openalpha.risk.view import AccountView, MarketNow, Stage, SubBook
from openalpha.trading.plan import RunPlan
from openalpha.trading.venue_books import VenueBook

__all__ = ["VenueRisk", "told"]

_ZERO = Decimal(0)
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
        Else those of the plan's risk settings.
    breakers : BreakerSettings, optional

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
        breakers: BreakerSettings | None = None,
    ) -> None:
        limits = limits or limits_of(plan.settings.risk, LimitSettings())
        self.now_ms = 0
        self._books, self._leverage = books, plan.settings.venue.margin.leverage
        self.gate = Gate(limits)
        self.ladder = Ladder(limits, breakers or BreakerSettings(), start=self.equity)

    @property
    def equity(self) -> Decimal:
        """Return what the sub-books are worth together, open profit included."""
        return sum((book.equity for book in self._books), _ZERO)

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
        """
        view = self._view(ts_ms, closing or {}, coming or {})
        return self.gate.judge(intent, view, by_risk=by_risk)

    def watch(self, ts_ms: int, *, incidents: int) -> tuple[Step, ...]:
        """Take a reading of the account as of a bar's close; return the steps it led to.

        A bar that is led late, after a pause of feed or process, is stale: see `now_ms`.
        """
        reading = Reading(
            ts_ms=ts_ms,
            equity=self.equity,
            open_incidents=incidents,
            data_age_ms=max(0, self.now_ms - ts_ms),
        )
        step = self.ladder.observe(reading)
        return () if step is None else (step,)

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
        return AccountView(now_ms, equity, free, markets, rows, self.ladder.standing)


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

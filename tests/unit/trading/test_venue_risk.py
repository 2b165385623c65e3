"""Risk of a run at a venue: gate and ladder over its sub-books."""

import json
from dataclasses import dataclass, field, replace
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest

from openalpha.core.messages import ApprovedIntent
from openalpha.core.reasons import Reason
from openalpha.engine.rows import Row
from openalpha.engine.signals import EngineSettings
from openalpha.risk.gate import Refusal
from openalpha.risk.health import Health
from openalpha.risk.limits import Limits
from openalpha.risk.memory import Release
from openalpha.risk.settings import BreakerSettings, LimitSettings
from openalpha.risk.view import Stage
from openalpha.trading.venue.risk import VenueRisk, told
from tests.fakes.gate_view import BTC, WIDE, buy, sell
from tests.fakes.small_market import START_MS

PLAN = SimpleNamespace(
    settings=EngineSettings(),
    instruments=(BTC,),
    timeframe_ms=60_000,
    limits=LimitSettings(),
    breakers=BreakerSettings(),
)


def closing(ts_ms: int) -> Row:
    """A quiet bar that closes at a moment."""
    return Row(ts_ms - PLAN.timeframe_ms, (None,))


@dataclass
class Book:
    """What risk reads of a sub-book."""

    equity: Decimal = Decimal(10_000)
    qty: Decimal = Decimal(0)
    instruments: tuple[Any, ...] = (BTC,)
    marks: tuple[Decimal, ...] = (Decimal(100),)
    part: Any = field(default_factory=lambda: SimpleNamespace(name="ma"))
    mind: Any = None
    callbacks: Any = None
    capital: Decimal = Decimal(10_000)

    @property
    def held(self) -> tuple[Any, ...]:
        return (SimpleNamespace(qty=self.qty),)


@pytest.fixture
def book() -> Book:
    return Book()


@pytest.fixture
def risk(book: Book) -> VenueRisk:
    plan: Any = PLAN
    books: Any = (book,)
    return VenueRisk(plan, books, limits=Limits(**WIDE))


def test_an_order_within_the_limits_passes_and_one_beyond_does_not(risk: VenueRisk) -> None:
    assert isinstance(risk.judge(buy("10"), START_MS), ApprovedIntent)
    refused = risk.judge(buy("31"), START_MS)
    assert isinstance(refused, Refusal) and refused.reason is Reason.RISK_REFUSED


def test_a_fall_beyond_the_limit_must_flatten_and_only_risk_may_order(
    risk: VenueRisk, book: Book
) -> None:
    assert risk.watch(closing(START_MS), incidents=0) == ()
    book.qty, book.equity = Decimal(20), Decimal(8_400)
    (step,) = risk.watch(closing(START_MS + 1), incidents=0)
    assert told(step)["stage"] == "flatten" and told(step)["reason"] == "breaker_drawdown"
    assert risk.must_flatten
    close = sell("20", is_reduce_only=True)
    assert isinstance(risk.judge(close, START_MS + 1), Refusal)
    assert isinstance(risk.judge(close, START_MS + 1, by_risk=True), ApprovedIntent)


def test_a_bar_that_is_led_late_opens_nothing(risk: VenueRisk, book: Book) -> None:
    """A trader that was down must not enter on what it missed; exits pass."""
    risk.now_ms = START_MS + 180_000
    assert risk.watch(closing(START_MS), incidents=0) == ()
    assert isinstance(risk.judge(buy("1"), START_MS), ApprovedIntent)
    risk.now_ms += 1
    (step,) = risk.watch(closing(START_MS), incidents=0)
    assert step.reason is Reason.BREAKER_STALE
    refused = risk.judge(buy("1"), START_MS)
    assert isinstance(refused, Refusal) and refused.reason is Reason.BREAKER_STALE
    book.qty = Decimal(1)
    assert isinstance(risk.judge(sell("1"), START_MS), ApprovedIntent)


def test_incidents_and_locks_hold_it(risk: VenueRisk) -> None:
    (step,) = risk.watch(closing(START_MS), incidents=1)
    assert (step.after, step.reason) == (Stage.REDUCING, Reason.OPEN_INCIDENT)
    (step,) = risk.health({"what": "safety", **Health("a bad day").content()}, START_MS)
    assert (step.after, step.words) == (Stage.HALTED, "a bad day")
    assert isinstance(risk.judge(buy("1"), START_MS), Refusal)


def test_a_new_run_goes_on_from_the_last_one_s_memory(risk: VenueRisk, book: Book) -> None:
    book.equity = Decimal(8_000)
    risk.watch(closing(START_MS), incidents=0)
    memory = json.loads(json.dumps(risk.ladder.state()))
    plan: Any = PLAN
    books: Any = (Book(equity=Decimal(500)),)

    def new() -> VenueRisk:
        return VenueRisk(plan, books, limits=Limits(**WIDE))

    looked = {"what": "safety", "memory": memory}
    held = new()
    (step,) = held.health({**looked, **Health().content()}, START_MS + 1)
    assert held.must_flatten and step.after is Stage.FLATTEN
    # A person's release beside it is heard first: nothing is closed and locked again.
    freed = new()
    release = Release(1, "ann", "start over", reset_high_water=True)
    freed.health({**looked, **Health(release=release).content()}, START_MS + 1)
    assert freed.ladder.standing.stage <= Stage.REDUCING
    freed.watch(closing(START_MS + 86_400_001), incidents=0)
    assert freed.ladder.standing.stage is Stage.ACTIVE


def test_what_is_being_closed_makes_no_room(risk: VenueRisk, book: Book) -> None:
    book.qty = Decimal(25)
    closing = {("ma", str(BTC.id)): Decimal(25)}
    assert isinstance(risk.judge(sell("31"), START_MS, closing=closing), Refusal)
    assert isinstance(risk.judge(sell("30"), START_MS, closing=closing), ApprovedIntent)


def test_a_strategy_that_lost_a_tenth_of_what_it_was_given_opens_nothing(
    risk: VenueRisk, book: Book
) -> None:
    book.equity, book.mind = Decimal(8_999), object()
    risk.gate.limits = replace(risk.gate.limits, strategy_stop=Decimal("0.1"))
    refused = risk.judge(buy("1"), START_MS)
    assert isinstance(refused, Refusal) and refused.reason is Reason.STRATEGY_STOPPED
    book.capital = Decimal(9_100)
    assert isinstance(risk.judge(buy("1"), START_MS), ApprovedIntent)

"""What went wrong with limits elsewhere, one test a story; without its guard each is red."""

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from openalpha.core.clock import HOUR_MS, MINUTE_MS
from openalpha.core.reasons import Reason
from openalpha.risk.equity import EquityTrack
from openalpha.risk.gate import Gate, _Asked
from openalpha.risk.gauges import FailureGauge
from openalpha.risk.ladder import Ladder
from openalpha.risk.limits import Limits
from openalpha.risk.reading import Reading
from openalpha.risk.settings import BreakerSettings
from openalpha.risk.view import Stage
from tests.fakes.gate_view import ETH, buy, gate, held, said, sell, view
from tests.fakes.small_market import START_MS


def fall(*equities: int) -> Ladder:
    """A ladder that saw a position lose money while nothing was closed."""
    ladder = Ladder(Limits(), BreakerSettings(), start=Decimal(10_000))
    for number, equity in enumerate(equities, 1):
        ladder.observe(Reading(ts_ms=START_MS + number * HOUR_MS, equity=Decimal(equity)))
    return ladder


def test_stopped_at_ten_percent_yet_the_account_went_to_minus_forty() -> None:
    """Only entries were blocked, and only closed trades counted: freqtrade 4837, 11726.

    Guards: equity with open profit (`EquityTrack.observe`); FLATTEN as the drawdown's stage
    (`Breakers._money`), which the gate and the emergency stop carry out.
    """
    assert fall(9_700, 9_600).standing.stage is Stage.ACTIVE
    assert fall(9_700, 9_400).standing.stage is Stage.REDUCING
    ladder = fall(9_700, 9_400, 8_400)
    assert ladder.standing.stage is Stage.FLATTEN
    assert ladder.standing.reason is Reason.BREAKER_DRAWDOWN
    seen = view(held("ma", "20"), standing=ladder.standing)
    assert said([gate().judge(buy("1"), seen)]) == [Reason.BREAKER_DRAWDOWN]


def test_a_deposit_does_not_lift_the_stop() -> None:
    """Guard: `EquityTrack._flow`."""
    ladder = fall(9_000)
    later = START_MS + 2 * HOUR_MS
    ladder.observe(Reading(ts_ms=later, equity=Decimal(29_000), net_flows=Decimal(20_000)))
    ladder.observe(Reading(ts_ms=later + 1, equity=Decimal(27_300), net_flows=Decimal(20_000)))
    assert ladder.standing.stage is Stage.FLATTEN


def test_orders_went_on_after_the_kill_switch() -> None:
    """Hummingbot 2534. Guard: the gate's refusal of everything in HALTED and FLATTEN (`_closed`).

    That the venue ends flat through every fault, `test_emergency_stop` shows.
    """
    for stage in (Stage.HALTED, Stage.FLATTEN):
        ladder = Ladder(Limits(), BreakerSettings(), start=Decimal(10_000))
        ladder.trip(Reason.ORDERED_BY_PERSON, stage, ts_ms=START_MS)
        seen = view(held("ma", "5"), standing=ladder.standing)
        asked = [buy("1"), sell("5"), sell("1", of=ETH)]
        assert said([gate().judge(one, seen) for one in asked]) == [Reason.ORDERED_BY_PERSON] * 3


def test_the_kill_switch_fired_although_nothing_was_traded() -> None:
    """Hummingbot 1866. Guards: a breaker needs a number of its own, and a share enough tries."""
    ladder = Ladder(Limits(), BreakerSettings(), start=Decimal(10_000))
    for minute in range(600):
        reading = Reading(ts_ms=START_MS + minute * MINUTE_MS, equity=Decimal(10_000), requests=1)
        assert ladder.observe(reading) is None
    one_failed = Reading(ts_ms=START_MS + 601 * MINUTE_MS + HOUR_MS, requests=1, errors=1)
    assert ladder.observe(one_failed) is None
    empty = Ladder(Limits(), BreakerSettings(), start=Decimal(0))
    assert empty.observe(Reading(ts_ms=START_MS, equity=Decimal(0))) is None


def test_two_strategies_together_exceed_what_the_account_may_hold() -> None:
    """Freqtrade 3604. Guard: the gate adds up every book of the account (`_Asked.of`)."""
    limited = gate(max_position=Decimal("0.2"))
    assert said([limited.judge(buy("12", strategy="b"), view(held("a", "12")))]) == [
        Reason.RISK_REFUSED
    ]
    spread = gate(max_leverage=Decimal("0.3"))
    other = view(held("a", "12", of=ETH), held("c", "15"))
    assert said([spread.judge(buy("12", strategy="b"), other)]) == [Reason.RISK_REFUSED]


@pytest.mark.parametrize(
    ("order", "reason"),
    [
        (sell("5", strategy="b", is_reduce_only=True), Reason.REDUCE_ONLY_NO_POSITION),
        (sell("6", strategy="a", is_reduce_only=True), Reason.RISK_REFUSED),
        (sell("5", strategy="a", is_reduce_only=True), Reason.NONE),
    ],
)
def test_one_strategy_closes_what_another_holds(order: Any, reason: Reason) -> None:
    """Freqtrade 9434. Guard: `Gate._not_its_own`."""
    seen = view(held("a", "5"), held("c", "9"))
    assert said([gate().judge(order, seen)]) == [reason]


def test_the_bot_decides_on_bars_three_and_a_half_days_old() -> None:
    """Freqtrade 11725: blind for 5,148 minutes until somebody reloaded it by hand.

    Guards: the age of the market at the gate (`Gate._stale`) and the breaker of the feed.
    """
    watchful = gate(max_price_age_ms=180_000)
    old = view(held("ma", "5"), seen_ms=START_MS - 5_148 * MINUTE_MS)
    assert said([watchful.judge(buy("1"), old), watchful.judge(sell("5"), old)]) == [
        Reason.BREAKER_STALE,
        Reason.NONE,
    ]
    fresh = view(seen_ms=START_MS - 180_000)
    assert said([watchful.judge(buy("1"), fresh)]) == [Reason.NONE]
    ladder = Ladder(Limits(), BreakerSettings(), start=Decimal(10_000))
    ladder.observe(Reading(ts_ms=START_MS, data_age_ms=5_148 * MINUTE_MS))
    assert ladder.standing.reason is Reason.BREAKER_STALE
    ladder.observe(Reading(ts_ms=START_MS + 1, data_age_ms=0))
    step = ladder.observe(Reading(ts_ms=START_MS + 60_001, data_age_ms=0))
    assert step is not None and step.after is Stage.ACTIVE, "it sees again without being reloaded"


Removal = Callable[[pytest.MonkeyPatch], None]


def _sees_one_strategy(patch: pytest.MonkeyPatch) -> None:
    made = _Asked.of.__func__  # type: ignore[attr-defined]

    def alone(cls: Any, intent: Any, view: Any) -> Any:
        asked = made(cls, intent, view)
        own_view = replace(view, books=[b for b in view.books if b.strategy == intent.strategy])
        return replace(asked, account_after=asked.own_after, view=own_view)

    patch.setattr(_Asked, "of", classmethod(alone))


def _counts_no_tries(patch: pytest.MonkeyPatch) -> None:
    observe = FailureGauge.observe

    def always_enough(self: FailureGauge, ts_ms: int, **more: int) -> tuple[int, Decimal]:
        return 1_000, observe(self, ts_ms, **more)[1]

    patch.setattr(FailureGauge, "observe", always_enough)


GUARDS: dict[str, tuple[Callable[[], None], Removal]] = {
    "the drawdown of equity with open profit (EquityTrack.is_fallen)": (
        test_stopped_at_ten_percent_yet_the_account_went_to_minus_forty,
        lambda patch: patch.setattr(EquityTrack, "is_fallen", lambda self, share: False),
    ),
    "money moved in or out is no profit (EquityTrack._flow)": (
        test_a_deposit_does_not_lift_the_stop,
        lambda patch: patch.setattr(EquityTrack, "_flow", lambda self, moved, after: None),
    ),
    "HALTED and FLATTEN refuse everything (Gate._closed)": (
        test_orders_went_on_after_the_kill_switch,
        lambda patch: patch.setattr(Gate, "_closed", lambda self, asked, *, by_risk: None),
    ),
    "a share needs enough tries (FailureGauge)": (
        test_the_kill_switch_fired_although_nothing_was_traded,
        _counts_no_tries,
    ),
    "the gate adds up every book of the account (_Asked.of)": (
        test_two_strategies_together_exceed_what_the_account_may_hold,
        _sees_one_strategy,
    ),
    "an exit is of what its own strategy holds (Gate._not_its_own)": (
        lambda: test_one_strategy_closes_what_another_holds(
            sell("5", strategy="b", is_reduce_only=True), Reason.REDUCE_ONLY_NO_POSITION
        ),
        lambda patch: patch.setattr(Gate, "_not_its_own", lambda self, asked: None),
    ),
    "nothing is opened on old data (Gate._stale)": (
        test_the_bot_decides_on_bars_three_and_a_half_days_old,
        lambda patch: patch.setattr(Gate, "_stale", lambda self, asked: None),
    ),
}


@pytest.mark.parametrize("guard", GUARDS)
def test_without_its_guard_a_story_happens(guard: str, monkeypatch: pytest.MonkeyPatch) -> None:
    story, remove = GUARDS[guard]
    story()
    remove(monkeypatch)
    with pytest.raises(AssertionError):
        story()

"""Each breaker of a run at a venue, tripped by inputs alone: step, reason and number are noted."""

import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from openalpha.core.messages import Environment, Fill
from openalpha.core.orders import Leg, Role, Side
from openalpha.core.reasons import Reason
from openalpha.engine.rows import Row
from openalpha.engine.signals import EngineSettings
from openalpha.market.catalogue import instrument_for
from openalpha.store.run_log import FrameKind, canonical_json
from openalpha.trading.orders.side import Input
from openalpha.trading.run.feed_rows import row_payload
from openalpha.trading.run.plan import RunPlan, under_live_limits
from openalpha.trading.venue.desk import VenueDesk
from tests.fakes.small_market import START_MS

MINUTE_MS = 60_000
DAY_MS = 86_400_000
BTC = instrument_for("bybit_linear:BTCUSDT")


class Told:
    """A desk that is told things, and what it noted of its ladder."""

    def __init__(self) -> None:
        plan = RunPlan(
            Environment.TWIN,
            MINUTE_MS,
            Decimal(10_000),
            (BTC,),
            (),
            under_live_limits(EngineSettings()),
            (False,),
            (False,),
        )
        self.desk = VenueDesk(plan, run_id="r")
        self.ts_ms, self.seq, self.rows = START_MS, 0, 0
        self.steps: list[dict[str, str]] = []

    def hear(self, kind: FrameKind, content: Any, *, after_ms: int = 100) -> None:
        payload = content if isinstance(content, bytes) else canonical_json(content)
        self.ts_ms, self.seq = self.ts_ms + after_ms, self.seq + 1
        outcome = self.desk.apply(self.seq, Input(kind, payload, self.ts_ms))
        notes = [json.loads(note) for kind, note in outcome.outputs if kind is FrameKind.NOTE]
        self.steps += [note for note in notes if "stage" in note]

    def bar(self, high: int = 60_010, low: int = 59_990, close: int = 60_000) -> None:
        scale = 10**BTC.price_decimals
        bar = (close * scale, high * scale, low * scale, close * scale, 5)
        start_ms = START_MS + self.rows * MINUTE_MS
        self.rows += 1
        self.ts_ms = max(self.ts_ms, start_ms + MINUTE_MS)
        self.hear(FrameKind.FEED, row_payload(Row(start_ms, (bar,))), after_ms=1)

    def reply(self, kind: str, *, outcome: str = "answer", **more: Any) -> None:
        content = {
            "kind": kind,
            "params": {"category": "linear", "what": "wallet"},
            "link_ids": [],
            "outcome": outcome,
            "rows": [],
            "items": [],
            "code": 0,
            "words": "",
            "ts_ms": self.ts_ms,
            "sent_ms": self.ts_ms - 50,
            "rate_left": "0.9",
        }
        self.hear(FrameKind.REPLY, content | more)

    def market(self, bid: str, ask: str, mark: str = "60000") -> None:
        row = {"symbol": "BTCUSDT", "bid1Price": bid, "ask1Price": ask, "markPrice": mark}
        params = {"category": "linear", "symbol": "BTCUSDT"}
        self.reply("ask_market", params=params, rows=[row])

    def positions(self, liq: str, size: str = "1") -> None:
        row = {"symbol": "BTCUSDT", "size": size, "side": "Buy", "markPrice": "60000"}
        params = {"category": "linear", "what": "positions"}
        self.reply("ask_account", params=params, rows=[row | {"liqPrice": liq, "avgPrice": "1"}])

    def calm(self, ms: int = 120_000) -> None:
        for _ in range(ms // 500):
            self.hear(FrameKind.TIMER, {}, after_ms=500)

    def trip(self, profit: int) -> None:
        """A round trip of one contract that earns so much, before fees."""
        gauges = self.desk.risk.gauges
        gauges.filled("manual", fill(Side.BUY, 60_000))
        gauges.filled("manual", fill(Side.SELL, 60_000 + profit))


def fill(side: Side, price: int) -> Fill:
    return Fill(
        seq=1,
        ts_ms=START_MS,
        account=0,
        instrument=BTC.id,
        order_id=1,
        side=side,
        leg=Leg.NET,
        price=Decimal(price),
        qty=Decimal(1),
        role=Role.TAKER,
        fee=Decimal(30),
        fee_coin="USDT",
        realised_pnl=Decimal(0),
        is_reducing=side is Side.SELL,
        reason=Reason.NONE,
    )


@pytest.fixture
def told() -> Told:
    found = Told()
    found.bar()
    assert found.steps == []
    return found


def only(told: Told, reason: str) -> dict[str, str]:
    (step,) = told.steps
    assert step["reason"] == reason
    return step


def spread(told: Told) -> None:
    told.market("59800", "60200")


def volatility(told: Told) -> None:
    for _ in range(100):
        told.bar()
        told.market("60000", "60000.1")
    told.bar(high=60_200, low=60_000)


def stale(told: Told) -> None:
    told.hear(FrameKind.TIMER, {}, after_ms=MINUTE_MS + 180_000)


def errors(told: Told) -> None:
    for _ in range(10):
        told.reply("ask_account", outcome="not_sent", ts_ms=0)


def clock(told: Told) -> None:
    told.reply("ask_account", ts_ms=told.ts_ms - 5_000, sent_ms=told.ts_ms - 3_500)


def rate(told: Told) -> None:
    for _ in range(3):
        told.reply("ask_account", rate_left="0.05")


def liquidation(told: Told) -> None:
    told.positions("57000")


def incidents(told: Told) -> None:
    told.hear(FrameKind.HEALTH, {"what": "incidents", "open": 2})


def streak(told: Told) -> None:
    for _ in range(8):
        told.trip(profit=50)  # less than both fees
    told.bar()


TRIPPED: list[tuple[Callable[[Told], None], str, str, str]] = [
    (spread, "breaker_spread", "66.6667", "50"),
    (volatility, "breaker_volatility", "10", "6"),
    (stale, "breaker_stale", "180001", "180000"),
    (errors, "breaker_errors", "1", "0.3"),
    (clock, "breaker_clock", "1500", "1000"),
    (rate, "breaker_rate_budget", "0.05", "0.1"),
    (liquidation, "breaker_liquidation", "0.05", "0.1"),
    (incidents, "open_incident", "2", "0"),
    (streak, "breaker_loss_streak", "8", "8"),
]


@pytest.mark.parametrize(("story", "reason", "value", "limit"), TRIPPED)
def test_a_breaker_trips_with_its_number(
    told: Told, story: Callable[[Told], None], reason: str, value: str, limit: str
) -> None:
    story(told)
    step = only(told, reason)
    assert (step["before"], step["stage"]) == ("active", "reducing")
    assert (step["value"], Decimal(step["limit"])) == (value, Decimal(limit))
    assert value in step["words"]


def test_rejected_orders_trip(told: Told) -> None:
    for _ in range(10):
        told.desk.risk.gauges.rejected()
        told.reply("place", link_ids=["x"], params={"category": "linear", "orders": []})
    assert only(told, "breaker_rejects")["value"] == "1"


def test_near_its_liquidation_everything_is_closed(told: Told) -> None:
    told.positions("59000")
    assert [step["stage"] for step in told.steps] == ["flatten"]
    assert told.desk.risk.must_flatten


def test_what_is_over_resumes_after_a_calm_minute(told: Told) -> None:
    spread(told)
    told.market("60000", "60000.1")
    told.calm(50_000)
    assert [step["stage"] for step in told.steps] == ["reducing"]
    told.calm(20_000)
    assert [step["stage"] for step in told.steps] == ["reducing", "active"]


def test_a_position_that_is_gone_is_at_no_distance(told: Told) -> None:
    liquidation(told)
    told.positions("57000", size="0")
    told.calm(70_000)
    assert told.desk.risk.gauges.reading(told.ts_ms).liquidation_distance == 1
    assert told.steps[-1]["stage"] == "active"


def test_a_slow_venue_is_no_wrong_clock(told: Told) -> None:
    """The answer came five seconds after the question; the venue's clock lies between."""
    told.reply("ask_account", ts_ms=told.ts_ms - 4_000, sent_ms=told.ts_ms - 5_000)
    assert told.steps == []


def test_a_full_batch_uses_a_second_up_and_no_more(told: Told) -> None:
    told.reply("place", rate_left="0")
    told.reply("ask_account")
    assert told.steps == []


def test_a_day_s_loss_holds_until_the_day_ends_made_good_or_not(told: Told) -> None:
    book = told.desk.books[0]
    book.cash -= 600  # 6 % of it
    told.bar()
    assert only(told, "breaker_daily_loss")["value"] == "0.06"
    book.cash += 600
    for _ in range(90):
        told.bar()
    assert len(told.steps) == 1
    told.rows = DAY_MS // MINUTE_MS
    told.bar()
    told.bar()
    assert told.steps[-1]["stage"] == "active"


def test_equity_between_bars_is_counted_at_the_venue_s_marks(told: Told) -> None:
    book = told.desk.books[0]
    book.take(fill(Side.BUY, 60_000))
    told.market("53900", "54000", mark="54000")  # 6,000 of 10,000 are gone
    assert told.desk.risk.must_flatten
    assert told.steps[-1]["reason"] == "breaker_drawdown"


def test_a_run_goes_on_from_the_gauges_of_before(told: Told) -> None:
    for _ in range(4):
        told.trip(profit=50)
    told.positions("40000")
    told.market("60000", "60001")
    gauges = told.desk.risk.gauges
    state = json.loads(canonical_json(gauges.state()))
    again = Told().desk.risk.gauges
    again.restore(state)
    assert again.state() == gauges.state()
    assert again.reading(1) == gauges.reading(1)

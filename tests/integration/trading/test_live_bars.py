"""Bars of a live market against a served twin: pushed, asked for when cut, never made up."""

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from openalpha.engine.rows import Row
from openalpha.market.catalogue import instrument_for
from openalpha.net import HttpTransport, Request
from openalpha.trading.feeds.live_bars import LiveBars
from openalpha.trading.feeds.venue_market import Bars, LockstepClock
from openalpha.venue.bybit.channel import Channel
from tests.fakes.twin import BTC, START_MS, new_exchange, served

MINUTE_MS = 60_000
FIRST_MS = START_MS // MINUTE_MS * MINUTE_MS + MINUTE_MS
ITEMS = [instrument_for("bybit_linear:BTCUSDT"), instrument_for("bybit_linear:ETHUSDT")]


class CountingBars(Bars):
    """Bars that know how many were asked for because they were not pushed."""

    known_rows = 0

    def known(self, after_ms: int, now_ms: int) -> tuple[list[Row], int]:
        rows, until_ms = super().known(after_ms, now_ms)
        self.known_rows += len(rows)
        return rows, until_ms


@dataclass
class Market:
    """A twin whose clock the test moves, and the feed that listens to it."""

    clock: LockstepClock
    feed: LiveBars
    asked: "CountingBars"
    network: HttpTransport
    url: str

    def rows(self, after_ms: int, is_it: Callable[[list[Row]], bool]) -> list[Row]:
        ends = time.monotonic() + 20
        while True:
            rows = self.feed.closed(after_ms, self.clock.now_ms())
            if is_it(rows):
                return rows
            assert time.monotonic() < ends, rows
            time.sleep(0.02)

    def until(self, is_it: Callable[[], bool]) -> None:
        ends = time.monotonic() + 20
        while not is_it():
            assert time.monotonic() < ends
            time.sleep(0.02)

    def go_on(self, ms: int, *, by_ms: int = 10_000) -> None:
        """Let time pass slowly enough for every push."""
        for _ in range(ms // by_ms):
            self.clock.wait(by_ms)
            time.sleep(0.05)

    def post(self, path: str, **content: str) -> None:
        body = json.dumps(content).encode()
        headers = {"Content-Type": "application/json"}
        assert self.network.send(Request(self.url + path, "POST", headers, body)).status == 200


@pytest.fixture
def market() -> Iterator[Market]:
    from decimal import Decimal

    from openalpha.venue.twin import ListingSpec

    eth = ListingSpec("linear", "ETHUSDT", Decimal(3_000))
    exchange = new_exchange(BTC, eth, step_ms=10_000)
    with served(exchange) as url, HttpTransport(timeout_s=20.0) as network:
        clock = LockstepClock(network, url)
        asked = CountingBars(Channel(network, url, clock=clock), ITEMS, MINUTE_MS)
        feed = LiveBars(asked, ITEMS, url=url, bar_timeout_ms=2_000)
        feed.start()
        market = Market(clock, feed, asked, network, url)
        market.until(lambda: bool(feed._notes))  # the line is up
        time.sleep(0.2)  # subscribed
        yield market
        feed.close()


def test_pushed_bars_are_those_that_are_asked_for(market: Market) -> None:
    market.go_on(4 * MINUTE_MS)
    rows = market.rows(FIRST_MS - 1, lambda rows: len(rows) >= 2)
    assert market.asked.known_rows == 0, "all were pushed"
    asked = market.asked.closed(FIRST_MS - 1, market.clock.now_ms())
    assert rows == asked[: len(rows)]
    assert [row.ts_ms for row in rows[:2]] == [FIRST_MS, FIRST_MS + MINUTE_MS]


def test_what_was_not_pushed_is_asked_for_and_none_is_left_out(market: Market) -> None:
    market.clock.wait(7 * MINUTE_MS)  # in one leap: the socket tells of the last one only
    rows = market.rows(FIRST_MS - 1, lambda rows: len(rows) >= 5)
    assert [row.ts_ms for row in rows] == [FIRST_MS + n * MINUTE_MS for n in range(len(rows))]
    assert rows == market.asked.closed(FIRST_MS - 1, market.clock.now_ms())[: len(rows)]
    assert market.asked.known_rows >= 4


@pytest.mark.parametrize("kind", ["close_sockets", "half_open"])
def test_a_line_that_is_cut_loses_nothing(market: Market, kind: str) -> None:
    market.go_on(2 * MINUTE_MS)
    market.post("/twin/faults", kind=kind, match="public")
    market.go_on(4 * MINUTE_MS)
    rows = market.rows(FIRST_MS - 1, lambda rows: len(rows) >= 4)
    assert [row.ts_ms for row in rows] == [FIRST_MS + n * MINUTE_MS for n in range(len(rows))]
    if kind == "close_sockets":
        notes = [json.loads(payload) for _, payload in market.feed.take()]
        assert [note["is_up"] for note in notes if note["what"] == "feed"][:2] == [True, False]


def test_a_changed_status_is_said(market: Market) -> None:
    market.post("/twin/instrument", category="linear", symbol="ETHUSDT", status="Closed")
    market.feed.look_at_statuses()
    notes = [json.loads(payload) for _, payload in market.feed.take()]
    told = [(note["id"], note["status"]) for note in notes if note["what"] == "instrument"]
    assert told[-1] == ("bybit_linear:ETHUSDT", "Closed")
    market.feed.look_at_statuses()
    assert market.feed.take() == [], "each change once"

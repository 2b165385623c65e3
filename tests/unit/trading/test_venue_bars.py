"""What was missed is asked for page by page: in order, none left out, and never without a bound."""

import json

import pytest

from openalpha.core.clock import ManualClock
from openalpha.market.catalogue import instrument_for
from openalpha.trading.feeds import venue_market
from openalpha.trading.feeds.venue_market import Bars
from openalpha.venue.twin import Exchange, TwinSettings
from tests.fakes.bybit import URL, wire
from tests.fakes.twin import BTC, START_MS, admin

MINUTE_MS = 60_000
LAST_MS = START_MS // MINUTE_MS * MINUTE_MS - MINUTE_MS
MISSED = 2_500
BEFORE_MS = LAST_MS - MISSED * MINUTE_MS


@pytest.fixture(scope="module")
def exchange() -> Exchange:
    settings = TwinSettings(listings=(BTC,), backfill_days=2, levels=50)
    made = Exchange(settings, ManualClock(START_MS))
    made.limits.is_lifted = True
    return made


@pytest.fixture
def bars(exchange: Exchange) -> Bars:
    channel = wire(exchange, URL)[0].channel
    return Bars(channel, [instrument_for("bybit_linear:BTCUSDT")], MINUTE_MS)


def test_more_bars_than_the_venue_gives_at_once_come_whole_and_in_order(bars: Bars) -> None:
    rows = bars.closed(BEFORE_MS, START_MS)
    assert [row.ts_ms for row in rows] == [
        BEFORE_MS + (number + 1) * MINUTE_MS for number in range(MISSED)
    ]
    assert rows[-1:] == bars.closed(LAST_MS - MINUTE_MS, START_MS)
    assert bars.closed(LAST_MS, START_MS) == []
    assert bars.known(BEFORE_MS, START_MS) == (rows, LAST_MS)


def test_what_is_beyond_the_bound_comes_next(bars: Bars, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(venue_market, "_MOST_ROWS", 1_500)
    whole, after_ms = [], BEFORE_MS
    for count in (2_000, 500, 0):
        rows, until_ms = bars.known(after_ms, START_MS)
        assert len(rows) == count
        whole += rows
        after_ms = until_ms
    assert after_ms == LAST_MS
    assert [row.ts_ms for row in whole] == list(range(BEFORE_MS + MINUTE_MS, START_MS, MINUTE_MS))[
        :MISSED
    ]


def test_minutes_without_a_bar_are_passed_over(exchange: Exchange, bars: Bars) -> None:
    first_ms = min(row.ts_ms for row in bars.closed(LAST_MS - 2_880 * MINUTE_MS, START_MS))
    long_ago_ms = first_ms - 3_000 * MINUTE_MS
    rows = bars.closed(long_ago_ms, START_MS)
    assert rows[0].ts_ms == first_ms and rows[-1].ts_ms == LAST_MS


def test_settlements_beyond_one_answer_are_asked_for(exchange: Exchange, bars: Bars) -> None:
    stamps = [START_MS - (450 - number) * MINUTE_MS for number in range(450)]
    exchange.state.funding["linear:BTCUSDT"] = [(stamp, 7) for stamp in stamps]
    found = bars.funding(0, after_ms=stamps[0], until_ms=START_MS)
    assert found == [(stamp, 7) for stamp in stamps[1:]]


def test_an_instrument_that_is_not_listed_any_more_is_closed(exchange: Exchange) -> None:
    channel = wire(exchange, URL)[0].channel
    items = [instrument_for(f"bybit_linear:{name}") for name in ("BTCUSDT", "ETHUSDT")]
    bars = Bars(channel, items, MINUTE_MS)
    assert [json.loads(payload) for payload in bars.news()] == [
        {"what": "instrument", "id": f"bybit_linear:{name}", "status": status, "delivery_ms": 0}
        for name, status in (("BTCUSDT", "Trading"), ("ETHUSDT", "Closed"))
    ]
    assert bars.news() == [], "each change once"
    admin(exchange, "/twin/instrument", symbol="BTCUSDT", delivery_ms=START_MS + 1_000)
    (news,) = (json.loads(payload) for payload in bars.news())
    assert (news["status"], news["delivery_ms"]) == ("Trading", START_MS + 1_000)

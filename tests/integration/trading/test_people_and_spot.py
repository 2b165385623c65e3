"""People's orders and spot at the real twin: own sub-book, coins of before untouched, parcels."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from openalpha.books.accounts import Book
from openalpha.books.entries import EntryKind
from openalpha.books.naming import checked_lots
from openalpha.books.tax import Policy, assess
from openalpha.books.trades import Filters, entries
from openalpha.books.whole import history_of
from openalpha.core.clock import ManualClock
from openalpha.core.messages import Environment
from openalpha.engine.signals import EngineSettings
from openalpha.market.catalogue import instrument_for
from openalpha.net import HttpTransport
from openalpha.store.exchange_key import ExchangeKey
from openalpha.trading.analysis.replay import replay
from openalpha.trading.run.commands import Command
from openalpha.trading.run.folder import RunFolder
from openalpha.trading.safety.emergency_holdings import keep_bought, read_bought
from openalpha.trading.venue.driver import VenueDriver
from openalpha.trading.venue.starting import VenueTerms, begin_venue_run
from tests.fakes.live_runs import books
from tests.fakes.twin import (
    BTC,
    BTC_SPOT,
    SPOT,
    START_MS,
    Client,
    admin,
    new_exchange,
    served,
    wait,
)
from tests.integration.trading.test_venue_runs import FAST, MINUTE_MS, Place

SPOT_ID, LINEAR_ID = "bybit_spot:BTCUSDT", "bybit_linear:BTCUSDT"
BEFORE = Decimal("0.5")


@contextmanager
def both_markets(home: Path) -> Iterator[Place]:
    """A twin with both markets, and an account that held half a bitcoin before."""
    exchange = new_exchange(BTC, BTC_SPOT, step_ms=10_000)
    client = Client.of(exchange, USDT="50000", BTC=str(BEFORE))
    with served(exchange) as url, HttpTransport(timeout_s=20.0, total_s=40.0) as transport:
        yield Place(exchange, client, ExchangeKey(client.key, client.secret, url), transport, home)


@pytest.fixture
def place(home: Path) -> Iterator[Place]:
    with both_markets(home) as one:
        yield one


def begun(place: Place, *asked: Any, minutes: int = 0, on: str = SPOT_ID) -> RunFolder:
    return begin_venue_run(
        place.home,
        asked,
        instruments=[instrument_for(on)],
        terms=VenueTerms(Environment.TWIN, MINUTE_MS, Decimal(40_000), minutes * MINUTE_MS),
        settings=EngineSettings(),
        clock=place.clock,
    )


def turned(driver: VenueDriver, count: int = 3) -> None:
    for _ in range(count):
        driver.turns.step()


def opened(place: Place, folder: RunFolder, ledger: Any) -> VenueDriver:
    driver = place.driver(folder, ledger)
    driver.start()
    while not driver.desk.rows:
        turned(driver, 1)
    return driver


def said(driver: VenueDriver, verb: str, **wish: Any) -> dict[str, Any]:
    answer = dict(driver.command(Command(verb, "a test", wish={"by": "ann", **wish})))
    turned(driver)
    return answer


def coins(place: Place) -> Decimal:
    return place.client.balance("BTC")


def conditional(place: Place) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = place.client.get(
        "/v5/order/realtime", **SPOT, orderFilter="StopOrder"
    )["list"]
    return rows


def test_a_person_buys_and_sells_what_was_bought_and_no_coin_of_before(place, home):
    folder = begun(place)
    with books(home) as ledger:
        driver = opened(place, folder, ledger)
        bought = said(driver, "ORDER", instrument=SPOT_ID, side="buy", qty="0.05")
        assert bought["link"].startswith("manual-")
        (book,) = driver.desk.books
        assert coins(place) - BEFORE == book.held[0].qty < Decimal("0.05"), "the fee is in coins"
        (stop,) = conditional(place)
        assert Decimal(stop["qty"]) == book.tradable(0), "the coins have their stop at the venue"
        refused = said(driver, "ORDER", instrument=SPOT_ID, side="sell", qty="0.2")
        assert refused["refused"] == "insufficient_balance"
        sold = said(driver, "ORDER", instrument=SPOT_ID, side="sell", qty=f"{book.tradable(0):f}")
        assert sold["link"] and BEFORE <= coins(place) < BEFORE + Decimal("0.000001")
        assert conditional(place) == [], "nothing is left to protect"
        assert driver.desk.incidents == [] and driver.desk.differences() == []
        assert driver.poster.cash()["USDT"] == place.client.balance()
    assert replay(folder).is_same


def test_a_sale_uses_the_parcels_its_order_names(place, home):
    folder = begun(place)
    book = Book(Environment.TWIN, "me")
    with books(home, clock=ManualClock(START_MS)) as ledger:
        driver = opened(place, folder, ledger)
        for qty in ("0.02", "0.03"):
            said(driver, "ORDER", instrument=SPOT_ID, side="buy", qty=qty)
        events = history_of(ledger, "me", environment=Environment.TWIN).events
        held = assess(events, Policy())
        _, second = sorted(
            (p for p in held.parcels if p.asset == "BTC" and p.left < BEFORE),
            key=lambda parcel: parcel.left,
        )
        lots = checked_lots(
            ledger, book, coin="BTC", qty=Decimal("0.025"), lots=[(second.id[:10], None)]
        )
        rows = [[name, str(qty)] for name, qty in lots]
        said(driver, "ORDER", instrument=SPOT_ID, side="sell", qty="0.025", lots=rows)
        found = assess(history_of(ledger, "me", environment=Environment.TWIN).events, Policy())
        (used,) = [piece for piece in found.slices if piece.qty == Decimal("0.025")]
        assert used.parcel is not None and used.parcel.id == second.id
        (entry,) = entries(ledger.database, book, filters=Filters(kind=EntryKind.SELECTION))
        assert json.loads(entry.memo) == {"lots": rows, "by": "ann"} and entry.hash
    assert replay(folder).is_same


def test_an_order_that_rests_is_changed_and_cancelled(place, home):
    folder = begun(place, on=LINEAR_ID)
    with books(home) as ledger:
        driver = opened(place, folder, ledger)
        wish = {"instrument": LINEAR_ID, "side": "buy", "qty": "0.05", "post_only": True}
        link = said(driver, "ORDER", **wish, limit="50000")["link"]
        assert said(driver, "AMEND", link=link[:12], limit="51000")["link"] == link
        (row,) = place.client.get("/v5/order/realtime", category="linear", symbol="BTCUSDT")["list"]
        assert Decimal(row["price"]) == 51_000 and row["orderLinkId"] == link
        assert said(driver, "AMEND", link=link, qty="90")["refused"] == "risk_refused"
        assert said(driver, "CANCEL", link=link)["links"] == [link]
        rows = place.client.get("/v5/order/realtime", category="linear", symbol="BTCUSDT")["list"]
        assert rows == []
        assert said(driver, "CANCEL", link=link)["refused"] == "not_understood"
    assert replay(folder).is_same


def test_an_entry_beyond_the_market_is_not_stopped_as_it_fills(place, home):
    """A limit through the market fills at the market: its stop is measured from there."""
    driver = opened(place, begun(place, on=LINEAR_ID), None)
    for side, limit in (("buy", "65000"), ("sell", "55000")):
        wish = {"instrument": LINEAR_ID, "side": side, "qty": "0.01"}
        assert said(driver, "ORDER", **wish, limit=limit)["link"]
        turned(driver)
        (book,) = driver.desk.books
        assert abs(book.held[0].qty) == Decimal("0.01") and book.fills % 2, "it is held"
        assert said(driver, "CLOSE")["closing"]
        assert not book.held[0].qty


def test_an_entry_that_waits_for_its_price_brings_its_stop(place, home):
    """Should it fill while nobody listens, the position has its stop; changed, the stop moves."""
    driver = opened(place, begun(place, on=LINEAR_ID), None)
    wish = {"instrument": LINEAR_ID, "qty": "0.01"}
    stops = {}
    for side, trigger, moved in (("buy", "65000", "66000"), ("sell", "55000", "54000")):
        link = said(driver, "ORDER", **wish, side=side, trigger=trigger)["link"]
        said(driver, "AMEND", link=link, trigger=moved)
        stops[side] = moved
    resting = said(driver, "ORDER", **wish, side="buy", limit="50000")["link"]
    said(driver, "AMEND", link=resting, limit="51000")
    rows = place.client.get("/v5/order/realtime", category="linear", symbol="BTCUSDT")["list"]
    away = Decimal("0.03")
    shown = {(row["side"], row["triggerPrice"]): Decimal(row["stopLoss"]) for row in rows}
    assert shown[("Buy", "66000.0")] == 65_000 * (1 - away) + 1_000
    assert shown[("Sell", "54000.0")] == 55_000 * (1 + away) - 1_000
    assert next(stop for (_, trigger), stop in shown.items() if not trigger) == 49_500
    place.client.post("/v5/order/cancel", category="linear", symbol="BTCUSDT", orderLinkId=resting)
    admin(place.exchange, "/twin/market", symbol="BTCUSDT", event="gap", size="0.115")
    wait(place.exchange, 30_000)
    assert place.client.position()["side"] == "Buy"
    assert Decimal(place.client.position()["stopLoss"]) == 65_000 * (1 - away) + 1_000


@pytest.mark.parametrize(
    ("wish", "words"),
    [
        ({"side": "buy", "qty": "0.1", "instrument": "bybit_spot:DOGE"}, "has no"),
        ({"side": "buy", "qty": "0"}, "above 0"),
        ({"side": "buy", "qty": "x"}, "expected a number"),
        ({"side": "buy"}, "needs its quantity"),
        ({"side": "buy", "qty": "0.1", "limit": "50000.123"}, "multiple"),
        ({"side": "buy", "qty": "0.1", "post_only": True}, "limit order"),
        ({"side": "buy", "qty": "0.1", "lots": [["a", "1"]]}, "sale on spot"),
    ],
)
def test_an_order_that_cannot_be_is_answered_in_words(place, home, wish, words):
    driver = opened(place, begun(place), None)
    answer = driver.command(Command("ORDER", wish={"instrument": SPOT_ID, **wish}))
    assert words in answer["words"] and "link" not in answer


def test_a_strategy_trades_spot_and_the_sub_books_add_up(place, home):
    keep_bought(home, "twin", bought={"BTCUSDT": Decimal(5)})
    folder = begun(place, FAST, minutes=30)
    with books(home) as ledger:
        driver = place.led(folder, ledger)
        assert driver.reconciled.is_equal
    (book,) = driver.desk.books
    assert book.fills >= 2 and driver.desk.incidents == []
    assert coins(place) - BEFORE == book.held[0].qty
    # What an emergency stop may sell, kept beside what another run bought and left.
    kept = read_bought(home, "twin").qty
    assert kept == {"BTCUSDT": book.held[0].qty + 5}
    assert replay(folder).is_same

"""A stop and a sale of the same coins at the real twin: on spot nothing sells twice."""

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from openalpha.trading.analysis.replay import replay
from openalpha.trading.orders.side import Request, RequestKind
from openalpha.trading.run.commands import Command
from openalpha.trading.venue.driver import VenueDriver
from tests.fakes.live_runs import books
from tests.fakes.twin import LINEAR, admin
from tests.integration.trading.test_people_and_spot import (
    BEFORE,
    SPOT_ID,
    begun,
    both_markets,
    coins,
    conditional,
    opened,
    said,
    turned,
)
from tests.integration.trading.test_venue_runs import MINUTE_MS, Place


@pytest.fixture
def place(home: Path) -> Iterator[Place]:
    with both_markets(home) as one:
        yield one


def heard(driver: VenueDriver, before: Any) -> None:
    """Let a test look at every request before it is carried out."""
    act = driver.turns._carrier.carry_out

    def carry_out(request: Request) -> bytes:
        before(request)
        return act(request)

    driver.turns._carrier = SimpleNamespace(carry_out=carry_out)


def sales(request: Request) -> list[Decimal]:
    if request.kind is not RequestKind.PLACE:
        return []
    orders = [order for order in request.params["orders"] if "triggerPrice" not in order]
    return [Decimal(order["qty"]) for order in orders if order["side"] == "Sell"]


def crash(place: Place, driver: VenueDriver) -> None:
    params = {"category": "spot", "symbol": "BTCUSDT"}
    admin(place.exchange, "/twin/market", **params, event="gap", size="-0.1")
    driver.clock.wait(30_000)


def bought(place: Place, folder: Any, ledger: Any) -> VenueDriver:
    driver = opened(place, folder, ledger)
    said(driver, "ORDER", instrument=SPOT_ID, side="buy", qty="0.05")
    assert len(conditional(place)) == 1
    return driver


@pytest.mark.parametrize("part", ["0.02", ""])
def test_a_sale_goes_out_once_its_coins_are_out_of_the_stop(place, home, part):
    folder = begun(place)
    with books(home) as ledger:
        driver = bought(place, folder, ledger)
        book, seen = driver.desk.books[0], []

        def look(request: Request) -> None:
            for qty in sales(request):
                stops = sum((Decimal(row["qty"]) for row in conditional(place)), Decimal(0))
                assert stops + qty <= coins(place) - BEFORE, "both could sell them"
                seen.append(qty)

        heard(driver, look)
        qty = part or f"{book.tradable(0):f}"
        said(driver, "ORDER", instrument=SPOT_ID, side="sell", qty=qty)
        turned(driver)
        assert seen == [Decimal(qty)] and driver.desk.incidents == []
        left = sum((Decimal(row["qty"]) for row in conditional(place)), Decimal(0))
        assert left == book.tradable(0), "what stays has its stop"
        assert coins(place) - BEFORE == book.held[0].qty
    assert replay(folder).is_same


def test_a_stop_that_is_quicker_sells_and_the_sale_is_dropped(place, home):
    folder = begun(place)
    with books(home) as ledger:
        driver = bought(place, folder, ledger)
        struck = []

        def strike(request: Request) -> None:
            assert not sales(request), "nothing is left to sell"
            if request.kind is RequestKind.CANCEL and not struck:
                struck.append(request)
                crash(place, driver)

        heard(driver, strike)
        qty = f"{driver.desk.books[0].tradable(0):f}"
        link = said(driver, "ORDER", instrument=SPOT_ID, side="sell", qty=qty)["link"]
        turned(driver)
        assert struck and BEFORE <= coins(place) < BEFORE + Decimal("0.000001")
        assert driver.desk.orders.sales.waiting == [] and link not in driver.desk.side.record.orders
        assert driver.desk.books[0].tradable(0) == 0 and driver.desk.incidents == []
    assert replay(folder).is_same


TWAP = {"work": "twap", "pieces": 3, "over_ms": 6 * MINUTE_MS}


def test_pieces_of_a_sale_wait_for_the_stop_too(place, home):
    folder = begun(place)
    with books(home) as ledger:
        driver = bought(place, folder, ledger)
        book, seen = driver.desk.books[0], []

        def look(request: Request) -> None:
            for qty in sales(request):
                stops = sum((Decimal(row["qty"]) for row in conditional(place)), Decimal(0))
                assert stops + qty <= coins(place) - BEFORE, "both could sell them"
                seen.append(qty)

        heard(driver, look)
        said(driver, "ORDER", instrument=SPOT_ID, side="sell", qty="0.03", **TWAP)
        while driver.desk.worked.parents:
            turned(driver, 1)
        turned(driver)
        assert len(seen) >= 3 and sum(seen) == Decimal("0.03") and driver.desk.incidents == []
        left = sum((Decimal(row["qty"]) for row in conditional(place)), Decimal(0))
        assert left == book.tradable(0), "what stays has its stop"
    assert replay(folder).is_same


def test_a_stop_quicker_than_a_piece_ends_the_whole(place, home):
    folder = begun(place)
    with books(home) as ledger:
        driver = bought(place, folder, ledger)
        struck = []

        def strike(request: Request) -> None:
            assert not sales(request), "nothing is left to sell"
            if request.kind in (RequestKind.CANCEL, RequestKind.AMEND) and not struck:
                struck.append(request)
                crash(place, driver)

        heard(driver, strike)
        said(driver, "ORDER", instrument=SPOT_ID, side="sell", qty="0.03", **TWAP)
        for _ in range(30):
            turned(driver, 1)
        assert struck and driver.desk.worked.parents == {}
        assert BEFORE <= coins(place) < BEFORE + Decimal("0.000001")
        assert driver.desk.orders.sales.waiting == []
    assert replay(folder).is_same


def test_a_piece_that_waits_is_called_off_with_its_whole(place, home):
    folder = begun(place)
    with books(home) as ledger:
        driver = bought(place, folder, ledger)
        held = coins(place)
        name = driver.command(
            Command("ORDER", wish={"instrument": SPOT_ID, "side": "sell", "qty": "0.03", **TWAP})
        )["link"]
        assert len(driver.desk.orders.sales.waiting) == 1
        driver.command(Command("CANCEL", wish={"link": name}))
        assert driver.desk.orders.sales.waiting == [] and driver.desk.worked.parents == {}
        turned(driver, 6)
        assert coins(place) == held, "nothing was sold"
        (stop,) = conditional(place)
        assert Decimal(stop["qty"]) == driver.desk.books[0].tradable(0)
    assert replay(folder).is_same


def test_a_process_that_dies_while_a_sale_waits_sells_once(place, home):
    folder = begun(place)
    with books(home) as ledger:
        driver = bought(place, folder, ledger)

        def die(request: Request) -> None:
            if request.kind is RequestKind.CANCEL:
                raise KeyboardInterrupt

        heard(driver, die)
        qty = f"{driver.desk.books[0].tradable(0):f}"
        with pytest.raises(KeyboardInterrupt):
            said(driver, "ORDER", instrument=SPOT_ID, side="sell", qty=qty)
        driver._log.close()
        driver = place.driver(folder, ledger)
        driver.start()
        turned(driver)
        assert BEFORE <= coins(place) < BEFORE + Decimal("0.000001")
        assert conditional(place) == [] and driver.desk.incidents == []
    assert replay(folder).is_same


def test_a_stop_moves_and_never_are_there_two(place, home):
    folder = begun(place)
    with books(home) as ledger:
        driver = bought(place, folder, ledger)
        name = conditional(place)[0]["orderLinkId"]

        def look(request: Request) -> None:
            held = coins(place) - BEFORE
            rows = [Decimal(row["qty"]) for row in conditional(place)]
            assert sum(rows, Decimal(0)) <= held

        heard(driver, look)
        said(driver, "ORDER", instrument=SPOT_ID, side="buy", qty="0.015")
        turned(driver)
        (row,) = [row for row in conditional(place) if row["orderLinkId"] == name]
        manual = driver.desk.books[0]
        assert Decimal(row["qty"]) == manual.tradable(0) > Decimal("0.06")
        assert driver.desk.incidents == []


def test_two_stops_of_a_perpetual_side_by_side_close_it_and_no_more(place):
    place.client.order("Buy", "0.02")
    for qty in ("0.02", "0.03"):
        terms = {"triggerPrice": "58000", "triggerDirection": 2, "reduceOnly": True}
        place.client.order("Sell", qty, **terms)
    admin(place.exchange, "/twin/market", **LINEAR, event="gap", size="-0.1")
    place.exchange.clock.advance(30_000)
    place.exchange.advance()
    assert Decimal(place.client.position()["size"]) == 0

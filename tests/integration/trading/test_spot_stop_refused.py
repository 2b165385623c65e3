"""A spot stop whose change the venue refuses: believed where it stands, tried again, told."""

import json
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from openalpha.net import Request, Response, Transport
from openalpha.trading.analysis.replay import replay
from openalpha.trading.venue.driver import VenueDriver
from tests.fakes.live_runs import books
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
from tests.integration.trading.test_venue_runs import Place

REFUSED = 170_210
"""A code of spot: the new terms are not accepted."""


class Refusing:
    """The way to a twin, on which changes of orders are refused."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self.left = 0
        self.asked: list[dict[str, Any]] = []

    def send(self, request: Request) -> Response:
        if request.url.endswith("/v5/order/amend"):
            self.asked.append(json.loads(request.body))
            if self.left:
                self.left -= 1
                body = {"retCode": REFUSED, "retMsg": "New order rejected.", "result": {}}
                return Response(200, {}, json.dumps({**body, "retExtInfo": {}, "time": 0}).encode())
        return self._transport.send(request)


@pytest.fixture
def place(home: Path) -> Iterator[Place]:
    with both_markets(home) as one:
        one.transport = Refusing(one.transport)  # type: ignore[assignment]
        yield one


def stop_at_venue(place: Place) -> tuple[Decimal, Decimal]:
    """What the one stop covers and where: there is never none and never two."""
    (row,) = conditional(place)
    return Decimal(row["qty"]), Decimal(row["triggerPrice"])


def believed(driver: VenueDriver) -> tuple[Decimal, Decimal]:
    stop = driver.desk.books[0].stops[0]
    return stop.qty, stop.trigger


def bought_more(place: Place, driver: VenueDriver, refusals: int) -> tuple[Decimal, Decimal]:
    """Buy, then buy more, so many changes of the stop refused; returns the first stop."""
    said(driver, "ORDER", instrument=SPOT_ID, side="buy", qty="0.05")
    first = stop_at_venue(place)
    place.transport.left = refusals
    said(driver, "ORDER", instrument=SPOT_ID, side="buy", qty="0.015")
    return first


@pytest.mark.parametrize("refusals", [1, 2])
def test_a_refused_change_is_tried_again(place: Place, home: Path, refusals: int) -> None:
    folder = begun(place)
    with books(home) as ledger:
        driver = opened(place, folder, ledger)
        first = bought_more(place, driver, refusals)
        turned(driver)
        assert believed(driver) == stop_at_venue(place) != first
        assert stop_at_venue(place)[0] == driver.desk.books[0].tradable(0)
        assert len(place.transport.asked) == refusals + 1
        assert driver.desk.incidents == []
    assert replay(folder).is_same


def test_a_change_refused_for_good_leaves_the_stop_where_it_is_and_is_told(place, home):
    folder = begun(place)
    with books(home) as ledger:
        driver = opened(place, folder, ledger)
        first = bought_more(place, driver, 10**6)
        turned(driver, 1)
        assert believed(driver) == stop_at_venue(place) == first, "it is not believed moved"
        (told,) = driver.desk.incidents
        assert told.code == "no_stop" and f"it is {first[0]:f} at " in told.words
        asked, rows = len(place.transport.asked), driver.desk.rows
        turned(driver, 6)
        assert 0 < len(place.transport.asked) - asked <= driver.desk.rows - rows, "once a bar"
        assert len(driver.desk.incidents) == 1
        place.transport.left = 0
        turned(driver, 4)
        assert believed(driver) == stop_at_venue(place)
        assert stop_at_venue(place)[0] == driver.desk.books[0].tradable(0)
    assert replay(folder).is_same


def test_a_sale_waits_for_a_stop_that_may_not_shrink(place, home):
    folder = begun(place)
    with books(home) as ledger:
        driver = opened(place, folder, ledger)
        said(driver, "ORDER", instrument=SPOT_ID, side="buy", qty="0.05")
        first, held = stop_at_venue(place), coins(place)
        place.transport.left = 2
        said(driver, "ORDER", instrument=SPOT_ID, side="sell", qty="0.02")
        turned(driver)
        assert coins(place) == held - Decimal("0.02")
        assert believed(driver) == stop_at_venue(place) != first
        assert stop_at_venue(place)[0] == driver.desk.books[0].tradable(0)
        assert stop_at_venue(place)[0] <= coins(place) - BEFORE
        assert driver.desk.incidents == []
    assert replay(folder).is_same

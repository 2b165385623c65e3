"""While the venue says that more has traded than its executions tell, no stop is placed."""

import json
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from openalpha.net import Request, Response, Transport
from openalpha.trading.analysis.replay import replay
from tests.fakes.live_runs import books
from tests.fakes.twin import SPOT, admin
from tests.integration.trading.test_people_and_spot import (
    SPOT_ID,
    begun,
    both_markets,
    conditional,
    opened,
    said,
    turned,
)
from tests.integration.trading.test_venue_runs import Place


class Lagging:
    """The way to a twin whose executions are behind: it tells of the order, then of the oldest."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self.is_behind, self._has_told = False, False
        self.hidden = 0
        self.stops: list[Decimal] = []

    def send(self, request: Request) -> Response:
        if request.url.endswith(("/v5/order/create", "/v5/order/amend")):
            content = json.loads(request.body)
            if "triggerPrice" in content:
                self.stops.append(Decimal(content["qty"]))
        response = self._transport.send(request)
        content = json.loads(response.body) if self.is_behind else {}
        if "/v5/order/realtime" in request.url:
            rows = content.get("result", {}).get("list", [])
            self._has_told = self._has_told or any(row["orderStatus"] == "Filled" for row in rows)
        if not self.is_behind or "/v5/execution/list" not in request.url:
            return response
        rows = content["result"]["list"]
        self.hidden = max(self.hidden, len(rows) - 1)
        content["result"]["list"] = rows[-1:] if self._has_told else []
        return Response(response.status, response.headers, json.dumps(content).encode())


@pytest.fixture
def place(home: Path) -> Iterator[Place]:
    with both_markets(home) as one:
        one.transport = Lagging(one.transport)  # type: ignore[assignment]
        yield one


def test_a_stop_waits_for_the_executions_that_are_owed(place: Any, home: Path) -> None:
    """Guard: `Protection.settle` leaves instruments alone whose executions are behind."""
    folder = begun(place)
    with books(home) as ledger:
        driver = opened(place, folder, ledger)
        place.transport.is_behind = True
        admin(place.exchange, "/twin/market", **SPOT, event="thin", size="0.01")
        driver.clock.wait(30_000)
        said(driver, "ORDER", instrument=SPOT_ID, side="buy", qty="0.06")
        book = driver.desk.books[0]
        assert place.transport.hidden, "it took more than one level of the book"
        assert 0 < book.tradable(0) < Decimal("0.055"), "a part is heard of"
        assert place.transport.stops == [], "what is held is not known"
        place.transport.is_behind = False
        turned(driver)
        (stop,) = conditional(place)
        assert place.transport.stops == [Decimal(stop["qty"])] == [book.tradable(0)]
        assert driver.desk.incidents == []
    assert replay(folder).is_same

"""Orders that must not be: each is answered in words, and the exchange never hears of it."""

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from openalpha.trading.run.commands import Command
from tests.integration.trading.test_people_and_spot import begun, opened
from tests.integration.trading.test_venue_runs import Place, placed

BTC_ID = "bybit_linear:BTCUSDT"


@pytest.fixture
def place(home: Path) -> Iterator[Place]:
    with placed(home) as one:
        yield one


@pytest.mark.parametrize(
    ("wish", "reason", "words"),
    [
        ({"qty": "0.0001"}, "not_understood", "at least"),
        ({"qty": "0.001", "limit": "1000.0"}, "risk_refused", "at least 10"),
        ({"qty": "0.01", "limit": "50000.05"}, "not_understood", "multiple"),
        ({"qty": "0.6"}, "risk_refused", "limit"),
        ({"qty": "0.01", "instrument": "bybit_linear:NOPE"}, "not_understood", "has no"),
    ],
    ids=["below the lot", "below the minimum", "off tick", "over the risk limit", "unknown symbol"],
)
def test_an_order_that_must_not_be(
    place: Place, wish: dict[str, str], reason: str, words: str
) -> None:
    driver = opened(place, begun(place, on=BTC_ID), None)
    asked = {"instrument": BTC_ID, "side": "buy", **wish}
    answer = driver.command(Command("ORDER", wish=asked))
    assert (answer["refused"], words in answer["words"]) == (reason, True), answer
    driver.turns.step()
    rows = place.client.get("/v5/order/history", category="linear", symbol="BTCUSDT")["list"]
    assert rows == []
    assert Decimal(place.client.position()["size"] or 0) == 0

"""Large orders worked in pieces at the real twin, killed between any two steps."""

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from openalpha.trading.analysis.replay import replay
from openalpha.trading.run.commands import Command
from tests.integration.trading.test_people_and_spot import LINEAR_ID, begun, opened, said
from tests.integration.trading.test_venue_runs import MINUTE_MS, Place, held, placed

WISH = {"instrument": LINEAR_ID, "side": "buy", "qty": "0.05", "pieces": 5}


@pytest.fixture
def place(home: Path) -> Iterator[Place]:
    with placed(home) as one:
        yield one


def ended(driver: Any) -> None:
    for _ in range(60):
        if not driver.desk.worked.parents:
            return
        driver.turns.step()
    raise AssertionError("the parent goes on for ever")


def open_rows(place: Place) -> list[dict[str, Any]]:
    market = {"category": "linear", "symbol": "BTCUSDT"}
    rows: list[dict[str, Any]] = place.client.get("/v5/order/realtime", **market)["list"]
    return [row for row in rows if not row["triggerPrice"]]


@pytest.mark.parametrize(
    ("how", "limit"), [("twap", ""), ("vwap", ""), ("iceberg", "61000"), ("chase", "")]
)
def test_the_whole_is_filled_in_pieces_and_no_more(place, home, how, limit):
    folder = begun(place, on=LINEAR_ID)
    driver = opened(place, folder, None)
    wish = {**WISH, "work": how, "over_ms": 20 * MINUTE_MS, **({"limit": limit} if limit else {})}
    name = said(driver, "ORDER", **wish)["link"]
    assert name.startswith("work-")
    while driver.desk.worked.parents:
        assert held(place) <= Decimal("0.05")
        driver.turns.step()
    assert held(place) == Decimal("0.05") == driver.desk.books[0].held[0].qty
    assert open_rows(place) == []
    assert driver.desk.books[0].stops[0].qty == Decimal("0.05")
    driver._log.close()
    assert replay(folder).is_same


def test_a_process_that_dies_between_steps_goes_on_with_the_parent(place, home):
    folder = begun(place, on=LINEAR_ID)
    driver = opened(place, folder, None)
    said(driver, "ORDER", **WISH, work="twap", over_ms=12 * MINUTE_MS)
    for _ in range(8):
        driver._log.close()
        driver = place.driver(folder, None)
        driver.start()
        driver.turns.step()
        driver.turns.step()
        assert held(place) <= Decimal("0.05")
    ended(driver)
    assert held(place) == Decimal("0.05")
    driver._log.close()
    assert replay(folder).is_same


def test_a_parent_that_is_cancelled_takes_its_children_with_it(place, home):
    folder = begun(place, on=LINEAR_ID)
    driver = opened(place, folder, None)
    wish = {**WISH, "limit": "55000", "work": "iceberg", "over_ms": 60 * MINUTE_MS}
    name = said(driver, "ORDER", **wish)["link"]
    assert len(open_rows(place)) == 1, "one piece is shown"
    assert said(driver, "CANCEL", link=name)["links"] == [name]
    ended(driver)
    assert open_rows(place) == [] and held(place) == 0


def test_pieces_the_gate_refuses_end_the_parent(place, home):
    driver = opened(place, begun(place, on=LINEAR_ID), None)
    said(driver, "ORDER", **{**WISH, "qty": "5"}, work="twap", over_ms=20 * MINUTE_MS)
    ended(driver)
    assert held(place) == 0


def test_stop_cancels_what_rests_and_keeps_what_protects(place, home):
    driver = opened(place, begun(place, on=LINEAR_ID), None)
    said(driver, "ORDER", instrument=LINEAR_ID, side="buy", qty="0.01")
    said(driver, "ORDER", instrument=LINEAR_ID, side="buy", qty="0.02", limit="55000")
    said(driver, "ORDER", **{**WISH, "limit": "54000"}, work="iceberg", over_ms=60 * MINUTE_MS)
    assert len(open_rows(place)) == 2
    driver.command(Command("STOP", "home time"))
    driver.turns.settle()
    assert open_rows(place) == [] and held(place) == Decimal("0.01")
    assert driver.desk.mode.value == "ended"

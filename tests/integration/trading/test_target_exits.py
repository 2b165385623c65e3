"""Exits of strategies of targets at the real twin: as the model's, alone and on one instrument."""

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from openalpha.core.messages import Environment
from openalpha.engine.signals import EngineSettings
from openalpha.market.catalogue import instrument_for
from openalpha.trading.analysis.execution_log import read_run
from openalpha.trading.analysis.execution_model import model_run
from openalpha.trading.analysis.gap import gap_of
from openalpha.trading.paper.starting import Asked
from openalpha.trading.venue.starting import VenueTerms, begin_venue_run
from tests.fakes.live_runs import books
from tests.fakes.twin import LINEAR, admin
from tests.integration.trading.test_shared_instruments import OTHERS
from tests.integration.trading.test_venue_exits import closed
from tests.integration.trading.test_venue_runs import FAST, MINUTE_MS, Place, held, placed

D = Decimal
LONG = """
import numpy as np
from openalpha.strategy import SignalStrategy
from openalpha.strategy.params import ExitParams


class Long(SignalStrategy):
    name, idea, Params = "long", "always in", ExitParams

    def target(self, bars, params):
        return np.ones(len(bars))
"""


@pytest.fixture
def place(home: Path) -> Iterator[Place]:
    with placed(home) as one:
        yield one


def test_exits_of_sub_books_cover_the_accounts_net_and_never_more(place: Place) -> None:
    exits = {"trailing_pct": 0.2, "take_profit_pct": 0.15, "time_exit_bars": 6}
    folder = begin_venue_run(
        place.home,
        [Asked(one.ref, {**one.params, **exits}) for one in OTHERS],
        instruments=[instrument_for("bybit_linear:BTCUSDT")],
        terms=VenueTerms(Environment.TWIN, MINUTE_MS, D(40_000)),
        settings=EngineSettings(),
        clock=place.clock,
    )
    driver, opposed = place.driver(folder, None), 0
    driver.start()
    for _ in range(90):
        driver.turns.step()
        rows = place.client.get("/v5/order/realtime", **LINEAR, orderFilter="StopOrder")["list"]
        sums = {1: D(0), 2: D(0)}
        for row in rows:
            if row["orderLinkId"]:
                assert row["reduceOnly"] and (row["side"] == "Sell") == (held(place) > 0)
                sums[row["triggerDirection"]] += D(row["qty"])
        assert set(sums.values()) == {abs(held(place))}, "stops and take-profits, each"
        sides = {book.held[0].qty > 0 for book in driver.desk.books if book.held[0].qty}
        opposed += len(sides) == 2
    assert opposed, "some held against others"
    closed(driver)


def test_after_an_exit_nothing_is_entered_until_the_target_changes(place: Place) -> None:
    place.home.mkdir()
    path = place.home / "long.py"
    path.write_text(LONG)
    params = {"stop_pct": 2, "take_profit_pct": 3}
    driver = place.driver(place.begun(0, Asked(str(path), params)), None)
    driver.start()
    while not held(place):
        driver.turns.step()
    admin(place.exchange, "/twin/market", **LINEAR, event="gap", size="0.04")
    admin(place.exchange, "/twin/market", **LINEAR, event="calm")
    driver.turns.step()
    admin(place.exchange, "/twin/market", **LINEAR, event="still")
    rows = driver.desk.rows
    while driver.desk.rows < rows + 3:
        driver.turns.step()
    entries = [one for one in driver.desk.side.record.orders.values() if not one.is_reduce_only]
    assert (held(place), len(entries)) == (0, 1)
    closed(driver)


@pytest.mark.parametrize(
    ("exits", "minutes"),
    [
        ({"take_profit_pct": 0.2, "stop_pct": 0.3, "time_exit_bars": 7}, 27),
        ({"trailing_pct": 0.2, "activation_pct": 0.1, "time_exit_bars": 8}, 31),
    ],
)
def test_the_model_of_the_same_bars_ends_its_positions_alike(
    place: Place, home: Path, exits: dict[str, float], minutes: int
) -> None:
    folder = place.begun(minutes, Asked(FAST.ref, {**FAST.params, **exits}))
    with books(home) as ledger:
        driver = place.led(folder, ledger)
    assert driver.reconciled.is_equal
    seen = read_run(folder)
    ours = [order for order in seen.orders if order.fills and order.decided_ms == 0]
    theirs = [fill for fill in model_run(folder.plan(), seen).fills if fill.is_exit]
    assert len(ours) == len(theirs) >= 2
    for order, fill in zip(ours, theirs, strict=True):
        assert abs(order.fills[-1].ts_ms - fill.ts_ms) <= MINUTE_MS
        assert (order.side, order.qty) == (fill.side, fill.qty)
    assert gap_of(folder).alone == 0


def test_an_exit_that_fills_as_the_run_ends_is_waited_for(place: Place, home: Path) -> None:
    folder = place.begun(7, Asked(FAST.ref, {**FAST.params, "take_profit_pct": 0.15}))
    with books(home) as ledger:
        driver = place.led(folder, ledger)
    (book,) = driver.desk.books
    seen = read_run(folder)
    assert (book.fills, held(place)) == (2, 0)
    assert seen.orders[-1].fills[-1].ts_ms > seen.rows[-1].ts_ms + MINUTE_MS, "after the last bar"
    assert driver.reconciled.is_equal

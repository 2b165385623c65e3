"""Several strategies on one instrument of one account at the real twin: netted, nothing stolen."""

import json
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from openalpha.core.messages import Environment
from openalpha.engine.signals import EngineSettings
from openalpha.market.catalogue import instrument_for
from openalpha.risk.settings import LimitSettings
from openalpha.store.run_log import FrameKind, read
from openalpha.trading.analysis.replay import replay
from openalpha.trading.paper.starting import Asked
from openalpha.trading.run.allocation import AllocationSettings
from openalpha.trading.run.commands import Command
from openalpha.trading.run.folder import RunFolder
from openalpha.trading.run.settings import Handling
from openalpha.trading.venue.driver import VenueDriver
from openalpha.trading.venue.starting import VenueTerms, begin_venue_run
from tests.fakes.live_runs import books
from tests.integration.trading.test_venue_runs import FAST, MINUTE_MS, Place, held, placed

OTHERS = (
    FAST,
    Asked("rsi_reversion", {"period": 3}),
    Asked("ma_cross", {"fast": 3, "slow": 9}),
)


@pytest.fixture
def place(home: Path) -> Iterator[Place]:
    with placed(home) as one:
        yield one


def begun(place: Place, minutes: int, **given: Any) -> RunFolder:
    return begin_venue_run(
        place.home,
        OTHERS,
        instruments=[instrument_for("bybit_linear:BTCUSDT")],
        terms=VenueTerms(
            Environment.TWIN, MINUTE_MS, Decimal(40_000), minutes * MINUTE_MS, **given
        ),
        settings=EngineSettings(),
        clock=place.clock,
    )


def notes(folder: RunFolder, kind: FrameKind) -> list[dict[str, Any]]:
    return [json.loads(frame.payload) for frame in read(folder.log) if frame.kind is kind]


def sums(driver: VenueDriver) -> Decimal:
    return sum((book.held[0].qty for book in driver.desk.books), Decimal(0))


def test_the_sub_books_add_up_to_the_account_after_every_step(place, home):
    folder = begun(place, 60)
    with books(home) as ledger:
        driver = place.driver(folder, ledger)
        driver.start()
        for _ in range(120):
            driver.turns.step()
            assert sums(driver) == held(place)
        assert driver.desk.incidents == []
        assert [book.fills > 0 for book in driver.desk.books] == [True] * 3
        cash = sum((book.cash for book in driver.desk.books), Decimal(0))
        profit = driver.poster.cash()["USDT"] - Decimal(50_000)
        capital = sum((driver.desk.plan.capital_of(b.part) for b in driver.desk.books), Decimal(0))
        assert abs(cash - capital - profit) < Decimal("0.0001"), (
            "fees and profit by share, to cents"
        )
    crosses = [note for note in notes(folder, FrameKind.NOTE) if "cross" in note]
    assert crosses, "what cancelled out was crossed"
    for note in crosses:
        assert sum(side * Decimal(qty) for _, side, qty in note["cross"]) == 0
    assert replay(folder).is_same


def test_the_account_is_protected_as_a_whole(place, home):
    folder = begun(place, 0)
    with books(home) as ledger:
        driver = place.driver(folder, ledger)
        driver.start()
        opposed = 0
        for _ in range(120):
            driver.turns.step()
            rows = place.client.get(
                "/v5/order/realtime", category="linear", symbol="BTCUSDT", orderFilter="StopOrder"
            )["list"]
            own = [row for row in rows if row["orderLinkId"]]
            assert sum((Decimal(row["qty"]) for row in own), Decimal(0)) == abs(held(place))
            assert all(row["reduceOnly"] for row in own)
            sides = {book.held[0].qty > 0 for book in driver.desk.books if book.held[0].qty}
            opposed += len(sides) == 2
        assert opposed, "some held against others"


def test_a_process_that_dies_between_steps_attributes_every_fill_as_before(place, home):
    folder = begun(place, 40)
    with books(home) as ledger:
        for _ in range(5):
            driver = place.driver(folder, ledger)
            driver.start()
            for _ in range(6):
                driver.turns.step()
            driver._log.close()
        driver = place.led(folder, ledger)
        assert driver.reconciled.is_equal
    assert sums(driver) == held(place)
    assert replay(folder).is_same


def test_closing_everything_closes_every_sub_book(place, home):
    folder = begun(place, 0)
    with books(home) as ledger:
        driver = place.driver(folder, ledger)
        driver.start()
        while not all(book.held[0].qty for book in driver.desk.books):
            driver.turns.step()
        driver.command(Command("STOP", "home time", is_flatten=True))
        driver.turns.settle()
    assert held(place) == 0
    assert all(book.held[0].qty == 0 for book in driver.desk.books)


def test_money_goes_between_strategies_of_one_account_and_none_is_lost(place, home):
    rule = AllocationSettings("threshold", threshold=Decimal("0.00001"), least=Decimal("0.01"))
    folder = begun(place, 60, handling=Handling(allocation=rule))
    with books(home) as ledger:
        driver = place.driver(folder, ledger)
        driver.start()
        while driver.desk.rows < 40:
            driver.turns.step()
        driver._log.close()
        driver = place.led(folder, ledger)
        assert driver.reconciled.is_equal
        desk = driver.desk
        capital = sum((desk.plan.capital_of(book.part) for book in desk.books), Decimal(0))
        cash = sum((book.cash for book in desk.books), Decimal(0))
        profit = driver.poster.cash()["USDT"] - Decimal(50_000)
        assert abs(cash - capital - profit) < Decimal("0.0001"), "what moved adds to zero"
    found = moved_of(folder)
    assert len(found) > 1
    moved = [Decimal(0)] * 3
    for note in found:
        moved[note["giver"]] -= Decimal(note["moved"])
        moved[note["taker"]] += Decimal(note["moved"])
    assert sum(moved) == 0 and any(moved)
    for book, amount in zip(desk.books, moved, strict=True):
        assert (book.capital > desk.plan.capital_of(book.part)) == (amount > 0)
    shares = [Decimal(row["share"]["now"]) for row in folder.status()["books"]]
    assert max(abs(share - Decimal(1) / 3) for share in shares) < Decimal("0.003")
    assert replay(folder).is_same


def test_a_strategy_at_its_stop_neither_gives_nor_takes(place, home):
    rule = AllocationSettings("threshold", threshold=Decimal("0.00001"), least=Decimal("0.01"))
    limits = LimitSettings(strategy_stop=Decimal("0.0003"))
    folder = begun(place, 0, handling=Handling(allocation=rule), limits=limits)
    before: list[dict[str, Any]] = []
    with books(home) as ledger:
        driver = place.driver(folder, ledger)
        driver.start()
        first = driver.desk.books[0]
        while not before:
            driver.turns.step()
            if 1 - first.equity / first.capital >= limits.strategy_stop:
                before = moved_of(folder)
        capital = first.capital
        while driver.desk.rows < 46:
            driver.turns.step()
        driver._log.close()
    after = moved_of(folder)[len(before) :]
    assert any(0 in (note["giver"], note["taker"]) for note in before)
    assert after and not any(0 in (note["giver"], note["taker"]) for note in after)
    assert first.capital == capital


def moved_of(folder: RunFolder) -> list[dict[str, Any]]:
    return [note for note in notes(folder, FrameKind.NOTE) if "moved" in note]

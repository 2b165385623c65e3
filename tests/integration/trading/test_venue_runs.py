"""Runs at the real twin over loopback, in lock-step: what is held, paid and logged adds up."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from openalpha.books.accounts import Book
from openalpha.core.errors import InputError
from openalpha.core.messages import Environment
from openalpha.engine.run import VenueSettings
from openalpha.engine.signals import EngineSettings
from openalpha.market.catalogue import instrument_for
from openalpha.net import HttpTransport, Priority
from openalpha.store.exchange_key import ExchangeKey
from openalpha.trading.analysis.replay import replay
from openalpha.trading.feeds.venue_market import LockstepClock
from openalpha.trading.paper.desk import Mode
from openalpha.trading.paper.starting import Asked
from openalpha.trading.run.commands import Command
from openalpha.trading.run.folder import RunFolder
from openalpha.trading.safety.emergency_lock import locked
from openalpha.trading.venue.driver import VenueDriver
from openalpha.trading.venue.preflight import check_account
from openalpha.trading.venue.starting import (
    VenueAccess,
    VenueTerms,
    begin_venue_run,
    venue_clock,
    venue_driver,
)
from openalpha.venue.bybit.answers import Answer
from openalpha.venue.bybit.channel import Call
from openalpha.venue.settings import CostSettings
from openalpha.venue.twin import Exchange
from tests.fakes.live_runs import books
from tests.fakes.twin import BTC, Client, admin, new_exchange, served, wait

MINUTE_MS = 60_000
FAST = Asked("ma_cross", {"fast": 2, "slow": 5})


@dataclass
class Place:
    """A served twin with one account."""

    exchange: Exchange
    client: Client
    key: ExchangeKey
    transport: HttpTransport
    home: Path

    @property
    def clock(self) -> LockstepClock:
        clock = venue_clock(self.transport, self.key, is_lockstep=True)
        assert isinstance(clock, LockstepClock)
        return clock

    def begun(self, minutes: int, asked: Asked = FAST, **given: Any) -> RunFolder:
        lasts_ms = minutes * MINUTE_MS
        return begin_venue_run(
            self.home,
            [asked],
            instruments=[instrument_for("bybit_linear:BTCUSDT")],
            terms=VenueTerms(Environment.TWIN, MINUTE_MS, Decimal(40_000), lasts_ms),
            settings=EngineSettings(**given),
            clock=self.clock,
        )

    def driver(self, folder: RunFolder, ledger: Any) -> VenueDriver:
        return venue_driver(
            folder,
            self.home,
            access=VenueAccess(self.transport, self.key, self.clock),
            ledger=ledger,
            entity="me",
            hear=lambda words: None,
        )

    def led(self, folder: RunFolder, ledger: Any, *commands: Command) -> VenueDriver:
        driver = self.driver(folder, ledger)
        driver.start()
        for command in commands:
            driver.command(command)
        asyncio.run(driver.lead())
        return driver


@contextmanager
def placed(home: Path) -> Iterator[Place]:
    exchange = new_exchange(BTC, step_ms=10_000)
    client = Client.of(exchange)
    with served(exchange) as url, HttpTransport(timeout_s=20.0, total_s=40.0) as transport:
        key = ExchangeKey(client.key, client.secret, url)
        yield Place(exchange, client, key, transport, home)


@pytest.fixture
def place(home: Path) -> Iterator[Place]:
    with placed(home) as one:
        yield one


def held(place: Place) -> Decimal:
    row = place.client.position()
    return Decimal(row["size"]) * (1 if row["side"] == "Buy" else -1)


def test_ledger_run_and_exchange_agree_and_the_tape_gives_the_run_again(place, home):
    folder = place.begun(30)
    with books(home) as ledger:
        driver = place.led(folder, ledger)
        assert driver.reconciled is not None
        assert driver.reconciled.is_equal
        assert driver.poster is not None
        assert driver.poster.cash() == {"USDT": place.client.balance()}
    (book,) = driver.desk.books
    assert book.fills >= 3
    assert book.held[0].qty == held(place)
    assert driver.desk.incidents == []
    assert replay(folder).is_same
    status = folder.status()
    assert (status["mode"], status["rows"]) == ("ended", 31), "the first bar was half over"


def test_an_entry_brings_its_stop_and_then_an_order_of_its_own_protects(place, home):
    driver = place.driver(place.begun(0), None)
    driver.start()
    while not driver.desk.books[0].held[0].qty:
        driver.turns.step()
    placed = [
        order for order in driver.desk.side.record.orders.values() if not order.is_reduce_only
    ]
    assert all("stopLoss" in order.params for order in placed)
    for _ in range(2):
        driver.turns.step()
    assert Decimal(place.client.position()["stopLoss"] or 0) == 0, "one stop, and only one"
    assert driver.desk.books[0].stops[0].qty == abs(held(place))
    assert driver.desk.incidents == []


def steps(driver):
    while True:
        driver.turns.step()


def test_an_entry_whose_process_dies_at_once_is_not_naked(place, home):
    driver = place.driver(place.begun(0), None)
    driver.start()
    act = driver.turns._carrier.carry_out

    def dying(request):
        reply = act(request)
        if held(place):
            raise KeyboardInterrupt
        return reply

    driver.turns._carrier = SimpleNamespace(carry_out=dying)
    with pytest.raises(KeyboardInterrupt):
        steps(driver)
    assert Decimal(place.client.position()["stopLoss"]) > 0


def test_every_position_has_its_stop_at_the_exchange(place, home):
    folder = place.begun(20)
    with books(home) as ledger:
        driver = place.led(folder, ledger)
    assert held(place) != 0
    rows = place.client.get(
        "/v5/order/realtime", category="linear", symbol="BTCUSDT", orderFilter="StopOrder"
    )["list"]
    (stop,) = [row for row in rows if row["createType"] == "CreateByUser"]
    assert stop["reduceOnly"] is True
    assert Decimal(stop["qty"]) == abs(held(place))
    assert stop["orderLinkId"] == driver.desk.books[0].stops[0].link_id


def test_a_process_that_dies_between_any_two_steps_loses_and_doubles_nothing(place, home):
    folder = place.begun(30)
    with books(home) as ledger:
        for _ in range(6):
            driver = place.driver(folder, ledger)
            driver.start()
            for _ in range(4):
                driver.turns.step()
            driver._log.close()  # nothing is said, nothing is cancelled
        driver = place.led(folder, ledger)
        assert driver.reconciled is not None
        assert driver.reconciled.is_equal
    assert driver.desk.books[0].held[0].qty == held(place)
    assert replay(folder).is_same


def compared(place: Place, folder: RunFolder, *, is_new: bool) -> list[str]:
    channel = VenueAccess(place.transport, place.key, place.clock).channel(Priority.ORDERS)
    said: list[str] = []
    check_account(channel, folder.plan(), is_new=is_new, hear=said.append)
    return [words for words in said if "bps" in words]


def test_a_run_that_reckons_with_more_than_it_pays_goes_on_and_says_so(place, home):
    admin(place.exchange, "/twin/fees", uid=place.client.uid, fee_tier="VIP2")
    fees = compared(place, place.begun(5), is_new=True)
    assert len(fees) == 2 and fees[1] == (
        "the account pays 3.75 bps as taker of BTCUSDT and the run reckons with 5.5; the "
        "exchange's is booked and the run goes on"
    )


def test_a_run_that_reckons_with_less_than_it_pays_does_not_begin_but_goes_on(place, home):
    flattered = CostSettings(maker_bps=Decimal(2), taker_bps=Decimal(3))
    folder = place.begun(5, venue=VenueSettings(flattered))
    words = "the account pays 5.5 bps as taker of BTCUSDT and the run reckons with 3"
    with pytest.raises(InputError) as caught:
        compared(place, folder, is_new=True)
    assert str(caught.value) == (
        f"the account does not fit the run: {words}, which flatters it: "
        "add --set costs.taker_bps=5.5"
    )
    assert compared(place, folder, is_new=False) == [
        f"{words}; the exchange's is booked and the run goes on"
    ]
    honest = place.begun(5, venue=VenueSettings(CostSettings(taker_bps=Decimal("5.5"))))
    assert compared(place, honest, is_new=True) == []


def test_money_that_is_no_collateral_backs_no_run(place, home):
    """The twin has no such switch: its answer is the exchange's with the switch off."""
    channel = VenueAccess(place.transport, place.key, place.clock).channel(Priority.ORDERS)

    def call(asked: Call) -> Answer:
        answer = channel.call(asked)
        if asked.path != "/v5/account/wallet-balance":
            return answer
        coins = [{**row, "collateralSwitch": False} for row in answer.rows[0]["coin"]]
        return replace(answer, result={"list": [{**answer.rows[0], "coin": coins}]})

    plan, off = place.begun(5).plan(), SimpleNamespace(call=call)
    with pytest.raises(InputError, match="its USDT is no collateral; switch that on"):
        check_account(off, plan, is_new=True, hear=print)
    check_account(off, plan, is_new=False, hear=print)


def test_hedge_mode_and_inverse_contracts_are_refused_in_a_sentence(place, home):
    place.client.post("/v5/position/switch-mode", category="linear", coin="USDT", mode=3)
    with pytest.raises(InputError, match="BTCUSDT is in hedge mode; switch it to one-way"):
        place.driver(place.begun(5), None)
    with pytest.raises(InputError, match="spot and linear so far; leave inverse ones out"):
        begin_venue_run(
            home,
            [FAST],
            instruments=[instrument_for("bybit_inverse:BTCUSD")],
            terms=VenueTerms(Environment.TWIN, MINUTE_MS, Decimal(1), MINUTE_MS),
            settings=EngineSettings(),
            clock=place.clock,
        )


def test_a_run_told_to_flatten_leaves_nothing(place, home):
    folder = place.begun(12)
    with books(home) as ledger:
        driver = place.driver(folder, ledger)
        driver.start()
        while not held(place):
            driver.turns.step()
        driver.command(Command("STOP", "home time", is_flatten=True))
        asyncio.run(driver.lead())
    assert held(place) == 0
    assert driver.desk.why == "home time"
    assert replay(folder).is_same


def test_a_paused_run_sends_nothing(place, home):
    folder = place.begun(20)
    with books(home) as ledger:
        driver = place.led(folder, ledger, Command("PAUSE", "news"))
    assert driver.desk.books[0].fills == 0
    assert held(place) == 0


def test_a_fall_from_the_peak_closes_everything_and_locks(place, home):
    folder = place.begun(30)
    with books(home) as ledger:
        driver = place.driver(folder, ledger)
        driver.start()
        while not held(place):
            driver.turns.step()
        driver.desk.books[0].cash -= 10_000  # a quarter of it is gone
        asyncio.run(driver.lead())
    assert held(place) == 0
    assert driver.desk.mode is Mode.ENDED
    assert driver.desk.rows < 30
    assert locked(home, "twin") is not None


def test_an_account_that_does_not_fit_is_refused_by_every_difference(place, home):
    place.client.order("Buy", "0.01")
    folder = begin_venue_run(
        home,
        [FAST],
        instruments=[instrument_for("bybit_linear:BTCUSDT")],
        terms=VenueTerms(Environment.TWIN, MINUTE_MS, Decimal(90_000)),
        settings=EngineSettings(),
        clock=place.clock,
    )
    with books(home) as ledger, pytest.raises(InputError) as refused:
        place.driver(folder, ledger)
    assert "is held already" in str(refused.value)
    assert "the run's capital is 90000" in str(refused.value)


def test_books_of_the_twin_are_its_own():
    assert Book(Environment.TWIN, "me") != Book(Environment.PAPER, "me")


def test_whose_an_order_was_is_dropped_with_the_order_as_a_day_begins(place: Place) -> None:
    wait(place.exchange, 6_160_000)  # to four minutes before midnight
    folder = place.begun(8)
    driver: Any = place.driver(folder, None)
    driver.start()
    while not driver.desk.orders.parts:
        driver.turns.step()
    desk = driver.desk
    (name, *_), day = desk.orders.parts, desk.last_row_ms // 86_400_000
    desk.side.record.live.pop(name, None)
    del desk.side.record.orders[name]
    while desk.last_row_ms // 86_400_000 == day:
        assert name in desk.orders.parts
        driver.turns.step()
    assert desk.orders.parts.keys() == desk.side.record.orders.keys()
    assert name not in desk.orders.parts
    driver._log.close()

"""Strategies of callbacks at the real twin: told what fills; what they order stands there."""

import json
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from openalpha.core.messages import Environment
from openalpha.core.reasons import Reason
from openalpha.engine.signals import EngineSettings
from openalpha.market.catalogue import instrument_for
from openalpha.net import HttpTransport
from openalpha.store.exchange_key import ExchangeKey
from openalpha.store.run_log import INPUTS, FrameKind, read, segments
from openalpha.trading.analysis.replay import replay
from openalpha.trading.paper.starting import Asked
from openalpha.trading.run.commands import Command
from openalpha.trading.run.folder import RunFolder
from openalpha.trading.venue.starting import VenueTerms, begin_venue_run
from tests.fakes.live_runs import books
from tests.fakes.twin import BTC_SPOT, Client, admin, new_exchange, served
from tests.integration.trading.test_venue_runs import FAST, MINUTE_MS, Place, held, placed

GRID = Asked("grid", {"step_pct": 0.03, "share_pct": 1, "rungs": 4})

HEAD = """
from dataclasses import dataclass, field
from openalpha.strategy import EventStrategy
from openalpha.strategy.params import StrategyParams


@dataclass
class Seen:
    orders: dict = field(default_factory=dict)
    fills: list = field(default_factory=list)


class Told(EventStrategy):
    name, idea = "told", "does one thing a bar"

    def __init__(self, params):
        super().__init__(params)
        self.seen, self.ids, self.kept = Seen(), {}, None

    def on_fill(self, ctx, fill):
        self.seen.fills.append((fill.order_id, int(fill.side), float(fill.qty), fill.is_reducing))

    def on_bar(self, ctx):
        self.seen.orders[ctx.index] = [
            (o.tag, o.side, o.qty, o.limit, o.trigger, o.is_reduce_only) for o in ctx.orders
        ]
        deed = getattr(self, f"at_{ctx.index}", None)
        if deed is not None:
            deed(ctx)
"""

DEEDS = """
    def at_0(self, ctx):
        self.ids["rest"] = ctx.buy(0.002, limit=ctx.close * 0.97, post_only=True, tag="rest")
        self.ids["huge"] = ctx.buy(1_000)
        self.ids["crumb"] = ctx.buy(0.00001)

    def at_1(self, ctx):
        ctx.amend(self.ids["rest"], qty=0.003, limit=50_000)

    def at_2(self, ctx):
        ctx.cancel(self.ids["rest"])
        ctx.cancel(99)

    def at_3(self, ctx):
        self.ids["market"] = ctx.buy(0.004, tag="market")

    def at_4(self, ctx):
        self.price, self.mean = ctx.entry_price, ctx.position
        self.ids["stop"] = ctx.sell(0.002, stop=ctx.close * 0.99, reduce_only=True, tag="stop")
        self.ids["profit"] = ctx.sell(0.002, limit=ctx.close * 1.02, reduce_only=True, tag="profit")

    def at_5(self, ctx):
        for order in ctx.orders:
            ctx.cancel(order.id)
        ctx.close_position()

    def at_6(self, ctx):
        self.last = (ctx.position, len(ctx.history(3)), ctx.cash)
"""

TO_MARKET = DEEDS.split("    def at_4", maxsplit=1)[0]


@pytest.fixture
def place(home: Path) -> Iterator[Place]:
    with placed(home) as one:
        yield one


def asked(home: Path, text: str) -> Asked:
    home.mkdir(exist_ok=True)
    path = home / "told.py"
    path.write_text(HEAD + text)
    return Asked(str(path))


def strategy_of(driver: Any, number: int = 0) -> Any:
    return driver.desk.books[number].callbacks.strategy


def noted(folder: RunFolder, kind: FrameKind) -> list[dict[str, Any]]:
    return [json.loads(frame.payload) for frame in read(folder.log) if frame.kind is kind]


def resting(place: Place) -> list[dict[str, Any]]:
    """What is open at the exchange, stops of positions left out."""
    rows = place.client.get("/v5/order/realtime", category="linear", symbol="BTCUSDT")["list"]
    return [row for row in rows if not row["stopOrderType"]]


def test_a_grid_trades_and_books_run_and_exchange_agree(place: Place, home: Path) -> None:
    folder = place.begun(14, GRID)
    with books(home) as ledger:
        driver = place.led(folder, ledger)
        assert driver.reconciled is not None
        assert driver.reconciled.is_equal
        assert driver.poster is not None
        assert driver.poster.cash() == {"USDT": place.client.balance()}
    (book,) = driver.desk.books
    sells = [note for note in noted(folder, FrameKind.NOTE) if note.get("side") == -1]
    assert sells, "what was bought was sold a rung higher, by its answer to the fill"
    assert book.held[0].qty == held(place)
    assert driver.desk.incidents == []
    assert resting(place) == [], "nothing of it rests once the run has ended"
    verdict = replay(folder)
    assert verdict.is_same
    assert verdict.same["decisions"] >= 14
    assert verdict.same["orders"] > 6


def test_each_kind_of_order_stands_at_the_exchange_as_it_was_said(place: Place, home: Path) -> None:
    folder = place.begun(8, asked(home, DEEDS))
    driver = place.led(folder, None)
    told = strategy_of(driver)
    assert (told.ids["huge"], told.ids["crumb"]) == (0, 0), "refused as over history: id 0"
    before, amended = told.seen.orders[1][0], told.seen.orders[2][0]
    assert before[:3] == ("rest", 1, 0.002)
    assert amended[:4] == ("rest", 1, 0.003, 50_000.0)
    assert told.seen.orders[3] == [], "cancelled"
    assert told.seen.fills[0] == (told.ids["market"], 1, 0.004, False)
    assert told.mean == 0.004
    stop, profit = told.seen.orders[5]
    assert (stop[0], stop[1], stop[5]) == ("stop", -1, True)
    assert stop[3] is None
    assert stop[4] == pytest.approx(told.price * 0.99, rel=0.01)
    assert (profit[0], profit[3] > told.price) == ("profit", True)
    assert told.seen.orders[6] == []
    assert told.last[:2] == (0.0, 3)
    assert (told.seen.fills[-1][1:]) == (-1, 0.004, True)
    refused = [note for note in noted(folder, FrameKind.INTENT) if "refused" in note]
    assert [note["refused"] for note in refused] == [Reason.RISK_REFUSED.name.lower()]
    assert held(place) == 0
    assert replay(folder).is_same


def test_killed_again_and_again_its_own_object_goes_on_from_the_segment(
    place: Place, home: Path
) -> None:
    folder = place.begun(16, asked(home, DEEDS))
    counts = []
    with books(home) as ledger:
        for _ in range(4):
            driver: Any = place.driver(folder, ledger)
            driver.largest_segment = 2_000  # a new one at nearly every step
            counts.append(driver.start())
            for _ in range(4):
                driver.turns.step()
            driver._log.close()
        driver = place.led(folder, ledger)
        assert driver.reconciled.is_equal
    told = strategy_of(driver)
    assert sorted(told.seen.orders) == list(range(len(told.seen.orders))), "every bar, once"
    assert [fill[1:] for fill in told.seen.fills] == [(1, 0.004, False), (-1, 0.004, True)]
    assert len(segments(folder.log)) > 3
    assert max(counts) < sum(1 for _ in read(folder.log, INPUTS)) / 3
    assert replay(folder).is_same


@pytest.mark.parametrize("held_by_it", ["lambda: 1", "__import__('random').Random(1)"])
def test_what_cannot_be_kept_leaves_the_log_whole(
    place: Place, home: Path, held_by_it: str
) -> None:
    folder = place.begun(6, asked(home, DEEDS))
    said: list[str] = []
    driver: Any = place.driver(folder, None)
    strategy_of(driver).kept = eval(held_by_it)
    driver.hear, driver.largest_segment = said.append, 2_000
    driver.start()
    for _ in range(6):
        driver.turns.step()
    driver._log.close()
    assert any("no segment of the log" in words for words in said)
    assert len(segments(folder.log)) == 1
    every = sum(1 for _ in read(folder.log, INPUTS))
    again: Any = place.driver(folder, None)
    assert again.start() == every
    again._log.close()


def test_code_that_fails_costs_its_orders_not_the_run(place: Place, home: Path) -> None:
    folder = place.begun(8, asked(home, TO_MARKET + """
    def at_4(self, ctx):
        return 1 / 0

    def at_5(self, ctx):
        ctx.buy(1)
"""))  # fmt: skip
    driver = place.led(folder, None)
    assert [one.code for one in driver.desk.incidents] == ["strategy_failed"]
    words = driver.desk.incidents[0].words
    assert "on_bar" in words
    assert "ZeroDivisionError" in words
    assert sorted(strategy_of(driver).seen.orders) == [0, 1, 2, 3, 4], "it is asked no more"
    assert held(place) == Decimal("0.004"), "its position stays, and so does its stop"
    stops = place.client.get("/v5/order/realtime", category="linear", symbol="BTCUSDT")["list"]
    assert [(row["stopOrderType"], row["qty"]) for row in stops] == [("Stop", "0.004")]
    assert driver.desk.why == "the time asked for is over"
    assert replay(folder).is_same


def test_a_paused_run_lets_it_close_and_not_open(place: Place, home: Path) -> None:
    every = (
        TO_MARKET
        + """
    def at_4(self, ctx):
        ctx.sell(0.001, reduce_only=True)
        self.ids["late"] = ctx.buy(0.001)
"""
    )
    folder = place.begun(0, asked(home, every))
    driver: Any = place.driver(folder, None)
    driver.start()
    while not held(place):
        driver.turns.step()
    driver.command(Command("PAUSE", "a look"))
    while 4 not in strategy_of(driver).seen.orders:
        driver.turns.step()
    assert strategy_of(driver).ids["late"] == 0
    assert held(place) == Decimal("0.003")
    driver.command(Command("STOP", "home", is_flatten=True))
    driver.turns.settle()
    assert held(place) == 0
    driver._log.close()


def test_stopped_with_orders_open_it_leaves_none(place: Place, home: Path) -> None:
    folder = place.begun(0, Asked("grid", {"step_pct": 3, "share_pct": 1, "rungs": 3}))
    driver: Any = place.driver(folder, None)
    driver.start()
    while not resting(place):
        driver.turns.step()
    assert len(resting(place)) == 3
    driver.command(Command("STOP", "home time"))
    driver.turns.settle()
    assert resting(place) == []
    driver._log.close()


def test_beside_a_strategy_of_targets_the_sub_books_add_up(place: Place, home: Path) -> None:
    deeds = "".join(
        f"    def at_{n}(self, ctx):\n        ctx.{'sell' if n % 2 else 'buy'}(0.01)\n"
        for n in range(40)
    )
    folder = begin_venue_run(
        home,
        (FAST, asked(home, deeds)),
        instruments=[instrument_for("bybit_linear:BTCUSDT")],
        terms=VenueTerms(Environment.TWIN, MINUTE_MS, Decimal(40_000), 25 * MINUTE_MS),
        settings=EngineSettings(),
        clock=place.clock,
    )
    with books(home) as ledger:
        driver: Any = place.driver(folder, ledger)
        driver.start()
        for _ in range(50):
            driver.turns.step()
            sums = sum((book.held[0].qty for book in driver.desk.books), Decimal(0))
            assert sums == held(place)
        driver._log.close()
    assert driver.desk.incidents == []
    assert [book.fills > 3 for book in driver.desk.books] == [True, True]
    told = strategy_of(driver, 1)
    filled: dict[int, float] = {}
    for order, _, qty, _ in told.seen.fills:
        filled[order] = round(filled.get(order, 0.0) + qty, 9)
    assert set(filled.values()) == {0.01}, "crossed or sent, it is told under its own order's id"
    assert sorted(filled) == list(range(1, len(filled) + 1))
    assert any("cross" in note for note in noted(folder, FrameKind.NOTE)), "what cancelled out"
    assert replay(folder).is_same


def test_on_spot_sales_that_hold_the_coins_make_way_for_the_stop(home: Path) -> None:
    exchange = new_exchange(BTC_SPOT, step_ms=10_000)
    client = Client.of(exchange)
    with served(exchange) as url, HttpTransport(timeout_s=20.0, total_s=40.0) as transport:
        key = ExchangeKey(client.key, client.secret, url)
        place = Place(exchange, client, key, transport, home)
        folder = begin_venue_run(
            home,
            [GRID],
            instruments=[instrument_for("bybit_spot:BTCUSDT")],
            terms=VenueTerms(Environment.TWIN, MINUTE_MS, Decimal(40_000)),
            settings=EngineSettings(),
            clock=place.clock,
        )
        driver: Any = place.driver(folder, None)
        driver.start()
        record = driver.desk.side.record
        while not any(order.side < 0 and order.limit_price for order in record.open_orders()):
            driver.turns.step()
        assert client.balance("BTC") > Decimal("0.02")
        admin(exchange, "/twin/market", symbol="BTCUSDT", category="spot", event="gap", size=-0.08)
        for _ in range(4):
            driver.turns.step()
        assert driver.desk.books[0].held[0].qty < Decimal("0.000001"), "dust"
        assert client.balance("BTC") == driver.desk.books[0].held[0].qty
        assert not any(order.side < 0 for order in record.open_orders())
        driver._log.close()
    assert replay(folder).is_same

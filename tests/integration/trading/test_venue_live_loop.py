"""The loop on the wall clock at a served twin: nothing the venue leaves unanswered stops it."""

import asyncio
import json
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from openalpha.cli.status_page import page_of
from openalpha.core.clock import SystemClock
from openalpha.core.messages import Environment
from openalpha.engine.rows import Row
from openalpha.engine.signals import EngineSettings
from openalpha.market.catalogue import instrument_for
from openalpha.net import HttpTransport
from openalpha.store.exchange_key import ExchangeKey
from openalpha.store.run_log import Frame, FrameKind, read
from openalpha.trading.analysis.replay import replay
from openalpha.trading.bybit.executor import Executor
from openalpha.trading.bybit.pushes import PrivatePushes
from openalpha.trading.feeds.venue_market import WallClock
from openalpha.trading.paper.desk import Mode
from openalpha.trading.paper.starting import Asked
from openalpha.trading.run.commands import Command
from openalpha.trading.run.vigil import Vigil
from openalpha.trading.venue.desk import VenueDesk
from openalpha.trading.venue.driver import VenueDriver
from openalpha.trading.venue.keeping import freeze_desk
from openalpha.trading.venue.starting import VenueTerms, begin_venue_run
from openalpha.trading.venue.turns import LiveTurns
from openalpha.venue.bybit.channel import Channel
from openalpha.venue.bybit.trade_line import TradeLine, TradeTerms
from openalpha.venue.twin import Exchange, TwinSettings
from tests.fakes.twin import BTC, Client, admin, quote, served

MINUTE_MS = 60_000
COINS = {"linear": ("USDT",)}
QUICK: Any = {"clock": SystemClock(), "terms": TradeTerms(answer_s=3.0, slow_s=1.0)}
DECIMALS = instrument_for("bybit_linear:BTCUSDT").price_decimals
GRID = Asked("grid", {"step_pct": 0.1, "rungs": 3, "share_pct": 1})
UP, DOWN = (0, 100, 200, 300), (200, 0, -200, -400, -600)
"""Closes, counted from where the venue's market stands."""


@dataclass
class Bars:
    """Closed bars that the test tells, one at a time."""

    since_ms: int
    price: int
    told: list[Row] = field(default_factory=list)
    woken: Callable[[], None] = lambda: None
    has_row: Callable[[], None] | None = None
    again: Callable[[], object] = lambda: None

    def take(self) -> list[tuple[FrameKind, bytes]]:
        return []

    def watch(self, prepare: Callable[[], object], refresh: Callable[[], object]) -> Vigil:
        self.again = refresh
        return Vigil(MINUTE_MS, now_ms=lambda: 0, prepare=prepare, refresh=refresh)

    def tell(self, *moves: int) -> None:
        for close in (self.price + move for move in moves):
            units = close * 10**DECIMALS
            bar = (units, units + 5, units - 5, units, 1000)
            self.told.append(Row(self.since_ms + len(self.told) * MINUTE_MS, (bar,)))

    def closed(self, after_ms: int, now_ms: int) -> list[Row]:
        return [row for row in self.told if row.ts_ms > after_ms]


@dataclass
class Run:
    """A run on the wall clock, its venue and its bars."""

    driver: VenueDriver
    bars: Bars
    exchange: Exchange
    client: Client

    def led(self, story: Callable[["Run"], Any]) -> None:
        """Lead it while a story is told; it ends by STOP at the latest."""

        async def both() -> None:
            leading = asyncio.create_task(self.driver.lead())
            try:
                async with asyncio.timeout(60):
                    await story(self)
            finally:
                if self.driver.desk.mode is not Mode.ENDED:
                    self.driver.command(Command("STOP", "the story is over"))
                async with asyncio.timeout(60):
                    await leading

        self.driver.start()
        asyncio.run(both())

    async def until(self, is_it: Callable[[], bool]) -> None:
        while not is_it():
            await asyncio.sleep(0.01)

    def frames(self, *kinds: FrameKind) -> list[Frame]:
        return list(read(self.driver.folder.log, set(kinds)))

    @property
    def held(self) -> Decimal:
        return self.driver.desk.books[0].held[0].qty


@pytest.fixture
def run(home: Path, request: pytest.FixtureRequest) -> Iterator[Run]:
    asked = getattr(request, "param", "rest")
    settings = TwinSettings(listings=(BTC,), backfill_days=0, levels=50)
    exchange = Exchange(settings, SystemClock())
    exchange.limits.is_lifted = True
    client = Client.of(exchange)
    with served(exchange) as url, HttpTransport(timeout_s=5.0, total_s=10.0) as network:
        key = ExchangeKey(client.key, client.secret, url)
        folder = begin_venue_run(
            home,
            [GRID if asked == "grid" else Asked("ma_cross", {"fast": 1, "slow": 3})],
            instruments=[instrument_for("bybit_linear:BTCUSDT")],
            terms=VenueTerms(Environment.TWIN, MINUTE_MS, Decimal(40_000)),
            settings=EngineSettings(),
            clock=WallClock(),
        )
        channel = Channel(network, key, clock=SystemClock())
        line = None if asked in ("rest", "grid") else TradeLine(key, **QUICK)
        bars = Bars(int(folder.feed()["since_ms"]), int(quote(exchange)[0]))
        driver = VenueDriver(
            folder,
            VenueDesk(folder.plan(), run_id=folder.id),
            carrier=Executor(channel, settle_coins=COINS, line=line),
            market=bars,
            clock=WallClock(),
            poster=None,
        )
        pushes = PrivatePushes(key, clock=SystemClock())
        pushes.on_news = driver.turns.wake
        pushes.start()
        driver.pushes.append(pushes)
        if line is not None:
            line.start()
        yield Run(driver, bars, exchange, client)
        pushes.close()
        if line is not None:
            line.close()
        exchange.faults.clear()
        ends = time.monotonic() + 20
        while not driver.turns.is_idle and time.monotonic() < ends:
            time.sleep(0.05)


def stops(run: Run) -> list[dict[str, Any]]:
    """The run's own stop orders; the stop that came with an entry is the position's."""
    params = {"category": "linear", "symbol": "BTCUSDT", "orderFilter": "StopOrder"}
    rows = run.client.get("/v5/order/realtime", **params)["list"]
    return [row for row in rows if row["stopOrderType"] == "Stop"]


def orders(run: Run) -> list[str]:
    paths = ("/v5/order/history", "/v5/order/realtime")
    found = [run.client.get(path, category="linear", symbol="BTCUSDT")["list"] for path in paths]
    return sorted({row["orderLinkId"] for rows in found for row in rows} - {""})


def test_it_trades_by_what_is_pushed_while_every_question_hangs(run: Run) -> None:
    """An entry, its stop, the turn and the old stop's cancel: no answer to a question is needed."""

    async def story(run: Run) -> None:
        desk = run.driver.desk
        await run.until(lambda: desk.side.is_recovered)
        for path in ("/v5/position", "/v5/execution", "/v5/account", "/v5/order/realtime"):
            delay = {"kind": "delay", "match": path, "size_ms": "4500"}
            admin(run.exchange, "/twin/faults", **delay)
        # Whatever is asked from here on is answered late: wait until something is.
        before = len(run.exchange.faults.log)
        await run.until(lambda: len(run.exchange.faults.log) > before)
        run.bars.tell(*UP)
        await run.until(lambda: run.held > 0 and desk.is_settled)
        (long_stop,) = desk.books[0].stops
        run.bars.tell(*DOWN)
        await run.until(lambda: run.held < 0 and desk.is_settled)
        exchange_stops = {order.link_id for order in desk.side.record.open_orders()}
        assert long_stop.link_id not in exchange_stops
        page = "\n".join(page_of(run.driver.command(Command("STATUS")), name="r"))
        for words in ("ACTIVE", "private socket up", "rate limit left", "decided", ", stop "):
            assert words in page, page
        run.exchange.faults.clear()

    run.led(story)
    assert run.driver.desk.incidents == []
    assert [row["orderLinkId"] for row in stops(run)] == [run.driver.desk.books[0].stops[0].link_id]
    assert replay(run.driver.folder).is_same


def test_a_hung_question_goes_on_hanging_while_a_stop_is_obeyed(run: Run) -> None:
    async def story(run: Run) -> None:
        desk = run.driver.desk
        await run.until(lambda: desk.side.is_recovered)
        run.bars.tell(*UP)
        await run.until(lambda: run.held > 0 and desk.is_settled)
        delay = {"kind": "delay", "match": "/v5/account", "size_ms": "4500"}
        admin(run.exchange, "/twin/faults", **delay)
        before = len(run.exchange.faults.log)
        await run.until(lambda: len(run.exchange.faults.log) > before)
        run.driver.command(Command("STOP", "home", is_flatten=True))
        await run.until(lambda: desk.mode is Mode.ENDED)

    run.led(story)
    assert run.held == 0
    assert Decimal(run.client.position()["size"]) == 0
    assert stops(run) == []


def test_without_a_socket_the_venue_is_asked_and_after_it_nothing_is_missing(run: Run) -> None:
    async def story(run: Run) -> None:
        desk = run.driver.desk
        await run.until(lambda: desk.side.is_recovered)
        assert isinstance(run.driver.pushes[0], PrivatePushes)
        run.driver.pushes[0].close()
        run.bars.tell(*UP)
        await run.until(lambda: run.held > 0 and desk.is_settled)
        run.driver.pushes[0].start()

    run.led(story)
    kinds = [json.loads(frame.payload) for frame in run.frames(FrameKind.HEALTH)]
    assert [one["is_up"] for one in kinds if one["what"] == "private_socket"][:2] == [True, False]
    assert run.driver.desk.incidents == []
    assert run.driver.desk.books[0].held[0].qty == Decimal(run.client.position()["size"])


def test_an_order_under_way_is_not_ordered_again(run: Run) -> None:
    """Bars come while the entry hangs: the position is entered once, then turned."""

    async def story(run: Run) -> None:
        desk = run.driver.desk
        await run.until(lambda: desk.side.is_recovered)
        delay = {"kind": "delay", "match": "/v5/order/create", "size_ms": "1500"}
        admin(run.exchange, "/twin/faults", **delay)
        for topic in ("order", "execution"):
            admin(run.exchange, "/twin/faults", kind="miss_push", match=topic)
        run.bars.tell(*UP)
        await run.until(lambda: bool(desk.side.record.live))
        run.bars.tell(*DOWN)
        await run.until(lambda: len(run.bars.told) == desk.rows)
        assert len(desk.side.record.orders) == 1
        run.exchange.faults.clear()
        await run.until(lambda: desk.is_settled)
        run.bars.tell(DOWN[-1])
        await run.until(lambda: run.held < 0 and desk.is_settled)

    run.led(story)
    orders = run.driver.desk.side.record.orders.values()
    assert len([order for order in orders if order.trigger_price is None]) <= 3


@pytest.mark.parametrize("run", ["socket"], indirect=True)
@pytest.mark.parametrize("kind", ["drop_after", "rate_limited"])
def test_over_the_trade_socket_nothing_is_lost_or_doubled(run: Run, kind: str) -> None:
    """The position is turned while an answer is lost, or the socket turns the orders away."""

    async def story(run: Run) -> None:
        desk = run.driver.desk
        await run.until(lambda: desk.side.is_recovered)
        run.bars.tell(*UP)
        await run.until(lambda: run.held > 0 and desk.is_settled)
        admin(run.exchange, "/twin/faults", kind=kind, match="order.create", count="1")
        run.bars.tell(*DOWN)
        await run.until(lambda: run.held < 0 and desk.is_settled)

    run.led(story)
    assert {row["kind"] for row in run.exchange.faults.log} == {kind}
    assert run.driver.desk.incidents == []
    position = run.client.position()
    assert (position["side"], -Decimal(position["size"])) == ("Sell", run.held)
    assert replay(run.driver.folder).is_same


@pytest.mark.parametrize("run", ["grid"], indirect=True)
def test_a_strategy_of_callbacks_answers_fills_that_were_pushed(run: Run) -> None:
    def resting(side: int) -> int:
        found = run.driver.desk.side.record.open_orders()
        return sum(order.side == side and order.limit_price is not None for order in found)

    async def story(run: Run) -> None:
        await run.until(lambda: run.driver.desk.side.is_recovered)
        run.bars.tell(0)
        await run.until(lambda: resting(1) == 3)
        admin(run.exchange, "/twin/market", symbol="BTCUSDT", event="gap", size="-0.01")
        await run.until(lambda: resting(-1) == 3)

    run.led(story)
    assert run.driver.desk.incidents == []
    assert resting(-1) == resting(1) == 0, "withdrawn by STOP"
    assert run.held == Decimal(run.client.position()["size"]) > 0
    assert replay(run.driver.folder).is_same


def test_a_bar_is_led_in_the_thread_that_heard_of_it(run: Run) -> None:
    """Where the loop is busy, or not begun, the bar is the loop's."""

    async def story(run: Run) -> None:
        desk, bars = run.driver.desk, run.bars
        await run.until(lambda: desk.side.is_recovered)

        def hear(*moves: int) -> int:
            bars.tell(*moves)
            assert bars.has_row is not None
            bars.has_row()
            return desk.rows

        assert await asyncio.to_thread(hear, *UP) == len(UP)
        await run.until(lambda: run.held > 0 and desk.is_settled)

        def hear_while_somebody_has_it() -> int:
            with run.driver.alone, ThreadPoolExecutor(1) as other:
                return other.submit(hear, *DOWN).result()

        assert await asyncio.to_thread(hear_while_somebody_has_it) == len(UP)
        await run.until(lambda: run.held < 0 and desk.is_settled)

    run.driver.turns.attend(run.bars)
    assert run.bars.has_row is not None
    run.bars.has_row()
    run.led(story)
    assert run.driver.desk.incidents == []
    assert replay(run.driver.folder).is_same
    run.bars.has_row()  # nobody leads any more


@pytest.mark.parametrize("run", ["rest", "socket"], indirect=True)
def test_a_rehearsal_goes_all_the_way_to_an_order_and_nothing_comes_of_it(run: Run) -> None:
    turns = run.driver.turns
    asked: list[str] = []

    async def story(run: Run) -> None:
        desk = run.driver.desk
        await run.until(lambda: desk.side.is_recovered)
        run.bars.tell(*UP)
        await run.until(lambda: run.held > 0 and desk.is_settled)
        before = orders(run)
        turns.prepare()
        for _ in range(60):  # more than a day's most entries
            run.bars.again()
        rehearsal = turns._rehearsal
        assert rehearsal is not None
        for _ in range(2):
            asked.extend(request.kind.value for request in rehearsal.again())
        assert orders(run) == before
        rehearsal._row = None if rehearsal._row is None else replace(rehearsal._row, bars=())
        run.bars.again()  # it fails, and none is made any more
        assert not turns._rehearses
        run.bars.tell(*DOWN)
        await run.until(lambda: run.held < 0 and desk.is_settled)

    assert isinstance(turns, LiveTurns)
    turns.attend(run.bars)
    run.led(story)
    assert "place" in asked
    assert run.driver.desk.incidents == []
    assert replay(run.driver.folder).is_same


@pytest.mark.parametrize("run", ["grid"], indirect=True)
def test_a_strategy_of_callbacks_is_not_called_in_a_rehearsal(run: Run) -> None:
    turns, asked = run.driver.turns, set[str]()
    assert isinstance(turns, LiveTurns)

    async def story(run: Run) -> None:
        desk = run.driver.desk
        await run.until(lambda: desk.side.is_recovered)
        run.bars.tell(*UP)
        await run.until(lambda: desk.is_settled and len(orders(run)) > 0)
        before = orders(run)
        with run.driver.alone:
            state = freeze_desk(desk)
            turns.prepare()
            for _ in range(20):
                run.bars.again()
            assert turns._rehearsal is not None
            for _ in range(2):
                asked.update(request.kind.value for request in turns._rehearsal.again())
            assert freeze_desk(desk) == state
        assert orders(run) == before

    turns.attend(run.bars)
    run.led(story)
    assert "place" in asked
    assert run.driver.desk.incidents == []
    assert replay(run.driver.folder).is_same

"""`on_trade` and `on_book` at the real twin: what is pushed, never on a book nobody heard."""

import asyncio
import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from openalpha.core.clock import SystemClock
from openalpha.core.messages import Environment
from openalpha.core.reasons import Reason
from openalpha.engine.signals import EngineSettings
from openalpha.market.catalogue import instrument_for
from openalpha.net import HttpTransport
from openalpha.store.exchange_key import ExchangeKey
from openalpha.store.run_log import FrameKind, canonical_json, read
from openalpha.trading.analysis.replay import replay
from openalpha.trading.bybit.executor import Executor
from openalpha.trading.bybit.pushes import PrivatePushes
from openalpha.trading.feeds.live_bars import LiveBars
from openalpha.trading.feeds.live_messages import pushed_payload
from openalpha.trading.feeds.venue_market import Bars, WallClock
from openalpha.trading.paper.starting import Asked
from openalpha.trading.venue.desk import VenueDesk
from openalpha.trading.venue.driver import VenueDriver
from openalpha.trading.venue.seen_market import SeenMarket, heard_by
from openalpha.trading.venue.starting import VenueTerms, begin_venue_run
from openalpha.venue.bybit.channel import Channel
from openalpha.venue.bybit.public_line import BookChange, Trade
from openalpha.venue.kernel import book_market as event
from openalpha.venue.twin import Exchange, TwinSettings
from tests.fakes.twin import BTC, Client, admin, quote, served
from tests.integration.trading.test_venue_callbacks import resting
from tests.integration.trading.test_venue_live_loop import Bars as ToldBars
from tests.integration.trading.test_venue_live_loop import Run
from tests.integration.trading.test_venue_runs import MINUTE_MS, Place, held, placed

ITEM = instrument_for("bybit_linear:BTCUSDT")
COINS = {"linear": ("USDT",)}

HEARS = """
from openalpha.strategy import EventStrategy


class Hears(EventStrategy):
    name, idea = "hears", "Rests beside the book, buys at the third trade."

    def __init__(self, params):
        super().__init__(params)
        self.heard, self.trades, self.fills = [], 0, 0

    def on_bar(self, ctx):
        self.heard.append(("bar", ctx.index))

    def on_fill(self, ctx, fill):
        self.fills += 1

    def on_trade(self, ctx, trade):
        self.trades += 1
        self.heard.append(("trade", trade.side, trade.price, trade.qty))
        if self.trades == 3:
            self.bought = ctx.buy(0.003, tag="taken")
        if self.trades == 99:
            1 / 0

    def on_book(self, ctx, book):
        self.heard.append(("book", book.bid, book.ask, book.levels(1)))
        if not any(order.tag == "bid" for order in ctx.orders):
            ctx.buy(0.002, limit=round(book.bid * 0.99), post_only=True, tag="bid")
"""
DEAF = """
    on_book = EventStrategy.on_book
"""


def asked(home: Path, more: str = "") -> Asked:
    home.mkdir(exist_ok=True)
    path = home / "hears.py"
    path.write_text(HEARS + more)
    return Asked(str(path))


@pytest.fixture
def place(home: Path) -> Iterator[Place]:
    with placed(home) as one:
        yield one


class Fed:
    """A run at the twin, and what its market is said to do."""

    def __init__(self, place: Place, driver: VenueDriver) -> None:
        self.place, self.driver = place, driver
        self.price = round(float(quote(place.exchange)[0]))

    @property
    def strategy(self) -> Any:
        one = self.driver.desk.books[0].callbacks
        assert one is not None
        return one.strategy

    def say(self, message: Trade | BookChange) -> None:
        payload = pushed_payload(message, ITEM, number=0)
        self.driver.take(FrameKind.FEED, payload)

    def trade(self, *, late_ms: int = 0, price: int = 0) -> None:
        ts_ms = self.driver.clock.now_ms() - late_ms
        self.say(Trade("BTCUSDT", ts_ms, "Buy", str(price or self.price), "0.005", "x"))

    def book(self, *, is_snapshot: bool = True, bid: int = 0) -> None:
        ts_ms, bid = self.driver.clock.now_ms(), bid or self.price
        sides = (((str(bid), "4"),), ((str(bid + 2), "3"),))
        self.say(BookChange("BTCUSDT", ts_ms, is_snapshot, 1, *sides))

    def health(self, is_up: bool) -> None:
        content = {"what": "feed", "category": "linear", "is_up": is_up}
        self.driver.take(FrameKind.HEALTH, canonical_json(content))

    def until_bar(self) -> None:
        while self.driver.desk.rows < 1:
            self.driver.turns.step()

    def heard(self) -> list[str]:
        """What it heard since it was last asked."""
        names = [one[0] for one in self.strategy.heard if one[0] != "bar"]
        self.strategy.heard.clear()
        return names


def started(place: Place, home: Path, more: str = "") -> Fed:
    driver: Any = place.driver(place.begun(0, asked(home, more)), None)
    driver.start()
    return Fed(place, driver)


def test_what_is_pushed_is_told_and_orders_stand_at_the_exchange(place: Place, home: Path) -> None:
    fed = started(place, home)
    fed.book()
    fed.trade()
    assert fed.heard() == [], "as over history: not before a bar has closed"
    fed.until_bar()
    fed.book()
    told = fed.strategy.heard[-1]
    assert told == ("book", fed.price, fed.price + 2, ([(fed.price, 4.0)], [(fed.price + 2, 3.0)]))
    fed.driver.turns.settle()
    (rest,) = fed.place.client.get("/v5/order/realtime", category="linear", symbol="BTCUSDT")[
        "list"
    ]
    assert float(rest["price"]) == pytest.approx(fed.price * 0.99, rel=1e-4)
    fed.heard()
    for _ in range(3):
        fed.trade()
    assert fed.heard() == ["trade"] * 3
    fed.driver.turns.settle()
    assert float(held(place)) == 0.003
    assert fed.strategy.fills == 1
    fed.driver._log.close()
    assert replay(fed.driver.folder).is_same


def test_nothing_is_decided_on_a_book_that_was_not_heard(place: Place, home: Path) -> None:
    fed = started(place, home)
    fed.until_bar()
    fed.book(is_snapshot=False)
    fed.trade()
    assert fed.heard() == [], "a change alone makes no book"
    fed.book()
    fed.trade()
    assert fed.heard() == ["book", "trade"]
    for is_up in (False, True):
        fed.health(is_up)
        fed.book(is_snapshot=False)
        fed.trade()
        assert fed.heard() == []
    fed.book()
    assert fed.heard() == ["book"]
    fed.trade(late_ms=180_001)
    assert fed.heard() == [], "too old to open anything on"
    fed.driver._log.close()
    again: Any = place.driver(fed.driver.folder, None)
    again.start()
    fed = Fed(place, again)
    fed.strategy.heard.clear()
    fed.book(is_snapshot=False)
    fed.trade()
    assert fed.heard() == [], "what was known before the process died has aged"
    fed.book()
    assert fed.heard() == ["book"]
    again._log.close()
    assert replay(again.folder).is_same


def test_who_hears_no_book_needs_none(place: Place, home: Path) -> None:
    fed = started(place, home, DEAF)
    fed.until_bar()
    fed.trade()
    fed.book()
    fed.health(False)
    fed.trade()
    assert fed.heard() == ["trade", "trade"]


def test_orders_between_closes_are_measured_by_the_last_trade(place: Place, home: Path) -> None:
    fed = started(place, home, DEAF)
    fed.until_bar()
    book, before = fed.driver.desk.books[0], fed.driver.desk.books[0].marks[0]
    for _ in range(2):
        fed.trade(price=fed.price + 500)
    assert book.marks[0] == fed.price + 500 != before
    # 0.003 at a price 4,000 times as high is more than a position may be.
    fed.trade(price=fed.price * 4000)
    log: Any = fed.driver._log
    log.sync()
    intents = [json.loads(one.payload) for one in read(log.folder, {FrameKind.INTENT})]
    assert [one["refused"] for one in intents] == [Reason.RISK_REFUSED.name.lower()]
    assert fed.strategy.bought == 0
    log.close()


def test_thousands_of_messages_are_not_synced_one_by_one(place: Place, home: Path) -> None:
    fed = started(place, home)
    fed.until_bar()
    fed.book()
    fed.driver.turns.settle()
    log: Any = fed.driver._log
    before = log.synced_seq
    for _ in range(500):
        fed.book(is_snapshot=False)
    assert len(fed.heard()) > 500
    assert log.synced_seq == before, "no order followed: nothing had to be on the disk"
    for _ in range(3):
        fed.trade()
    assert fed.driver.requests(), "the third one buys"
    assert log.synced_seq == log.last_seq, "one sync covers all of it"
    log.close()


def test_its_state_goes_with_a_segment_of_the_log(place: Place, home: Path) -> None:
    fed = started(place, home)
    fed.until_bar()
    fed.book()
    fed.driver.turns.settle()
    driver: Any = fed.driver
    driver.largest_segment = 1
    driver.roll_now_and_then()
    fed.trade()
    driver._log.sync()
    driver._log.close()
    again: Any = place.driver(driver.folder, None)
    assert again.start() < 5, "the last segment alone was read"
    assert Fed(place, again).strategy.trades == 1
    again._log.close()


def test_code_that_fails_is_asked_no_more(place: Place, home: Path) -> None:
    fed = started(place, home)
    fed.until_bar()
    fed.book()
    fed.strategy.trades = 98
    fed.trade()
    fed.heard()
    fed.book()
    fed.trade()
    assert fed.heard() == []
    (incident,) = fed.driver.desk.incidents
    assert "hears fails in on_trade" in incident.words
    fed.driver.turns.settle()
    assert resting(place) == [], "its orders are withdrawn"
    fed.driver._log.close()


def test_what_is_listened_to_follows_from_the_callbacks() -> None:
    from openalpha.strategy import EventStrategy, load_strategy

    class Trades(EventStrategy):
        name, idea = "trades", "Hears trades."

        def on_bar(self, ctx: Any) -> None: ...

        def on_trade(self, ctx: Any, trade: Any) -> None: ...

    class Book(Trades):
        def on_book(self, ctx: Any, book: Any) -> None: ...

    grid: Any = load_strategy("grid")
    cross: Any = load_strategy("ma_cross")
    assert heard_by([grid, cross]) == "bars"
    assert heard_by([grid, Trades]) == "trades"
    assert heard_by([Trades, Book, cross]) == "book"


def test_an_empty_side_has_no_price() -> None:
    seen = SeenMarket(ITEM)
    assert math.isnan(seen.bid)
    seen.take([(1, event.SNAPSHOT_BEGIN, 0, 0, 0), (1, event.LEVEL, 1, 500, 7)])
    assert not seen.is_whole, "it has not ended"
    seen.take([(1, event.SNAPSHOT_END, 0, 0, 0), (2, event.LEVEL, 1, 500, 0)])
    assert seen.is_whole
    assert math.isnan(seen.bid)


@pytest.fixture
def run(home: Path) -> Iterator[Run]:
    """On the wall clock, with the twin's own public socket."""
    exchange = Exchange(TwinSettings(listings=(BTC,), backfill_days=0, levels=50), SystemClock())
    exchange.limits.is_lifted = True
    client = Client.of(exchange)
    with served(exchange) as url, HttpTransport(timeout_s=5.0, total_s=10.0) as network:
        key = ExchangeKey(client.key, client.secret, url)
        folder = begin_venue_run(
            home,
            [asked(home)],
            instruments=[ITEM],
            terms=VenueTerms(Environment.TWIN, MINUTE_MS, 40_000),
            settings=EngineSettings(),
            clock=WallClock(),
        )
        channel = Channel(network, key, clock=SystemClock())
        driver = VenueDriver(
            folder,
            VenueDesk(folder.plan(), run_id=folder.id),
            carrier=Executor(channel, settle_coins=COINS, line=None),
            market=(bars := ToldBars(int(folder.feed()["since_ms"]), int(quote(exchange)[0]))),
            clock=WallClock(),
            poster=None,
        )
        pushes = PrivatePushes(key, clock=SystemClock())
        market = LiveBars(Bars(channel, [ITEM], MINUTE_MS), [ITEM], url=url, told="book")
        pushes.on_news = market.woken = driver.turns.wake
        driver.pushes = [pushes, market]
        pushes.start()
        market.start()
        yield Run(driver, bars, exchange, client)
        market.close()
        pushes.close()


def test_it_hears_the_public_socket_and_goes_on_after_a_cut(run: Run) -> None:
    def strategy() -> Any:
        one = run.driver.desk.books[0].callbacks
        assert one is not None
        return one.strategy

    def seen() -> SeenMarket:
        return run.driver.desk.callbacks.markets[0]

    async def story(run: Run) -> None:
        await run.until(lambda: run.driver.desk.side.is_recovered)
        run.bars.tell(0)
        await run.until(lambda: strategy().fills >= 1)
        bid, ask = (float(one) for one in quote(run.exchange)[:2])
        assert seen().bid == pytest.approx(bid, rel=1e-3)
        assert seen().ask == pytest.approx(ask, rel=1e-3)
        admin(run.exchange, "/twin/faults", kind="close_sockets", match="public")
        await run.until(lambda: any(b'"is_up":false' in one.payload for one in healths()))
        count = len(strategy().heard)
        await run.until(lambda: seen().is_whole and len(strategy().heard) > count + 5)
        await asyncio.sleep(0.1)

    def healths() -> list[Any]:
        return [
            frame for frame in run.frames(FrameKind.HEALTH) if b'"what":"feed"' in frame.payload
        ]

    run.led(story)
    assert run.driver.desk.incidents == []
    assert {"bar", "book", "trade"} <= {one[0] for one in strategy().heard}
    assert replay(run.driver.folder).is_same

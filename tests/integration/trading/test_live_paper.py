"""Paper on a live market: a served twin's prices, followed bar by bar, kept and replayed."""

import asyncio
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path

import pytest

from openalpha.books.accounts import Book
from openalpha.core.messages import Environment
from openalpha.engine.signals import EngineSettings
from openalpha.market.catalogue import instrument_for
from openalpha.market.lake import Lake
from openalpha.market.recording import Recorder
from openalpha.market.series import series_key
from openalpha.net import HttpTransport
from openalpha.store.run_log import FrameKind, read
from openalpha.trading.analysis.replay import replay
from openalpha.trading.feeds.feed import LiveFeed
from openalpha.trading.feeds.live_bars import LiveBars
from openalpha.trading.feeds.recording import LiveRecording
from openalpha.trading.feeds.venue_market import Bars, LockstepClock
from openalpha.trading.paper.desk import Desk
from openalpha.trading.paper.driver import Driver
from openalpha.trading.paper.live_starting import LiveTerms, past_of, span_of
from openalpha.trading.paper.posting import Poster
from openalpha.trading.paper.starting import Asked, begin_paper_run
from openalpha.trading.run.feed_rows import row_of
from openalpha.trading.run.folder import RunFolder
from openalpha.venue.bybit.channel import Channel
from openalpha.venue.twin import Exchange, TwinSettings
from tests.fakes.live_runs import books, noted
from tests.fakes.twin import BTC, served

MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS
BEGINS_MS = 1_700_006_400_000 - 10 * MINUTE_MS  # ten minutes before funding is settled
ITEM = instrument_for("bybit_linear:BTCUSDT")
ASKED = [Asked("ma_cross", {"fast": 2, "slow": 5})]


class Place:
    """A twin whose clock the test moves, and a paper run that follows it."""

    def __init__(self, home: Path, url: str, network: HttpTransport) -> None:
        self.home, self.url = home, url
        self.clock = LockstepClock(network, url)
        self.channel = Channel(network, url, clock=self.clock)
        self.asked = Bars(self.channel, [ITEM], MINUTE_MS)

    def begun(self, minutes: int) -> RunFolder:
        terms = LiveTerms(self.url, MINUTE_MS, self.clock.now_ms(), minutes * MINUTE_MS)
        past = past_of(self.asked, {str(ITEM.id): ITEM}, terms=terms)
        return begin_paper_run(
            self.home,
            ASKED,
            histories=past,
            capital=Decimal(10_000),
            settings=EngineSettings(),
            clock=self.clock,
            feed=terms.feed(),
        )

    @contextmanager
    def recorded(self, folder: RunFolder, *, dies: bool) -> Iterator[LiveBars]:
        recorder = Recorder(Lake(self.home), source="a test", every_s=3600)
        recording = LiveRecording(
            recorder, [ITEM], timeframe_ms=MINUTE_MS, server=self.url, clock=self.clock
        )
        recording.again(folder)
        bars = LiveBars(self.asked, [ITEM], url=self.url, recording=recording)
        bars.start()
        yield bars
        bars.close()
        if not dies:
            recorder.close()

    def led(self, folder: RunFolder, ledger: object, *, rows: int = 0) -> Driver:
        """Lead the run to its end, or through some rows and let it die."""
        with self.recorded(folder, dies=rows > 0) as bars:
            feed = LiveFeed(bars, self.asked, span=span_of(folder), clock=self.clock)
            desk = Desk(folder.plan())
            poster = Poster(ledger, Book(Environment.PAPER, "me"), desk=desk, run_id=folder.id)
            driver = Driver(folder, desk, poster=poster, feed=feed, clock=self.clock)
            over = threading.Event()
            mover = threading.Thread(target=self._move, args=(over,))
            mover.start()
            try:
                asyncio.run(self._lead(driver, rows))
            finally:
                over.set()
                mover.join()
        return driver

    async def _lead(self, driver: Driver, rows: int) -> None:
        driver.start()
        task = asyncio.create_task(driver.lead())
        ends = time.monotonic() + 60
        while not task.done() and time.monotonic() < ends:
            await asyncio.sleep(0.01)
            if rows and driver.desk.rows >= rows:
                task.cancel()
                break
        await asyncio.gather(task, return_exceptions=bool(rows))

    def _move(self, over: threading.Event) -> None:
        while not over.is_set():
            self.clock.wait(20_000)
            time.sleep(0.03)


@pytest.fixture
def place(home: Path) -> Iterator[Place]:
    from openalpha.core.clock import ManualClock

    settings = TwinSettings(listings=(BTC,), backfill_days=1, levels=50, step_ms=10_000)
    exchange = Exchange(settings, ManualClock(BEGINS_MS))
    with served(exchange) as url, HttpTransport(timeout_s=20.0, total_s=40.0) as network:
        yield Place(home, url, network)


def rows_of(folder: RunFolder) -> list:
    frames = read(folder.log, {FrameKind.FEED})
    return [row_of(frame.payload) for frame in frames if b'"bars"' in frame.payload]


def test_it_follows_the_market_and_its_tape_gives_it_again(place: Place, home: Path) -> None:
    folder = place.begun(25)
    with books(home) as ledger:
        driver = place.led(folder, ledger)
        assert driver.poster.checks > 0
    rows = rows_of(folder)
    since_ms = folder.feed()["since_ms"]
    assert [row.ts_ms for row in rows] == [since_ms + n * MINUTE_MS for n in range(len(rows))]
    assert len(rows) == 25
    bare = [(row.ts_ms, row.bars) for row in rows]
    asked = place.asked.closed(since_ms - 1, rows[-1].ts_ms + MINUTE_MS)
    assert bare == [(row.ts_ms, row.bars) for row in asked]
    settled = [one for row in rows for one in row.funding]
    assert [stamp for _, stamp, _ in settled] == [1_700_006_400_000]
    assert noted(folder).fills.shape[0] >= 2, "it traded, by indicators that began before it"
    assert replay(folder).is_same
    assert driver.desk.why == "the time asked for is over"


def test_what_it_saw_lies_in_the_lake_apart_from_the_markets_own(place: Place, home: Path) -> None:
    folder = place.begun(8)
    with books(home) as ledger:
        place.led(folder, ledger)
    block = Lake(home).read(series_key("twin_linear:BTCUSDT", "bars", timeframe="1m"))
    assert block.frame["ts"].to_list()[:8] == [row.ts_ms for row in rows_of(folder)]
    assert block.frame.row(0)[1:] == rows_of(folder)[0].bars[0]
    assert Lake(home).info(series_key("bybit_linear:BTCUSDT", "bars", timeframe="1m")) is None


def test_a_run_that_died_goes_on_without_a_hole_and_the_lake_has_all(
    place: Place, home: Path
) -> None:
    folder = place.begun(20)
    with books(home) as ledger:
        first = place.led(folder, ledger, rows=4)
        assert first.desk.rows < 20
        place.led(folder, ledger)
    rows = rows_of(folder)
    assert len(rows) == 20
    assert len({row.ts_ms for row in rows}) == 20
    block = Lake(home).read(series_key("twin_linear:BTCUSDT", "bars", timeframe="1m"))
    assert block.frame["ts"].to_list()[:20] == [row.ts_ms for row in rows]
    warm = [frame for frame in read(folder.log, {FrameKind.FEED}) if b'"warm"' in frame.payload]
    assert len(json.loads(warm[0].payload)["warm"]) == 500
    assert replay(folder).is_same

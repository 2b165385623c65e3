"""Paper on a live market's trades and book: heard by the socket, on the tape, and replayed."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from openalpha.core.clock import ManualClock
from openalpha.engine.run import VenueSettings
from openalpha.engine.signals import EngineSettings
from openalpha.net import HttpTransport
from openalpha.store.run_log import INPUTS, FrameKind, canonical_json, read
from openalpha.trading.analysis.replay import replay
from openalpha.trading.feeds.live_bars import LiveBars
from openalpha.trading.paper.live_starting import LiveTerms, past_of
from openalpha.trading.paper.starting import Asked, begin_paper_run
from openalpha.trading.run.folder import RunFolder
from openalpha.trading.run.message_rows import messages_of
from openalpha.venue.kernel import book_market as event
from openalpha.venue.settings import FillSettings
from openalpha.venue.twin import Exchange, TwinSettings
from tests.fakes.live_runs import books, noted
from tests.fakes.twin import BTC, served
from tests.integration.trading.test_live_paper import BEGINS_MS, ITEM, MINUTE_MS, Place

QUOTES = """
from openalpha.strategy import EventStrategy


class Quotes(EventStrategy):
    name, idea = "quotes", "Rests beside the market, takes now and then."

    def on_start(self, ctx):
        self.heard = 0

    def on_trade(self, ctx, trade):
        self.heard += 1
        if self.heard % 9 == 0:
            side = ctx.sell if ctx.position > 0 else ctx.buy
            side(0.01)

    def on_book(self, ctx, book):
        if ctx.index >= 0 and not any(order.tag == "bid" for order in ctx.orders):
            ctx.buy(0.01, limit=book.bid * 0.9999, tag="bid")

    def on_bar(self, ctx):
        for order in ctx.orders:
            ctx.cancel(order.id)
"""


class Messages(Place):
    """A twin, and a paper run filled by its trades or its book."""

    feed = "book"

    def begun(self, minutes: int) -> RunFolder:
        path = self.home / "quotes.py"
        path.write_text(QUOTES)
        terms = LiveTerms(self.url, MINUTE_MS, self.clock.now_ms(), minutes * MINUTE_MS)
        return begin_paper_run(
            self.home,
            [Asked(str(path))],
            histories=past_of(self.asked, {str(ITEM.id): ITEM}, terms=terms),
            capital=Decimal(10_000),
            settings=EngineSettings(VenueSettings(fills=FillSettings(feed=self.feed))),
            clock=self.clock,
            feed=terms.feed(),
        )

    @contextmanager
    def recorded(self, folder: RunFolder, *, dies: bool) -> Iterator[LiveBars]:
        bars = LiveBars(self.asked, [ITEM], url=self.url, told=self.feed)
        bars.start()
        yield bars
        bars.close()


@pytest.fixture
def place(home: Path) -> Iterator[Messages]:
    settings = TwinSettings(listings=(BTC,), backfill_days=1, levels=50, step_ms=10_000)
    exchange = Exchange(settings, ManualClock(BEGINS_MS))
    home.mkdir(exist_ok=True)
    with served(exchange) as url, HttpTransport(timeout_s=20.0, total_s=40.0) as network:
        yield Messages(home, url, network)


def kinds_heard(folder: RunFolder) -> set[int]:
    frames = read(folder.log, {FrameKind.FEED})
    heard = [messages_of(one.payload)[1] for one in frames if b'"messages"' in one.payload]
    return {int(kind) for events in heard for kind in events[:, event.V_KIND]}


@pytest.mark.parametrize("feed", ["trades", "book"])
def test_it_follows_messages_and_its_tape_gives_it_again(
    feed: str, place: Messages, home: Path
) -> None:
    place.feed = feed
    folder = place.begun(8)
    with books(home) as ledger:
        driver = place.led(folder, ledger)
        assert driver.poster.checks > 0
    levels = {event.LEVEL, event.SNAPSHOT_BEGIN, event.SNAPSHOT_END}
    assert kinds_heard(folder) == {event.TRADE} | (levels if feed == "book" else set())
    assert driver.desk.rows == 8
    assert noted(folder).fills.shape[0] >= 2
    verdict = replay(folder)
    assert verdict.is_same
    assert verdict.same["orders"] > 5
    tape = list(read(folder.log, INPUTS))
    for number in range(len(tape) // 4, len(tape)):
        if b'"messages"' in tape[number].payload:
            content = json.loads(tape[number].payload)
            for row in content["messages"]:
                row[3] += 50 * (row[3] > 0)
            payload = canonical_json(content)
            tape[number] = replace(tape[number], payload=payload)
    assert not replay(folder, tape=tape).is_same


def test_a_run_that_died_decides_nothing_before_it_has_a_whole_book_again(
    place: Messages, home: Path
) -> None:
    folder = place.begun(9)
    with books(home) as ledger:
        first = place.led(folder, ledger, rows=3)
        assert first.desk.rows < 9
        seq = max(frame.seq for frame in read(folder.log))
        place.led(folder, ledger)
    after = [frame for frame in read(folder.log) if frame.seq > seq]
    assert after[0].kind is FrameKind.HEALTH
    assert json.loads(after[0].payload) == {"what": "feed", "is_up": False}
    whole = next(
        frame.seq
        for frame in after
        if frame.kind is FrameKind.FEED
        and b'"messages"' in frame.payload
        and (messages_of(frame.payload)[1][:, event.V_KIND] == event.SNAPSHOT_END).any()
    )
    intents = [frame.seq for frame in after if frame.kind is FrameKind.INTENT]
    assert intents
    assert min(intents) > whole
    assert replay(folder).is_same

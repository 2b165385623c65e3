"""A paper run on recorded messages is their backtest, and its tape alone gives it again."""

import asyncio
import json
from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from openalpha.api import backtest
from openalpha.books.accounts import Account, Category
from openalpha.books.balances import kept_balances
from openalpha.books.writing import book_row
from openalpha.cli.border import execute
from openalpha.cli.paper_feed import unheard
from openalpha.core.clock import ManualClock, parse_ms
from openalpha.core.errors import DataError, InputError
from openalpha.core.reasons import Reason
from openalpha.engine.messages import settlements_of
from openalpha.engine.run import EngineRun, VenueSettings
from openalpha.engine.signals import EngineSettings
from openalpha.market.importers import import_paths
from openalpha.market.lake import Lake
from openalpha.market.tape import recorded_history, tape_of
from openalpha.store.run_log import INPUTS, FrameKind, canonical_json, read
from openalpha.trading.analysis.replay import replay
from openalpha.trading.feeds.tape_feed import TapeFeed
from openalpha.trading.orders.side import Input
from openalpha.trading.paper.desk import Mode
from openalpha.trading.paper.starting import Asked, begin_paper_run, lake_tape, tape_feed
from openalpha.trading.run.commands import Command
from openalpha.trading.run.folder import RunFolder
from openalpha.venue.kernel import book_market as event
from openalpha.venue.settings import CostSettings, FillSettings
from tests.fakes.live_runs import BOOK, CREATED_MS, books, driver_for, led_to_its_end, noted
from tests.integration.test_message_runs import tape_home

NAME = "moon_linear:AAAUSDT"
COSTS = CostSettings(latency_ms=20, funding=False)

QUOTES = """
from openalpha.strategy import EventStrategy


class Quotes(EventStrategy):
    name, idea = "quotes", "every callback, every kind of order"

    def on_start(self, ctx):
        self.heard = self.bought = 0

    def on_fill(self, ctx, fill):
        if not fill.is_reducing and fill.side > 0:
            ctx.sell(float(fill.qty), limit=float(fill.price) * 1.004, reduce_only=True, tag="ask")

    def on_trade(self, ctx, trade):
        self.heard += 1
        if self.heard % 31 == 0:
            ctx.sell(ctx.equity * 0.02 / trade.price, take_profit=trade.price * 1.004)
        elif self.heard % 17 == 0:
            ctx.buy(ctx.equity * 0.03 / trade.price)

    def on_book(self, ctx, book):
        for order in ctx.orders:
            if order.tag == "bid" and book.bid == book.bid and order.limit < book.bid * 0.999:
                ctx.amend(order.id, limit=book.bid)

    def on_bar(self, ctx):
        mean = float(ctx.history(5).close.mean())
        if ctx.index % 9 == 8:
            for order in ctx.orders:
                ctx.cancel(order.id)
            ctx.close_position()
        elif not any(order.tag == "bid" for order in ctx.orders):
            ctx.buy(ctx.equity * 0.04 / mean, limit=min(mean, ctx.close) * 0.999, tag="bid")
"""


def a_lake(home: Path, seed: int = 1, count: int = 600) -> Lake:
    """Forty seconds of a wild market: prints, whole books and changes."""
    random = np.random.default_rng(seed)
    mid = 1000 + np.cumsum(random.integers(-3, 4, count))
    stamps = np.sort(random.integers(1, 40_000, count)).tolist()
    trades, depth = [(0, 1, 1001, 1)], [(0, 1, 1, 1000, 900), (0, 1, -1, 1001, 900)]
    for number, (ts, price) in enumerate(zip(stamps, mid.tolist(), strict=True)):
        if number % 5 == 0:
            depth += [(ts, 1, 1, price - 1, 4000), (ts, 1, -1, price + 1, 4000)]
        depth.append((ts, 0, -1, price + 2, int(random.integers(1, 900))))
        trades.append((ts, int(random.choice([-1, 1])), price, int(random.integers(1, 3000))))
    end = (41_000, 0, 1, 1, 9)
    tape_home(home, [*trades, (41_000, 1, 1000, 1)], [*depth, end])
    return Lake(home)


def settings(feed: str) -> EngineSettings:
    return EngineSettings(VenueSettings(COSTS, fills=FillSettings(feed=feed)))


def strategy_in(home: Path) -> str:
    home.mkdir(exist_ok=True)
    path = home / "quotes.py"
    path.write_text(QUOTES)
    return str(path)


def begun(home: Path, feed: str, asked: Sequence[Asked], **given: Any) -> RunFolder:
    lake = given.pop("lake", None) or a_lake(home)
    history = recorded_history(
        lake,
        given.pop("name", NAME),
        timeframe_ms=1_000,
        span=(None, given.pop("end_ms", None)),
        with_depth=feed == "book",
    )
    return begin_paper_run(
        home,
        asked,
        histories={str(history.instrument.id): history},
        capital=Decimal(10_000),
        settings=given.pop("settings", settings(feed)),
        clock=ManualClock(CREATED_MS),
        feed=tape_feed(tape_of(lake, history, with_depth=feed == "book"), feed),
    )


def fed(home: Path, folder: RunFolder) -> TapeFeed:
    tape = lake_tape(Lake(home), folder)
    return TapeFeed(tape, settlements_of(tape, folder.plan().settings))


def led(home: Path, folder: RunFolder, ledger: Any) -> Any:
    return led_to_its_end(folder, [], ledger, feed=fed(home, folder))


def backtest_of(strategy: str, home: Path, feed: str, **given: Any) -> EngineRun:
    more: dict[str, Any] = {
        "costs": COSTS, "fills": {"feed": feed}, "risk": {"profile": "live"}, "timeframe": "1s",
        "clock": ManualClock(CREATED_MS),
    }  # fmt: skip
    run = backtest(strategy, given.pop("data", NAME), home=home, **(more | given)).run
    assert isinstance(run, EngineRun)
    return run


def closes_of(folder: RunFolder, book: int = 0) -> list[float]:
    """Equity at the closes of bars, from decisions between them apart."""
    rows = {
        frame.seq
        for frame in read(folder.log, {FrameKind.FEED})
        if frame.payload.startswith(b'{"bars"')
    }
    decided = [json.loads(frame.payload) for frame in read(folder.log, {FrameKind.DECISION})]
    return [one["equity"] for one in decided if one["book"] == book and one["of"] in rows]


def assert_is_backtest(folder: RunFolder, run: EngineRun, book: int = 0) -> None:
    found = noted(folder, book)
    assert len(run.fills) > 20, "a run that does nothing proves nothing"
    assert np.array_equal(found.fills, run.fills.rows)
    assert np.array_equal(found.effects, run.effects.rows)
    assert np.array_equal(found.ended, run.orders.rows)
    scale = 10.0 ** run.effects.units.coin_decimals[0]
    assert (np.array(closes_of(folder, book)) / scale).tobytes() == run.equity.tobytes()


@pytest.mark.parametrize("feed", ["trades", "book"])
def test_a_paper_run_is_the_backtest_of_its_messages(feed: str, home: Path) -> None:
    name = strategy_in(home)
    folder = begun(home, feed, [Asked(name)])
    with books(home) as ledger:
        driver = led(home, folder, ledger)
        run = backtest_of(name, home, feed)
        assert_is_backtest(folder, run)
        assert driver.poster.checks > 20
        with ledger.database.reading() as connection:
            row = book_row(connection, BOOK)
            assert row is not None
            kept = kept_balances(connection, row[0], categories=[Category.CASH])
    assert kept[Account(folder.id, Category.CASH, "USDT")] == run.balances["USDT"]
    assert Decimal(folder.status()["books"][0]["equity"]) == run.final_equity
    assert {int(Reason.LIMIT_RESTED), int(Reason.MARKET), int(Reason.TAKE_PROFIT)} <= set(
        run.fills.to_frame()["reason"].to_list()
    )
    verdict = replay(folder)
    assert verdict.is_same
    assert verdict.same["orders"] > 50
    assert verdict.changed == {}


def test_a_changed_message_gives_another_run(home: Path) -> None:
    folder = begun(home, "book", [Asked(strategy_in(home))])
    with books(home) as ledger:
        led(home, folder, ledger)
    tape = list(read(folder.log, INPUTS))
    assert replay(folder, tape=tape).is_same
    at = next(
        number
        for number, frame in enumerate(tape)
        if number > len(tape) // 2 and b'"messages"' in frame.payload
    )
    content = json.loads(tape[at].payload)
    for row in content["messages"]:
        row[3] += 7
    tape[at] = replace(tape[at], payload=canonical_json(content))
    assert not replay(folder, tape=tape).is_same


def test_two_strategies_have_each_their_own_book(home: Path) -> None:
    name = strategy_in(home)
    folder = begun(home, "book", [Asked(name, share=Decimal("0.3")), Asked(name)])
    with books(home) as ledger:
        led(home, folder, ledger)
    for number, capital in enumerate((3_000, 7_000)):
        assert_is_backtest(folder, backtest_of(name, home, "book", capital=capital), number)
    assert replay(folder).is_same


@pytest.mark.parametrize("groups", [1, 7, 23])
def test_a_run_whose_process_is_gone_goes_on_where_it_was(
    groups: int, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("openalpha.trading.feeds.tape_feed._MOST", 13)
    name = strategy_in(home)
    folder = begun(home, "book", [Asked(name)])

    async def die() -> None:
        driver = driver_for(folder, [], ledger, feed=fed(home, folder))
        driver.start()
        taken = 0
        async for items in fed(home, folder).after(-1):
            # In the middle of a bar: some of its messages are logged, its close is not.
            driver._take(items[: len(items) // 2] if taken == groups else items)
            taken += 1
            if taken > groups:
                break
        driver._log.close()

    with books(home) as ledger:
        asyncio.run(die())
        driver = led(home, folder, ledger)
        assert driver.desk.rows == 41
    assert_is_backtest(folder, backtest_of(name, home, "book"))
    assert replay(folder).is_same


def test_stopping_flat_asks_again_for_what_the_book_could_not_give(home: Path) -> None:
    thin = [(0, 1, 1, 1000, 2), (0, 1, -1, 1001, 90)]
    more = [(ts, 1, side, price, 3) for ts in range(3_000, 9_000, 500)
            for side, price in ((1, 1000), (-1, 1001))]  # fmt: skip
    trades = [(ts, 1, 1001, 1) for ts in range(0, 10_000, 500)]
    lake = Lake(tape_home(home, trades, [*thin, *more, (10_000, 0, 1, 1, 9)]))
    path = home / "once.py"
    path.write_text(
        "from openalpha.strategy import EventStrategy\n\n\nclass Once(EventStrategy):\n"
        "    name, idea = 'once', 'Once.'\n\n    def on_bar(self, ctx):\n"
        "        if ctx.index == 0:\n            ctx.buy(0.009)\n"
    )
    given = settings("book")
    free = CostSettings(preset="none", funding=False)
    given = replace(
        given,
        venue=replace(given.venue, costs=free),
        risk=replace(given.risk, min_order=Decimal(0)),
    )
    folder = begun(home, "book", [Asked(str(path))], lake=lake, settings=given)

    async def stop() -> Any:
        driver = driver_for(folder, [], ledger, feed=fed(home, folder))
        driver.start()
        async for items in fed(home, folder).after(-1):
            driver._take(items)
            if driver.desk.rows == 2:
                driver._take([driver._as_input(Command("STOP", "enough", is_flatten=True))])
            if driver.desk.mode is Mode.ENDED:
                break
        driver._log.close()
        return driver

    with books(home) as ledger:
        driver = asyncio.run(stop())
    assert driver.desk.why == "enough"
    assert driver.desk.is_flat()
    sold = noted(folder).fills[1:]
    assert len(sold) > 2, "two, then three at a time"
    assert replay(folder).is_same


def test_what_cannot_be_led_by_messages_is_refused(home: Path) -> None:
    lake = a_lake(home)
    with pytest.raises(InputError, match=r"ma_cross gives targets .* paper\.feed = book is for"):
        begun(home, "book", [Asked("ma_cross")], lake=lake)
    assert not list((home / "runs").glob("paper/*"))
    folder = begun(home, "book", [Asked(strategy_in(home))], lake=lake)
    a_lake(home, seed=2)
    with pytest.raises(DataError, match="no longer what run"):
        fed(home, folder)


def without_snapshots(item: Input) -> Input:
    content = json.loads(item.payload)
    if "messages" not in content:
        return item
    kept, is_inside = [], False
    for row in content["messages"]:
        is_inside |= row[1] == event.SNAPSHOT_BEGIN
        if not is_inside:
            kept.append(row)
        is_inside &= row[1] != event.SNAPSHOT_END
    return replace(item, payload=canonical_json(content | {"messages": kept}))


def test_nothing_is_decided_on_a_book_that_was_not_heard(home: Path) -> None:
    folder = begun(home, "book", [Asked(strategy_in(home))])
    down = canonical_json({"what": "feed", "category": "linear", "is_up": False})

    async def lead() -> tuple[int, int]:
        driver = driver_for(folder, [], ledger, feed=fed(home, folder))
        driver.start()
        since = until = 0
        async for items in fed(home, folder).after(-1):
            if driver.desk.rows == 9:
                driver._take([Input(FrameKind.HEALTH, down, driver._last_ts_ms)])
                since = driver._log.last_seq + 1
            is_partial = 9 <= driver.desk.rows < 12
            driver._take([without_snapshots(item) for item in items] if is_partial else items)
            if driver.desk.rows == 12 and not until:
                until = driver._log.last_seq + 1
        driver._log.close()
        return since, until

    with books(home) as ledger:
        since, until = asyncio.run(lead())
    intents = [frame.seq for frame in read(folder.log, {FrameKind.INTENT})]
    assert [seq for seq in intents if seq < since]
    assert not [seq for seq in intents if since <= seq < until]
    assert [seq for seq in intents if seq >= until], "it went on with the next whole book"
    stale = [
        json.loads(frame.payload)["codes"][0]
        for frame in read(folder.log, {FrameKind.DECISION})
        if since <= frame.seq < until
    ]
    assert stale == [int(Reason.BREAKER_STALE)] * 3
    assert replay(folder).is_same


def test_a_recorded_market_is_traded_as_in_its_backtest(real_data: Path, home: Path) -> None:
    lake = Lake(home)
    folders = [real_data / kind / "binance_usdm" for kind in ("trades", "book")]
    import_paths(lake, folders, clock=ManualClock(CREATED_MS))
    name, data = strategy_in(home), "binance_usdm:BTCUSDT"
    end_ms = parse_ms("2024-08-08T23:56:00")  # some two minutes of it
    folder = begun(home, "book", [Asked(name)], lake=lake, name=data, end_ms=end_ms)
    with books(home) as ledger:
        led(home, folder, ledger)
    assert_is_backtest(folder, backtest_of(name, home, "book", data=data, end=end_ms))
    assert replay(folder).is_same


def test_callbacks_that_are_never_called_are_named(home: Path) -> None:
    folder = begun(home, "trades", [Asked(strategy_in(home))])
    assert unheard(folder.plan(), home) == [
        "on_book of quotes is never called on trades: set paper.feed = book"
    ]
    folder = begun(home, "book", [Asked(strategy_in(home))])
    assert unheard(folder.plan(), home) == []


def test_one_feed_is_asked_for_not_two(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    a_lake(home)
    command = ("run", "--strategy", strategy_in(home), "--instrument", NAME, "--timeframe", "1s")
    two = ("--set", "paper.feed=book", "--set", "fills.feed=trades")
    assert execute([*command, *two]) == 1
    assert "for paper set paper.feed = trades alone" in capsys.readouterr().err

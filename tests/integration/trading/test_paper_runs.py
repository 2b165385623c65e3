"""A paper run on recorded bars is its backtest; its tape alone gives it again, to the byte."""

import asyncio
import json
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
from openalpha.core.clock import ManualClock, SystemClock
from openalpha.core.errors import DataError, InputError, LedgerError
from openalpha.core.reasons import Reason
from openalpha.engine.history_rows import rows_of
from openalpha.engine.run import EngineRun
from openalpha.engine.signals import EngineSettings
from openalpha.market.history import History
from openalpha.market.importers import import_paths
from openalpha.market.lake import Lake
from openalpha.risk.settings import SizingSettings
from openalpha.store.run_log import INPUTS, Frame, FrameKind, canonical_json, read
from openalpha.trading.analysis.replay import replay
from openalpha.trading.orders.side import Input
from openalpha.trading.paper.desk import Mode
from openalpha.trading.paper.starting import Asked
from openalpha.trading.run.commands import Command
from openalpha.trading.run.feed_rows import row_payload
from tests.fakes.event_runs import START_MS, market, perp, walk
from tests.fakes.live_runs import (
    BOOK,
    CREATED_MS,
    begun,
    books,
    driver_for,
    led_to_its_end,
    noted,
)

HOUR_MS = 3_600_000


def funding(count: int) -> tuple[np.ndarray, np.ndarray]:
    stamps = START_MS + np.arange(0, count, 8, dtype=np.int64) * HOUR_MS
    return stamps, np.full(len(stamps), 10**8, dtype=np.int64)


def hourly(count: int, seed: int = 1, symbol: str = "BTCUSDT") -> History:
    return market(
        walk(count, seed), instrument=perp(symbol), wick=0.4, funding=funding(count), volume=500.0
    )


def backtest_of(strategy: str, data: Any, home: Path, **given: Any) -> EngineRun:
    given = {"risk": {"profile": "live"}, "clock": ManualClock(CREATED_MS)} | given
    run = backtest(strategy, data, home=home, **given).run
    assert isinstance(run, EngineRun)
    return run


def assert_is_backtest(folder: Any, run: EngineRun, *, book: int = 0) -> None:
    found = noted(folder, book)
    assert len(run.fills) > 3, "a run that does nothing proves nothing"
    assert np.array_equal(found.fills, run.fills.rows)
    assert np.array_equal(found.effects, run.effects.rows)
    assert np.array_equal(found.ended, run.orders.rows)
    scale = 10.0 ** run.effects.units.coin_decimals[0]
    assert (np.array(found.equity) / scale).tobytes() == run.equity.tobytes()


@pytest.mark.parametrize(
    ("strategy", "params", "settings"),
    [
        ("ma_cross", {"stop_pct": 1.0, "trailing_pct": 2.0}, EngineSettings()),
        ("rsi_reversion", {}, EngineSettings()),
        (
            "ma_cross",
            {},
            EngineSettings(
                sizing=SizingSettings(kind="vol_target", lookback_days=3, rebalance="band")
            ),
        ),
        ("grid", {"step_pct": 0.5, "share_pct": 0.4}, EngineSettings()),
        ("dca", {}, EngineSettings()),
    ],
)
def test_a_paper_run_is_the_backtest_of_its_bars(strategy, params, settings, home):
    one = hourly(700)
    folder = begun(home, [Asked(strategy, params)], {one.instrument.id: one}, settings=settings)
    with books(home) as ledger:
        driver = led_to_its_end(folder, [one], ledger)
        run = backtest_of(strategy, one, home, params=params, sizing=settings.sizing)
        assert_is_backtest(folder, run)
        assert driver.poster is not None
        assert driver.poster.checks > 2
        with ledger.database.reading() as connection:
            row = book_row(connection, BOOK)
            assert row is not None
            kept = kept_balances(connection, row[0], categories=[Category.CASH])
    assert kept[Account(folder.id, Category.CASH, "USDT")] == run.balances["USDT"]
    status = folder.status()
    assert (status["mode"], status["rows"]) == ("ended", 700)
    assert Decimal(status["books"][0]["equity"]) == run.final_equity
    verdict = replay(folder)
    assert verdict.is_same
    assert verdict.same["decisions"] == 700
    assert verdict.changed == {}


QUOTES = """
from openalpha.strategy import EventStrategy


class Quotes(EventStrategy):
    name, idea = "quotes", "every kind of order, one changed or called back at each bar"

    def __init__(self, params):
        super().__init__(params)
        self.bid = 0

    def on_fill(self, ctx, fill):
        if fill.order_id == self.bid and fill.side > 0:
            ctx.sell(float(fill.qty), limit=float(fill.price) * 1.004, reduce_only=True, tag="ask")
            ctx.sell(float(fill.qty), stop=float(fill.price) * 0.99, reduce_only=True, tag="stop")

    def on_bar(self, ctx):
        mean = float(ctx.history(5).close.mean())
        mine = {order.tag: order for order in ctx.orders}
        if ctx.index % 40 == 39:
            for order in ctx.orders:
                ctx.cancel(order.id)
            ctx.close_position()
        elif "bid" in mine:
            ctx.amend(mine["bid"].id, limit=min(mean, ctx.close) * 0.998)
        elif ctx.position == 0:
            size = ctx.equity * 0.05 / ctx.close
            self.bid = ctx.buy(size, limit=ctx.close * 0.998, post_only=True, tag="bid")
        elif ctx.index % 7 == 0:
            ctx.buy(ctx.equity * 0.02 / ctx.close)
"""


def test_every_kind_of_order_of_callbacks_fills_as_in_the_backtest(home):
    home.mkdir(exist_ok=True)
    path = home / "quotes.py"
    path.write_text(QUOTES)
    one = hourly(500)
    folder = begun(home, [Asked(str(path))], {one.instrument.id: one})
    with books(home) as ledger:
        led_to_its_end(folder, [one], ledger)
    run = backtest_of(str(path), one, home)
    assert_is_backtest(folder, run)
    assert len(run.fills) > 40
    verdict = replay(folder)
    assert verdict.is_same
    assert verdict.same["orders"] > 100


def test_a_strategy_over_two_instruments_one_of_which_lacks_bars(home):
    rows = np.delete(np.arange(400), np.random.default_rng(2).integers(1, 399, 60))
    other = market(walk(len(rows), 4), instrument=perp("ETHUSDT"), rows=rows, funding=funding(400))
    histories = {h.instrument.id: h for h in (hourly(400), other)}
    folder = begun(home, [Asked("momentum", {"lookback": 30})], histories)
    with books(home) as ledger:
        led_to_its_end(folder, list(histories.values()), ledger)
    run = backtest_of("momentum", histories, home, params={"lookback": 30})
    assert_is_backtest(folder, run)


def test_three_strategies_share_a_run_each_with_its_own_part(home):
    one = hourly(500)
    asked = [Asked("ma_cross", share=Decimal("0.5")), Asked("rsi_reversion"), Asked("dca")]
    folder = begun(home, asked, {one.instrument.id: one})
    with books(home) as ledger:
        driver = led_to_its_end(folder, [one], ledger)
        assert driver.poster is not None
        assert driver.poster.venues[0] == f"{folder.id}/ma_cross"
    for number, (name, capital) in enumerate(
        [("ma_cross", 5000), ("rsi_reversion", 2500), ("dca", 2500)]
    ):
        run = backtest_of(name, one, home, capital=capital)
        assert_is_backtest(folder, run, book=number)
    assert replay(folder).is_same


def mutated(frames: list[Frame]) -> list[Frame]:
    """The same tape, the close of one bar a tick lower."""
    at = len(frames) // 2
    content = json.loads(frames[at].payload)
    opening, high, low, close, volume = content["bars"][0]
    content["bars"][0] = [opening, high, min(low, close - 500), close - 500, volume]
    payload = json.dumps(content, sort_keys=True, separators=(",", ":")).encode()
    return [*frames[:at], replace(frames[at], payload=payload), *frames[at + 1 :]]


def test_a_mutated_tape_gives_another_run(home):
    one = hourly(300)
    folder = begun(home, [Asked("ma_cross")], {one.instrument.id: one})
    with books(home) as ledger:
        led_to_its_end(folder, [one], ledger)
    tape = list(read(folder.log, INPUTS))
    assert replay(folder, tape=tape).is_same
    verdict = replay(folder, tape=mutated(tape))
    assert not verdict.is_same
    assert verdict.differences[0].logged != verdict.differences[0].replayed


def taken(driver: Any, first: int, stop: int, histories: list[History]) -> None:
    """Let a driver take some rows, as if the process died right after."""
    rows = list(rows_of(histories))[first:stop]
    items = [Input(FrameKind.FEED, row_payload(row), row.ts_ms + HOUR_MS) for row in rows]
    asyncio.run(_take(driver, items))


async def _take(driver: Any, items: list[Input]) -> None:
    driver._take(items)


def test_a_run_whose_process_is_gone_goes_on_where_it_was(home, tmp_path):
    one = hourly(600)
    asked = [Asked("ma_cross"), Asked("dca")]
    whole = begun(home, asked, {one.instrument.id: one})
    cut = begun(tmp_path / "other", asked, {one.instrument.id: one})
    with books(home) as ledger:
        led_to_its_end(whole, [one], ledger)
    with books(tmp_path / "other") as ledger:
        for first, stop in ((0, 7), (7, 450), (450, 451)):
            driver = driver_for(cut, [one], ledger)
            assert driver.start().inputs == first
            taken(driver, first, stop, [one])
            driver._log.close()
        led_to_its_end(cut, [one], ledger)
    wholes, cuts = ([(f.kind, f.payload) for f in read(x.log)] for x in (whole, cut))
    assert sorted(wholes) != [], "there is something to compare"
    for book in range(2):
        one_way, other_way = noted(whole, book), noted(cut, book)
        assert np.array_equal(one_way.fills, other_way.fills)
        assert np.array_equal(one_way.effects, other_way.effects)
        assert one_way.equity == other_way.equity
    assert [x for x in wholes if x[0] in INPUTS] == [x for x in cuts if x[0] in INPUTS]
    assert replay(cut).is_same


def test_outputs_the_log_lacks_are_written_at_the_next_start(home):
    one = hourly(200)
    folder = begun(home, [Asked("ma_cross")], {one.instrument.id: one})
    with books(home) as ledger:
        driver = driver_for(folder, [one], ledger)
        driver.start()
        log = driver._log
        for row in list(rows_of([one]))[:50]:
            log.append(FrameKind.FEED, row_payload(row), ts_ms=row.ts_ms + HOUR_MS)
        log.sync()
        log.close()
        again = driver_for(folder, [one], ledger)
        assert len(again.start().missing) >= 50
        again._log.close()
        led_to_its_end(folder, [one], ledger)
    assert_is_backtest(folder, backtest_of("ma_cross", one, home))
    assert replay(folder).is_same


def test_a_log_that_another_program_wrote_is_not_gone_on_with(home):
    one = hourly(100)
    folder = begun(home, [Asked("ma_cross")], {one.instrument.id: one})
    with books(home) as ledger:
        driver = driver_for(folder, [one], ledger)
        driver.start()
        taken(driver, 0, 60, [one])
        driver._log.append(FrameKind.DECISION, b'{"of":3}', ts_ms=0)
        driver._log.sync()
        driver._log.close()
        with pytest.raises(DataError, match="follows from none of its inputs"):
            driver_for(folder, [one], ledger).start()


class _Commanding:
    """A feed that gives commands between its rows."""

    is_live = False

    def __init__(self, histories: list[History], at: dict[int, Command]) -> None:
        self._histories, self._at = histories, at

    async def after(self, last_row_ms: int, heard: int = 0) -> Any:
        for number, row in enumerate(rows_of(self._histories)):
            if row.ts_ms <= last_row_ms:
                continue
            yield [Input(FrameKind.FEED, row_payload(row), row.ts_ms + HOUR_MS)]
            if number in self._at:
                content = canonical_json(self._at[number].content())
                yield [Input(FrameKind.COMMAND, content, row.ts_ms + HOUR_MS)]


def decisions(folder: Any) -> list[dict[str, Any]]:
    return [json.loads(frame.payload) for frame in read(folder.log, {FrameKind.DECISION})]


def test_a_paused_run_opens_nothing_until_it_is_resumed(home):
    one = hourly(300)
    folder = begun(home, [Asked("ma_cross")], {one.instrument.id: one})
    at = {100: Command("PAUSE", "news"), 200: Command("RESUME"), 250: Command("STOP", "enough")}
    with books(home) as ledger:
        driver = led_to_its_end(folder, [one], ledger, feed=_Commanding([one], at))
    assert (driver.desk.mode, driver.desk.why) == (Mode.ENDED, "enough")
    codes = [decision["codes"][0] for decision in decisions(folder)]
    assert Reason.PAUSED in codes[101:201]
    assert Reason.ORDERED in codes[:101]
    assert Reason.ORDERED in codes[201:]
    assert len(codes) == 251
    assert replay(folder).is_same


def test_a_run_stopped_and_flattened_ends_flat(home):
    one = hourly(300)
    folder = begun(home, [Asked("buy_and_hold")], {one.instrument.id: one})
    at = {20: Command("STOP", "home time", is_flatten=True)}
    with books(home) as ledger:
        driver = led_to_its_end(folder, [one], ledger, feed=_Commanding([one], at))
    assert driver.desk.is_flat()
    assert driver.desk.rows == 22, "the closing order fills in the bar after"
    assert (driver.desk.mode, driver.desk.why) == (Mode.ENDED, "home time")
    assert replay(folder).is_same


def test_a_run_stopped_plainly_keeps_its_position_and_its_stop(home):
    one = hourly(300)
    asked = [Asked("buy_and_hold", {"stop_pct": 5.0})]
    folder = begun(home, asked, {one.instrument.id: one})
    at = {20: Command("STOP", "enough")}
    with books(home) as ledger:
        led_to_its_end(folder, [one], ledger, feed=_Commanding([one], at))
    (book,) = folder.status()["books"]
    assert len(book["positions"]) == 1
    assert [order["trigger_kind"] for order in book["orders"]] == ["stop"]


def test_books_that_disagree_with_the_account_halt_the_run(home, monkeypatch):
    one = hourly(100)
    folder = begun(home, [Asked("ma_cross")], {one.instrument.id: one})
    machine = "openalpha.venue.kernel.machine.Machine.balances"
    monkeypatch.setattr(machine, lambda self: [1])
    with books(home) as ledger, pytest.raises(LedgerError, match="the ledger holds"):
        led_to_its_end(folder, [one], ledger)


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ([Asked("ma_cross", share=Decimal(2))], "shares add up to 2"),
        ([Asked("ma_cross", {"fast": 50, "slow": 20})], "fast"),
        ([Asked("nonsense")], "there is no strategy"),
    ],
)
def test_what_cannot_be_run_is_refused_before_a_folder_is_made(home, asked, words):
    one = hourly(100)
    with pytest.raises(InputError, match=words):
        begun(home, asked, {one.instrument.id: one})
    assert not (home / "runs").exists()


@pytest.mark.parametrize("symbol", ["BTCUSDT", "ETHUSDT", "SOLUSDT"])
def test_recorded_minutes_of_a_real_market(real_data, home, symbol):
    lake = Lake(home)
    names = [f"ohlcv/bybit_linear/{symbol}_1m.parquet", f"funding/bybit_linear/{symbol}.parquet"]
    import_paths(lake, [real_data / name for name in names], clock=SystemClock())
    whole = lake.load(f"bybit_linear:{symbol}", "1m")
    last = whole.window(len(whole) - 10_000, len(whole))
    params = {"fast": 20, "slow": 60}
    folder = begun(home, [Asked("ma_cross", params)], {last.instrument.id: last})
    with books(home) as ledger:
        led_to_its_end(folder, [last], ledger)
    run = backtest_of("ma_cross", last, home, params=params)
    assert_is_backtest(folder, run)
    assert replay(folder).is_same

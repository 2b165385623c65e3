"""Event strategies on recorded depth and trades: what they hear, how they fill, what is refused."""

import math
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from openalpha.api import BacktestResult, backtest
from openalpha.core.clock import SECOND_MS, ManualClock, SystemClock, parse_ms
from openalpha.core.errors import DataError, InputError
from openalpha.core.orders import Role
from openalpha.core.reasons import Reason
from openalpha.market.blocks import Block
from openalpha.market.importers import import_paths
from openalpha.market.lake import Lake
from openalpha.market.series import SeriesKey, SeriesKind
from openalpha.market.tape import tape_of
from openalpha.strategy import EventStrategy

NAME = "moon_linear:AAAUSDT"
START = parse_ms("2024-03-01")
FREE = {"preset": "none", "funding": False}
Row = tuple[int, ...]


def tape_home(home: Path, trades: Sequence[Row], depth: Sequence[Row]) -> Path:
    """A lake with prints (ms after START, side, price, qty) and levels (…, is_snapshot, …)."""
    lake = Lake(home)
    for kind, rows, names in (
        (SeriesKind.TRADES, trades, ["side", "price", "qty"]),
        (SeriesKind.BOOK, depth, ["is_snapshot", "side", "price", "qty"]),
    ):
        frame = pl.DataFrame(rows, schema=["ts", *names], orient="row")
        frame = frame.with_columns(pl.col("ts") + START)
        key = SeriesKey("moon_linear", "AAAUSDT", kind)
        extra = dict.fromkeys(("first_u", "final_u", "prev_u"), -1) | {"trade_id": ""}
        frame = frame.with_columns(
            (pl.col("ts") * 1_000_000).alias("arrival_ns"),
            *(pl.lit(value).alias(name) for name, value in extra.items()),
        )
        frame = frame.select(list(key.polars_schema())).cast(key.polars_schema())  # type: ignore[arg-type]
        lake.merge(key, Block(frame, 1, 3), source="made up")
    return home


BOOK = [(0, 1, 1, 1000, 5), (0, 1, 1, 999, 9), (0, 1, -1, 1002, 4), (0, 1, -1, 1003, 9)]
QUIET = [(0, 1, 1001, 1), (9_999, 1, 1001, 1)]


class Heard(EventStrategy):
    """Notes what it hears, and does what `deeds` say at a bar."""

    name = "heard"
    idea = "Listen."
    deeds: dict[int, Any] = {}  # noqa: RUF012 - set by each test
    notes: list[tuple[Any, ...]] = []  # noqa: RUF012 - of the class, as runs make their own objects

    def on_start(self, ctx: Any) -> None:
        self.notes.clear()  # of the rehearsal that comes before

    def on_bar(self, ctx: Any) -> None:
        self.notes.append(("bar", ctx.ts_ms - START, ctx.close, ctx.position))
        deed = self.deeds.get(ctx.index)
        if deed is not None:
            deed(ctx)

    def on_fill(self, ctx: Any, fill: Any) -> None:
        price, qty = float(fill.price), float(fill.qty)
        self.notes.append(("fill", ctx.ts_ms - START, int(fill.side), price, qty, ctx.position))

    def on_trade(self, ctx: Any, trade: Any) -> None:
        self.notes.append(("trade", trade.ts_ms - START, trade.side, trade.price, trade.qty))

    def on_book(self, ctx: Any, book: Any) -> None:
        self.notes.append(("book", ctx.ts_ms - START, book.bid, book.ask, book.levels(1)))


def played(
    home: Path, deeds: dict[int, Any] | None = None, **given: Any
) -> tuple[BacktestResult, list[Any]]:
    class Told(Heard):
        pass

    Told.deeds, Told.notes = deeds or {}, []
    more: dict[str, Any] = {"costs": FREE, "fills": {"feed": "book"}, "timeframe": "1s"}
    result = backtest(
        given.pop("strategy", Told), given.pop("data", NAME), home=home,
        clock=ManualClock(START), **(more | given),
    )  # fmt: skip
    return result, [note for note in Told.notes if note[1] > 1000]


def test_messages_are_heard_in_order(tmp_path: Path) -> None:
    home = tape_home(
        tmp_path,
        [*QUIET[:1], (1_500, -1, 1000, 2), (1_500, 1, 1002, 1), QUIET[1]],
        [*BOOK, (1_500, 0, 1, 1000, 3), (2_500, 0, -1, 1002, 0), (9_999, 0, 1, 999, 9)],
    )
    result, notes = played(home)
    assert notes[:5] == [
        ("trade", 1_500, -1, 100.0, 0.002),
        ("trade", 1_500, 1, 100.2, 0.001),
        ("book", 1_500, 100.0, 100.2, ([(100.0, 0.003)], [(100.2, 0.003)])),
        ("bar", 2_000, 100.2, 0.0),
        ("book", 2_500, 100.0, 100.3, ([(100.0, 0.003)], [(100.3, 0.009)])),
    ]
    bars = [note[1] for note in notes if note[0] == "bar"]
    assert bars == list(range(2_000, 10_000, 1_000))
    assert result.run.timeframe_ms == SECOND_MS
    assert result.run.equity.tolist() == [10_000.0] * 9
    assert any("3 trades and 6 levels played back" in note for note in result.run.notes)


def test_a_limit_order_waits_behind_the_queue_and_a_market_order_takes(tmp_path: Path) -> None:
    home = tape_home(
        tmp_path,
        # Five stand before us at 100.0: three go, then three more, of which one is ours.
        [*QUIET[:1], (2_100, -1, 1000, 3), (3_100, -1, 1000, 3), (5_100, 1, 1002, 1), QUIET[1]],
        [*BOOK, (9_999, 0, 1, 999, 9)],
    )

    def turn(ctx: Any) -> None:
        for order in ctx.orders:
            ctx.cancel(order.id)
        ctx.sell(0.001)

    deeds = {0: lambda ctx: ctx.buy(0.002, limit=100.0), 5: turn}
    result, notes = played(home, deeds)
    # The prints have emptied 100.0, so the sale meets 99.9; it is heard of at the next close.
    assert [note for note in notes if note[0] == "fill"] == [
        ("fill", 3_100, 1, 100.0, 0.001, 0.001),
        ("fill", 7_000, -1, 99.9, 0.001, 0.0),
    ]
    assert result.fills["role"].to_list() == [Role.MAKER, Role.TAKER]
    assert result.fills["ts_ms"].to_list() == [START + 3_100, START + 6_000]
    assert result.run.balances["USDT"] == Decimal("9999.9999")


def test_costs_latency_and_equity_count(tmp_path: Path) -> None:
    home = tape_home(tmp_path, QUIET, [*BOOK, (9_999, 0, 1, 999, 9)])
    deeds = {1: lambda ctx: ctx.buy(0.006)}
    result, notes = played(home, deeds, costs={"taker_bps": 10, "latency_ms": 1500})
    fills = [note for note in notes if note[0] == "fill"]
    # Decided at 2 s, there at 3.5 s: four at 100.2 and two at 100.3, heard of at the bar's close.
    assert [note[1:5] for note in fills] == [(4_000, 1, 100.2, 0.004), (4_000, 1, 100.3, 0.002)]
    assert result.fills["ts_ms"].to_list() == [START + 3_500] * 2
    fee = (0.4008 + 0.2006) * 0.001
    assert float(result.fills["fee"].sum()) == pytest.approx(fee, abs=1e-7)
    # Marked at the last price, the fill at 100.3.
    worth = 0.004 * 0.1 - fee
    assert result.run.equity[-1] == pytest.approx(10_000 + worth, abs=1e-6)
    assert result.run.equity[1] == 10_000


def test_what_the_book_cannot_give_is_cancelled(tmp_path: Path) -> None:
    home = tape_home(tmp_path, QUIET, [*BOOK, (9_999, 0, 1, 999, 9)])
    result, _ = played(home, {1: lambda ctx: ctx.buy(1)})
    assert result.run.orders.to_frame()["reason"].to_list() == [int(Reason.IOC_REMAINDER)]
    assert float(result.fills["qty"].sum()) == pytest.approx(0.013)


def test_who_only_hears_bars_gets_the_same_fills(tmp_path: Path) -> None:
    random = np.random.default_rng(5)
    trades = [
        (int(ts), int(side), 1001 + int(side), int(qty))
        for ts, side, qty in zip(
            np.sort(random.integers(0, 9_999, 200)), random.choice([-1, 1], 200),
            random.integers(1, 4, 200), strict=True,
        )
    ]  # fmt: skip
    depth = [*BOOK, *((ts, 0, 1, 1000, 5) for ts in range(100, 9_999, 100)),
             *((ts, 0, -1, 1002, 4) for ts in range(150, 9_999, 100))]  # fmt: skip
    home = tape_home(tmp_path, [*QUIET, *trades], sorted(depth))

    class Deaf(EventStrategy):
        name = "deaf"
        idea = "Quote."

        def on_bar(self, ctx: Any) -> None:
            for order in ctx.orders:
                ctx.cancel(order.id)
            ctx.buy(0.003, limit=100.0)
            ctx.sell(0.003, limit=100.2)

    class Listening(Deaf):
        name = "listening"

        def on_book(self, ctx: Any, book: Any) -> None:
            assert math.isfinite(book.bid)

    runs = [played(home, strategy=cls)[0].run for cls in (Deaf, Listening)]
    assert len(runs[0].fills) > 5
    assert np.array_equal(runs[0].fills.rows, runs[1].fills.rows)
    assert runs[0].equity.tolist() == runs[1].equity.tolist()


def test_what_cannot_be_played_back_is_refused(tmp_path: Path) -> None:
    home = tape_home(tmp_path, QUIET, [*BOOK, (9_999, 0, 1, 999, 9)])
    with pytest.raises(InputError, match="gives targets at the closes of bars"):
        played(home, strategy="ma_cross")
    with pytest.raises(
        DataError, match=r"needs recorded depth and trades of x:Y; the lake has no b"
    ):
        played(home, data="x:Y")
    with pytest.raises(DataError, match="holds no whole 1m bar"):
        played(home, timeframe="1m")

    class Wrong(EventStrategy):
        name = "told"
        idea = "Fail where no rehearsal looks."

        def on_bar(self, ctx: Any) -> None:
            pass

        def on_book(self, ctx: Any, book: Any) -> None:
            if ctx.index == 2:
                raise KeyError("oops")

    home = tape_home(
        tmp_path / "more", QUIET, [*BOOK, *((n, 0, 1, 999, 9) for n in (3_500, 9_999))]
    )
    with pytest.raises(InputError, match=r"told fails in on_book at 2024-03-01T00:00:03.*oops"):
        played(home, strategy=Wrong)


class Quoter(EventStrategy):
    """Rests one order at each side of the book, moved when the best price moves."""

    name = "quoter"
    idea = "Earn the spread."

    def on_start(self, ctx: Any) -> None:
        self.bid = self.ask = math.nan

    def on_bar(self, ctx: Any) -> None:
        pass

    def on_book(self, ctx: Any, book: Any) -> None:
        if ctx.index < 0 or (book.bid, book.ask) == (self.bid, self.ask):
            return
        self.bid, self.ask = book.bid, book.ask
        for order in ctx.orders:
            ctx.cancel(order.id)
        if ctx.position < 0.05:
            ctx.buy(0.01, limit=book.bid, post_only=True)
        if ctx.position > -0.05:
            ctx.sell(0.01, limit=book.ask, post_only=True)


def test_a_quoting_strategy_on_a_recorded_market(real_data: Path, tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    folders = [real_data / kind / "binance_usdm" for kind in ("trades", "book")]
    import_paths(lake, folders, clock=SystemClock())
    name = "binance_usdm:BTCUSDT"
    costs = {"latency_ms": 20, "funding": False}
    result, _ = played(tmp_path, strategy=Quoter, data=name, timeframe="1s", costs=costs)
    run = result.run
    assert len(run.ts_ms) > 300
    assert len(run.fills) > 20
    frame = result.fills
    assert set(frame["role"].to_list()) == {Role.MAKER}
    # Filled at its own price, and only where the tape really traded.
    tape = tape_of(lake, result.context.histories[name])
    scale = 10.0 ** result.context.histories[name].instrument.price_decimals
    low, high = tape.trades[:, 2].min() / scale, tape.trades[:, 2].max() / scale
    assert frame["price"].is_between(low, high).all()
    assert run.effects.total() + run.capital == run.balances["USDT"]
    assert abs(run.position).max() <= 0.08
    assert "maker" in " ".join(run.notes)


TAPE = [(0, 1, 1001, 1), (1_500, -1, 1000, 4), (2_500, 1, 1002, 6), (3_500, -1, 998, 2),
        (4_500, -1, 996, 5), (5_500, 1, 1000, 9), (9_999, 1, 1001, 1)]  # fmt: skip


def on_trades(home: Path, deeds: dict[int, Any], **given: Any) -> tuple[BacktestResult, list[Any]]:
    costs = FREE | {"spread_bps": 40}  # half of it is two ticks
    return played(home, deeds, **({"fills": {"feed": "trades"}, "costs": costs} | given))


def test_on_trades_alone_a_taker_gets_what_was_last_traded(tmp_path: Path) -> None:
    home = tape_home(tmp_path, TAPE, BOOK)
    result, notes = on_trades(home, {1: lambda ctx: ctx.buy(0.009)})
    # Decided at 2 s: the last print had 4, at 100.0, and a taker pays half the spread beside it.
    made = result.fills.select("ts_ms", "qty", "price").rows()
    assert [(ts - START, float(q), float(p)) for ts, q, p in made] == [(2_000, 0.004, 100.2)]
    assert result.run.orders.to_frame()["reason"].to_list() == [int(Reason.IOC_REMAINDER)]
    assert ("trade", 2_500, 1, 100.2, 0.006) in notes
    assert not [note for note in notes if note[0] == "book"]
    assert "6 trades played back" in " ".join(result.run.notes)


def test_on_trades_alone_an_order_at_rest_needs_prints_beyond_it(tmp_path: Path) -> None:
    home = tape_home(tmp_path, TAPE, BOOK)

    def place(ctx: Any) -> None:
        ctx.buy(0.009, limit=99.8)
        ctx.buy(0.001, limit=99.6)

    result, _ = on_trades(home, {0: place})
    # 99.8 only touches it; 99.6 is two ticks beyond, and has 5 of the 9; 99.6 itself is touched.
    made = result.fills.select("ts_ms", "qty", "price", "role").rows()
    assert [(ts - START, float(q), float(p), role) for ts, q, p, role in made] == [
        (4_500, 0.005, 99.8, Role.MAKER)
    ]


def test_on_trades_alone_a_stop_takes_from_the_print_that_reached_it(tmp_path: Path) -> None:
    home = tape_home(tmp_path, TAPE, BOOK)

    def turn(ctx: Any) -> None:
        ctx.buy(0.004)
        ctx.sell(0.002, stop=99.9, reduce_only=True)

    result, _ = on_trades(home, {1: turn})
    made = result.fills.select("ts_ms", "qty", "price", "reason").rows()
    assert [(ts - START, float(q), float(p), why) for ts, q, p, why in made][1:] == [
        (3_500, 0.002, 99.6, int(Reason.STOP))
    ]


def test_a_signal_strategy_is_refused_on_trades(tmp_path: Path) -> None:
    home = tape_home(tmp_path, TAPE, BOOK)
    with pytest.raises(InputError, match=r"fills\.feed = trades is for event strategies"):
        on_trades(home, {}, strategy="ma_cross")

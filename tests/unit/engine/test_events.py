"""Event strategies on the kernel: what they hear, see and do, and that they cannot see ahead."""

import math
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from openalpha.core.errors import DataError, InputError
from openalpha.core.orders import Role
from openalpha.core.reasons import Reason
from openalpha.engine.events import run_events
from openalpha.engine.run import VenueSettings
from openalpha.engine.signals import EngineSettings
from openalpha.strategy.params import ExitParams, Exits
from openalpha.venue.kernel import layout as at
from openalpha.venue.settings import CostSettings, MarginSettings
from tests.fakes.event_runs import (
    HOUR_MS,
    START_MS,
    Script,
    at_bars,
    market,
    perp,
    play,
    walk,
)


def statuses(run: Any) -> list[tuple[int, int]]:
    return [(int(row["status"]), int(row["reason"])) for row in run.orders.to_frame().to_dicts()]


def test_callbacks_come_in_order_and_a_fill_before_its_bar() -> None:
    script = Script(at_bars({1: lambda ctx: ctx.buy(1)}))
    play(script, market([100, 101, 102, 103]))
    close = [START_MS + (bar + 1) * HOUR_MS for bar in range(4)]
    assert script.heard == [
        ("start", START_MS),
        ("bar", close[0]),
        ("bar", close[1]),
        ("fill", close[1]),  # the open of the next bar is this bar's close
        ("bar", close[2]),
        ("bar", close[3]),
        ("stop", close[3]),
    ]
    assert [(fill.price, fill.seq) for fill in script.fills] == [(Decimal("101.00"), 0)]


def test_what_the_context_says_is_what_the_run_says() -> None:
    seen: list[tuple[float, ...]] = []

    def on_bar(ctx: Any) -> None:
        seen.append((ctx.equity, ctx.position, ctx.close, ctx.cash))
        if ctx.index % 7 == 0:
            (ctx.buy if ctx.position <= 0 else ctx.sell)(2)

    prices = walk(300)
    run = play(Script(on_bar), market(prices, wick=0.3), costs=CostSettings(funding=False))
    table = np.array(seen)
    assert np.array_equal(table[:, 0], run.equity)
    assert np.array_equal(table[:, 1], run.position[:, 0])
    assert table[:, 2].tolist() == prices
    assert table[-1, 3] == float(run.balances["USDT"])
    assert len(run.fills) > 40


def test_columns_and_history_end_with_the_bar_just_closed() -> None:
    prices = walk(50)
    whole = market(prices, wick=0.5, volume=7)

    def on_bar(ctx: Any) -> None:
        row = ctx.index
        columns = [whole.column(name)[row] for name in ("open", "high", "low", "close", "volume")]
        assert [ctx.open, ctx.high, ctx.low, ctx.close, ctx.volume] == columns
        last = ctx.history(5)
        assert last.ts_ms.tolist() == whole.ts_ms[max(0, row - 4) : row + 1].tolist()
        assert last.close.tolist() == prices[max(0, row - 4) : row + 1]
        assert ctx.ts_ms == last.ts_ms[-1] + HOUR_MS

    script = Script(on_bar)
    play(script, whole)
    assert len(script.heard) == 52


def test_before_the_first_bar_nothing_is_known() -> None:
    class Early(Script):
        def on_start(self, ctx: Any) -> None:
            self.seen = [ctx.open, ctx.high, ctx.low, ctx.close, ctx.volume, ctx.entry_price]
            self.bars = len(ctx.history(3))
            self.account = (ctx.equity, ctx.cash, ctx.position, ctx.orders)

    early = Early()
    play(early, market([100, 101]))
    assert all(math.isnan(value) for value in early.seen)
    assert (early.bars, early.account) == (0, (10_000.0, 10_000.0, 0.0, ()))


@pytest.mark.parametrize("cut", [1, 40, 113, 299])
def test_later_bars_change_nothing_before_them(cut: int) -> None:
    def told() -> tuple[Script, list[tuple[Any, ...]]]:
        notes: list[tuple[Any, ...]] = []

        def on_bar(ctx: Any) -> None:
            notes.append((ctx.close, ctx.equity, ctx.position, ctx.orders, ctx.history(3).high[-1]))
            if ctx.index % 5 == 0:
                ctx.buy(0.5, limit=ctx.close - 0.5, exits=Exits(stop_e6=20_000, time_exit_bars=9))

        return Script(on_bar), notes

    prices = walk(300)
    script, whole = told()
    play(script, market(prices, wick=0.4))
    script, part = told()
    play(script, market(prices[:cut], wick=0.4))
    assert repr(part) == repr(whole[:cut])


def test_skipping_bars_changes_nothing() -> None:
    def on_bar(ctx: Any) -> None:
        if ctx.index % 11 == 3:
            ctx.buy(1, limit=ctx.close - 1.0, exits=Exits(trailing_e6=15_000))
        if ctx.index % 29 == 0:
            for order in ctx.orders:
                ctx.cancel(order.id)

    costs = CostSettings(latency_ms=1500)
    history = market(walk(600), wick=0.2, volume=20)
    fast, slow = (play(Script(on_bar), history, costs=costs, skip=skip) for skip in (True, False))
    assert fast.slow_bars < slow.slow_bars == 600
    assert np.array_equal(fast.equity, slow.equity)
    for name in ("fills", "effects", "orders"):
        assert np.array_equal(getattr(fast, name).rows, getattr(slow, name).rows)
    assert len(fast.fills) > 20


def test_orders_are_listed_changed_and_cancelled() -> None:
    seen: dict[int, Any] = {}

    def on_bar(ctx: Any) -> None:
        seen[ctx.index] = ctx.orders
        if ctx.index == 0:
            ctx.buy(1, limit=90, tag="low")
            ctx.sell(1, stop=80, tag="stop")
            ctx.buy(2, limit=91.04)
            assert len(ctx.orders) == 3
        if ctx.index == 2:
            first, _, last = ctx.orders
            ctx.amend(first.id, qty=3.0004, limit=92.07)
            ctx.cancel(last.id)
            ctx.cancel(4711)
            ctx.amend(4711, qty=1)

    run = play(Script(on_bar), market([100] * 5, wick=1))
    low, stop, plain = seen[1]
    assert (low.side, low.qty, low.filled, low.limit, low.tag) == (1, 1.0, 0.0, 90.0, "low")
    assert (stop.side, stop.trigger, stop.limit, stop.tag) == (-1, 80.0, None, "stop")
    assert (plain.qty, plain.limit, plain.tag) == (2.0, 91.0, "")
    assert [(order.qty, order.limit) for order in seen[4]] == [(3.0, 92.0), (1.0, None)]
    assert statuses(run) == [(5, int(Reason.CANCELLED_BY_USER))]


def test_attached_exits_are_orders_that_may_be_moved() -> None:
    seen: list[Any] = []

    def on_bar(ctx: Any) -> None:
        if ctx.index == 0:
            ctx.buy(1, exits=Exits(stop_e6=100_000, take_profit_e6=100_000))
        elif ctx.index == 1:
            seen.extend(ctx.orders)
            ctx.amend(ctx.orders[0].id, trigger=95)
        else:
            seen.append(ctx.position)

    run = play(Script(on_bar), market([100, 100, 100, 94, 94]))
    stop, profit, *positions = seen
    assert (stop.trigger, profit.trigger, stop.qty, stop.is_reduce_only) == (90.0, 110.0, 1.0, True)
    assert positions == [1.0, 0.0, 0.0]
    assert run.fills.to_frame()["price"].to_list() == [100.0, 95.0]


def test_exits_among_the_parameters_go_with_every_entry() -> None:
    script = Script(at_bars({0: lambda ctx: ctx.buy(1)}), params=ExitParams(stop_pct=5))
    play(script, market([100, 100, 94, 94]))
    assert [fill.reason for fill in script.fills] == [Reason.MARKET, Reason.STOP]


def test_a_post_only_limit_rests_and_is_filled_as_maker() -> None:
    deed = {0: lambda ctx: ctx.buy(1, limit=99, post_only=True), 2: lambda ctx: ctx.sell(1)}
    script = Script(at_bars(deed))
    play(script, market([100, 98, 100, 100]))
    assert [(fill.role, fill.price) for fill in script.fills] == [
        (Role.MAKER, Decimal("99.00")),
        (Role.TAKER, Decimal("100.00")),
    ]


def test_an_answer_to_a_fill_is_on_its_way_at_that_bars_close() -> None:
    def answer(ctx: Any, fill: Any) -> None:
        if fill.side > 0:
            assert (ctx.ts_ms, ctx.close, ctx.position) == (START_MS + 2 * HOUR_MS, 101.0, 1.0)
            ctx.sell(float(fill.qty), reduce_only=True)

    script = Script(at_bars({0: lambda ctx: ctx.buy(1)}), answer)
    play(script, market([100, 101, 102, 103]))
    assert [(int(fill.side), fill.ts_ms) for fill in script.fills] == [
        (1, START_MS + HOUR_MS),
        (-1, START_MS + 2 * HOUR_MS),
    ]


def test_closing_closes_all_and_does_nothing_when_flat() -> None:
    ids: list[Any] = []

    def on_bar(ctx: Any) -> None:
        if ctx.index == 1:
            ctx.sell(0.5)
            ctx.sell(0.25)
        ids.append(ctx.close_position() if ctx.index in (0, 3) else None)

    run = play(Script(on_bar), market([100] * 6))
    assert run.position[:, 0].tolist() == [0, 0, -0.75, -0.75, 0, 0]
    assert len(run.orders) == 3


def test_average_entry_price() -> None:
    seen: list[float] = []

    def on_bar(ctx: Any) -> None:
        seen.append(ctx.entry_price)
        if ctx.index < 2:
            ctx.buy(1 + 2 * ctx.index)

    play(Script(on_bar), market([100, 104, 104]))
    assert math.isnan(seen[0])
    assert seen[1:] == [100.0, 103.0]


def test_what_is_too_small_or_too_early_is_not_sent_but_counted() -> None:
    ids: list[int] = []

    def on_bar(ctx: Any) -> None:
        ids.append(ctx.buy(0.0001 if ctx.index == 3 else 1))

    run = play(Script(on_bar, warm_up=3), market([100] * 6))
    assert ids == [0, 0, 1, 0, 2, 3]
    assert run.journal is not None
    assert run.journal[:, 0].tolist() == [
        Reason.WARM_UP, Reason.WARM_UP, Reason.ORDERED, Reason.BELOW_LOT, Reason.ORDERED,
        Reason.ORDERED,
    ]  # fmt: skip
    assert run.notes[1:] == (
        "2 orders were not sent: the strategy's indicators were still warming up",
        "1 orders were not sent: the change is smaller than one lot",
        "1 orders were made after the last bar: none can fill",
    )


def test_what_the_venue_refuses_is_a_rejected_order() -> None:
    run = play(Script(at_bars({0: lambda ctx: ctx.buy(1000)})), market([100] * 3))
    assert statuses(run) == [(6, int(Reason.INSUFFICIENT_MARGIN))]


def test_several_instruments_share_rows_and_account() -> None:
    eth = perp("ETHUSDT")
    seen: list[tuple[Any, ...]] = []

    def on_bar(ctx: Any) -> None:
        other = ctx.history(10, instrument="bybit_linear:ETHUSDT")
        seen.append((ctx.index, ctx.close, ctx.volume, other.close.tolist()))
        if ctx.index == 1:
            ctx.buy(1, instrument="bybit_linear:ETHUSDT")
            ctx.buy(2)
        if ctx.index == 3:
            ctx.close_position(instrument="bybit_linear:ETHUSDT")

    run = play(
        Script(on_bar),
        market([100, 101, 103, 104, 105], rows=[0, 1, 3, 4, 5]),
        market([50, 51, 52, 53], rows=[1, 2, 3, 4], instrument=eth),
    )
    assert seen == [
        (0, 100.0, 1000.0, []),
        (1, 101.0, 1000.0, [50.0]),
        (2, 101.0, 0.0, [50.0, 51.0]),  # the first has no bar here
        (3, 103.0, 1000.0, [50.0, 51.0, 52.0]),
        (4, 104.0, 1000.0, [50.0, 51.0, 52.0, 53.0]),
        (5, 105.0, 1000.0, [50.0, 51.0, 52.0, 53.0]),
    ]
    assert run.position.T.tolist() == [[0, 0, 0, 2, 2, 2], [0, 0, 1, 1, 0, 0]]
    assert run.equity.tolist() == [10_000, 10_000, 10_001, 10_006, 10_008, 10_010]


def test_before_its_first_bar_the_first_instrument_is_unknown() -> None:
    seen: list[tuple[float, float]] = []
    first, second = market([100, 101], rows=[2, 3]), market([50] * 4, instrument=perp("ETHUSDT"))
    play(Script(lambda ctx: seen.append((ctx.close, ctx.volume))), first, second)
    assert math.isnan(seen[0][0])
    assert [volume for _, volume in seen] == [0, 0, 1000, 1000]


def divide(ctx: Any) -> None:
    if ctx.index == 2:
        ctx.buy(1 / (ctx.close - 102))


@pytest.mark.parametrize(
    ("script", "words"),
    [
        (Script(divide), r"script fails in on_bar at the bar of 2024-01-01.*: ZeroDivisionError"),
        (Script(lambda ctx: ctx.buy(math.nan)), "on_bar at the bar of .*quantity was nan"),
        (Script(lambda ctx: ctx.buy(1, instrument="x")), "no instrument 'x' here; this run has"),
        (Script(lambda ctx: ctx.buy(1, price=3)), "no term 'price'"),
        (Script(lambda ctx: ctx.history(0)), r"history\(0\) was asked for"),
        (Script(lambda ctx: ctx.history("5")), "ask for at least 1 bar"),
        (
            Script(lambda ctx: ctx.buy(1), lambda ctx, fill: fill.nothing),
            "fails in on_fill at the bar of .*AttributeError",
        ),
        (
            Script(lambda ctx: ctx.history(1).close.__setitem__(0, 1.0)),
            "changes the bars it was given",
        ),
    ],
)
def test_a_failure_names_strategy_callback_bar_and_line(script: Script, words: str) -> None:
    with pytest.raises(InputError, match=words):
        play(script, market([100, 101, 102, 103]))


def test_the_line_named_is_the_strategys_own() -> None:
    line = divide.__code__.co_firstlineno + 2
    # `on_bar` of the script stands in another file than the function it calls.
    place = Path(Script.on_bar.__code__.co_filename).name
    with pytest.raises(InputError, match=place):
        play(Script(divide), market([100, 101, 102]))

    class Own(Script):
        def on_bar(self, ctx: Any) -> None:
            divide(ctx)

    with pytest.raises(InputError, match=rf"\({Path(__file__).name}, line {line}\)"):
        play(Own(), market([100, 101, 102]))


def test_orders_cannot_be_placed_before_the_first_bar() -> None:
    class Early(Script):
        def on_start(self, ctx: Any) -> None:
            ctx.buy(1)

    with pytest.raises(InputError, match="fails in on_start: orders can be placed from the first"):
        play(Early(), market([100, 101]))


def test_our_own_bug_is_not_blamed_on_the_strategy() -> None:
    def on_bar(ctx: Any) -> None:
        ctx._machine.arena[at.H_LOST] = 1
        ctx.buy(1)

    with pytest.raises(AssertionError, match="a bug"):
        play(Script(on_bar), market([100, 101]))


def test_data_errors_of_a_strategy_pass_as_they_are() -> None:
    def on_bar(ctx: Any) -> None:
        raise DataError("the model's file is of another market")

    with pytest.raises(DataError, match=r"^the model's file is of another market$"):
        play(Script(on_bar), market([100, 101]))


def test_callbacks_a_history_cannot_call_are_noted() -> None:
    class Hopeful(Script):
        def on_trade(self, ctx: Any, trade: Any) -> None:
            raise AssertionError

    run = play(Hopeful(), market([100, 101]))
    assert run.notes[1:] == (
        "on_trade was never called: a history of bars has no trades (fills.feed = book plays "
        "recorded ones back)",
    )


def test_settings_that_do_not_go_with_event_strategies() -> None:
    history = market([100, 101])
    hedged = EngineSettings(VenueSettings(margin=MarginSettings(position_mode="hedge")))
    with pytest.raises(InputError, match="one_way"):
        run_events(Script(), {"a": history}, capital=Decimal(1), settings=hedged)
    with pytest.raises(InputError, match="capital was 0"):
        run_events(Script(), {"a": history}, capital=Decimal(0), settings=EngineSettings())
    with pytest.raises(InputError, match="given twice"):
        run_events(
            Script(), {"a": history, "b": history}, capital=Decimal(1), settings=EngineSettings()
        )

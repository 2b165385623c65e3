"""The live profile in event runs: what would open passes the limits or is not sent."""

from decimal import Decimal
from typing import Any

import numpy as np
import pytest

from openalpha.core.reasons import Reason
from openalpha.engine.run import EngineRun
from openalpha.risk.settings import RiskSettings
from openalpha.strategy.params import Exits
from openalpha.venue.settings import CostSettings
from tests.fakes.event_runs import Script, at_bars, market, perp, play

WIDE = {
    "max_position": Decimal("0.3"),
    "min_order": Decimal(0),
    "max_order": Decimal(0),
    "max_trades_per_day": 0,
    "daily_loss": Decimal(0),
    "max_drawdown": Decimal(0),
    "stop": Decimal(0),
}


def live(**limits: Any) -> RiskSettings:
    wide: dict[str, Any] = WIDE
    return RiskSettings(profile="live", **{**wide, **limits})


def sent(run: EngineRun) -> list[int]:
    assert run.journal is not None
    return [int(code) for code in run.journal[:, 0] if code != Reason.NO_SIGNAL]


@pytest.mark.parametrize(
    ("limits", "qty", "reason"),
    [
        ({"max_order": Decimal(1000)}, 10.0, Reason.ORDERED),
        ({"max_order": Decimal(1000)}, 10.001, Reason.RISK_REFUSED),
        ({"min_order": Decimal(100)}, 1.0, Reason.ORDERED),
        ({"min_order": Decimal(100)}, 0.999, Reason.RISK_REFUSED),
        ({"max_position": Decimal("0.1")}, 10.0, Reason.ORDERED),
        ({"max_position": Decimal("0.1")}, 10.001, Reason.RISK_REFUSED),
    ],
)
@pytest.mark.parametrize("side", [1, -1])
def test_an_order_too_small_or_too_large_is_refused(
    side: int, limits: dict[str, Any], qty: float, reason: Reason
) -> None:
    def on_bar(ctx: Any) -> None:
        assert ((ctx.buy if side > 0 else ctx.sell)(qty) > 0) == (reason is Reason.ORDERED)

    run = play(Script(at_bars({0: on_bar})), market([100, 100]), risk=live(**limits))
    assert sent(run) == [reason]


def test_orders_still_open_count_towards_the_position() -> None:
    def on_bar(ctx: Any) -> None:
        for _ in range(3):
            ctx.buy(8, limit=90)  # two are worth 1440, three 2160
        ctx.sell(25)  # the other side has its own room

    run = play(
        Script(at_bars({0: on_bar})), market([100, 100]), risk=live(max_position=Decimal("0.15"))
    )
    assert len(run.notes) == 2
    assert run.notes[1].startswith("2 orders were not sent: a risk limit")
    assert run.position[-1, 0] == 0


def test_an_amend_cannot_go_round_the_limit() -> None:
    seen: list[float] = []

    def on_bar(ctx: Any) -> None:
        if ctx.index == 0:
            ctx.buy(10, limit=90)
        elif ctx.index == 1:
            ctx.amend(ctx.orders[0].id, qty=50)
        else:
            seen.append(ctx.orders[0].qty)

    risk = live(max_position=Decimal("0.1"))
    run = play(Script(on_bar), market([100, 100, 100, 100]), risk=risk)
    assert seen == [10.0, 10.0]
    assert sent(run) == [Reason.ORDERED, Reason.RISK_REFUSED]


def test_what_reduces_is_never_refused() -> None:
    deeds = {0: lambda ctx: ctx.buy(10), 1: lambda ctx: ctx.sell(10), 2: lambda ctx: ctx.sell(0.1)}
    risk = live(max_trades_per_day=1, min_order=Decimal(500))
    run = play(Script(at_bars(deeds)), market([100] * 4), risk=risk)
    assert sent(run) == [Reason.ORDERED, Reason.ORDERED, Reason.RISK_REFUSED]
    assert run.position[:, 0].tolist() == [0, 10, 0, 0]


def test_the_days_number_of_opening_orders() -> None:
    run = play(
        Script(lambda ctx: ctx.buy(0.1)), market([100] * 30), risk=live(max_trades_per_day=3)
    )
    codes = sent(run)
    # The close at midnight ends its day; the next bar's close is the first of the new one.
    assert [bar for bar, code in enumerate(codes) if code == Reason.ORDERED] == [
        0,
        1,
        2,
        24,
        25,
        26,
    ]
    assert set(codes) == {Reason.ORDERED, Reason.MAX_TRADES}


def test_after_the_days_loss_nothing_is_opened_until_the_next_day() -> None:
    closes = [100.0] * 5 + [90.0] * 30
    deeds = {bar: lambda ctx: ctx.buy(0.1) for bar in (6, 22, 23, 24)}
    run = play(
        Script(at_bars({0: lambda ctx: ctx.buy(25), **deeds})),
        market(closes),
        risk=live(daily_loss=Decimal("0.02")),
    )
    loss = Reason.BREAKER_DAILY_LOSS
    assert sent(run) == [Reason.ORDERED, loss, loss, loss, Reason.ORDERED]


def test_a_loss_counts_from_the_close_of_the_day_before() -> None:
    deeds = {0: lambda ctx: ctx.buy(25), 25: lambda ctx: ctx.buy(0.1)}
    closes = [100.0] * 24 + [90.0] * 6
    run = play(Script(at_bars(deeds)), market(closes), risk=live(daily_loss=Decimal("0.02")))
    assert sent(run) == [Reason.ORDERED, Reason.BREAKER_DAILY_LOSS]


def test_of_a_flip_only_what_opens_is_measured() -> None:
    deeds = {0: lambda ctx: ctx.buy(10), 1: lambda ctx: ctx.sell(18)}
    run = play(Script(at_bars(deeds)), market([100] * 3), risk=live(max_order=Decimal(1000)))
    assert run.position[:, 0].tolist() == [0, 10, -8]


def test_the_drawdown_closes_everything_for_good() -> None:
    eth = perp("ETHUSDT")

    def on_bar(ctx: Any) -> None:
        if ctx.index == 0:
            ctx.buy(25)
            ctx.sell(1, instrument="bybit_linear:ETHUSDT")
            ctx.buy(2, limit=50)
        elif ctx.index > 6:
            ctx.buy(1)

    closes = [100.0, 100, 100, 100, 94, 94, 94, 94, 120, 130]
    run = play(
        Script(on_bar),
        market(closes),
        market([50.0] * 10, instrument=eth),
        risk=live(max_drawdown=Decimal("0.01"), max_position=Decimal("0.3")),
    )
    assert run.position[:, 0].tolist() == [0, 25, 25, 25, 25, 0, 0, 0, 0, 0]
    assert run.position[:, 1].tolist() == [0, -1, -1, -1, -1, 0, 0, 0, 0, 0]
    assert set(sent(run)[2:]) == {Reason.BREAKER_DRAWDOWN}
    assert np.all(run.equity[4:] == run.equity[4])
    reasons = run.orders.to_frame().filter(id=3)["reason"].to_list()
    assert reasons == [int(Reason.BREAKER_DRAWDOWN)]


def test_closing_for_good_goes_on_while_the_market_is_thin() -> None:
    # A tenth of each bar's volume may be taken: 25 leave in three bars.
    costs = CostSettings(preset="none", funding=False, participation=Decimal("0.1"))
    closes = [100.0] * 4 + [90.0] * 8
    run = play(
        Script(at_bars({0: lambda ctx: ctx.buy(25)})),
        market(closes, volume=100),
        costs=costs,
        risk=live(max_drawdown=Decimal("0.01")),
    )
    assert run.position[:, 0].tolist() == [0, 10, 20, 25, 25, 15, 5, 0, 0, 0, 0, 0]
    assert len(run.orders) == 2


def test_what_was_on_its_way_when_trading_ended_is_closed_too() -> None:
    # Orders take an hour and a half: the purchase overtakes the order that closes the short, which
    # then has nothing to close.
    deeds = {
        0: lambda ctx: ctx.sell(20),
        1: lambda ctx: ctx.buy(1, limit=50),
        3: lambda ctx: ctx.buy(45),
    }
    run = play(
        Script(at_bars(deeds)),
        market([100.0] * 4 + [110.0] * 60),
        costs=CostSettings(preset="none", funding=False, latency_ms=5_400_000),
        risk=live(max_drawdown=Decimal("0.01")),
    )
    assert run.position[:9, 0].tolist() == [0, 0, -20, -20, -20, 25, 25, 0, 0]
    assert not run.position[9:].any()
    resting = run.orders.to_frame().filter(id=2)
    assert resting["reason"].to_list() == [int(Reason.BREAKER_DRAWDOWN)]


def test_what_fills_after_a_gap_is_closed_at_that_bar() -> None:
    # The second has no bars while trading ends: its purchase and the order that closes its short
    # arrive together, the purchase first.
    eth = "bybit_linear:ETHUSDT"
    deeds = {
        0: lambda ctx: (ctx.buy(25), ctx.sell(5, instrument=eth)),
        3: lambda ctx: ctx.buy(12, instrument=eth),
    }
    run = play(
        Script(at_bars(deeds)),
        market([100.0] * 4 + [90.0] * 36),
        market([50.0] * 37, rows=[0, 1, 2, 3, *range(7, 40)], instrument=perp("ETHUSDT")),
        risk=live(max_drawdown=Decimal("0.01")),
    )
    assert run.position[:10, 1].tolist() == [0, -5, -5, -5, -5, -5, -5, 7, 0, 0]


def test_a_slow_fall_counts_from_the_highest_equity() -> None:
    # 25 held: a fall of 4 in price is the 1 % allowed, the next step is more.
    closes = [100.0, 100.0, *(100 - 0.5 * step for step in range(1, 20))]
    deeds = {bar: lambda ctx: ctx.buy(0.001, limit=10) for bar in range(1, 21)}
    run = play(
        Script(at_bars({**deeds, 0: lambda ctx: ctx.buy(25)})),
        market(closes),
        risk=live(max_drawdown=Decimal("0.01")),
    )
    codes = sent(run)
    assert codes.index(Reason.BREAKER_DRAWDOWN) == 10
    assert run.position[9:13, 0].tolist() == [25, 25, 0, 0]


@pytest.mark.parametrize(("own", "filled_at"), [(0, 97.0), (20_000, 98.0), (50_000, 97.0)])
def test_every_entry_carries_the_limits_stop_unless_its_own_is_nearer(
    own: int, filled_at: float
) -> None:
    deed = {0: lambda ctx: ctx.buy(10, exits=Exits(stop_e6=own))}
    run = play(Script(at_bars(deed)), market([100, 100, 95]), risk=live(stop=Decimal("0.03")))
    assert run.fills.to_frame()["price"].to_list() == [100.0, filled_at]


def test_without_the_live_profile_nothing_is_refused() -> None:
    run = play(Script(at_bars({0: lambda ctx: ctx.buy(90)})), market([100, 100, 50, 50]))
    assert sent(run) == [Reason.ORDERED]
    assert run.position[-1, 0] == 90

"""The live profile's limits on targets: they shrink, refuse or close, and never enlarge.

Capital is 10,000, prices stand at 100 unless a story moves them; every limit is off but the one a
story is about. Bars are hours from midnight UTC, a full target is a fixed amount of money.
"""

from typing import Any

import pytest

from openalpha.strategy.params import Exits
from tests.fakes.small_market import (
    START_MS,
    ended,
    fills_of,
    journal_of,
    linear,
    market,
    run_targets,
    spot,
)

OPEN_LIMITS: dict[str, Any] = {
    "profile": "live",
    "max_position": 100,
    "min_order": 0,
    "max_order": 0,
    "max_trades_per_day": 0,
    "daily_loss": 0,
    "max_drawdown": 0,
    "stop": 0,
}


def amount(money: float) -> dict[str, Any]:
    return {"kind": "fixed_amount", "amount": money}


FLAT = [100] * 6


def test_without_a_limit_the_profile_changes_nothing():
    bars = [100, (100, 120, 80, 90, 1000), 90, 110, 110, 110]
    wanted = [1, -1, 0.5, 0.5, -0.2, 0]
    free = run_targets(market(bars), wanted)
    live = run_targets(market(bars), wanted, risk=OPEN_LIMITS)
    assert fills_of(live) == fills_of(free)
    assert live.equity.tolist() == free.equity.tolist()


@pytest.mark.parametrize(
    ("limit", "wanted", "expected"),
    [
        # 20 % of 10,000 at 100.
        ({"max_position": "0.2"}, [1] * 6, [(1, "+20", "100")]),
        ({"max_position": "0.2"}, [-1] * 6, [(1, "-20", "100")]),
        ({"max_position": "0.9"}, [1] * 6, [(1, "+50", "100")]),
        # The order is capped, the position may grow order by order.
        ({"max_order": 1500}, [1] * 6, [(1, "+15", "100")]),
        ({"max_order": 1500}, [0.2, 0.6, 1, 1, 1, 1],
         [(1, "+10", "100"), (2, "+15", "100"), (3, "+15", "100")]),
        # A flip closes all of what is held and opens at most one order.
        ({"max_order": 1500}, [0.2, -1, -1, -1, -1, -1],
         [(1, "+10", "100"), (2, "-10", "100"), (2, "-15", "100")]),
        # Reducing has no least order, opening has.
        ({"min_order": 1000}, [0.1, 0.2, 0.3, 0.1, 0.1, 0.1],
         [(2, "+10", "100"), (4, "-5", "100")]),
    ],
)  # fmt: skip
def test_sizes(limit, wanted, expected):
    run = run_targets(market(FLAT), wanted, sizing=amount(5000), risk=OPEN_LIMITS | limit)
    assert fills_of(run) == expected


def test_a_refused_order_says_so():
    run = run_targets(
        market(FLAT), [0.1] * 6, sizing=amount(5000), risk=OPEN_LIMITS | {"min_order": 1000}
    )
    assert journal_of(run)[0] == "RISK_REFUSED"
    assert len(run.orders) == 0


def test_opening_orders_of_a_utc_day_are_counted():
    # Bars from 20:00: orders of the closes up to 00:00 belong to the first day.
    late = market([100] * 10, start_ms=START_MS + 20 * 3_600_000)
    wanted = [1, 0, 1, 0, 1, 0, 1, 0, 1, 0]
    run = run_targets(late, wanted, risk=OPEN_LIMITS | {"max_trades_per_day": 2})
    assert [hour for hour, qty, _ in fills_of(run) if qty == "+10"] == [1, 3, 5, 7]
    assert journal_of(run)[8] == "MAX_TRADES"


def test_the_day_s_trades_are_the_account_s_not_each_instrument_s():
    pair = [market(FLAT, instrument=linear(name)) for name in ("BTCUSDT", "ETHUSDT")]
    run = run_targets(pair, [[1] * 6, [1] * 6], risk=OPEN_LIMITS | {"max_trades_per_day": 1})
    assert (len(fills_of(run, 0)), len(fills_of(run, 1))) == (1, 0)
    assert journal_of(run, 1)[0] == "MAX_TRADES"


def test_after_the_day_s_loss_nothing_opens_until_tomorrow():
    # 50 units from 21:00 lose 600 of 10,000 by 23:00, more than 5 %; the day ends at 00:00.
    bars = [100, 100, (100, 100, 88, 88, 1000), 88, 88, 88]
    late = market(bars, start_ms=START_MS + 20 * 3_600_000)
    run = run_targets(
        late,
        [1, 1, 0, -0.5, -0.4, -0.4],
        sizing=amount(5000),
        risk=OPEN_LIMITS | {"daily_loss": "0.05"},
    )
    assert journal_of(run) == [
        "ORDERED", "UNCHANGED", "ORDERED", "BREAKER_DAILY_LOSS", "ORDERED", "UNCHANGED"
    ]  # fmt: skip
    assert [hour for hour, _, _ in fills_of(run)] == [1, 3, 5]


def test_the_day_s_loss_counts_from_the_close_of_the_day_before():
    # Held over midnight: the day begins with 10,000, although nothing is decided until 02:00.
    bars = [100, 100, (100, 100, 88, 88, 1000), 88, 88, 88]
    held = market(bars, start_ms=START_MS + 22 * 3_600_000)
    limits = OPEN_LIMITS | {"daily_loss": "0.05"}
    run = run_targets(held, [1, 1, 1, 0, -0.5, -0.5], sizing=amount(5000), risk=limits)
    assert journal_of(run)[4] == "BREAKER_DAILY_LOSS"
    # With the loss on the day before, the new day may trade.
    earlier = market(bars, start_ms=START_MS + 21 * 3_600_000)
    run = run_targets(earlier, [1, 1, 1, 0, -0.5, -0.5], sizing=amount(5000), risk=limits)
    assert journal_of(run)[4] == "ORDERED"


def test_a_day_whose_loss_was_made_good_stays_closed():
    # 12 lost of each of 50 held is 600 of 10,000; at 104 all of it is back, and more.
    bars = [100, 100, (100, 100, 88, 88, 1000), (88, 104, 88, 104, 1000), 104, 104, 104]
    limits = OPEN_LIMITS | {"daily_loss": "0.05"}
    wanted = [1, 1, 1, 0, -0.5, -0.4, -0.4]
    run = run_targets(market(bars), wanted, sizing=amount(5000), risk=limits)
    assert journal_of(run)[3:5] == ["ORDERED", "BREAKER_DAILY_LOSS"]
    # The next day begins after the fifth bar.
    late = market(bars, start_ms=START_MS + 19 * 3_600_000)
    run = run_targets(late, wanted, sizing=amount(5000), risk=limits)
    assert journal_of(run)[4:6] == ["BREAKER_DAILY_LOSS", "ORDERED"]


def test_a_loss_within_the_limit_stops_nothing():
    # Exactly 5 %: 500 of 10,000.
    bars = [100, 100, (100, 100, 90, 90, 1000), 90, 90]
    run = run_targets(
        market(bars),
        [1, 1, 0, -1, -1],
        sizing=amount(5000),
        risk=OPEN_LIMITS | {"daily_loss": "0.05"},
    )
    assert journal_of(run)[3] == "ORDERED"


FALLING = [100, 100, (100, 100, 70, 70, 1000), 70, 70, 120, 120]


def test_drawdown_closes_at_the_bar_that_breaks_it_and_for_good():
    # 60 units lose 1,800 of 10,000; the target never changes, yet the position is closed.
    run = run_targets(
        market(FALLING),
        [1, 1, 1, 1, 0.5, 1, -1],
        sizing=amount(6000),
        risk=OPEN_LIMITS | {"max_drawdown": "0.15"},
    )
    assert fills_of(run) == [(1, "+60", "100"), (3, "-60", "70")]
    assert journal_of(run)[2] == "BREAKER_DRAWDOWN"
    assert set(journal_of(run)[4:]) == {"BREAKER_DRAWDOWN"}
    assert run.final_equity == 8200


def test_drawdown_is_measured_from_the_highest_equity():
    # Up to 13,000, then down to 11,000: 15.4 % off the peak while above the start.
    bars = [100, 100, (100, 160, 100, 160, 1000), (160, 160, 120, 120, 1000), 120]
    run = run_targets(
        market(bars), [1] * 5, sizing=amount(5000), risk=OPEN_LIMITS | {"max_drawdown": "0.15"}
    )
    assert fills_of(run) == [(1, "+50", "100"), (4, "-50", "120")]


def test_drawdown_closes_every_instrument_of_the_account():
    falling = market(FALLING, instrument=linear("BTCUSDT"))
    calm = market([50] * 7, instrument=linear("ETHUSDT"))
    run = run_targets(
        [falling, calm],
        [[1] * 7, [-0.5] * 7],
        sizing=amount(6000),
        risk=OPEN_LIMITS | {"max_drawdown": "0.15"},
        margin={"leverage": 3},
    )
    assert fills_of(run, 0) == [(1, "+60", "100"), (3, "-60", "70")]
    assert fills_of(run, 1) == [(1, "-60", "50"), (3, "+60", "50")]


def test_a_halted_account_closes_what_an_order_under_way_still_brings():
    # The second order of 40 is on its way for three hours when the account is halted.
    bars = [100] * 5 + [(100, 100, 60, 60, 1000)] + [60] * 8
    wanted = [0.4, 0.4, 0.4, 0.4, 0.8] + [0.8] * 9
    run = run_targets(
        market(bars),
        wanted,
        sizing=amount(10_000),
        risk=OPEN_LIMITS | {"max_drawdown": "0.1"},
        costs={"latency_ms": 3 * 3_600_000},
    )
    held = run.position[:, 0]
    assert held.max() == 80
    assert held[-1] == 0


def test_a_slow_close_is_ordered_once():
    thin = [100, (100, 100, 100, 100, 1000), (100, 100, 70, 70, 1000)] + [(70, 70, 70, 70, 200)] * 8
    run = run_targets(
        market(thin),
        [1] * 11,
        sizing=amount(6000),
        risk=OPEN_LIMITS | {"max_drawdown": "0.15"},
        costs={"participation": "0.1"},
    )
    closes = [fill for fill in run.fills.messages() if fill.is_reducing]
    assert [str(fill.qty) for fill in closes] == ["20.000", "20.000", "20.000"]
    assert len({fill.order_id for fill in closes}) == 1
    assert ended(run)[-1][0] == "FILLED"


def test_spot_is_closed_too():
    run = run_targets(
        market(FALLING, instrument=spot()),
        [1] * 7,
        sizing=amount(6000),
        risk=OPEN_LIMITS | {"max_drawdown": "0.15"},
        costs={"taker_bps": 10},
    )
    assert fills_of(run)[-1] == (3, "-59.94", "70")


@pytest.mark.parametrize(
    ("own_e6", "limit", "level"),
    [(0, "0.03", "97"), (20_000, "0.03", "98"), (50_000, "0.03", "97"), (50_000, "0", "95")],
)
def test_every_entry_carries_the_nearer_stop(own_e6, limit, level):
    bars = [100, 100, (100, 100, 90, 90, 1000), 90]
    run = run_targets(
        market(bars), [1] * 4, exits=Exits(stop_e6=own_e6), risk=OPEN_LIMITS | {"stop": limit}
    )
    assert fills_of(run)[-1][1:] == ("-10", level)


def test_the_default_limits_hold_together():
    # 10 % of 10,000 less 20 bps and the fee, its stop 3 % below; the default sizing wants the same.
    bars = [100, 100, (100, 100, 90, 90, 1000), 90]
    run = run_targets(market(bars), [1] * 4, risk={"profile": "live"}, sizing=amount(5000))
    assert fills_of(run) == [(1, "+10", "100"), (2 + 1 / 3, "-10", "97")]

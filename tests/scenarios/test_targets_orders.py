"""Targets become orders and fills: each story small enough to work out by hand.

Capital is 10,000, prices stand at 100 unless a story moves them, and a full target is worth a tenth
of equity: 10 units. Lots are 0.001. Costs are off unless a story names them. Fills are written as
(hours since the first open, signed quantity, price).
"""

from collections.abc import Mapping
from decimal import Decimal
from types import MappingProxyType
from typing import Any, NamedTuple

import pytest

from openalpha.core.errors import InputError
from openalpha.core.instruments import StepRule
from openalpha.core.messages import EffectKind
from tests.fakes.small_market import (
    NONE,
    effects_of,
    ended,
    fills_of,
    inverse,
    journal_of,
    linear,
    market,
    run_targets,
    spot,
)


class Story(NamedTuple):
    name: str
    bars: list[Any]
    targets: list[float | None]
    fills: list[tuple[float, str, str]]
    groups: Mapping[str, Any] = MappingProxyType({})


FLAT = [100] * 6
THIN = [100] + [(100, 100, 100, 100, 20)] * 7

STORIES = [
    Story("nothing said, nothing done", FLAT, [NONE] * 6, []),
    Story("opens at the next bar's open", [100, 110, 110], [1, 1, 1], [(1, "+10", "110")]),
    Story("a target held makes one order", FLAT, [1] * 6, [(1, "+10", "100")]),
    Story("no opinion keeps the position", FLAT, [1, NONE, NONE, 1, NONE, 0], [(1, "+10", "100")]),
    Story("a short", FLAT, [-0.5, -0.5, 0, 0, 0, 0], [(1, "-5", "100"), (3, "+5", "100")]),
    Story(
        "a change of size trades the difference",
        FLAT,
        [0.5, 1, 1, 0.2, 0, 0],
        [(1, "+5", "100"), (2, "+5", "100"), (4, "-8", "100"), (5, "-2", "100")],
    ),
    Story(
        "a flip is a close and an open",
        FLAT,
        [1, 1, -0.5, -0.5, -0.5, -0.5],
        [(1, "+10", "100"), (3, "-10", "100"), (3, "-5", "100")],
    ),
    Story(
        "the size follows equity and price at the deciding close",
        # Long 10 at 100 gains 1,000 at 200: a tenth of 11,000 is 5.5 at 200.
        [100, (100, 200, 100, 200, 1000), 200, 200],
        [1, 0.999999, 0.999999, 0.999999],
        [(1, "+10", "100"), (2, "-4.501", "200")],
    ),
    Story("the last bar's decision never trades", [100, 100], [0, 1], []),
    Story("rounded down to a lot", [300, 300], [1, 1], [(1, "+3.333", "300")]),
    Story(
        "a zero-volume bar fills nothing, the next one does",
        [100, (100, 100, 100, 100, 0), 100, 100],
        [1, 1, 1, 1],
        [(2, "+10", "100")],
        {"costs": {"participation": "0.1"}},
    ),
    Story(
        "what a bar's volume does not allow is carried on",
        THIN,
        [1] * 8,
        [(hour, "+2", "100") for hour in (1, 2, 3, 4, 5)],
        {"costs": {"participation": "0.1"}},
    ),
    Story(
        "a new target cancels the entry still working; flat means flat",
        # The cancel made at the close comes before the next open: no more of the entry fills.
        THIN,
        [1, 0, 0, 0, 0, 0, 0, 0],
        [(1, "+2", "100"), (2, "-2", "100")],
        {"costs": {"participation": "0.1"}},
    ),
    Story(
        "latency fills at the worse of arrival and last event",
        # Half of the way up from 100 to the high of 106 at a third of the hour: 103.
        [100, (100, 106, 100, 100, 1000), 100],
        [1, 1, 1],
        [(1 + 1 / 6, "+10", "103")],
        {"costs": {"latency_ms": 600_000}},
    ),
    Story(
        "half the spread is paid on each side",
        FLAT,
        [1, 0, 0, 0, 0, 0],
        [(1, "+10", "100.5"), (2, "-10", "99.5")],
        {"costs": {"spread_bps": 100}},
    ),
    Story(
        "impact is the square root of the share of the bar's volume",
        # 10 of 1,000 units is a share of 0.01: a tenth of 100 bps is 10 bps, 100.1.
        FLAT,
        [1] * 6,
        [(1, "+10", "100.1")],
        {"costs": {"impact": 100}},
    ),
    Story(
        "every bar: trades the drift of price and equity",
        # At 200 equity is 11,000 and 10 units are worth 2,000: 4.5 are sold.
        [100, 100, (100, 200, 100, 200, 1000), 200, 200],
        [1] * 5,
        [(1, "+10", "100"), (3, "-4.5", "200")],
        {"sizing": {"rebalance": "every_bar"}},
    ),
    Story(
        "band: a drift inside the band is left alone",
        # At 105 equity is 10,050, wanted 9.571, held 10: 4.5 % off.
        [100, 100, (100, 105, 100, 105, 1000), 105, (105, 120, 105, 120, 1000), 120],
        [1] * 6,
        # At 120 equity is 10,200, wanted 8.5: 17.6 % off.
        [(1, "+10", "100"), (5, "-1.5", "120")],
        {"sizing": {"rebalance": "band", "band": "0.1"}},
    ),
    Story(
        "all in: equity times leverage",
        FLAT,
        [1] * 6,
        [(1, "+300", "100")],
        {"sizing": {"kind": "all_in"}, "margin": {"leverage": 3}},
    ),
    Story(
        "a fixed amount, whatever the equity",
        FLAT,
        [0.5] * 6,
        [(1, "+12.5", "100")],
        {"sizing": {"kind": "fixed_amount", "amount": 2500}},
    ),
]


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.name)
def test_targets_on_a_perpetual(story):
    run = run_targets(market(story.bars), story.targets, **story.groups)
    assert fills_of(run) == story.fills


def test_the_fee_is_reserved_when_sizing():
    # All in at 10 bps: 10,000 / 1.001 = 9,990.01, 99.9 units of lot 0.1; with their fee 9,999.99.
    small = linear(qty_decimals=1, steps=(_step("0.1", "0.1"),))
    run = run_targets(
        market([100, 100], instrument=small),
        [1, 1],
        costs={"taker_bps": 10},
        sizing={"kind": "all_in"},
    )
    assert fills_of(run) == [(1, "+99.9", "100")]
    assert effects_of(run, EffectKind.FEE) == [(1, "-9.99")]


def _step(tick: str, lot: str) -> StepRule:
    return StepRule(0, Decimal(tick), Decimal(lot))


def test_the_default_reserve_holds_back_twenty_points_and_the_fee():
    # 1,000 / (1 + 0.00055 + 0.0020) = 997.456..., at 100: 9.974.
    run = run_targets(market(FLAT), [1] * 6, costs={"preset": "realistic"})
    assert [qty for _, qty, _ in fills_of(run)] == ["+9.974"]


def test_a_flip_ends_one_round_trip_and_begins_one():
    run = run_targets(market(FLAT), [1, 1, -0.5, -0.5, -0.5, -0.5])
    close, opening = run.fills.messages()[1:]
    assert (close.is_reducing, opening.is_reducing) == (True, False)
    assert close.order_id != opening.order_id
    frame = run.orders.to_frame()
    assert frame["is_reduce_only"].to_list() == [False, True, False]
    assert run.position[:, 0].tolist() == [0, 10, 10, -5, -5, -5]


def test_a_position_at_the_end_is_marked_not_closed():
    run = run_targets(market([100, 100, (100, 130, 100, 130, 1000)]), [1, 1, 1])
    assert len(run.fills) == 1
    assert run.equity.tolist() == [10_000, 10_000, 10_300]
    assert run.final_equity == 10_300
    assert run.balances == {"USDT": Decimal(10_000)}


def test_the_journal_says_why():
    run = run_targets(market(FLAT), [NONE, 1, 1, 1, 0, 0])
    expected = ["NO_SIGNAL", "ORDERED", "UNCHANGED", "UNCHANGED", "ORDERED", "UNCHANGED"]
    assert journal_of(run) == expected


def test_less_than_a_lot_is_no_order():
    whole = linear(qty_decimals=0, steps=(_step("0.1", "1"),))
    run = run_targets(market([2000, 2000], instrument=whole), [1, 1])
    assert journal_of(run) == ["BELOW_LOT", "UNCHANGED"]
    assert len(run.orders) == 0


REFUSALS = [
    ("below the least value", linear(min_notional=Decimal(2000)), {}, "BELOW_MIN_NOTIONAL"),
    ("below the least quantity", linear(min_qty=Decimal(20)), {}, "BELOW_MIN_QTY"),
    ("above the most quantity", linear(max_qty=Decimal(5)), {}, "ABOVE_MAX_QTY"),
    (
        "more than margin allows: refused, never cut",
        linear(),
        {"sizing": {"kind": "fixed_amount", "amount": 10_001}},
        "INSUFFICIENT_MARGIN",
    ),
    (
        "leverage above the instrument's",
        linear(max_leverage=Decimal(5)),
        {"margin": {"leverage": 10}},
        "LEVERAGE_TOO_HIGH",
    ),
]


@pytest.mark.parametrize(
    ("instrument", "groups", "reason"), [r[1:] for r in REFUSALS], ids=[r[0] for r in REFUSALS]
)
def test_the_venue_refuses_with_its_reason(instrument, groups, reason):
    run = run_targets(market(FLAT, instrument=instrument), [1] * 6, **groups)
    assert len(run.fills) == 0
    assert ended(run) == [("REJECTED", reason, 0.0)]
    assert run.final_equity == 10_000


def test_a_gap_above_the_reserve_refuses_the_order():
    # Sized for 100 with 20 bps held back, but the next bar opens 1 % higher.
    run = run_targets(
        market([100, 101, 101]), [1, 1, 1], costs={"preset": "realistic"}, sizing={"kind": "all_in"}
    )
    assert ended(run) == [("REJECTED", "INSUFFICIENT_MARGIN", 0.0)]
    held = run_targets(
        market([100, 101, 101]),
        [1, 1, 1],
        costs={"preset": "realistic"},
        sizing={"kind": "all_in", "reserve_bps": 200},
    )
    assert len(held.fills) == 1


def test_spot_is_never_short():
    run = run_targets(market(FLAT, instrument=spot()), [-1, 1, -1, -1, -1, -1])
    assert fills_of(run) == [(2, "+10", "100"), (3, "-10", "100")]
    assert {status for status, _, _ in ended(run)} == {"FILLED"}
    assert run.balances == {"USDT": Decimal(10_000), "BTC": Decimal(0)}


def test_spot_buys_pay_their_fee_in_the_coin_and_leave_dust():
    # 10 units less 10 bps of themselves: 9.99; lots of 0.1 leave 0.09 behind.
    coarse = spot(steps=(_step("0.1", "0.1"),))
    run = run_targets(
        market(FLAT, instrument=coarse),
        [1, 1, 0, 0, 0, 0],
        costs={"taker_bps": 10},
        sizing={"kind": "fixed_amount", "amount": 1000},
    )
    assert fills_of(run) == [(1, "+10", "100"), (3, "-9.9", "100")]
    assert run.balances["BTC"] == Decimal("0.09")
    # The sale's fee: 990 at 10 bps.
    assert run.balances["USDT"] == Decimal(10_000) - 1000 + 990 - Decimal("0.99")


def test_an_inverse_contract_is_sized_in_its_coin():
    # 1 BTC, a tenth of it at 20,000 dollars: 2,000 contracts; at 25,000 it gained 0.02 BTC.
    run = run_targets(
        market([20_000, 20_000, 25_000, 25_000], instrument=inverse()), [1, 1, 0, 0], capital="1"
    )
    assert fills_of(run) == [(1, "+2000", "20000"), (3, "-2000", "25000")]
    assert effects_of(run, EffectKind.REALISED_PNL) == [(3, "0.02")]
    assert run.balances == {"BTC": Decimal("1.02")}


def test_funding_is_charged_on_what_is_held_at_its_stamp():
    # Bought at 01:00. At 02:00 a rate of 0.01 % on 1,000; at 00:00 and 04:00 nothing was held.
    history = market(FLAT, funding={0: "0.0001", 2: "0.0001", 4: "0.0001"})
    run = run_targets(history, [1, 1, 0, 0, 0, 0])
    assert effects_of(run, EffectKind.FUNDING) == [(2, "-0.1")]
    short = run_targets(history, [-1, -1, 0, 0, 0, 0])
    assert effects_of(short, EffectKind.FUNDING) == [(2, "0.1")]
    off = run_targets(history, [1, 1, 0, 0, 0, 0], costs={"funding": False})
    assert effects_of(off, EffectKind.FUNDING) == []


def test_volatility_target_waits_until_volatility_is_known():
    # Days 1 to 4 close at 100, 110, 99, 108.9: returns of ±10 %.
    daily = [100, 110, 99, 108.9, 108.9, 108.9]
    history = market(daily, timeframe_ms=86_400_000)
    run = run_targets(
        history,
        [1] * 6,
        sizing={"kind": "vol_target", "target_volatility": "0.5", "lookback_days": 3},
    )
    assert journal_of(run) == ["WARM_UP"] * 4 + ["ORDERED", "UNCHANGED"]
    # Standard deviation of 10 %, -10 %, 10 % is 11.547 %, yearly 220.6 %: share 0.22665.
    assert fills_of(run) == [(5, "+20.812", "108.9")]


def test_kelly_is_shrunk_cut_and_at_most_the_fraction():
    daily = [100, 110, 99, 108.9, 108.9, 108.9]
    history = market(daily, timeframe_ms=86_400_000)
    sizing = {"kind": "kelly", "lookback_days": 3, "fraction": 10}
    # Mean 3.333 %, variance 1.3333 %: 2.5; a fifth of it is known of three days, and of that a
    # share of 13.185 % loses 15 % with a chance of one in ten: 6.593 % of equity.
    run = run_targets(history, [1] * 6, sizing=sizing, margin={"leverage": 2})
    assert [float(qty) for _, qty, _ in fills_of(run)] == [pytest.approx(659.3 / 108.9, abs=0.002)]
    capped = run_targets(history, [1] * 6, sizing=sizing | {"fraction": "0.05"})
    assert [float(qty) for _, qty, _ in fills_of(capped)] == [pytest.approx(500 / 108.9, abs=0.001)]


@pytest.mark.parametrize(
    ("groups", "words"),
    [
        ({"margin": {"position_mode": "hedge"}}, "one net position"),
        ({"sizing": {"kind": "all_in"}, "risk": {"profile": "live"}}, "all_in does not go with"),
    ],
)
def test_settings_that_do_not_go_together(groups, words):
    with pytest.raises(InputError, match=words):
        run_targets(market(FLAT), [1] * 6, **groups)


def test_capital_must_be_positive():
    with pytest.raises(InputError, match="must be positive"):
        run_targets(market(FLAT), [1] * 6, capital="0")

"""Margin as stories: what an order needs, where a liquidation starts and what it leaves."""

from dataclasses import replace

import pytest

from openalpha.core.messages import EffectKind
from openalpha.core.orders import MarginMode, PositionMode
from openalpha.core.reasons import Reason
from tests.reference.engines import on_both_engines, runner
from tests.reference.scenario import AccountCase, Amend, ExitsCase, New, Series, Tier
from tests.reference.stories import (
    BUY,
    INVERSE,
    LINEAR,
    SELL,
    SPOT,
    Story,
    bars,
    flat,
    table,
    tell,
)

R = Reason
FEE, PNL = EffectKind.FEE, EffectKind.REALISED_PNL
LIQ_FEE, INSURANCE = EffectKind.LIQUIDATION_FEE, EffectKind.INSURANCE
HALF_PERCENT = (Tier(10**9, 500_000, 10_000),)
FIFTY = replace(LINEAR, leverage_e2=5_000, tiers=HALF_PERCENT)
ISOLATED = AccountCase(balances=(1_000,), margin_mode=MarginMode.ISOLATED)
CROSS = AccountCase(balances=(1_000,))
F = flat(20_000)
IN = (60, 1, 1, 20_000, R.MARKET)
SHORT_IN = (60, 1, -1, 20_000, R.MARKET)


def fall(low: int) -> tuple[int, int, int, int]:
    return (20_000, 20_000, low, low)


def rise(high: int) -> tuple[int, int, int, int]:
    return (20_000, high, 20_000, high)


@on_both_engines
@table(
    Story(
        "Bybit's worked example: 1 BTC at 20,000, 50x, is alive at 19,701",
        (F, F, fall(19_701)),
        (New(0, BUY, 1),),
        (IN,),
        rules=FIFTY,
        account=ISOLATED,
        position=1,
    ),
    Story(
        "and liquidated at exactly 19,700, at its bankruptcy price 19,600",
        # margin 400, maintenance 100: 400 - 300 <= 100
        (F, F, fall(19_700)),
        (New(0, BUY, 1),),
        (IN, (140, 0, -1, 19_600, R.LIQUIDATION_TAKEOVER)),
        effects=((FEE, 0), (PNL, -400), (LIQ_FEE, 0)),
        balances=(600,),
        rules=FIFTY,
        account=ISOLATED,
    ),
    Story(
        "a short lives at 20,299",
        (F, F, rise(20_299)),
        (New(0, SELL, 1),),
        (SHORT_IN,),
        rules=FIFTY,
        account=ISOLATED,
    ),
    Story(
        "and is liquidated at exactly 20,300",
        (F, F, rise(20_300)),
        (New(0, SELL, 1),),
        (SHORT_IN, (140, 0, 1, 20_400, R.LIQUIDATION_TAKEOVER)),
        balances=(600,),
        rules=FIFTY,
        account=ISOLATED,
    ),
    Story(
        "the mark decides, not the last price",
        (F, F, fall(19_000)),
        (New(0, BUY, 1),),
        (IN,),
        rules=FIFTY,
        account=ISOLATED,
        series={"mark": (F, F, (20_000, 20_000, 19_701, 19_800))},
    ),
    Story(
        "a gap beyond bankruptcy costs the margin, no more",
        (F, F, flat(15_000)),
        (New(0, BUY, 1),),
        (IN, (120, 0, -1, 19_600, R.LIQUIDATION_TAKEOVER)),
        balances=(600,),
        rules=FIFTY,
        account=ISOLATED,
    ),
    Story(
        "a stop above the liquidation price saves the rest",
        # the way down meets the stop 19,800 first
        (F, F, fall(19_000)),
        (New(0, BUY, 1, exits=ExitsCase(stop_e6=10_000)),),
        (IN, (140, 2, -1, 19_800, R.STOP)),
        rules=FIFTY,
        account=ISOLATED,
    ),
    Story(
        "a stop below it comes too late",
        # before the stop at 19,600 acts the account is checked there
        (F, F, fall(19_000)),
        (New(0, BUY, 1, exits=ExitsCase(stop_e6=20_000)),),
        (IN, (140, 0, -1, 19_600, R.LIQUIDATION_TAKEOVER)),
        ended={2: R.CANCELLED_BY_LIQUIDATION},
        rules=FIFTY,
        account=ISOLATED,
    ),
    Story(
        "but no more than is left",
        # entry fee 20, funding 10, loss 400: of a fee of 20 (19,600 x 0.1 %) the 10 left are paid
        (F, F, fall(19_700)),
        (New(0, BUY, 1),),
        (IN, (140, 0, -1, 19_600, R.LIQUIDATION_TAKEOVER)),
        effects=((FEE, -20), (EffectKind.FUNDING, -10), (PNL, -400), (LIQ_FEE, -10)),
        rules=replace(FIFTY, taker_e8=100_000),
        account=replace(ISOLATED, balances=(440,)),
        balances=(0,),
        series={"funding": ((120, 5 * 10**8),)},
    ),
    Story(
        "a takeover pays the taker fee",
        # entry fee 200; 400 is lost; the takeover's fee is 19,600 x 1 % = 196
        (F, F, fall(19_700)),
        (New(0, BUY, 1),),
        (IN, (140, 0, -1, 19_600, R.LIQUIDATION_TAKEOVER)),
        effects=((FEE, -200), (PNL, -400), (LIQ_FEE, -196)),
        rules=replace(FIFTY, taker_e8=10**6),
        account=replace(ISOLATED, balances=(2_000,)),
        balances=(1_204,),
    ),
)
def test_isolated(engine: str, story: Story) -> None:
    tell(engine, story)


@on_both_engines
@table(
    Story(
        "a cross account is alive while equity is above maintenance",
        # equity 1,000 - 903 = 97; maintenance 19,097 x 0.5 % = 95.49 -> 96
        (F, F, fall(19_097)),
        (New(0, BUY, 1),),
        (IN,),
        rules=FIFTY,
        account=CROSS,
    ),
    Story(
        "and taken over where they meet",
        # equity 96, maintenance 19,096 x 0.5 % = 95.48 -> 96; bankrupt at 19,000
        (F, F, fall(19_096)),
        (New(0, BUY, 1),),
        (IN, (140, 0, -1, 19_000, R.LIQUIDATION_TAKEOVER)),
        effects=((FEE, 0), (PNL, -1_000), (LIQ_FEE, 0)),
        balances=(0,),
        rules=FIFTY,
        account=CROSS,
    ),
    Story(
        "orders that rest are cancelled first",
        (F, F, fall(19_000)),
        (New(0, BUY, 1), New(0, BUY, 1, 18_000)),
        (IN, (140, 0, -1, 19_000, R.LIQUIDATION_TAKEOVER)),
        ended={2: R.CANCELLED_BY_LIQUIDATION},
        rules=FIFTY,
        account=CROSS,
    ),
    Story(
        "a gap leaves nothing and owes nothing",
        (F, F, flat(10_000)),
        (New(0, BUY, 1),),
        (IN, (120, 0, -1, 19_000, R.LIQUIDATION_TAKEOVER)),
        balances=(0,),
        rules=FIFTY,
        account=CROSS,
    ),
    Story(
        "funding can be what liquidates",
        # 20,000 x 5 % = 1,000: equity 0 <= 100; nothing left, so bankrupt at the mark
        (F, F, F),
        (New(0, BUY, 1),),
        (IN, (120, 0, -1, 20_000, R.LIQUIDATION_TAKEOVER)),
        effects=((FEE, 0), (EffectKind.FUNDING, -1_000), (PNL, 0), (LIQ_FEE, 0)),
        balances=(0,),
        rules=FIFTY,
        account=CROSS,
        series={"funding": ((120, 5 * 10**10),)},
    ),
    Story(
        "no tiers: no maintenance, so only at nothing left",
        (F, F, fall(19_001), flat(19_000)),
        (New(0, BUY, 1),),
        (IN, (180, 0, -1, 19_000, R.LIQUIDATION_TAKEOVER)),
        rules=replace(LINEAR, leverage_e2=5_000),
        account=CROSS,
    ),
    Story(
        "the larger of two positions goes first, at the mark",
        # -500 on the first leave 500; -450 on the second, an event later, leave 50, and the
        # maintenance is 98 + 48 = 146; without the first it is 48
        (F, F, (20_000, 20_000, 19_500, 19_500)),
        (New(0, BUY, 1), New(0, BUY, 1, instrument=1)),
        (
            IN,
            (60, 2, 1, 10_000, R.MARKET),
            (140, 0, -1, 19_500, R.LIQUIDATION_PARTIAL),
        ),
        rules=FIFTY,
        others=((FIFTY, Series(bars(flat(10_000), flat(10_000), (10_000, 10_000, 9_550, 9_550)))),),
        account=CROSS,
        position=0,
    ),
    Story(
        "collateral in a spot coin counts for its part",
        # 10 coins at 100 of which 90 % count: equity 100 + 900 - 901 = 99 lives, 96 does not
        (F, F, fall(19_099), fall(19_096)),
        (New(0, BUY, 1),),
        (IN, (200, 0, -1, 19_000, R.LIQUIDATION_TAKEOVER)),
        rules=FIFTY,
        others=((replace(SPOT, collateral_e4=9_000), Series(bars(*[flat(100)] * 4))),),
        account=AccountCase(balances=(100, 10)),
        # 1,000 is lost of 100: the coins answer for the 900, the insurance fund for nothing
        balances=(-900, 10),
    ),
)
def test_cross(engine: str, story: Story) -> None:
    tell(engine, story)


# Maintenance 1 % to 1,000 at up to 50x, 2 % to 2,000 at up to 25x, 5 % to 4,000 at up to 10x.
# Deductions keep it continuous: 1,000 x (2 - 1) % = 10, then 10 + 2,000 x (5 - 2) % = 70.
THREE = (
    Tier(1_000, 10**6, 5_000, 0),
    Tier(2_000, 2 * 10**6, 2_500, 10),
    Tier(4_000, 5 * 10**6, 1_000, 70),
)


@on_both_engines
@pytest.mark.parametrize(
    ("qty", "leverage_e2", "reason"),
    [
        (1_000, 5_000, R.NONE),
        (1_000, 5_001, R.LEVERAGE_TOO_HIGH),
        (1_001, 5_000, R.LEVERAGE_TOO_HIGH),
        (1_001, 2_500, R.NONE),
        (2_000, 2_500, R.NONE),
        (2_001, 2_500, R.LEVERAGE_TOO_HIGH),
        (2_001, 1_000, R.NONE),
        (4_000, 1_000, R.NONE),
        (4_001, 1_000, R.RISK_LIMIT),
    ],
)
def test_tier_edges_limit_what_may_be_opened(
    engine: str, qty: int, leverage_e2: int, reason: Reason
) -> None:
    rules = replace(LINEAR, tiers=THREE, leverage_e2=leverage_e2)
    fills = () if reason else ((60, 1, qty, 1, R.MARKET),)
    ended = {1: reason} if reason else {}
    story = Story("", (flat(1), flat(1)), (New(0, BUY, qty),), fills, ended=ended, rules=rules)
    tell(engine, story)


@on_both_engines
@pytest.mark.parametrize(
    ("worth", "maintenance"),
    # one unit either side of each edge: 1 % of 999 is 9.99 -> 10; 2 % of 1,001 is 20.02 -> 21 - 10
    [(999, 10), (1_000, 10), (1_001, 11), (1_999, 30), (2_000, 30), (2_001, 31), (3_000, 80)],
)
def test_tier_edges_set_the_maintenance_margin(engine: str, worth: int, maintenance: int) -> None:
    """A short of `worth` contracts at 1: a balance of its maintenance is too little, one more not.

    The position is opened with more, and a fee the size of the difference is paid as funding.
    """
    rules = replace(LINEAR, tiers=THREE, leverage_e2=1_000)
    for left, is_liquidated in ((maintenance, True), (maintenance + 1, False)):
        paid = 1_000 - left
        rate = -(paid * 10**12 // worth)  # a short pays a negative rate, rounded up to a unit
        story = Story(
            "",
            (flat(1), flat(1), flat(1)),
            (New(0, SELL, worth),),
            (),
            rules=rules,
            account=CROSS,
            series={"funding": ((120, rate),)},
        )
        out = runner(engine)(story.case())
        assert out.effects[1].amount == -paid
        assert (out.positions[0, 0].qty != -worth) is is_liquidated


@on_both_engines
def test_a_liquidation_steps_down_a_tier(engine: str) -> None:
    """Long 3,000 at 1, equity 80 = maintenance: closes to 2,000; then 80 > 30 and it stops.

    It closes 3,000 - floor(3,000 x 2,000 / 3,000) = 1,000 at the mark.
    """
    story = Story(
        "",
        (flat(1), flat(1), flat(1)),
        (New(0, BUY, 3_000),),
        ((60, 1, 3_000, 1, R.MARKET), (120, 0, -1_000, 1, R.LIQUIDATION_PARTIAL)),
        rules=replace(LINEAR, tiers=THREE),
        account=CROSS,
        # 920 = 3,000 x 0.30666...
        series={"funding": ((120, 306_666_666_667),)},
        position=2_000,
        balances=(79,),
    )
    tell(engine, story)


@on_both_engines
@table(
    Story(
        "exactly the margin and both fees",
        # 1,000 / 10 = 100, fee 1, fee of closing at 900: 0.9 -> 1
        (flat(1_000), flat(1_000)),
        (New(0, BUY, 1),),
        ((60, 1, 1, 1_000, R.MARKET),),
        rules=replace(LINEAR, taker_e8=100_000),
        account=AccountCase(balances=(102,)),
    ),
    Story(
        "one unit short is refused, not cut",
        (flat(1_000), flat(1_000)),
        (New(0, BUY, 1),),
        (),
        ended={1: R.INSUFFICIENT_MARGIN},
        rules=replace(LINEAR, taker_e8=100_000),
        account=AccountCase(balances=(101,)),
    ),
    Story(
        "a short's closing fee is reckoned higher",
        # closing at 1,100 costs 1.1 -> 2: 103 needed
        (flat(1_000), flat(1_000)),
        (New(0, SELL, 1),),
        (),
        ended={1: R.INSUFFICIENT_MARGIN},
        rules=replace(LINEAR, taker_e8=100_000),
        account=AccountCase(balances=(102,)),
    ),
    Story(
        "resting orders lock margin, the larger side only",
        # 900 / 10 = 90 of 200 on one side, 110 on the other: 90 remain for a position of 900
        (flat(1_000), flat(1_000)),
        (New(0, BUY, 1, 900), New(0, SELL, 1, 1_100), New(0, BUY, 1), New(0, BUY, 1, 900)),
        (),
        ended={3: R.INSUFFICIENT_MARGIN},
        account=AccountCase(balances=(209,)),
    ),
    Story(
        "reduce-only needs no margin",
        (flat(1_000), flat(1_000), flat(910)),
        (New(0, BUY, 1), New(1, SELL, 1, is_reduce_only=True)),
        ((60, 1, 1, 1_000, R.MARKET), (120, 2, -1, 910, R.MARKET)),
        account=AccountCase(balances=(100,)),
        balances=(10,),
    ),
    Story(
        "a flip needs margin for what it opens",
        # selling 3 opens a short of 2
        (flat(100), flat(100), flat(100)),
        (New(0, BUY, 1), New(1, SELL, 3), New(1, SELL, 2)),
        ((60, 1, 1, 100, R.MARKET), (120, 3, -2, 100, R.MARKET)),
        ended={2: R.INSUFFICIENT_MARGIN},
        # 25: the long locks 10, a short of 2 would need 20 of the 15 left, one of 1 needs 10
        account=AccountCase(balances=(25,)),
    ),
    Story(
        "isolated margin of one position is not there for another",
        (flat(100), flat(100), flat(200)),
        (New(0, BUY, 1), New(1, BUY, 1)),
        ((60, 1, 1, 100, R.MARKET),),
        # 25 less 10 locked leave 15; the gain of 100 is not there; 200 / 10 are needed
        ended={2: R.INSUFFICIENT_MARGIN},
        account=AccountCase(balances=(25,), margin_mode=MarginMode.ISOLATED),
    ),
    Story(
        "in a cross account the gain is there",
        (flat(100), flat(100), flat(200)),
        (New(0, BUY, 1), New(1, BUY, 1)),
        ((60, 1, 1, 100, R.MARKET), (120, 2, 1, 200, R.MARKET)),
        account=AccountCase(balances=(25,)),
    ),
    Story(
        "a working order is checked again before it goes on",
        # 10 a bar; after the first 10 at 100 the price is 200 and the rest would need 200
        (flat(100), (*flat(100), 100), (*flat(200), 100)),
        (New(0, BUY, 20),),
        ((60, 1, 10, 100, R.MARKET),),
        ended={1: R.INSUFFICIENT_MARGIN},
        rules=replace(LINEAR, participation_e6=100_000),
        account=AccountCase(balances=(200,), margin_mode=MarginMode.ISOLATED),
    ),
    Story(
        "an amend that margin does not allow is refused",
        # 2 x 95 / 10 = 19 of 18
        (flat(100), flat(100), flat(100), (100, 100, 89, 95)),
        (New(0, BUY, 2, 90), Amend(1, 1, limit=95)),
        ((220, 1, 2, 90, R.LIMIT_RESTED),),
        account=AccountCase(balances=(18,)),
    ),
)
def test_what_an_order_needs(engine: str, story: Story) -> None:
    tell(engine, story)


@on_both_engines
def test_hedge_legs_are_liquidated_one_by_one(engine: str) -> None:
    """Isolated hedge: the long dies at 19,700, the short lives on with its gain."""
    story = Story(
        "",
        (F, F, fall(19_700)),
        (New(0, BUY, 1), New(0, SELL, 1, leg=1)),
        (
            IN,
            (60, 2, -1, 20_000, R.MARKET),
            (160, 0, -1, 19_600, R.LIQUIDATION_TAKEOVER),
        ),
        rules=FIFTY,
        account=replace(ISOLATED, position_mode=PositionMode.HEDGE),
        position=0,
    )
    tell(engine, story)


@on_both_engines
def test_an_inverse_long_is_liquidated_on_mark(engine: str) -> None:
    """10,000 USD at 20,000 = 0.5 BTC; account 0.05 BTC.

    Equity 0.55 - 10,000 / P is 0 at 18,181.81..., rounded up to 18,182 for a long.
    """
    story = Story(
        "",
        (F, F, (20_000, 20_000, 18_182, 18_200)),
        (New(0, BUY, 10_000),),
        (
            (60, 1, 10_000, 20_000, R.MARKET),
            (140, 0, -10_000, 18_182, R.LIQUIDATION_TAKEOVER),
        ),
        rules=replace(INVERSE, tiers=(Tier(10**12, 500_000, 10_000),), leverage_e2=2_000),
        account=AccountCase(balances=(5_000_000,)),
    )
    tell(engine, story)

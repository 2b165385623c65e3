"""Margin as stories: risk tiers at their edges, and what an order needs."""

from dataclasses import replace

import pytest

from openalpha.core.orders import MarginMode
from openalpha.core.reasons import Reason
from tests.reference.engines import on_both_engines, runner
from tests.reference.scenario import AccountCase, Amend, New, Tier
from tests.reference.stories import BUY, LINEAR, SELL, Story, flat, table, tell

R = Reason
CROSS = AccountCase(balances=(1_000,))
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

"""Liquidation as stories: where it starts, what it takes and what it leaves."""

from dataclasses import replace

from openalpha.core.messages import EffectKind
from openalpha.core.orders import MarginMode, PositionMode
from openalpha.core.reasons import Reason
from tests.reference.engines import on_both_engines
from tests.reference.scenario import AccountCase, ExitsCase, New, Series, Tier
from tests.reference.stories import BUY, INVERSE, LINEAR, SELL, SPOT, Story, bars, flat, table, tell

R = Reason
FEE, PNL = EffectKind.FEE, EffectKind.REALISED_PNL
LIQ_FEE, PAID = EffectKind.LIQUIDATION_FEE, (EffectKind.INSURANCE, 291)
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
        "the insurance fund pays what no price can bring back",
        # 10 at 100 fall to 50: equity 200 - 500 = -300; closed at the mark, since another is open.
        # The short of 1 at 10 would have to close at 10 - 300: one tick is the least, 9 are gained
        (flat(100), flat(100), flat(50)),
        (New(0, BUY, 10), New(0, SELL, 1, instrument=1)),
        (
            (60, 1, 10, 100, R.MARKET),
            (60, 2, -1, 10, R.MARKET),
            (120, 0, -10, 50, R.LIQUIDATION_PARTIAL),
            (120, 0, 1, 1, R.LIQUIDATION_TAKEOVER),
        ),
        effects=((FEE, 0), (FEE, 0), (PNL, -500), (LIQ_FEE, 0), (PNL, 9), (LIQ_FEE, 0), PAID),
        others=((LINEAR, Series(bars(*[flat(10)] * 3))),),
        account=AccountCase(balances=(200,)),
        balances=(0,),
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

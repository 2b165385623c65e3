"""Spot and inverse instruments as stories."""

from dataclasses import replace

from openalpha.core.messages import EffectKind
from openalpha.core.orders import PositionMode
from openalpha.core.reasons import Reason
from tests.reference.engines import on_both_engines, runner
from tests.reference.scenario import AccountCase, ExitsCase, New, Step
from tests.reference.stories import BUY, INVERSE, SELL, SPOT, Story, flat, table, tell

R = Reason
FEE, PNL, FUNDING, TRADE = (
    EffectKind.FEE,
    EffectKind.REALISED_PNL,
    EffectKind.FUNDING,
    EffectKind.TRADE,
)
F = flat(20_000)
SPOT_FEE = replace(SPOT, maker_e8=100_000, taker_e8=100_000)  # 0.1 %
BOTH = AccountCase(balances=(10_000, 50))
BTC = 10**8


@on_both_engines
@table(
    Story(
        "a buy pays its fee in the coin bought",
        # 0.1 % of 5,000 is 5
        (flat(2), flat(2)),
        (New(0, BUY, 5_000),),
        ((60, 1, 5_000, 2, R.MARKET),),
        effects=((TRADE, -10_000), (TRADE, 5_000), (FEE, -5)),
        balances=(0, 4_995),
        rules=SPOT_FEE,
        account=AccountCase(balances=(10_000, 0)),
        position=4_995,
    ),
    Story(
        "a sell pays its fee in the quote",
        # 50 x 100 = 5,000, less 5
        (flat(100), flat(100)),
        (New(0, SELL, 50),),
        ((60, 1, -50, 100, R.MARKET),),
        effects=((TRADE, 5_000), (TRADE, -50), (FEE, -5)),
        balances=(14_995, 0),
        rules=SPOT_FEE,
        account=BOTH,
    ),
    Story(
        "more than the balance buys is refused",
        (flat(100), flat(100)),
        (New(0, BUY, 101), New(0, BUY, 100)),
        ((60, 2, 100, 100, R.MARKET),),
        ended={1: R.INSUFFICIENT_BALANCE},
        rules=SPOT,
        account=BOTH,
        balances=(0, 150),
    ),
    Story(
        "more than the coins held is refused",
        (flat(100), flat(100)),
        (New(0, SELL, 51), New(0, SELL, 50)),
        ((60, 2, -50, 100, R.MARKET),),
        ended={1: R.INSUFFICIENT_BALANCE},
        rules=SPOT,
        account=BOTH,
        balances=(15_000, 0),
    ),
    Story(
        "a resting buy locks its quote, a resting sell its coins",
        (flat(100), flat(100)),
        (
            New(0, BUY, 60, 90),
            New(0, BUY, 47),
            New(0, BUY, 46),
            New(0, SELL, 30, 110),
            New(0, SELL, 67),
            New(0, SELL, 66),
        ),
        # 10,000 - 5,400 buys 46; then 96 coins less 30 sells 66
        ((60, 3, 46, 100, R.MARKET), (60, 6, -66, 100, R.MARKET)),
        ended={2: R.INSUFFICIENT_BALANCE, 5: R.INSUFFICIENT_BALANCE},
        rules=SPOT,
        account=BOTH,
    ),
    Story(
        "the dust below a lot stays",
        # 1,000 less a fee of 1 is 999: quantity 0 sells 990
        (flat(2), flat(2), flat(2)),
        (New(0, BUY, 1_000), New(1, SELL, 0, is_reduce_only=True)),
        ((60, 1, 1_000, 2, R.MARKET), (120, 2, -990, 2, R.MARKET)),
        rules=replace(SPOT_FEE, steps=(Step(0, 1, 10),)),
        account=AccountCase(balances=(10_000, 0)),
        position=9,
    ),
    Story(
        "spot has no short and no second leg",
        (flat(100), flat(100)),
        (New(0, SELL, 1), New(0, SELL, 1, leg=1), New(0, BUY, 1, is_reduce_only=True)),
        (),
        ended={1: R.INSUFFICIENT_BALANCE, 2: R.LEG_MISMATCH, 3: R.REDUCE_ONLY_NO_POSITION},
        rules=SPOT,
        account=AccountCase(balances=(10_000, 0), position_mode=PositionMode.HEDGE),
    ),
    Story(
        "a stop on spot sells what is held",
        (flat(100), (100, 101, 94, 99)),
        (New(0, BUY, 10, exits=ExitsCase(stop_e6=50_000)),),
        ((60, 1, 10, 100, R.MARKET), (80, 2, -10, 95, R.STOP)),
        rules=SPOT,
        account=AccountCase(balances=(10_000, 0)),
        balances=(9_950, 0),
    ),
    Story(
        "quote finer than cash rounds against the account",
        # 15 value units are 1.5 cash: pay 2, receive 1
        (flat(5), flat(5), flat(5)),
        (New(0, BUY, 3), New(1, SELL, 3)),
        ((60, 1, 3, 5, R.MARKET), (120, 2, -3, 5, R.MARKET)),
        effects=((TRADE, -2), (TRADE, 3), (FEE, 0), (TRADE, 1), (TRADE, -3), (FEE, 0)),
        rules=replace(SPOT, den=10),
        account=AccountCase(balances=(10, 0)),
    ),
)
def test_spot(engine: str, story: Story) -> None:
    tell(engine, story)


@on_both_engines
def test_spot_reports_what_a_sale_realised(engine: str) -> None:
    """Bought 10 at 100, sold 4 at 110: 440 - 400."""
    story = Story(
        "",
        (flat(100), flat(100), flat(110)),
        (New(0, BUY, 10), New(1, SELL, 4)),
        (),
        rules=SPOT,
        account=AccountCase(balances=(10_000, 0)),
    )
    out = runner(engine)(story.case())
    assert [(f.realised, f.fee_coin) for f in out.fills] == [(0, 1), (40, 0)]
    assert out.positions[0, 0].cost == 600


@on_both_engines
@table(
    Story(
        "inverse pays in base",
        # 1,000 USD at 20,000 are 0.05 BTC, at 25,000 0.04 BTC: 0.01 BTC gained
        (F, F, flat(25_000)),
        (New(0, BUY, 1_000), New(1, SELL, 1_000)),
        ((60, 1, 1_000, 20_000, R.MARKET), (120, 2, -1_000, 25_000, R.MARKET)),
        effects=((FEE, 0), (PNL, BTC // 100), (FEE, 0)),
        rules=INVERSE,
        account=AccountCase(balances=(BTC,)),
    ),
    Story(
        "an inverse short loses as the price rises",
        (F, F, flat(25_000)),
        (New(0, SELL, 1_000), New(1, BUY, 1_000)),
        ((60, 1, -1_000, 20_000, R.MARKET), (120, 2, 1_000, 25_000, R.MARKET)),
        effects=((FEE, 0), (PNL, -BTC // 100), (FEE, 0)),
        rules=INVERSE,
        account=AccountCase(balances=(BTC,)),
    ),
    Story(
        "inverse rounds its value down and its notional up",
        # 1e8 / 30,000 = 3,333.33: the value is -3,334, the fee's notional 3,334 -> 1.83 -> 2
        (flat(30_000), flat(30_000), flat(40_000)),
        (New(0, BUY, 1), New(1, SELL, 1)),
        ((60, 1, 1, 30_000, R.MARKET), (120, 2, -1, 40_000, R.MARKET)),
        # at 40,000 it is worth -2,500: 834 gained, fee 1.375 -> 2
        effects=((FEE, -2), (PNL, 834), (FEE, -2)),
        rules=replace(INVERSE, taker_e8=55_000),
        account=AccountCase(balances=(BTC,)),
    ),
    Story(
        "inverse funding is in base",
        # 0.05 BTC x 0.0001
        (F, F, F),
        (New(0, BUY, 1_000),),
        ((60, 1, 1_000, 20_000, R.MARKET),),
        effects=((FEE, 0), (FUNDING, -500)),
        rules=INVERSE,
        account=AccountCase(balances=(BTC,)),
        series={"funding": ((120, 10**8),)},
    ),
    Story(
        "an inverse stop is measured from the harmonic average",
        # 1,000 at 20,000 and at 30,000: 2,000 / (0.05 + 0.0333...) = 24,000, less 10 % 21,600
        (F, F, flat(30_000), (30_000, 30_001, 21_000, 22_000)),
        (
            New(0, BUY, 1_000, exits=ExitsCase(stop_e6=100_000)),
            New(1, BUY, 1_000, exits=ExitsCase(stop_e6=100_000)),
        ),
        (
            (60, 1, 1_000, 20_000, R.MARKET),
            (120, 3, 1_000, 30_000, R.MARKET),
            # the value was rounded down by a fraction of a satoshi: 21,599.99 is 21,599
            (200, 4, -2_000, 21_599, R.STOP),
        ),
        ended={2: R.CANCELLED_BY_OCO},
        rules=INVERSE,
        account=AccountCase(balances=(BTC,)),
    ),
)
def test_inverse(engine: str, story: Story) -> None:
    tell(engine, story)

"""Money as stories: fees, spread, impact, cost averaging, funding, spot and inverse."""

from dataclasses import replace

from openalpha.core.messages import EffectKind
from openalpha.core.orders import PositionMode
from openalpha.core.reasons import Reason
from tests.reference.engines import on_both_engines, runner
from tests.reference.scenario import AccountCase, ExitsCase, New, Step
from tests.reference.stories import BUY, INVERSE, LINEAR, SELL, SPOT, Story, flat, table, tell

R = Reason
FEE, PNL, FUNDING, TRADE = (
    EffectKind.FEE,
    EffectKind.REALISED_PNL,
    EffectKind.FUNDING,
    EffectKind.TRADE,
)
F = flat(20_000)
# Bybit's base tier: maker 2 bps, taker 5.5 bps.
BYBIT = replace(LINEAR, maker_e8=20_000, taker_e8=55_000)
REBATE = replace(LINEAR, maker_e8=-10_000)


@on_both_engines
@table(
    Story(
        "a taker pays 5.5 bps",
        # 20,000 x 0.00055 = 11
        (F, F),
        (New(0, BUY, 1),),
        ((60, 1, 1, 20_000, R.MARKET),),
        effects=((FEE, -11),),
        balances=(999_989,),
        rules=BYBIT,
    ),
    Story(
        "a maker pays 2 bps",
        (F, (20_000, 20_000, 19_000, 19_500)),
        (New(0, BUY, 1, 19_500),),
        # 19,500 x 0.0002 = 3.9, rounded against the account
        ((100, 1, 1, 19_500, R.LIMIT_RESTED),),
        effects=((FEE, -4),),
        rules=BYBIT,
    ),
    Story(
        "a part of a unit is a whole unit paid",
        (flat(101), flat(101)),
        (New(0, BUY, 1),),
        ((60, 1, 1, 101, R.MARKET),),
        effects=((FEE, -1),),
        rules=BYBIT,
    ),
    Story(
        "no fee is still written",
        (F, F),
        (New(0, BUY, 1),),
        ((60, 1, 1, 20_000, R.MARKET),),
        effects=((FEE, 0),),
    ),
    Story(
        "a rebate is rounded down",
        (F, (20_000, 20_000, 19_000, 19_500)),
        (New(0, BUY, 1, 19_999),),
        # 1.9999 is 1
        ((100, 1, 1, 19_999, R.LIMIT_RESTED),),
        effects=((FEE, 1),),
        rules=REBATE,
    ),
    Story(
        "half the spread against each side",
        (flat(1_000), flat(1_000)),
        (New(0, BUY, 1), New(0, SELL, 1)),
        ((60, 1, 1, 1_001, R.MARKET), (60, 2, -1, 999, R.MARKET)),
        effects=((FEE, 0), (PNL, -2), (FEE, 0)),
        rules=replace(LINEAR, half_spread_e8=100_000),
    ),
    Story(
        "a spread finer than the tick still costs a tick",
        (flat(1_000), flat(1_000)),
        (New(0, BUY, 1), New(0, SELL, 1)),
        ((60, 1, 1, 1_001, R.MARKET), (60, 2, -1, 999, R.MARKET)),
        rules=replace(LINEAR, half_spread_e8=1),
    ),
    Story(
        "impact grows with the root of the share",
        # 1 % at the whole bar: a quarter of it moves the price half a percent
        (flat(1_000), (*flat(1_000), 100)),
        (New(0, BUY, 25), New(0, SELL, 100)),
        ((60, 1, 25, 1_005, R.MARKET), (60, 2, -100, 990, R.MARKET)),
        rules=replace(LINEAR, impact_e8=10**6),
    ),
    Story(
        "impact without volume is that of the whole bar",
        (flat(1_000), (*flat(1_000), 0)),
        (New(0, BUY, 25),),
        ((60, 1, 25, 1_010, R.MARKET),),
        rules=replace(LINEAR, impact_e8=10**6),
    ),
    Story(
        "spread and impact stop at half the price",
        (flat(1_000), flat(1_000)),
        (New(0, SELL, 25),),
        ((60, 1, -25, 500, R.MARKET),),
        rules=replace(LINEAR, half_spread_e8=90_000_000),
    ),
)
def test_fees_spread_and_impact(engine: str, story: Story) -> None:
    tell(engine, story)


@on_both_engines
@table(
    Story(
        "a partial close releases its share of the cost, rounded up",
        # cost 100 + 202 = 302 for 3; one releases ceil(100.67) = 101; the rest 201
        (flat(100), flat(100), flat(101), flat(110), flat(110)),
        (New(0, BUY, 1), New(1, BUY, 2), New(2, SELL, 1), New(3, SELL, 2)),
        (
            (60, 1, 1, 100, R.MARKET),
            (120, 2, 2, 101, R.MARKET),
            (180, 3, -1, 110, R.MARKET),
            (240, 4, -2, 110, R.MARKET),
        ),
        effects=((FEE, 0), (FEE, 0), (PNL, 9), (FEE, 0), (PNL, 19), (FEE, 0)),
        position=0,
    ),
    Story(
        "a flip realises what it closes and opens the rest",
        (flat(100), flat(100), flat(110), flat(105)),
        (New(0, BUY, 2), New(1, SELL, 5), New(2, BUY, 3)),
        ((60, 1, 2, 100, R.MARKET), (120, 2, -5, 110, R.MARKET), (180, 3, 3, 105, R.MARKET)),
        effects=((FEE, 0), (PNL, 20), (FEE, 0), (PNL, 15), (FEE, 0)),
        balances=(1_000_035,),
    ),
    Story(
        "a zero result is written",
        (flat(100), flat(100), flat(100)),
        (New(0, BUY, 2), New(1, SELL, 2)),
        ((60, 1, 2, 100, R.MARKET), (120, 2, -2, 100, R.MARKET)),
        effects=((FEE, 0), (PNL, 0), (FEE, 0)),
    ),
    Story(
        "cash coarser than value rounds each effect down",
        # ten value units a cash unit: +25 is 2, -25 is -3
        (flat(100), flat(100), flat(105), flat(100)),
        (New(0, BUY, 5), New(1, SELL, 10), New(2, BUY, 10), New(2, SELL, 5)),
        (
            (60, 1, 5, 100, R.MARKET),
            (120, 2, -10, 105, R.MARKET),
            (180, 3, 10, 100, R.MARKET),
            (180, 4, -5, 100, R.MARKET),
        ),
        effects=((FEE, 0), (PNL, 2), (FEE, 0), (PNL, 2), (FEE, 0), (PNL, 0), (FEE, 0)),
        rules=replace(LINEAR, den=10),
    ),
    Story(
        "a loss coarser than value rounds down",
        (flat(105), flat(105), flat(100)),
        (New(0, BUY, 5), New(1, SELL, 5)),
        ((60, 1, 5, 105, R.MARKET), (120, 2, -5, 100, R.MARKET)),
        effects=((FEE, 0), (PNL, -3), (FEE, 0)),
        rules=replace(LINEAR, den=10),
    ),
    Story(
        "two legs of a hedge do not net",
        (flat(100), flat(100), flat(110)),
        (New(0, BUY, 2), New(0, SELL, 2, leg=1), New(1, SELL, 2), New(1, BUY, 2, leg=1)),
        (
            (60, 1, 2, 100, R.MARKET),
            (60, 2, -2, 100, R.MARKET),
            (120, 3, -2, 110, R.MARKET),
            (120, 4, 2, 110, R.MARKET),
        ),
        effects=((FEE, 0), (FEE, 0), (PNL, 20), (FEE, 0), (PNL, -20), (FEE, 0)),
        account=AccountCase(position_mode=PositionMode.HEDGE),
        position=0,
    ),
    Story(
        "a sell on the long leg of a hedge only reduces",
        (flat(100), flat(100), flat(110)),
        (New(0, SELL, 2), New(0, BUY, 2), New(1, SELL, 5)),
        ((60, 2, 2, 100, R.MARKET), (120, 3, -2, 110, R.MARKET)),
        ended={1: R.REDUCE_ONLY_NO_POSITION},
        account=AccountCase(position_mode=PositionMode.HEDGE),
        position=0,
    ),
)
def test_positions_and_realised_pnl(engine: str, story: Story) -> None:
    tell(engine, story)


P, M = 10_000, flat(10_000)
BP = 10**8  # 0.01 % in 10^-12
HOLD = (New(0, BUY, 10),)
HELD = ((60, 1, 10, P, R.MARKET),)


@on_both_engines
@table(
    Story(
        "a long pays a positive rate",
        # 100,000 x 0.0001 = 10
        (M, M, M),
        HOLD,
        HELD,
        effects=((FEE, 0), (FUNDING, -10)),
        series={"funding": ((120, BP),)},
    ),
    Story(
        "a short receives it",
        (M, M, M),
        (New(0, SELL, 10),),
        ((60, 1, -10, P, R.MARKET),),
        effects=((FEE, 0), (FUNDING, 10)),
        series={"funding": ((120, BP),)},
    ),
    Story(
        "a long receives a negative rate",
        (M, M, M),
        HOLD,
        HELD,
        effects=((FEE, 0), (FUNDING, 10)),
        series={"funding": ((120, -BP),)},
    ),
    Story(
        "both directions round against the account",
        # 10 x 10,001 x 0.0001 = 10.001
        (flat(10_001), flat(10_001), flat(10_001)),
        HOLD,
        ((60, 1, 10, 10_001, R.MARKET),),
        effects=((FEE, 0), (FUNDING, -11), (FUNDING, 10)),
        series={"funding": ((120, BP), (121, -BP))},
    ),
    Story(
        "a stamp at the open is before an order that arrives there",
        (M, M),
        HOLD,
        HELD,
        effects=((FEE, 0),),
        series={"funding": ((60, BP),)},
    ),
    Story(
        "at the open it is paid on the mark of the open",
        # 10 x 20,000 x 0.0001 = 20
        (M, M, M),
        HOLD,
        HELD,
        effects=((FEE, 0), (FUNDING, -20)),
        series={"funding": ((120, BP),), "mark": (M, M, flat(20_000))},
    ),
    Story(
        "inside a bar on the mark of the last event",
        # at 90 the last event is the low of 80: 9,000
        (M, (10_000, 11_000, 9_000, 10_000)),
        HOLD,
        HELD,
        effects=((FEE, 0), (FUNDING, -9)),
        series={"funding": ((90, BP),)},
    ),
    Story(
        "a stamp in a hole is paid at the next bar, on its open",
        (M, M, None, flat(20_000)),
        HOLD,
        HELD,
        effects=((FEE, 0), (FUNDING, -20)),
        series={"funding": ((150, BP),)},
    ),
    Story(
        "nothing held, nothing paid",
        (M, M, M),
        (),
        (),
        effects=(),
        series={"funding": ((60, BP), (120, BP))},
    ),
)
def test_funding(engine: str, story: Story) -> None:
    tell(engine, story)


SPOT_FEE = replace(SPOT, maker_e8=100_000, taker_e8=100_000)  # 0.1 %
BOTH = AccountCase(balances=(10_000, 50))


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


BTC = 10**8


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

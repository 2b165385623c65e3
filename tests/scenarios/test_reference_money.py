"""Money as stories: fees, spread, impact, cost averaging and funding."""

from dataclasses import replace

from openalpha.core.messages import EffectKind
from openalpha.core.orders import PositionMode
from openalpha.core.reasons import Reason
from tests.reference.engines import on_both_engines
from tests.reference.scenario import AccountCase, New
from tests.reference.stories import BUY, LINEAR, SELL, Story, flat, table, tell

R = Reason
FEE, PNL, FUNDING = (
    EffectKind.FEE,
    EffectKind.REALISED_PNL,
    EffectKind.FUNDING,
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

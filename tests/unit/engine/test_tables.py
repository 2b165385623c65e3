"""Fills, effects and orders as frames: the kernel's integers in people's units."""

from decimal import Decimal

import pytest

from openalpha.core.messages import EffectKind
from openalpha.core.orders import Role, Side
from openalpha.core.reasons import Reason
from openalpha.engine.run import account_coins
from openalpha.market.history import History
from tests.fakes.small_market import inverse, linear, market, run_targets, spot

BARS = [100, 100, (100, 110, 100, 110, 1000), 110, 110]


def test_a_fill_in_people_s_units():
    run = run_targets(
        market(BARS), [1, 1, 1, 0, 0], costs={"taker_bps": 10, "spread_bps": 200, "impact": 100}
    )
    first, last = run.fills.to_frame().rows(named=True)
    # A share of 9.99/1000 of the volume: impact 100 bps × its root = 9.99 bps; half the spread 1 %.
    assert (first["side"], first["qty"], first["base_price"]) == (1, 9.99, 100.0)
    assert first["price"] == 101.1
    assert first["notional"] == pytest.approx(9.99 * 101.1)
    assert first["spread_cost"] + first["impact_cost"] == pytest.approx(
        (101.1 - 100) / 101.1 * first["notional"]
    )
    assert first["impact_cost"] == pytest.approx(0.000999 * first["notional"], rel=1e-3)
    assert first["fee"] == pytest.approx(first["notional"] * 0.001)
    assert (first["fee_coin"], first["role"], first["is_reducing"]) == ("USDT", 1, False)
    assert (last["side"], last["is_reducing"]) == (-1, True)
    assert last["realised_pnl"] == pytest.approx((last["price"] - 101.1) * 9.99)


def test_messages_are_exact():
    run = run_targets(market(BARS), [1, 1, 1, 0, 0], costs={"taker_bps": 10})
    fill = run.fills.messages()[0]
    assert (fill.side, fill.role, fill.reason) == (Side.BUY, Role.TAKER, Reason.MARKET)
    assert (fill.price, fill.qty, fill.fee) == (Decimal(100), Decimal("9.99"), Decimal("0.999"))
    assert [fill.seq for fill in run.fills.messages(1)] == [1]
    effects = run.effects.messages()
    assert [effect.kind for effect in effects] == [
        EffectKind.FEE, EffectKind.REALISED_PNL, EffectKind.FEE
    ]  # fmt: skip
    assert [effect.fill_seq for effect in effects] == [0, 1, 1]
    assert run.effects.total() == run.balances["USDT"] - 10_000
    assert run.effects.to_frame()["amount"].sum() == pytest.approx(float(run.effects.total()))


def test_funding_belongs_to_no_fill():
    run = run_targets(market([100] * 4, funding={2: "0.0001"}), [1] * 4)
    row = run.effects.to_frame().filter(kind=int(EffectKind.FUNDING)).row(0, named=True)
    assert (row["fill_seq"], row["instrument"]) == (-1, "bybit_linear:BTCUSDT")
    assert run.effects.messages()[-1].fill_seq is None


def test_orders_that_ended():
    run = run_targets(market(BARS), [1, 1, 0.5, 0.5, 0.5])
    rows = run.orders.to_frame().rows(named=True)
    assert [row["is_reduce_only"] for row in rows] == [False, True]
    # Half of a tenth of 10,100 at 110 is 4.59.
    assert [(row["qty"], row["filled"]) for row in rows] == [(10.0, 10.0), (5.41, 5.41)]
    assert rows[1]["ended_ts_ms"] == rows[1]["created_ts_ms"]


def test_inverse_notional_is_in_the_coin():
    run = run_targets(market([20_000] * 3, instrument=inverse()), [1] * 3, capital="1")
    assert run.fills.to_frame()["notional"].to_list() == [pytest.approx(0.1)]
    assert run.exposure.tolist() == [0, pytest.approx(0.1), pytest.approx(0.1)]


def test_empty_tables_keep_their_columns():
    run = run_targets(market([100, 100]), [None, None])
    for table in (run.fills, run.effects, run.orders):
        frame = table.to_frame()
        assert len(table) == len(frame) == 0
        assert "instrument" in frame.columns


def test_several_instruments_are_told_apart():
    pair = [market([100] * 3), market([10] * 3, instrument=spot("ETHUSDT"))]
    run = run_targets(pair, [[1] * 3, [1] * 3], costs={"taker_bps": 10})
    frame = run.fills.to_frame()
    assert frame["instrument"].to_list() == ["bybit_linear:BTCUSDT", "bybit_spot:ETHUSDT"]
    assert frame["fee_coin"].to_list() == ["USDT", "ETH"]
    # The fee in the coin, 0.0999, is booked up to its unit.
    assert run.position[-1].tolist() == [9.99, 99.8]


def test_account_coins():
    assert account_coins([linear(), spot("ETHUSDT")]) == ("USDT", "ETH")
    assert account_coins([inverse()]) == ("BTC",)


def test_equity_is_marked_at_each_close_over_all_instruments():
    # 10 BTC from 100 and 100 ETH from 10: at 110 and 9 they stand at +100 and -100, then +50.
    pair = [
        market([100, 100, 110, 105]),
        market([10, 10, 9, 10], instrument=spot("ETHUSDT")),
    ]
    run = run_targets(pair, [[1] * 4, [1] * 4])
    assert run.equity.tolist() == [10_000, 10_000, 10_000, 10_050]
    assert run.final_equity == 10_050


def test_equity_is_marked_at_the_mark_where_there_is_one():
    plain = market([100, 100, 110])
    mark = plain.bars[:, :4] + 20
    marked = History.of(
        plain.instrument, plain.timeframe_ms, ts_ms=plain.ts_ms, bars=plain.bars, mark=mark
    )
    run = run_targets(marked, [1, 1, 1])
    # Ten bought at 100: the mark stands two above.
    assert run.equity.tolist() == [10_000, 10_020, 10_120]

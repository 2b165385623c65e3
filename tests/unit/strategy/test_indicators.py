"""Every indicator in one table: prefix-proof, warm-up as stated, memory as stated, no surprises."""

import numpy as np
import polars as pl
import pytest

from openalpha.core.errors import InputError, UnknownName
from openalpha.strategy import Bars, FloatArray
from openalpha.strategy import indicators as ta
from openalpha.strategy.specimen import specimen_bars

ROWS = 2_500
CUTS = (1, 2, 7, 40, 129, 600, 1_001, 1_776, 2_499)

# Periods other than the defaults, so that the warm-up is a formula and not a constant.
VARIANTS: dict[str, dict[str, float]] = {
    "period": {"period": 9},
    "fast": {"fast": 5, "slow": 17},
    "k": {"k": 8},
    "first": {"first": 4, "second": 9, "third": 21},
    "settlements": {"settlements": 4},
}


def columns_of(indicator: ta.Indicator, bars: Bars, seed: int = 5) -> list[FloatArray]:
    rng = np.random.default_rng(seed)
    extra = {
        "other": specimen_bars(len(bars), seed=seed + 1).close,
        "bid": bars.close * 0.9999,
        "ask": bars.close * 1.0001,
        "bid_size": rng.random(len(bars)),
        "ask_size": rng.random(len(bars)),
        "ts_ms": bars.ts_ms.astype(np.float64),
    }
    return [extra[name] if name in extra else bars.column(name) for name in indicator.inputs]


def same_bits(left: FloatArray, right: FloatArray) -> bool:
    return left.tobytes() == right.tobytes() or np.array_equal(left, right, equal_nan=True)


BARS = specimen_bars(ROWS, seed=1)
ALL = ta.names()
FIXED = [name for name in ALL if ta.info(name).warm_up is not None]
FORGETTING = [name for name in FIXED if ta.info(name).memory is not ta.Memory.ENDLESS]
SKIPPING = [name for name in ALL if ta.info(name).missing is ta.Missing.SKIPPED]


def test_there_are_more_than_fifty_of_talib_and_twenty_of_our_own():
    from openalpha.strategy.indicators.own import own_indicators
    from openalpha.strategy.indicators.talib_table import talib_indicators

    assert len(list(talib_indicators())) >= 50
    assert len(list(own_indicators())) >= 20
    assert len(ALL) == len(set(ALL)) >= 75


@pytest.mark.parametrize("name", ALL)
def test_later_bars_never_change_an_earlier_value(name):
    indicator = ta.info(name)
    columns = columns_of(indicator, BARS)
    whole = indicator.all(*columns)
    for cut in CUTS:
        prefix = indicator.all(*[column[:cut] for column in columns])
        for output, values in whole.items():
            assert same_bits(prefix[output], values[:cut]), f"{name}.{output} at cut {cut}"


@pytest.mark.parametrize("name", ALL)
def test_another_future_never_changes_an_earlier_value(name):
    indicator = ta.info(name)
    columns = columns_of(indicator, BARS)
    whole = indicator.all(*columns)
    cut = 1_313
    changed = []
    for column, label in zip(columns, indicator.inputs, strict=True):
        other = column.copy()
        # The clock cannot change; everything else doubles from the cut on.
        other[cut:] *= 1.0 if label == "ts_ms" else 2.0
        changed.append(other)
    after = indicator.all(*changed)
    for output, values in whole.items():
        assert same_bits(after[output][:cut], values[:cut]), f"{name}.{output}"


@pytest.mark.parametrize("name", FIXED)
def test_the_first_value_comes_exactly_at_the_stated_warm_up(name):
    indicator = ta.info(name)
    columns = columns_of(indicator, BARS)
    variants = [{}, *(given for key, given in VARIANTS.items() if key in indicator.parameters)]
    for parameters in variants:
        first = indicator.warm_up_bars(**parameters) - 1
        for output, values in indicator.all(*columns, **parameters).items():
            assert np.isnan(values[:first]).all(), f"{name}.{output} {parameters}: too early"
            assert not np.isnan(values[first:]).any(), f"{name}.{output} {parameters}: too late"


@pytest.mark.parametrize("name", FORGETTING)
def test_a_history_that_begins_later_agrees_once_settled(name):
    indicator = ta.info(name)
    columns = columns_of(indicator, BARS)
    start = 500
    settled = indicator.settled_bars() - 1
    assert settled < ROWS - start - 200, "the test needs rows to compare"
    whole = indicator.all(*columns)
    for output, values in indicator.all(*[column[start:] for column in columns]).items():
        late, full = values[settled:], whole[output][start + settled :]
        scale = float(np.nanmax(np.abs(full))) or 1.0
        assert np.abs(late - full).max() <= 5e-6 * scale, f"{name}.{output}"


@pytest.mark.parametrize("name", SKIPPING)
def test_a_missing_row_is_left_out_and_the_rest_goes_on(name):
    indicator = ta.info(name)
    columns = [column.copy() for column in columns_of(indicator, BARS)]
    for column in columns:
        column[700] = np.nan
    without = indicator.all(*[np.delete(column, 700) for column in columns])
    for output, values in indicator.all(*columns).items():
        assert np.isnan(values[700])
        assert same_bits(np.delete(values, 700), without[output])


@pytest.mark.parametrize("name", ALL)
def test_empty_and_short_columns_give_nan_and_no_error(name):
    indicator = ta.info(name)
    columns = columns_of(indicator, BARS)
    for rows in (0, 1, 3):
        for values in indicator.all(*[column[:rows] for column in columns]).values():
            assert len(values) == rows


@pytest.mark.parametrize("name", ALL)
def test_it_says_what_it_is(name):
    indicator = ta.info(name)
    assert indicator.help.endswith(".") or ":" in indicator.help
    assert indicator.group in {
        "bands", "candles", "cycle", "direction", "funding", "momentum", "other markets", "price",
        "quotes", "range", "regime", "session", "trend", "volume",
    }  # fmt: skip


def test_polars_in_polars_out():
    series = pl.Series("close", BARS.close)
    found = ta.rsi(series, period=14)
    assert isinstance(found, pl.Series)
    assert same_bits(found.to_numpy(), ta.rsi(BARS.close, period=14))


def test_one_output_is_chosen_by_name():
    every = ta.macd.all(BARS.close)
    assert same_bits(ta.macd(BARS.close, output="histogram"), every["histogram"])
    assert same_bits(ta.macd.on(BARS, output="signal"), every["signal"])


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: ta.info("rzi"), "did you mean 'rsi'"),
        (lambda: ta.rsi(BARS.close, periods=3), "did you mean 'period'"),
        (lambda: ta.rsi(BARS.close, period=1.5), "whole number"),
        (lambda: ta.rsi(BARS.close, period=0), "whole number"),
        (lambda: ta.rsi(BARS.close, period=1), "refuses period=1"),
        (lambda: ta.macd(BARS.close, output="hist"), "has no output 'hist'"),
        (lambda: ta.atr(BARS.close), "takes high, low, close"),
        (lambda: ta.atr(BARS.high, BARS.low, BARS.close[:5]), "one length"),
        (lambda: ta.basis.on(BARS), "needs 'other'"),
    ],
)
def test_wrong_use_is_one_sentence(call, words):
    with pytest.raises((InputError, UnknownName), match=words):
        call()


class TestKnownValues:
    """Small cases worked by hand or by the formula in another form."""

    def test_realised_volatility(self):
        close = np.exp(np.array([0.0, 0.01, -0.01, 0.0]))
        expected = np.sqrt((0.01**2 + 0.02**2 + 0.01**2) / 3)
        assert ta.realised_volatility(close, period=3)[-1] == pytest.approx(expected)

    def test_parkinson_of_a_constant_range(self):
        high, low = np.full(5, np.e), np.ones(5)
        assert ta.parkinson(high, low, period=4)[-1] == pytest.approx(1 / np.sqrt(4 * np.log(2)))

    def test_garman_klass_reduces_to_the_range_when_open_is_close(self):
        high, low, flat = np.full(5, np.e), np.ones(5), np.full(5, 2.0)
        found = ta.garman_klass(flat, high, low, flat, period=4)[-1]
        assert found == pytest.approx(np.sqrt(0.5))

    def test_garman_klass_takes_off_the_body(self):
        bar = [np.exp(np.full(3, value)) for value in (0.2, 1.0, 0.0, 0.7)]
        expected = np.sqrt(0.5 - (2 * np.log(2) - 1) * 0.5**2)
        assert ta.garman_klass(*bar, period=2)[-1] == pytest.approx(expected)

    def test_rogers_satchell_ignores_a_drift(self):
        bar = [np.exp(np.full(3, value)) for value in (0.0, 1.0, 0.0, 1.0)]
        assert ta.rogers_satchell(*bar, period=2)[-1] == pytest.approx(0.0)

    def test_efficiency_of_a_straight_line_and_of_a_saw(self):
        assert ta.efficiency(np.arange(1.0, 12.0), period=10)[-1] == pytest.approx(1.0)
        assert ta.efficiency(np.tile([1.0, 2.0], 8), period=10)[-1] == pytest.approx(0.0)

    def test_hurst_tells_a_walk_from_a_trend_and_from_a_return(self):
        rng = np.random.default_rng(0)
        noise = rng.normal(0, 0.01, 20_000)
        walk = np.exp(np.cumsum(noise))
        returning = np.exp(noise)
        smooth = np.exp(np.cumsum(np.convolve(noise, np.ones(50) / 50, "same")))
        found = [np.nanmean(ta.hurst(prices, period=512)) for prices in (walk, returning, smooth)]
        assert found[0] == pytest.approx(0.5, abs=0.05)
        assert found[1] < 0.1
        assert found[2] > 0.8

    def test_beta_of_a_doubled_market_is_two(self):
        moves = np.random.default_rng(1).normal(0, 0.01, 500)
        other, own = np.exp(np.cumsum(moves)), np.exp(np.cumsum(2 * moves))
        assert ta.cross_beta(own, other, period=96)[-1] == pytest.approx(2.0)
        assert ta.cross_correlation(own, other, period=96)[-1] == pytest.approx(1.0)

    def test_signed_volume_share(self):
        close, volume = np.array([1.0, 2.0, 1.0, 2.0]), np.array([9.0, 3.0, 1.0, 4.0])
        assert ta.signed_volume(close, volume, period=3)[-1] == pytest.approx((3 - 1 + 4) / 8)

    def test_quotes(self):
        bid, ask = np.array([99.0]), np.array([101.0])
        assert ta.spread_bps(bid, ask)[0] == pytest.approx(200.0)
        assert ta.imbalance(np.array([3.0]), np.array([1.0]))[0] == 0.5
        assert ta.imbalance(np.array([0.0]), np.array([0.0]))[0] == 0.0
        assert ta.microprice(bid, ask, np.array([3.0]), np.array([1.0]))[0] == 100.5

    def test_level_imbalance_adds_levels_and_ignores_missing_ones(self):
        bids, asks = np.array([[1.0, 2.0, np.nan]]), np.array([[1.0, 0.0, 9.0]])
        assert ta.level_imbalance(bids, asks, levels=2)[0] == pytest.approx(0.5)
        assert ta.level_imbalance(bids, asks, levels=9)[0] == pytest.approx((3 - 10) / 13)

    def test_funding_is_carried_between_settlements(self):
        rate = np.array([np.nan, 0.1, np.nan, 0.3, np.nan])
        assert ta.last_funding(rate).tolist()[1:] == [0.1, 0.1, 0.3, 0.3]
        assert ta.funding_mean(rate, settlements=2)[-1] == pytest.approx(0.2)
        assert ta.funding_sum(rate, period=3)[-1] == pytest.approx(0.3)

    def test_the_day_begins_at_midnight_and_a_half_day_does_not_count(self):
        hour = 3_600_000
        ts_ms = (np.arange(30) + 20) * float(hour)
        price = np.arange(1.0, 31.0)
        found = ta.day_return(ts_ms, price, price)
        assert np.isnan(found[:4]).all()
        assert found[4] == 0.0
        assert found[5] == pytest.approx(6 / 5 - 1)

    def test_day_vwap_without_volume_is_the_price(self):
        ts_ms, price = np.arange(3) * 3_600_000.0, np.array([1.0, 2.0, 3.0])
        assert ta.day_vwap(ts_ms, price, price, price, np.zeros(3)).tolist() == [1.0, 2.0, 3.0]

"""The built-in strategies: each rule on a price made for it, and by a slow second way."""

from itertools import pairwise

import numpy as np
import pytest

from openalpha.core.errors import DataError, InputError
from openalpha.strategy import Bars, FloatArray, evaluate, evaluate_e6, load_strategy, quantise
from openalpha.strategy import indicators as ta
from openalpha.strategy.builtin import ma_cross
from openalpha.strategy.indicators.memory import Memo, remembering
from openalpha.strategy.specimen import specimen_bars

BARS = specimen_bars(3_000, seed=4)


def target(name: str, bars: Bars = BARS, **params) -> FloatArray:
    cls = load_strategy(name)
    return evaluate(cls(), {"A": bars}, params=cls.Params(**params))["A"]


def closes(*prices: float, volume: float | list[float] = 1.0) -> Bars:
    rows = np.full(len(prices), volume) if isinstance(volume, float) else volume
    return Bars.from_columns({"close": prices, "volume": rows}, timeframe_ms=3_600_000)


class TestMaCross:
    CASES = (
        {"fast": 10, "slow": 50, "long_only": True},
        {"fast": 10, "slow": 50},
        {"fast": 8, "slow": 21, "trend": 50},
        {"fast": 1, "slow": 2},
        {"fast": 3, "slow": 40, "trend": 41, "long_only": True},
    )

    @staticmethod
    def slow_way(
        units: np.ndarray, fast: int, slow: int, trend: int, long_only: bool
    ) -> list[float]:
        """Whole sums of whole prices, row by row, in Python integers."""
        out = []
        prices = [int(unit) for unit in units]
        for row in range(len(prices)):
            if row + 1 < max(slow, trend):
                out.append(np.nan)
                continue
            means = [
                sum(prices[row + 1 - window : row + 1]) * (slow * fast * max(trend, 1) // window)
                for window in ([fast, slow, trend] if trend else [fast, slow])
            ]
            if all(left > right for left, right in pairwise(means)):
                out.append(1.0)
            elif all(left < right for left, right in pairwise(means)):
                out.append(0.0 if long_only else -1.0)
            else:
                out.append(0.0)
        return out

    @pytest.mark.parametrize("params", CASES)
    def test_it_is_the_rule_exactly(self, params):
        found = target("ma_cross", **params)
        full = {"trend": 0, "long_only": False, **params}
        expected = self.slow_way(BARS.close_units, **full)
        assert np.array_equal(found, expected, equal_nan=True)

    @pytest.mark.parametrize("params", CASES)
    def test_the_numpy_way_gives_the_same_bits(self, params, monkeypatch):
        cls = load_strategy("ma_cross")
        compiled = cls().target(BARS, cls.Params(**params))
        monkeypatch.setattr(ma_cross, "compiled_loop", lambda name: None)
        assert cls().target(BARS, cls.Params(**params)).tobytes() == compiled.tobytes()

    @pytest.mark.parametrize("params", CASES)
    def test_the_quick_target_is_the_quantised_one(self, params):
        cls = load_strategy("ma_cross")
        quick = evaluate_e6(cls(), {"A": BARS}, params=cls.Params(**params))["A"]
        assert np.array_equal(quick, quantise(target("ma_cross", **params)))

    @pytest.mark.parametrize("params", CASES)
    def test_sums_that_crosses_share_give_the_same_bits(self, params):
        cls = load_strategy("ma_cross")
        alone = cls().target_e6(BARS, cls.Params(**params))
        with remembering(Memo()) as memo:
            shared = cls().target_e6(BARS, cls.Params(**params))
            floats = cls().target(BARS, cls.Params(**params))
        assert memo.misses == 1
        assert floats.tobytes() == target("ma_cross", **params).tobytes()
        assert shared.tobytes() == alone.tobytes()

    def test_shared_sums_that_floats_cannot_hold_are_left_alone(self):
        wide = Bars.from_columns({"close": [1e13, 1, 1e13] * 20}, timeframe_ms=1, price_decimals=0)
        cls = load_strategy("ma_cross")
        params = cls.Params(fast=2, slow=50)
        alone = cls().target_e6(wide, params)
        with remembering(Memo()):
            assert cls().target_e6(wide, params).tobytes() == alone.tobytes()

    def test_floats_without_a_grid_give_the_same_targets(self):
        loose = Bars(BARS.ts_ms, timeframe_ms=BARS.timeframe_ms, source=BARS.column)
        assert loose.close_units is None
        exact, rounded = (
            target("ma_cross", fast=10, slow=50),
            target("ma_cross", loose, fast=10, slow=50),
        )
        assert (np.nan_to_num(exact) != np.nan_to_num(rounded)).sum() <= 1

    def test_prices_too_large_for_exact_sums_take_the_float_way(self):
        huge = Bars.from_columns({"close": [9e16, 8e16, 9e16]}, timeframe_ms=1, price_decimals=2)
        cls = load_strategy("ma_cross")
        assert cls().target_e6(huge, cls.Params(fast=1, slow=2)) is None
        assert target("ma_cross", huge, fast=1, slow=2)[1:].tolist() == [-1.0, 1.0]

    @pytest.mark.parametrize("kind", ["ema", "wma", "dema", "tema", "kama"])
    def test_other_averages_are_compared_the_same_way(self, kind):
        average = ta.info(kind)
        distance = average(BARS.close, period=8) - average(BARS.close, period=21)
        found = target("ma_cross", kind=kind)
        ready = ~np.isnan(found)
        assert ready.sum() > 1_000
        assert (found[ready] == np.sign(distance[ready])).all()


def test_buy_and_hold_holds():
    assert set(target("buy_and_hold")) == {1.0}
    assert set(target("buy_and_hold", share=-0.5)) == {-0.5}


def test_momentum_is_the_sign_of_the_return():
    found = target("momentum", closes(1, 2, 3, 2, 1, 1), lookback=2)
    assert np.array_equal(found, [np.nan, np.nan, 1, 0, -1, -1], equal_nan=True)


def test_momentum_horizons_vote():
    prices = closes(4, 3, 1, 2, 3)
    # Over 1 bar up, over 2 up, over 4 down: one vote of three.
    assert target("momentum", prices, lookback=1, horizons=3)[-1] == pytest.approx(1 / 3)
    assert target("momentum", prices, lookback=1, horizons=3, long_only=True)[-1] >= 0


def test_momentum_below_its_threshold_is_no_vote():
    assert target("momentum", closes(100, 100.4), lookback=1, threshold_pct=0.5)[-1] == 0.0


def test_rsi_reversion_buys_the_fall_and_leaves_at_the_middle():
    found = target("rsi_reversion")
    rsi = ta.rsi(BARS.close, period=14)
    ready = ~np.isnan(found)
    assert (found[ready & (rsi < 30)] == 1.0).all()
    assert (found[ready & (rsi > 70)] == -1.0).all()
    assert set(np.unique(found[ready])) == {-1.0, 0.0, 1.0}
    entered = np.flatnonzero((found[1:] == 1) & (found[:-1] != 1)) + 1
    assert (rsi[entered] < 30).all()
    left = np.flatnonzero((found[1:] == 0) & (found[:-1] == 1)) + 1
    assert (rsi[left] > 50).all()
    assert (target("rsi_reversion", long_only=True)[ready] >= 0).all()


def test_macd_is_the_side_of_its_signal_line():
    found = target("macd")
    histogram = ta.macd(BARS.close, output="histogram")
    ready = ~np.isnan(found)
    assert ready.sum() > 2_000
    assert (found[ready] == np.sign(histogram[ready])).all()
    filtered = target("macd", zero_filter=True)
    line = ta.macd(BARS.close)
    assert (filtered[ready & (line < 0)] <= 0).all()


@pytest.mark.parametrize(("mode", "side"), [("breakout", 1.0), ("reversion", -1.0)])
def test_bollinger_acts_beyond_the_band(mode, side):
    jump = closes(*([100.0, 101.0] * 15), 120.0, 121.0, 60.0)
    found = target("bollinger", jump, mode=mode)
    assert found[29] == 0.0
    assert found[30] == side
    assert found[31] == side
    assert found[32] == -side


def test_mean_reversion_needs_the_volume():
    prices = (*([100.0, 101.0] * 30), 80.0, 100.5, 100.5)
    quiet = [10.0] * 59 + [11.0, 10.0, 10.0, 10.0]
    loud = [10.0] * 59 + [11.0, 90.0, 10.0, 10.0]
    assert (
        np.nan_to_num(target("mean_reversion_volume", closes(*prices, volume=quiet))) == 0
    ).all()
    found = target("mean_reversion_volume", closes(*prices, volume=loud))
    assert found[60] == 1.0
    assert found[61] == 0.0


class TestBreakout:
    RANGE = (*([10.0, 11.0] * 5), 12.0, 12.5, 11.5, 9.0, 9.5)

    def test_it_follows_the_price_out_of_its_range(self):
        found = target("breakout", closes(*self.RANGE), entry=5, exit=3)
        assert found[9] == 0.0
        assert found[10:13].tolist() == [1.0, 1.0, 1.0]
        assert found[13] == -1.0

    def test_a_confirmation_that_doubts_keeps_it_out(self):
        cls = load_strategy("breakout")
        bars, params = {"A": closes(*self.RANGE)}, cls.Params(entry=5, exit=3)
        doubting = cls(confirm=lambda bars, breaks: np.full(len(bars), 0.5))
        trusting = cls(confirm=lambda bars, breaks: np.full(len(bars), 0.6))
        assert (np.nan_to_num(evaluate(doubting, bars, params=params)["A"]) == 0).all()
        plain = evaluate(cls(), bars, params=params)["A"]
        assert np.array_equal(evaluate(trusting, bars, params=params)["A"], plain, equal_nan=True)

    def test_a_confirmation_of_another_length_is_refused(self):
        cls = load_strategy("breakout")
        with pytest.raises(DataError, match="shape"):
            evaluate(
                cls(confirm=lambda bars, breaks: np.zeros(3)),
                {"A": closes(*self.RANGE)},
                params=cls.Params(),
            )

    def test_a_model_that_looks_ahead_is_found_out(self):
        from openalpha.strategy import prove

        def confirm(bars, breaks):
            return (np.roll(bars.close, -1) > bars.close) * 1.0

        breakout = load_strategy("breakout")
        assert prove(breakout(confirm), {"A": BARS}).findings[0].column == "close"


class TestFundingCarry:
    @staticmethod
    def market(rate: float, rows: int = 400) -> Bars:
        return Bars.from_columns(
            {"close": np.full(rows, 100.0),
             "funding_rate": np.where(np.arange(rows) % 8 == 0, rate, np.nan)},
            timeframe_ms=3_600_000,
        )  # fmt: skip

    def test_it_holds_both_legs_while_funding_pays(self):
        cls = load_strategy("funding_carry")
        # 0.01 % three times a day is 10.95 % a year.
        bars = {"spot": self.market(0.0), "perp": self.market(1e-4)}
        found = evaluate(cls(), bars, params=cls.Params())
        assert (found["spot"][200:] == 0.5).all()
        assert (found["perp"][200:] == -0.5).all()
        assert np.isnan(found["spot"][:167]).all()

    def test_it_stays_out_while_funding_does_not(self):
        cls = load_strategy("funding_carry")
        bars = {"spot": self.market(0.0), "perp": self.market(1e-5)}
        assert (evaluate(cls(), bars, params=cls.Params())["perp"][200:] == 0).all()

    def test_several_pairs_share_the_capital(self):
        cls = load_strategy("funding_carry")
        paying, idle = self.market(1e-4), self.market(0.0)
        bars = {"spot.A": idle, "perp.A": paying, "spot.B": idle, "perp.B": idle}
        found = evaluate(cls(), bars, params=cls.Params())
        assert (found["perp.A"][-1], found["spot.A"][-1]) == (-0.25, 0.25)
        assert (found["perp.B"][-1], found["spot.B"][-1]) == (0.0, 0.0)

    @pytest.mark.parametrize("keys", [("spot",), ("perp",), ("A", "B"), ("spot.A", "perp.B"), ()])
    def test_half_a_pair_is_refused(self, keys):
        cls = load_strategy("funding_carry")
        with pytest.raises(InputError, match="trades pairs"):
            evaluate(cls(), {key: self.market(0.0) for key in keys}, params=cls.Params())


def test_too_much_in_all_is_refused():
    from openalpha.strategy import PortfolioStrategy

    class Greedy(PortfolioStrategy):
        name = "greedy"
        idea = "for a test"

        def targets(self, bars, params):
            return {key: np.full(len(part), 0.6) for key, part in bars.items()}

    with pytest.raises(DataError, match=r"wants 1\.2 in all"):
        evaluate(Greedy(), {"A": BARS, "B": BARS}, params=Greedy.Params())

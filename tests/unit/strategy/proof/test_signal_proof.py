"""The proof must catch every known way of reading the future, and accuse nobody else."""

from collections.abc import Callable

import numpy as np
import pytest

from openalpha.core.errors import DataError, InputError, LookAheadError
from openalpha.strategy import (
    Bars,
    FindingKind,
    FloatArray,
    PortfolioStrategy,
    SignalStrategy,
    evaluate,
    load_strategy,
    proof,
    prove,
    strategy_names,
)
from openalpha.strategy import indicators as ta
from openalpha.strategy.events import EventStrategy
from openalpha.strategy.indicators.rolling import change, lagged, rolling_mean
from openalpha.strategy.signals import hold
from openalpha.strategy.specimen import specimen_bars

BARS = specimen_bars(6_000, seed=11)
Rule = Callable[[Bars], FloatArray]


def strategy_of(rule: Rule, warm_up: int = 1) -> SignalStrategy:
    class Ruled(SignalStrategy):
        name = "ruled"
        idea = "for a test"

        def warm_up_bars(self, params):
            return warm_up

        def target(self, bars, params):
            return rule(bars)

    return Ruled()


def ahead(values: FloatArray, bars: int = 1) -> FloatArray:
    out = np.full(len(values), np.nan)
    out[: len(values) - bars] = values[bars:]
    return out


def sign(values: FloatArray) -> FloatArray:
    return np.sign(np.nan_to_num(values))


def centred_mean(values: FloatArray, half: int) -> FloatArray:
    return ahead(rolling_mean(values, 2 * half + 1), half)


def longer_bars_too_early(bars: Bars) -> FloatArray:
    # The 4 h bar's close is spread over its own hours: seen before it closes.
    bucket = bars.ts_ms // (4 * 3_600_000)
    last = np.flatnonzero(np.diff(bucket, append=bucket[-1] + 1))
    row = np.searchsorted(last, np.arange(len(bars)))
    return sign(bars.close[last][row] - bars.open)


def future_resample_by_one(bars: Bars) -> FloatArray:
    longer = bars.resample("4h")
    early = np.clip(longer.row + 1, 0, len(longer.bars) - 1)
    return sign(longer.bars.close[early] - bars.close)


def daily_mean(bars: Bars, days: int) -> FloatArray:
    daily = bars.resample("1d")
    return daily.align(ta.sma.on(daily.bars, period=days))


LEAKS: dict[str, tuple[Rule, str]] = {
    # the classic: tomorrow's close
    "shift_minus_one": (lambda b: sign(ahead(b.close) - b.close), "close"),
    "shift_minus_three": (lambda b: sign(ahead(b.close, 3) - b.close), "close"),
    # the next open is where the fill will be: unknown at the close
    "next_open": (lambda b: sign(ahead(b.open) - b.close), "open"),
    # one candle: a good signal, applied a bar too early
    "one_candle_early": (
        lambda b: ahead(sign(ta.sma(b.close, period=8) - ta.sma(b.close, period=21))), "close",
    ),
    "rare_signal_one_candle_early": (
        lambda b: ahead(np.nan_to_num(ta.rsi(b.close, period=14)) < 12) * 1.0, "close",
    ),
    "next_high": (lambda b: (np.nan_to_num(ahead(b.high)) > b.close * 1.02) * 1.0, "high"),
    "next_low": (lambda b: (np.nan_to_num(ahead(b.low)) < b.close * 0.98) * -1.0, "low"),
    "next_volume": (
        lambda b: (np.nan_to_num(ahead(b.volume)) > 60) * np.sign(change(b.close, 1)), "volume",
    ),
    "next_funding": (
        lambda b: (np.nan_to_num(ahead(b.funding_rate)) > 2e-4) * -1.0, "funding_rate",
    ),
    "next_mark": (lambda b: sign(ahead(b.mark_close) - b.close), "mark_close"),
    "centred_window": (lambda b: sign(b.close - centred_mean(b.close, 5)), "close"),
    "wide_centred_window": (lambda b: sign(b.close - centred_mean(b.close, 50)), "close"),
    "full_sample_mean": (lambda b: sign(b.close - b.close.mean()), "close"),
    "full_sample_zscore": (
        lambda b: np.clip((b.volume - b.volume.mean()) / b.volume.std() / 10, -1, 1), "volume",
    ),
    "full_sample_rank": (
        lambda b: b.close.argsort().argsort() / len(b) * 2 - 1, "close",
    ),
    "scaled_by_the_highest_ever": (lambda b: b.close / b.high.max(), "high"),
    "longer_bars_too_early": (longer_bars_too_early, "close"),
    "longer_bar_by_one": (future_resample_by_one, "close"),
    "backward_fill": (
        lambda b: sign(hold(b.funding_rate[::-1])[::-1]), "funding_rate",
    ),
    "smoothed_both_ways": (
        lambda b: sign(b.close - rolling_mean(b.close[::-1], 9)[::-1]), "close",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", LEAKS)
def test_a_leak_is_caught_and_its_column_named(name):
    rule, column = LEAKS[name]
    result = prove(strategy_of(rule), {"AAA": BARS})
    assert not result.ok
    finding = result.findings[0]
    assert finding.kind in (FindingKind.LOOK_AHEAD, FindingKind.FAILS), finding.words
    assert finding.column == column, finding.words
    assert column in finding.words
    assert "at the bar of 20" in finding.words
    with pytest.raises(LookAheadError, match="cannot be trusted"):
        result.raise_if_found()


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("name", LEAKS)
def test_a_leak_is_caught_on_every_market(name, seed):
    rule, _ = LEAKS[name]
    assert not prove(strategy_of(rule), {"AAA": specimen_bars(6_000, seed=100 + seed)}).ok


def test_what_depends_on_the_length_alone_is_caught():
    found = prove(strategy_of(lambda b: np.linspace(-1, 1, len(b))), {"AAA": BARS}).findings[0]
    assert found.column == ""
    assert "number of bars" in found.words


def test_a_leak_late_in_a_long_history_is_caught():
    def rule(bars: Bars) -> FloatArray:
        early = sign(change(bars.close, 1))
        late = sign(ahead(bars.close) - bars.close)
        return np.where(np.arange(len(bars)) < 30_000, early, late)

    assert not prove(strategy_of(rule), {"AAA": specimen_bars(60_000, seed=3)}).ok


def test_a_history_normalised_only_when_it_is_long_is_caught():
    def rule(bars: Bars) -> FloatArray:
        middle = bars.close.mean() if len(bars) > 20_000 else 100.0
        return sign(bars.close - middle)

    assert not prove(strategy_of(rule), {"AAA": specimen_bars(25_000, seed=3)}).ok


def test_a_leak_that_this_history_happens_not_to_use_is_caught():
    # It leaves before a halving of the price; the history has none, another future does.
    def rule(bars: Bars) -> FloatArray:
        crash = np.append(bars.low[1:], np.inf) < 0.4 * bars.close
        return np.where(crash, 0.0, np.nan_to_num(sign(change(bars.close, 1))))

    assert prove(strategy_of(rule), {"AAA": BARS}).findings[0].column == "low"


def test_a_very_long_history_is_examined_at_both_ends(monkeypatch):
    monkeypatch.setattr(proof, "_LONG_BARS", 10_000)
    monkeypatch.setattr(proof, "_PART_BARS", 4_000)
    bars = specimen_bars(12_000, seed=3)
    for late in (True, False):

        def rule(part: Bars, late: bool = late) -> FloatArray:
            assert len(part) <= 4_000, "the whole would need too much memory"
            leaks = (part.ts_ms > bars.ts_ms[6_000]) == late
            leaky = sign(ahead(part.close) - part.close)
            return np.where(leaks, leaky, sign(part.close - part.open))

        assert not prove(strategy_of(rule), {"AAA": bars}).ok
    assert prove(strategy_of(lambda part: sign(part.close - part.open)), {"AAA": bars}).ok


def test_what_depends_on_a_short_length_alone_is_caught():
    def rule(bars: Bars) -> FloatArray:
        return np.linspace(-1, 1, len(bars)) if len(bars) < 4_000 else np.zeros(len(bars))

    assert not prove(strategy_of(rule), {"AAA": BARS}).ok


def long_until_told_otherwise(bars: Bars) -> FloatArray:
    rsi = ta.rsi.on(bars, period=14)
    told = np.where(rsi < 14, 1.0, np.where(rsi > 86, -1.0, np.nan))
    return np.where(np.cumsum(~np.isnan(told)) > 0, hold(told), 1.0)


HONEST: dict[str, tuple[Rule, int]] = {
    # freqtrade 12168: an entry some bars after its signal was taken for a leak
    "delayed_entry": (
        lambda b: lagged(sign(ta.sma(b.close, period=8) - ta.sma(b.close, period=21)), 7), 28,
    ),
    # freqtrade 10380: funding columns were taken for a leak
    "funding_column": (lambda b: -sign(hold(b.funding_rate)), 1),
    "funding_mean": (lambda b: -sign(ta.funding_mean.on(b, settlements=3)), 1),
    "mark_premium": (lambda b: sign(b.close - b.mark_close), 1),
    "longer_bars_once_closed": (
        lambda b: sign(b.close - b.resample("4h").close), 1,
    ),
    "average_of_longer_bars": (
        lambda b: sign(b.close - daily_mean(b, 5)), 144,
    ),
    "volatility_scaled": (
        lambda b: np.clip(0.01 / ta.realised_volatility.on(b, period=48), 0, 1), 49,
    ),
    "everything_known_so_far": (
        lambda b: sign(b.close - np.cumsum(b.close) / np.arange(1, len(b) + 1)), 1,
    ),
    "weekday": (lambda b: sign(ta.day_of_week.on(b)), 1),
    "no_opinion_between_events": (
        lambda b: np.where(ta.rsi.on(b, period=14) < 30, 1.0, np.nan), 211,
    ),
    "long_until_told_otherwise": (long_until_told_otherwise, 211),
    "always_flat": (lambda b: np.zeros(len(b)), 1),
    "no_opinion_at_all": (lambda b: np.full(len(b), np.nan), 1),
}  # fmt: skip


@pytest.mark.parametrize("name", HONEST)
@pytest.mark.parametrize("seed", range(3))
def test_an_honest_strategy_is_left_alone(name, seed):
    rule, warm_up = HONEST[name]
    result = prove(strategy_of(rule, warm_up), {"AAA": specimen_bars(6_000, seed=seed)})
    assert result.ok, result.findings[0].words


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("name", strategy_names())
def test_every_built_in_passes(name, seed):
    cls = load_strategy(name)
    rows = 1_500 if issubclass(cls, EventStrategy) else 8_000
    histories = {"AAA": specimen_bars(rows, seed=seed)}
    if issubclass(cls, PortfolioStrategy):
        histories = {"spot": specimen_bars(rows, seed=9), "perp": specimen_bars(rows, seed=seed)}
    result = prove(cls, histories)
    assert result.ok, result.findings[0].words
    assert result.evaluations > 3


class TestWarmUp:
    def test_an_average_longer_than_declared(self):
        rule = lambda b: sign(b.close - ta.sma(b.close, period=50)) + 0 * ta.sma(b.close, period=50)  # noqa: E731
        found = prove(strategy_of(rule, warm_up=10), {"AAA": BARS}).findings
        assert found[0].kind is FindingKind.WARM_UP
        assert "10 bars but needs about 50" in found[0].words

    def test_the_same_with_zeros_for_missing_values(self):
        rule = lambda b: sign(b.close - ta.sma(b.close, period=100))  # noqa: E731
        found = prove(strategy_of(rule, warm_up=5), {"AAA": BARS}).findings
        assert found[0].kind is FindingKind.WARM_UP

    def test_an_opinion_before_the_declared_warm_up_is_not_heard(self):
        strategy = strategy_of(lambda b: np.ones(len(b)), warm_up=10)
        assert prove(strategy, {"AAA": BARS}).ok
        heard = evaluate(strategy, {"AAA": BARS}, params=strategy.Params())["AAA"]
        assert np.isnan(heard[:9]).all()
        assert (heard[9:] == 1).all()

    def test_exactly_enough_is_enough(self):
        rule = lambda b: np.sign(b.close - ta.sma(b.close, period=50))  # noqa: E731
        assert prove(strategy_of(rule, warm_up=50), {"AAA": BARS}).ok
        assert not prove(strategy_of(rule, warm_up=49), {"AAA": BARS}).ok


class TestPurity:
    def test_a_random_strategy(self):
        rng = np.random.default_rng()
        found = prove(
            strategy_of(lambda b: rng.choice([-1.0, 1.0], len(b))), {"AAA": BARS}
        ).findings
        assert found[0].kind is FindingKind.NOT_PURE

    def test_a_strategy_that_changes_its_bars(self):
        def rule(bars: Bars) -> FloatArray:
            bars.close[0] = 1.0
            return np.zeros(len(bars))

        with pytest.raises(InputError, match=r"changes the bars.*test_signal_proof.py, line"):
            prove(strategy_of(rule), {"AAA": BARS})

    def test_a_quick_target_that_is_another(self):
        class Quick(SignalStrategy):
            name = "quick"
            idea = "for a test"

            def target(self, bars, params):
                return np.zeros(len(bars))

            def target_e6(self, bars, params):
                return np.ones(len(bars), dtype=np.int32)

        assert prove(Quick, {"AAA": BARS}).findings[0].kind is FindingKind.NOT_PURE

    @pytest.mark.parametrize(
        ("rule", "words"),
        [
            (lambda b: np.zeros(3), "shape"),
            (lambda b: np.full(len(b), 2.0), "between -1 and 1"),
            (lambda b: np.full(len(b), -np.inf), "between -1 and 1"),
        ],
    )
    def test_a_target_that_is_none(self, rule, words):
        with pytest.raises(DataError, match=words):
            prove(strategy_of(rule), {"AAA": BARS})

    def test_a_failing_strategy_names_its_line(self):
        with pytest.raises(InputError, match=r"ZeroDivisionError.*line \d+"):
            prove(strategy_of(lambda b: np.zeros(1 // 0)), {"AAA": BARS})

    def test_no_bars(self):
        with pytest.raises(InputError, match="at least one bar"):
            prove(strategy_of(lambda b: b.close), {})


def test_a_few_bars_are_enough_to_be_asked():
    for rows in (1, 2, 3, 10):
        assert prove(load_strategy("ma_cross"), {"AAA": specimen_bars(rows)}).ok


class Leading(PortfolioStrategy):
    """Trades one instrument by the next bar of the other."""

    name = "leading"
    idea = "for a test"

    def targets(self, bars, params):
        own, other = bars["AAA"], bars["BBB"]
        return {
            "AAA": 0.5 * sign(ahead(other.close) - other.close),
            "BBB": np.zeros(len(own)),
        }


def test_a_leak_across_instruments_names_the_other():
    histories = {"AAA": BARS, "BBB": specimen_bars(6_000, seed=12)}
    found = prove(Leading, histories).findings[0]
    assert (found.instrument, found.column) == ("AAA", "close")
    assert "of BBB" in found.words

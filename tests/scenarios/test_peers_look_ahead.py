"""What other programs' look-ahead checks got wrong, each story once."""

import numpy as np
import pytest

from openalpha.strategy import FindingKind, SignalStrategy, prove
from openalpha.strategy import indicators as ta
from openalpha.strategy.indicators.rolling import lagged
from openalpha.strategy.signals import hold
from openalpha.strategy.specimen import specimen_bars


class Ruled(SignalStrategy):
    """A strategy of one rule, given by each story."""

    name = "ruled"
    idea = "for a test"

    def __init__(self, rule, warm_up):
        self.rule = rule
        self.warm_up = warm_up

    def warm_up_bars(self, params):
        return self.warm_up

    def target(self, bars, params):
        return self.rule(bars)


def cross(bars):
    return np.sign(ta.sma(bars.close, period=8) - ta.sma(bars.close, period=21))


def examined(rule, seed, warm_up=30):
    return prove(Ruled(rule, warm_up), {"AAA": specimen_bars(5_000, seed=seed)})


@pytest.mark.parametrize("seed", range(5))
def test_a_signal_one_candle_early_is_detected(seed):
    """A shift of one candle went undetected: https://github.com/freqtrade/freqtrade/issues/11346."""
    result = examined(lambda bars: np.append(cross(bars)[1:], 0.0), seed)
    assert result.findings[0].kind is FindingKind.LOOK_AHEAD
    assert result.findings[0].column == "close"
    assert "1 bar ahead" in result.findings[0].words


@pytest.mark.parametrize("bars_late", [1, 5, 48])
def test_a_delayed_entry_is_no_look_ahead(bars_late):
    """Late entries were accused: https://github.com/freqtrade/freqtrade/issues/12168."""
    assert examined(lambda bars: lagged(cross(bars), bars_late), 1, 30 + bars_late).ok


@pytest.mark.parametrize(
    "rule",
    [
        lambda bars: -np.sign(hold(bars.funding_rate)),
        lambda bars: np.nan_to_num(-np.sign(ta.funding_zscore.on(bars, settlements=9))),
        lambda bars: np.where(np.isnan(bars.funding_rate), np.nan, -np.sign(bars.funding_rate)),
    ],
)
def test_a_funding_column_is_no_look_ahead(rule):
    """Funding columns were accused: https://github.com/freqtrade/freqtrade/issues/10380."""
    assert examined(rule, 2, warm_up=100).ok


def test_funding_of_the_next_settlement_is():
    def rule(bars):
        following = hold(np.append(bars.funding_rate[1:], np.nan)[::-1])[::-1]
        return -np.sign(following)

    result = examined(rule, 2, warm_up=1)
    assert result.findings[0].column == "funding_rate"


def test_the_proof_itself_does_not_look_at_the_bar_it_decides_on_twice():
    """A significance test had a same-bar leak of its own (Jesse 3.0.2): the fill is a bar later.

    A target may use its own bar's close, because the earliest fill is in the next bar.
    """
    assert examined(lambda bars: np.sign(bars.close - bars.open), 3, warm_up=1).ok

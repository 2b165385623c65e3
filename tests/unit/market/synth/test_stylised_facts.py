"""Synthetic markets look like markets: tails, clustering, leverage, volume; and no free lunch.

Figures are means over many seeds, so that chance hardly moves them; bounds leave room for the rest.
"""

from functools import cache

import numpy as np
import pytest
from numpy.typing import NDArray

from openalpha.core.clock import HOUR_MS
from openalpha.market.history import History
from openalpha.market.synth import Edge, EdgeKind, SynthMarket, SynthSpec, synthesise

SEEDS = range(12)
YEARS = 3


@cache
def markets(edge: str = "", **flags: bool) -> list[SynthMarket]:
    spec = SynthSpec(
        spots=(),
        days=365 * YEARS,
        timeframe_ms=HOUR_MS,
        edge=Edge.parse(edge) if edge else None,
        **flags,  # type: ignore[arg-type]
    )
    return [synthesise(spec, seed=seed) for seed in SEEDS]


def returns_of(history: History) -> NDArray[np.float64]:
    close = history.column("close")
    return close[1:] / close[:-1] - 1


def all_returns() -> list[NDArray[np.float64]]:
    return [returns_of(history) for market in markets() for history in market.histories.values()]


def correlation(first: NDArray[np.float64], second: NDArray[np.float64]) -> float:
    return float(np.corrcoef(first, second)[0, 1])


def test_tails_are_fat() -> None:
    for step in (1, 24):
        kurtosis = []
        for returns in all_returns():
            longer = returns[: len(returns) // step * step].reshape(-1, step).sum(axis=1)
            longer = longer - longer.mean()
            kurtosis.append(np.mean(longer**4) / np.mean(longer**2) ** 2)
        assert np.median(kurtosis) > 5


def test_volatility_clusters_and_fades_slowly() -> None:
    sizes = [np.abs(returns) for returns in all_returns()]
    near, far = (
        np.mean([correlation(size[lag:], size[:-lag]) for size in sizes]) for lag in (1, 72)
    )
    assert near > 0.2
    assert 0.05 < far < near


def test_falls_raise_volatility_more_than_rises() -> None:
    effect = [
        correlation(returns[:-lag], returns[lag:] ** 2)
        for returns in all_returns()
        for lag in range(1, 13)
    ]
    assert np.mean(effect) < -0.01


def test_volume_goes_with_volatility() -> None:
    for market in markets():
        for history in market.histories.values():
            move = np.log(np.abs(returns_of(history)) + 1e-4)
            assert correlation(np.log(history.column("volume")[1:]), move) > 0.3


def test_the_week_has_its_pattern() -> None:
    by_hour = np.mean(
        [
            np.mean(np.abs(returns[23 : 23 + 24 * 1000].reshape(-1, 24)), axis=0)
            for returns in all_returns()
        ],
        axis=0,
    )
    assert by_hour[14] > 1.3 * by_hour[4]  # row 0 is the hour that opens at midnight


def test_bitcoin_and_ether_move_together() -> None:
    pairs = [[returns_of(part) for part in market.histories.values()] for market in markets()]
    assert 0.65 < np.mean([correlation(first, second) for first, second in pairs]) < 0.9


def test_returns_do_not_tell_the_next() -> None:
    for lag in (1, 2, 8, 24):
        found = [correlation(returns[lag:], returns[:-lag]) for returns in all_returns()]
        spread = np.std(found) / np.sqrt(len(found))
        assert abs(np.mean(found)) < 4 * spread


def test_the_spread_to_the_underlying_does_not_tell_the_next() -> None:
    for hours in (1, 8):
        found = []
        for market in markets():
            for history in market.histories.values():
                spread = history.column("close") / history.column("index_close") - 1
                ahead = np.convolve(returns_of(history), np.ones(hours), "valid")
                found.append(correlation(spread[: len(ahead)], ahead))
        assert abs(np.mean(found)) < 4 * np.std(found) / np.sqrt(len(found))


def net_of_funding(history: History) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return what one unit long earns over each bar from the open, and from close to open."""
    opening, close = history.column("open"), history.column("close")
    within = close / opening - 1
    across = np.append(0.0, opening[1:] / close[:-1] - 1)
    return within, across - np.nan_to_num(history.column("funding_rate"))


def test_price_is_a_martingale_net_of_funding() -> None:
    """Neither holding nor following the funding, the last move or the hour earns anything."""
    scores: dict[str, list[float]] = {"hold": [], "funding": [], "follow": [], "evening": []}
    for market in markets():
        for history in market.histories.values():
            within, across = net_of_funding(history)
            rates = history.column("funding_rate")
            last = np.repeat(rates[::8], 8)[: len(within)]
            rules = {
                "hold": np.ones(len(within)),
                "funding": np.append(0.0, -np.sign(last)[:-1]),
                "follow": np.append(0.0, np.sign(within)[:-1]),
                "evening": (np.arange(len(within)) % 24 >= 16).astype(float),
            }
            for name, held in rules.items():
                earned = held * within + np.append(0.0, held[:-1]) * across
                scores[name].append(float(earned.mean() / earned.std() * np.sqrt(len(earned))))
    for name, found in scores.items():
        # Two symbols of one market correlate: count markets, not histories.
        assert abs(np.mean(found)) < 3.5 / np.sqrt(len(SEEDS)), name


def test_the_price_repays_funding_at_the_stamp_only() -> None:
    history = next(iter(markets()[0].histories.values()))
    within, across = net_of_funding(history)
    tick = float(history.instrument.steps[0].tick_size) / history.column("close")
    assert np.all(np.abs(across[1:]) < 1.5 * tick[1:])
    assert np.all(within.std() > 100 * tick)


@pytest.mark.parametrize("kind", EdgeKind)
def test_planted_edges_pay_what_they_promise(kind: EdgeKind) -> None:
    """The reference rule, traded on the bars alone, earns the planted Sharpe after its cost."""
    found = []
    for market in markets(edge=f"{kind}:3"):
        for name, held in market.positions.items():
            assert market.net_sharpe[name] == pytest.approx(3.0, abs=1e-6)
            within, across = net_of_funding(market.histories[name])
            earned = held * within + np.append(0.0, held[:-1]) * across
            earned -= np.abs(np.diff(held, prepend=0.0)) * 6e-4
            daily = earned.reshape(-1, 24).sum(axis=1)
            found.append(daily.mean() / daily.std() * np.sqrt(365))
    # One market of three years knows its Sharpe to 0.58; its two symbols count as one.
    assert abs(np.mean(found) - 3.0) < 3 * 0.6 / np.sqrt(len(SEEDS))


def clustering(**flags: bool) -> float:
    spec = SynthSpec(perps=("BTCUSDT",), spots=(), days=730, timeframe_ms=HOUR_MS, **flags)  # type: ignore[arg-type]
    found = []
    for seed in range(6):
        (history,) = synthesise(spec, seed=seed).histories.values()
        size = np.abs(returns_of(history))
        found.append(correlation(size[24:], size[:-24]))
    return float(np.mean(found))


def test_each_family_of_volatility_clusters_alone() -> None:
    families = ("has_garch", "has_stochastic_volatility", "has_regimes")
    nothing = clustering(**dict.fromkeys(families, False))
    for family in families:
        alone = clustering(**{name: name == family for name in families})
        assert alone > nothing + 0.03, family

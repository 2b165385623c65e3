"""A synthetic market is well formed, labelled, and the same every time."""

import platform
from itertools import pairwise

import numpy as np
import pytest

from openalpha.core.clock import HOUR_MS, MINUTE_MS, parse_ms
from openalpha.core.errors import InputError
from openalpha.core.units import to_units
from openalpha.market.history import History
from openalpha.market.synth import PRESETS, Edge, EdgeKind, SynthMarket, SynthSpec, synthesise

PERP, SPOT, OTHER = (
    "synthetic_linear:BTCUSDT",
    "synthetic_spot:BTCUSDT",
    "synthetic_linear:ETHUSDT",
)
RECORDED_BAR = [427345, 427603, 427345, 427603, 57423]
MARKET = synthesise(SynthSpec(days=20), seed=3)


def of(market: SynthMarket, name: str) -> History:
    return {str(key): value for key, value in market.histories.items()}[name]


@pytest.mark.parametrize("name", [PERP, SPOT, OTHER])
def test_bars_are_whole_and_on_their_grids(name: str) -> None:
    history = of(MARKET, name)
    opening, high, low, close, volume = history.bars.T
    assert len(history) == 20 * 1440
    assert np.all(np.diff(history.ts_ms) == MINUTE_MS)
    assert history.ts_ms[0] == parse_ms("2023-01-01")
    assert np.all(low <= np.minimum(opening, close))
    assert np.all(high >= np.maximum(opening, close))
    assert np.all(low > 0)
    rule = history.instrument.steps[0]
    tick = to_units(rule.tick_size, history.instrument.price_decimals)
    lot = to_units(rule.lot_size, history.instrument.qty_decimals)
    assert np.all(history.bars[:, :4] % tick == 0)
    assert np.all(volume % lot == 0)
    assert np.all(volume > 0)
    assert np.all(history.bars < 2**53)


def test_perpetuals_carry_funding_mark_and_index() -> None:
    history = of(MARKET, PERP)
    assert len(history.funding_ts_ms) == 60
    assert np.all(history.funding_ts_ms % (8 * HOUR_MS) == 0)
    assert history.funding_gaps == ()
    for name in ("mark", "index"):
        prices = getattr(history, name)
        assert np.all(prices[:, 1] >= prices[:, [0, 3]].max(axis=1))
        assert np.all(prices[:, 2] <= prices[:, [0, 3]].min(axis=1))
        away_bps = (prices[:, 3] / history.bars[:, 3] - 1) * 1e4
        assert 0.1 < np.std(away_bps) < 10
    spot = of(MARKET, SPOT)
    assert spot.mark is None
    assert spot.instrument.funding_interval_ms is None


def test_everything_says_that_it_is_synthetic() -> None:
    for name, history in MARKET.histories.items():
        assert name.startswith("synthetic_")
        assert history.notes[0].startswith("SYNTHETIC")
        assert "SYNTHETIC" in history.instrument.source


def test_tier_deductions_keep_the_margin_continuous() -> None:
    tiers = of(MARKET, PERP).instrument.tiers
    for below, above in pairwise(tiers):
        edge = below.limit_notional
        assert (
            edge * below.maintenance_rate - below.deduction
            == edge * above.maintenance_rate - above.deduction
        )


def test_same_seed_same_bytes_other_seed_other_bytes() -> None:
    spec = SynthSpec(days=2)
    first, again, other = (synthesise(spec, seed=seed) for seed in (5, 5, 6))
    for name, history in first.histories.items():
        assert history.fingerprint == again.histories[name].fingerprint
        assert history.fingerprint != other.histories[name].fingerprint


@pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="recorded on x86-64")
def test_bytes_are_those_recorded() -> None:
    """Numbers in manuals and reports hang on these; a change is made on purpose or not at all."""
    history = of(synthesise(SynthSpec(days=2), seed=5), PERP)
    assert history.bars[-1].tolist() == RECORDED_BAR


def test_adding_a_symbol_leaves_the_others_as_they_were() -> None:
    few = synthesise(SynthSpec(perps=("BTCUSDT",), spots=(), days=2), seed=5)
    many = synthesise(SynthSpec(perps=("BTCUSDT", "SOLUSDT", "NEWUSDT"), days=2), seed=5)
    assert of(few, PERP).fingerprint == of(many, PERP).fingerprint


@pytest.mark.parametrize(("timeframe", "bars"), [("5m", 288), ("1h", 24), ("4h", 6), ("1d", 1)])
def test_time_frames(timeframe: str, bars: int) -> None:
    number = {"5m": 5 * MINUTE_MS, "1h": HOUR_MS, "4h": 4 * HOUR_MS, "1d": 24 * HOUR_MS}[timeframe]
    market = synthesise(
        SynthSpec(days=40, timeframe_ms=number, edge=Edge(EdgeKind.MOMENTUM, 2.0)), seed=1
    )
    history = of(market, PERP)
    assert len(history) == 40 * bars
    assert history.mark is not None
    assert len(history.mark) == len(history)
    assert [len(part) for part in market.positions.values()] == [40 * bars] * 2
    day_range = np.ptp(history.column("close")[-7 * bars :]) / history.column("close")[-1]
    assert 0.005 < day_range < 0.5


def test_presets_are_what_they_say() -> None:
    assert PRESETS["demo"].days == 730
    assert PRESETS["demo"].timeframe_ms == MINUTE_MS
    assert PRESETS["demo"].edge is None


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"days": 0}, "days"),
        ({"start_ms": 1}, "midnight"),
        ({"perps": (), "spots": ()}, "at least one symbol"),
        ({"perps": ("BTCUSDT", "BTCUSDT")}, "named twice"),
        ({"timeframe_ms": 7 * MINUTE_MS}, "time frame"),
        ({"perps": ("BTCUSDT",), "edge": Edge(EdgeKind.LEAD_LAG, 1.0)}, "lead_lag needs two"),
        ({"perps": (), "edge": Edge(EdgeKind.MOMENTUM, 1.0)}, "perpetuals"),
    ],
)
def test_a_market_that_cannot_be_made_is_refused(change: dict[str, object], words: str) -> None:
    with pytest.raises(InputError, match=words):
        SynthSpec(**change)  # type: ignore[arg-type]


@pytest.mark.parametrize("text", ["momentum", "magic:2", "momentum:x", "momentum:0", "momentum:99"])
def test_an_edge_that_makes_no_sense_is_refused(text: str) -> None:
    with pytest.raises(InputError, match=r"edge|Sharpe"):
        Edge.parse(text)


def test_an_edge_in_a_market_too_short_is_refused() -> None:
    with pytest.raises(InputError, match="30 days"):
        synthesise(SynthSpec(days=5, edge=Edge(EdgeKind.MOMENTUM, 1.0)), seed=0)

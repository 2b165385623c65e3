"""Puts a synthetic market together: shared shocks, each symbol's path, funding, mark and index."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import partial
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from openalpha.core.clock import DAY_MS, HOUR_MS, MINUTE_MS
from openalpha.core.instruments import Instrument, InstrumentId, Kind, RiskTier, StepRule
from openalpha.core.instruments import instrument_id as id_of
from openalpha.core.units import decimals_of, to_units
from openalpha.market.catalogue import inferred_instrument
from openalpha.market.history import History
from openalpha.market.synth import prices
from openalpha.market.synth.edges import Planted, plant
from openalpha.market.synth.funding import INTERVAL_HOURS, basis_of, funding_rates
from openalpha.market.synth.prices import Path, Shape
from openalpha.market.synth.spec import EdgeKind, SynthSpec, traits_of
from openalpha.market.synth.streams import mixing, normals
from openalpha.market.synth.volatility import HOURS_A_YEAR, common_factor, garch_factor, pattern

__all__ = ["LINEAR_MARKET", "SPOT_MARKET", "SynthMarket", "synthesise"]

LINEAR_MARKET = "synthetic_linear"
SPOT_MARKET = "synthetic_spot"


@dataclass(frozen=True, slots=True)
class SynthMarket:
    """A synthetic market and its truth.

    Parameters
    ----------
    histories : mapping of InstrumentId to History
    positions : mapping of InstrumentId to float64[n_bars]
        With a planted edge: what the reference rule holds through each bar, decided before it.
    net_sharpe : mapping of InstrumentId to float
        The planted net annual Sharpe of that rule.
    """

    spec: SynthSpec
    seed: int
    histories: Mapping[InstrumentId, History]
    positions: Mapping[InstrumentId, NDArray[np.float64]]
    net_sharpe: Mapping[InstrumentId, float]


@dataclass(frozen=True, slots=True)
class _Common:
    """What all symbols of a market share."""

    spec: SynthSpec
    seed: int
    shape: Shape
    steps: NDArray[np.float64]
    tails: NDArray[np.float64]
    factor: NDArray[np.float64]
    week: NDArray[np.float64]

    @property
    def merge(self) -> int:
        """Generated bars to one bar of the market."""
        return max(1, self.spec.timeframe_ms // HOUR_MS)


@dataclass(frozen=True, slots=True)
class _Underlying:
    """One symbol before it is cut into instruments."""

    path: Path
    sigma: NDArray[np.float64]
    rates: NDArray[np.float64]
    planted: Planted | None


def synthesise(spec: SynthSpec, seed: int) -> SynthMarket:
    """Make a synthetic market; the same spec and seed give the same bytes on every machine.

    Parameters
    ----------
    spec : SynthSpec
    seed : int
        0 or more.

    Returns
    -------
    SynthMarket
        Perpetuals carry funding, mark and index; every history's notes begin with SYNTHETIC.

    Examples
    --------
    >>> market = synthesise(SynthSpec(days=1), seed=7)
    >>> sorted(market.histories)
    ['synthetic_linear:BTCUSDT', 'synthetic_linear:ETHUSDT', 'synthetic_spot:BTCUSDT']
    >>> len(market.histories["synthetic_linear:BTCUSDT"])
    1440
    """
    assert seed >= 0
    common = _common(spec, seed)
    leader: NDArray[np.float64] | None = None
    histories: dict[InstrumentId, History] = {}
    positions: dict[InstrumentId, NDArray[np.float64]] = {}
    sharpe: dict[InstrumentId, float] = {}
    for symbol in dict.fromkeys((*spec.perps, *spec.spots)):
        shocks = _symbol_shocks(common, symbol)
        hourly = shocks.reshape(common.shape.n_hours, -1).sum(axis=1)
        hourly /= common.shape.steps_an_hour**0.5
        underlying = _underlying(common, symbol, shocks=shocks, hourly=hourly, leader=leader)
        leader = hourly if leader is None else leader
        for history in _cut(common, symbol, underlying):
            histories[history.instrument.id] = history
        if underlying.planted is not None:
            name = id_of(LINEAR_MARKET, symbol)
            positions[name] = _bar_positions(common, underlying.planted)
            sharpe[name] = underlying.planted.net_sharpe
    return SynthMarket(
        spec,
        seed,
        MappingProxyType(histories),
        MappingProxyType(positions),
        MappingProxyType(sharpe),
    )


def _common(spec: SynthSpec, seed: int) -> _Common:
    bar_ms = min(spec.timeframe_ms, HOUR_MS)
    shape = Shape(spec.days * 24, HOUR_MS // bar_ms, 6 if bar_ms == MINUTE_MS else 12)
    return _Common(
        spec,
        seed,
        shape,
        normals(seed, "common", "path", shape=(shape.n_bars, shape.steps_a_bar)),
        normals(seed, "common", "tails", shape=(shape.n_bars, 3)),
        common_factor(spec, seed, n_hours=shape.n_hours),
        pattern(spec.start_ms, shape.n_hours),
    )


def _symbol_shocks(common: _Common, symbol: str) -> NDArray[np.float64]:
    """Return unit-variance Student-t steps, correlated with the other symbols'."""
    share = traits_of(_base(symbol)).common_share
    shape = common.shape
    steps = normals(common.seed, symbol, "path", shape=(shape.n_bars, shape.steps_a_bar))
    steps *= (1 - share * share) ** 0.5
    steps += share * common.steps
    own = normals(common.seed, symbol, "tails", shape=(shape.n_bars, 2))
    steps *= mixing(common.tails, own)[:, None]
    return steps


def _underlying(
    common: _Common,
    symbol: str,
    *,
    shocks: NDArray[np.float64],
    hourly: NDArray[np.float64],
    leader: NDArray[np.float64] | None,
) -> _Underlying:
    spec, n_hours = common.spec, common.shape.n_hours
    traits = traits_of(_base(symbol))
    sigma = common.factor * common.week * (traits.annual_volatility / HOURS_A_YEAR**0.5)
    if spec.has_garch:
        sigma = sigma * garch_factor(hourly)
    rates, planted = np.zeros(-(-n_hours // INTERVAL_HOURS)), None
    if symbol in spec.perps:
        rates = funding_rates(spec, common.seed, symbol=symbol, shocks=hourly)
        if spec.edge is not None and (leader is not None or spec.edge.kind != EdgeKind.LEAD_LAG):
            planted = plant(
                spec.edge,
                shocks=hourly,
                leader=leader,
                sigma=sigma,
                rates=rates,
                bar_hours=common.merge,
            )
    gaps = np.zeros(n_hours)
    gaps[::INTERVAL_HOURS] = rates * (planted.repaid if planted else 1.0)
    gaps[0] = 0.0
    drift = planted.drift if planted else np.zeros(n_hours)
    path = prices.path_of(
        shocks, common.shape, price=traits.price, sigma=sigma, drift=drift, gaps=gaps
    )
    return _Underlying(path, sigma, rates, planted)


def _cut(common: _Common, symbol: str, underlying: _Underlying) -> list[History]:
    """Return the histories of the symbol's perpetual and spot, as asked for."""
    spec, shape = common.spec, common.shape
    if symbol not in spec.perps:
        return [_history(common, SPOT_MARKET, symbol, underlying.path, sigma=underlying.sigma)]
    settled, fading = basis_of(underlying.rates, shape.n_hours, seed=common.seed, symbol=symbol)
    spot = prices.shifted(underlying.path, _by_bar(shape, settled + fading))
    mark = prices.shifted(underlying.path, _by_bar(shape, fading))
    perp = _history(
        common,
        LINEAR_MARKET,
        symbol,
        underlying.path,
        sigma=underlying.sigma,
        beside=(prices.calmed(mark), prices.calmed(spot)),
        rates=underlying.rates,
    )
    if symbol not in spec.spots:
        return [perp]
    return [perp, _history(common, SPOT_MARKET, symbol, spot, sigma=underlying.sigma)]


def _history(
    common: _Common,
    market: str,
    symbol: str,
    path: Path,
    *,
    sigma: NDArray[np.float64],
    beside: tuple[Path, Path] | None = None,
    rates: NDArray[np.float64] | None = None,
) -> History:
    spec, traits, merge = common.spec, traits_of(_base(symbol)), common.merge
    instrument = _instrument(market, symbol)
    path = prices.merged(path, merge)
    ticked = partial(
        prices.on_ticks,
        tick_size=float(traits.tick_size),
        tick_units=to_units(traits.tick_size, instrument.price_decimals),
    )
    bars = np.empty((len(path.open), 5), dtype=np.int64)
    bars[:, :4] = ticked(path)
    lots = prices.volumes(
        path,
        normals(common.seed, market, symbol, "volume", shape=(len(path.open),)),
        sigma=_bar_sigma(common, sigma),
        bar_turnover=traits.day_turnover * spec.timeframe_ms / DAY_MS,
        lot_size=float(traits.lot_size),
    )
    bars[:, 4] = lots * to_units(traits.lot_size, instrument.qty_decimals)
    stamps = np.arange(len(bars), dtype=np.int64) * spec.timeframe_ms + spec.start_ms
    funding_ms = np.arange(0 if rates is None else len(rates), dtype=np.int64)
    rates_e12 = np.rint((np.empty(0) if rates is None else rates) * 1e8).astype(np.int64) * 10_000
    mark, index = (
        None if walked is None else ticked(prices.merged(walked, merge))
        for walked in beside or (None, None)
    )
    return History.of(
        instrument,
        spec.timeframe_ms,
        ts_ms=stamps,
        bars=bars,
        mark=mark,
        index=index,
        funding=(funding_ms * (INTERVAL_HOURS * HOUR_MS) + spec.start_ms, rates_e12),
        notes=(f"SYNTHETIC: made by the generator with seed {common.seed}, not market data",),
    )


def _by_bar(shape: Shape, hourly: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return values at each bar's beginning (and the end) on straight lines between the hours."""
    at = np.arange(shape.n_bars + 1) / shape.bars_an_hour
    return np.interp(at, np.arange(shape.n_hours + 1), hourly)


def _bar_sigma(common: _Common, sigma: NDArray[np.float64]) -> NDArray[np.float64]:
    if common.merge > 1:
        variance: NDArray[np.float64] = (sigma * sigma).reshape(-1, common.merge).sum(axis=1)
        return np.sqrt(variance)
    return np.repeat(sigma / common.shape.bars_an_hour**0.5, common.shape.bars_an_hour)


def _bar_positions(common: _Common, planted: Planted) -> NDArray[np.float64]:
    if common.merge > 1:
        return planted.positions[:: common.merge].copy()
    return np.repeat(planted.positions, common.shape.bars_an_hour)


def _base(symbol: str) -> str:
    return inferred_instrument(id_of(SPOT_MARKET, symbol), price_decimals=0, qty_decimals=0).base


def _instrument(market: str, symbol: str) -> Instrument:
    traits = traits_of(_base(symbol))
    plain = inferred_instrument(
        id_of(market, symbol),
        price_decimals=decimals_of(traits.tick_size),
        qty_decimals=decimals_of(traits.lot_size),
    )
    is_spot = plain.kind is Kind.SPOT
    return replace(
        plain,
        steps=(StepRule(0, traits.tick_size, traits.lot_size),),
        min_qty=traits.lot_size,
        min_notional=Decimal(5),
        max_leverage=Decimal(1) if is_spot else _TIERS[0].max_leverage,
        tiers=() if is_spot else _TIERS,
        source="SYNTHETIC: rules of the generator",
    )


def _tier(limit: int, maintenance: str, leverage: str, deduction: int) -> RiskTier:
    largest = Decimal(leverage)
    return RiskTier(Decimal(limit), Decimal(maintenance), 1 / largest, largest, Decimal(deduction))


# The deduction keeps the margin continuous: limit × (rate above − rate below), summed.
_TIERS = (
    _tier(2_000_000, "0.005", "100", 0),
    _tier(10_000_000, "0.01", "50", 10_000),
    _tier(50_000_000, "0.02", "25", 110_000),
    _tier(200_000_000, "0.05", "10", 1_610_000),
)

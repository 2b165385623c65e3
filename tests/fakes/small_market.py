"""Markets small enough to work out by hand, and runs of targets on them as plain tuples."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

import numpy as np

from openalpha.core.clock import DAY_MS, HOUR_MS
from openalpha.core.instruments import Instrument, Kind, StepRule, instrument_id
from openalpha.core.orders import OrderStatus
from openalpha.core.reasons import Reason
from openalpha.core.units import from_units
from openalpha.engine.run import EngineRun, VenueSettings
from openalpha.engine.signals import EngineSettings, run_signals
from openalpha.market.history import History
from openalpha.risk.settings import RiskSettings, SizingSettings
from openalpha.strategy.params import Exits
from openalpha.venue.kernel import layout as at
from openalpha.venue.settings import CostSettings, FillSettings, MarginSettings

START_MS = 19_700 * DAY_MS
"""Midnight of 2023-12-09, UTC."""

NONE = None
"""A target that says nothing."""

Row = float | tuple[float, float, float, float, float]


def linear(symbol: str = "BTCUSDT", **rules: Any) -> Instrument:
    """A linear perpetual with tick 0.1 and lot 0.001, no minimums unless given."""
    terms: dict[str, Any] = {
        "price_decimals": 1,
        "qty_decimals": 3,
        "steps": (StepRule(0, Decimal("0.1"), Decimal("0.001")),),
        "max_leverage": Decimal(100),
    }
    return Instrument(
        id=instrument_id("bybit_linear", symbol),
        kind=Kind.LINEAR,
        base=symbol.removesuffix("USDT"),
        quote="USDT",
        settle="USDT",
        **terms | rules,
    )


def spot(symbol: str = "BTCUSDT", **rules: Any) -> Instrument:
    """A spot market of the same steps."""
    terms: dict[str, Any] = {
        "price_decimals": 1,
        "qty_decimals": 3,
        "steps": (StepRule(0, Decimal("0.1"), Decimal("0.001")),),
    }
    return Instrument(
        id=instrument_id("bybit_spot", symbol),
        kind=Kind.SPOT,
        base=symbol.removesuffix("USDT"),
        quote="USDT",
        settle="USDT",
        **terms | rules,
    )


def inverse(**rules: Any) -> Instrument:
    """BTCUSD: contracts of one dollar, settled in BTC."""
    terms: dict[str, Any] = {
        "price_decimals": 1,
        "qty_decimals": 0,
        "steps": (StepRule(0, Decimal("0.5"), Decimal(1)),),
        "max_leverage": Decimal(100),
    }
    return Instrument(
        id=instrument_id("bybit_inverse", "BTCUSD"),
        kind=Kind.INVERSE,
        base="BTC",
        quote="USD",
        settle="BTC",
        **terms | rules,
    )


def market(
    rows: Sequence[Row],
    *,
    instrument: Instrument | None = None,
    at_bars: Sequence[int] | None = None,
    start_ms: int = START_MS,
    timeframe_ms: int = HOUR_MS,
    funding: Mapping[int, str] | None = None,
) -> History:
    """Hourly bars: a number is a flat bar of volume 1,000, five are open, high, low, close, volume.

    `at_bars` puts the rows on other bars than 0, 1, 2 …; `funding` maps a bar to the rate settled
    at its open.
    """
    traded = linear() if instrument is None else instrument
    scale = [10**traded.price_decimals] * 4 + [10**traded.qty_decimals]
    wide = [row if isinstance(row, tuple) else (row, row, row, row, 1000) for row in rows]
    units = [[round(value * by) for value, by in zip(row, scale, strict=True)] for row in wide]
    where = range(len(rows)) if at_bars is None else at_bars
    rates = {start_ms + bar * timeframe_ms: rate for bar, rate in (funding or {}).items()}
    return History.of(
        traded,
        timeframe_ms,
        ts_ms=np.array([start_ms + bar * timeframe_ms for bar in where], dtype=np.int64),
        bars=np.array(units, dtype=np.int64),
        funding=(
            np.array(list(rates), dtype=np.int64),
            np.array([int(Decimal(rate) * 10**12) for rate in rates.values()], dtype=np.int64),
        ),
    )


def settings(**groups: Mapping[str, Any]) -> EngineSettings:
    """Settings by group; costs are off unless named, numbers may be written as texts."""
    costs = {"preset": "none"} | dict(groups.get("costs", {}))
    return EngineSettings(
        VenueSettings(
            costs=CostSettings(**_exact(costs)),
            margin=MarginSettings(**_exact(groups.get("margin", {}))),
            fills=FillSettings(**groups.get("fills", {})),
        ),
        sizing=SizingSettings(**_exact(groups.get("sizing", {}))),
        risk=RiskSettings(**_exact(groups.get("risk", {}))),
    )


def _exact(group: Mapping[str, Any]) -> dict[str, Any]:
    whole = {"latency_ms", "lookback_days", "max_trades_per_day", "funding"}
    words = {"preset", "tier", "kind", "rebalance", "profile", "mode", "position_mode"}
    return {k: v if k in whole | words else Decimal(str(v)) for k, v in group.items()}


def targets_e6(*wanted: float | None) -> np.ndarray:
    """Targets in millionths; None says nothing."""
    return np.array([-(2**31) if t is None else round(t * 1e6) for t in wanted], dtype=np.int32)


def run_targets(
    histories: History | Sequence[History],
    wanted: Sequence[float | None] | Sequence[Sequence[float | None]],
    *,
    capital: str = "10000",
    exits: Exits | None = None,
    given: EngineSettings | None = None,
    skip: bool = True,
    **groups: Mapping[str, Any],
) -> EngineRun:
    """Run targets (one list an instrument) on histories, costs off unless named."""
    if isinstance(histories, History):
        histories, wanted = [histories], [wanted]
    return run_signals(
        histories,
        [targets_e6(*one) for one in wanted],
        capital=Decimal(capital),
        settings=settings(**groups) if given is None else given,
        exits=Exits() if exits is None else exits,
        skip=skip,
    )


def fills_of(run: EngineRun, number: int = 0) -> list[tuple[float, str, str]]:
    """Fills of one instrument as (hours since the start, signed quantity, price)."""
    return [
        (
            (fill.ts_ms - int(run.ts_ms[0])) / run.timeframe_ms,
            f"{plain(fill.qty * fill.side):+f}",
            f"{plain(fill.price):f}",
        )
        for fill in run.fills.messages()
        if fill.instrument == run.fills.units.instruments[number].id
    ]


def plain(value: Decimal) -> Decimal:
    """A decimal without trailing zeros or exponent."""
    return value.quantize(Decimal(1)) if value == value.to_integral_value() else value.normalize()


def ended(run: EngineRun) -> list[tuple[str, str, float]]:
    """Ended orders as (status, reason, filled share)."""
    return [
        (
            OrderStatus(row[at.D_STATUS]).name,
            Reason(row[at.D_REASON]).name,
            row[at.D_FILLED] / row[at.D_QTY] if row[at.D_QTY] else 0.0,
        )
        for row in run.orders.rows.tolist()
    ]


def effects_of(run: EngineRun, kind: int) -> list[tuple[float, str]]:
    """Effects of one kind as (hours since the start, amount)."""
    return [
        ((e.ts_ms - int(run.ts_ms[0])) / run.timeframe_ms, f"{plain(e.amount):f}")
        for e in run.effects.messages()
        if e.kind == kind
    ]


def journal_of(run: EngineRun, number: int = 0) -> list[str]:
    """The decisions of one instrument by name."""
    assert run.journal is not None
    return [Reason(code).name for code in run.journal[:, number].tolist()]


def same_bytes(one: EngineRun, other: EngineRun) -> bool:
    """Whether two runs agree in every fill, effect, order, decision and bit of equity."""
    pairs = [
        (one.fills.rows, other.fills.rows),
        (one.effects.rows, other.effects.rows),
        (one.orders.rows, other.orders.rows),
        (one.equity, other.equity),
        (one.journal, other.journal),
    ]
    return one.final_equity == other.final_equity and all(
        a is not None and b is not None and a.tobytes() == b.tobytes() for a, b in pairs
    )


def total(run: EngineRun, coin: int = 0) -> Decimal:
    """Capital and effects of a coin, exactly."""
    start = run.capital if coin == 0 else Decimal(0)
    return start + from_units(
        int(run.effects.rows[run.effects.rows[:, at.E_COIN] == coin, at.E_AMOUNT].sum()),
        run.fills.units.coin_decimals[coin],
    )

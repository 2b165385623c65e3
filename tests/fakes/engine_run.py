"""A seeded stand-in for the engine's result: random trades on a random market that add up."""

from dataclasses import dataclass, field
from decimal import Decimal
from functools import cached_property
from typing import Any

import numpy as np
import polars as pl

from openalpha.core.instruments import Instrument, Kind, StepRule, instrument_id
from openalpha.core.messages import EffectKind
from openalpha.core.reasons import Reason
from openalpha.market.history import History

HOUR_MS = 3_600_000
START_MS = 1_704_067_200_000  # 2024-01-01
FEE = 0.00055
SPREAD = 0.0001
IMPACT = 0.00005

FILL_SCHEMA: dict[str, Any] = (
    dict.fromkeys(("seq", "ts_ms", "order_id", "side", "leg", "role", "reason"), pl.Int64)
    | dict.fromkeys(
        (
            "price",
            "qty",
            "notional",
            "fee",
            "realised_pnl",
            "base_price",
            "spread_cost",
            "impact_cost",
        ),
        pl.Float64,
    )
    | {"instrument": pl.String, "fee_coin": pl.String, "is_reducing": pl.Boolean}
)
EFFECT_SCHEMA: dict[str, Any] = dict.fromkeys(("seq", "ts_ms", "kind", "fill_seq"), pl.Int64) | {
    "coin": pl.String, "amount": pl.Float64, "instrument": pl.String,
}  # fmt: skip
ORDER_SCHEMA: dict[str, Any] = dict.fromkeys(
    ("id", "created_ts_ms", "ended_ts_ms", "status", "reason"), pl.Int64
) | {"instrument": pl.String, "qty": pl.Float64, "filled": pl.Float64}


@dataclass(frozen=True)
class FakeTable:
    """A table of the fake run."""

    frame: pl.DataFrame

    def __len__(self) -> int:
        return len(self.frame)

    def to_frame(self) -> pl.DataFrame:
        return self.frame


@dataclass(frozen=True)
class FakeRun:
    """Has the shape of the engine's result."""

    ts_ms: np.ndarray
    timeframe_ms: int
    equity: np.ndarray
    exposure: np.ndarray
    fills: FakeTable
    effects: FakeTable
    orders: FakeTable
    history: History
    capital: Decimal = Decimal(10_000)
    account_currency: str = "USDT"
    position: np.ndarray | None = None
    journal: np.ndarray | None = None
    slow_bars: int = 0
    notes: tuple[str, ...] = ()
    balances: dict[str, Decimal] = field(default_factory=dict)

    @cached_property
    def closes(self) -> tuple[np.ndarray, ...]:
        return (np.ascontiguousarray(self.history.bars[:, 3]),)

    @property
    def final_equity(self) -> Decimal:
        return Decimal(repr(float(self.equity[-1])))


def perp(symbol: str = "BTCUSDT", *, lot: str = "0.001") -> Instrument:
    """Return a linear perpetual."""
    return Instrument(
        instrument_id("bybit_linear", symbol), Kind.LINEAR, symbol[:3], "USDT", "USDT", 1, 3,
        (StepRule(0, Decimal("0.1"), Decimal(lot)),), funding_interval_ms=8 * HOUR_MS,
    )  # fmt: skip


def market(
    bars: int, *, seed: int = 1, timeframe_ms: int = HOUR_MS, drift: float = 0.0
) -> tuple[History, np.ndarray]:
    """Return a random market and its float bars (open, high, low, close, volume)."""
    rng = np.random.default_rng(seed)
    scale = 0.006 * np.sqrt(timeframe_ms / HOUR_MS)
    steps = rng.standard_t(4, bars) * scale * 0.7 + drift
    close = np.round(40_000 * np.exp(np.cumsum(steps)), 1)
    opens = np.append(40_000.0, close[:-1])
    reach = np.abs(rng.normal(0, scale * 0.5, (2, bars)))
    high = np.round(np.maximum(opens, close) * (1 + reach[0]), 1)
    low = np.round(np.minimum(opens, close) * (1 - reach[1]), 1)
    low = np.maximum(low, 0.1)
    volume = np.round(rng.lognormal(4, 1, bars), 3)
    table = np.column_stack((opens, high, low, close, volume))
    units = np.rint(table * [10, 10, 10, 10, 1000]).astype(np.int64)
    ts_ms = START_MS + np.arange(bars) * timeframe_ms
    settled = np.arange(ts_ms[0], ts_ms[-1], 8 * HOUR_MS)
    rates = rng.normal(1e8, 2e8, len(settled)).astype(np.int64)
    history = History.of(perp(), timeframe_ms, ts_ms=ts_ms, bars=units, funding=(settled, rates))
    return history, table


def fake_run(
    bars: int = 2_000, *, changes: int = 60, seed: int = 1, timeframe_ms: int = HOUR_MS,
    drift: float = 0.0, notional: float = 5_000.0, costs: bool = True,
) -> FakeRun:  # fmt: skip
    """Trade at random: at `changes` bars the position becomes long, short or flat."""
    history, table = market(bars, seed=seed, timeframe_ms=timeframe_ms, drift=drift)
    rng = np.random.default_rng(seed + 1)
    at = np.sort(rng.choice(np.arange(1, bars), size=min(changes, bars - 1), replace=False))
    rows: list[dict[str, Any]] = []
    position, average = 0.0, 0.0
    held = np.zeros(bars)
    cash = np.zeros(bars)
    for bar in at:
        target = float(rng.integers(-1, 2))
        base = float(table[bar, 0])
        wanted = np.sign(target) * round(notional / base, 3)
        if np.sign(wanted) == np.sign(position):
            continue
        for change in (-position, wanted):
            if change == 0:
                continue
            side = 1 if change > 0 else -1
            price = base * (1 + side * (SPREAD + IMPACT) * costs)
            realised = position * (price - average) if change == -position else 0.0
            fee = abs(change) * price * FEE * costs
            rows.append(_fill(rows, bar, history, side, price, change, fee, realised, base, costs))
            cash[bar] += realised - fee
            position, average = (0.0, 0.0) if change == -position else (change, price)
        held[bar] = 1
        held[bar] = position
    changed = np.zeros(bars, bool)
    changed[[(row["ts_ms"] - START_MS) // timeframe_ms for row in rows]] = True
    which = np.maximum.accumulate(np.where(changed, np.arange(bars), 0))
    position_at = held[which]
    entry = np.zeros(bars)
    for row in rows:
        entry[(row["ts_ms"] - START_MS) // timeframe_ms] = row["price"]
    open_pnl = position_at * (table[:, 3] - entry[which])
    effects, funding = _funding(history, position_at, table[:, 0], costs)
    equity = 10_000 + np.cumsum(cash + funding) + open_pnl
    gross = np.abs(position_at) * table[:, 3]
    return FakeRun(
        history.ts_ms, timeframe_ms, equity,
        np.divide(gross, equity, out=np.zeros(bars), where=equity > 0),
        FakeTable(pl.DataFrame(rows, schema=FILL_SCHEMA)),
        FakeTable(pl.DataFrame(effects, schema=EFFECT_SCHEMA)),
        FakeTable(pl.DataFrame([], schema=ORDER_SCHEMA)), history,
    )  # fmt: skip


def _fill(
    rows: list[Any], bar: int, history: History, side: int, price: float, change: float,
    fee: float, realised: float, base: float, costs: bool,
) -> dict[str, Any]:  # fmt: skip
    qty = abs(change)
    return {
        "seq": len(rows), "ts_ms": int(history.ts_ms[bar]), "order_id": len(rows), "side": side,
        "leg": 0, "role": 1, "reason": int(Reason.MARKET), "price": price, "qty": qty,
        "notional": qty * price, "fee": fee, "realised_pnl": realised, "base_price": base,
        "spread_cost": qty * base * SPREAD * costs, "impact_cost": qty * base * IMPACT * costs,
        "instrument": str(history.instrument.id), "fee_coin": "USDT", "is_reducing": realised != 0,
    }  # fmt: skip


def _funding(
    history: History, position: np.ndarray, opens: np.ndarray, costs: bool
) -> tuple[list[dict[str, Any]], np.ndarray]:
    paid = np.zeros(len(history))
    rows: list[dict[str, Any]] = []
    at = np.searchsorted(history.ts_ms, history.funding_ts_ms, side="right") - 1
    for bar, ts_ms, rate in zip(at, history.funding_ts_ms, history.funding_rate_e12, strict=True):
        into = position[bar - 1] if bar else 0.0
        amount = -into * opens[bar] * rate / 1e12 * costs
        if amount:
            paid[bar] += amount
            rows.append({
                "seq": len(rows), "ts_ms": int(ts_ms), "kind": int(EffectKind.FUNDING),
                "fill_seq": None, "coin": "USDT", "amount": amount,
                "instrument": str(history.instrument.id),
            })  # fmt: skip
    return rows, paid


SETTINGS: dict[str, dict[str, Any]] = {
    "costs": {"preset": "realistic", "maker_bps": 2.0, "taker_bps": 5.5, "spread_bps": 2.0,
              "impact": 10.0, "funding": True},
    "fills": {"path": "adverse"},
    "sizing": {"kind": "fixed_fraction", "fraction": 0.1},
    "risk": {"profile": "none"},
}  # fmt: skip


def fake_result(
    strategy: str = "ma_cross", *, context: dict[str, Any] | None = None, **run: Any
) -> Any:
    """Return a result of a fake run."""
    from openalpha.research.context import RunContext
    from openalpha.research.result import BacktestResult

    made = fake_run(**run)
    given: dict[str, Any] = {
        "strategy": strategy,
        "params": {"fast": 10, "slow": 50},
        "source_hash": "ab" * 32,
        "histories": {str(made.history.instrument.id): made.history},
        "settings": SETTINGS,
        "created_ms": 1_763_700_000_000,
    }
    return BacktestResult(made, RunContext(**(given | (context or {}))))

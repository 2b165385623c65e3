"""The same run cut five ways: by calendar month, instrument, side, hour and market regime."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from openalpha.core.clock import HOUR_MS
from openalpha.core.instruments import Instrument
from openalpha.core.messages import EffectKind
from openalpha.research.daily import DailySeries
from openalpha.research.facts import CashColumns, FillColumns
from openalpha.research.measures import regimes
from openalpha.research.metrics import month_returns
from openalpha.research.roundtrips import RoundTrips

__all__ = ["by_hour", "by_instrument", "by_month", "by_regime", "by_side"]


Floats = NDArray[np.float64]


def by_month(days: DailySeries) -> pl.DataFrame:
    """Return one row a calendar month (UTC): `month` (2024-01), `return` (fraction), `days`."""
    months, returns = month_returns(days)
    names = months.astype("datetime64[M]").astype(str).tolist()
    _, counts = np.unique(days.month(), return_counts=True)
    return pl.DataFrame(
        {"month": names, "return": returns, "days": counts.astype(np.int64)},
        schema={"month": pl.String, "return": pl.Float64, "days": pl.Int64},
    )


def by_instrument(
    fills: FillColumns,
    trips: RoundTrips,
    *,
    cash: CashColumns,
    instruments: Sequence[Instrument],
) -> pl.DataFrame:
    """Return one row an instrument: round trips, win rate, P&L of closed trips, costs, turnover."""
    rows = []
    for code, instrument in enumerate(instruments):
        pnl = trips.pnl[trips.instrument == code]
        mine = fills.instrument == code
        settled = (cash.instrument == code) & (cash.kind == int(EffectKind.FUNDING))
        rows.append(
            {
                "instrument": str(instrument.id),
                "round_trips": len(pnl),
                "win_rate": float(np.mean(pnl > 0)) if len(pnl) else None,
                "pnl": float(pnl.sum()),
                "fees": float(fills.fee[mine].sum()),
                "funding": float(cash.amount[settled].sum()),
                "spread_cost": float(fills.spread_cost[mine].sum()),
                "impact_cost": float(fills.impact_cost[mine].sum()),
                "traded": float(fills.notional[mine].sum()),
            }
        )
    return pl.DataFrame(rows, schema=_INSTRUMENT_SCHEMA)


def by_side(trips: RoundTrips) -> pl.DataFrame:
    """Return one row a side: round trips, win rate, result in parts, average, best and worst."""
    rows = []
    for side, direction in (("long", 1), ("short", -1)):
        mine = trips.direction == direction
        pnl = trips.pnl[mine]
        rows.append(
            {
                "side": side,
                **_earned(trips, mine),
                "expectancy": float(pnl.mean()) if len(pnl) else None,
                "best": float(pnl.max()) if len(pnl) else None,
                "worst": float(pnl.min()) if len(pnl) else None,
            }
        )
    return pl.DataFrame(rows, schema=_SIDE_SCHEMA)


def by_hour(trips: RoundTrips) -> pl.DataFrame:
    """Return one row an hour of the day (UTC) in which round trips were entered, all 24."""
    hours = trips.entry_ts_ms // HOUR_MS % 24
    rows = [{"hour": hour, **_earned(trips, hours == hour)} for hour in range(24)]
    return pl.DataFrame(rows, schema=_HOUR_SCHEMA)


def by_regime(days: DailySeries, market: Floats) -> pl.DataFrame:
    """Return one row a regime of the market: days, both returns, yearly Sharpe ratio.

    Parameters
    ----------
    days : DailySeries
    market : float64[k]
        Daily simple returns of buying and holding. A day's regime is known the evening before
        (`measures.day_regimes`), so the first 30 days have none.
    """
    found = regimes(days.returns, market)
    rows = [{"regime": name, **made} for name, made in found.items()]
    return pl.DataFrame(rows, schema=_REGIME_SCHEMA)


def _earned(trips: RoundTrips, mine: NDArray[np.bool_]) -> dict[str, Any]:
    """Return what some round trips made: price result less fees plus funding is the P&L."""
    pnl = trips.pnl[mine]
    return {
        "round_trips": len(pnl),
        "win_rate": float(np.mean(pnl > 0)) if len(pnl) else None,
        "gross_pnl": float(trips.gross_pnl[mine].sum()),
        "fees": float(trips.fees[mine].sum()),
        "funding": float(trips.funding[mine].sum()),
        "pnl": float(pnl.sum()),
    }


_INSTRUMENT_SCHEMA = {"instrument": pl.String, "round_trips": pl.Int64} | dict.fromkeys(
    ("win_rate", "pnl", "fees", "funding", "spread_cost", "impact_cost", "traded"), pl.Float64
)
_EARNED = {"round_trips": pl.Int64} | dict.fromkeys(
    ("win_rate", "gross_pnl", "fees", "funding", "pnl"), pl.Float64
)
_HOUR_SCHEMA = {"hour": pl.Int64, **_EARNED}
_SIDE_SCHEMA = {"side": pl.String, **_EARNED} | dict.fromkeys(
    ("expectancy", "best", "worst"), pl.Float64
)
_REGIME_SCHEMA = {"regime": pl.String, "days": pl.Int64} | dict.fromkeys(
    ("total_return", "market_return", "sharpe"), pl.Float64
)

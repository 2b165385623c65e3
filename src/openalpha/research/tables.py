"""The same run cut three ways: by calendar month, by instrument and by side."""

from collections.abc import Sequence

import numpy as np
import polars as pl

from openalpha.core.instruments import Instrument
from openalpha.core.messages import EffectKind
from openalpha.research.daily import DailySeries
from openalpha.research.facts import CashColumns, FillColumns
from openalpha.research.metrics import month_returns
from openalpha.research.roundtrips import RoundTrips

__all__ = ["by_instrument", "by_month", "by_side"]


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
    """Return one row a side: round trips, win rate, P&L, average, best and worst."""
    rows = []
    for side, direction in (("long", 1), ("short", -1)):
        pnl = trips.pnl[trips.direction == direction]
        rows.append(
            {
                "side": side,
                "round_trips": len(pnl),
                "win_rate": float(np.mean(pnl > 0)) if len(pnl) else None,
                "pnl": float(pnl.sum()),
                "expectancy": float(pnl.mean()) if len(pnl) else None,
                "best": float(pnl.max()) if len(pnl) else None,
                "worst": float(pnl.min()) if len(pnl) else None,
            }
        )
    return pl.DataFrame(rows, schema=_SIDE_SCHEMA)


_INSTRUMENT_SCHEMA = {"instrument": pl.String, "round_trips": pl.Int64} | dict.fromkeys(
    ("win_rate", "pnl", "fees", "funding", "spread_cost", "impact_cost", "traded"), pl.Float64
)
_SIDE_SCHEMA = {"side": pl.String, "round_trips": pl.Int64} | dict.fromkeys(
    ("win_rate", "pnl", "expectancy", "best", "worst"), pl.Float64
)

"""Round trips: from the entry to the exit of a position, found in the fills (average cost).

A flip ends one round trip and begins the next. A position still open at the end is none. What is
left below one lot (dust of a fee taken in the base coin) counts as flat.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import polars as pl
from numpy.typing import NDArray

from openalpha.core.instruments import Instrument
from openalpha.core.messages import EffectKind
from openalpha.core.units import to_units
from openalpha.research.compiled import TRIP_INTS, TRIP_REALS, TripInput, TripOutput, walk_fills
from openalpha.research.facts import CashColumns, FillColumns

__all__ = ["PriceBars", "RoundTrips", "round_trips"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class PriceBars:
    """Bars of one instrument as excursions need them: stamps, highs and lows, one length."""

    ts_ms: Ints
    high: Floats
    low: Floats


@dataclass(frozen=True, slots=True, eq=False)
class RoundTrips:
    """Round trips as arrays of one length, in order of their exit.

    Parameters
    ----------
    instrument : int64[k]
        Row of the run's instruments.
    direction : int64[k]
        +1 long, -1 short.
    entry_ts_ms, exit_ts_ms : int64[k]
        First and last fill.
    entry_price, exit_price, qty : float64[k]
        Quantity-weighted prices; quantity entered over the whole trip.
    gross_pnl, fees, funding, pnl : float64[k]
        Price result, fees paid (positive), funding (+ received), and the sum: gross - fees +
        funding. Account currency. Spread and impact are inside the prices.
    entry_notional : float64[k]
        Value entered; `pnl / entry_notional` is the trip's return.
    fills : int64[k]
        Fills that took part.
    exit_reason : int64[k]
        Reason code of the last fill.
    """

    instrument: Ints
    direction: Ints
    entry_ts_ms: Ints
    exit_ts_ms: Ints
    entry_price: Floats
    exit_price: Floats
    qty: Floats
    entry_notional: Floats
    gross_pnl: Floats
    fees: Floats
    funding: Floats
    pnl: Floats
    fills: Ints
    exit_reason: Ints

    def __len__(self) -> int:
        return len(self.direction)

    @property
    def returns(self) -> Floats:
        """Net P&L over the value entered, float64[k]."""
        out = np.zeros(len(self))
        np.divide(self.pnl, self.entry_notional, out=out, where=self.entry_notional > 0)
        return out

    def excursions(self, bars: Mapping[int, PriceBars]) -> tuple[Floats, Floats]:
        """Return the worst and the best price move against the entry, as fractions >= 0.

        Parameters
        ----------
        bars : mapping of instrument row to PriceBars
            Trips of an instrument that is not given get NaN.

        Returns
        -------
        (float64[k], float64[k])
            Maximum adverse and favourable excursion (MAE, MFE) of the bars from entry to exit.
            The bars in which the trip begins and ends count whole: a bar does not say what came
            first, so both are upper bounds.
        """
        adverse, favourable = np.full(len(self), np.nan), np.full(len(self), np.nan)
        for code, series in bars.items():
            rows = np.flatnonzero(self.instrument == code)
            if not len(rows):
                continue
            first = np.searchsorted(series.ts_ms, self.entry_ts_ms[rows], side="right") - 1
            last = np.searchsorted(series.ts_ms, self.exit_ts_ms[rows], side="right")
            first = np.maximum(first, 0)
            last = np.maximum(last, first + 1)
            high = _reduced(np.maximum, series.high, first, last)
            low = _reduced(np.minimum, series.low, first, last)
            entry = self.entry_price[rows]
            rise, fall = high / entry - 1.0, 1.0 - low / entry
            is_long = self.direction[rows] > 0
            adverse[rows] = np.maximum(np.where(is_long, fall, rise), 0.0)
            favourable[rows] = np.maximum(np.where(is_long, rise, fall), 0.0)
        return adverse, favourable

    def to_frame(
        self, instruments: Sequence[Instrument], excursions: tuple[Floats, Floats]
    ) -> pl.DataFrame:
        """Return the round trips as a frame, one row each, with their `excursions`."""
        names = np.array([str(instrument.id) for instrument in instruments] or [""])
        adverse, favourable = excursions
        return pl.DataFrame(
            {
                "instrument": names[self.instrument].tolist(),
                "direction": self.direction,
                "entry_ts_ms": self.entry_ts_ms,
                "exit_ts_ms": self.exit_ts_ms,
                "entry_price": self.entry_price,
                "exit_price": self.exit_price,
                "qty": self.qty,
                "entry_notional": self.entry_notional,
                "gross_pnl": self.gross_pnl,
                "fees": self.fees,
                "funding": self.funding,
                "pnl": self.pnl,
                "return": self.returns,
                "adverse_excursion": adverse,
                "favourable_excursion": favourable,
                "fills": self.fills,
                "exit_reason": self.exit_reason,
            },
            schema_overrides={"instrument": pl.String},
        )


def round_trips(
    fills: FillColumns, instruments: Sequence[Instrument], *, cash: CashColumns | None = None
) -> RoundTrips:
    """Find the round trips of a run.

    Parameters
    ----------
    fills : FillColumns
    instruments : sequence of Instrument
        Those the fills' `instrument` points to.
    cash : CashColumns, optional
        Funding in it is given to the trip that was open when it settled. Funding settles before a
        fill of the same moment.

    Returns
    -------
    RoundTrips
        Sorted by exit; empty where nothing was closed.
    """
    group = fills.instrument * 2 + fills.leg
    is_single = len(instruments) == 1 and not fills.leg.any()
    if not is_single:
        rows = np.argsort(group, kind="stable")
        fills, group = fills.take(rows), group[rows]
    ints = np.zeros((len(TRIP_INTS), len(fills) + 1), dtype=np.int64)
    reals = np.zeros((len(TRIP_REALS), len(fills) + 1))
    source = TripInput(
        _lots(instruments), group, fills.held_units, fills.price, fills.qty, fills.notional,
        fills.fee, fills.realised_pnl,
    )  # fmt: skip
    count = walk_fills(source, TripOutput(ints, reals))
    trips = _trips(fills, ints[:, :count], reals[:, :count])
    if cash is not None:
        trips = _with_funding(trips, cash, len(instruments))
    return trips if is_single else _sorted_by_exit(trips)


def _lots(instruments: Sequence[Instrument]) -> Ints:
    """Return the smallest lot of each instrument's two legs, in quantity units."""
    smallest = [
        min(max(1, to_units(rule.lot_size, i.qty_decimals)) for rule in i.steps)
        for i in instruments
    ]
    return np.repeat(np.array(smallest, dtype=np.int64), 2)


def _trips(fills: FillColumns, ints: Ints, reals: Floats) -> RoundTrips:
    direction, first, last, count = ints
    qty, entry_value, qty_out, exit_value, entry_notional, gross, fees = reals
    return RoundTrips(
        instrument=fills.instrument[first],
        direction=direction,
        entry_ts_ms=fills.ts_ms[first],
        exit_ts_ms=fills.ts_ms[last],
        entry_price=entry_value / qty,
        exit_price=exit_value / qty_out,
        qty=qty,
        entry_notional=entry_notional,
        gross_pnl=gross,
        fees=fees,
        funding=np.zeros(len(first)),
        pnl=gross - fees,
        fills=count,
        exit_reason=fills.reason[last],
    )


def _with_funding(trips: RoundTrips, cash: CashColumns, instruments: int) -> RoundTrips:
    funding = np.zeros(len(trips))
    is_funding = cash.kind == int(EffectKind.FUNDING)
    for code in range(instruments):
        rows = np.flatnonzero(trips.instrument == code)
        settled = is_funding & (cash.instrument == code)
        if not len(rows) or not settled.any():
            continue
        stamps, amounts = cash.ts_ms[settled], cash.amount[settled]
        # Funding settles before a fill of the same moment: (entry, exit].
        at = np.searchsorted(trips.entry_ts_ms[rows], stamps, side="left") - 1
        is_within = (at >= 0) & (stamps <= trips.exit_ts_ms[rows][at])
        funding[rows] = np.bincount(at[is_within], amounts[is_within], minlength=len(rows))
    return replace(trips, funding=funding, pnl=trips.pnl + funding)


def _sorted_by_exit(trips: RoundTrips) -> RoundTrips:
    rows = np.argsort(trips.exit_ts_ms, kind="stable")
    names = RoundTrips.__dataclass_fields__
    return RoundTrips(**{name: getattr(trips, name)[rows] for name in names})


def _reduced(
    reduce: np.ufunc, values: Floats, first: NDArray[np.intp], stop: NDArray[np.intp]
) -> Floats:
    if not len(first):
        return np.empty(0)
    edges = np.empty(2 * len(first), dtype=np.intp)
    edges[::2], edges[1::2] = first, stop
    # reduceat wants every edge inside the array; the value appended only ends the last range.
    return np.asarray(reduce.reduceat(np.append(values, 0.0), edges)[::2])

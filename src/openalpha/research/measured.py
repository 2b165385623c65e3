"""A finished run with its figures: money, risk, trades, costs, and the same cut several ways."""

from functools import cached_property
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from openalpha.core.clock import DAY_MS
from openalpha.core.instruments import Instrument
from openalpha.engine.tables import EffectTable, FillTable
from openalpha.research import tables
from openalpha.research.benchmark import buy_and_hold
from openalpha.research.context import RunContext
from openalpha.research.curve import measure_curve
from openalpha.research.daily import DailySeries, daily_series
from openalpha.research.drawdown import drawdowns
from openalpha.research.facts import CashColumns, FillColumns, FinishedRun
from openalpha.research.measures import Capture, against_benchmark
from openalpha.research.metrics import Measured, compute
from openalpha.research.montecarlo_paths import deepest_bands, drawdown_bands
from openalpha.research.roundtrips import PriceBars, RoundTrips, round_trips

__all__ = ["MeasuredRun"]

Floats = NDArray[np.float64]


class MeasuredRun:
    """A finished run with its figures. Frames and figures are made when first asked for.

    Parameters
    ----------
    run : FinishedRun
        What the engine handed over.
    context : RunContext
        What the run was made from.
    """

    def __init__(self, run: FinishedRun, context: RunContext) -> None:
        self.run = run
        self.context = context

    @property
    def instruments(self) -> tuple[Instrument, ...]:
        """The run's instruments."""
        return self.context.instruments

    @property
    def currency(self) -> str:
        """The account currency."""
        return self.run.account_currency

    @property
    def start_ms(self) -> int:
        """The first bar's open, UTC ms."""
        return int(self.run.ts_ms[0])

    @property
    def end_ms(self) -> int:
        """The last bar's close, UTC ms."""
        return int(self.run.ts_ms[-1]) + self.run.timeframe_ms

    @cached_property
    def metrics(self) -> dict[str, float]:
        """Every figure of `definitions.DEFINITIONS` by name; NaN where it is not defined."""
        return compute(self._measured)

    @cached_property
    def fills(self) -> pl.DataFrame:
        """One row a fill, in order: ts_ms, instrument, side, price, qty, fee, reason."""
        return self.run.fills.to_frame()

    @cached_property
    def orders(self) -> pl.DataFrame:
        """One row an order that ended: id, instrument, status, reason, qty, filled."""
        return self.run.orders.to_frame()

    @cached_property
    def equity(self) -> pl.DataFrame:
        """One row a bar: `ts_ms` (open), `equity`, `drawdown`, `exposure` at its close."""
        run = self.run
        falls = drawdowns(run.equity, float(run.capital))
        return pl.DataFrame(
            {"ts_ms": run.ts_ms, "equity": run.equity, "drawdown": falls, "exposure": run.exposure}
        )

    @cached_property
    def daily(self) -> pl.DataFrame:
        """One row a UTC day: `ts_ms` (its start), `equity`, `return`, `benchmark`."""
        days = self.days
        return pl.DataFrame(
            {
                "ts_ms": days.day * DAY_MS,
                "equity": days.equity,
                "return": days.returns,
                "benchmark": float(self.run.capital) * self._benchmark,
            }
        )

    @cached_property
    def round_trips(self) -> pl.DataFrame:
        """One row a round trip, in order of exit, with costs and excursions."""
        return self.trips.to_frame(self.instruments, self.excursions)

    @property
    def costs(self) -> dict[str, float]:
        """Cost split in the account currency: profit before costs, each cost, net profit."""
        names = (
            "profit_before_costs", "spread_cost", "impact_cost", "fees", "funding",
            "liquidation_fees", "total_costs", "net_profit",
        )  # fmt: skip
        return {name: self.metrics[name] for name in names}

    @cached_property
    def by_month(self) -> pl.DataFrame:
        """One row a calendar month (UTC)."""
        return tables.by_month(self.days)

    @cached_property
    def by_instrument(self) -> pl.DataFrame:
        """One row an instrument."""
        return tables.by_instrument(
            self.fill_columns, self.trips, cash=self.cash, instruments=self.instruments
        )

    @cached_property
    def by_side(self) -> pl.DataFrame:
        """One row a side, long and short."""
        return tables.by_side(self.trips)

    @cached_property
    def by_hour(self) -> pl.DataFrame:
        """One row an hour of the day (UTC) of entry."""
        return tables.by_hour(self.trips)

    @cached_property
    def by_regime(self) -> pl.DataFrame:
        """One row a regime of the market: rising or falling, calm or wild."""
        return tables.by_regime(self.days, self.benchmark_returns)

    @cached_property
    def against(self) -> Capture:
        """Beta, alpha, correlation, up and down capture against buying and holding."""
        return against_benchmark(self.days.returns, self.benchmark_returns)

    @cached_property
    def drawdown_bands(self) -> Floats:
        """How deep its days put together otherwise would have fallen, float64[k, 2].

        Half and 95 % of the paths stay within, by day from the start.
        """
        return drawdown_bands(self.days.returns)

    @cached_property
    def deepest_bands(self) -> Floats:
        """The last of `drawdown_bands`, float64[2], without the rest."""
        return deepest_bands(self.days.returns)

    # What reports and tables build on; stable within the package.

    @cached_property
    def days(self) -> DailySeries:
        """The equity by UTC day."""
        run = self.run
        return daily_series(
            run.ts_ms, run.equity, timeframe_ms=run.timeframe_ms, capital=float(run.capital)
        )

    @cached_property
    def fill_columns(self) -> FillColumns:
        """The fills as arrays."""
        if isinstance(self.run.fills, FillTable):
            return FillColumns.read(self.run.fills, currency=self.currency)
        return FillColumns.of(self.fills, instruments=self.instruments, currency=self.currency)

    @cached_property
    def cash(self) -> CashColumns:
        """Funding and liquidation fees as arrays."""
        prices = {
            instrument.settle: (history.ts_ms, history.column("close"))
            for instrument, history in zip(
                self.instruments, self.context.histories.values(), strict=True
            )
            if instrument.settle != self.currency
        }
        if isinstance(self.run.effects, EffectTable):
            return CashColumns.read(self.run.effects, prices=prices)
        frame = self.run.effects.to_frame()
        return CashColumns.of(
            frame, instruments=self.instruments, currency=self.currency, prices=prices
        )

    @cached_property
    def trips(self) -> RoundTrips:
        """The round trips as arrays."""
        return round_trips(self.fill_columns, self.instruments, cash=self.cash)

    @cached_property
    def excursions(self) -> tuple[Floats, Floats]:
        """Worst and best price move of each round trip, as fractions of the entry, float64[k]."""
        histories = enumerate(self.context.histories.values())
        bars = {
            code: PriceBars(history.ts_ms, history.column("high"), history.column("low"))
            for code, history in histories
        }
        return self.trips.excursions(bars)

    @cached_property
    def benchmark_returns(self) -> Floats:
        """Daily simple returns of buying and holding, before costs, float64[k]."""
        line = np.append(1.0, self._benchmark)
        return np.asarray(np.diff(line) / line[:-1])

    @cached_property
    def _benchmark(self) -> Floats:
        moments = (self.days.day + 1) * DAY_MS
        return buy_and_hold(self.context.histories, self.start_ms, moments_ms=moments)

    @property
    def tried(self) -> int:
        """Configurations its family has tried, this one included."""
        return int(self.trial["family"])

    @cached_property
    def trial(self) -> dict[str, Any]:
        """Where the run stands in the ledger; the row's hash vouches for the ledger up to there."""
        context = self.context
        if context.ledger is None or context.trial < 0:
            return {"row": context.trial, "hash": context.trial_hash, "family": context.trials}
        tried = context.ledger.count(
            context.strategy, context.histories, start_ms=self.start_ms, end_ms=self.end_ms
        )
        row = context.ledger.row(context.trial)
        return {"row": context.trial, "hash": row.hash, "family": tried}

    @cached_property
    def _measured(self) -> Measured:
        return Measured(
            capital=float(self.run.capital),
            start_ms=self.start_ms,
            end_ms=self.end_ms,
            equity=self.run.equity,
            curve=measure_curve(self.run, self.fill_columns, instruments=self.instruments),
            days=self.days,
            fills=self.fill_columns,
            trips=self.trips,
            cash=self.cash,
            benchmark=self._benchmark,
        )

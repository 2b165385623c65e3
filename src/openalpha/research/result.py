"""The result of a backtest: everything a person, a report or another program asks of a run."""

import json
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from openalpha.core.clock import DAY_MS, format_ms
from openalpha.core.errors import InputError
from openalpha.core.instruments import Instrument
from openalpha.engine.tables import EffectTable, FillTable
from openalpha.research import tables
from openalpha.research.after_tax import AfterTax, Taxpayer, after_tax, taxpayer_at
from openalpha.research.benchmark import buy_and_hold
from openalpha.research.circumstances import circumstances_of
from openalpha.research.context import RunContext, installed_versions, settings_hash
from openalpha.research.curve import measure_curve
from openalpha.research.daily import DailySeries, daily_series
from openalpha.research.drawdown import drawdowns
from openalpha.research.facts import CashColumns, FillColumns, FinishedRun
from openalpha.research.metrics import Measured, compute
from openalpha.research.missing import open_items
from openalpha.research.roundtrips import PriceBars, RoundTrips, round_trips
from openalpha.research.verdict import Verdict, judge
from openalpha.store.atomic import write_bytes
from openalpha.store.runs import RunStore, StoredRun, new_run_id

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["BacktestResult"]

Floats = NDArray[np.float64]


class BacktestResult:
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
        self.taxpayer: Taxpayer | None = None
        """Whose tax `after_tax` estimates; None is a resident individual with every default."""

    def __repr__(self) -> str:
        names = ", ".join(self.context.histories)
        return f"BacktestResult({self.context.strategy} on {names}: {self.verdict.headline})"

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
    def verdict(self) -> Verdict:
        """What to believe of it."""
        return judge(self.metrics, circumstances_of(self))

    @cached_property
    def after_tax(self) -> AfterTax:
        """What Australian tax would leave of it: an estimate in AUD, or why there is none."""
        return after_tax(self, self.taxpayer or taxpayer_at(self.context.home))

    @property
    def open_items(self) -> list[dict[str, Any]]:
        """What the data left open: stretches without bars or settlements, missing mark prices."""
        return open_items(self.context.histories)

    @cached_property
    def record(self) -> dict[str, Any]:
        """What the run was made from, as stored in record.json."""
        context = self.context
        return {
            "environment": context.environment.name.lower(),
            "created": format_ms(context.created_ms),
            "commit": context.commit,
            "versions": installed_versions(),
            "strategy": context.strategy,
            "params": dict(context.params),
            "source_hash": context.source_hash,
            "instruments": list(context.histories),
            "roles": list(context.roles or context.histories),
            "data": context.data_record(),
            "data_fingerprint": context.data_fingerprint(),
            "settings": {name: dict(group) for name, group in context.settings.items()},
            "settings_hash": settings_hash(context.settings),
            "capital": str(self.run.capital),
            "account_currency": self.currency,
            "seed": context.seed,
            "is_lookahead_allowed": context.is_lookahead_allowed,
            "flattering": [
                check.sentence
                for check in self.verdict.checks
                if check.code in ("costs_off", "costs_low", "optimistic_path", "lookahead_allowed")
            ],
            "trial": self._trial,
            "slow_bars": int(self.run.slow_bars),
            "notes": [*context.notes, *self.run.notes],
        }

    def document(self) -> dict[str, Any]:
        """Return the result as the documented, versioned JSON document (see `schema`)."""
        from openalpha.research.document import result_document

        return result_document(self)

    def to_json(self, path: Path | str | None = None) -> str:
        """Return the document as JSON text, and write it to a file if one is named.

        Raises
        ------
        StorageError
            If the file cannot be written.
        """
        text = json.dumps(self.document(), ensure_ascii=False, allow_nan=False)
        if path is not None:
            write_bytes(Path(path), text.encode())
        return text

    def to_csv(self, folder: Path | str) -> tuple[Path, ...]:
        """Write fills, equity, orders, round trips and metrics as CSV files into a folder.

        Raises
        ------
        StorageError
            If they cannot be written.
        """
        written = []
        for name, frame in self._frames().items():
            path = Path(folder) / f"{name}.csv"
            write_bytes(path, frame.write_csv().encode())
            written.append(path)
        return tuple(written)

    def to_html(self, path: Path | str) -> Path:
        """Write the report as one self-contained HTML file.

        Raises
        ------
        StorageError
            If it cannot be written.
        """
        from openalpha.research.report import report_html

        write_bytes(Path(path), report_html(self).encode())
        return Path(path)

    def to_pdf(self, path: Path | str) -> Path:
        """Write the report as PDF.

        Raises
        ------
        StorageError
            If it cannot be written.
        """
        from openalpha.research.report.pdf import report_pdf

        write_bytes(Path(path), report_pdf(self))
        return Path(path)

    def show(self, console: "Console | None" = None) -> None:
        """Print the report to the terminal."""
        from openalpha.research.report import print_report

        print_report(self, console)

    def save(self, home: Path | str | None = None) -> StoredRun:
        """Write the run folder: record, result, fills, equity, orders, round trips, journal.

        Parameters
        ----------
        home : Path, optional
            The home to write to; the run's own where none is given.

        Raises
        ------
        InputError
            If there is no home.
        StorageError
            If it cannot be written; then nothing of it is there.
        """
        from openalpha.research.document import summary_document

        where = self.context.home if home is None else Path(home)
        if where is None:
            raise InputError("there is no home to save to; pass one: result.save(home)")
        content = (self.context.strategy, self.record["settings_hash"], json.dumps(self.record))
        run_id = new_run_id(self.context.created_ms, *content)
        return RunStore(where).write(
            self.context.environment,
            run_id,
            record=self.record,
            documents={"result": self.document(), "summary": summary_document(self)},
            frames=self._frames(),
        )

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
    def _benchmark(self) -> Floats:
        moments = (self.days.day + 1) * DAY_MS
        return buy_and_hold(self.context.histories, self.start_ms, moments_ms=moments)

    @property
    def tried(self) -> int:
        """Configurations its family has tried, this one included."""
        return int(self._trial["family"])

    @cached_property
    def _trial(self) -> dict[str, Any]:
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

    def _frames(self) -> dict[str, pl.DataFrame]:
        names = list(self.metrics)
        frames = {
            "fills": self.fills,
            "equity": self.equity,
            "orders": self.orders,
            "round_trips": self.round_trips,
            "effects": self.run.effects.to_frame(),
            "metrics": pl.DataFrame({"metric": names, "value": list(self.metrics.values())}),
        }
        if self.run.journal is not None:
            codes = self.run.journal.reshape(len(self.run.ts_ms), -1)
            columns = {
                name: codes[:, at].astype(np.int32)
                for at, name in enumerate(self.context.histories)
            }
            frames["journal"] = pl.DataFrame({"ts_ms": self.run.ts_ms, **columns})
        return frames

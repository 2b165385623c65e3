"""Many runs over the same histories: prepared once, led one after another, measured at once.

What a run costs beyond the compiled pass is a copy of some kilobytes. Nothing of it is kept but its
figures and daily returns; memory for one run is used again for the next, in each thread its own.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

import numpy as np
from numpy.typing import NDArray

from openalpha.core.clock import DAY_MS
from openalpha.core.instruments import Instrument, Kind
from openalpha.core.units import to_units
from openalpha.engine.compiled import plan as pl
from openalpha.engine.compiled.batch import RUN_FIGURES, run_figures
from openalpha.engine.compiled.batch_days import DAY_FIGURES, day_figures
from openalpha.engine.compiled.run import Wishes, run
from openalpha.engine.compiled.turns import changes, note_turns
from openalpha.engine.compiled.yardstick import BLOCK, SUMS, TRIP, Yardstick
from openalpha.engine.funding import Settlements
from openalpha.engine.grid import common_grid
from openalpha.engine.run import machine_for
from openalpha.engine.signals import (
    EngineSettings,
    check_settings,
    decision_plan,
    varying_sizes,
)
from openalpha.market.history import History
from openalpha.strategy.params import Exits
from openalpha.venue.kernel.arena import check_sound, enlarged, with_room
from openalpha.venue.kernel.layout import (
    H_FILLS_AT,
    H_FILLS_CAP,
    H_N_FILLS,
    H_SLOTS,
    H_SLOW_BARS,
    HEAD_COLS,
    I64,
    I_DEN,
    I_NUM,
    INST_COLS,
)
from openalpha.venue.kernel.machine import Machine

__all__ = ["FIGURES", "Benchmark", "Lane", "Stand"]

Floats = NDArray[np.float64]
Targets = Sequence[NDArray[np.int32]]

FIGURES = RUN_FIGURES + DAY_FIGURES
"""Names of the figures of a run, in the order `Lane.run` writes them."""

_NO_JOURNAL = np.empty((0, 1), dtype=np.int8)
_YEAR_MS = 365 * DAY_MS
_PLACES = 64
"""How many sums of exposure run side by side."""


@dataclass(frozen=True, slots=True, eq=False)
class Benchmark:
    """What every run is compared with.

    Parameters
    ----------
    daily_returns : float64[k]
        One a UTC day of the histories.
    total_return, sharpe, max_drawdown : float
    """

    daily_returns: Floats
    total_return: float
    sharpe: float
    max_drawdown: float


class Stand:
    """An account on histories, ready to be led through them again and again. Immutable.

    Parameters
    ----------
    histories : sequence of History
        Of one time frame, one instrument each.
    capital : Decimal
    settings : EngineSettings
    day_row, month : int64[k]
        Row of the last bar closed in each UTC day (-1 for none), and the day's month.
    benchmark : Benchmark, optional
    funding : sequence of (stamps, rates_e12), optional
        Settlements to use instead of the histories' own.

    Raises
    ------
    InputError
        If the settings cannot be used together or the instruments cannot share an account.
    """

    def __init__(
        self,
        histories: Sequence[History],
        *,
        capital: Decimal,
        settings: EngineSettings,
        day_row: I64,
        month: I64,
        benchmark: Benchmark | None = None,
        funding: Sequence[Settlements] | None = None,
    ) -> None:
        check_settings(settings, capital)
        self.settings, self.capital = settings, capital
        self.grid = common_grid(histories)
        machine, self.units = machine_for(
            histories, self.grid, capital=capital, settings=settings.venue, funding=funding
        )
        self.machine: Machine = machine
        self.sizes = varying_sizes(histories, self.grid, settings=settings)
        self.days = len(day_row)
        self._yardstick = self._measured_by(day_row, month, benchmark)

    @property
    def is_one_line(self) -> bool:
        """Whether equity follows from fills and closes: one position, worth more with the price."""
        is_marked = any(row >= 0 for row in self.grid.mark_rows)
        first, *others = self.units.instruments
        return not others and not is_marked and first.kind is not Kind.INVERSE

    @property
    def yardstick(self) -> Yardstick:
        """What its runs are measured by."""
        return self._yardstick

    def plans(self, exits: Exits) -> I64:
        """Return the decision plans of a run, int64[n_inst, PLAN_COLS]."""
        grid = self.grid
        rows = [
            decision_plan(
                self.settings,
                exits,
                units=self.units,
                number=number,
                timeframe_ms=grid.timeframe_ms,
                capital=self.capital,
            )
            for number in range(len(self.units.instruments))
        ]  # fmt: skip
        return np.stack(rows)

    def _measured_by(self, day_row: I64, month: I64, benchmark: Benchmark | None) -> Yardstick:
        ts, frame = self.grid.ts_ms, self.grid.timeframe_ms
        span = int(ts[-1]) + frame - int(ts[0])
        is_gapless = int(ts[-1]) - int(ts[0]) == (len(ts) - 1) * frame
        theirs = (np.nan, np.nan, np.nan)
        if benchmark is not None:
            theirs = (benchmark.total_return, benchmark.sharpe, benchmark.max_drawdown)
        facts = (
            float(self.capital), span / _YEAR_MS, float(frame), float(span >= DAY_MS), *theirs,
            float(is_gapless),
        )  # fmt: skip
        closes = np.stack(self.grid.closes).astype(np.float64)
        edges = np.arange(0, len(ts), BLOCK) if self.is_one_line else np.empty(0, dtype=np.intp)
        return Yardstick(
            ts=_locked(ts),
            closes=closes,
            lows=np.minimum.reduceat(closes[0], edges) if len(edges) else np.empty(0),
            highs=np.maximum.reduceat(closes[0], edges) if len(edges) else np.empty(0),
            terms=np.array(
                [_terms(self.machine, i, k) for k, i in enumerate(self.units.instruments)]
            ),
            coin=np.array([10.0**d for d in self.units.coin_decimals]),
            day_row=_locked(day_row),
            month=_locked(month),
            theirs=np.empty(0) if benchmark is None else np.array(benchmark.daily_returns),
            facts=np.array(facts),
        )


class Lane:
    """The memory of one thread that leads runs, one at a time, on any stand."""

    def __init__(self) -> None:
        self._arena = np.empty(0, dtype=np.int64)
        self._heads: dict[Stand, tuple[I64, int]] = {}
        self._room = (0, 0)
        self._equity, self._sums, self._shares = np.empty(0), np.empty(len(SUMS)), np.empty(_PLACES)
        self._trip, self._days = np.empty((0, len(TRIP))), np.empty((3, 0))
        self._plans: tuple[Stand, Exits, I64] | None = None
        self._turns = np.empty(0, dtype=np.int32)

    def run(
        self,
        stand: Stand,
        targets_e6: Targets,
        *,
        exits: Exits,
        figures: Floats,
        daily: NDArray[np.float32],
    ) -> None:
        """Lead one run and measure it.

        Parameters
        ----------
        stand : Stand
        targets_e6 : sequence of int32[len(history)]
            As `engine.signals.run_signals` takes them.
        exits : Exits
        figures : float64[68]
            Written as `FIGURES`.
        daily : float32[k]
            Written with the daily returns.
        """
        equity = self.lead(stand, targets_e6, exits=exits)
        self.measure(stand, equity, figures=figures, daily=daily)

    def measure(
        self, stand: Stand, equity: Floats, *, figures: Floats, daily: NDArray[np.float32]
    ) -> None:
        """Measure the run that was led last; parameters as `run`, `equity` as `lead` gave it."""
        if len(self._trip) != len(stand.units.instruments) or self._days.shape[1] != stand.days:
            self._trip = np.empty((len(stand.units.instruments), len(TRIP)))
            self._days = np.empty((3, stand.days))
        y, days, split = stand.yardstick, self._days, len(RUN_FIGURES)
        run_figures(
            self._arena, y, equity, self._trip, self._sums, self._shares, days[0], figures[:split]
        )
        day_figures(y, float(figures[split - 1]), days, daily, figures[split:])

    def lead(self, stand: Stand, targets_e6: Targets, *, exits: Exits) -> Floats:
        """Lead one run; returns the account's equity at each close, in cash units, until the next.

        Parameters and targets as `run`. Where equity follows from the fills it has no rows.
        """
        market, n = stand.machine.market, len(stand.grid.ts_ms)
        marked = 0 if stand.is_one_line else n
        if len(self._equity) < marked:
            self._equity = np.empty(marked)
        equity, row = self._equity[:marked], 0
        targets = stand.grid.spread_targets(targets_e6, pl.NO_TARGET)
        plans = self._fresh(stand, exits)
        if len(self._turns) <= targets.size:
            self._turns = np.empty(targets.size + 1, dtype=np.int32)
        found = note_turns(changes(targets), plans, self._turns)
        wishes = Wishes(targets, stand.sizes, plans, self._turns[:found])
        self.reset(stand)
        while row < n:
            row = int(run(self._arena, market, wishes, equity, _NO_JOURNAL, row, n))
            if row < n:
                self._arena = enlarged(self._arena)
                self._room = (int(self._arena[H_SLOTS]), int(self._arena[H_FILLS_CAP]))
        check_sound(self._arena)
        return equity

    @property
    def fills(self) -> int:
        """How many fills the last run had."""
        return int(self._arena[H_N_FILLS])

    @property
    def slow_bars(self) -> int:
        """How many bars of the last run could not be skipped."""
        return int(self._arena[H_SLOW_BARS])

    def reset(self, stand: Stand) -> None:
        """Put the memory to before the stand's first bar; what earlier runs needed stays."""
        slots, rows = self._room
        head, size = self._heads.get(stand, (None, 0))
        if head is None or head[H_SLOTS] < slots or head[H_FILLS_CAP] < rows:
            base = with_room(stand.machine.arena, slots=slots, rows=rows, levels=0)
            head, size = base[: int(base[H_FILLS_AT])].copy(), len(base)
            self._heads[stand] = (head, size)
        if len(self._arena) < size:
            self._arena = np.empty(size, dtype=np.int64)
        self._arena[: len(head)] = head

    def _fresh(self, stand: Stand, exits: Exits) -> I64:
        if self._plans is None or self._plans[0] is not stand or self._plans[1] != exits:
            self._plans = (stand, exits, stand.plans(exits))
        return self._plans[2].copy()


def _locked(array: I64) -> I64:
    """Return whole numbers as a history's are, read-only: compiled code then has one version."""
    held = np.ascontiguousarray(array).view()
    held.flags.writeable = False
    return held


def _terms(machine: Machine, instrument: Instrument, number: int) -> tuple[float, ...]:
    q, block = instrument.qty_decimals, HEAD_COLS + number * INST_COLS
    lot = min(max(1, to_units(rule.lot_size, q)) for rule in instrument.steps)
    return (
        10.0**instrument.price_decimals,
        10.0**q,
        float(instrument.multiplier),
        float(instrument.kind is Kind.INVERSE),
        float(lot),
        float(machine.arena[block + I_NUM]) / float(machine.arena[block + I_DEN]),
        float(instrument.kind is not Kind.SPOT),
    )

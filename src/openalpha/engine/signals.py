"""Running signal strategies: targets in, a finished run out, through the compiled pass."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import numpy as np
from numpy.typing import NDArray

from openalpha.core.errors import InputError
from openalpha.core.units import to_units
from openalpha.engine.compiled import plan as pl
from openalpha.engine.compiled.run import Wishes, run
from openalpha.engine.compiled.turns import changes, note_turns
from openalpha.engine.funding import Settlements
from openalpha.engine.grid import Grid, common_grid
from openalpha.engine.run import EngineRun, VenueSettings, finished_run, machine_for
from openalpha.engine.tables import Units
from openalpha.market.history import History
from openalpha.risk.settings import RiskSettings, SizingSettings
from openalpha.risk.sizing import kelly_e6, volatility_target_e6
from openalpha.strategy.params import Exits
from openalpha.venue.kernel.arena import FIRST_ROWS, check_sound, enlarged, with_room
from openalpha.venue.kernel.layout import H_SKIP, I64
from openalpha.venue.kernel.machine import Machine
from openalpha.venue.rules import fee_notes, fees_bps

__all__ = [
    "EngineSettings",
    "check_settings",
    "decision_plan",
    "find_turns",
    "run_signals",
    "varying_sizes",
]

_KINDS = {
    "all_in": pl.ALL_IN,
    "fixed_fraction": pl.FRACTION,
    "fixed_amount": pl.AMOUNT,
    "vol_target": pl.VARYING,
    "kelly": pl.VARYING,
}
_REBALANCE = {"on_change": pl.ON_CHANGE, "every_bar": pl.EVERY_BAR, "band": pl.IN_BAND}
_NO_EXITS = Exits()


@dataclass(frozen=True, slots=True)
class EngineSettings:
    """All settings a run depends on."""

    venue: VenueSettings = field(default_factory=VenueSettings)
    sizing: SizingSettings = field(default_factory=SizingSettings)
    risk: RiskSettings = field(default_factory=RiskSettings)


def run_signals(
    histories: Sequence[History],
    targets_e6: Sequence[NDArray[np.int32]],
    *,
    capital: Decimal,
    settings: EngineSettings,
    exits: Exits = _NO_EXITS,
    funding: Sequence[Settlements] | None = None,
    keep_journal: bool = True,
    skip: bool = True,
) -> EngineRun:
    """Lead an account through histories, holding what the targets say.

    Parameters
    ----------
    histories : sequence of History
        Of one time frame, one instrument each.
    targets_e6 : sequence of int32[len(history)]
        Wanted fraction of the full size in millionths; -2^31 says nothing. Decided at each bar's
        close, traded from the next event on.
    capital : Decimal
        Starting balance in the account currency.
    settings : EngineSettings
    exits : Exits
        What every entry carries.
    funding : sequence of (stamps, rates_e12), optional
        Settlements to use instead of the histories' own (see `engine.funding`).
    keep_journal : bool
        Whether each bar's decision is kept.
    skip : bool
        Whether bars that provably change nothing are skipped; the result is the same either way.

    Returns
    -------
    EngineRun

    Raises
    ------
    InputError
        If the settings cannot be used together or the instruments cannot share an account.
    """
    check_settings(settings, capital)
    grid = common_grid(histories)
    machine, units = machine_for(
        histories, grid, capital=capital, settings=settings.venue, funding=funding
    )
    machine.arena[H_SKIP] = int(skip)
    plans = np.stack(
        [
            decision_plan(
                settings,
                exits,
                units=units,
                number=number,
                timeframe_ms=grid.timeframe_ms,
                capital=capital,
            )
            for number in range(len(histories))
        ]
    )
    targets = grid.spread_targets(targets_e6, pl.NO_TARGET)
    turns, orders = find_turns(targets, plans)
    if orders >= FIRST_ROWS:  # growing the kernel's memory later copies it
        machine.arena = with_room(machine.arena, slots=0, rows=orders, levels=0)
    wishes = Wishes(targets, varying_sizes(histories, grid, settings=settings), plans, turns)
    n = len(grid.ts_ms)
    equity = np.empty(n)
    journal = np.empty((n if keep_journal else 0, len(histories)), dtype=np.int8)
    _pass(machine, wishes, equity, journal)
    equity /= 10.0 ** units.coin_decimals[0]
    notes = [f"{h.instrument.id}: {note}" for h in histories for note in h.notes]
    notes += fee_notes(units.instruments, settings.venue.costs)
    return finished_run(
        machine,
        units,
        grid=grid,
        equity=equity,
        journal=journal if keep_journal else None,
        capital=capital,
        notes=notes,
    )


def find_turns(targets: NDArray[np.int32], plans: I64) -> tuple[NDArray[np.int32], int]:
    """Find the rows at which targets turn, and note in each plan which of them are its own.

    Parameters
    ----------
    targets : int32[n_inst, n]
    plans : int64[n_inst, PLAN_COLS]
        Their last two columns are written.

    Returns
    -------
    tuple
        int32[k] rows, instrument by instrument; and how many orders they make at most.
    """
    turns = np.empty(targets.size + 1, dtype=np.int32)
    turns = turns[: int(note_turns(changes(targets), plans, turns))].copy()
    orders = len(turns)
    for row, plan in zip(targets, plans, strict=True):
        own = turns[plan[pl.PL_TURN] : plan[pl.PL_TURN_END]]
        orders += int(np.count_nonzero((row[own - 1] ^ row[own]) < 0))  # a flip is two
    return turns, orders


def _pass(
    machine: Machine, wishes: Wishes, equity: NDArray[np.float64], journal: NDArray[Any]
) -> None:
    """Run the compiled pass to the end, enlarging the kernel's memory when it fills."""
    market = machine.market
    row, stop = 0, len(market.ts)
    while row < stop:
        row = int(run(machine.arena, market, wishes, equity, journal, row, stop))
        if row < stop:
            machine.arena = enlarged(machine.arena)
    machine.row = stop
    check_sound(machine.arena)


def check_settings(settings: EngineSettings, capital: Decimal) -> None:
    """Refuse settings that cannot be used together by a strategy that gives targets.

    Raises
    ------
    InputError
        Naming the settings.
    """
    if capital <= 0:
        raise InputError(f"the capital was {capital}; it must be positive")
    if settings.venue.margin.position_mode == "hedge":
        raise InputError(
            "a target is one net position; set margin.position_mode = one_way for this strategy"
        )
    if settings.risk.profile == "live" and settings.sizing.kind == "all_in":
        raise InputError(
            "sizing.kind = all_in does not go with risk.profile = live; choose another"
        )


def decision_plan(
    settings: EngineSettings,
    exits: Exits,
    *,
    units: Units,
    number: int,
    timeframe_ms: int,
    capital: Decimal,
) -> I64:
    """Return the decision plan of one instrument, int64[PLAN_COLS], nothing decided yet.

    Parameters
    ----------
    number : int
        Which of the account's instruments.
    capital : Decimal
        What the account begins with: its first peak.
    """
    sizing, risk = settings.sizing, settings.risk
    cash = units.coin_decimals[0]
    row = np.zeros(pl.PLAN_COLS, dtype=np.int64)
    row[pl.PL_KIND] = _KINDS[sizing.kind]
    row[pl.PL_FRACTION_E6] = int(sizing.fraction * 1_000_000)
    row[pl.PL_AMOUNT] = to_units(sizing.amount, cash)
    row[pl.PL_LEVERAGE_E2] = int(settings.venue.margin.leverage * 100)
    _, taker = fees_bps(units.instruments[number], settings.venue.costs)
    reserve = taker + (sizing.reserve_bps if settings.venue.costs.preset == "realistic" else 0)
    row[pl.PL_RESERVE_E8] = int(max(reserve, Decimal(0)) * 10_000)
    row[pl.PL_REBALANCE] = _REBALANCE[sizing.rebalance]
    row[pl.PL_BAND_E6] = int(sizing.band * 1_000_000)
    row[pl.PL_STOP_E6], row[pl.PL_TAKE_PROFIT_E6] = exits.stop_e6, exits.take_profit_e6
    row[pl.PL_TRAILING_E6], row[pl.PL_ACTIVATION_E6] = exits.trailing_e6, exits.activation_e6
    row[pl.PL_TIME_EXIT_MS] = exits.time_exit_bars * timeframe_ms
    row[pl.PL_LAST_TARGET] = 0
    row[pl.PL_DAY] = -1
    if risk.profile == "live":
        row[pl.PL_IS_LIVE] = 1
        row[pl.PL_PEAK_EQUITY] = row[pl.PL_LAST_EQUITY] = to_units(capital, cash)
        row[pl.PL_MAX_POSITION_E6] = int(risk.max_position * 1_000_000)
        row[pl.PL_MIN_ORDER] = to_units(risk.min_order, cash)
        row[pl.PL_MAX_ORDER] = to_units(risk.max_order, cash)
        row[pl.PL_MAX_TRADES] = risk.max_trades_per_day
        row[pl.PL_DAILY_LOSS_E6] = int(risk.daily_loss * 1_000_000)
        row[pl.PL_DRAWDOWN_E6] = int(risk.max_drawdown * 1_000_000)
        stops = [e6 for e6 in (int(risk.stop * 1_000_000), exits.stop_e6) if e6 > 0]
        row[pl.PL_STOP_E6] = min(stops, default=0)
    return row


def varying_sizes(histories: Sequence[History], grid: Grid, *, settings: EngineSettings) -> I64:
    """Return the varying share of equity of each instrument on the grid, or no rows."""
    sizing = settings.sizing
    if sizing.kind not in ("vol_target", "kelly"):
        return np.zeros((0, 0), dtype=np.int64)
    out = np.zeros((len(histories), len(grid.ts_ms)), dtype=np.int64)
    for number, (history, place) in enumerate(zip(histories, grid.places, strict=True)):
        close = history.column("close")
        if sizing.kind == "kelly":
            share = kelly_e6(
                close, history.ts_ms, days=sizing.lookback_days, largest=float(sizing.fraction)
            )
        else:
            share = volatility_target_e6(
                close,
                history.ts_ms,
                target=float(sizing.target_volatility),
                days=sizing.lookback_days,
                largest=float(settings.venue.margin.leverage),
            )
        out[number, slice(None) if place is None else place] = share
    return out

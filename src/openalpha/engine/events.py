"""Running event strategies: callbacks in Python, a kernel stepped only where something happens."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from openalpha.core.clock import format_ms
from openalpha.core.errors import InputError, OpenAlphaError
from openalpha.core.instruments import Instrument
from openalpha.core.reasons import Reason, explain
from openalpha.engine.compiled.stretch import quiet_stretch
from openalpha.engine.context import EventContext
from openalpha.engine.funding import Settlements
from openalpha.engine.gate import Gate
from openalpha.engine.grid import Grid, common_grid
from openalpha.engine.run import EngineRun, finished_run, machine_for
from openalpha.engine.signals import EngineSettings
from openalpha.engine.tables import FillTable, Units
from openalpha.engine.terms import Terms
from openalpha.market.history import History
from openalpha.strategy.bars import Bars
from openalpha.strategy.base import failure_words
from openalpha.strategy.events import EventStrategy
from openalpha.venue.kernel import layout as at
from openalpha.venue.kernel.machine import Machine
from openalpha.venue.rules import fee_notes

__all__ = ["call", "check_event_run", "is_the_strategys", "order_notes", "run_events"]

# Rows looked ahead: few after an order, for each order makes the look worthless; then ever more.
_FEW_ROWS, _MANY_ROWS = 128, 16_384
_OWN_CODE = tuple(
    str(Path(__file__).resolve().parents[1] / part) for part in ("engine", "venue", "market")
)


def run_events(
    strategy: EventStrategy,
    histories: Mapping[str, History],
    *,
    capital: Decimal,
    settings: EngineSettings,
    funding: Sequence[Settlements] | None = None,
    keep_journal: bool = True,
    skip: bool = True,
) -> EngineRun:
    """Lead an account through histories, with a strategy that decides by callbacks.

    `on_fill` hears of every fill, in order, before the `on_bar` of the bar it happened in. Orders
    made at a bar's close can execute from the next bar's open on. Several instruments: one `on_bar`
    a row of their common stamps; the context speaks of the first unless told otherwise.

    Parameters
    ----------
    strategy : EventStrategy
        A fresh object: it lives for this run.
    histories : mapping of str to History
        By role or instrument id, of one time frame.
    capital : Decimal
        Starting balance in the account currency.
    settings : EngineSettings
        `risk.profile` live puts its limits before every order that opens; `sizing` is not used, an
        event strategy says its quantities.
    funding : sequence of (stamps, rates_e12), optional
        Settlements to use instead of the histories' own.
    keep_journal : bool
        Whether each bar's last decision is kept.
    skip : bool
        Whether bars that provably change nothing are skipped; the result is the same either way.

    Returns
    -------
    EngineRun

    Raises
    ------
    InputError
        If settings or instruments cannot be used together, or the strategy's own code fails: names
        the strategy, the callback, the bar and the line.
    """
    every = list(histories.values())
    check_event_run([history.instrument for history in every], capital, settings=settings)
    grid = common_grid(every)
    machine, units = machine_for(
        every, grid, capital=capital, settings=settings.venue, funding=funding
    )
    machine.arena[at.H_SKIP] = int(skip)
    n, cash = len(grid.ts_ms), units.coin_decimals[0]
    equity = np.empty(n)
    rows = n if keep_journal else 0
    journal = np.full((rows, len(every)), int(Reason.NO_SIGNAL), dtype=np.int8)
    context = EventContext(
        machine,
        grid,
        bars={key: Bars.of(history) for key, history in histories.items()},
        terms=_terms(strategy, units, machine),
        equity=equity,
        journal=journal,
        cash_scale=10.0**cash,
    )
    context.silent_bars = max(strategy.warm_up_bars(strategy.params), 1) - 1
    if settings.risk.profile == "live":
        context.gate = Gate(settings.risk, machine, equity, cash)
    _Pass(strategy, context, machine=machine, units=units, grid=grid, equity=equity).lead()
    equity /= 10.0**cash
    notes = [f"{h.instrument.id}: {note}" for h in every for note in h.notes]
    notes += fee_notes([h.instrument for h in every], settings.venue.costs)
    return finished_run(
        machine,
        units,
        grid=grid,
        equity=equity,
        journal=journal if keep_journal else None,
        capital=capital,
        notes=[*notes, *_notes(strategy, context)],
    )


class _Pass:
    """One strategy led over one grid."""

    def __init__(
        self,
        strategy: EventStrategy,
        context: EventContext,
        *,
        machine: Machine,
        units: Units,
        grid: Grid,
        equity: NDArray[np.float64],
    ) -> None:
        self.strategy, self.context, self.machine = strategy, context, machine
        self.units, self.grid, self.equity = units, grid, equity
        self.told = 0
        self.hears_fills = type(strategy).on_fill is not EventStrategy.on_fill
        self.callback = "on_start"

    def lead(self) -> None:
        """Run all callbacks; a failure of the strategy's code becomes a sentence."""
        try:
            self.strategy.on_start(self.context)
            self._lead_rows(self.context.begin())
            self.callback = "on_stop"
            self.strategy.on_stop(self.context)
        except Exception as error:
            if not is_the_strategys(error):
                raise
            raise InputError(self._words(error)) from error
        self.machine.run(len(self.grid.ts_ms))

    def _lead_rows(self, closes: NDArray[np.float64]) -> None:
        row, count = 0, len(self.grid.ts_ms)
        look, is_led = _FEW_ROWS, False
        machine, context = self.machine, self.context
        while row < count:
            end = min(row + look, count)
            stop = int(quiet_stretch(machine.arena, machine.market, self.equity, row, end, is_led))
            context.is_commanded = False
            if is_led and self.hears_fills:
                context.index, context.close = row, float(closes[row])
                self._tell_fills()
            if isinstance(context.gate, Gate):
                row = self._show_guarded(context.gate, row, closes[row:stop], is_led)
            else:
                row = self._show(row, closes[row:stop])
            look = _FEW_ROWS if context.is_commanded else min(2 * look, _MANY_ROWS)
            # What was commanded arrives next, without latency: looking ahead first would be idle.
            is_led = row < end or (context.is_commanded and row < count)
            if is_led:
                machine.run(row + 1)
                context.refresh()

    def _show(self, start: int, closes: NDArray[np.float64]) -> int:
        """Show bars until the strategy commands something; returns the row after the last shown."""
        context, on_bar, self.callback = self.context, self.strategy.on_bar, "on_bar"
        for context.index, context.close in enumerate(closes.tolist(), start):
            on_bar(context)
            if context.is_commanded:
                return context.index + 1
        return start + len(closes)

    def _tell_fills(self) -> None:
        fills = FillTable(self.machine.fills, self.units)
        if len(fills) == self.told:
            return
        self.callback = "on_fill"
        for fill in fills.messages(self.told):
            self.told += 1
            self.strategy.on_fill(self.context, fill)

    def _show_guarded(
        self, gate: Gate, start: int, closes: NDArray[np.float64], is_led: bool
    ) -> int:
        """Show bars up to the one at which the gate ends all trading; there close everything."""
        count = len(closes)
        if not gate.is_halted_by(start):
            count = min(gate.breach(start, start + count) - start + 1, count)
        elif is_led:
            count = min(count, 1)  # what was still on its way may have filled: close that too
        row = self._show(start, closes[:count])
        if row > start and gate.is_halted_by(row):
            self.context.flatten()
        return row

    def _words(self, error: Exception) -> str:
        name, when, line = self.strategy.name, "", _line(error, self.strategy)
        if self.context.index >= 0:
            when = f" at the bar of {format_ms(int(self.grid.ts_ms[self.context.index]))}"
        what = error.message if isinstance(error, OpenAlphaError) else _described(error)
        return f"strategy {name} fails in {self.callback}{when}: {what}{line}"


def check_event_run(
    instruments: Sequence[Instrument], capital: Decimal, *, settings: EngineSettings
) -> None:
    """Refuse settings or instruments that an event strategy cannot be run with.

    Raises
    ------
    InputError
        Naming them.
    """
    if capital <= 0:
        raise InputError(f"the capital was {capital}; it must be positive")
    if settings.venue.margin.position_mode == "hedge":
        raise InputError(
            "event strategies hold one net position each; set margin.position_mode = one_way"
        )
    ids = [instrument.id for instrument in instruments]
    if len(set(ids)) < len(ids):
        raise InputError(f"an instrument was given twice ({', '.join(ids)}); give each one once")


def _terms(strategy: EventStrategy, units: Units, machine: Machine) -> list[Terms]:
    exits = strategy.params.exits()
    return [
        Terms(instrument, setup.steps, timeframe_ms=machine.timeframe_ms, exits=exits)
        for instrument, setup in zip(units.instruments, machine.instruments, strict=True)
    ]


def order_notes(context: EventContext) -> list[str]:
    """Say which orders were not sent, and which came too late to fill."""
    notes = [
        f"{count} orders were not sent: {explain(reason)}"
        for reason, count in context.refusals.items()
    ]
    if context.late_orders:
        notes.append(f"{context.late_orders} orders were made after the last bar: none can fill")
    return notes


def _notes(strategy: EventStrategy, context: EventContext) -> list[str]:
    """Say what a reader should know: orders that were not sent, callbacks that cannot be called."""
    notes = order_notes(context)
    for name, what in (("on_trade", "trades"), ("on_book", "order books")):
        if getattr(type(strategy), name) is not getattr(EventStrategy, name):
            notes.append(
                f"{name} was never called: a history of bars has no {what} (fills.feed = book "
                "plays recorded ones back)"
            )
    return notes


def is_the_strategys(error: Exception) -> bool:
    """Say whether a failure lies in the strategy's code or in what it gave; else it is ours."""
    if isinstance(error, OpenAlphaError):
        return isinstance(error, InputError)
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return trace is None or not trace.tb_frame.f_code.co_filename.startswith(_OWN_CODE)


def call(strategy: EventStrategy, callback: str, *arguments: object, now_ms: int = 0) -> None:
    """Call one of a strategy's callbacks.

    Parameters
    ----------
    callback : str
        Its name.
    now_ms : int
        The close of the last bar, UTC ms; 0 before the first.

    Raises
    ------
    InputError
        If the strategy's own code fails: names it, the callback and the moment.
    """
    try:
        getattr(strategy, callback)(*arguments)
    except Exception as error:
        if not is_the_strategys(error):
            raise
        when = f" at the bar of {format_ms(now_ms)}" if now_ms else ""
        words = error.message if isinstance(error, OpenAlphaError) else failure_words(error)
        raise InputError(f"strategy {strategy.name} fails in {callback}{when}: {words}") from error


def _described(error: Exception) -> str:
    if "read-only" in str(error):
        return "it changes the bars it was given; copy a column before writing to it"
    return f"{type(error).__name__}: {error}"


def _line(error: Exception, strategy: EventStrategy) -> str:
    """Name the last line of the strategy's own file that led to an error."""
    code: Any = type(strategy).on_bar.__code__
    line, trace = None, error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == code.co_filename:
            line = trace.tb_lineno
        trace = trace.tb_next
    return "" if line is None else f" ({Path(code.co_filename).name}, line {line})"

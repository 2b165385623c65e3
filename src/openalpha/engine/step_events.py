"""An event strategy led by one closed row after the other, as `run_events` leads it."""

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal

import numpy as np
from numpy.typing import NDArray

from openalpha.core.instruments import Instrument
from openalpha.core.reasons import Reason
from openalpha.engine.bars_so_far import BarsSoFar, keep_row
from openalpha.engine.compiled.stretch import quiet_stretch
from openalpha.engine.context import EventContext
from openalpha.engine.context_base import SeenBar
from openalpha.engine.events import call, check_event_run
from openalpha.engine.gate import Gate
from openalpha.engine.grid import common_grid
from openalpha.engine.rows import OpenAccount, Row, Stepped, open_account
from openalpha.engine.signals import EngineSettings
from openalpha.engine.tables import FillTable
from openalpha.engine.terms import Terms
from openalpha.strategy.bars import Bars
from openalpha.strategy.events import EventStrategy
from openalpha.venue.kernel import drive
from openalpha.venue.kernel import layout as at
from openalpha.venue.kernel.setup import OrderRequest

__all__ = ["EventStep"]

_FIRST = 1024
_FAR = 2**62


class EventStep:
    """An account led by an event strategy, one closed row after the other.

    Parameters
    ----------
    strategy : EventStrategy
        A fresh object.
    keys : sequence of str
        Role or id of each instrument.
    instruments : sequence of Instrument
    timeframe_ms : int
    capital : Decimal
    settings : EngineSettings
    has_mark, has_index : sequence of bool
        Whether an instrument's rows carry mark and index prices.

    Raises
    ------
    InputError
        As `run_events`.
    """

    def __init__(
        self,
        strategy: EventStrategy,
        keys: Sequence[str],
        instruments: Sequence[Instrument],
        *,
        timeframe_ms: int,
        capital: Decimal,
        settings: EngineSettings,
        has_mark: Sequence[bool] = (),
        has_index: Sequence[bool] = (),
    ) -> None:
        check_event_run(instruments, capital, settings=settings)
        self.strategy = strategy
        self.account: OpenAccount = open_account(
            instruments,
            timeframe_ms=timeframe_ms,
            capital=capital,
            settings=settings.venue,
            has_mark=has_mark,
            has_index=has_index,
        )
        self._pays_funding = settings.venue.costs.funding
        self.so_far = [BarsSoFar(instrument, timeframe_ms) for instrument in instruments]
        self.context = _LiveContext(
            strategy, dict(zip(keys, self.so_far, strict=True)), self.account
        )
        if settings.risk.profile == "live":
            self.context.live_gate = _LiveGate(settings, self.account)
            self.context.gate = self.context.live_gate
        self._hears_fills = type(strategy).on_fill is not EventStrategy.on_fill
        self._equity = np.empty(2)
        call(strategy, "on_start", self.context)

    def lead(self, row: Row, *, is_silent: bool = False) -> Stepped:
        """Lead the account through a row, then let the strategy decide at its close.

        Parameters
        ----------
        row : Row
            The row just closed.
        is_silent : bool
            Do not ask the strategy: the run is being closed.

        Raises
        ------
        InputError
            If the strategy's own code fails: names it, the callback and the bar.
        """
        account, context = self.account, self.context
        machine = account.machine
        if row.funding and not self._pays_funding:
            row = Row(row.ts_ms, row.bars, row.mark, row.index)
        here = account.rows.add(row)
        keep_row(self.so_far, row)
        market = machine.market
        while int(drive.advance(machine.arena, market, here, here + 1)) == here:
            account.make_room()
        account.check()
        quiet_stretch(machine.arena, market, self._equity, here, here + 1, True)
        equity = float(self._equity[here])
        since = account.counters()
        context.show(row, here=here, equity_units=equity)
        if context.live_gate is not None:
            context.live_gate.add(context.now_ms, equity)  # what a fill is answered by is judged
        written = account.take_written()
        if not is_silent:
            if self._hears_fills and len(written.fills):
                self._tell(written.fills, written.first_fill)
            self._decide(context)
        return Stepped(
            equity,
            tuple(context.codes),
            written,
            account.commanded(context.now_ms, since),
        )

    def remember(self, rows: Sequence[Row]) -> None:
        """Take in rows of before the run: `history` shows them, and they count as warm-up."""
        for row in rows:
            keep_row(self.so_far, row)
        self.context.silent_bars = max(self.context.silent_bars - len(rows), 0)

    def transfer(self, amount: int, ts_ms: int) -> None:
        """Book money moved in (+) or out (-) at a row's close; see `SignalStep.transfer`."""
        machine = self.account.machine
        before = machine.equity()
        machine.transfer(0, ts_ms, amount)
        self.context.equity_units += amount
        if self.context.live_gate is not None:
            self.context.live_gate.rescale(1.0 + amount / before)

    def pause(self, is_paused: bool) -> None:
        """Refuse whatever would open or add, or allow it again."""
        self.context.is_paused = is_paused

    def stop(self) -> None:
        """Tell the strategy that the run ends."""
        call(self.strategy, "on_stop", self.context, now_ms=self.context.now_ms)

    def _decide(self, context: "_LiveContext") -> None:
        gate, number = context.live_gate, context.index
        if gate is not None:
            gate.is_halted_by(number)
            gate.breach(number, number + 1)
        call(self.strategy, "on_bar", context, now_ms=context.now_ms)
        if gate is not None and gate.is_halted_by(number + 1):
            context.flatten()

    def _tell(self, rows: NDArray[np.int64], first: int) -> None:
        for fill in FillTable(rows, self.account.units).messages():
            told = replace(fill, seq=fill.seq + first)
            call(self.strategy, "on_fill", self.context, told, now_ms=self.context.now_ms)


class _LiveContext(SeenBar, EventContext):
    """The context of a run whose bars arrive one by one."""

    def __init__(
        self, strategy: EventStrategy, so_far: "dict[str, BarsSoFar]", account: OpenAccount
    ) -> None:
        machine = account.machine
        self.now_ms, self.equity_units = 0, float(machine.account.balances[0])
        self._here = 0
        self._so_far = tuple(so_far.values())
        self._live_rows = account.rows
        self.codes = [int(Reason.NO_SIGNAL)] * len(so_far)
        self.is_paused = False
        self.live_gate: _LiveGate | None = None
        exits = strategy.params.exits()
        terms = [
            Terms(bars.instrument, setup.steps, timeframe_ms=machine.timeframe_ms, exits=exits)
            for bars, setup in zip(self._so_far, machine.instruments, strict=True)
        ]
        machine.row = _FAR  # it is always led through the row just closed
        super().__init__(
            machine,
            common_grid(account.blank),
            bars={key: bars.bars(0) for key, bars in so_far.items()},
            terms=terms,
            equity=np.zeros(0),
            journal=np.zeros((0, len(so_far)), dtype=np.int8),
            cash_scale=10.0 ** account.units.coin_decimals[0],
        )
        self.silent_bars = max(strategy.warm_up_bars(strategy.params), 1) - 1

    def show(self, row: Row, *, here: int, equity_units: float) -> None:
        """Move on to the close of a row that lies at `here` of the market's two."""
        self.now_ms = row.ts_ms + self._machine.timeframe_ms
        self._here, self.equity_units = here, equity_units
        self.index += 1
        self.codes = [int(Reason.NO_SIGNAL)] * len(self._so_far)
        self.see(row.bars[0], self._terms[0])
        self.is_commanded = False
        self.refresh()

    @property
    def ts_ms(self) -> int:
        """Close of the bar just closed, UTC ms: now."""
        return self.now_ms

    @property
    def equity(self) -> float:
        """Cash and open profit, account currency."""
        return self.equity_units / self._cash_scale

    def _known(self, number: int) -> tuple[Bars, int]:
        so_far = self._so_far[number]
        return so_far.bars(), len(so_far)

    def flatten(self) -> None:
        """Cancel what could open and close every position, unless that is under way already."""
        super().flatten()
        self.codes = [int(Reason.BREAKER_DRAWDOWN)] * len(self.codes)

    def _submit(self, number: int, ts_ms: int, made: OrderRequest) -> int:
        self.codes[number] = int(Reason.ORDERED)
        return self._machine.submit(number, ts_ms, made)

    def _refuse(self, number: int, reason: Reason) -> int:
        self.codes[number] = int(reason)
        return super()._refuse(number, reason)

    def _why_not(self, number: int, made: OrderRequest) -> Reason:
        reason = super()._why_not(number, made)
        if reason is Reason.NONE and self.is_paused and not made.reduce_only:
            return Reason.PAUSED
        return reason

    def _judged(self, number: int, side: int, qty: int, price: int) -> Reason:
        if self.gate is None:
            return Reason.NONE
        price = price or int(self._live_rows.bars[number, self._here, at.B_CLOSE])
        if price == 0:
            return Reason.MISSING_BAR
        return self.gate.refusal(number, side=side, qty=qty, price=price, row=self.index)


class _LiveGate(Gate):
    """The gate of a run whose rows arrive one by one."""

    def __init__(self, settings: EngineSettings, account: OpenAccount) -> None:
        super().__init__(
            settings.risk, account.machine, np.empty(_FIRST), account.units.coin_decimals[0]
        )
        self._close_ms = np.full(_FIRST, _FAR, dtype=np.int64)
        self._count = 0

    def add(self, close_ms: int, equity_units: float) -> None:
        """Take in a row: when it closed, and the equity then."""
        if self._count == len(self._close_ms):
            self._close_ms = np.concatenate((self._close_ms, np.full_like(self._close_ms, _FAR)))
            self._equity = np.concatenate((self._equity, np.empty_like(self._equity)))
        self._close_ms[self._count], self._equity[self._count] = close_ms, equity_units
        self._count += 1

    def rescale(self, factor: float) -> None:
        """Take in that money was moved: equity of before is scaled, none looks lost."""
        self._equity[: self._count] *= factor
        self._peak *= factor
        self._start *= factor

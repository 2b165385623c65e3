"""An event strategy led by one closed row after the other, as `run_events` leads it."""

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal

import numpy as np
from numpy.typing import NDArray

from openalpha.core.instruments import Instrument
from openalpha.engine.bars_so_far import BarsSoFar, keep_row
from openalpha.engine.compiled.stretch import quiet_stretch
from openalpha.engine.events import call, check_event_run
from openalpha.engine.gate import RunningGate
from openalpha.engine.live_context import LiveContext
from openalpha.engine.rows import OpenAccount, Row, Stepped, open_account
from openalpha.engine.signals import EngineSettings
from openalpha.engine.tables import FillTable
from openalpha.strategy.events import EventStrategy
from openalpha.venue.kernel import drive

__all__ = ["EventStep"]


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
        self.context = LiveContext(
            strategy, dict(zip(keys, self.so_far, strict=True)), self.account
        )
        if settings.risk.profile == "live":
            self.context.gate = RunningGate(
                settings.risk, self.account.machine, self.account.units.coin_decimals[0]
            )
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
        close_ms, last = row.ts_ms + machine.timeframe_ms, account.rows.bars[:, here]
        context.show(row, now_ms=close_ms, last=last, equity_units=equity)
        if context.gate is not None:
            context.gate.add(context.now_ms, equity)  # what a fill is answered by is judged
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
        if self.context.gate is not None:
            self.context.gate.rescale(1.0 + amount / before)

    @property
    def is_halted(self) -> bool:
        """Whether equity fell too far from its highest: it is closed for good."""
        return self.context.gate is not None and self.context.gate.is_halted

    def pause(self, is_paused: bool) -> None:
        """Refuse whatever would open or add, or allow it again."""
        self.context.is_paused = is_paused

    def stop(self) -> None:
        """Tell the strategy that the run ends."""
        call(self.strategy, "on_stop", self.context, now_ms=self.context.now_ms)

    def _decide(self, context: LiveContext) -> None:
        call(self.strategy, "on_bar", context, now_ms=context.now_ms)
        if context.gate is not None and context.gate.is_halted:
            context.flatten()

    def _tell(self, rows: NDArray[np.int64], first: int) -> None:
        for fill in FillTable(rows, self.account.units).messages():
            told = replace(fill, seq=fill.seq + first)
            call(self.strategy, "on_fill", self.context, told, now_ms=self.context.now_ms)

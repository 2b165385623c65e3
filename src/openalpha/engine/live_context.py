"""What an event strategy is shown of a run whose bars arrive one by one."""

import numpy as np

from openalpha.core.reasons import Reason
from openalpha.engine.bars_so_far import BarsSoFar
from openalpha.engine.context import EventContext
from openalpha.engine.context_base import SeenBar
from openalpha.engine.gate import RunningGate
from openalpha.engine.grid import common_grid
from openalpha.engine.rows import KernelAccount, Row
from openalpha.engine.terms import Terms
from openalpha.strategy.bars import Bars
from openalpha.strategy.events import EventStrategy
from openalpha.venue.kernel import layout as at
from openalpha.venue.kernel.layout import I64
from openalpha.venue.kernel.setup import OrderRequest

__all__ = ["LiveContext"]

_FAR = 2**62


class LiveContext(SeenBar, EventContext):
    """The context of a run whose bars arrive one by one.

    Parameters
    ----------
    strategy : EventStrategy
    so_far : dict of str to BarsSoFar
        By role or id.
    account : KernelAccount

    Attributes
    ----------
    now_ms : int
        UTC ms.
    codes : list of int
        Reason code of the last decision of each instrument since the last close.
    gate : RunningGate or None
        The limits of the live profile.
    """

    gate: RunningGate | None

    def __init__(
        self, strategy: EventStrategy, so_far: "dict[str, BarsSoFar]", account: KernelAccount
    ) -> None:
        machine = account.machine
        self.now_ms, self.equity_units = 0, float(machine.account.balances[0])
        self._so_far = tuple(so_far.values())
        self._last = np.zeros((len(so_far), at.BAR_COLS), dtype=np.int64)
        self.codes = [int(Reason.NO_SIGNAL)] * len(so_far)
        self.is_paused = False
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

    def show(self, row: Row, *, now_ms: int, last: I64, equity_units: float) -> None:
        """Move on to the close of a row; `last` int64[n, BAR_COLS] are the last bars there."""
        self.now_ms, self._last, self.equity_units = now_ms, last, equity_units
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

    def _last_price(self, number: int) -> int:
        """Return the price an order that names none is measured by, 0 where none is known."""
        return int(self._last[number, at.B_CLOSE])

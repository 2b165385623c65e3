"""What an event strategy sees and does while the kernel is led over history: the past only."""

import math
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from openalpha.core.reasons import Reason
from openalpha.engine.context_base import ContextBase
from openalpha.engine.gate import Judge
from openalpha.engine.grid import Grid
from openalpha.engine.terms import Terms
from openalpha.market.grid import to_floats
from openalpha.strategy.bars import Bars
from openalpha.strategy.events import OpenOrder, OrderTerms
from openalpha.venue.kernel import layout as at
from openalpha.venue.kernel.machine import Machine
from openalpha.venue.kernel.setup import OrderRequest

__all__ = ["EventContext"]

_UNKNOWN = (math.nan,)


class EventContext(ContextBase):
    """The `Context` of a run over history.

    The kernel is not asked at every bar: position and cash change only where it was led through a
    bar, so they are plain attributes refreshed there, and it is brought up to the present bar only
    when an order is placed, changed or cancelled.

    Attributes
    ----------
    index : int
        Row of the bar just closed; -1 before the first.
    close, position, entry_price, cash : float
        Of the first instrument, and the account.
    is_commanded : bool
        Whether anything was placed, changed or cancelled since it was last put to False.
    refusals : dict of Reason to int
        Orders that were not sent, by why.
    """

    def __init__(
        self,
        machine: Machine,
        grid: Grid,
        *,
        bars: Mapping[str, Bars],
        terms: Sequence[Terms],
        equity: NDArray[np.float64],
        journal: NDArray[np.int8],
        cash_scale: float,
    ) -> None:
        self._machine, self._grid, self._terms = machine, grid, terms
        self._bars = tuple(bars.values())
        super().__init__(tuple(bars), [item.instrument_id for item in self._bars])
        self._equity, self._journal, self._cash_scale = equity, journal, cash_scale
        self.gate: Judge | None = None
        self.silent_bars = 0
        self.is_commanded = False
        self.close = self.position = math.nan
        self.entry_price = self.cash = math.nan
        self.refusals: dict[Reason, int] = {}
        self.late_orders = 0
        self._stamps: Sequence[int] = (int(grid.ts_ms[0]) - grid.timeframe_ms,)
        self._curve: Sequence[float] = (float(machine.account.balances[0]),)
        # Until the first bar has closed, every column is one unknown value.
        self._columns: list[Sequence[float]] = [_UNKNOWN] * 4
        self._orders: tuple[OpenOrder, ...] | None = None
        account = int(machine.arena[at.H_ACCTS_AT])
        self._leg = account + int(machine.arena[account + at.AC_LEGS_AT])
        self._balance = account + at.AC_BALANCES
        self.refresh()

    def begin(self) -> NDArray[np.float64]:
        """Let the first bar be seen; returns the closes of the first instrument."""
        self._stamps = self._grid.ts_ms.data
        self._curve = self._equity.data
        first = self._bars[0]
        names = ("open", "high", "low", "volume", "close")
        if self._grid.places[0] is None:
            columns = [first.column(name) for name in names]
        else:
            columns = _spread_columns(self._grid.bars[0], self._terms[0])
        self._columns = [column.data for column in columns[:4]]
        return columns[4]

    def refresh(self) -> None:
        """Read position and cash after the kernel was led through a bar."""
        arena = self._machine.arena
        self.position, self.entry_price = self._holding(0, arena[self._leg : self._leg + 2])
        self.cash = int(arena[self._balance]) / self._cash_scale
        self._orders = None

    def _holding(self, number: int, leg: NDArray[np.int64]) -> tuple[float, float]:
        """Return quantity and entry price of an instrument from its leg's quantity and cost."""
        terms, setup = self._terms[number], self._machine.instruments[number]
        held, cost = leg.tolist()
        if setup.kind == at.SPOT and held < terms.step_at(self.ts_ms)[1]:
            held = 0  # dust that cannot be sold is no position
        price = math.nan
        if held and cost:
            if setup.kind == at.INVERSE:
                paid = abs(held) * setup.k / abs(cost)
            else:
                paid = cost * setup.den / (held * setup.num)
            price = paid / terms.price_scale
        return held / terms.qty_scale, price

    @property
    def ts_ms(self) -> int:
        """Close of the bar just closed, UTC ms: now."""
        return self._stamps[self.index] + self._grid.timeframe_ms

    @property
    def open(self) -> float:
        """Open of the bar just closed."""
        return self._columns[0][self.index]

    @property
    def high(self) -> float:
        """High of the bar just closed."""
        return self._columns[1][self.index]

    @property
    def low(self) -> float:
        """Low of the bar just closed."""
        return self._columns[2][self.index]

    @property
    def volume(self) -> float:
        """Volume of the bar just closed."""
        return self._columns[3][self.index]

    @property
    def equity(self) -> float:
        """Cash and open profit, account currency."""
        return self._curve[self.index] / self._cash_scale

    @property
    def orders(self) -> tuple[OpenOrder, ...]:
        """Orders still open or on their way, attached exits included, oldest first."""
        if self._orders is None:
            found = [
                self._described(number, row)
                for number in range(len(self._terms))
                for row in self._machine.live_orders(number).tolist()
            ]
            self._orders = tuple(sorted(found, key=lambda order: order.id))
        return self._orders

    def _holding_of(self, number: int) -> tuple[float, float]:
        leg = self._leg + 2 * number * at.LEG_COLS
        return self._holding(number, self._machine.arena[leg : leg + 2])

    def _known(self, number: int) -> tuple[Bars, int]:
        stop = self.index + 1
        if self._grid.places[number] is not None and stop:
            now = self._grid.ts_ms[self.index]
            stop = int(np.searchsorted(self._bars[number].ts_ms, now, side="right"))
        return self._bars[number], stop

    def close_position(self, *, instrument: str | None = None) -> None:
        """Close the whole position at market, reduce-only."""
        self._close(self._number(instrument))

    def cancel(self, order_id: int) -> None:
        """Cancel an open order; one that is closed already is left alone."""
        ts_ms = self._catch_up()
        found = self._find(order_id)
        if found is not None:
            self._machine.cancel(found[0], ts_ms, int(order_id))

    def amend(
        self,
        order_id: int,
        *,
        qty: float | None = None,
        limit: float | None = None,
        trigger: float | None = None,
    ) -> None:
        """Change an open order; one that is closed already is left alone."""
        ts_ms = self._catch_up()
        found = self._find(order_id)
        if found is None:
            return
        number, row = found
        terms, side = self._terms[number], int(row[at.O_SIDE])
        rises = bool(row[at.O_RISES])
        lots = 0 if qty is None else terms.lots(qty, ts_ms)
        price = 0 if limit is None else terms.ticks(limit, ts_ms, up=side < 0, what="a limit")
        level = 0 if trigger is None else terms.ticks(trigger, ts_ms, up=rises, what="a trigger")
        if qty is not None and lots == 0:
            self._refuse(number, Reason.BELOW_LOT)
            return
        more = lots - int(row[at.O_QTY])
        if more > 0 and not row[at.O_REDUCE]:
            kept = price or int(row[at.O_LIMIT])
            reason = self._judged(number, side, more, limit=kept, trigger=level)
            if reason is not Reason.NONE:
                self._refuse(number, reason)
                return
        self._machine.amend(number, ts_ms, int(order_id), qty=lots, limit=price, trigger=level)

    def flatten(self) -> None:
        """Cancel what could open and close every position, unless that is under way already."""
        ts_ms = self._catch_up()
        for number in range(len(self._terms)):
            held = self._machine.position(number)[0]
            is_closing = False
            for row in self._machine.live_orders(number).tolist():
                if not row[at.O_REDUCE]:
                    if row[at.O_CANCEL_SEQ]:
                        continue  # a second cancel would only take the first one's place, later
                    why = Reason.BREAKER_DRAWDOWN
                    self._machine.cancel(number, ts_ms, row[at.O_ID], why=why)
                elif row[at.O_TYPE] == at.MARKET and row[at.O_TKIND] == at.NO_TRIGGER:
                    is_closing |= row[at.O_ATTACHED] == 0 and row[at.O_SIDE] * held < 0
            if not is_closing:
                self._close(number)
            if self._journal.shape[0]:
                self._journal[self.index, number] = Reason.BREAKER_DRAWDOWN

    def _catch_up(self) -> int:
        """Bring the kernel to the close of the present bar; returns that moment."""
        self._check_begun()
        if self._machine.row <= self.index:
            self._machine.run(self.index + 1)
        self.is_commanded = True
        self._orders = None
        return self.ts_ms

    def _place(self, number: int, side: int, qty: object, terms: OrderTerms) -> int:
        ts_ms = self._catch_up()
        made = self._terms[number].request(side, qty, terms=terms, ts_ms=ts_ms)
        reason = self._why_not(number, made)
        if reason is not Reason.NONE:
            return self._refuse(number, reason)
        return self._submit(number, ts_ms, made)

    def _submit(self, number: int, ts_ms: int, made: OrderRequest) -> int:
        if self._journal.shape[0]:
            self._journal[self.index, number] = Reason.ORDERED
        self.late_orders += self.index + 1 == len(self._grid.ts_ms)
        return self._machine.submit(number, ts_ms, made)

    def _why_not(self, number: int, made: OrderRequest) -> Reason:
        if made.qty == 0:
            return Reason.BELOW_LOT
        if self.index < self.silent_bars:
            return Reason.WARM_UP
        if made.reduce_only:
            return Reason.NONE
        limit, trigger = made.limit, made.trigger
        reason = self._judged(number, made.side, made.qty, limit=limit, trigger=trigger)
        if self.gate is not None and self.gate.stop_e6:
            made.stop_e6 = min(self.gate.stop_e6, made.stop_e6 or self.gate.stop_e6)
        return reason

    def _judged(self, number: int, side: int, qty: int, *, limit: int, trigger: int) -> Reason:
        if self.gate is None:
            return Reason.NONE
        return self.gate.refusal(
            number,
            side=side,
            qty=qty,
            limit=limit,
            trigger=trigger,
            last=self._last_price(number),
            row=self.index,
        )

    def _last_price(self, number: int) -> int:
        """Return an instrument's close in price units, 0 where it has no bar yet."""
        return int(self._grid.bars[number, self.index, at.B_CLOSE])

    def _refuse(self, number: int, reason: Reason) -> int:
        self.refusals[reason] = self.refusals.get(reason, 0) + 1
        if self._journal.shape[0]:
            self._journal[self.index, number] = reason
        return 0

    def _close(self, number: int) -> None:
        ts_ms = self._catch_up()
        held = self._machine.position(number)[0]
        if self._machine.instruments[number].kind == at.SPOT:
            lot = self._terms[number].step_at(ts_ms)[1]
            held -= held % lot
        if held:
            side = -1 if held > 0 else 1
            self._submit(number, ts_ms, OrderRequest(side, 0, reduce_only=True))

    def _find(self, order_id: int) -> tuple[int, list[int]] | None:
        for number in range(len(self._terms)):
            for row in self._machine.live_orders(number).tolist():
                if row[at.O_ID] == order_id:
                    return number, row
        return None

    def _described(self, number: int, row: list[int]) -> OpenOrder:
        terms = self._terms[number]
        whole = abs(self._machine.position(number)[0])
        kind, trigger = row[at.O_TKIND], row[at.O_TRIGGER]
        if kind == at.TRAILING:
            distance = row[at.O_DISTANCE] if row[at.O_RISES] else -row[at.O_DISTANCE]
            trigger = row[at.O_BEST] + distance if row[at.O_ACTIVE] else 0
        return OpenOrder(
            id=row[at.O_ID],
            instrument=terms.instrument_id,
            side=row[at.O_SIDE],
            qty=(whole if row[at.O_WHOLE] else row[at.O_QTY]) / terms.qty_scale,
            filled=row[at.O_FILLED] / terms.qty_scale,
            limit=row[at.O_LIMIT] / terms.price_scale if row[at.O_TYPE] == at.LIMIT else None,
            trigger=trigger / terms.price_scale if trigger else None,
            is_reduce_only=bool(row[at.O_REDUCE]),
            tag=self._tags.get(row[at.O_ID], ""),
        )


def _spread_columns(bars: NDArray[np.int64], terms: Terms) -> list[NDArray[np.float64]]:
    """Return open, high, low, volume and close on the grid, NaN before the first bar."""
    decimals = round(math.log10(terms.price_scale))
    out = [to_floats(bars[:, column], decimals) for column in (0, 1, 2, 4, 3)]
    for column in (0, 1, 2, 4):
        out[column][bars[:, 3] == 0] = np.nan
    out[3] = np.maximum(bars[:, 4], 0) / terms.qty_scale
    return out

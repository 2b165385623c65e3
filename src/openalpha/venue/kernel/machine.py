"""The kernel as Python sees it: orders placed, history led through, results read."""

from dataclasses import dataclass, field

import numpy as np

from openalpha.core.messages import EffectKind
from openalpha.core.reasons import Reason
from openalpha.venue.kernel import drive
from openalpha.venue.kernel import layout as at
from openalpha.venue.kernel.arena import (
    build_arena,
    check_sound,
    enlarged,
)
from openalpha.venue.kernel.layout import I64, Market
from openalpha.venue.kernel.setup import AccountSetup, InstrumentSetup, OrderRequest
from openalpha.venue.kernel.written import Written

__all__ = ["Machine"]


@dataclass(slots=True)
class Machine(Written):
    """One kernel over one history.

    Parameters
    ----------
    instruments, account : setups
    market, funding_spans : from `make_market`
    timeframe_ms : int
    skip : bool
        Whether bars that provably change nothing are skipped; off gives the same bytes, slower.
    mark_rows, index_rows : tuple of int
        For each instrument the row of its series in `market.mark` (`index`), -1 for none.

    Examples
    --------
    >>> import numpy as np
    >>> from openalpha.venue.kernel.setup import make_market
    >>> bars = np.array([[[100, 105, 95, 101, 50], [101, 110, 100, 108, 50]]])
    >>> market, spans = make_market(np.array([0, 60_000]), bars)
    >>> machine = Machine((InstrumentSetup(1),), AccountSetup((10_000,)), market, spans, 60_000)
    >>> machine.run(1)
    >>> machine.submit(0, 60_000, OrderRequest(side=1, qty=10))
    1
    >>> machine.run(2)
    >>> machine.fills[0, 5:7].tolist(), machine.equity()
    ([10, 101], 10070)
    """

    instruments: tuple[InstrumentSetup, ...]
    account: AccountSetup
    market: Market
    funding_spans: tuple[tuple[int, int], ...]
    timeframe_ms: int
    skip: bool = True
    mark_rows: tuple[int, ...] = ()
    index_rows: tuple[int, ...] = ()
    arena: I64 = field(init=False)
    row: int = field(init=False, default=0)
    _request: I64 = field(init=False)

    def __post_init__(self) -> None:
        self.arena = build_arena(self.instruments, (self.account,), self.timeframe_ms)
        self.arena[at.H_SKIP] = int(self.skip)
        self._request = np.zeros(drive.REQUEST_COLS, dtype=np.int64)
        for number in range(len(self.instruments)):
            block = at.HEAD_COLS + number * at.INST_COLS
            span = self.funding_spans[number]
            self.arena[block + at.I_FUND_AT], self.arena[block + at.I_FUND_END] = span
            if self.mark_rows:
                self.arena[block + at.I_MARK_ROW] = self.mark_rows[number]
            if self.index_rows:
                self.arena[block + at.I_INDEX_ROW] = self.index_rows[number]

    def submit(self, number: int, ts_ms: int, request: OrderRequest) -> int:
        """Put an order on instrument `number` in flight at `ts_ms`; returns its id."""
        block = at.HEAD_COLS + number * at.INST_COLS
        if self.arena[block + at.I_N_ORDERS] + drive.SPARE_SLOTS > self.arena[at.H_SLOTS]:
            self.arena = enlarged(self.arena)
        order_id = drive.place(self.arena, number, ts_ms, request.row(self._request))
        drive.watch(self.arena, self.market.funding_ts)
        return int(order_id)

    def cancel(
        self, number: int, ts_ms: int, order_id: int, *, why: int = Reason.CANCELLED_BY_USER
    ) -> bool:
        """Put a cancel in flight; False if the order is not alive."""
        is_alive = drive.request_cancel(self.arena, number, ts_ms, order_id, int(why))
        drive.watch(self.arena, self.market.funding_ts)
        return bool(is_alive)

    def amend(
        self,
        number: int,
        ts_ms: int,
        order_id: int,
        *,
        qty: int = 0,
        limit: int = 0,
        trigger: int = 0,
    ) -> bool:
        """Put an amend in flight (0 keeps a value); False if the order is not alive."""
        is_alive = drive.request_amend(self.arena, number, ts_ms, order_id, qty, limit, trigger)
        drive.watch(self.arena, self.market.funding_ts)
        return bool(is_alive)

    def transfer(self, coin: int, ts_ms: int, amount: int) -> None:
        """Book a deposit (+) or withdrawal (-), in the coin's cash units."""
        drive.transfer(self.arena, 0, coin, ts_ms, int(EffectKind.TRANSFER), amount)
        drive.watch(self.arena, self.market.funding_ts)

    def run(self, stop: int) -> None:
        """Lead the account over the rows up to `stop` (exclusive)."""
        assert self.row <= stop <= len(self.market.ts)
        while self.row < stop:
            self.row = int(drive.advance(self.arena, self.market, self.row, stop))
            if self.row < stop:
                self.arena = enlarged(self.arena)
        check_sound(self.arena)

    def balances(self) -> list[int]:
        """Return the account's balances, coin 0 first, in cash units."""
        start = int(self.arena[at.H_ACCTS_AT]) + at.AC_BALANCES
        return [int(x) for x in self.arena[start : start + int(self.arena[at.H_N_COINS])]]

    def position(self, number: int, leg: int = 0) -> tuple[int, int, int]:
        """Return quantity, cost and isolated margin of a leg, in units (rule A2)."""
        a = int(self.arena[at.H_ACCTS_AT])
        p = a + int(self.arena[a + at.AC_LEGS_AT]) + (2 * number + leg) * at.LEG_COLS
        qty, cost, margin = (int(x) for x in self.arena[p : p + 3])
        return qty, cost, margin

    def equity(self) -> int:
        """Return equity at the present marks, in cash units of coin 0."""
        return int(drive.equity_of(self.arena, 0))

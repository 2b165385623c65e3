"""The price-time book as Python sees it: several accounts and the market's levels in one place."""

from dataclasses import dataclass, field, replace

import numpy as np

from openalpha.core.messages import EffectKind
from openalpha.core.reasons import Reason
from openalpha.venue.kernel import book_account as venue
from openalpha.venue.kernel import book_market as event
from openalpha.venue.kernel import drive
from openalpha.venue.kernel import layout as at
from openalpha.venue.kernel.arena import (
    build_arena,
    check_sound,
    orders_of,
    with_account,
    with_room,
)
from openalpha.venue.kernel.layout import I64
from openalpha.venue.kernel.setup import AccountSetup, InstrumentSetup, OrderRequest
from openalpha.venue.kernel.written import Written

__all__ = ["BookMachine", "Depth"]

FIRST_LEVELS = 256
Depth = list[tuple[int, int]]
"""(price, quantity) by price, the best first."""


@dataclass(slots=True)
class BookMachine(Written):
    """A venue of several accounts whose orders meet each other and the market in one book.

    The rules are those of docs/kernel/rules.md with the liquidity of docs/kernel/book.md. Spread,
    impact and participation of the setups do not apply: the book says what things cost.

    Parameters
    ----------
    instruments : tuple of InstrumentSetup
    accounts : tuple of AccountSetup
        The latency of the first is the venue's.

    Examples
    --------
    >>> venue = BookMachine((InstrumentSetup(1),), (AccountSetup((10_000,)),) * 2)
    >>> _ = venue.submit(0, 1, OrderRequest(side=-1, qty=3, order_type=1, limit=100, account=0))
    >>> _ = venue.submit(0, 1, OrderRequest(side=1, qty=2, account=1))
    >>> venue.advance(1)
    >>> venue.position(0, 0)[0], venue.position(1, 0)[0], venue.depth(0)
    (-2, 2, ([], [(100, 1)]))
    """

    instruments: tuple[InstrumentSetup, ...]
    accounts: tuple[AccountSetup, ...]
    arena: I64 = field(init=False)
    _request: I64 = field(init=False)
    _event: I64 = field(init=False)

    def __post_init__(self) -> None:
        plain = tuple(
            replace(setup, half_spread_e8=0, impact_e8=0, participation_e6=0)
            for setup in self.instruments
        )
        self.arena = build_arena(plain, self.accounts, 0, levels=FIRST_LEVELS)
        self.arena[at.H_SKIP] = 0
        for number in range(len(plain)):
            self.arena[at.HEAD_COLS + number * at.INST_COLS + at.I_BUDGET] = at.BIG
        self._request = np.zeros(drive.REQUEST_COLS, dtype=np.int64)
        self._event = np.zeros((1, event.EVENT_COLS), dtype=np.int64)

    # what accounts do

    def submit(self, number: int, ts_ms: int, request: OrderRequest) -> int:
        """Put an order of `request.account` on instrument `number` in flight; returns its id.

        It acts when time reaches its arrival: at a later event, or at `advance`.
        """
        assert 0 <= request.account < len(self.accounts) and ts_ms >= self.now_ms
        if self._block(number, at.I_N_ORDERS) + drive.SPARE_SLOTS > self.arena[at.H_SLOTS]:
            self._enlarge()
        return int(drive.place(self.arena, number, ts_ms, request.row(self._request)))

    def cancel(self, account: int, number: int, ts_ms: int, order_id: int) -> bool:
        """Put a cancel in flight; False if the account has no such order alive."""
        why = int(Reason.CANCELLED_BY_USER)
        return self._owns(account, number, order_id) and bool(
            drive.request_cancel(self.arena, number, ts_ms, order_id, why)
        )

    def amend(
        self,
        account: int,
        number: int,
        ts_ms: int,
        order_id: int,
        *,
        qty: int = 0,
        limit: int = 0,
        trigger: int = 0,
    ) -> bool:
        """Put an amend in flight (0 keeps a value); False if no such order of the account lives."""
        return self._owns(account, number, order_id) and bool(
            drive.request_amend(self.arena, number, ts_ms, order_id, qty, limit, trigger)
        )

    def transfer(self, account: int, coin: int, ts_ms: int, amount: int) -> None:
        """Book a deposit (+) or withdrawal (-), in the coin's cash units."""
        drive.transfer(self.arena, account, coin, ts_ms, int(EffectKind.TRANSFER), amount)

    # what the venue arranges

    def add_account(self, account: AccountSetup) -> int:
        """Let one account more in, from now on; returns its number."""
        self.arena = with_account(self.arena, account, self.instruments)
        self.accounts = (*self.accounts, account)
        return len(self.accounts) - 1

    def set_modes(self, account: int, *, margin_mode: int, position_mode: int) -> None:
        """Set how an account is margined and whether it is hedged; locks isolated margin anew.

        Changing the position mode of an account that holds positions or orders is the caller's to
        refuse.
        """
        a = self._account(account)
        self.arena[a + at.AC_MARGIN_MODE] = margin_mode
        self.arena[a + at.AC_POSITION_MODE] = position_mode
        for number in range(len(self.instruments)):
            venue.lock_margin(self.arena, account, number)

    def set_leverage(self, account: int, number: int, leg: int, leverage_e2: int) -> None:
        """Set a leg's leverage; an isolated leg's margin is locked anew from its entry value."""
        self.arena[self._leg(account, number, leg) + at.P_LEVERAGE_E2] = leverage_e2
        venue.lock_margin(self.arena, account, number)

    def add_margin(self, account: int, number: int, leg: int, amount: int) -> None:
        """Lock more (+) or less (-) margin for an isolated leg, in cash units of the settle coin.

        That the account has it free, or the leg to spare, is the caller's to see to.
        """
        self.arena[self._leg(account, number, leg) + at.P_MARGIN] += amount
        check_sound(self.arena)

    def leverage(self, account: int, number: int, leg: int) -> int:
        """Return a leg's leverage in 10^-2."""
        return self.arena.item(self._leg(account, number, leg) + at.P_LEVERAGE_E2)

    def fees(self, account: int, number: int) -> tuple[int, int]:
        """Return what an account pays on an instrument as maker and taker, in 10^-8."""
        p = self._leg(account, number, 0)
        return self.arena.item(p + at.P_MAKER_E8), self.arena.item(p + at.P_TAKER_E8)

    def set_fees(self, account: int, number: int, *, maker_e8: int, taker_e8: int) -> None:
        """Set what an account pays on an instrument, in 10^-8 of the notional."""
        for leg in range(2):
            p = self._leg(account, number, leg)
            self.arena[p + at.P_MAKER_E8], self.arena[p + at.P_TAKER_E8] = maker_e8, taker_e8

    def settle(
        self, account: int, number: int, ts_ms: int, *, leg: int, price: int, reason: Reason
    ) -> None:
        """Close a whole leg at a price the venue names, outside the book and free of fees (B18)."""
        self.arena[at.H_NOW_MS] = max(self.now_ms, ts_ms)
        if self.arena[at.H_FILLS_CAP] - self.arena[at.H_N_FILLS] < event.ROOM:
            self._enlarge()
        venue.settle_leg(self.arena, account, number, leg, price, int(reason))
        check_sound(self.arena)

    # what the market does

    def on_level(self, number: int, ts_ms: int, side: int, price: int, qty: int) -> None:
        """Take the market's quantity at a price: +1 bid, -1 ask; 0 removes the level."""
        self._one(ts_ms, event.LEVEL, number, side, price, qty)

    def on_snapshot(self, number: int, ts_ms: int, bids: Depth, asks: Depth) -> None:
        """Replace all the market's levels."""
        rows = [(ts_ms, event.SNAPSHOT_BEGIN, number, 0, 0, 0)]
        for side, levels in ((1, bids), (-1, asks)):
            rows += [(ts_ms, event.LEVEL, number, side, price, qty) for price, qty in levels]
        rows.append((ts_ms, event.SNAPSHOT_END, number, 0, 0, 0))
        self.replay(np.array(rows, dtype=np.int64))

    def on_trade(self, number: int, ts_ms: int, price: int, qty: int, taker_side: int) -> None:
        """Take a print of the market's tape."""
        self._one(ts_ms, event.TRADE, number, taker_side, price, qty)

    def on_mark(self, number: int, ts_ms: int, mark: int, index: int = 0) -> None:
        """Take a mark price and, where given, an index price."""
        self._one(ts_ms, event.MARKS, number, 0, mark, index)

    def on_funding(self, number: int, ts_ms: int, rate_e12: int) -> None:
        """Settle funding between the accounts and the market at the present mark."""
        self._one(ts_ms, event.FUNDING, number, 0, rate_e12, 0)

    def advance(self, ts_ms: int) -> None:
        """Let time pass: commands that arrive up to and at a moment are carried out."""
        self._one(ts_ms, event.TIME, 0, 0, 0, 0)

    def replay(self, events: I64) -> None:
        """Take many events at once.

        Parameters
        ----------
        events : int64[n, EVENT_COLS]
            Rows as `book_events` makes them, stamps not falling.
        """
        assert events.ndim == 2 and events.shape[1] == event.EVENT_COLS
        events = np.ascontiguousarray(events, dtype=np.int64)
        row = int(event.replay(self.arena, events, 0))
        while row < len(events):
            self._enlarge()
            row = int(event.replay(self.arena, events, row))
        check_sound(self.arena)

    # what there is to read

    @property
    def now_ms(self) -> int:
        """The venue's time."""
        return self.arena.item(at.H_NOW_MS)

    @property
    def has_written(self) -> bool:
        """Whether there are fills, effects or ended orders that were not drained."""
        counts = (at.H_N_FILLS, at.H_N_EFFECTS, at.H_N_DONE)
        return any(self.arena.item(count_at) for count_at in counts)

    def drain(self) -> tuple[I64, I64, I64]:
        """Return copies of fills, effects and ended orders so far, and forget them.

        An effect's fill (`E_FILL`) is then the row of the returned fills. A venue that runs for
        weeks keeps its memory small so.
        """
        taken = (self.fills.copy(), self.effects.copy(), self.done.copy())
        for count_at in (at.H_N_FILLS, at.H_N_EFFECTS, at.H_N_DONE):
            self.arena[count_at] = 0
        return taken

    def state(self, account: int) -> I64:
        """Return int64[STATE_COLS] of `book_account`: equity, margins and what is free."""
        row = np.empty(venue.STATE_COLS, dtype=np.int64)
        venue.read_account(self.arena, account, row)
        return row

    def leg_state(self, account: int, number: int, leg: int) -> I64:
        """Return int64[LEG_STATE_COLS] of `book_account`: what a leg holds, needs and shows."""
        row = np.empty(venue.LEG_STATE_COLS, dtype=np.int64)
        venue.read_leg(self.arena, account, number, leg, row)
        return row

    def order_row(self, number: int, order_id: int) -> I64 | None:
        """Return int64[ORDER_COLS], a view of a live order; None where there is none."""
        rows = orders_of(self.arena, number)
        if not len(rows):
            return None
        # An id is given once: of a slot that was freed it still names the order it was.
        row = rows[(rows[:, at.O_ID] == order_id).argmax()]
        is_it = row.item(at.O_ID) == order_id and row.item(at.O_STATUS) != at.FREE
        return row if is_it else None

    def balances(self, account: int) -> list[int]:
        """Return an account's balances, coin 0 first, in cash units."""
        start = self._account(account) + at.AC_BALANCES
        found: list[int] = self.arena[start : start + self.arena.item(at.H_N_COINS)].tolist()
        return found

    def position(self, account: int, number: int, leg: int = 0) -> tuple[int, int, int]:
        """Return quantity, cost and isolated margin of a leg, in units (rule A2)."""
        p = self._leg(account, number, leg)
        qty, cost, margin = self.arena[p : p + 3].tolist()
        return qty, cost, margin

    def terms(self, account: int, number: int, leg: int) -> tuple[int, int, int, int]:
        """Return quantity, cost and isolated margin of a leg, and its leverage in 10^-2."""
        p = self._leg(account, number, leg)
        row = self.arena[p : p + at.LEG_COLS].tolist()
        return row[at.P_QTY], row[at.P_COST], row[at.P_MARGIN], row[at.P_LEVERAGE_E2]

    def equity(self, account: int) -> int:
        """Return an account's equity at the present marks, in cash units of coin 0."""
        return int(drive.equity_of(self.arena, account))

    def last(self, number: int) -> int:
        """Return the last traded price in price units, 0 before the first trade."""
        return self._block(number, at.I_LAST)

    def mark(self, number: int) -> int:
        """Return the mark price in price units, 0 before the first."""
        return self._block(number, at.I_MARK)

    def best(self, number: int) -> tuple[int, int]:
        """Return best bid and ask of market and orders together, 0 where there is none."""
        bid, ask = venue.touch(self.arena, at.HEAD_COLS + number * at.INST_COLS)
        return int(bid), int(ask)

    def depth(self, number: int) -> tuple[Depth, Depth]:
        """Return bids and asks, market and orders together, the best first."""
        bids = self._side(number, 1, self._levels(number, at.I_N_BIDS, 0))
        room = int(self.arena[at.H_LEVELS]) * at.LEVEL_COLS
        return bids, self._side(number, -1, self._levels(number, at.I_N_ASKS, room))

    def _levels(self, number: int, count_at: int, shift: int) -> Depth:
        """Return the market's own levels of a side."""
        start = self._block(number, at.I_BOOK_AT) + shift
        rows = self.arena[start : start + self._block(number, count_at) * at.LEVEL_COLS]
        pairs = rows.reshape(-1, at.LEVEL_COLS).tolist()
        return [(price, qty) for price, qty in pairs]

    def _side(self, number: int, side: int, levels: Depth) -> Depth:
        """Add the orders that rest on a side to the market's levels."""
        total = dict(levels)
        rows = orders_of(self.arena, number)
        status = rows[:, at.O_STATUS]
        is_resting = (status == at.OPEN) | (status == at.PARTLY)
        is_resting &= (rows[:, at.O_TYPE] == at.LIMIT) & (rows[:, at.O_SIDE] == side)
        for price, qty, filled in rows[is_resting][:, (at.O_LIMIT, at.O_QTY, at.O_FILLED)].tolist():
            total[price] = total.get(price, 0) + qty - filled
        return sorted(total.items(), reverse=side > 0)

    def _one(self, ts_ms: int, kind: int, number: int, side: int, price: int, qty: int) -> None:
        """Take a single event."""
        self._event[0] = (ts_ms, kind, number, side, price, qty)
        self.replay(self._event)

    def _enlarge(self) -> None:
        """Make room for whatever one more event can write."""
        blocks = range(len(self.instruments))
        orders = max(self._block(number, at.I_N_ORDERS) for number in blocks)
        counts = (at.I_N_BIDS, at.I_N_ASKS)
        levels = max(self._block(number, side) for number in blocks for side in counts)
        per_instrument = 2 * levels + 16 * orders
        rows = event.ROOM + 64 * len(self.accounts) + len(self.instruments) * per_instrument
        self.arena = with_room(
            self.arena, slots=5 * orders + 16, rows=2 * rows, levels=levels + levels // 2 + 1
        )

    def _owns(self, account: int, number: int, order_id: int) -> bool:
        """Say whether an account has an order alive or in flight."""
        row = self.order_row(number, order_id)
        return row is not None and row.item(at.O_ACCT) == account

    def _account(self, account: int) -> int:
        """Return the place of an account's block."""
        return self.arena.item(at.H_ACCTS_AT) + account * self.arena.item(at.H_ACCT_SIZE)

    def _leg(self, account: int, number: int, leg: int) -> int:
        """Return the place of an account's leg of an instrument."""
        a = self._account(account)
        return a + self.arena.item(a + at.AC_LEGS_AT) + (2 * number + leg) * at.LEG_COLS

    def _block(self, number: int, column: int) -> int:
        """Return a column of an instrument's block."""
        return self.arena.item(at.HEAD_COLS + number * at.INST_COLS + column)

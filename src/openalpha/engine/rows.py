"""One closed row of a live market: what all instruments of a run did between two moments."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from openalpha.core.instruments import Instrument
from openalpha.engine.grid import common_grid
from openalpha.engine.run import VenueSettings, machine_for
from openalpha.engine.tables import Units
from openalpha.market.history import History
from openalpha.venue.kernel import drive
from openalpha.venue.kernel import layout as at
from openalpha.venue.kernel.arena import check_sound, enlarged
from openalpha.venue.kernel.layout import ABSENT, I64, Market
from openalpha.venue.kernel.machine import Machine

__all__ = [
    "Commanded",
    "KernelAccount",
    "MarketRows",
    "OpenAccount",
    "Row",
    "Stepped",
    "Written",
    "blank_history",
    "open_account",
]

Prices = tuple[int, int, int, int]
BarUnits = tuple[int, int, int, int, int]
_FUNDING_SLOTS = 64


@dataclass(frozen=True, slots=True)
class Row:
    """One row: a bar of every instrument, None where it had none.

    Parameters
    ----------
    ts_ms : int
        Opening stamp, UTC ms.
    bars : tuple of (open, high, low, close, volume) or None
        In the instrument's units, one an instrument.
    mark, index : tuple of (open, high, low, close) or None
        Empty where no instrument has such prices.
    funding : tuple of (instrument number, stamp, rate in 10^-12)
        Settlements since the row before, in order of time for each instrument.
    """

    ts_ms: int
    bars: tuple[BarUnits | None, ...]
    mark: tuple[Prices | None, ...] = ()
    index: tuple[Prices | None, ...] = ()
    funding: tuple[tuple[int, int, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Written:
    """What the kernel wrote while it was led through a row: int64 rows, and where they begin.

    `first_fill` is the number, in the whole run, of the first row of `fills`; so for the others.
    """

    fills: I64
    effects: I64
    done: I64
    first_fill: int
    first_effect: int
    first_done: int


@dataclass(frozen=True, slots=True)
class Commanded:
    """What was put in flight at a row's close: instrument number and order, or order id.

    `ordered` and `changed` hold int64[ORDER_COLS] rows.
    """

    ordered: tuple[tuple[int, I64], ...] = ()
    withdrawn: tuple[tuple[int, int], ...] = ()
    changed: tuple[tuple[int, I64], ...] = ()


@dataclass(frozen=True, slots=True)
class Stepped:
    """What one row led to.

    Parameters
    ----------
    equity : float
        At the row's close, in cash units.
    codes : tuple of int
        Reason code of the decision of each instrument.
    written : Written
        Fills, effects and ended orders of the row.
    commanded : Commanded
        What was decided at its close.
    """

    equity: float
    codes: tuple[int, ...]
    written: Written
    commanded: Commanded


class MarketRows:
    """A market of two rows that moves on with time: the row before, and the one just closed.

    The kernel reads no more than these two, so a run of any length needs no more memory.
    """

    def __init__(self, machine: Machine) -> None:
        before = machine.market
        n = before.bars.shape[0]
        self.count = 0
        self.ts = np.zeros(2, dtype=np.int64)
        self.bars = np.zeros((n, 2, at.BAR_COLS), dtype=np.int64)
        self.mark = np.zeros((before.mark.shape[0], 2 * bool(before.mark.shape[0]), 4), np.int64)
        self.index = np.zeros(
            (before.index_price.shape[0], 2 * bool(before.index_price.shape[0]), 4), np.int64
        )
        self.funding_ts = np.zeros(n * _FUNDING_SLOTS, dtype=np.int64)
        self.funding_rate = np.zeros(n * _FUNDING_SLOTS, dtype=np.int64)
        self.mark_rows, self.index_rows = machine.mark_rows, machine.index_rows
        self.machine = machine
        machine.market = self.market()
        for number in range(n):
            self._span(number, number * _FUNDING_SLOTS, number * _FUNDING_SLOTS)

    def market(self) -> Market:
        """Return the arrays as the kernel wants them."""
        return Market(
            self.ts,
            self.bars,
            self.mark,
            self.index,
            self.funding_ts,
            self.funding_rate,
            self.bars,
        )

    @property
    def at(self) -> int:
        """Where the row just closed lies."""
        return 0 if self.count <= 1 else 1

    def add(self, row: Row) -> int:
        """Take a row in; returns where it lies."""
        if self.count >= 2:
            for array in (self.ts, *self._tables()):
                _shift(array)
        self.count += 1
        here = self.at
        self.ts[here] = row.ts_ms
        for number, bar in enumerate(row.bars):
            self._put_bar(number, bar, here)
        self._put_series(self.mark, self.mark_rows, row.mark, here)
        self._put_series(self.index, self.index_rows, row.index, here)
        if row.funding:
            self._put_funding(row)
        return here

    def _tables(self) -> tuple[I64, ...]:
        return (self.bars, self.mark, self.index)

    def _put_bar(self, number: int, bar: BarUnits | None, here: int) -> None:
        if bar is not None:
            self.bars[number, here] = bar
            return
        close = self.bars[number, here - 1, at.B_CLOSE] if here else 0
        self.bars[number, here, :4] = close
        self.bars[number, here, at.B_VOLUME] = ABSENT

    def _put_series(
        self, table: I64, rows: Sequence[int], given: Sequence[Prices | None], here: int
    ) -> None:
        for number, place in enumerate(rows):
            if place < 0:
                continue
            prices = given[number] if given else None
            if prices is not None:
                table[place, here] = prices
            else:
                table[place, here] = table[place, here - 1, at.B_CLOSE] if here else 0

    def _put_funding(self, row: Row) -> None:
        for number in {part[0] for part in row.funding}:
            self._make_room(number)
        for number, ts_ms, rate in row.funding:
            block = at.HEAD_COLS + number * at.INST_COLS
            end = int(self.machine.arena[block + at.I_FUND_END])
            assert end < (number + 1) * _FUNDING_SLOTS, "too many settlements of one row"
            self.funding_ts[end], self.funding_rate[end] = ts_ms, rate
            self.machine.arena[block + at.I_FUND_END] = end + 1
        drive.watch(self.machine.arena, self.funding_ts)

    def _make_room(self, number: int) -> None:
        """Forget settlements that were paid, and those that went by while nothing was held."""
        first = number * _FUNDING_SLOTS
        block = at.HEAD_COLS + number * at.INST_COLS
        start, stop = (
            int(self.machine.arena[block + at.I_FUND_AT]),
            int(self.machine.arena[block + at.I_FUND_END]),
        )
        if all(self.machine.position(number, leg)[0] == 0 for leg in range(2)):
            start = stop
        left = stop - start
        self.funding_ts[first : first + left] = self.funding_ts[start:stop].copy()
        self.funding_rate[first : first + left] = self.funding_rate[start:stop].copy()
        self._span(number, first, first + left)

    def _span(self, number: int, start: int, stop: int) -> None:
        block = at.HEAD_COLS + number * at.INST_COLS
        self.machine.arena[block + at.I_FUND_AT] = start
        self.machine.arena[block + at.I_FUND_END] = stop


def _shift(array: I64) -> None:
    """Make the row just closed the row before."""
    if array.ndim == 1:
        array[0] = array[1]
    elif array.shape[0]:
        array[:, 0] = array[:, 1]


class KernelAccount:
    """A kernel account, and what it wrote since it was last asked.

    Attributes
    ----------
    blank : sequence of History
        Its instruments, without bars.
    fills, effects, done : int
        How many rows were taken so far.
    """

    def __init__(self, machine: Machine, units: Units, blank: Sequence[History]) -> None:
        self.machine, self.units, self.blank = machine, units, blank
        self.fills = self.effects = self.done = 0

    def take_written(self) -> Written:
        """Return what was written since the last time, and let the kernel's memory forget it."""
        arena = self.machine.arena
        if not (arena[at.H_N_FILLS] or arena[at.H_N_EFFECTS] or arena[at.H_N_DONE]):
            nothing = (self.machine.fills[:0], self.machine.effects[:0], self.machine.done[:0])
            return Written(*nothing, self.fills, self.effects, self.done)
        found = Written(
            self.machine.fills.copy(),
            self.machine.effects.copy(),
            self.machine.done.copy(),
            self.fills,
            self.effects,
            self.done,
        )
        mine = found.effects[:, at.E_FILL] >= 0
        found.effects[mine, at.E_FILL] += self.fills
        self.fills += len(found.fills)
        self.effects += len(found.effects)
        self.done += len(found.done)
        arena[at.H_N_FILLS] = arena[at.H_N_EFFECTS] = arena[at.H_N_DONE] = 0
        return found

    def marks(self) -> tuple[int, ...]:
        """Return each instrument's mark at the last close (its last price where it has none)."""
        arena, first = self.machine.arena, at.HEAD_COLS + at.I_MARK
        return tuple(
            int(arena[first + number * at.INST_COLS])
            for number in range(len(self.machine.instruments))
        )

    def counters(self) -> tuple[int, int]:
        """Return the last order id and sequence number given out: what `commanded` counts from."""
        arena = self.machine.arena
        return int(arena[at.H_ORDER_ID]), int(arena[at.H_SEQ])

    def commanded(self, now_ms: int, since: tuple[int, int]) -> "Commanded":
        """Return the orders, cancels and changes put in flight at a moment, in order of id."""
        last_id, last_seq = since
        if int(self.machine.arena[at.H_SEQ]) == last_seq:
            return Commanded()
        ordered, withdrawn, changed = [], [], []
        for number in range(len(self.machine.instruments)):
            for order in self.machine.live_orders(number):
                is_own = order[at.O_ID] > last_id and not order[at.O_ATTACHED]
                if is_own and order[at.O_CREATED] == now_ms:
                    ordered.append((number, order.copy()))
                if order[at.O_CANCEL_SEQ] > last_seq:
                    withdrawn.append((number, int(order[at.O_ID])))
                if order[at.O_AMEND_SEQ] > last_seq:
                    changed.append((number, order.copy()))
        return Commanded(
            tuple(sorted(ordered, key=lambda item: int(item[1][at.O_ID]))),
            tuple(sorted(withdrawn, key=lambda item: item[1])),
            tuple(sorted(changed, key=lambda item: int(item[1][at.O_ID]))),
        )


class OpenAccount(KernelAccount):
    """A kernel account that is led row by row."""

    def __init__(self, machine: Machine, units: Units, blank: Sequence[History]) -> None:
        super().__init__(machine, units, blank)
        self.rows = MarketRows(machine)

    def make_room(self) -> None:
        """Enlarge the kernel's memory."""
        self.machine.arena = enlarged(self.machine.arena)

    def check(self) -> None:
        """Stop on what can only be a bug of the kernel."""
        check_sound(self.machine.arena)


def open_account(
    instruments: Sequence[Instrument],
    *,
    timeframe_ms: int,
    capital: "object",
    settings: VenueSettings,
    has_mark: Sequence[bool] = (),
    has_index: Sequence[bool] = (),
) -> OpenAccount:
    """Open a kernel account that will be led row by row.

    Parameters
    ----------
    instruments : sequence of Instrument
        With the decimals their rows will have.
    capital : Decimal
        Starting balance in the account currency.
    has_mark, has_index : sequence of bool
        Whether an instrument's rows carry mark and index prices; none do where left out.
    """
    from decimal import Decimal

    assert isinstance(capital, Decimal)
    nothing = (np.zeros(0, np.int64), np.zeros(0, np.int64))
    marks = tuple(has_mark) or (False,) * len(instruments)
    indices = tuple(has_index) or (False,) * len(instruments)
    blank = [
        blank_history(instrument, timeframe_ms, has_mark=mark, has_index=index)
        for instrument, mark, index in zip(instruments, marks, indices, strict=True)
    ]
    machine, units = machine_for(
        blank,
        common_grid(blank),
        capital=capital,
        settings=settings,
        funding=[nothing for _ in blank],
    )
    return OpenAccount(machine, units, blank)


def blank_history(
    instrument: Instrument, timeframe_ms: int, *, has_mark: bool, has_index: bool
) -> History:
    """Return a history of one empty bar: it says which prices an instrument has, no more."""
    prices = np.zeros((1, 4), dtype=np.int64)
    return History.of(
        instrument,
        timeframe_ms,
        ts_ms=np.zeros(1, dtype=np.int64),
        bars=np.zeros((1, 5), dtype=np.int64),
        mark=prices if has_mark else None,
        index=prices if has_index else None,
    )

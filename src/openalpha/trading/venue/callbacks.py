"""A strategy of callbacks at a venue: what it sees there, and the hand it orders by."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Protocol

from openalpha.core.instruments import Instrument
from openalpha.core.messages import Fill
from openalpha.core.reasons import Reason
from openalpha.core.units import to_units
from openalpha.engine.bars_so_far import BarsSoFar, keep_row
from openalpha.engine.context_base import ContextBase, SeenBar
from openalpha.engine.events import check_event_run
from openalpha.engine.rows import Row
from openalpha.engine.terms import Terms
from openalpha.strategy.bars import Bars
from openalpha.strategy.events import EventStrategy, OpenOrder, OrderTerms
from openalpha.strategy.params import Exits
from openalpha.trading.run.plan import RunPlan, StrategyPlan
from openalpha.venue.kernel.setup import OrderRequest

__all__ = ["Callbacks", "Hand", "VenueContext", "open_callbacks"]


class Hand(Protocol):
    """The sub-book behind a context: what it holds, and the orders it may make."""

    @property
    def cash(self) -> Decimal:
        """Of the account currency."""
        ...

    @property
    def equity(self) -> Decimal:
        """Cash, coins and open profit."""
        ...

    def holding(self, which: int) -> tuple[float, float]:
        """Return signed quantity and average price of an instrument, NaN when flat."""
        ...

    def orders(self) -> tuple[OpenOrder, ...]:
        """Return the strategy's open orders, without what they are tagged."""
        ...

    def place(self, which: int, made: OrderRequest) -> int:
        """Place an order; returns its id, 0 where it was not sent."""
        ...

    def close(self, which: int) -> None:
        """Close a position at market."""
        ...

    def cancel(self, order_id: int) -> None:
        """Cancel an open order."""
        ...

    def amend(
        self, order_id: int, *, qty: float | None, limit: float | None, trigger: float | None
    ) -> None:
        """Change an open order."""
        ...


class VenueContext(SeenBar, ContextBase):
    """The `Context` of a strategy at a venue.

    As over history the bars are closed ones, and orders come in people's units and are rounded
    alike. Position, cash and open orders are what the venue has told.

    Attributes
    ----------
    index : int
        Number of the run's bar just closed; -1 before the first.
    ts_ms : int
        Its close, or when the fill that is told was heard of, UTC ms.
    codes : list of int
        What became of the bar's last order of each instrument: a reason code.
    """

    def __init__(
        self,
        keys: Sequence[str],
        instruments: Sequence[Instrument],
        *,
        timeframe_ms: int,
        exits: Exits,
        silent_bars: int,
    ) -> None:
        self.so_far = [BarsSoFar(item, timeframe_ms) for item in instruments]
        self.terms = [
            Terms(item, _steps(item), timeframe_ms=timeframe_ms, exits=exits)
            for item in instruments
        ]
        super().__init__(keys, [str(item.id) for item in instruments])
        self.silent_bars, self.ts_ms = silent_bars, 0
        self.codes = [int(Reason.NO_SIGNAL)] * len(instruments)
        self.hand: Hand | None = None

    def remember(self, rows: Sequence[Row]) -> None:
        """Take in rows of before the run: `history` shows them, and they count as warm-up."""
        for row in rows:
            keep_row(self.so_far, row)
        self.silent_bars = max(self.silent_bars - len(rows), 0)

    def show(self, row: Row, *, now_ms: int) -> None:
        """Move on to a row that has closed."""
        keep_row(self.so_far, row)
        self.index, self.ts_ms = self.index + 1, now_ms
        self.codes = [int(Reason.NO_SIGNAL)] * len(self.so_far)
        self.see(row.bars[0], self.terms[0])

    @property
    def position(self) -> float:
        """Signed quantity held."""
        return self._hand.holding(0)[0]

    @property
    def entry_price(self) -> float:
        """Average price of the position, NaN when flat."""
        return self._hand.holding(0)[1]

    @property
    def equity(self) -> float:
        """Cash and open profit, account currency."""
        return float(self._hand.equity)

    @property
    def cash(self) -> float:
        """Cash, account currency."""
        return float(self._hand.cash)

    @property
    def orders(self) -> tuple[OpenOrder, ...]:
        """Its orders still open, oldest first; stops that risk placed are not its own."""
        return tuple(
            replace(order, tag=self._tags.get(order.id, "")) for order in self._hand.orders()
        )

    def close_position(self, *, instrument: str | None = None) -> None:
        """Close the whole position at market, reduce-only."""
        which = self._number(instrument)
        self._begun().close(which)

    def cancel(self, order_id: int) -> None:
        """Cancel an open order; one that is closed already is left alone."""
        self._begun().cancel(order_id)

    def amend(
        self,
        order_id: int,
        *,
        qty: float | None = None,
        limit: float | None = None,
        trigger: float | None = None,
    ) -> None:
        """Change an open order; one that is closed already is left alone."""
        self._begun().amend(order_id, qty=qty, limit=limit, trigger=trigger)

    def refuse(self, which: int, reason: Reason) -> int:
        """Note why an order of an instrument was not sent; returns the id it has: 0."""
        self.codes[which] = int(reason)
        return 0

    @property
    def _hand(self) -> Hand:
        assert self.hand is not None, "the desk gives each its hand"
        return self.hand

    def _begun(self) -> Hand:
        self._check_begun()
        return self._hand

    def _holding_of(self, number: int) -> tuple[float, float]:
        return self._hand.holding(number)

    def _known(self, number: int) -> tuple[Bars, int]:
        so_far = self.so_far[number]
        return so_far.bars(), len(so_far)

    def _place(self, number: int, side: int, qty: object, terms: OrderTerms) -> int:
        hand = self._begun()
        made = self.terms[number].request(side, qty, terms=terms, ts_ms=self.ts_ms)
        if made.qty == 0:
            return self.refuse(number, Reason.BELOW_LOT)
        if self.index < self.silent_bars:
            return self.refuse(number, Reason.WARM_UP)
        return hand.place(number, made)


@dataclass(slots=True)
class Callbacks:
    """A strategy of callbacks, what it sees, and what it has still to be told.

    Parameters
    ----------
    strategy : EventStrategy
        One object for the whole run.
    context : VenueContext
    waiting : list of Fill
        Fills of its sub-book that it has not heard of, oldest first; `order_id` is the id that it
        was given for the order, 0 for a stop or what was done by others.
    last_id : int
        The last order id given out.
    is_failed : bool
        Its code failed: it is asked no more.
    """

    strategy: EventStrategy
    context: VenueContext
    waiting: list[Fill] = field(default_factory=list)
    last_id: int = 0
    is_failed: bool = False

    def hear(self, fill: Fill) -> None:
        """Take in a fill it is to be told of."""
        if type(self.strategy).on_fill is not EventStrategy.on_fill:
            self.waiting.append(fill)


def open_callbacks(
    strategy: EventStrategy,
    plan: RunPlan,
    *,
    part: StrategyPlan,
    instruments: Sequence[Instrument],
) -> Callbacks:
    """Open a strategy of callbacks as it is when its run begins.

    Raises
    ------
    InputError
        If it cannot be traded at a venue.
    """
    check_event_run(instruments, plan.capital_of(part), settings=plan.settings)
    exits = strategy.params.exits()
    context = VenueContext(
        part.keys,
        instruments,
        timeframe_ms=plan.timeframe_ms,
        exits=exits,
        silent_bars=max(strategy.warm_up_bars(strategy.params), 1) - 1,
    )
    return Callbacks(strategy, context)


def _steps(item: Instrument) -> tuple[tuple[int, int, int]]:
    """Return the tick and lot that the venue's were compared with: those of now, at any time."""
    rule = item.steps[-1]
    tick = to_units(rule.tick_size, item.price_decimals)
    return ((0, tick, to_units(rule.lot_size, item.qty_decimals)),)

"""A stage for event strategies: shows bars one by one and notes every order. Not a venue.

Fills are crude on purpose (market at the next open, limits when traded through, no costs): all the
proof needs is that the same past leads to the same orders.
"""

import math
from decimal import Decimal
from typing import Unpack

from openalpha.core.errors import InputError, OpenAlphaError
from openalpha.core.instruments import InstrumentId
from openalpha.core.messages import Fill
from openalpha.core.orders import Leg, Role, Side
from openalpha.core.reasons import Reason
from openalpha.strategy.bars import Bars
from openalpha.strategy.base import failure_words
from openalpha.strategy.events import EventStrategy, OpenOrder, OrderTerms

__all__ = ["Rehearsal", "rehearse"]

Note = tuple[int, str, int, float, float | None, float | None]
"""Bar, what was done, order id or side, quantity, limit, trigger."""


class Rehearsal:
    """A `Context` over one instrument's bars.

    Attributes
    ----------
    notes : list
        Everything the strategy did, in order.
    """

    def __init__(self, bars: Bars, *, capital: float = 10_000.0) -> None:
        self._bars = bars
        self._columns = [bars.open, bars.high, bars.low, bars.close, bars.volume]
        self.index = 0
        self.cash = capital
        self.position = 0.0
        self.entry_price = math.nan
        self.notes: list[Note] = []
        self._open: dict[int, OpenOrder] = {}
        self._next_id = 1
        self._fills = 0

    @property
    def ts_ms(self) -> int:
        """Close of the bar just shown."""
        return int(self._bars.ts_ms[self.index]) + self._bars.timeframe_ms

    @property
    def open(self) -> float:
        """Its open."""
        return float(self._columns[0][self.index])

    @property
    def high(self) -> float:
        """Its high."""
        return float(self._columns[1][self.index])

    @property
    def low(self) -> float:
        """Its low."""
        return float(self._columns[2][self.index])

    @property
    def close(self) -> float:
        """Its close."""
        return float(self._columns[3][self.index])

    @property
    def volume(self) -> float:
        """Its volume."""
        return float(self._columns[4][self.index])

    @property
    def equity(self) -> float:
        """Cash and the position at the last close."""
        return self.cash + self.position * self.close

    @property
    def orders(self) -> tuple[OpenOrder, ...]:
        """Orders still open, oldest first."""
        return tuple(self._open.values())

    def position_of(self, instrument: str) -> float:
        """Return what is held: there is one instrument on this stage, whatever its name."""
        return self.position

    def entry_price_of(self, instrument: str) -> float:
        """Return its average price."""
        return self.entry_price

    def history(self, count: int, *, instrument: str | None = None) -> Bars:
        """Return the last bars shown."""
        stop = self.index + 1
        return self._bars.rows(max(stop - count, 0), stop)

    def buy(self, qty: float, **terms: Unpack[OrderTerms]) -> int:
        """Note a buy order."""
        return self._place(1, qty, terms)

    def sell(self, qty: float, **terms: Unpack[OrderTerms]) -> int:
        """Note a sell order."""
        return self._place(-1, qty, terms)

    def close_position(self, *, instrument: str | None = None) -> None:
        """Note an order that closes the position, if there is one."""
        if self.position:
            self._place(-1 if self.position > 0 else 1, abs(self.position), {"reduce_only": True})

    def cancel(self, order_id: int) -> None:
        """Note a cancellation."""
        self.notes.append((self.index, "cancel", order_id, 0.0, None, None))
        self._open.pop(order_id, None)

    def amend(
        self,
        order_id: int,
        *,
        qty: float | None = None,
        limit: float | None = None,
        trigger: float | None = None,
    ) -> None:
        """Note a change of an order."""
        self.notes.append((self.index, "amend", order_id, qty or 0.0, limit, trigger))
        old = self._open.get(order_id)
        if old is not None:
            self._open[order_id] = OpenOrder(
                old.id, old.instrument, old.side,
                old.qty if qty is None else qty, old.filled,
                old.limit if limit is None else limit,
                old.trigger if trigger is None else trigger,
                old.is_reduce_only, old.tag,
            )  # fmt: skip

    def show(self, row: int, strategy: EventStrategy) -> None:
        """Let the open orders meet bar `row`, then show it."""
        self.index = row
        for order in tuple(self._open.values()):
            price = self._price_met(order)
            if price is not None and order.id in self._open:
                del self._open[order.id]
                self._fill(order, price, strategy)
        strategy.on_bar(self)

    def _place(self, side: int, qty: float, terms: OrderTerms) -> int:
        if not qty > 0 or math.isinf(qty):
            raise InputError(f"an order of quantity {qty} was placed; it must be above 0")
        trigger = terms.get("stop") or terms.get("take_profit")
        limit = terms.get("limit")
        order = OpenOrder(
            self._next_id, self._bars.instrument_id, side, qty, 0.0, limit, trigger,
            terms.get("reduce_only", False), terms.get("tag", ""),
        )  # fmt: skip
        self.notes.append((self.index, "order", side, qty, limit, trigger))
        self._open[order.id] = order
        self._next_id += 1
        return order.id

    def _price_met(self, order: OpenOrder) -> float | None:
        """Return the price an order fills at in the current bar, None if it does not."""
        if order.trigger is not None and not self.low <= order.trigger <= self.high:
            return None
        if order.limit is None:
            return self.open if order.trigger is None else order.trigger
        is_through = self.low < order.limit if order.side > 0 else self.high > order.limit
        return order.limit if is_through else None

    def _fill(self, order: OpenOrder, price: float, strategy: EventStrategy) -> None:
        qty = min(order.qty, abs(self.position)) if order.is_reduce_only else order.qty
        if qty <= 0:
            return
        before, change = self.position, order.side * qty
        self.position = before + change
        self.cash -= change * price
        if before * change >= 0:
            paid = (0.0 if before == 0 else self.entry_price * before) + price * change
            self.entry_price = paid / self.position
        elif self.position * before <= 0:
            self.entry_price = price if self.position else math.nan
        strategy.on_fill(self, self._message(order, price, qty, is_reducing=before * change < 0))

    def _message(self, order: OpenOrder, price: float, qty: float, *, is_reducing: bool) -> Fill:
        self._fills += 1
        return Fill(
            seq=self._fills - 1,
            ts_ms=self.ts_ms,
            account=0,
            instrument=InstrumentId(order.instrument),
            order_id=order.id,
            side=Side(order.side),
            leg=Leg.NET,
            price=Decimal(repr(price)),
            qty=Decimal(repr(qty)),
            role=Role.TAKER if order.limit is None else Role.MAKER,
            fee=Decimal(0),
            fee_coin="",
            realised_pnl=Decimal(0),
            is_reducing=is_reducing,
            reason=Reason.MARKET if order.limit is None else Reason.LIMIT_RESTED,
        )


def rehearse(strategy: EventStrategy, bars: Bars) -> list[Note]:
    """Show every bar to the strategy and return everything it did.

    Raises
    ------
    InputError
        If the strategy's own code fails; names the line.
    """
    stage = Rehearsal(bars)
    try:
        strategy.on_start(stage)
        for row in range(len(bars)):
            stage.show(row, strategy)
        strategy.on_stop(stage)
    except OpenAlphaError:
        raise
    except Exception as error:
        raise InputError(f"strategy {strategy.name} fails: {failure_words(error)}") from error
    return stage.notes

"""What the contexts of an event strategy share, whoever leads it: names, orders, the bar seen."""

import math
import operator
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, Unpack

from openalpha.core.errors import InputError
from openalpha.engine.rows import BarUnits
from openalpha.engine.terms import Terms
from openalpha.strategy.bars import Bars
from openalpha.strategy.events import OpenOrder, OrderTerms

__all__ = ["ContextBase", "SeenBar"]

_MANY_TAGS = 4096


class ContextBase(ABC):
    """Instruments by their names, and orders as a strategy says them.

    Parameters
    ----------
    keys, instrument_ids : sequence of str
        Role and id of each instrument.

    Attributes
    ----------
    index : int
        Number of the bar just closed; -1 before the first.
    """

    def __init__(self, keys: Sequence[str], instrument_ids: Sequence[str]) -> None:
        self._numbers = {key: number for number, key in enumerate(keys)}
        self._numbers |= {name: number for number, name in enumerate(instrument_ids)}
        self._tags: dict[int, str] = {}
        self.index = -1

    @property
    @abstractmethod
    def orders(self) -> tuple[OpenOrder, ...]:
        """Its orders still open, oldest first."""

    def position_of(self, instrument: str) -> float:
        """Return the signed quantity held of an instrument, by role or id.

        Raises
        ------
        InputError
            If the run has no such instrument.
        """
        return self._holding_of(self._number(instrument))[0]

    def entry_price_of(self, instrument: str) -> float:
        """Return the average price of that position, NaN when flat."""
        return self._holding_of(self._number(instrument))[1]

    def history(self, count: int, *, instrument: str | None = None) -> Bars:
        """Return the last `count` bars, the one just closed included; fewer at the beginning.

        Raises
        ------
        InputError
            If `count` is not a whole number of at least 1, or the instrument is unknown.
        """
        number = self._number(instrument)
        try:
            wanted = operator.index(count)
        except TypeError:
            wanted = 0
        if wanted < 1:
            raise InputError(f"history({count!r}) was asked for; ask for at least 1 bar")
        bars, stop = self._known(number)
        return bars.rows(max(stop - wanted, 0), stop)

    def buy(self, qty: float, **terms: Unpack[OrderTerms]) -> int:
        """Place a buy order (market without `limit`) and return its id, 0 if it was not sent."""
        return self._order(1, qty, terms)

    def sell(self, qty: float, **terms: Unpack[OrderTerms]) -> int:
        """Place a sell order (market without `limit`) and return its id, 0 if it was not sent."""
        return self._order(-1, qty, terms)

    @abstractmethod
    def _holding_of(self, number: int) -> tuple[float, float]:
        """Return signed quantity and average price of an instrument."""

    @abstractmethod
    def _known(self, number: int) -> tuple[Bars, int]:
        """Return an instrument's bars, and how many of them have closed by now."""

    @abstractmethod
    def _place(self, number: int, side: int, qty: object, terms: OrderTerms) -> int:
        """Place an order; returns its id, 0 if it was not sent."""

    def _order(self, side: int, qty: object, terms: OrderTerms) -> int:
        order_id = self._place(self._number(terms.get("instrument")), side, qty, terms)
        tag: Any = terms.get("tag")
        if order_id and tag:
            self._tags[order_id] = str(tag)
            if len(self._tags) > _MANY_TAGS:
                alive = {order.id for order in self.orders}
                self._tags = {key: value for key, value in self._tags.items() if key in alive}
        return order_id

    def _check_begun(self) -> None:
        if self.index < 0:
            raise InputError("orders can be placed from the first bar on, not in on_start")

    def _number(self, instrument: object) -> int:
        if instrument is None:
            return 0
        number = self._numbers.get(instrument) if isinstance(instrument, str) else None
        if number is None:
            raise InputError(
                f"there is no instrument {instrument!r} here; this run has "
                f"{', '.join(self._numbers)}"
            )
        return number


class SeenBar:
    """The first instrument's bar of a row that has just closed, where rows arrive one by one.

    As over history: a row without a bar stands at the last close and has no volume, and prices are
    NaN before the first bar.
    """

    open: float = math.nan
    high: float = math.nan
    low: float = math.nan
    close: float = math.nan
    volume: float = math.nan

    def see(self, bar: BarUnits | None, terms: Terms) -> None:
        """Move on to a row: its bar, None where it has none."""
        if bar is None:
            self.open = self.high = self.low = self.close
            self.volume = 0.0
            return
        price = terms.price_scale
        self.open, self.high = bar[0] / price, bar[1] / price
        self.low, self.close = bar[2] / price, bar[3] / price
        self.volume = bar[4] / terms.qty_scale

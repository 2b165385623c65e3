"""What strategies of callbacks are shown of a market between its closes: its trades and its book.

A book is what was pushed of it since its last whole one. While the line is down, or a change was
left out, there is none, and nothing is decided on what was there before.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from openalpha.core.instruments import Instrument
from openalpha.strategy.events import EventStrategy, Trade
from openalpha.venue.kernel import book_market as event

__all__ = ["SeenMarket", "heard_by"]

_Levels = dict[int, int]
_Shown = list[tuple[float, float]]


@dataclass(slots=True)
class SeenMarket:
    """The market's levels of one instrument in people's units, our own orders included.

    Parameters
    ----------
    instrument : Instrument

    Attributes
    ----------
    is_whole : bool
        Whether every change since the last whole book was heard.
    last : int
        Price of the last trade heard, in units; 0 before the first.
    bids, asks : dict of int to int
        Quantity by price, in units.
    """

    instrument: Instrument
    is_whole: bool = False
    last: int = 0
    bids: _Levels = field(default_factory=dict)
    asks: _Levels = field(default_factory=dict)

    def take(self, rows: Iterable[Sequence[int]]) -> tuple[list[Trade], bool]:
        """Take messages in; returns the trades among them, and whether the book changed.

        Parameters
        ----------
        rows : iterable of (stamp, kind, side, price, qty)
            As the tape holds them (`messages_payload`).
        """
        trades, is_changed = [], False
        for ts_ms, kind, side, price, qty in rows:
            if kind == event.TRADE:
                self.last = price
                trades.append(self._trade(ts_ms, side, price, qty))
                continue
            is_changed = True
            if kind == event.SNAPSHOT_BEGIN:
                self.bids, self.asks, self.is_whole = {}, {}, False
            elif kind == event.SNAPSHOT_END:
                self.is_whole = True
            elif kind == event.LEVEL:
                levels = self.bids if side > 0 else self.asks
                if qty:
                    levels[price] = qty
                else:
                    levels.pop(price, None)
        return trades, is_changed

    def go_stale(self) -> None:
        """Forget the book: it is known again with the next whole one."""
        self.bids, self.asks, self.is_whole = {}, {}, False

    @property
    def bid(self) -> float:
        """Best bid, NaN where there is none."""
        return self._price(max(self.bids)) if self.bids else math.nan

    @property
    def ask(self) -> float:
        """Best ask, NaN where there is none."""
        return self._price(min(self.asks)) if self.asks else math.nan

    def levels(self, count: int) -> tuple[_Shown, _Shown]:
        """Return the best `count` (price, quantity) of bids and of asks, the best first."""
        return (
            self._shown(sorted(self.bids.items(), reverse=True)[:count]),
            self._shown(sorted(self.asks.items())[:count]),
        )

    def _shown(self, levels: list[tuple[int, int]]) -> _Shown:
        scale = 10.0**self.instrument.qty_decimals
        return [(self._price(price), qty / scale) for price, qty in levels]

    def _price(self, units: int) -> float:
        return units / 10.0**self.instrument.price_decimals

    def _trade(self, ts_ms: int, side: int, price: int, qty: int) -> Trade:
        size = qty / 10.0**self.instrument.qty_decimals
        return Trade(str(self.instrument.id), ts_ms, side, self._price(price), size)


def heard_by(strategies: Iterable[type[Any]]) -> str:
    """Return what strategies hear beside bars: bars (nothing), trades, or book (both).

    Examples
    --------
    >>> heard_by([])
    'bars'
    """
    found = "bars"
    for cls in strategies:
        if not issubclass(cls, EventStrategy):
            continue
        if cls.on_book is not EventStrategy.on_book:
            return "book"
        if cls.on_trade is not EventStrategy.on_trade:
            found = "trades"
    return found

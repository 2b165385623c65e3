"""Sales on spot and the stops over the same coins: never both, for nothing there reduces only.

A perpetual's stop and a close beside it can only reduce the position. On spot both would sell, the
second one coins of before the run. So a sale waits until the venue has taken its coins out of the
stop, and sells what the stop left where that was quicker.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from openalpha.core.instruments import Kind
from openalpha.core.messages import OrderIntent
from openalpha.core.orders import Side
from openalpha.risk.gate import Gate
from openalpha.store.run_log import FrameKind
from openalpha.trading.bybit.side import BybitSide
from openalpha.trading.orders.record import LiveOrder, Pending
from openalpha.trading.orders.side import PlacedOrder
from openalpha.trading.venue.books import VenueBook
from openalpha.trading.venue.exits import STOP
from openalpha.trading.venue.state import Part, Work

__all__ = ["Sale", "SpotSales"]

_ZERO = Decimal(0)
_Parts = Mapping[str, Sequence[Part]]


@dataclass(slots=True)
class Sale:
    """A sale that waits for its coins."""

    placed: PlacedOrder
    parts: list[Part]


class SpotSales:
    """The sales of a run that wait.

    Parameters
    ----------
    books : list of VenueBook
    side : BybitSide
    gate : Gate
    """

    def __init__(self, books: list[VenueBook], side: BybitSide, *, gate: Gate) -> None:
        self._books, self._side, self._gate = books, side, gate
        self.waiting: list[Sale] = []

    def must_wait(self, intent: OrderIntent, parts: Sequence[Part], *, of: _Parts) -> bool:
        """Say whether a stop stands over coins that an order sells at once.

        Parameters
        ----------
        of : mapping of order id to parts
        """
        is_sale = intent.side is Side.SELL and intent.trigger_price is None
        if not is_sale or intent.limit_price is not None:
            return False
        return any(
            next(self._stops(part, of), None) is not None for part in parts if self._is_spot(part)
        )

    def selling(self, number: int, which: int, *, of: _Parts) -> Decimal:
        """Return what sales that wait or are under way take of a sub-book's coins."""
        waiting = [part for sale in self.waiting for part in sale.parts]
        mine = [part.qty for part in waiting if (part.book, part.which) == (number, which)]
        total = sum(mine, _ZERO)
        for order in self._side.record.unsettled():
            rests = order.trigger_price is not None or order.limit_price is not None
            if order.category != "spot" or order.side is not Side.SELL or rests:
                continue
            parts = of.get(order.link_id, ())
            wanted = sum((part.qty for part in parts), _ZERO)
            left = order.qty - order.filled_qty
            for part in parts:
                if (part.book, part.which) == (number, which):
                    total += left * part.qty / wanted
        return total

    def covered(self, number: int, which: int, *, qty: Decimal, of: _Parts) -> Decimal:
        """Return how much of a position a stop is to cover: on spot not what is being sold."""
        item = self._books[number].instruments[which]
        if item.kind is not Kind.SPOT:
            return qty
        lot = item.steps[-1].lot_size
        left = (qty - self.selling(number, which, of=of)) // lot * lot
        return left if left >= item.min_qty else _ZERO

    def holds(self, link_id: str) -> bool:
        """Say whether an order is a sale that waits."""
        return any(sale.placed.link_id == link_id for sale in self.waiting)

    def call_off(self, work: Work, link_ids: Sequence[str]) -> None:
        """Drop sales that wait: they are sent no more, and the stops take their coins back."""
        for sale in [sale for sale in self.waiting if sale.placed.link_id in link_ids]:
            self.waiting.remove(sale)
            self._drop(work, sale, "it was cancelled before it was sent")

    def release(self, work: Work, *, of: _Parts) -> None:
        """Send the sales whose coins no stop sells any more, each with what is left to sell."""
        for sale in list(self.waiting):
            if not all(self._is_free(part, of) for part in sale.parts):
                continue
            self.waiting.remove(sale)
            qty = sum((self._left(part, of) for part in sale.parts), _ZERO)
            self._send(work, sale, qty)

    def _send(self, work: Work, sale: Sale, qty: Decimal) -> None:
        placed, first = sale.placed, sale.parts[0]
        item = self._books[first.book].instruments[first.which]
        if qty < item.min_qty:
            self._drop(work, sale, "the stop was quicker: no coin is left to sell")
            return
        if qty < placed.approved.intent.qty:
            approved = self._gate.netted([placed.approved], signed=-qty, is_reduce_only=True)
            placed = replace(placed, approved=approved)
        work.moved.add(str(item.id))
        self._side.send([placed])
        work.placed.append(placed.link_id)

    def _drop(self, work: Work, sale: Sale, words: str) -> None:
        work.moved.add(str(sale.placed.approved.intent.instrument))
        work.note(FrameKind.NOTE, link=sale.placed.link_id, status="dropped", words=words)

    def _is_free(self, part: Part, of: _Parts) -> bool:
        stops = list(self._stops(part, of))
        if not all(_is_steady(order) for order in stops):
            return False
        kept = self._books[part.book].tradable(part.which)
        kept -= self.selling(part.book, part.which, of=of)
        return sum((order.qty - order.filled_qty for order in stops), _ZERO) <= max(kept, _ZERO)

    def _left(self, part: Part, of: _Parts) -> Decimal:
        """Return what of a part can be sold; the sale itself waits no more."""
        held = self._books[part.book].tradable(part.which)
        others = self.selling(part.book, part.which, of=of)
        return min(part.qty, max(held - others, _ZERO))

    def _stops(self, part: Part, of: _Parts) -> Iterator[LiveOrder]:
        for order in self._side.record.unsettled():
            for one in of.get(order.link_id, ()):
                if one.leg == STOP and (one.book, one.which) == (part.book, part.which):
                    yield order

    def _is_spot(self, part: Part) -> bool:
        return self._books[part.book].instruments[part.which].kind is Kind.SPOT


def _is_steady(order: LiveOrder) -> bool:
    """Whether the venue has an order as we know it, and nothing about it is under way."""
    is_sure = order.is_open and order.is_acked and not order.is_lost and not order.wants_cancel
    return is_sure and order.pending is Pending.NONE and not order.wish

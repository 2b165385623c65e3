"""Creates and cancels orders, asking what became of a request before repeating it."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from openalpha.core.orders import is_terminal
from openalpha.venue.bybit.answers import (
    DUPLICATE,
    NOT_FOUND,
    Answer,
    BybitRefused,
    FateUnknown,
)
from openalpha.venue.bybit.channel import Call, Channel
from openalpha.venue.bybit.limits import BATCH_SIZES
from openalpha.venue.bybit.new_order import NewOrder
from openalpha.venue.bybit.rows import OrderRow

__all__ = ["Orders", "Outcome", "Placed"]

_TRIES = 3
_LOOK_AGAIN_S = 0.3


@dataclass(frozen=True, slots=True)
class Placed:
    """An order the venue has taken: its id there and ours."""

    order_id: str
    link_id: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one order of a batch; `code` 0: it was taken."""

    link_id: str
    order_id: str
    code: int
    message: str


class Orders:
    """The order calls of one account.

    Parameters
    ----------
    channel : Channel
    pause : callable
        Waits a number of seconds.
    """

    def __init__(self, channel: Channel, *, pause: Callable[[float], object] = time.sleep) -> None:
        self._channel = channel
        self._pause = pause

    def create(self, order: NewOrder) -> Placed:
        """Place an order once, whatever happens to requests and replies.

        Where a reply is lost the venue is asked for our id before the order is sent again; and it
        takes an id only once.

        Raises
        ------
        BybitRefused
            The venue does not take it.
        FateUnknown
            It could not be found out; ask for the id later, never use it again.
        VenueUnavailable
            It was not placed.
        """
        call = Call("/v5/order/create", order.params(), is_write=True)
        started_ms = self._channel.earliest_ms()
        for _ in range(_TRIES):
            try:
                result = self._channel.call(call).result
                return Placed(str(result.get("orderId") or ""), order.link_id)
            except BybitRefused as refused:
                if refused.code not in DUPLICATE:
                    raise
                # An earlier try arrived after all, or the network sent this one twice.
                found = self._look_twice(order.category, order.symbol, order.link_id)
                if found is not None and found.created_ms < started_ms:
                    raise
            except FateUnknown:
                found = self._look_twice(order.category, order.symbol, order.link_id)
            if found is not None:
                return Placed(found.order_id, order.link_id)
        raise FateUnknown(
            f"nobody knows whether order {order.link_id} was placed; ask Bybit for it before "
            "anything else"
        )

    def find(self, category: str, symbol: str, *, link_id: str) -> OrderRow | None:
        """Return the order of our id, open or closed, as the venue knows it; None if it does not.

        Raises
        ------
        VenueUnavailable
            If it could not be asked.
        """
        params = {"category": category, "symbol": symbol, "orderLinkId": link_id}
        for path in ("/v5/order/realtime", "/v5/order/history"):
            try:
                rows = self._channel.call(Call(path, params)).rows
            except BybitRefused as refused:
                if refused.code not in NOT_FOUND:
                    raise
                continue
            for row in rows:
                order = OrderRow.of(row, category)
                if order.link_id == link_id:
                    return order
        return None

    def cancel(self, order: OrderRow) -> bool:
        """Cancel an open order; returns False where it had ended already.

        Raises
        ------
        BybitRefused, FateUnknown, VenueUnavailable
        """
        call = Call("/v5/order/cancel", self._named(order), is_write=True)
        for tries in range(1, _TRIES + 1):
            try:
                self._channel.call(call)
                return True
            except BybitRefused as refused:
                if refused.code not in NOT_FOUND and refused.code not in (110008, 110010, 170142):
                    raise
                # Gone: by an earlier try of ours, whose reply was lost, or of its own accord.
                return tries > 1
            except FateUnknown:
                if tries == _TRIES:
                    raise
        return True

    def cancel_all(
        self, category: str, *, symbol: str = "", settle: str = "", order_filter: str = ""
    ) -> int:
        """Cancel all orders of a category, of one symbol or one settle coin; returns how many.

        Repeating it is harmless, so it is repeated while its fate is unknown.
        """
        params = {
            "category": category,
            "symbol": symbol or None,
            "settleCoin": settle or None,
            "orderFilter": order_filter or None,
        }
        call = Call("/v5/order/cancel-all", params, is_write=True)
        for tries in range(1, _TRIES + 1):
            try:
                return len(self._channel.call(call).rows)
            except FateUnknown:
                if tries == _TRIES:
                    raise
        raise AssertionError("the loop returns or raises")

    def create_batch(self, orders: Sequence[NewOrder]) -> list[Outcome]:
        """Place orders of one category together; each is taken or refused by itself.

        Where the reply is lost each order is looked up; those not found say so by code -1.

        Raises
        ------
        BybitRefused, VenueUnavailable
            None of them was placed.
        """
        items = [_without_category(order.params()) for order in orders]
        category = orders[0].category
        assert len(items) <= BATCH_SIZES[category]
        try:
            answer = self._batch("create-batch", category, items)
        except FateUnknown:
            return [self._fate(order) for order in orders]
        return _outcomes(answer, items)

    def cancel_batch(self, orders: Sequence[OrderRow]) -> list[Outcome]:
        """Cancel orders of one category together."""
        items = [_without_category(self._named(order)) for order in orders]
        return _outcomes(self._batch("cancel-batch", orders[0].category, items), items)

    def open_orders(self, category: str, *, symbol: str = "", settle: str = "") -> list[OrderRow]:
        """Return all open orders, conditional ones too, newest first."""
        params = {"category": category, "limit": 50, "openOnly": 0}
        params |= {"symbol": symbol or None, "settleCoin": settle or None}
        rows = self._channel.pages(Call("/v5/order/realtime", params))
        orders = (OrderRow.of(row, category) for row in rows)
        return [order for order in orders if not is_terminal(order.status)]

    def recently_closed(self, category: str, symbol: str) -> list[OrderRow]:
        """Return the orders of an instrument that ended last, 500 at most, whenever made."""
        params = {"category": category, "symbol": symbol, "limit": 50, "openOnly": 1}
        rows = self._channel.pages(Call("/v5/order/realtime", params))
        return [OrderRow.of(row, category) for row in rows]

    def _batch(self, name: str, category: str, items: list[dict[str, Any]]) -> Answer:
        params = {"category": category, "request": items}
        return self._channel.call(Call(f"/v5/order/{name}", params, is_write=True, cost=len(items)))

    def _fate(self, order: NewOrder) -> Outcome:
        found = self._look_twice(order.category, order.symbol, order.link_id)
        if found is None:
            return Outcome(order.link_id, "", -1, "not found after its reply was lost")
        return Outcome(order.link_id, found.order_id, 0, "OK")

    def _look_twice(self, category: str, symbol: str, link_id: str) -> OrderRow | None:
        """Look, and once more a little later: the venue takes orders before it shows them."""
        found = self.find(category, symbol, link_id=link_id)
        if found is None:
            self._pause(_LOOK_AGAIN_S)
            found = self.find(category, symbol, link_id=link_id)
        return found

    @staticmethod
    def _named(order: OrderRow) -> dict[str, Any]:
        fields = {"category": order.category, "symbol": order.symbol, "orderId": order.order_id}
        if order.category == "spot" and order.trigger_price is not None:
            fields["orderFilter"] = "tpslOrder" if order.stop_kind == "tpslOrder" else "StopOrder"
        return fields


def _without_category(params: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in params.items() if name != "category"}


def _outcomes(answer: Answer, items: Sequence[Mapping[str, Any]]) -> list[Outcome]:
    """Pair what was sent with rows and codes, which the venue gives in the order of the items."""
    outcomes = []
    for place, item in enumerate(items):
        row = answer.rows[place] if place < len(answer.rows) else {}
        code, message = answer.items[place] if place < len(answer.items) else (-1, "no word of it")
        link = str(item.get("orderLinkId") or row.get("orderLinkId") or "")
        outcomes.append(Outcome(link, str(row.get("orderId") or ""), code, message))
    return outcomes

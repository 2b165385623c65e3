"""Requests to Bybit as data: what the executor is asked to do for a side."""

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from openalpha.net.budget import Priority
from openalpha.trading.orders.record import LiveOrder
from openalpha.trading.orders.side import Change, Request, RequestKind
from openalpha.venue.bybit.limits import BATCH_SIZES
from openalpha.venue.bybit.new_order import plain

__all__ = [
    "amend_order",
    "ask_account",
    "ask_fills",
    "ask_market",
    "ask_open",
    "ask_order",
    "cancel_foreign",
    "cancel_orders",
    "place",
    "wish_of",
]

_AMENDED = {"qty": "qty", "limit_price": "price", "trigger_price": "triggerPrice"}


def place(orders: Iterable[LiveOrder]) -> list[Request]:
    """Return the requests that place orders: one a category, cut to the venue's batch size."""
    return [
        Request(
            RequestKind.PLACE,
            {"category": category, "orders": [dict(order.params) for order in part]},
            tuple(order.link_id for order in part),
            Priority.RISK if all(order.is_reduce_only for order in part) else Priority.ORDERS,
        )
        for category, part in _parts(orders)
    ]


def cancel_orders(orders: Iterable[LiveOrder]) -> list[Request]:
    """Return the requests that cancel orders of ours."""
    return [
        Request(
            RequestKind.CANCEL,
            {"category": category, "orders": [_named(order) for order in part]},
            tuple(order.link_id for order in part),
        )
        for category, part in _parts(orders)
    ]


def cancel_foreign(category: str, symbol: str, *, order_id: str) -> Request:
    """Return the request that cancels an order which is none of ours."""
    order = {"symbol": symbol, "orderId": order_id}
    return Request(RequestKind.CANCEL, {"category": category, "orders": [order]})


def amend_order(order: LiveOrder, wish: Mapping[str, Decimal]) -> Request:
    """Return the request that gives an order new terms."""
    changes = {_AMENDED[name]: plain(value) for name, value in wish.items()}
    params = {"category": order.category, **_named(order), **changes, **_moved_stop(order, wish)}
    return Request(RequestKind.AMEND, params, (order.link_id,))


def ask_order(order: LiveOrder) -> Request:
    """Return the question what became of an order, by our id."""
    params = {"category": order.category, "symbol": order.symbol, "orderLinkId": order.link_id}
    return Request(RequestKind.ASK_ORDERS, params, (order.link_id,))


def ask_open(category: str) -> Request:
    """Return the question which orders are open."""
    return Request(RequestKind.ASK_ORDERS, {"category": category}, (), Priority.RECONCILE)


def ask_fills(category: str, *, start_ms: int = 0, order: LiveOrder | None = None) -> Request:
    """Return the question for executions: of one order, or all since a moment."""
    if order is not None:
        params = {"category": category, "symbol": order.symbol, "orderLinkId": order.link_id}
        return Request(RequestKind.ASK_FILLS, params, (order.link_id,))
    params = {"category": category, "startTime": str(start_ms)}
    return Request(RequestKind.ASK_FILLS, params, (), Priority.RECONCILE)


def ask_account(what: str, *, start_ms: int = 0) -> Request:
    """Return a question about the account: `wallet`, `statement`, `positions:linear`."""
    name, _, category = what.partition(":")
    params: dict[str, Any] = {"what": name}
    if category:
        params["category"] = category
    if start_ms:
        params["startTime"] = str(start_ms)
    return Request(RequestKind.ASK_ACCOUNT, params, (), Priority.RECONCILE)


def ask_market(category: str, symbol: str) -> Request:
    """Return the question how a market stands: bid, ask, mark."""
    params = {"category": category, "symbol": symbol}
    return Request(RequestKind.ASK_MARKET, params, (), Priority.DATA)


def wish_of(change: Change, order: LiveOrder) -> dict[str, Decimal]:
    """Return what a change asks for that the order neither has nor is about to have."""
    wanted = {
        "qty": (change.qty, order.qty),
        "limit_price": (change.limit_price, order.limit_price),
        "trigger_price": (change.trigger_price, order.trigger_price),
    }
    return {
        name: new
        for name, (new, old) in wanted.items()
        if new is not None and new != order.wish.get(name, old)
    }


def _moved_stop(order: LiveOrder, wish: Mapping[str, Decimal]) -> dict[str, str]:
    """Return the stop that an entry brings, as far from its new price as it was from its first."""
    sent, name = order.params, "triggerPrice" if order.limit_price is None else "price"
    new = wish.get("trigger_price" if order.limit_price is None else "limit_price")
    if new is None or "stopLoss" not in sent or name not in sent:
        return {}
    return {"stopLoss": plain(Decimal(sent["stopLoss"]) + new - Decimal(sent[name]))}


def _named(order: LiveOrder) -> dict[str, Any]:
    fields = {"symbol": order.symbol, "orderLinkId": order.link_id}
    if order.category == "spot" and "triggerPrice" in order.params:
        fields["orderFilter"] = str(order.params.get("orderFilter") or "StopOrder")
    return fields


def _parts(orders: Iterable[LiveOrder]) -> list[tuple[str, Sequence[LiveOrder]]]:
    by_category: dict[str, list[LiveOrder]] = {}
    for order in orders:
        by_category.setdefault(order.category, []).append(order)
    # No more at once than a key may place in a second: the surplus of a batch is refused.
    return [
        (category, found[at : at + min(BATCH_SIZES[category], 10)])
        for category, found in by_category.items()
        for at in range(0, len(found), min(BATCH_SIZES[category], 10))
    ]

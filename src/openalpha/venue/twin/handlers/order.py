"""The order family: create, amend, cancel, batches, open orders, history, executions, DCP."""

from collections.abc import Callable, Iterable, Iterator
from operator import attrgetter, itemgetter
from typing import Any

from openalpha.core.clock import DAY_MS
from openalpha.venue.twin.accounts import Account
from openalpha.venue.twin.codes import Refused
from openalpha.venue.twin.intake import price_of, read_order, within_limits
from openalpha.venue.twin.numbers import read_decimal, units_of
from openalpha.venue.twin.orders import Order
from openalpha.venue.twin.rows import order_row
from openalpha.venue.twin.sending import send_amend, send_cancel, send_order
from openalpha.venue.twin.state import State
from openalpha.venue.twin.wire import Params, newest, stretch

__all__ = ["BATCHES", "READS", "WRITES", "Batch"]

BATCH_SIZES = {"linear": 20, "inverse": 20, "option": 20, "spot": 10}
# The venue cancels so many by one call; which ones, where there are more, it does not say.
_MOST_AT_ONCE = 500
RECENT_CLOSED = 500
_PRODUCTS = {"OPTIONS": "option", "DERIVATIVES": "future", "SPOT": "spot"}


class Batch(dict[str, Any]):
    """A batch's result together with what goes into retExtInfo."""

    ext: dict[str, Any]


def _create(state: State, account: Account, params: Params) -> dict[str, Any]:
    """Answer POST /v5/order/create."""
    listing = state.listing(params)
    order = read_order(state, account, params=params, listing=listing)
    send_order(state, order)
    return {"orderId": order.order_id, "orderLinkId": order.link_id}


def _found(state: State, account: Account, params: Params) -> Order:
    """Return the order a request names, which must be open."""
    if not (params.get("orderId") or params.get("orderLinkId")):
        raise Refused(10001, "params error: orderId or orderLinkId is required")
    listing = state.listing(params)
    order = state.find_order(account, params)
    is_missing = order is None or order.listing != listing.key
    if is_missing or order is None or not order.is_open:
        if listing.is_spot:
            raise Refused(170213, "Order does not exist.")
        raise Refused(110001, "order not exists or too late to cancel")
    return order


def _amend(state: State, account: Account, params: Params) -> dict[str, Any]:
    """Answer POST /v5/order/amend."""
    order = _found(state, account, params)
    listing = state.listings[order.listing]
    if listing.status != "Trading":
        raise Refused(110074, "This contract is not live")
    limit = price_of(params, "price", listing=listing)
    if limit and order.status != "Untriggered":
        limit = within_limits(limit, order.side, listing=listing)
    trigger = price_of(params, "triggerPrice", listing=listing)
    qty = _new_quantity(params, order, state)
    stays = all(
        new in (0, old)
        for new, old in ((qty, order.qty), (limit, order.limit), (trigger, order.trigger))
    )
    exits = [name for name in ("takeProfit", "stopLoss") if params.get(name) not in (None, "")]
    if stays and not exits:
        raise Refused(10001, "The order remains unchanged as the parameters are the same")
    if limit and order.kind == "Market":
        raise Refused(10001, "a market order has no price to amend")
    if trigger and order.status != "Untriggered":
        raise Refused(10001, "the order has been triggered")
    if not stays:
        send_amend(state, order, changes=(qty, limit, trigger))
    for name in exits:
        price = price_of(params, name, listing=listing)
        if name == "takeProfit":
            order.take_profit = price
        else:
            order.stop_loss = price
    return {"orderId": order.order_id, "orderLinkId": order.link_id}


def _new_quantity(params: Params, order: Order, state: State) -> int:
    """Return the quantity an amend asks for, 0 to keep it."""
    text = params.get("qty")
    if text is None or text == "":
        return 0
    listing = state.listings[order.listing]
    value = read_decimal(text)
    units = None if value is None or value <= 0 else units_of(value, listing.qty_decimals)
    if units is None or units % listing.lot:
        raise Refused(10001, "params error:qty err")
    if units <= order.filled:
        raise Refused(110064, "The order quantity after modification is not above what has filled")
    return units


def _cancel(state: State, account: Account, params: Params) -> dict[str, Any]:
    """Answer POST /v5/order/cancel: what waits on spot is found only as the kind it is."""
    order = _found(state, account, params)
    wanted = str(params.get("orderFilter") or "Order")
    kind = "tpslOrder" if order.order_filter == "BidirectionalTpslOrder" else order.order_filter
    if params["category"] == "spot" and order.status == "Untriggered" and kind != wanted:
        raise Refused(170213, "Order does not exist.")
    return _cancel_named(state, account, params)


def _cancel_named(state: State, account: Account, params: Params) -> dict[str, Any]:
    """Cancel an order of any kind by its name, as an item of a batch is."""
    order = _found(state, account, params)
    send_cancel(state, order)
    return {"orderId": order.order_id, "orderLinkId": order.link_id}


def _cancel_all(state: State, account: Account, params: Params) -> dict[str, Any]:
    """Answer POST /v5/order/cancel-all."""
    category = state.category(params)
    if category != "spot" and not any(
        params.get(name) for name in ("symbol", "baseCoin", "settleCoin")
    ):
        raise Refused(10001, "params error: symbol, baseCoin or settleCoin is required")
    if params.get("symbol"):
        state.listing(params)
    wanted = str(params.get("orderFilter") or ("Order" if category == "spot" else ""))
    kind = str(params.get("stopOrderType") or "") if wanted == "StopOrder" else ""
    gone: list[dict[str, str]] = []
    for order in list(_chosen_orders(state, account, params)):
        if not (order.is_open and order.is_of(wanted)):
            continue
        if kind and order.stop_type != kind:
            continue
        if len(gone) == _MOST_AT_ONCE:
            break
        gone.append({"orderId": order.order_id, "orderLinkId": order.link_id})
        send_cancel(state, order)
    return {"list": gone, "success": "1"}


def _chosen_orders(state: State, account: Account, params: Params) -> Iterator[Order]:
    """Yield an account's open orders on the markets a request names."""
    record = state.record(account)
    category = state.category(params)
    for name in list(record.open_ids):
        order = record.orders[name]
        if order.listing.startswith(f"{category}:") and _fits(state, order, params):
            yield order


def _fits(state: State, order: Order, params: Params) -> bool:
    rules = state.listings[order.listing].instrument
    if params.get("symbol"):
        return bool(rules.symbol == params["symbol"])
    if params.get("baseCoin"):
        return bool(rules.base == params["baseCoin"])
    return params.get("settleCoin") in (None, "", rules.settle)


def _batch(one: Callable[[State, Account, Params], dict[str, Any]], *, creates: bool) -> Any:
    """Make a handler of many from a handler of one: each item succeeds or fails by itself."""

    def _handle(state: State, account: Account, params: Params) -> Batch:
        category = state.category(params)
        items = params.get("request")
        if not isinstance(items, list) or not items:
            raise Refused(10001, "params error: request invalid")
        if len(items) > BATCH_SIZES[category]:
            raise Refused(10001, f"params error: at most {BATCH_SIZES[category]} orders a batch")
        room = params.get("_room", len(items))
        rows, infos = [], []
        for number, item in enumerate(items):
            row = {"category": category, "symbol": "", "orderId": "", "orderLinkId": ""}
            info = {"code": 0, "msg": "OK"}
            try:
                if number >= room:
                    raise Refused(10006, "Too many visits. Exceeded the API Rate Limit.")
                if not isinstance(item, dict):
                    raise Refused(10001, "params error: request invalid")
                row["symbol"] = str(item.get("symbol", ""))
                row["orderLinkId"] = str(item.get("orderLinkId") or "")
                row.update(one(state, account, {**item, "category": category}))
            except Refused as refused:
                info = {"code": refused.code, "msg": refused.message}
            if creates:
                row["createAt"] = str(state.now_ms) if info["code"] == 0 else ""
            rows.append(row)
            infos.append(info)
        answer = Batch(list=rows)
        answer.ext = {"list": infos}
        return answer

    return _handle


def _realtime(state: State, account: Account, params: Params) -> dict[str, Any]:
    """Answer GET /v5/order/realtime: open orders, or with openOnly=1 the recently closed."""
    category = state.category(params)
    named = state.find_order(account, params)
    if params.get("orderId") or params.get("orderLinkId"):
        is_shown = named is not None and (named.is_open or _is_recent(state, account, named))
        chosen: Iterable[Order] = [named] if is_shown and named is not None else []
    else:
        if category == "linear" and not any(
            params.get(name) for name in ("symbol", "baseCoin", "settleCoin")
        ):
            raise Refused(10001, "params error: symbol, baseCoin or settleCoin is required")
        if str(params.get("openOnly") or "0") == "1":
            closed = _closed(state, account, params)
            chosen = (order for order in closed if _is_recent(state, account, order))
        else:
            chosen = reversed(list(_chosen_orders(state, account, params)))
    return _shown(state, chosen, params, category=category)


def _is_recent(state: State, account: Account, order: Order) -> bool:
    """Say whether a closed order is among the last of its category since the venue's restart."""
    record, category = state.record(account), order.listing.partition(":")[0]
    is_late = record.ended.get(category, 0) - order.ended < RECENT_CLOSED
    return is_late and order.ended > record.before.get(category, 0)


def _closed(state: State, account: Account, params: Params) -> list[Order]:
    """Return an account's closed orders on the markets a request names, the newest first."""
    category = state.category(params)
    return [
        order
        for order in reversed(state.record(account).orders.values())
        if not order.is_open
        and order.listing.startswith(f"{category}:")
        and _fits(state, order, params)
    ]


def _shown(
    state: State, orders: Iterable[Order], params: Params, *, category: str
) -> dict[str, Any]:
    """Return the page of some orders, the newest first, that a request asks for."""
    wanted, status = str(params.get("orderFilter") or ""), params.get("orderStatus")
    fitting = (
        order
        for order in orders
        if order.listing.startswith(f"{category}:")
        if order.is_of(wanted)
        if not status or order.status == status
    )
    chosen, cursor = newest(fitting, params, number=attrgetter("number"))
    rows = [order_row(order, state.listings[order.listing]) for order in chosen]
    return {"category": category, "list": rows, "nextPageCursor": cursor}


def _history(state: State, account: Account, params: Params) -> dict[str, Any]:
    """Answer GET /v5/order/history: closed orders, the newest first."""
    category = state.category(params)
    named = state.find_order(account, params)
    if params.get("orderId") or params.get("orderLinkId"):
        found = named is not None and not named.is_open
        orders: list[Order] = [named] if found and named is not None else []
    else:
        orders = _closed(state, account, params)
    start, end = stretch(params, now_ms=state.now_ms)
    orders = [
        order
        for order in orders
        if start <= order.created_ms <= end and not _is_forgotten(order, state.now_ms)
    ]
    return _shown(state, orders, params, category=category)


def _is_forgotten(order: Order, now_ms: int) -> bool:
    """Say whether the history has dropped an order: what ended without a fill lasts a day."""
    return order.filled == 0 and now_ms - order.updated_ms > DAY_MS


def _executions(state: State, account: Account, params: Params) -> dict[str, Any]:
    """Answer GET /v5/execution/list, the newest first."""
    category = state.category(params)
    # Asked for by its id, an order's executions are told whenever they were.
    is_named = bool(params.get("orderId") or params.get("orderLinkId"))
    start, end = (0, state.now_ms) if is_named else stretch(params, now_ms=state.now_ms)
    wanted = {
        "symbol": params.get("symbol"),
        "orderId": params.get("orderId"),
        "orderLinkId": params.get("orderLinkId"),
        "execType": params.get("execType"),
        "category": category,
    }
    base = params.get("baseCoin")
    rows = (
        row
        for row in reversed(state.record(account).executions)
        if start <= int(row["execTime"]) <= end
        and all(not value or row[name] == value for name, value in wanted.items())
        and (not base or row["symbol"].startswith(base))
    )
    chosen, cursor = newest(rows, params, number=itemgetter("seq"), default=50, most=100)
    shown = [{name: row[name] for name in row if name != "category"} for row in chosen]
    return {"category": category, "list": shown, "nextPageCursor": cursor}


def _disconnected_cancel_all(state: State, account: Account, params: Params) -> dict[str, Any]:
    """Answer POST /v5/order/disconnected-cancel-all: cancel when the sockets die."""
    del state
    product = _PRODUCTS.get(str(params.get("product") or "OPTIONS"))
    try:
        window = int(params.get("timeWindow") or 0)
    except (TypeError, ValueError):
        window = 0
    if product is None or not 3 <= window <= 300:
        raise Refused(10001, "params error: product or timeWindow (3 to 300 s) invalid")
    account.dcp_window_s[product] = window
    return {}


def _pre_check(state: State, account: Account, params: Params) -> dict[str, Any]:
    """Answer POST /v5/order/pre-check: margin rates before; the twin does not try the order."""
    from openalpha.venue.twin.wallets import wallet_row

    read_order(state, account, params=params, listing=state.listing(params))
    wallet = wallet_row(state, account)
    rates = {name: _e4(wallet[f"account{name}"]) for name in ("IMRate", "MMRate")}
    return {
        "orderId": "",
        "orderLinkId": str(params.get("orderLinkId") or ""),
        "preImrE4": rates["IMRate"],
        "preMmrE4": rates["MMRate"],
        "postImrE4": rates["IMRate"],
        "postMmrE4": rates["MMRate"],
    }


def _e4(rate: str) -> int:
    return int(float(rate) * 10_000)


READS = {
    "/v5/order/realtime": _realtime,
    "/v5/order/history": _history,
    "/v5/execution/list": _executions,
}
WRITES = {
    "/v5/order/create": _create,
    "/v5/order/amend": _amend,
    "/v5/order/cancel": _cancel,
    "/v5/order/cancel-all": _cancel_all,
    "/v5/order/disconnected-cancel-all": _disconnected_cancel_all,
    "/v5/order/pre-check": _pre_check,
}
BATCHES = {
    "/v5/order/create-batch": _batch(_create, creates=True),
    "/v5/order/amend-batch": _batch(_amend, creates=False),
    "/v5/order/cancel-batch": _batch(_cancel_named, creates=False),
}

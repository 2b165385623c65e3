"""From the parameters of a new order to an order, or to the refusal the venue would give."""

import re
from decimal import Decimal
from typing import Any

from openalpha.venue.twin.accounts import Account
from openalpha.venue.twin.codes import Refused
from openalpha.venue.twin.listings import MOST_PRICE, Listing
from openalpha.venue.twin.numbers import fixed, read_decimal, units_of
from openalpha.venue.twin.orders import Order
from openalpha.venue.twin.state import State

__all__ = ["leg_of", "price_of", "read_flag", "read_order", "trigger_by_of", "within_limits"]

_LINK = re.compile(r"[A-Za-z0-9_-]{1,36}")
_TIFS = ("GTC", "IOC", "FOK", "PostOnly")
_TRIGGERS = ("LastPrice", "MarkPrice", "IndexPrice")
MOST_ORDERS, MOST_CONDITIONAL, MOST_SPOT_CONDITIONAL = 500, 10, 30


def read_order(
    state: State, account: Account, *, params: dict[str, Any], listing: Listing
) -> Order:
    """Read a new order.

    Raises
    ------
    Refused
        As the venue would for what is missing, malformed or out of its bounds; what the kernel
        checks (steps, minimums, margin) is left to it.
    """
    if listing.status != "Trading":
        raise Refused(110074, "This contract is not live")
    side = {"Buy": 1, "Sell": -1}.get(str(params.get("side")))
    if side is None:
        raise Refused(10001, "params error: side invalid")
    kind = str(params.get("orderType"))
    if kind not in ("Limit", "Market"):
        raise Refused(10001, "params error: orderType invalid")
    idx, leg = leg_of(account, params, listing=listing)
    order = Order(
        order_id="",
        link_id=_link(state, account, params),
        account=account.number,
        listing=listing.key,
        side=side,
        kind=kind,
        tif=_tif(params, kind),
        qty=0,
        position_idx=idx,
        leg=leg,
        is_reduce_only=read_flag(params, "reduceOnly"),
        closes_on_trigger=read_flag(params, "closeOnTrigger"),
        order_filter=str(params.get("orderFilter") or "Order"),
        is_leverage=str(params.get("isLeverage") or "0") if listing.is_spot else "",
        market_unit=str(params.get("marketUnit") or "") if listing.is_spot else "",
        created_ms=state.now_ms,
        updated_ms=state.now_ms,
        last_on_created=listing.pool.machine.last(listing.number),
    )
    if kind == "Limit":
        order.limit = price_of(params, "price", listing=listing)
        if order.limit == 0:
            raise Refused(10001, "params error: price invalid")
    _read_trigger(order, params, listing)
    if order.limit and not order.is_conditional:
        order.limit = within_limits(order.limit, side, listing=listing)
    _read_exits(order, params, listing)
    order.qty = _quantity(order, params, listing)
    _check_count(state, account, order)
    return order


def leg_of(account: Account, params: dict[str, Any], *, listing: Listing) -> tuple[int, int]:
    """Return positionIdx and the kernel's leg of a request.

    Raises
    ------
    Refused
        10001 where the index does not fit the position mode.
    """
    try:
        idx = int(params.get("positionIdx") or 0)
    except (TypeError, ValueError):
        raise Refused(10001, "params error: positionIdx invalid") from None
    if listing.is_spot:
        return 0, 0
    if idx not in ((1, 2) if account.is_hedged else (0,)):
        raise Refused(10001, "position idx not match position mode")
    return idx, 1 if idx == 2 else 0


def read_flag(params: dict[str, Any], name: str) -> bool:
    """Return a flag sent as a JSON boolean or as text."""
    value = params.get(name)
    return value is True or str(value).lower() == "true"


def price_of(params: dict[str, Any], name: str, *, listing: Listing) -> int:
    """Return a price in price units; 0 where it is missing, empty or zero.

    Raises
    ------
    Refused
        10001 or 170134 where it is no positive number of the market's decimals.
    """
    text = params.get(name)
    if text is None or text == "":
        return 0
    value = read_decimal(text)
    units = None if value is None or value < 0 else units_of(value, listing.price_decimals)
    if units is None or units % listing.tick:
        if listing.is_spot and value is not None and value > 0:
            raise Refused(170134, "Order price has too many decimals.")
        raise Refused(10001, f"{name} invalid" if name != "price" else "Price invalid")
    return units


def trigger_by_of(params: dict[str, Any], name: str) -> str:
    """Return which price triggers, the last one where it is not said.

    Raises
    ------
    Refused
        10001 where there is no such price.
    """
    price = str(params.get(name) or "LastPrice")
    if price not in _TRIGGERS:
        raise Refused(10001, f"params error: {name} invalid")
    return price


def within_limits(limit: int, side: int, *, listing: Listing) -> int:
    """Return the limit an order gets: a contract's is moved to the nearest price there may be.

    Raises
    ------
    Refused
        110003 beyond the prices a contract has; 170193 or 170194 on spot, where nothing is moved.
    """
    d = listing.price_decimals
    if limit > MOST_PRICE * 10**d and not listing.is_spot:
        raise Refused(110003, "Order price exceeds the allowable range.")
    tape = listing.tape
    if (limit - (tape.index if listing.is_spot else tape.mark)) * side <= 0:
        return limit
    bid, ask = listing.price_limits()
    if not bid or not (limit > bid if side > 0 else limit < ask):
        return limit
    if not listing.is_spot:
        return bid if side > 0 else ask
    if side > 0:
        raise Refused(170193, f"Buy order price cannot be higher than {fixed(bid, d)}.")
    raise Refused(170194, f"Sell order price cannot be lower than {fixed(ask, d)}.")


def _link(state: State, account: Account, params: dict[str, Any]) -> str:
    link = str(params.get("orderLinkId") or "")
    if link and not _LINK.fullmatch(link):
        raise Refused(10001, "OrderLinkedID is invalid: up to 36 of letters, digits, - and _")
    if link and link in state.record(account).links:
        if params.get("category") == "spot":
            raise Refused(170141, "Duplicate clientOrderId")
        raise Refused(110072, "OrderLinkedID is duplicate")
    return link


def _tif(params: dict[str, Any], kind: str) -> str:
    tif = str(params.get("timeInForce") or ("IOC" if kind == "Market" else "GTC"))
    if tif not in _TIFS:
        raise Refused(10001, "params error: timeInForce invalid")
    return "IOC" if kind == "Market" and tif in ("GTC", "PostOnly") else tif


def _read_trigger(order: Order, params: dict[str, Any], listing: Listing) -> None:
    """Read what makes the order wait; its direction follows from the price where it is not said."""
    order.trigger = price_of(params, "triggerPrice", listing=listing)
    if not order.trigger:
        return
    order.trigger_by = trigger_by_of(params, "triggerBy")
    direction = str(params.get("triggerDirection") or "0")
    if direction not in ("0", "1", "2"):
        raise Refused(10001, "params error: triggerDirection invalid")
    order.trigger_direction = int(direction)
    if order.trigger_direction == 0:
        if not listing.is_spot:
            raise Refused(10001, "TriggerDirection invalid")
        order.trigger_direction = 1 if order.trigger > order.last_on_created else 2
    order.stop_type = "tpslOrder" if order.order_filter == "tpslOrder" else "Stop"
    if order.order_filter == "Order":
        order.order_filter = "StopOrder"
    order.status = "Untriggered"


def _read_exits(order: Order, params: dict[str, Any], listing: Listing) -> None:
    """Read the take-profit and stop-loss that come with an entry."""
    order.take_profit = price_of(params, "takeProfit", listing=listing)
    order.stop_loss = price_of(params, "stopLoss", listing=listing)
    if not (order.take_profit or order.stop_loss):
        return
    if listing.is_spot and (order.kind == "Market" or order.is_conditional):
        raise Refused(170130, "Data sent for parameter 'takeProfit' or 'stopLoss' is not valid.")
    if order.is_reduce_only:
        raise Refused(10001, "reduce-only orders carry no take profit or stop loss")
    order.tpsl_mode = str(params.get("tpslMode") or "Full")
    if order.tpsl_mode not in ("Full", "Partial"):
        raise Refused(10001, "params error: tpslMode invalid")
    order.tp_trigger_by = trigger_by_of(params, "tpTriggerBy")
    order.sl_trigger_by = trigger_by_of(params, "slTriggerBy")
    order.tp_limit = _exit_limit(order, params, listing, name="tp")
    order.sl_limit = _exit_limit(order, params, listing, name="sl")
    base = order.limit or order.trigger or order.last_on_created
    if order.take_profit and (order.take_profit - base) * order.side <= 0:
        raise Refused(10001, "TakeProfit is on the wrong side of the base price")
    if order.stop_loss and (order.stop_loss - base) * order.side >= 0:
        raise Refused(10001, "StopLoss is on the wrong side of the base price")


def _exit_limit(order: Order, params: dict[str, Any], listing: Listing, *, name: str) -> int:
    """Return the limit of an exit that is to be a limit order; 0 for a market one."""
    if str(params.get(f"{name}OrderType") or "Market") != "Limit":
        return 0
    if order.tpsl_mode == "Full" and not listing.is_spot:
        raise Refused(10001, "a limit take profit or stop loss needs tpslMode Partial")
    return price_of(params, f"{name}LimitPrice", listing=listing)


def _quantity(order: Order, params: dict[str, Any], listing: Listing) -> int:
    """Return the quantity in units; what a spot market buy spends becomes what it buys."""
    value = read_decimal(params.get("qty"))
    if value is None or value < 0:
        raise Refused(10001, "params error: qty invalid")
    is_quote = listing.is_spot and order.kind == "Market" and order.side > 0
    if is_quote and not order.is_conditional and order.market_unit != "baseCoin":
        return _bought_for(value, listing)
    if value == 0:
        closes = order.is_reduce_only and (order.closes_on_trigger or order.is_conditional)
        if closes and not listing.is_spot:
            return 0
        raise Refused(*_too_small(listing))
    units = units_of(value, listing.qty_decimals)
    if units is None or units % listing.lot:
        if listing.is_spot:
            raise Refused(170137, "Order quantity has too many decimals.")
        raise Refused(10001, "Qty invalid")
    return units


def _too_small(listing: Listing) -> tuple[int, str]:
    if listing.is_spot:
        return 170136, "Order quantity exceeded lower limit."
    return 10001, "The number of contracts below minimum limit allowed"


def _bought_for(cost: Decimal, listing: Listing) -> int:
    """Return what the book sells for at most a cost in the quote coin, in whole lots."""
    left = int(cost.scaleb(listing.value_decimals))
    bought = 0
    for price, qty in listing.pool.machine.depth(listing.number)[1]:
        taken = min(qty, left // price)
        bought += taken
        left -= taken * price
        if taken < qty:
            break
    bought -= bought % listing.lot
    if bought <= 0:
        raise Refused(170140, "Order value exceeded lower limit.")
    return bought


def _check_count(state: State, account: Account, order: Order) -> None:
    """Refuse an order more than the venue lets an account hold on a market."""
    record = state.record(account)
    if len(record.open_ids) < MOST_CONDITIONAL:
        return
    here = [
        one
        for one in map(record.orders.__getitem__, record.open_ids)
        if one.listing == order.listing
    ]
    waiting = sum(1 for one in here if one.status == "Untriggered" and one.stop_type == "Stop")
    is_spot = order.listing.startswith("spot:")
    most = MOST_SPOT_CONDITIONAL if is_spot else MOST_CONDITIONAL
    if order.is_conditional and waiting >= most:
        raise Refused(110009, "The number of stop orders exceeds the maximum allowable limit")
    if len(here) - waiting >= MOST_ORDERS and not order.is_conditional:
        raise Refused(110020, "Not allowed to have more than 500 active orders")

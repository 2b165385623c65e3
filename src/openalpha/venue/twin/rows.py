"""The rows the venue shows: orders, executions, positions, wallets, the ledger."""

from typing import Any, NamedTuple

from openalpha.venue.kernel import book_account as told
from openalpha.venue.twin.accounts import Account
from openalpha.venue.twin.listings import CASH, Listing, Tier
from openalpha.venue.twin.numbers import fixed, plain, quotient
from openalpha.venue.twin.orders import Order
from openalpha.venue.twin.state import State

__all__ = ["mean_price", "order_row", "order_ws_row", "position_row", "side_name"]

SIDES = {1: "Buy", -1: "Sell", 0: ""}


def side_name(side: int) -> str:
    """Return Buy, Sell or, for 0, nothing."""
    return SIDES[side]


def order_row(order: Order, listing: Listing) -> dict[str, Any]:
    """Return an order as REST shows it."""
    d, q = listing.price_decimals, listing.qty_decimals
    shown = plain if listing.is_spot else fixed
    price = order.limit or (order.value // order.filled if order.filled and d + q else 0)
    return {
        "orderId": order.order_id,
        "orderLinkId": order.link_id,
        "blockTradeId": "",
        "symbol": listing.symbol,
        "price": fixed(order.limit, d) if order.limit else _market_price(order, listing, price),
        "qty": shown(order.qty, q),
        "side": SIDES[order.side],
        "isLeverage": order.is_leverage,
        "positionIdx": order.position_idx,
        "orderStatus": order.status,
        "createType": order.create_type,
        "cancelType": order.cancel_type or "UNKNOWN",
        "rejectReason": order.reject_reason,
        "avgPrice": _average_price(order, listing),
        "leavesQty": shown(order.leaves, q),
        "leavesValue": plain(
            listing.notional(order.leaves, order.limit or order.last_on_created),
            listing.value_decimals,
        ),
        "cumExecQty": shown(order.filled, q),
        "cumExecValue": plain(order.value, listing.value_decimals),
        "cumExecFee": plain(order.fee, CASH),
        "cumFeeDetail": {order.fee_coin: plain(order.fee, CASH)} if order.fee_coin else {},
        "timeInForce": order.tif,
        "orderType": order.kind,
        "stopOrderType": order.stop_type,
        "orderIv": "",
        "marketUnit": order.market_unit,
        "slippageToleranceType": "UNKNOWN",
        "slippageTolerance": "",
        "triggerPrice": fixed(order.trigger, d) if order.trigger else "",
        "takeProfit": fixed(order.take_profit, d) if order.take_profit else "",
        "stopLoss": fixed(order.stop_loss, d) if order.stop_loss else "",
        "tpslMode": order.tpsl_mode,
        "ocoTriggerBy": "",
        "tpLimitPrice": fixed(order.tp_limit, d) if order.tp_limit else "",
        "slLimitPrice": fixed(order.sl_limit, d) if order.sl_limit else "",
        "tpTriggerBy": order.tp_trigger_by,
        "slTriggerBy": order.sl_trigger_by,
        "triggerDirection": order.trigger_direction,
        "triggerBy": order.trigger_by,
        "lastPriceOnCreated": fixed(order.last_on_created, d),
        "basePrice": "",
        "reduceOnly": order.is_reduce_only,
        "closeOnTrigger": order.closes_on_trigger,
        "placeType": "",
        "smpType": "None",
        "smpGroup": 0,
        "smpOrderId": "",
        "extraFees": "",
        "parentOrderLinkId": "",
        "createdTime": str(order.created_ms),
        "updatedTime": str(order.updated_ms),
    }


def _market_price(order: Order, listing: Listing, price: int) -> str:
    """Return what stands in the price field of a market order: 0 on spot and before a trade."""
    if listing.is_spot or not order.filled or listing.is_inverse:
        return "0"
    return fixed(price - price % listing.tick, listing.price_decimals)


def _average_price(order: Order, listing: Listing) -> str:
    """Return an order's average fill price, empty before its first fill."""
    if not order.filled:
        return ""
    return mean_price(listing, qty=order.filled, value=order.value)


def mean_price(listing: Listing, *, qty: int, value: int) -> str:
    """Return the price at which a quantity has a value (in the market's value units)."""
    d, decimals = listing.price_decimals, min(listing.price_decimals + 6, 12)
    if listing.is_inverse:
        power = CASH - listing.qty_decimals
        return quotient(qty * 10**power, value, decimals=decimals)
    return quotient(value, qty * 10**d, decimals=decimals)


def order_ws_row(order: Order, listing: Listing) -> dict[str, Any]:
    """Return an order as the private socket shows it."""
    row = order_row(order, listing)
    row["category"], row["feeCurrency"], row["closedPnl"] = listing.category, order.fee_coin, "0"
    return row


class _Leg(NamedTuple):
    """All that a position's row follows from, in units; `shown` is the kernel's `leg_state`.

    `spare` is what of a cross account's equity no margin needs; `exits` are of the whole position:
    take-profit, stop-loss, trailing distance.
    """

    qty: int
    cost: int
    margin: int
    leverage: int
    mark: int
    idx: int
    shown: tuple[int, ...]
    spare: int
    is_isolated: bool
    exits: tuple[str, str, str]
    realised: tuple[int, int]
    is_auto_margin: bool


def position_row(state: State, account: Account, *, listing: Listing, leg: int) -> dict[str, Any]:
    """Return a position as REST shows it, an empty one included."""
    machine, number = listing.pool.machine, listing.number
    holding = state.holding(account.number, listing.key, leg=leg)
    whole = machine.state(account.number).tolist()
    held = _Leg(
        *machine.terms(account.number, number, leg),
        machine.mark(number),
        leg + 1 if account.is_hedged else 0,
        tuple(machine.leg_state(account.number, number, leg).tolist()),
        whole[told.S_EQUITY] - whole[told.S_MAINTENANCE],
        account.is_isolated,
        _exits_of(state, account, listing, leg),
        (holding.realised_now, holding.realised),
        holding.is_auto_margin,
    )
    # Orders that come and go push the same position again and again.
    if holding.facts != held:
        holding.facts, holding.row = held, _row(listing, held)
    is_open = held.qty != 0
    return {
        **holding.row,
        "createdTime": str(holding.created_ms),
        "updatedTime": str(holding.updated_ms),
        "openTime": holding.opened_ms if is_open else 0,
        "seq": state.seq if is_open else -1,
    }


def _row(listing: Listing, held: _Leg) -> dict[str, Any]:
    """Return what of a position's row stays while its leg does."""
    qty, shown = held.qty, held.shown
    take_profit, stop_loss, trailing = held.exits
    initial = plain(shown[told.L_INITIAL], CASH) if qty else ""
    maintained = plain(shown[told.L_MAINTENANCE], CASH) if qty else ""
    entered = _entry_price(listing, qty=abs(qty), cost=abs(held.cost)) if qty else ""
    tier, limit = _tier_of(listing, shown[told.L_NOTIONAL])
    return {
        "positionIdx": held.idx,
        "riskId": tier,
        "riskLimitValue": limit.shown_limit,
        "symbol": listing.symbol,
        "side": SIDES[(qty > 0) - (qty < 0)],
        "size": fixed(abs(qty), listing.qty_decimals),
        "avgPrice": entered or "0",
        "positionValue": plain(abs(held.cost), CASH) if qty else "",
        "tradeMode": 0,
        "autoAddMargin": int(held.is_auto_margin),
        "positionStatus": "Normal",
        "leverage": plain(held.leverage, 2),
        "markPrice": fixed(held.mark, listing.price_decimals),
        "liqPrice": _liquidation_price(listing, held) if qty else "",
        "bustPrice": "",
        "positionIM": initial,
        "positionIMByMp": initial,
        "positionMM": maintained,
        "positionMMByMp": maintained,
        "positionBalance": plain(held.margin, CASH),
        "takeProfit": take_profit,
        "stopLoss": stop_loss,
        "trailingStop": trailing,
        "tpslMode": "Full",
        "sessionAvgPrice": "",
        "delta": "",
        "gamma": "",
        "vega": "",
        "theta": "",
        "unrealisedPnl": plain(shown[told.L_UNREALISED], CASH) if qty else "",
        "curRealisedPnl": plain(held.realised[0], CASH),
        "cumRealisedPnl": plain(held.realised[1], CASH),
        "adlRankIndicator": 2 if qty else 0,
        "breakEvenPrice": entered,
        "isReduceOnly": False,
        "mmrSysUpdatedTime": "",
        "leverageSysUpdatedTime": "",
    }


_NO_TIER = Tier(0, "", 0.0, 0.0)


def _tier_of(listing: Listing, notional: float) -> tuple[int, Tier]:
    """Return the number and the terms of the risk tier a notional lies in; 0 where none is."""
    for number, tier in enumerate(listing.tiers, 1):
        if notional <= tier.limit or number == len(listing.tiers):
            return number, tier
    return 0, _NO_TIER


def _exits_of(state: State, account: Account, listing: Listing, leg: int) -> tuple[str, str, str]:
    """Return take-profit, stop-loss and trailing distance of a whole position; empty where none."""
    take_profit, stop_loss, trailing = "", "", "0"
    record, d = state.record(account), listing.price_decimals
    for name in record.open_ids:
        order = record.orders[name]
        if order.listing != listing.key or order.leg != leg or order.tpsl_mode != "Full":
            continue
        if order.stop_type == "TakeProfit":
            take_profit = fixed(order.trigger, d)
        elif order.stop_type == "StopLoss":
            stop_loss = fixed(order.trigger, d)
        elif order.stop_type == "TrailingStop":
            trailing = fixed(order.distance, d)
    return take_profit, stop_loss, trailing


def _entry_price(listing: Listing, *, qty: int, cost: int) -> str:
    """Return the average price of a position from its cost in units of the settle coin."""
    if listing.is_inverse:
        return mean_price(listing, qty=qty, value=cost)
    decimals = min(listing.price_decimals + 6, 12)
    return quotient(cost * 10**listing.qty_decimals, qty * 10**CASH, decimals=decimals)


def _liquidation_price(listing: Listing, held: _Leg) -> str:
    """Estimate the mark at which the account would be liquidated by this market alone.

    The equity and the margins of all else are held still; of the linear legs of a market the one
    asked for moves. Exact while the position stays in its risk tier.
    """
    shown, mark = held.shown, held.mark
    if held.is_isolated:
        entry = abs(held.cost)
        _, tier = _tier_of(listing, entry)
        needed = entry * tier.maintenance_rate - tier.deduction
        spare, rate = held.margin + shown[told.L_UNREALISED] - max(needed, 0.0), 0.0
    else:
        spare = float(held.spare)
        rate = _tier_of(listing, shown[told.L_NOTIONAL])[1].maintenance_rate
    if not mark or not shown[told.L_NOTIONAL]:
        return ""
    sign = 1.0 if held.qty > 0 else -1.0
    share = spare / shown[told.L_NOTIONAL]
    if listing.is_inverse:
        # value 1/p: the loss of a long grows faster as the price falls
        under = 1.0 + share / (1.0 * sign + rate) if sign + rate else 0.0
        price = mark / under if under > 0 else 0.0
    else:
        price = mark * (1.0 - share / (sign - rate))
    ticks = round(price / listing.tick)
    highest = 10**9 * 10**listing.price_decimals
    if ticks <= 0 or ticks * listing.tick >= highest:
        return ""
    return fixed(ticks * listing.tick, listing.price_decimals)

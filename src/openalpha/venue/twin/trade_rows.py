"""The rows of a fill: the execution, and the profit a closing order booked."""

from typing import Any

from openalpha.core.reasons import Reason
from openalpha.venue.kernel import layout as at
from openalpha.venue.twin.listings import CASH, Listing
from openalpha.venue.twin.numbers import fixed, plain
from openalpha.venue.twin.orders import Order
from openalpha.venue.twin.rows import mean_price, side_name
from openalpha.venue.twin.state import State

__all__ = ["closed_row", "execution_row"]

_EXEC_TYPES = {
    Reason.LIQUIDATION_TAKEOVER: "BustTrade",
    Reason.DELEVERAGED: "AdlTrade",
    Reason.SETTLED: "Settle",
}


def closed_row(
    state: State, listing: Listing, *, order: Order, row: list[int], fees: tuple[int, int]
) -> None:
    """Write or extend the closed-profit row of an order."""
    ledger = state.records[order.account].closed
    closed, price = row[at.F_CLOSED], row[at.F_PRICE]
    exit_value = listing.notional(closed, price)
    realised = row[at.F_REALISED]
    cash = 10**CASH
    units = 10**listing.value_decimals
    sign = 1 if order.side < 0 else -1
    if listing.is_inverse:
        sign = -sign
    entry_value = exit_value - sign * realised * units // cash
    old = ledger[-1] if ledger and ledger[-1]["orderId"] == order.order_id else None
    sums = [closed, entry_value, exit_value, realised, *fees]
    if old is not None:
        sums = [a + b for a, b in zip(old["_sums"], sums, strict=True)]
        ledger.pop()
    qty, entered, exited, profit, open_fee, close_fee = sums
    account = state.accounts.rows[order.account]
    q = listing.qty_decimals
    ledger.append(
        {
            "symbol": listing.symbol,
            "orderType": order.kind,
            "leverage": plain(
                listing.pool.machine.leverage(account.number, listing.number, order.leg), 2
            ),
            "updatedTime": str(row[at.F_TS]),
            "side": side_name(order.side),
            "orderId": order.order_id,
            "closedPnl": plain(profit - open_fee - close_fee, CASH),
            "openFee": plain(open_fee, CASH),
            "closeFee": plain(close_fee, CASH),
            "avgEntryPrice": mean_price(listing, qty=qty, value=entered),
            "qty": fixed(order.qty, q),
            "cumEntryValue": plain(entered, listing.value_decimals),
            "createdTime": str(old["createdTime"] if old else row[at.F_TS]),
            "orderPrice": fixed(order.limit or price, listing.price_decimals),
            "closedSize": fixed(qty, q),
            "avgExitPrice": mean_price(listing, qty=qty, value=exited),
            "execType": _EXEC_TYPES.get(Reason(row[at.F_REASON]), "Trade"),
            "fillCount": str(int(old["fillCount"]) + 1 if old else 1),
            "cumExitValue": plain(exited, listing.value_decimals),
            "_sums": sums,
            "_seq": state.seq,
            "_category": listing.category,
        }
    )


def execution_row(
    state: State, listing: Listing, *, order: Order, row: list[int], name: str, seq: int
) -> dict[str, Any]:
    """Return an execution as REST shows it; the category is for the private socket."""
    machine, d, q = listing.pool.machine, listing.price_decimals, listing.qty_decimals
    is_maker = row[at.F_ROLE] == at.MAKER
    maker, taker = machine.fees(row[at.F_ACCT], listing.number)
    shown = plain if listing.is_spot else fixed
    size = abs(row[at.F_QTY])
    reason = Reason(row[at.F_REASON])
    return {
        "category": listing.category,
        "symbol": listing.symbol,
        "orderId": order.order_id,
        "orderLinkId": order.link_id,
        "side": side_name(order.side),
        "orderPrice": fixed(order.limit, d) if order.limit else "0",
        "orderQty": shown(order.qty, q),
        "leavesQty": shown(max(order.qty - order.filled, 0), q),
        "createType": order.create_type,
        "orderType": order.kind,
        "stopOrderType": order.stop_type or "UNKNOWN",
        "execFee": plain(-row[at.F_FEE], CASH),
        "execFeeV2": "",
        "execId": name,
        "execPrice": fixed(row[at.F_PRICE], d),
        "execQty": shown(size, q),
        "execType": _EXEC_TYPES.get(reason, "Trade"),
        "execValue": plain(listing.notional(size, row[at.F_PRICE]), listing.value_decimals),
        "execTime": str(row[at.F_TS]),
        "feeCurrency": order.fee_coin,
        "isMaker": is_maker,
        "isLeverage": order.is_leverage or "0",
        "feeRate": plain(maker if is_maker else taker, 8),
        "tradeIv": "",
        "markIv": "",
        "markPrice": fixed(machine.mark(listing.number), d),
        "indexPrice": fixed(listing.tape.index, d),
        "underlyingPrice": "",
        "blockTradeId": "",
        "closedSize": shown(row[at.F_CLOSED], q) if not listing.is_spot else "",
        "marketUnit": order.market_unit,
        "execPnl": plain(row[at.F_REALISED], CASH) if not listing.is_spot else "0",
        "extraFees": "",
        "seq": seq,
    }

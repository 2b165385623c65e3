"""Take-profit, stop-loss and trailing stops: conditional orders that reduce a position.

An exit of a whole position (tpslMode Full) has no quantity of its own: at its trigger it closes
what is there. Those of a part carry their quantity and come in pairs that cancel each other.
"""

from dataclasses import replace
from typing import Any

from openalpha.venue.twin.accounts import Account
from openalpha.venue.twin.changes import Changes
from openalpha.venue.twin.listings import Listing
from openalpha.venue.twin.orders import Order
from openalpha.venue.twin.state import State

__all__ = ["due_exits", "exit_order", "whole_exits"]

_NAMES: dict[str, dict[str, Any]] = {
    "TakeProfit": {"stop_type": "TakeProfit", "create_type": "CreateByTakeProfit"},
    "StopLoss": {"stop_type": "StopLoss", "create_type": "CreateByStopLoss"},
    "PartialTakeProfit": {
        "stop_type": "PartialTakeProfit",
        "create_type": "CreateByPartialTakeProfit",
    },
    "PartialStopLoss": {"stop_type": "PartialStopLoss", "create_type": "CreateByPartialStopLoss"},
    "TrailingStop": {"stop_type": "TrailingStop", "create_type": "CreateByTrailingStop"},
}


def exit_order(
    state: State,
    account: Account,
    *,
    listing: Listing,
    kind: str,
    side: int,
    leg: int,
) -> Order:
    """Return an exit to be given its trigger; `side` is its own, opposite to the position's."""
    is_profit = kind.endswith("TakeProfit")
    return Order(
        order_id="",
        link_id="",
        account=account.number,
        listing=listing.key,
        side=side,
        kind="Market",
        tif="IOC",
        qty=0,
        position_idx=leg + 1 if account.is_hedged else 0,
        leg=leg,
        trigger_by="LastPrice",
        # a sell exit takes profit on a rise, a buy exit on a fall
        trigger_direction=1 if is_profit == (side < 0) else 2,
        is_reduce_only=True,
        closes_on_trigger=True,
        tpsl_mode="Partial" if kind.startswith("Partial") else "Full",
        order_filter="tpslOrder",
        status="Untriggered",
        created_ms=state.now_ms,
        updated_ms=state.now_ms,
        last_on_created=listing.pool.machine.last(listing.number),
        **_NAMES[kind],
    )


def whole_exits(state: State, account: Account, *, listing: Listing, leg: int) -> dict[str, Order]:
    """Return the open exits of a whole position by their kind."""
    record = state.record(account)
    orders = (record.orders[name] for name in record.open_ids)
    return {
        one.stop_type: one
        for one in orders
        if one.listing == listing.key and one.leg == leg and one.tpsl_mode == "Full"
        if one.stop_type in ("TakeProfit", "StopLoss", "TrailingStop")
    }


def due_exits(state: State, changes: Changes) -> list[Order]:
    """Return the exits that the fills of entries with take-profit or stop-loss have made due."""
    due: list[Order] = []
    for order in changes.orders.values():
        new = order.filled - order.exit_qty
        if new <= 0 or not (order.take_profit or order.stop_loss) or order.is_reduce_only:
            continue
        order.exit_qty = order.filled
        account, listing = state.accounts.rows[order.account], state.listings[order.listing]
        held = listing.pool.machine.position(order.account, listing.number, order.leg)[0]
        if listing.is_spot:
            due += _spot_pair(state, account, listing, order=order, qty=new)
        elif held * order.side <= 0:
            continue
        elif order.tpsl_mode == "Partial":
            due += _pair(state, account, listing, order=order, qty=new)
        else:
            due += _whole(state, account, listing, order=order)
    return due


def _whole(state: State, account: Account, listing: Listing, *, order: Order) -> list[Order]:
    """Return the exits of the whole position that an entry brings, where they are not there yet."""
    present = whole_exits(state, account, listing=listing, leg=order.leg)
    due = []
    for kind, trigger, by in (
        ("TakeProfit", order.take_profit, order.tp_trigger_by),
        ("StopLoss", order.stop_loss, order.sl_trigger_by),
    ):
        if trigger and kind not in present:
            made = exit_order(
                state, account, listing=listing, kind=kind, side=-order.side, leg=order.leg
            )
            due.append(replace(made, trigger=trigger, trigger_by=by))
    return due


def _pair(
    state: State, account: Account, listing: Listing, *, order: Order, qty: int
) -> list[Order]:
    """Return the exits of the part that has just filled; one cancels the other."""
    group = state.next_seq()
    due = []
    for kind, trigger, by, limit in (
        ("PartialTakeProfit", order.take_profit, order.tp_trigger_by, order.tp_limit),
        ("PartialStopLoss", order.stop_loss, order.sl_trigger_by, order.sl_limit),
    ):
        if trigger:
            made = exit_order(
                state, account, listing=listing, kind=kind, side=-order.side, leg=order.leg
            )
            made = replace(made, trigger=trigger, trigger_by=by, qty=qty, group=group, limit=limit)
            due.append(replace(made, kind="Limit", tif="GTC") if limit else made)
    return due


def _spot_pair(
    state: State, account: Account, listing: Listing, *, order: Order, qty: int
) -> list[Order]:
    """Return the exits of what a spot order has just traded; one cancels the other.

    They sell what was bought less its fee, in whole lots. Nothing ties them to a position: spot has
    none.
    """
    if order.side > 0:
        qty -= -(-order.fee * qty // order.filled)
    qty -= qty % listing.lot
    is_pair = bool(order.take_profit and order.stop_loss)
    name = "BidirectionalTpslOrder" if is_pair else "tpslOrder"
    return [
        replace(
            one,
            qty=qty,
            is_reduce_only=False,
            closes_on_trigger=False,
            order_filter=name,
            stop_type=name,
            create_type="CreateByUser",
            tpsl_mode="",
        )
        for one in _pair(state, account, listing, order=order, qty=qty)
        if qty > 0
    ]

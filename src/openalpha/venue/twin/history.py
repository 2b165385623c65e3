"""From the kernel's rows to the venue's: fills, cash effects and ended orders of one event."""

from typing import Any

from openalpha.core.reasons import Reason
from openalpha.venue.kernel import layout as at
from openalpha.venue.twin.changes import Changes
from openalpha.venue.twin.deleveraging import take_over
from openalpha.venue.twin.ledger import take_effects
from openalpha.venue.twin.listings import Listing, Pool
from openalpha.venue.twin.numbers import fixed
from openalpha.venue.twin.orders import Order
from openalpha.venue.twin.rows import side_name
from openalpha.venue.twin.state import Holding, State
from openalpha.venue.twin.tape import Print
from openalpha.venue.twin.trade_rows import closed_row, execution_row

__all__ = ["record_all"]

_CREATED_BY = {
    Reason.LIQUIDATION_PARTIAL: "CreateByLiq",
    Reason.LIQUIDATION_TAKEOVER: "CreateByTakeOver_PassThrough",
    Reason.DELEVERAGED: "CreateByAdl_PassThrough",
    Reason.SETTLED: "CreateBySettle",
}
_CANCELS: dict[Reason, tuple[str, str]] = {
    Reason.CANCELLED_BY_USER: ("CancelByUser", "EC_PerCancelRequest"),
    Reason.CANCELLED_BY_OCO: ("CancelByTpSlTsClear", "EC_PerCancelRequest"),
    Reason.CANCELLED_POSITION_CLOSED: ("CancelByReduceOnly", "EC_PerCancelRequest"),
    Reason.REDUCE_ONLY_NO_POSITION: ("CancelByReduceOnly", "EC_PerCancelRequest"),
    Reason.CANCELLED_BY_LIQUIDATION: ("CancelAllBeforeLiq", "EC_PerCancelRequest"),
    Reason.SELF_MATCH: ("CancelBySmp", "EC_BySelfMatch"),
    Reason.IOC_REMAINDER: ("", "EC_NoImmediateQtyToFill"),
    Reason.FOK_NOT_FILLABLE: ("", "EC_NoEnoughQtyToFill"),
    Reason.POST_ONLY_WOULD_TAKE: ("", "EC_PostOnlyWillTakeLiquidity"),
}


def record_all(state: State, pool: Pool, *, changes: Changes) -> None:
    """Take what the kernel did since last asked into the accounts' histories."""
    machine = pool.machine
    if not machine.has_written:
        return
    fills, effects, done = (rows.tolist() for rows in machine.drain())
    ended = {row[at.D_ID]: row for row in done}
    made = [_take_fill(state, pool, row, ended, changes=changes) for row in fills]
    if effects:
        take_effects(state, pool, effects=effects, fills=fills, executions=made, changes=changes)
    for row in ended.values():
        order = pool.orders.pop(row[at.D_ID], None)
        if order is not None:
            _end(state, order, row, changes)


def _take_fill(
    state: State,
    pool: Pool,
    row: list[int],
    ended: dict[int, list[int]],
    *,
    changes: Changes,
) -> dict[str, Any]:
    """Take one fill: order, tape, position, execution; returns the execution."""
    listing = pool.listings[row[at.F_INST]]
    size, price, account = abs(row[at.F_QTY]), row[at.F_PRICE], row[at.F_ACCT]
    value = listing.notional(size, price)
    name, seq = state.next_id(), state.next_seq()
    side = 1 if row[at.F_QTY] > 0 else -1
    order = pool.orders.get(row[at.F_ORDER])
    if order is None:
        order = _venue_order(state, listing, row)
    last = ended.get(row[at.F_ORDER])
    if last is not None and (order.qty == 0 or order.is_reduce_only):
        order.qty = last[at.D_QTY]
    order.filled += size
    order.qty = max(order.qty, order.filled)
    order.value += value
    order.fee -= row[at.F_FEE]
    order.fee_coin = pool.coins[row[at.F_FEE_COIN]]
    order.updated_ms = row[at.F_TS]
    if order.status in ("New", "Untriggered"):
        order.status = "PartiallyFilled"
    changes.orders[order.order_id] = order
    listing.version += 1
    if row[at.F_ROLE] == at.TAKER and row[at.F_REASON] not in (Reason.SETTLED, Reason.DELEVERAGED):
        listing.tape.trade(Print(name, row[at.F_TS], price, size, side, seq), value)
    holding = state.holding(account, listing.key, leg=row[at.F_LEG])
    if not listing.is_spot:
        _take_position(state, listing, order, row, holding=holding)
        changes.positions[account, listing.key, row[at.F_LEG]] = None
    shown = execution_row(state, listing, order=order, row=row, name=name, seq=seq)
    state.records[account].executions.append(shown)
    changes.executions.append((account, shown))
    return shown


def _venue_order(state: State, listing: Listing, row: list[int]) -> Order:
    """Return an order of the venue's own making: a liquidation or a settlement."""
    side = 1 if row[at.F_QTY] > 0 else -1
    reason = Reason(row[at.F_REASON])
    account = state.accounts.rows[row[at.F_ACCT]]
    order = Order(
        order_id=state.next_id(),
        link_id="",
        account=row[at.F_ACCT],
        listing=listing.key,
        side=side,
        kind="Market",
        tif="IOC",
        qty=abs(row[at.F_QTY]),
        position_idx=row[at.F_LEG] + 1 if account.is_hedged else 0,
        leg=row[at.F_LEG],
        is_reduce_only=True,
        create_type=_CREATED_BY.get(reason, "CreateByUser"),
        status="Filled",
        created_ms=row[at.F_TS],
        updated_ms=row[at.F_TS],
        last_on_created=listing.pool.machine.last(listing.number),
    )
    record = state.records[order.account]
    record.add(order)
    record.end(order)
    if reason is Reason.LIQUIDATION_TAKEOVER:
        take_over(state, listing, qty=-row[at.F_QTY], price=row[at.F_PRICE])
    if reason in (Reason.LIQUIDATION_PARTIAL, Reason.LIQUIDATION_TAKEOVER):
        state.liquidations.append(
            {
                "key": listing.key,
                "T": row[at.F_TS],
                "s": listing.symbol,
                # the side of the position that was liquidated
                "S": side_name(-side),
                "v": fixed(order.qty, listing.qty_decimals),
                "p": fixed(row[at.F_PRICE], listing.price_decimals),
            }
        )
    return order


def _take_position(
    state: State, listing: Listing, order: Order, row: list[int], *, holding: Holding
) -> None:
    """Follow a position through a fill; write its closed profit where something closed."""
    closed, realised = row[at.F_CLOSED], row[at.F_REALISED]
    size, fee = abs(row[at.F_QTY]), -row[at.F_FEE]
    after = row[at.F_AFTER]
    close_fee = fee * closed // size
    before = abs(after - row[at.F_QTY])
    open_fee = holding.open_fee * closed // before if closed and before else 0
    holding.open_fee += fee - close_fee - open_fee
    holding.updated_ms = row[at.F_TS]
    if before == 0 or (closed and abs(row[at.F_QTY]) > closed):
        holding.opened_ms = row[at.F_TS]
        holding.realised_now = 0
    holding.realised += realised - fee
    holding.realised_now += realised - fee
    if closed:
        closed_row(state, listing, order=order, row=row, fees=(open_fee, close_fee))


def _end(state: State, order: Order, row: list[int], changes: Changes) -> None:
    """Close an order as the kernel says it ended."""
    reason = Reason(row[at.D_REASON])
    order.updated_ms = row[at.D_TS]
    was_waiting = order.status == "Untriggered"
    if row[at.D_STATUS] == at.FILLED:
        order.qty = row[at.D_QTY]
        order.status = "Filled"
    elif row[at.D_STATUS] == at.REJECTED and reason is not Reason.POST_ONLY_WOULD_TAKE:
        order.status, order.reject_reason = "Rejected", "EC_Others"
        changes.refused[row[at.D_ID]] = reason
    else:
        order.cancel_type, order.reject_reason = _CANCELS.get(reason, ("UNKNOWN", "EC_Others"))
        if reason is Reason.CANCELLED_POSITION_CLOSED and order.stop_type not in ("", "Stop"):
            order.cancel_type = "CancelByTpSlTsClear"
        is_spot = order.listing.startswith("spot:")
        order.status = "Deactivated" if was_waiting else "Cancelled"
        if is_spot and order.filled:
            order.status = "PartiallyFilledCanceled"
    state.records[order.account].end(order)
    changes.orders[order.order_id] = order

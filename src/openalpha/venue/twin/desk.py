"""Where commands meet the kernel: place, cancel, amend, and take in what followed.

Every change of the kernel's state by an account goes through here, and after each the kernel's rows
are taken into the accounts' histories before anything else happens.
"""

from collections.abc import Iterable

from openalpha.core.reasons import Reason
from openalpha.venue.kernel import book_account as told
from openalpha.venue.kernel import layout as at
from openalpha.venue.kernel.setup import OrderRequest
from openalpha.venue.twin.accounts import Account
from openalpha.venue.twin.changes import Changes
from openalpha.venue.twin.codes import Refused, refusal_of
from openalpha.venue.twin.deleveraging import deleverage
from openalpha.venue.twin.exits import due_exits
from openalpha.venue.twin.history import record_all
from openalpha.venue.twin.listings import Listing, Pool
from openalpha.venue.twin.orders import Order
from openalpha.venue.twin.state import State
from openalpha.venue.twin.telling import tell
from openalpha.venue.twin.wallets import gather_coins

__all__ = ["add_margin", "amend", "cancel", "follow", "place", "transfer"]

_TIFS = {"GTC": at.GTC, "IOC": at.IOC, "FOK": at.FOK, "PostOnly": at.POST_ONLY}
_BY = {"": at.BY_LAST, "LastPrice": at.BY_LAST, "MarkPrice": at.BY_MARK, "IndexPrice": at.BY_INDEX}


def place(state: State, order: Order) -> Order:
    """Give an order its id, send it to the kernel and take in what follows.

    Raises
    ------
    Refused
        Where the kernel refuses it before it lived: there is then no such order.
    """
    listing = state.listings[order.listing]
    gather_coins(state, order.account, listing=listing, side=order.side)
    order.order_id = order.order_id or state.next_id()
    order.seq = state.next_seq()
    _register(state, order)
    changes = Changes()
    _submit(state, listing, order)
    changes.orders[order.order_id] = order
    if not listing.is_spot:
        changes.positions[order.account, listing.key, order.leg] = None
    reason = _advance(state, listing.pool, changes).get(order.kernel_id)
    listing.version += 1
    if reason is not None and order.status == "Rejected" and not order.filled:
        _forget(state, order, changes)
        _finish(state, listing.pool, changes)
        raise refusal_of(reason, is_spot=listing.is_spot, rises=order.trigger_direction == 1)
    _finish(state, listing.pool, changes)
    return order


def _register(state: State, order: Order) -> None:
    record = state.records[order.account]
    record.add(order)
    record.open_ids[order.order_id] = None
    if order.link_id:
        record.links[order.link_id] = order.order_id


def _forget(state: State, order: Order, changes: Changes) -> None:
    record = state.records[order.account]
    record.orders.pop(order.order_id, None)
    record.open_ids.pop(order.order_id, None)
    record.links.pop(order.link_id, None)
    changes.orders.pop(order.order_id, None)


def _submit(state: State, listing: Listing, order: Order) -> None:
    """Put the order in flight at the kernel."""
    kind = at.NO_TRIGGER
    if order.distance:
        kind = at.TRAILING
    elif order.trigger:
        rises = order.trigger_direction == 1
        kind = at.STOP if rises == (order.side > 0) else at.TAKE_PROFIT
    request = OrderRequest(
        side=order.side,
        qty=order.qty,
        order_type=at.LIMIT if order.kind == "Limit" else at.MARKET,
        limit=order.limit,
        tif=_TIFS[order.tif] if order.kind == "Limit" or order.tif == "FOK" else at.IOC,
        trigger_kind=kind,
        trigger_by=_BY[order.trigger_by],
        trigger=0 if order.distance else order.trigger,
        reduce_only=order.is_reduce_only or order.closes_on_trigger,
        leg=order.leg,
        oco=order.group,
        activation=order.activation,
        distance=order.distance,
        account=order.account,
    )
    machine = listing.pool.machine
    order.kernel_id = machine.submit(listing.number, state.now_ms, request)
    listing.pool.orders[order.kernel_id] = order


def cancel(state: State, order: Order, *, cancel_type: str = "CancelByUser") -> None:
    """Cancel an open order and take in what follows."""
    listing = state.listings[order.listing]
    changes = Changes()
    listing.pool.machine.cancel(order.account, listing.number, state.now_ms, order.kernel_id)
    if not listing.is_spot:
        changes.positions[order.account, listing.key, order.leg] = None
    _advance(state, listing.pool, changes)
    if order.cancel_type == "CancelByUser":
        order.cancel_type = cancel_type
    listing.version += 1
    _finish(state, listing.pool, changes)


def amend(state: State, order: Order, *, qty: int = 0, limit: int = 0, trigger: int = 0) -> None:
    """Change an open order; 0 keeps a value.

    Raises
    ------
    Refused
        Where the kernel leaves the order as it is.
    """
    listing = state.listings[order.listing]
    gather_coins(state, order.account, listing=listing, side=order.side)
    machine, changes = listing.pool.machine, Changes()
    machine.amend(
        order.account,
        listing.number,
        state.now_ms,
        order.kernel_id,
        qty=qty,
        limit=limit,
        trigger=trigger,
    )
    before = (order.qty, order.limit, order.trigger)
    order.qty, order.limit = qty or order.qty, limit or order.limit
    order.trigger = trigger or order.trigger
    changes.orders[order.order_id] = order
    if not listing.is_spot:
        changes.positions[order.account, listing.key, order.leg] = None
    _advance(state, listing.pool, changes)
    listing.version += 1
    row = machine.order_row(listing.number, order.kernel_id)
    is_same = row is not None and (
        (qty and row[at.O_QTY] != qty)
        or (limit and row[at.O_LIMIT] != limit)
        or (trigger and row[at.O_TRIGGER] != trigger)
    )
    if is_same:
        order.qty, order.limit, order.trigger = before
        changes.orders.pop(order.order_id, None)
        _finish(state, listing.pool, changes)
        raise refusal_of(Reason.INSUFFICIENT_MARGIN, is_spot=listing.is_spot)
    order.updated_ms = state.now_ms
    _finish(state, listing.pool, changes)


def add_margin(state: State, account: Account, *, listing: Listing, leg: int, amount: int) -> None:
    """Lock more (+) or less (-) margin for an isolated position, in cash units.

    Raises
    ------
    Refused
        110014 where the account has less free; 110078 where less would be left than the position's
        own initial margin, its loss covered.
    """
    machine = listing.pool.machine
    if amount > 0:
        gather_coins(state, account.number, listing=listing, side=1)
        if machine.state(account.number)[told.S_FREE] < amount:
            raise Refused(110014, "Insufficient available balance to add additional margin.")
    else:
        _, cost, margin, leverage = machine.terms(account.number, listing.number, leg)
        loss = min(machine.leg_state(account.number, listing.number, leg)[told.L_UNREALISED], 0)
        if margin + amount + loss < -(-abs(cost) * 100 // leverage):
            raise Refused(110078, "Added margin more than max can reduce margin")
    machine.add_margin(account.number, listing.number, leg, amount)
    changes = Changes()
    changes.positions[account.number, listing.key, leg] = None
    changes.wallets[account.number] = None
    _finish(state, listing.pool, changes)


def transfer(state: State, account: Account, *, coin: str, amount: int) -> None:
    """Deposit (+) or withdraw (-) cash units of a coin.

    Raises
    ------
    Refused
        If the twin does not know the coin, or a withdrawal is more than the balance.
    """
    for pool in state.pools:
        number = pool.coin_number(coin)
        if number is None:
            continue
        if amount < 0 and pool.machine.balances(account.number)[number] + amount < 0:
            raise Refused(110012, "Insufficient available balance")
        pool.machine.transfer(account.number, number, state.now_ms, amount)
        follow(state, pool)
        return
    raise Refused(10001, f"the twin has no coin {coin}; it has {', '.join(state.coins())}")


def follow(state: State, pool: Pool) -> None:
    """Take in what an event of the market did to the accounts of a pool."""
    changes = Changes()
    record_all(state, pool, changes=changes)
    _look_at_waiting(pool, changes)
    _finish(state, pool, changes)


def _advance(state: State, pool: Pool, changes: Changes) -> dict[int, Reason]:
    """Let the kernel carry out what has arrived; returns which orders it refused, and why."""
    pool.machine.advance(state.now_ms)
    record_all(state, pool, changes=changes)
    _look_at_waiting(pool, changes)
    return changes.refused


def _look_at_waiting(pool: Pool, changes: Changes) -> None:
    """Notice conditional limit orders that were triggered and now rest."""
    for number, order in pool.waiting.copy().items():
        if order.status != "Untriggered":
            del pool.waiting[number]
            continue
        listing = next(one for one in pool.listings if one.key == order.listing)
        row = pool.machine.order_row(listing.number, number)
        if row is not None and row[at.O_STATUS] in (at.OPEN, at.PARTLY):
            order.status = "PartiallyFilled" if order.filled else "New"
            changes.orders[order.order_id] = order
            del pool.waiting[number]


def _finish(state: State, pool: Pool, changes: Changes) -> None:
    """Tell the accounts, then place the exits that fills have made due."""
    _note_waiting(pool, changes.orders.values())
    tell(state, changes)
    if state.taken and deleverage(state, pool):
        follow(state, pool)
    for exit_order in due_exits(state, changes):
        try:
            place(state, exit_order)
        except Refused as refused:
            if refused.code not in (110092, 110093):
                continue
            # The price is beyond the exit already: it acts at once.
            exit_order.trigger = exit_order.limit = exit_order.distance = 0
            exit_order.kind, exit_order.status, exit_order.tif = "Market", "New", "IOC"
            exit_order.reject_reason = "EC_NoError"
            _try(state, exit_order)


def _try(state: State, order: Order) -> None:
    """Place an order whose refusal changes nothing."""
    try:
        place(state, order)
    except Refused:
        return


def _note_waiting(pool: Pool, orders: Iterable[Order]) -> None:
    """Keep an eye on conditional limit orders until they are triggered."""
    for order in orders:
        if order.status == "Untriggered" and order.kind == "Limit" and order.kernel_id:
            pool.waiting[order.kernel_id] = order

"""Runs a story of the price-time book on the compiled kernel."""

from openalpha.core.orders import OrderStatus, OrderType, Role
from openalpha.core.reasons import Reason
from openalpha.venue.kernel import layout as at
from openalpha.venue.kernel.exchange import BookMachine
from openalpha.venue.kernel.setup import AccountSetup, InstrumentSetup, OrderRequest
from tests.reference.book_case import (
    AmendOrder,
    BookCase,
    BookFill,
    BookOutcome,
    CancelOrder,
    Ended,
    Level,
    MarkPrice,
    Order,
    Print,
    Snapshot,
    Step,
)


def machine_of(case: BookCase) -> BookMachine:
    rules = InstrumentSetup(
        at.LINEAR,
        steps=((0, 1, case.lot),),
        maker_e8=case.maker_e8,
        taker_e8=case.taker_e8,
        leverage_e2=1_000,
    )
    return BookMachine((rules,), (AccountSetup((case.balance,)),) * case.accounts)


def request_of(order: Order) -> OrderRequest:
    return OrderRequest(
        side=order.side,
        qty=order.qty,
        order_type=int(OrderType.LIMIT if order.limit else OrderType.MARKET),
        limit=order.limit,
        tif=int(order.tif),
        trigger_kind=int(order.trigger_kind),
        trigger_by=int(order.trigger_by),
        trigger=order.trigger,
        reduce_only=order.is_reduce_only,
        account=order.account,
    )


def apply(machine: BookMachine, ts: int, step: Step) -> None:
    """Let one step happen at a stamp, a command with all that follows from it."""
    match step:
        case Level(side, price, qty):
            machine.on_level(0, ts, side, price, qty)
        case Snapshot(levels):
            bids = [(one.price, one.qty) for one in levels if one.side > 0]
            asks = [(one.price, one.qty) for one in levels if one.side < 0]
            machine.on_snapshot(0, ts, bids, asks)
        case Print(price, qty, taker_side):
            machine.on_trade(0, ts, price, qty, taker_side)
        case MarkPrice(price):
            machine.on_mark(0, ts, price)
        case Order():
            machine.submit(0, ts, request_of(step))
        case CancelOrder(account, order_id):
            machine.cancel(account, 0, ts, order_id)
        case AmendOrder(account, order_id, qty, limit):
            machine.amend(account, 0, ts, order_id, qty=qty, limit=limit)
    machine.advance(ts)


def outcome_of(machine: BookMachine) -> BookOutcome:
    out = BookOutcome(last=machine.last(0), depth=list(machine.depth(0)))
    for row in machine.fills.tolist():
        role, reason = Role(row[at.F_ROLE]), Reason(row[at.F_REASON])
        fill = (row[at.F_ACCT], row[at.F_ORDER], row[at.F_QTY], row[at.F_PRICE], role, reason)
        out.fills.append(BookFill(*fill))
    for row in machine.done.tolist():
        status = OrderStatus(row[at.D_STATUS])
        reason = Reason.NONE if status is OrderStatus.FILLED else Reason(row[at.D_REASON])
        out.ended[row[at.D_ID]] = Ended(status, reason, row[at.D_FILLED])
    for row in machine.live_orders(0).tolist():
        if row[at.O_STATUS] in (at.OPEN, at.PARTLY):
            out.queues[row[at.O_ID]] = row[at.O_QUEUE]
    for account in range(len(machine.accounts)):
        out.balances.append(machine.balances(account)[0])
        out.positions.append(machine.position(account, 0)[:2])
    return out


def run(case: BookCase) -> BookOutcome:
    """Run a story from its first step to its last."""
    machine = machine_of(case)
    for ts, step in enumerate(case.steps, 1):
        apply(machine, ts, step)
    return outcome_of(machine)

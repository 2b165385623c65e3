"""Changes of open orders: what the gate is asked for before one, and how the log says it."""

from decimal import Decimal

from openalpha.core.instruments import InstrumentId
from openalpha.core.messages import ApprovedIntent, OrderIntent
from openalpha.core.orders import Side
from openalpha.risk.gate import Refusal
from openalpha.trading.orders.record import LiveOrder
from openalpha.trading.orders.side import Change
from openalpha.trading.venue.books import VenueBook
from openalpha.trading.venue.orders import VenueOrders

__all__ = ["change_note", "judge_change"]


def judge_change(
    orders: VenueOrders,
    order: LiveOrder,
    *,
    change: Change,
    book: VenueBook,
    ts_ms: int,
    by_risk: bool = False,
) -> ApprovedIntent | Refusal | None:
    """Ask the gate for an order of one sub-book as it would be; what only reduces needs no leave.

    Parameters
    ----------
    ts_ms : int
        Now, UTC ms.
    by_risk : bool
        A person changes it.
    """
    parts = orders.parts.get(order.link_id, ())
    if order.is_reduce_only or not parts:
        return None
    (number,) = {part.book for part in parts}
    left: Decimal = (change.qty or order.qty) - order.filled_qty
    intent = OrderIntent(
        ts_ms=ts_ms,
        instrument=InstrumentId(str(book.instruments[parts[0].which].id)),
        side=order.side,
        qty=left,
        limit_price=change.limit_price or order.limit_price,
        trigger_price=change.trigger_price or order.trigger_price,
        is_reduce_only=order.category == "spot" and order.side is Side.SELL,
        strategy=book.part.name,
    )
    return orders.judge(number, intent, by_risk=by_risk, but=order.link_id)


def change_note(change: Change) -> dict[str, str]:
    """Return the new terms as the log says them."""
    values = {"qty": change.qty, "limit": change.limit_price, "trigger": change.trigger_price}
    return {name: f"{value:f}" for name, value in values.items() if value is not None}

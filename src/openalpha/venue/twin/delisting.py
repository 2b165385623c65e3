"""Markets that stop trading: announced ahead, at their moment, or by hand."""

from openalpha.core.clock import MINUTE_MS
from openalpha.core.reasons import Reason
from openalpha.venue.twin import desk
from openalpha.venue.twin.listings import Listing
from openalpha.venue.twin.state import State

__all__ = ["deliver", "set_status"]

DELIVERING_MS = MINUTE_MS
"""How long a market is Delivering before it is Closed; a choice of the twin's own."""


def deliver(state: State, listing: Listing, *, ts_ms: int) -> None:
    """Take a market out at its announced moment: no orders first, then its positions settled."""
    if not 0 < listing.delivery_ms <= ts_ms or listing.status == "Closed":
        return
    if ts_ms >= listing.delivery_ms + DELIVERING_MS:
        set_status(state, listing, status="Closed")
    elif listing.status != "Delivering":
        set_status(state, listing, status="Delivering")


def set_status(state: State, listing: Listing, *, status: str) -> None:
    """Give a market a status; no order outlives Delivering, no position of a contract Closed."""
    listing.status = status
    listing.version += 1
    if status in ("Delivering", "Closed"):
        _cancel_orders(state, listing)
    if status == "Closed":
        listing.delivery_ms = listing.delivery_ms or state.now_ms
        _settle_positions(state, listing)
    desk.follow(state, listing.pool)


def _cancel_orders(state: State, listing: Listing) -> None:
    for account in state.accounts:
        record = state.record(account)
        for name in list(record.open_ids):
            order = record.orders[name]
            if order.listing == listing.key and order.is_open:
                desk.cancel(state, order, cancel_type="CancelByAdmin")


def _settle_positions(state: State, listing: Listing) -> None:
    """Settle what is held at the mark; coins of a spot market stay what they are."""
    if listing.is_spot:
        return
    for account in state.accounts:
        for leg in range(2):
            if listing.pool.machine.position(account.number, listing.number, leg)[0]:
                listing.pool.machine.settle(
                    account.number,
                    listing.number,
                    state.now_ms,
                    leg=leg,
                    price=listing.tape.mark,
                    reason=Reason.SETTLED,
                )

"""Auto-deleveraging: when the insurance fund is empty, winners are closed against what was taken.

Simple on purpose. The fund bears a takeover at once: the difference of its price and the mark. Is
the fund then below zero, of the accounts that hold the other side of the market the one whose
position has gained most for its size is closed whole, at the price of the takeover and without a
fee; what it forgoes against the mark fills the fund. So on, until the fund is not below zero.
"""

from typing import NamedTuple

from openalpha.core.reasons import Reason
from openalpha.venue.kernel import book_account as told
from openalpha.venue.twin.listings import CASH, Listing, Pool
from openalpha.venue.twin.state import State

__all__ = ["deleverage", "take_over"]


class _Winner(NamedTuple):
    gain: float
    account: int
    leg: int
    unrealised: int


def take_over(state: State, listing: Listing, *, qty: int, price: int) -> None:
    """Let the fund bear a takeover: a signed quantity at a price, against the mark."""
    mark = listing.pool.machine.mark(listing.number)
    change = listing.notional(abs(qty), mark) - listing.notional(abs(qty), price)
    is_long = (qty > 0) != (listing.category == "inverse")
    units = change * 10**CASH // 10**listing.value_decimals
    state.funds[listing.pool.settle] += units if is_long else -units
    state.taken.append((listing.key, 1 if qty > 0 else -1, price))


def deleverage(state: State, pool: Pool) -> bool:
    """Close winners against the takeovers of an event; returns whether any was closed."""
    taken, state.taken = state.taken, []
    happened = False
    for key, side, price in taken:
        listing = state.listings[key]
        if listing.pool is not pool:
            state.taken.append((key, side, price))
            continue
        while state.funds[pool.settle] < 0:
            winner = _first(listing, side=-side, price=price)
            if winner is None:
                break
            _close(state, listing, winner, price=price)
            happened = True
    return happened


def _first(listing: Listing, *, side: int, price: int) -> _Winner | None:
    """Return the position of a side that has gained most for its size, and gains at a price."""
    machine, found = listing.pool.machine, []
    for account in range(1, len(machine.accounts)):
        for leg in range(2):
            qty, cost, _ = machine.position(account, listing.number, leg)
            if qty * side <= 0 or _gain(listing, qty, cost, price=price) <= 0:
                continue
            shown = machine.leg_state(account, listing.number, leg).tolist()
            gain = shown[told.L_UNREALISED] / max(shown[told.L_NOTIONAL], 1)
            found.append(_Winner(gain, account, leg, shown[told.L_UNREALISED]))
    return max(found, default=None)


def _gain(listing: Listing, qty: int, cost: int, *, price: int) -> int:
    """Return what closing at a price would book, in cash units."""
    value = listing.notional(abs(qty), price)
    worth = value if qty > 0 else -value
    if listing.category == "inverse":
        worth = -worth
    return int((worth - cost) * 10**CASH // 10**listing.value_decimals)


def _close(state: State, listing: Listing, winner: _Winner, *, price: int) -> None:
    """Close a winner; what it forgoes goes to the fund."""
    machine, pool = listing.pool.machine, listing.pool
    before = machine.balances(winner.account)[0]
    machine.settle(
        winner.account,
        listing.number,
        state.now_ms,
        leg=winner.leg,
        price=price,
        reason=Reason.DELEVERAGED,
    )
    booked = machine.balances(winner.account)[0] - before
    state.funds[pool.settle] += winner.unrealised - booked

"""What an account is told after an event: its orders, executions, positions and wallet."""

from typing import Any

from openalpha.venue.twin.changes import Changes
from openalpha.venue.twin.rows import order_ws_row, position_row
from openalpha.venue.twin.state import State
from openalpha.venue.twin.wallets import wallet_row

__all__ = ["tell"]


def tell(state: State, changes: Changes) -> None:
    """Queue the private pushes of an event, each account's together, for those who listen."""
    executions: dict[int, list[dict[str, Any]]] = {}
    for account, row in changes.executions:
        if state.is_heard(account, "execution"):
            executions.setdefault(account, []).append(row)
    orders = _orders(state, changes)
    positions: dict[int, list[dict[str, Any]]] = {}
    for account, key, leg in changes.positions:
        if state.is_heard(account, "position"):
            positions.setdefault(account, []).append(_position(state, account, key, leg))
    for topic, told in (("execution", executions), ("order", orders), ("position", positions)):
        for account, rows in told.items():
            state.push(account, topic, rows=rows)
    for account in changes.wallets:
        if state.is_heard(account, "wallet"):
            row = wallet_row(state, state.accounts.rows[account])
            state.push(account, "wallet", rows=[row])


def _orders(state: State, changes: Changes) -> dict[int, list[dict[str, Any]]]:
    orders: dict[int, list[dict[str, Any]]] = {}
    for order in changes.orders.values():
        if state.is_heard(order.account, "order"):
            row = order_ws_row(order, state.listings[order.listing])
            orders.setdefault(order.account, []).append(row)
    return orders


def _position(state: State, account: int, key: str, leg: int) -> dict[str, Any]:
    """Return a position as the private socket shows it: its average price has another name."""
    listing = state.listings[key]
    row = position_row(state, state.accounts.rows[account], listing=listing, leg=leg)
    row["entryPrice"] = row.pop("avgPrice")
    row["category"] = listing.category
    return row

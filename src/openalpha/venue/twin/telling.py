"""What an account is told after an event: its orders, executions, positions and wallet."""

from typing import Any

from openalpha.venue.twin.changes import Changes
from openalpha.venue.twin.rows import order_ws_row, position_row
from openalpha.venue.twin.state import State
from openalpha.venue.twin.wallets import wallet_row

__all__ = ["tell"]


def tell(state: State, changes: Changes) -> None:
    """Queue the private pushes of an event, each account's together."""
    orders: dict[int, list[dict[str, Any]]] = {}
    for order in changes.orders.values():
        row = order_ws_row(order, state.listings[order.listing])
        orders.setdefault(order.account, []).append(row)
    executions: dict[int, list[dict[str, Any]]] = {}
    for account, row in changes.executions:
        executions.setdefault(account, []).append(row)
    positions: dict[int, list[dict[str, Any]]] = {}
    for account, key, leg in changes.positions:
        if account > 0:
            positions.setdefault(account, []).append(_position(state, account, key, leg))
    for account, rows in executions.items():
        state.push(account, "execution", rows=rows)
    for account, rows in orders.items():
        state.push(account, "order", rows=rows)
    for account, rows in positions.items():
        state.push(account, "position", rows=rows)
    for account in changes.wallets:
        if account > 0:
            state.push(account, "wallet", rows=[wallet_row(state, state.accounts.rows[account])])


def _position(state: State, account: int, key: str, leg: int) -> dict[str, Any]:
    """Return a position as the private socket shows it: its average price has another name."""
    listing = state.listings[key]
    row = position_row(state, state.accounts.rows[account], listing=listing, leg=leg)
    row["entryPrice"] = row.pop("avgPrice")
    row["category"] = listing.category
    return row

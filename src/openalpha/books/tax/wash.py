"""Wash sales: flags a loss with a purchase of the same asset, or a long perpetual, close to it.

A flag is never a denial: Part IVA asks for purpose (TR 2008/1), no window is in the law. The loss
stays counted; the list is printed with the reasons recorded for both orders.
"""

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterable
from datetime import date, timedelta
from decimal import Decimal
from typing import NamedTuple

from openalpha.books.tax.events import Acquire, Derivative, Event, Swap
from openalpha.books.tax.slices import Slice

__all__ = ["WashFlag", "wash_flags"]


class WashFlag(NamedTuple):
    """A loss to look at: the disposal, its loss (AUD, positive), and what was bought near it."""

    disposal: str
    asset: str
    day: date
    loss: Decimal
    bought: tuple[str, ...]
    days_apart: int


def wash_flags(
    slices: Iterable[Slice], events: Iterable[Event], *, window_days: int = 30
) -> list[WashFlag]:
    """List losses with a purchase of the same asset within the window on either side.

    Parameters
    ----------
    slices : iterable of Slice
        What was disposed of; a network or trading fee paid in coin is never a wash sale.
    events : iterable of Event
        Where purchases, swaps and long perpetuals are looked for.
    window_days : int
        Days before and after; ours, not the law's.
    """
    bought = _purchases(events)
    losses: dict[str, tuple[str, date, Decimal, set[str]]] = {}
    for piece in slices:
        if piece.disposal.endswith((".fee", ".paid")):
            continue
        known = losses.get(piece.disposal)
        lots = {piece.lot or ""} if known is None else known[3] | {piece.lot or ""}
        loss = min(piece.gain, Decimal(0)) + (known[2] if known else 0)
        losses[piece.disposal] = (piece.asset, piece.day, loss, lots)
    flags = []
    for disposal, (asset, day, loss, lots) in losses.items():
        near = _near(bought.get(asset, []), day, window_days) if loss < 0 else []
        # What was bought and sold again is not a repurchase of itself.
        names = [(when, name) for when, name in near if name not in lots]
        if names:
            apart = min(abs((when - day).days) for when, _ in names)
            flags.append(
                WashFlag(disposal, asset, day, -loss, tuple(name for _, name in names), apart)
            )
    return flags


def _purchases(events: Iterable[Event]) -> dict[str, list[tuple[date, str]]]:
    found: dict[str, list[tuple[date, str]]] = defaultdict(list)
    for event in events:
        if isinstance(event, Acquire) and event.kind == "buy" and event.day is not None:
            found[event.asset].append((event.day, event.id))
        elif isinstance(event, Swap):
            found[event.in_asset].append((event.day, event.id))
        elif isinstance(event, Derivative) and event.side > 0:
            found[_underlying(event.contract)].append((event.day, event.id))
    for rows in found.values():
        rows.sort()
    return found


def _underlying(contract: str) -> str:
    for ending in ("-PERP", "PERP", "USDT", "USDC", "USD"):
        if contract.endswith(ending) and len(contract) > len(ending):
            return contract.removesuffix(ending)
    return contract


def _near(rows: list[tuple[date, str]], day: date, window: int) -> list[tuple[date, str]]:
    span = timedelta(days=window)
    first = bisect_left(rows, (day - span, ""))
    last = bisect_right(rows, (day + span, "\U0010ffff"))
    return rows[first:last]

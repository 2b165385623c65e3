"""Wash sales: flags a loss with a purchase of the same asset, or a long perpetual, close to it.

A flag is never a denial: Part IVA asks for purpose (TR 2008/1), no window is in the law. The loss
stays counted; the list is printed with the reasons recorded for both orders.
"""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from datetime import date, timedelta
from decimal import Decimal
from typing import NamedTuple

from openalpha.books.tax.amounts import ZERO
from openalpha.books.tax.events import Acquire, Derivative, Event, Swap
from openalpha.books.tax.slices import Slice

__all__ = ["WashFlag", "purchases", "wash_flags"]

_NAMED_A_SIDE = 3


class WashFlag(NamedTuple):
    """A loss to look at: the disposal, its loss (AUD, positive), and what was bought near it.

    `bought` names the closest purchases, three on each side at most.
    """

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
    bought = purchases(events)
    flags = []
    for pieces in _losing(slices):
        first = pieces[0]
        # What was bought and sold again is not a repurchase of itself.
        own = {piece.lot for piece in pieces}
        names = _near(bought.get(first.asset, ()), first.day, window_days, own)
        if names:
            loss = -sum((piece.gain for piece in pieces if piece.gain < 0), ZERO)
            apart = min(abs((when - first.day).days) for when, _ in names)
            near = tuple(name for _, name in names)
            flags.append(WashFlag(first.disposal, first.asset, first.day, loss, near, apart))
    return flags


def _losing(slices: Iterable[Slice]) -> Iterator[list[Slice]]:
    """Yield the slices of each disposal that has a loss in any of them; fees in coin apart."""
    group: list[Slice] = []
    name, has_loss = "", False
    for piece in slices:
        if piece.disposal != name:
            if has_loss:
                yield group
            group, name, has_loss = [], piece.disposal, False
        group.append(piece)
        if not has_loss and piece.gain < 0:
            has_loss = not name.endswith((".fee", ".paid"))
    if has_loss:
        yield group


def purchases(events: Iterable[Event]) -> dict[str, list[tuple[date, str]]]:
    """Return day and event of every purchase, swap into and long perpetual of a coin, by coin."""
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


def _near(
    rows: Sequence[tuple[date, str]], day: date, window: int, own: set[str | None]
) -> list[tuple[date, str]]:
    """Return the closest purchases on either side within the window, a few at most."""
    if not rows:
        return []
    first, last = day - timedelta(days=window), day + timedelta(days=window)
    middle = bisect_left(rows, (day, ""))
    found: list[tuple[date, str]] = []
    for step, start in ((-1, middle - 1), (1, middle)):
        at, named = start, 0
        while 0 <= at < len(rows) and named < _NAMED_A_SIDE:
            when, name = rows[at]
            if when < first or when > last:
                break
            if name not in own:
                found.append((when, name))
                named += 1
            at += step
    return sorted(found)

"""Liquidation against the price-time book (rules B15 of docs/kernel/book.md)."""

from openalpha.venue.kernel._compile import compiled
from openalpha.venue.kernel.book import NO_PRICE
from openalpha.venue.kernel.book_taking import sweep, take_piece
from openalpha.venue.kernel.layout import I64, P_QTY
from openalpha.venue.kernel.liquidation import (
    PARTIAL,
    TAKEOVER,
    bankruptcy_price,
    close_leg,
    reduction,
)


@compiled
def _close_in_book(m: I64, a: int, i: int, p: int, qty: int, bound: int) -> int:
    """Close part of a leg at the book's prices; returns what it does not give within a bound."""
    side = -1 if m[p + P_QTY] > 0 else 1
    left = qty
    while left > 0:
        got, price = take_piece(m, i, side, bound, left)
        if price == NO_PRICE:
            break
        if got > 0:
            close_leg(m, a, i, p, got, price, PARTIAL)
            left -= got
    return left


@compiled
def reduce_in_book(m: I64, a: int, i: int, p: int, amount: int, is_last: bool) -> None:
    """Reduce a leg in the book; the venue takes over the rest and works it there (B15)."""
    side = -1 if m[p + P_QTY] > 0 else 1
    qty = reduction(m, i, p, amount, is_last)
    left = abs(m[p + P_QTY])
    if qty > 0:
        left = _close_in_book(m, a, i, p, qty, bankruptcy_price(m, a, i, p))
    if left > 0:
        price = bankruptcy_price(m, a, i, p)
        close_leg(m, a, i, p, left, price, TAKEOVER)
        sweep(m, i, side, price, left)

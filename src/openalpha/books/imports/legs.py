"""Puts the two sides of a trade together where a file has a row for each coin that moved."""

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import replace
from decimal import Decimal

from openalpha.books.imports.records import Kind, Move, Record
from openalpha.books.imports.symbols import FIAT

__all__ = ["as_trade", "join_legs", "trade"]

ZERO = Decimal(0)


def trade(
    base: Move,
    quote: Move,
    *,
    fees: Iterable[Move] = (),
    like: Record,
    price: Decimal | None = None,
) -> Record:
    """Return a trade of two coins: `base` bought (+) or sold (-), `quote` the other way."""
    return replace(
        like,
        kind=Kind.TRADE,
        moves=(base, quote),
        fees=tuple(fee for fee in fees if fee.amount),
        label="buy" if base.amount > 0 else "sell",
        qty=abs(base.amount),
        price=price,
    )


def join_legs(legs: Sequence[Record], group: Callable[[Record], Hashable]) -> list[Record]:
    """Join legs of one group into trades; what does not make two coins stays as it is.

    A group whose legs come to one coin given and one received is a trade. Its first row is where
    it stands; fees and stated balances of all its rows go with it.
    """
    grouped: dict[Hashable, list[Record]] = defaultdict(list)
    for leg in legs:
        grouped[group(leg)].append(leg)
    done: list[Record] = []
    for found in grouped.values():
        one = as_trade(found)
        done += [one] if one is not None else found
    return done


def as_trade(legs: Sequence[Record]) -> Record | None:
    """Return the trade some legs make, None where they are not one coin against another."""
    sums: dict[str, Decimal] = {}
    for leg in legs:
        for coin, amount in leg.moves:
            sums[coin] = sums.get(coin, ZERO) + amount
    moved = [Move(coin, amount) for coin, amount in sums.items() if amount]
    if len(moved) != 2 or (moved[0].amount > 0) == (moved[1].amount > 0):
        return None
    given, received = sorted(moved, key=lambda move: move.amount)
    first = min(legs, key=lambda leg: leg.line)
    whole = replace(
        first,
        balances=tuple(move for leg in legs for move in leg.balances),
        net=tuple(move for leg in legs for move in leg.net),
        text="",
    )
    fees = [fee for leg in legs for fee in leg.fees]
    base, quote = received, given
    if _is_money(received.coin) and not _is_money(given.coin):
        base, quote = given, received
    return trade(base, quote, fees=fees, like=whole, price=first.price)


def _is_money(coin: str) -> bool:

    return coin in FIAT or coin in ("USDT", "USDC")

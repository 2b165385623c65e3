"""Profit of contracts from their fills: average entry, one position a contract."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from decimal import ROUND_HALF_EVEN, Decimal
from typing import NamedTuple

from openalpha.books.imports.items import ImportItem, item_of
from openalpha.books.imports.records import Kind, Move, Record
from openalpha.books.imports.symbols import terms_of

__all__ = ["Realised", "realise"]

ZERO = Decimal(0)
_FINEST = Decimal("1e-18")


class Realised(NamedTuple):
    """Records with every fill turned into money, and what could not be."""

    records: list[Record]
    items: list[ImportItem]


@dataclass(slots=True)
class _Position:
    qty: Decimal = ZERO
    cost: Decimal = ZERO  # of the whole, signed as the quantity: quote linear, base inverse


def realise(records: Iterable[Record]) -> Realised:
    """Turn fills of contracts into profit and fees, in order of time.

    A fill that adds costs its fee only; one that reduces realises its part against the average
    entry. In hedge mode, where one contract has two positions, the files do not tell them apart.
    """
    positions: dict[tuple[str, str], _Position] = {}
    done: list[Record] = []
    items: list[ImportItem] = []
    for record in records:
        if record.kind is not Kind.FILL:
            done.append(record)
            continue
        terms = terms_of(record.contract)
        assert terms is not None and record.qty is not None and record.price is not None
        position = positions.setdefault((record.venue, record.contract), _Position())
        is_forced = record.label not in ("trade",)
        if is_forced and position.qty * record.qty >= 0:
            text = (
                f"{record.label} of {abs(record.qty)} {record.contract} without a position in the "
                "files: import the fills that opened it, or settle it with its loss in AUD"
            )
            items.append(item_of("missing_entry", record, text=text))
            done.append(replace(record, kind=Kind.CONTRACT, label="fee", moves=()))
            continue
        profit = _apply(position, record.qty, record.price, is_inverse=terms.is_inverse)
        moves = (Move(terms.coin, profit),) if profit else ()
        label = record.label if is_forced else "pnl"
        done.append(replace(record, kind=Kind.CONTRACT, label=label, moves=moves))
    return Realised(done, items)


def _apply(position: _Position, qty: Decimal, price: Decimal, *, is_inverse: bool) -> Decimal:
    worth = _cut(1 / price) if is_inverse else price
    closed = ZERO
    if position.qty * qty < 0:
        closed = min(abs(qty), abs(position.qty)) * (1 if qty > 0 else -1)
    profit = ZERO
    if closed:
        entry = position.cost if -closed == position.qty else _part(position, closed)
        profit = -closed * worth - entry
        profit = -profit if is_inverse else profit
        position.cost -= entry
        position.qty += closed
    opened = qty - closed
    position.qty += opened
    position.cost += opened * worth
    return profit


def _part(position: _Position, closed: Decimal) -> Decimal:
    return _cut(position.cost * -closed / position.qty)


def _cut(value: Decimal) -> Decimal:
    return value.quantize(_FINEST, rounding=ROUND_HALF_EVEN)

"""Several sub-books on one instrument: what cancels out is crossed, the rest is one order of all.

What one sub-book buys and another sells at the same moment changes hands between them at the price
of the decision, without a fee; only the account's net goes to the venue. Its executions belong to
those on the larger side, each in proportion to what it still wants.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from decimal import ROUND_FLOOR, Decimal

from openalpha.core.instruments import Instrument, Kind
from openalpha.core.messages import Fill, OrderIntent
from openalpha.core.orders import Leg, Role, Side
from openalpha.core.reasons import Reason
from openalpha.trading.venue.exits import ExitTerms
from openalpha.trading.venue.state import Part, Want

__all__ = ["Crossed", "NetOrder", "inner_fill", "netted", "share_out"]

_ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class Crossed:
    """One leg of what two sub-books did with each other."""

    book: int
    side: Side
    qty: Decimal
    order: int = 0
    exits: ExitTerms | None = None


@dataclass(frozen=True, slots=True)
class NetOrder:
    """One order of the account, and whose it is."""

    side: Side
    qty: Decimal
    is_reduce_only: bool
    parts: tuple[Part, ...]


def netted(
    wants: Sequence[Want], *, position: Decimal, item: Instrument, later: Collection[Want] = ()
) -> tuple[list[Crossed], list[NetOrder], list[Part]]:
    """Return what sub-books cross among themselves, the orders left for the venue, and the rest.

    Parameters
    ----------
    wants : sequence of Want
        On one instrument.
    position : Decimal
        What the account holds of it, signed: what only reduces it is sent as such.
    item : Instrument
    later : collection of Want
        Those that go out by and by: what no other sub-book crosses of them is the rest.
    """
    lot = item.steps[-1].lot_size
    sums = {
        side: sum((want.qty for want in wants if want.side is side), _ZERO)
        for side in (Side.BUY, Side.SELL)
    }
    crossed, crossing = [], min(sums.values())
    parts: list[Part] = []
    side = Side.BUY if sums[Side.BUY] >= sums[Side.SELL] else Side.SELL
    for one in (Side.BUY, Side.SELL):
        mine = [_part(want) for want in wants if want.side is one]
        given = share_out(mine, crossing, lot=lot) if crossing else []
        crossed += [Crossed(part.book, one, qty, part.order, part.exits) for part, qty in given]
        if one is side:
            parts = [
                replace(part, qty=part.qty - part.got, got=_ZERO)
                for part in mine
                if part.qty > part.got
            ]
    slow = {(want.book, want.leg) for want in later}
    rest = [part for part in parts if (part.book, part.leg) in slow]
    parts = [part for part in parts if (part.book, part.leg) not in slow]
    left = sum((part.qty for part in parts), _ZERO)
    orders = _orders(side, left, parts=parts, position=position, item=item) if left else []
    return crossed, orders, rest


def _part(want: Want) -> Part:
    exits = ExitTerms.of(want.approved.intent)
    return Part(want.book, want.which, want.leg, want.qty, order=want.order, exits=exits)


def _orders(
    side: Side, qty: Decimal, *, parts: list[Part], position: Decimal, item: Instrument
) -> list[NetOrder]:
    """Split an order where it passes through flat: what closes is sent as reducing only."""
    against = max(-position * side, _ZERO)
    if item.kind is Kind.SPOT:  # nothing to reduce but coins
        return [NetOrder(side, qty, side is Side.SELL, tuple(parts))]
    closing = min(against, qty)
    opening = qty - closing
    least = max(item.min_qty, item.steps[-1].lot_size)
    if closing < least or 0 < opening < least:
        return [NetOrder(side, qty, opening == 0, tuple(parts))]
    legs = [(closing, True), (opening, False)]
    return [
        NetOrder(side, size, is_reducing, _scaled(parts, size, of=qty))
        for size, is_reducing in legs
        if size
    ]


def _scaled(parts: Sequence[Part], qty: Decimal, *, of: Decimal) -> tuple[Part, ...]:
    return tuple(replace(part, qty=part.qty * qty / of) for part in parts)


def share_out(parts: Sequence[Part], qty: Decimal, *, lot: Decimal) -> list[tuple[Part, Decimal]]:
    """Give a quantity to those who want it, each in proportion, whole lots, nobody overtaken.

    What each was given before counts: over all executions of an order nobody is more than a lot
    from its proportion.

    Examples
    --------
    >>> parts = [Part(0, 0, "entry", Decimal(2)), Part(1, 0, "entry", Decimal(1))]
    >>> [int(given) for _, given in share_out(parts, Decimal(2), lot=Decimal(1))]
    [1, 1]
    >>> [int(given) for _, given in share_out(parts, Decimal(1), lot=Decimal(1))]
    [1]
    """
    wanted = sum((part.qty for part in parts), _ZERO)
    done = qty + sum((part.got for part in parts), _ZERO)
    short = [max(done * part.qty / wanted - part.got, _ZERO) for part in parts]
    left, given = qty, [_ZERO] * len(parts)
    for number, lack in enumerate(short):
        whole = min((lack / lot).to_integral_value(ROUND_FLOOR) * lot, left)
        given[number], left = whole, left - whole
    order = sorted(range(len(parts)), key=lambda at: (given[at] - short[at], at))
    while left > 0:
        for number in order:
            more = min(lot, left)
            given[number], left = given[number] + more, left - more
            if not left:
                break
    for part, more in zip(parts, given, strict=True):
        part.got += more
    return [(part, more) for part, more in zip(parts, given, strict=True) if more]


def inner_fill(intent: OrderIntent, one: Crossed, *, price: Decimal) -> Fill:
    """Return a leg of a crossing as an execution without a fee."""
    return Fill(
        seq=0,
        ts_ms=intent.ts_ms,
        account=0,
        instrument=intent.instrument,
        order_id=0,
        side=one.side,
        leg=Leg.NET,
        price=price,
        qty=one.qty,
        role=Role.TAKER,
        fee=_ZERO,
        fee_coin="",
        realised_pnl=_ZERO,
        is_reducing=False,
        reason=Reason.NONE,
    )

"""Large orders in small pieces: iceberg, TWAP, VWAP and chase as pure parents.

A parent keeps nothing: what it does next follows from its own terms, the children on the record and
the market now. So it survives a crash with the record, and a child's id follows from the parent's
decision and the child's number. Each child is an intent that goes through the gate like any other.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from enum import StrEnum
from itertools import accumulate, pairwise

from openalpha.core.clock import DAY_MS
from openalpha.core.errors import InputError
from openalpha.core.messages import OrderIntent
from openalpha.core.orders import OrderStatus, OrderType, Side, TimeInForce, is_terminal
from openalpha.core.units import round_to_tick

__all__ = ["Child", "Kind", "Parent", "Quote", "Step", "next_step", "volume_shares"]

_ZERO = Decimal(0)
_REFUSALS = 3


class Kind(StrEnum):
    """How a parent is worked."""

    ICEBERG = "iceberg"
    TWAP = "twap"
    VWAP = "vwap"
    CHASE = "chase"


@dataclass(frozen=True, slots=True)
class Quote:
    """Best bid and ask now."""

    bid: Decimal
    ask: Decimal


@dataclass(frozen=True, slots=True)
class Child:
    """A child as the record knows it."""

    link_id: str
    status: OrderStatus
    qty: Decimal
    filled_qty: Decimal
    limit_price: Decimal | None = None

    @property
    def is_open(self) -> bool:
        """Whether it may still trade; one of unknown fate may."""
        return not is_terminal(self.status)

    @property
    def committed(self) -> Decimal:
        """What it has filled and may still fill."""
        return self.qty if self.is_open else self.filled_qty


@dataclass(frozen=True, slots=True)
class Parent:
    """An order to be worked.

    Parameters
    ----------
    kind : Kind
    intent : OrderIntent
        The whole: instrument, side, quantity; its limit price bounds every child. ICEBERG needs
        one.
    lot, tick : Decimal
        Steps of quantity and price.
    start_ms, end_ms : int
        Between these it is worked; afterwards what is open is cancelled.
    pieces : int
        TWAP and VWAP: how many children. ICEBERG: the part shown at a time is 1 / pieces.
    shares : tuple of float
        VWAP: expected share of the volume in each piece's interval; see `volume_shares`.
    repeg_ms : int
        The least time between two children, and between two prices of the same.
    """

    kind: Kind
    intent: OrderIntent
    lot: Decimal
    tick: Decimal
    start_ms: int
    end_ms: int
    pieces: int = 10
    shares: tuple[float, ...] = ()
    repeg_ms: int = 1_000

    def __post_init__(self) -> None:
        if self.kind is Kind.ICEBERG and self.intent.limit_price is None:
            raise InputError("an iceberg needs a limit price: it rests in the book")
        if self.kind is Kind.VWAP and len(self.shares) != self.pieces:
            raise InputError(f"a VWAP of {self.pieces} pieces needs as many shares of the volume")
        if self.end_ms <= self.start_ms or self.pieces < 1:
            raise InputError("a worked order needs at least one piece and an end after its start")


@dataclass(frozen=True, slots=True)
class Step:
    """What a parent wants now: at most one new child, cancels, new prices by child id.

    `leg` names the new child: with the parent's decision it makes its id. `is_blocked`: the venue
    or the gate refused the last three children; a person should look.
    """

    place: OrderIntent | None = None
    leg: str = ""
    cancels: tuple[str, ...] = ()
    reprice: tuple[tuple[str, Decimal], ...] = ()
    is_done: bool = False
    is_blocked: bool = False


def next_step(
    parent: Parent,
    children: Sequence[Child],
    *,
    quote: Quote | None,
    now_ms: int,
    last_ms: int = 0,
) -> Step:
    """Return what is to be done now.

    Never more than the whole is filled or open together, whatever became of the children: one of
    unknown fate counts with all it may still fill.

    Parameters
    ----------
    parent : Parent
    children : sequence of Child
        All so far, oldest first.
    quote : Quote or None
        What a chase goes by; without one it waits.
    now_ms : int
    last_ms : int
        When a child was last placed or priced.

    Examples
    --------
    >>> from openalpha.core.instruments import InstrumentId
    >>> whole = OrderIntent(0, InstrumentId("bybit_linear:BTCUSDT"), Side.BUY, Decimal(1))
    >>> parent = Parent(Kind.TWAP, whole, Decimal("0.1"), Decimal("0.1"), 0, 10_000, pieces=5)
    >>> step = next_step(parent, [], quote=Quote(Decimal(99), Decimal(100)), now_ms=2_500)
    >>> step.place.qty, step.leg
    (Decimal('0.4'), 'slice0')
    """
    opened = [child for child in children if child.is_open]
    filled = sum((child.filled_qty for child in children), _ZERO)
    if filled >= parent.intent.qty:
        return Step(is_done=True, cancels=tuple(child.link_id for child in opened))
    if now_ms >= parent.end_ms:
        return Step(is_done=not opened, cancels=tuple(child.link_id for child in opened))
    if now_ms < parent.start_ms:
        return Step()
    rest = parent.intent.qty - sum((child.committed for child in children), _ZERO)
    refused = [child.status is OrderStatus.REJECTED for child in children[-_REFUSALS:]]
    if len(refused) == _REFUSALS and all(refused):
        return Step(is_blocked=True, cancels=tuple(child.link_id for child in opened))
    leg, late = f"slice{len(children)}", now_ms - last_ms
    if parent.kind is Kind.CHASE:
        return _chase(parent, opened, leg=leg, rest=rest, quote=quote, late=late)
    if late < parent.repeg_ms:
        return Step()
    if parent.kind is Kind.ICEBERG:
        return _iceberg(parent, opened, leg=leg, rest=rest)
    due = _due(parent, now_ms) - (parent.intent.qty - rest)
    qty = _lots(min(due, rest), parent.lot)
    return Step(place=_piece(parent, qty), leg=leg) if qty else Step()


def volume_shares(
    curve: Sequence[int], *, start_ms: int, end_ms: int, pieces: int
) -> tuple[float, ...]:
    """Return each piece's share of the volume that is usual between two moments.

    Parameters
    ----------
    curve : sequence of int
        Usual volume of each of equal stretches of the UTC day; none, or none in the time: equal
        shares.
    start_ms, end_ms : int
        UTC ms; each piece has the same part of the time.
    pieces : int

    Examples
    --------
    >>> volume_shares([1, 3], start_ms=0, end_ms=86_400_000, pieces=4)
    (0.125, 0.125, 0.375, 0.375)
    """
    size, sums = len(curve), [0, *accumulate(curve)]

    def until(ts_ms: float) -> float:
        days, place = divmod(ts_ms * size / DAY_MS, size)
        whole = min(int(place), size - 1)
        return days * sums[-1] + sums[whole] + curve[whole] * (place - whole)

    if not size:
        return (1 / pieces,) * pieces
    marks = [until(start_ms + (end_ms - start_ms) * at / pieces) for at in range(pieces + 1)]
    total = marks[-1] - marks[0]
    if total <= 0:
        return (1 / pieces,) * pieces
    return tuple((after - before) / total for before, after in pairwise(marks))


def _due(parent: Parent, now_ms: int) -> Decimal:
    """Return how much of the whole should be on its way by now: a piece at its interval's start."""
    length = parent.end_ms - parent.start_ms
    begun = min((now_ms - parent.start_ms) * parent.pieces // length + 1, parent.pieces)
    if begun == parent.pieces:
        return parent.intent.qty
    share = begun / parent.pieces if parent.kind is Kind.TWAP else sum(parent.shares[:begun])
    return _lots(parent.intent.qty * Decimal(str(round(share, 9))), parent.lot)


def _iceberg(parent: Parent, opened: Sequence[Child], *, leg: str, rest: Decimal) -> Step:
    """Show one piece; the next once it is gone."""
    shown = max(_lots(parent.intent.qty / parent.pieces, parent.lot), parent.lot)
    qty = _lots(min(shown, rest), parent.lot)
    return Step() if opened or not qty else Step(place=_piece(parent, qty), leg=leg)


def _chase(
    parent: Parent,
    opened: Sequence[Child],
    *,
    leg: str,
    rest: Decimal,
    quote: Quote | None,
    late: int,
) -> Step:
    """Rest post-only at the best price of our side and follow it, never beyond the limit."""
    if quote is None:
        return Step()
    is_buy = parent.intent.side is Side.BUY
    best = round_to_tick(quote.bid if is_buy else quote.ask, parent.tick)
    limit = parent.intent.limit_price
    if limit is not None:
        best = min(best, limit) if is_buy else max(best, limit)
    # One beyond the first is a remnant of something; it goes before anything else is done.
    if len(opened) > 1:
        return Step(cancels=tuple(child.link_id for child in opened[1:]))
    if not opened:
        qty = _lots(rest, parent.lot)
        is_due = late >= parent.repeg_ms
        return Step(place=_resting(parent, qty, best), leg=leg) if qty and is_due else Step()
    child = opened[0]
    is_steady = child.status in (OrderStatus.OPEN, OrderStatus.PARTIALLY_FILLED)
    if is_steady and child.limit_price != best and late >= parent.repeg_ms:
        return Step(reprice=((child.link_id, best),))
    return Step()


def _piece(parent: Parent, qty: Decimal) -> OrderIntent:
    is_limit = parent.intent.limit_price is not None
    is_resting = is_limit and parent.kind is Kind.ICEBERG
    return replace(
        parent.intent,
        qty=qty,
        order_type=OrderType.LIMIT if is_limit else OrderType.MARKET,
        time_in_force=TimeInForce.GTC if is_resting else TimeInForce.IOC,
    )


def _resting(parent: Parent, qty: Decimal, price: Decimal) -> OrderIntent:
    return replace(
        parent.intent,
        qty=qty,
        order_type=OrderType.LIMIT,
        limit_price=price,
        time_in_force=TimeInForce.POST_ONLY,
    )


def _lots(qty: Decimal, lot: Decimal) -> Decimal:
    return max(qty // lot * lot, _ZERO)

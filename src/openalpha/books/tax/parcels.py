"""Parcels and the pools that hand them out: one pool an asset, ordered by the chosen method.

A parcel is one acquisition not yet used up. What is taken from it carries its share of the cost by
differences of running totals: however a holding is cut, the pieces add up to what it cost.
"""

import heapq
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from typing import NamedTuple, Protocol

from openalpha.books.tax.amounts import ZERO, cut_off, share
from openalpha.books.tax.dates import first_eligible_day
from openalpha.books.tax.entity import Method

__all__ = ["Outlay", "Parcel", "Piece", "Pool", "Sale", "make_pool"]

Key = tuple[Decimal | int, ...]


class Outlay(NamedTuple):
    """One cost of a parcel: element of the cost base (1 to 5), day incurred, AUD."""

    element: int
    day: date | None
    amount: Decimal


@dataclass(slots=True, eq=False)
class Parcel:
    """One acquisition. `cost` holds elements 1, 2, 4 and 5, `third` element 3; `fee` is in `cost`.

    `later` lists what was spent after acquisition (also in `cost`, or in `third`), for indexation.
    """

    id: str
    asset: str
    acquired: date | None
    order: int
    qty: Decimal
    cost: Decimal
    fee: Decimal = ZERO
    third: Decimal = ZERO
    later: tuple[Outlay, ...] = ()
    kind: str = "buy"
    wallet: str = ""
    used: Decimal = ZERO
    used_cost: Decimal = ZERO
    used_third: Decimal = ZERO
    unit: Decimal | None = None

    def __lt__(self, other: "Parcel") -> bool:
        # Pieces of one parcel that meet again in a pool have one key; any order of them will do.
        return self.order < other.order

    @property
    def left(self) -> Decimal:
        """Quantity not yet used."""
        return self.qty - self.used

    @property
    def cost_left(self) -> Decimal:
        """Cost of what is left, without element 3, in AUD."""
        return self.cost - self.used_cost

    @property
    def third_left(self) -> Decimal:
        """Costs of owning on what is left, in AUD."""
        return self.third - self.used_third

    def take(self, qty: Decimal) -> "Piece":
        """Use up some of the parcel, 0 < qty <= left, and return that piece with its cost."""
        used = self.used + qty
        assert used <= self.qty
        if used == self.qty:
            cost = self.cost
        else:
            if self.unit is None:
                self.unit = self.cost / self.qty
            cost = cut_off(self.unit * used)
        piece_cost = cost - self.used_cost
        third = ZERO
        if self.third:
            third_used = share(self.third, used, whole=self.qty)
            third = third_used - self.used_third
            self.used_third = third_used
        self.used = used
        self.used_cost = cost
        return Piece(self, qty, piece_cost, third)

    def with_cost(self, outlay: Outlay) -> "Parcel":
        """Return what is left as a parcel of its own that also carries a later cost.

        The parcel itself is closed: slices already made keep the costs they were made with.
        """
        rest = self.rest()
        later = (*rest.later, outlay)
        if outlay.element == 3:
            return replace(rest, third=rest.third + outlay.amount, later=later)
        return replace(rest, cost=rest.cost + outlay.amount, later=later)

    def rest(self, qty: Decimal | None = None) -> "Parcel":
        """Split off a quantity (all that is left if None) as a parcel of its own."""
        whole = self.qty
        piece = self.take(self.left if qty is None else qty)
        scaled = tuple(
            entry._replace(amount=share(entry.amount, piece.qty, whole=whole))
            for entry in self.later
        )
        return replace(
            self,
            qty=piece.qty,
            cost=piece.cost,
            fee=share(self.fee, piece.qty, whole=whole),
            third=piece.third,
            later=scaled,
            used=ZERO,
            used_cost=ZERO,
            used_third=ZERO,
            unit=None,
        )

    def outlays(self) -> tuple[Outlay, ...]:
        """List every cost with its element and day, elements 1 and 2 of the purchase first."""
        later_cost = sum((entry.amount for entry in self.later if entry.element != 3), ZERO)
        first = Outlay(1, self.acquired, self.cost - self.fee - later_cost)
        bought = (first, Outlay(2, self.acquired, self.fee)) if self.fee else (first,)
        return (*bought, *self.later)


class Piece(NamedTuple):
    """What a disposal took from one parcel, with its share of the cost (element 3 apart)."""

    parcel: Parcel
    qty: Decimal
    cost: Decimal
    third: Decimal


class Sale(NamedTuple):
    """What a pool may look at when it chooses: the day and the net AUD a unit brings."""

    day: date
    unit_value: Decimal
    lots: Sequence[tuple[str, Decimal]] = ()


class Pool(Protocol):
    """Open parcels of one asset, in the order a method uses them."""

    def add(self, parcel: Parcel) -> None:
        """Put a parcel in."""

    def take(self, qty: Decimal, sale: Sale) -> list[Piece]:
        """Take up to `qty`; pieces cover less than that where less is held."""

    def parcels(self) -> list[Parcel]:
        """List what is left, oldest first."""

    def replace_all(self, parcels: Iterable[Parcel]) -> None:
        """Hold these parcels and no others."""

    def copy(self) -> "Pool":
        """Return a pool that can be used up without touching this one."""


def _age(parcel: Parcel) -> Key:
    day = parcel.acquired
    return (0 if day is None else day.toordinal(), parcel.order)


def _youth(parcel: Parcel) -> Key:
    day = parcel.acquired
    return (0 if day is None else -day.toordinal(), -parcel.order)


def _dearest(parcel: Parcel) -> Key:
    # Cost includes the fee; a tie goes to the oldest.
    day = parcel.acquired
    if parcel.unit is None:
        parcel.unit = parcel.cost / parcel.qty
    return (-parcel.unit, 0 if day is None else day.toordinal(), parcel.order)


_KEYS = {
    Method.FIFO: _age,
    Method.LIFO: _youth,
    Method.HIFO: _dearest,
    Method.SPECIFIC: _age,
}


def make_pool(method: Method, *, weight: Decimal = Decimal("0.5")) -> Pool:
    """Return an empty pool for a method.

    Parameters
    ----------
    method : Method
        `MIN_TAX` gives the pool that looks at discount and loss; the search over years is
        elsewhere.
    weight : Decimal
        Taxed share of a discountable gain, for that pool only, as a fraction.

    Examples
    --------
    >>> pool = make_pool(Method.FIFO)
    >>> pool.add(Parcel("b1", "BTC", date(2025, 7, 1), 1, Decimal(2), Decimal(10)))
    >>> [piece.cost for piece in pool.take(Decimal(1), Sale(date(2025, 8, 1), ZERO))]
    [Decimal('5.000000000000000000')]
    """
    if method is Method.MIN_TAX:
        return _TaxPool(weight)
    return _HeapPool(method)


class _HeapPool:
    def __init__(self, method: Method) -> None:
        self._method = method
        self._key = _KEYS[method]
        self._heap: list[tuple[Key, Parcel]] = []

    def add(self, parcel: Parcel) -> None:
        heapq.heappush(self._heap, (self._key(parcel), parcel))

    def take(self, qty: Decimal, sale: Sale) -> list[Piece]:
        pieces: list[Piece] = []
        if sale.lots:
            qty -= _take_named(self.parcels(), qty, sale, pieces)
        heap = self._heap
        while qty > 0 and heap:
            parcel = heap[0][1]
            left = parcel.qty - parcel.used
            if left > qty:
                pieces.append(parcel.take(qty))
                break
            if left > 0:
                pieces.append(parcel.take(left))
                qty -= left
            heapq.heappop(heap)
        return pieces

    def parcels(self) -> list[Parcel]:
        held = [parcel for _, parcel in self._heap if parcel.used < parcel.qty]
        return sorted(held, key=_age)

    def replace_all(self, parcels: Iterable[Parcel]) -> None:
        self._heap = [(self._key(parcel), parcel) for parcel in parcels]
        heapq.heapify(self._heap)

    def copy(self) -> Pool:
        pool = _HeapPool(self._method)
        pool._heap = [
            (key, replace(parcel)) for key, parcel in self._heap if parcel.used < parcel.qty
        ]
        return pool


class _TaxPool:
    """Takes the parcel whose sale adds least to the taxed gain: two heaps, long and short holders.

    Within each the dearest comes first, so only the two heads can be best. A parcel crosses over on
    the first day its discount is due.
    """

    def __init__(self, weight: Decimal) -> None:
        self._weight = weight
        self._short: list[tuple[Key, Parcel]] = []
        self._long: list[tuple[Key, Parcel]] = []
        self._due: list[tuple[date, int, Parcel]] = []

    def add(self, parcel: Parcel) -> None:
        heapq.heappush(self._short, (_dearest(parcel), parcel))
        if parcel.acquired is not None:
            heapq.heappush(self._due, (first_eligible_day(parcel.acquired), parcel.order, parcel))

    def take(self, qty: Decimal, sale: Sale) -> list[Piece]:
        self._mature(sale.day)
        pieces: list[Piece] = []
        if sale.lots:
            qty -= _take_named(self.parcels(), qty, sale, pieces)
        while qty > 0:
            parcel = self._best(sale)
            if parcel is None:
                break
            piece = parcel.take(min(qty, parcel.qty - parcel.used))
            pieces.append(piece)
            qty -= piece.qty
        return pieces

    def _mature(self, day: date) -> None:
        while self._due and self._due[0][0] <= day:
            parcel = heapq.heappop(self._due)[2]
            if parcel.used < parcel.qty:
                heapq.heappush(self._long, (_dearest(parcel), parcel))

    def _best(self, sale: Sale) -> Parcel | None:
        long_one = _head(self._long, None)
        short = _head(self._short, sale.day)
        if long_one is None or short is None:
            return short[1] if long_one is None and short else long_one and long_one[1]
        # A head's key opens with minus its unit cost, so the sum is the gain of a unit.
        long_gain, short_gain = sale.unit_value + long_one[0][0], sale.unit_value + short[0][0]
        if long_gain > 0:
            long_gain *= self._weight
        return long_one[1] if long_gain <= short_gain else short[1]

    def parcels(self) -> list[Parcel]:
        seen = {id(parcel): parcel for _, parcel in (*self._short, *self._long)}
        return sorted((p for p in seen.values() if p.used < p.qty), key=_age)

    def replace_all(self, parcels: Iterable[Parcel]) -> None:
        self._short, self._long, self._due = [], [], []
        for parcel in parcels:
            self.add(parcel)

    def copy(self) -> Pool:
        pool = _TaxPool(self._weight)
        pool.replace_all(replace(parcel) for parcel in self.parcels())
        return pool


def _take_named(held: list[Parcel], qty: Decimal, sale: Sale, pieces: list[Piece]) -> Decimal:
    """Take from the parcels a sale names, and return how much of it they gave."""
    taken = ZERO
    for name, named in sale.lots:
        wanted = min(named, qty - taken)
        for parcel in held:
            if parcel.id == name and wanted > 0 and parcel.left > 0:
                piece = parcel.take(min(wanted, parcel.left))
                pieces.append(piece)
                taken += piece.qty
                wanted -= piece.qty
    return taken


def _head(heap: list[tuple[Key, Parcel]], day: date | None) -> tuple[Key, Parcel] | None:
    """Return the first open parcel; with a day, the first that is still short on it."""
    while heap:
        parcel = heap[0][1]
        is_open = parcel.used < parcel.qty
        is_long = (
            day is not None
            and parcel.acquired is not None
            and first_eligible_day(parcel.acquired) <= day
        )
        if is_open and not is_long:
            return heap[0]
        heapq.heappop(heap)
    return None

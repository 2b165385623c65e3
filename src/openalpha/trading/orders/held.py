"""What an account holds by its executions: quantity, average price and profit, by venue's rules."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal, localcontext

from openalpha.core.instruments import Kind
from openalpha.core.orders import Side

__all__ = ["Holding", "kind_of"]

_ZERO = Decimal(0)
_PRECISION = 40
_DECIMALS = 30
"""Of a profit: an average price may have no end, and the ledger takes 40 decimals."""


def kind_of(category: str) -> Kind:
    """Return how a category's value follows from quantity and price."""
    return {"spot": Kind.SPOT, "inverse": Kind.INVERSE}.get(category, Kind.LINEAR)


@dataclass(slots=True)
class Holding:
    """One position: signed quantity, average entry price, profit booked since it was first seen.

    Examples
    --------
    >>> held = Holding(Kind.LINEAR)
    >>> held.apply(Side.BUY, qty=Decimal(2), price=Decimal(100))
    (Decimal('0'), False)
    >>> held.apply(Side.SELL, qty=Decimal(3), price=Decimal(110))
    (Decimal('20'), True)
    >>> held.qty, held.avg_price, held.realised
    (Decimal('-1'), Decimal('110'), Decimal('20'))
    """

    kind: Kind
    qty: Decimal = _ZERO
    avg_price: Decimal = _ZERO
    realised: Decimal = _ZERO
    base: tuple[Decimal, Decimal, Decimal] = (_ZERO, _ZERO, _ZERO)
    recent: list[tuple[str, int, int, Decimal, Decimal]] = field(default_factory=list)

    def take(
        self, exec_id: str, side: Side, *, qty: Decimal, price: Decimal, ts_ms: int
    ) -> tuple[Decimal, bool]:
        """Take an execution in under its id and time, so that its place can be mended."""
        self.recent.append((exec_id, ts_ms, int(side), qty, price))
        return self.apply(side, qty=qty, price=price)

    def agree(self) -> None:
        """Note that the venue holds the same: what came before need not be put in order again."""
        self.base = (self.qty, self.avg_price, self.realised)
        self.recent.clear()

    def put_in_order(self, places: Mapping[str, int]) -> None:
        """Do the executions since the last agreement again, in the order the venue made them.

        Pushes may come in another order than things happened; a flip makes the order matter. Their
        time says it, and within a millisecond the place in the venue's answer: an answer need not
        hold them all, so its places alone would put what is older than its first row last.
        """
        last = len(places)
        self.recent.sort(key=lambda one: (one[1], places.get(one[0], last)))
        self.qty, self.avg_price, self.realised = self.base
        for _, _, side, qty, price in self.recent:
            self.apply(Side(side), qty=qty, price=price)

    def apply(self, side: Side, *, qty: Decimal, price: Decimal) -> tuple[Decimal, bool]:
        """Take an execution in; returns the profit it booked and whether it reduced.

        The average price is that of what is open; closing leaves it as it is, a flip begins anew.
        Inverse: profit in the base coin, the average weighed by value (harmonic).
        """
        with localcontext() as context:
            context.prec = _PRECISION
            signed = qty * side
            is_reducing = self.qty * signed < 0
            if not is_reducing:
                self._add(qty, price)
                self.qty += signed
                return _ZERO, False
            closing = min(abs(self.qty), qty)
            profit = _ended(self._profit(closing, price))
            self.realised += profit
            self.qty += signed
            if self.qty == 0:
                self.avg_price = _ZERO
            elif closing < qty:
                self.avg_price = price
            return profit, True

    def _add(self, qty: Decimal, price: Decimal) -> None:
        held = abs(self.qty)
        if self.kind is Kind.INVERSE and held:
            self.avg_price = (held + qty) / (held / self.avg_price + qty / price)
        else:
            self.avg_price = (held * self.avg_price + qty * price) / (held + qty)

    def _profit(self, qty: Decimal, price: Decimal) -> Decimal:
        sign = 1 if self.qty > 0 else -1
        if self.kind is Kind.INVERSE:
            return sign * qty * (1 / self.avg_price - 1 / price)
        return sign * qty * (price - self.avg_price)


def _ended(profit: Decimal) -> Decimal:
    """Return a profit to the decimals that are kept."""
    exponent = profit.as_tuple().exponent
    assert isinstance(exponent, int), "prices and quantities are numbers"
    return profit if exponent >= -_DECIMALS else round(profit, _DECIMALS)

"""The revenue account: the same fills without CGT, as a profit scheme or as trading stock.

On either account nothing is discounted and a loss is deductible (s 118-20 stops double tax).
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal

from openalpha.books.tax.amounts import ZERO
from openalpha.books.tax.dates import income_year
from openalpha.books.tax.entity import Method, Policy, Refused, StockValue
from openalpha.books.tax.events import Acquire, Cost, Event, Swap, in_order
from openalpha.books.tax.posting import TaxBook
from openalpha.books.tax.slices import Slice

__all__ = ["ProfitScheme", "StockYear", "profit_scheme", "trading_stock"]


@dataclass(frozen=True, slots=True)
class ProfitScheme:
    """One year's profits and losses of disposals on revenue account, in AUD, both positive."""

    assessable: Decimal
    deductible: Decimal

    @property
    def result(self) -> Decimal:
        """Profit less loss."""
        return self.assessable - self.deductible


@dataclass(frozen=True, slots=True)
class StockYear:
    """One year of trading stock (Division 70), in AUD."""

    year: int
    opening: Decimal
    purchases: Decimal
    sales: Decimal
    closing: Decimal

    @property
    def result(self) -> Decimal:
        """Sales and rise of stock, less purchases."""
        return self.sales - self.purchases + self.closing - self.opening


def profit_scheme(slices: Iterable[Slice]) -> dict[int, ProfitScheme]:
    """Return profits and losses of slices by income year; costs of owning count in full."""
    profits: dict[int, Decimal] = defaultdict(Decimal)
    losses: dict[int, Decimal] = defaultdict(Decimal)
    for piece in slices:
        result = piece.proceeds - piece.cost_base
        side = profits if result > 0 else losses
        side[income_year(piece.day)] += abs(result)
    years = sorted({*profits, *losses})
    return {year: ProfitScheme(profits[year], losses[year]) for year in years}


def trading_stock(events: Iterable[Event], policy: Policy) -> list[StockYear]:
    """Return each year's stock account, valued as the policy says.

    Parcels are identified by FIFO unless the policy names them (TR 96/4). At market or replacement
    value `policy.stock_prices` gives AUD a unit by "ASSET@2025-26" or "ASSET".

    Raises
    ------
    Refused
        If a price is needed and not stated.
    """
    by_year: dict[int, list[Event]] = defaultdict(list)
    for event in in_order(events):
        if event.day is not None:
            by_year[income_year(event.day)].append(event)
    method = Method.SPECIFIC if policy.method is Method.SPECIFIC else Method.FIFO
    book = TaxBook(policy).fork(method, weight=Decimal(1))
    rows, opening = [], ZERO
    for year in range(min(by_year, default=0), max(by_year, default=-1) + 1):
        first = len(book.slices)
        book.post(by_year[year])
        sales = sum((piece.proceeds - piece.sale_cost for piece in book.slices[first:]), ZERO)
        closing = _closing(book, policy, year)
        rows.append(StockYear(year, opening, _purchases(by_year[year]), sales, closing))
        opening = closing
    return rows


def _purchases(events: Iterable[Event]) -> Decimal:
    total = ZERO
    for event in events:
        if isinstance(event, Acquire):
            coin_fee = event.coin_fee
            paid = coin_fee is not None and coin_fee.asset != event.asset
            total += (event.cost or ZERO) + event.fee
            total += (coin_fee.value or ZERO) if coin_fee is not None and paid else ZERO
        elif isinstance(event, Swap):
            total += event.value or ZERO
        elif isinstance(event, Cost):
            total += event.amount
    return total


def _closing(book: TaxBook, policy: Policy, year: int) -> Decimal:
    total = ZERO
    for parcel in book.parcels():
        if policy.stock_value is StockValue.COST:
            total += parcel.cost_left + parcel.third - parcel.used_third
            continue
        total += parcel.left * _price(policy.stock_prices, parcel.asset, year)
    return total


def _price(prices: Mapping[str, Decimal], asset: str, year: int) -> Decimal:
    name = f"{asset}@{year - 1}-{year % 100:02d}"
    price = prices.get(name, prices.get(asset))
    if price is None:
        raise Refused(f"closing stock of {asset} needs a price: state {name}")
    return price

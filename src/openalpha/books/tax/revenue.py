"""The revenue account: the same fills without CGT, as a profit scheme or as trading stock.

On either account nothing is discounted and a loss is deductible (s 118-20 stops double tax).
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from openalpha.books.tax.amounts import ZERO
from openalpha.books.tax.dates import income_year
from openalpha.books.tax.entity import Method, Policy, Refused, StockValue, Treatment
from openalpha.books.tax.events import Event, in_order
from openalpha.books.tax.posting import TaxBook
from openalpha.books.tax.slices import Revenue, Slice

__all__ = ["ProfitScheme", "StockYear", "on_revenue", "profit_scheme", "trading_stock"]


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


def on_revenue(
    events: Iterable[Event], slices: Iterable[Slice], *, policy: Policy
) -> list[Revenue]:
    """Return the revenue rows of disposals under a revenue treatment; none on capital account.

    A profit scheme has a row for each disposal, trading stock one for each year.
    """
    if policy.treatment is Treatment.CAPITAL:
        return []
    if policy.treatment is Treatment.REVENUE_TRADING_STOCK:
        return [
            Revenue(f"stock-{row.year}", date(row.year, 6, 30), "trading_stock", row.result)
            for row in trading_stock(events, policy)
        ]
    results: dict[str, tuple[date, Decimal]] = {}
    for piece in slices:
        before = results.get(piece.disposal, (piece.day, ZERO))[1]
        results[piece.disposal] = (piece.day, before + piece.proceeds - piece.cost_base)
    return [Revenue(name, day, "profit_scheme", amount) for name, (day, amount) in results.items()]


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
    rows: list[StockYear] = []
    opening = opening_cost = ZERO
    for year in range(min(by_year, default=0), max(by_year, default=-1) + 1):
        first = len(book.slices)
        book.post(by_year[year])
        sold = book.slices[first:]
        sales = sum((piece.proceeds - piece.sale_cost for piece in sold), ZERO)
        cost = sum((parcel.cost_left + parcel.third_left for parcel in book.parcels()), ZERO)
        # Whatever entered stock either left it again or is still there.
        bought = sum((piece.cost + piece.third for piece in sold), ZERO) + cost - opening_cost
        closing = cost if policy.stock_value is StockValue.COST else _valued(book, policy, year)
        rows.append(StockYear(year, opening, bought, sales, closing))
        opening, opening_cost = closing, cost
    return rows


def _valued(book: TaxBook, policy: Policy, year: int) -> Decimal:
    prices = policy.stock_prices
    return sum((p.left * _price(prices, p.asset, year) for p in book.parcels()), ZERO)


def _price(prices: Mapping[str, Decimal], asset: str, year: int) -> Decimal:
    name = f"{asset}@{year - 1}-{year % 100:02d}"
    price = prices.get(name, prices.get(asset))
    if price is None:
        raise Refused(f"closing stock of {asset} needs a price: state {name}")
    return price

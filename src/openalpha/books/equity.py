"""Equity by UTC day: the cash of each coin and what open positions were worth at the day's end."""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import NamedTuple

from openalpha.books.accounts import Account, Book, Category
from openalpha.books.entries import EntryKind
from openalpha.books.holdings import Mark, terms_in
from openalpha.books.positions import Held, Terms, unrealised
from openalpha.books.rates import RateSource, in_quote
from openalpha.books.reading import accounts_of
from openalpha.books.tables import DAYS, ENTRIES, QUOTES, and_, select
from openalpha.books.writing import book_row
from openalpha.core.clock import DAY_MS
from openalpha.store.database import Connection, Database
from openalpha.store.decimals import EXACT, exact_sum

__all__ = ["DayEquity", "equity_history"]

_KEPT = (Category.CASH, Category.POSITION, Category.COST)


class DayEquity(NamedTuple):
    """What a venue account came to at the end of a UTC day.

    Parameters
    ----------
    day_ms : int
        The day's start, UTC ms.
    currency : str
    cash : mapping of coin to Decimal
        Its balances.
    unrealised : Decimal
        Of its positions, in `currency`.
    equity : Decimal
        Balances and unrealised profit together, in `currency`; coins bought on a spot market count
        at its mark.
    usd, aud : Decimal or None
        The equity in those, None where no rate is known.
    unmarked : tuple of str
        Coins and instruments left out, because the books have no price of them.
    """

    day_ms: int
    currency: str
    cash: Mapping[str, Decimal]
    unrealised: Decimal
    equity: Decimal
    usd: Decimal | None
    aud: Decimal | None
    unmarked: tuple[str, ...]


class _Prices:
    """The marks of a venue account by instrument and moment."""

    def __init__(self, connection: Connection, book_id: int, venue: str) -> None:
        query = select(QUOTES.c.coin, QUOTES.c.rate, QUOTES.c.source, ENTRIES.c.ts_ms).join(
            ENTRIES, and_(ENTRIES.c.book_id == QUOTES.c.book_id, ENTRIES.c.seq == QUOTES.c.seq)
        )
        query = query.where(
            ENTRIES.c.book_id == book_id,
            ENTRIES.c.kind == int(EntryKind.MARK),
            ENTRIES.c.source == venue,
        )
        self._series: dict[str, tuple[list[int], list[Mark]]] = defaultdict(lambda: ([], []))
        for coin, rate, source, ts_ms in connection.execute(query.order_by(ENTRIES.c.ts_ms)):
            stamps, marks = self._series[coin]
            stamps.append(ts_ms)
            marks.append(Mark(rate, source, ts_ms))

    def at(self, instrument: str, ts_ms: int) -> Mark | None:
        stamps, marks = self._series[instrument]
        found = bisect_right(stamps, ts_ms) - 1
        return marks[found] if found >= 0 else None


def equity_history(
    database: Database,
    book: Book,
    *,
    venue: str,
    rates: RateSource,
    currency: str | None = None,
    since_ms: int | None = None,
    until_ms: int | None = None,
) -> list[DayEquity]:
    """Return the equity of a venue account at the end of each UTC day.

    Positions are valued at the last mark at or before the day's end.

    Parameters
    ----------
    venue : str
        The venue account; a run's id for a backtest.
    currency : str, optional
        Coin to count in; the one its positions settle in where it is not named.
    since_ms, until_ms : int, optional
        Days that end after the one and begin before the other; from its first to its last entry
        where they are not given.
    """
    with database.reading() as connection:
        row = book_row(connection, book)
        if row is None:
            return []
        teller = _Teller.of(connection, row[0], venue=venue, currency=currency, rates=rates)
        changes = _changes(connection, teller.numbers)
    found = []
    first = None if since_ms is None else since_ms // DAY_MS
    for day in _days(changes, until_ms):
        teller.add(changes.get(day, ()))
        if first is None or day >= first:
            found.append(teller.of_day(day))
    return found


@dataclass(slots=True)
class _Teller:
    """Follows the balances of a venue account from day to day and says what they are worth."""

    currency: str
    numbers: Mapping[int, Account]
    terms: Mapping[str, Terms]
    spots: Mapping[str, str]
    """The spot instrument that prices a coin in the currency."""
    prices: _Prices
    rates: RateSource
    held: dict[Account, Decimal] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        connection: Connection,
        book_id: int,
        *,
        venue: str,
        currency: str | None,
        rates: RateSource,
    ) -> "_Teller":
        every = {k: a for k, a in accounts_of(connection, book_id).items() if a.venue == venue}
        settle = sorted({a.coin for a in every.values() if a.category is Category.COST})
        cash = sorted({a.coin for a in every.values() if a.category is Category.CASH})
        chosen = currency or next(iter([*settle, *cash]), "")
        costs = {a.instrument: a.coin for a in every.values() if a.category is Category.COST}
        spots = {
            a.coin: a.instrument
            for a in every.values()
            if a.category is Category.TRADING
            and costs.get(a.instrument) == chosen
            and a.coin != chosen
        }
        names = {name.partition("/")[0] for name in costs}
        return cls(
            currency=chosen,
            numbers={k: a for k, a in every.items() if a.category in _KEPT},
            terms={
                name: terms_in(connection, book_id, venue=venue, instrument=name)[0]
                for name in names
            },
            spots=spots,
            prices=_Prices(connection, book_id, venue),
            rates=rates,
        )

    def add(self, changes: Iterable[tuple[Account, Decimal]]) -> None:
        for account, amount in changes:
            self.held[account] = EXACT.add(self.held.get(account, Decimal(0)), amount)

    def of_day(self, day: int) -> DayEquity:
        end_ms = (day + 1) * DAY_MS
        unmarked: list[str] = []
        cash = {
            account.coin: amount
            for account, amount in sorted(self.held.items())
            if account.category is Category.CASH
        }
        worth = [self._cash_worth(coin, amount, end_ms, unmarked) for coin, amount in cash.items()]
        gain = exact_sum(
            self._gain(account, amount, end_ms, unmarked)
            for account, amount in sorted(self.held.items())
            if account.category is Category.POSITION and amount
        )
        equity = exact_sum([*worth, gain])
        usd, aud = (
            in_quote(self.rates, self.currency, quote=quote, amount=equity, ts_ms=end_ms)
            for quote in ("USD", "AUD")
        )
        return DayEquity(day * DAY_MS, self.currency, cash, gain, equity, usd, aud, tuple(unmarked))

    def _cash_worth(self, coin: str, amount: Decimal, ts_ms: int, unmarked: list[str]) -> Decimal:
        if coin in self.spots and amount:
            mark = self.prices.at(self.spots[coin], ts_ms)
            if mark is not None:
                return EXACT.multiply(amount, mark.price)
        found = in_quote(self.rates, coin, quote=self.currency, amount=amount, ts_ms=ts_ms)
        if found is None:
            unmarked.append(coin)
        return found or Decimal(0)

    def _gain(self, account: Account, qty: Decimal, ts_ms: int, unmarked: list[str]) -> Decimal:
        """Return a position's unrealised profit; a spot position is counted as cash already."""
        name = account.instrument.partition("/")[0]
        if name in self.spots.values():
            return Decimal(0)
        coins = [
            (kept.coin, amount)
            for kept, amount in self.held.items()
            if kept.category is Category.COST and kept.instrument == account.instrument
        ]
        mark = self.prices.at(name, ts_ms)
        if mark is None or not coins or coins[0][0] != self.currency:
            unmarked.append(account.instrument)
            return Decimal(0)
        return unrealised(Held(qty, coins[0][1]), self.terms[name], price=mark.price)


def _changes(
    connection: Connection, numbers: Mapping[int, Account]
) -> dict[int, list[tuple[Account, Decimal]]]:
    found: dict[int, list[tuple[Account, Decimal]]] = defaultdict(list)
    for number, account in numbers.items():
        for row in connection.execute(DAYS.select().where(DAYS.c.account_id == number)):
            found[row.day].append((account, row.amount))
    return found


def _days(changes: Mapping[int, object], until_ms: int | None) -> range:
    if not changes:
        return range(0)
    last = max(changes) if until_ms is None else (until_ms - 1) // DAY_MS
    return range(min(changes), last + 1)

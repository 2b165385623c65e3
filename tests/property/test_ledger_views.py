"""Each view of the books equals what anybody can add up from the entries, and what the run says.

The recomputations here are written from the entries alone, slowly, with nothing of the views.
"""

from collections import defaultdict
from collections.abc import Iterator
from decimal import Decimal
from fractions import Fraction
from itertools import count
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from openalpha.books.accounts import Account, Book, Category
from openalpha.books.balances import balances
from openalpha.books.entries import Entry, EntryKind
from openalpha.books.equity import equity_history
from openalpha.books.holdings import positions, profit_and_loss
from openalpha.books.ledger import Ledger
from openalpha.books.rates import NO_RATES
from openalpha.books.reading import read_entries
from openalpha.books.statement import statement
from openalpha.books.trades import Filters, entries, trades
from openalpha.books.verify import verify_book
from openalpha.books.writing import book_row
from openalpha.core.clock import DAY_MS, ManualClock
from openalpha.core.instruments import Kind
from openalpha.core.messages import Environment
from openalpha.engine.run import EngineRun
from openalpha.research.posting import post_run
from openalpha.store.database import open_database
from tests.property.test_engine_runs import case, counts, seeds

NAMES = count(1)


@pytest.fixture(scope="module")
def ledger() -> Iterator[Ledger]:
    found = Ledger(open_database(Path(":memory:")), ManualClock(0))
    yield found
    found.database.close()


class Posted:
    """A random run in a book of its own, and its entries."""

    def __init__(self, ledger: Ledger, seed: int, instruments: int) -> None:
        made = case(seed, instruments)
        self.name = f"run{next(NAMES)}"
        self.book = Book(Environment.BACKTEST, self.name)
        self.run: EngineRun = made.run()
        self.histories = {str(h.instrument.id): h for h in made.histories}
        post_run(ledger, self.book, run=self.run, histories=self.histories, run_id=self.name)
        with ledger.database.reading() as connection:
            row = book_row(connection, self.book)
            assert row is not None
            self.entries: list[Entry] = list(read_entries(connection, row[0]))

    def sums(self, *categories: Category, until_ms: int | None = None) -> dict[Account, Decimal]:
        found: dict[Account, Decimal] = defaultdict(Decimal)
        for entry in self.entries:
            if until_ms is None or entry.ts_ms < until_ms:
                for account, amount in entry.postings:
                    if account.category in categories:
                        found[account] += amount
        return found

    def mark(self, instrument: str, until_ms: int) -> Decimal | None:
        found = [
            (entry.ts_ms, quote.rate)
            for entry in self.entries
            if entry.kind is EntryKind.MARK and entry.ts_ms <= until_ms
            for quote in entry.quotes
            if quote.coin == instrument
        ]
        return max(found)[1] if found else None

    def equity_at(self, end_ms: int) -> Decimal:
        """Cash, and every position at its mark, in the account currency."""
        total = Decimal(0)
        for account, amount in self.sums(Category.CASH, until_ms=end_ms).items():
            if account.coin == self.run.account_currency:
                total += amount
        for account, qty in self.sums(Category.POSITION, until_ms=end_ms).items():
            name = account.instrument.partition("/")[0]
            cost = self.sums(Category.COST, until_ms=end_ms)
            mark = self.mark(name, end_ms)
            if mark is not None and qty:
                value = qty * mark * self.histories[name].instrument.multiplier
                is_spot = self.histories[name].instrument.kind is Kind.SPOT
                key = Account(self.name, Category.COST, self.run.account_currency, account.coin)
                total += value if is_spot else value - cost[key]
        return total


@settings(max_examples=25)
@given(seeds, counts)
def test_views_equal_what_the_entries_add_up_to(ledger: Ledger, seed: int, count: int) -> None:
    posted = Posted(ledger, seed, count)
    balances_agree(ledger, posted)
    positions_agree(ledger, posted)
    profit_agrees(ledger, posted)
    equity_agrees(ledger, posted)
    trades_agree(ledger, posted)
    assert verify_book(ledger.database, posted.book).fault is None


def balances_agree(ledger: Ledger, posted: Posted) -> None:
    rows = balances(ledger.database, rates=NO_RATES, ts_ms=0, entity=posted.name)
    cash = {a.coin: amount for a, amount in posted.sums(Category.CASH).items() if amount}
    assert {row.coin: row.amount for row in rows} == cash
    assert cash == {coin: amount for coin, amount in posted.run.balances.items() if amount}


def positions_agree(ledger: Ledger, posted: Posted) -> None:
    rows = positions(ledger.database, posted.book)
    qty = {a.instrument: amount for a, amount in posted.sums(Category.POSITION).items() if amount}
    assert {row.instrument: row.qty for row in rows} == qty
    for row in rows:
        cost = posted.sums(Category.COST)[
            Account(posted.name, Category.COST, "USDT", row.instrument)
        ]
        assert row.cost == cost
        mark = posted.mark(row.instrument, 2**60)
        assert mark is not None
        assert row.mark is not None
        assert row.mark.price == mark
        assert row.unrealised == row.qty * mark - cost
        held = posted.run.position[-1, list(posted.histories).index(row.instrument)]
        assert float(row.qty) == pytest.approx(held)


def profit_agrees(ledger: Ledger, posted: Posted) -> None:
    """What was earned in the account currency is the change of equity; in coins, fees only."""
    rows = profit_and_loss(ledger.database, posted.book)
    currency = posted.run.account_currency
    net = sum((row.net for row in rows if row.coin == currency), Decimal(0))
    at_end = posted.equity_at(2**60)
    # Coins taken as a fee left the position without being sold: their cost stays in it.
    assert net == at_end - posted.run.capital
    kernel = {name: Fraction(0) for name in posted.histories}
    for fill in posted.run.fills.messages():
        kernel[str(fill.instrument)] += Fraction(fill.realised_pnl)
    unit = Fraction(1, 10 ** posted.run.fills.units.coin_decimals[0])
    for row in rows:
        if row.coin == currency and row.instrument:
            apart = abs(Fraction(row.realised) - kernel[row.instrument])
            # Spot rounds each effect; a perpetual's realised profit is the effect itself.
            is_spot = posted.histories[row.instrument].instrument.kind is Kind.SPOT
            assert apart <= (2 * len(posted.run.fills) * unit if is_spot else 0)


def equity_agrees(ledger: Ledger, posted: Posted) -> None:
    days = equity_history(ledger.database, posted.book, venue=posted.name, rates=NO_RATES)
    assert [day.day_ms for day in days] == sorted({day.day_ms for day in days})
    for day in days:
        assert day.unmarked == ()
        assert day.equity == posted.equity_at(day.day_ms + DAY_MS)
        assert day.aud is None
    # The kernel rounds each position's profit once; the books do not round it at all.
    unit = Decimal(1).scaleb(-posted.run.fills.units.coin_decimals[0])
    apart = abs(days[-1].equity - posted.run.final_equity)
    assert apart < unit * (len(posted.histories) + 1)


def trades_agree(ledger: Ledger, posted: Posted) -> None:
    rows = trades(ledger.database, posted.book)
    # The kernel's order is that of its events; instruments of one bar overlap in time.
    fills = sorted(posted.run.fills.messages(), key=lambda fill: fill.ts_ms)
    assert [(t.ts_ms, t.side * t.qty, t.price, t.fee) for t in reversed(rows)] == [
        (f.ts_ms, f.side * f.qty, f.price, f.fee) for f in fills
    ]
    for row in rows:
        assert row.notional == row.qty * row.price


@settings(max_examples=15)
@given(seeds, st.integers(0, 120), st.integers(0, 120))
def test_a_statement_runs_from_opening_to_closing(
    ledger: Ledger, seed: int, one: int, other: int
) -> None:
    posted = Posted(ledger, seed, 3)
    start_ms = int(posted.run.ts_ms[0])
    since_ms, until_ms = sorted(start_ms + hours * 3_600_000 + 1 for hours in (one, other))
    found = statement(
        ledger.database, posted.book, venue=posted.name, coin="USDT",
        since_ms=since_ms, until_ms=until_ms,
    )  # fmt: skip
    cash = Account(posted.name, Category.CASH, "USDT")
    assert found.opening == posted.sums(Category.CASH, until_ms=since_ms)[cash]
    assert found.closing == posted.sums(Category.CASH, until_ms=until_ms)[cash]
    inside = [
        (entry.seq, posting.amount)
        for entry in sorted(posted.entries, key=lambda entry: (entry.ts_ms, entry.seq))
        if since_ms <= entry.ts_ms < until_ms
        for posting in entry.postings
        if posting.account == cash
    ]
    assert [(line.seq, line.amount) for line in found.lines] == inside
    balance = found.opening
    for line in found.lines:
        balance += line.amount
        assert line.balance == balance
    assert balance == found.closing
    assert sum(found.totals.values(), found.opening) == found.closing


@settings(max_examples=15)
@given(seeds, st.integers(0, 120), st.integers(0, 120), st.sampled_from([None, 1, -1]))
def test_filters_leave_what_passes_them(
    ledger: Ledger, seed: int, one: int, other: int, side: int | None
) -> None:
    posted = Posted(ledger, seed, 3)
    start_ms = int(posted.run.ts_ms[0])
    since_ms, until_ms = sorted(start_ms + hours * 3_600_000 for hours in (one, other))
    name = next(iter(posted.histories))
    wanted = Filters(since_ms, until_ms, venue=posted.name, instrument=name, side=side)
    expected = [
        entry.seq
        for entry in sorted(posted.entries, key=lambda entry: (-entry.ts_ms, -entry.seq))
        if entry.fill is not None
        and since_ms <= entry.ts_ms < until_ms
        and entry.fill.instrument == name
        and side in (None, entry.fill.side)
    ]
    assert [t.entry for t in trades(ledger.database, posted.book, filters=wanted)] == expected
    of_kind = Filters(since_ms, until_ms, kind=EntryKind.FEE, source=posted.name, limit=7)
    fees = [
        entry
        for entry in sorted(posted.entries, key=lambda entry: (-entry.ts_ms, -entry.seq))
        if entry.kind is EntryKind.FEE and since_ms <= entry.ts_ms < until_ms
    ]
    assert entries(ledger.database, posted.book, filters=of_kind) == fees[:7]

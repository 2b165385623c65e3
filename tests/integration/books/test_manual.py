"""Entries by hand on both databases: transfers, adjustments, corrections, later values."""

from decimal import Decimal

import pytest

from openalpha.books.accounts import Account, Category
from openalpha.books.entries import EntryKind
from openalpha.books.equity import equity_history
from openalpha.books.holdings import positions
from openalpha.books.ledger import Ledger, Posted
from openalpha.books.manual import (
    adjustment,
    entry_of,
    open_counts,
    open_items,
    reversal,
    transfer,
    value_open_items,
)
from openalpha.books.rates import NO_RATES, Rate, RateTable
from openalpha.books.verify import verify_book
from openalpha.core.errors import InputError, UnknownName
from tests.fakes.books import DAY_MS, ME, NOON_MS, filled, moved
from tests.fakes.kernel_books import balances_of

RATES = RateTable(
    [("USDT", "AUD", Rate(Decimal("1.5"), "mine", NOON_MS)),
     ("USDT", "AUD", Rate(Decimal("1.6"), "mine", NOON_MS + 9 * DAY_MS))]
)  # fmt: skip


def cash(ledger: Ledger, venue: str) -> Decimal:
    return balances_of(ledger, venue)[Account(venue, Category.CASH, "USDT")]


def test_a_transfer_moves_between_accounts(ledger: Ledger) -> None:
    ledger.post(ME, [
        transfer(coin="USDT", amount=Decimal(100), ts_ms=1, target="a"),
        transfer(coin="USDT", amount=Decimal(30), ts_ms=2, source="a", target="b"),
        transfer(coin="USDT", amount=Decimal(5), ts_ms=3, source="b"),
    ])  # fmt: skip
    assert (cash(ledger, "a"), cash(ledger, "b")) == (70, 25)
    assert verify_book(ledger.database, ME).fault is None


def test_typed_twice_it_is_made_once(ledger: Ledger) -> None:
    draft = transfer(coin="USDT", amount=Decimal(100), ts_ms=1, target="a")
    assert ledger.post(ME, [draft]) == Posted(1, 0)
    assert ledger.post(ME, [draft]) == Posted(0, 1)


@pytest.mark.parametrize(
    ("amount", "ends"), [("0", ("", "a")), ("-1", ("", "a")), ("1", ("", "")), ("1", ("a", "a"))]
)
def test_a_transfer_that_is_none_is_refused(amount: str, ends: tuple[str, str]) -> None:
    with pytest.raises(InputError):
        transfer(coin="USDT", amount=Decimal(amount), ts_ms=1, source=ends[0], target=ends[1])


@pytest.mark.parametrize(("amount", "reason"), [("0", "why"), ("1", " ")])
def test_an_adjustment_needs_an_amount_and_a_reason(amount: str, reason: str) -> None:
    with pytest.raises(InputError):
        adjustment(venue="a", coin="USDT", amount=Decimal(amount), ts_ms=1, memo=reason)


def test_a_correction_undoes_an_entry_and_names_it(ledger: Ledger) -> None:
    ledger.rates = RATES
    ledger.post(ME, [moved("a", "7"), moved("b", "-2")])
    wrong = entry_of(ledger.database, ME, seq=1)
    draft = reversal(wrong, memo="posted to the wrong book")
    assert ledger.post(ME, [draft]) == Posted(1, 0)
    assert ledger.post(ME, [draft]) == Posted(0, 1)
    fresh = entry_of(ledger.database, ME, seq=3)
    assert (fresh.kind, fresh.corrects, fresh.ts_ms) == (EntryKind.CORRECTION, 1, wrong.ts_ms)
    assert fresh.quotes == wrong.quotes, "undone at the value it had"
    assert cash(ledger, "bybit:main") == -2
    assert entry_of(ledger.database, ME, seq=1) == wrong
    assert verify_book(ledger.database, ME).fault is None


def test_a_corrected_fill_leaves_the_position_as_it_was(ledger: Ledger) -> None:
    ledger.post(ME, [filled(1, "2", "100"), filled(2, "1", "130")])
    ledger.post(ME, [reversal(entry_of(ledger.database, ME, seq=2), memo="never happened")])
    (position,) = positions(ledger.database, ME)
    assert (position.qty, position.cost, position.entry_price) == (2, 200, 100)


def test_an_unknown_entry_is_named(ledger: Ledger) -> None:
    with pytest.raises(UnknownName, match="the book paper/me has no entry 5"):
        entry_of(ledger.database, ME, seq=5)


def test_open_items_are_valued_by_an_entry_that_names_them(ledger: Ledger) -> None:
    ledger.post(ME, [moved("a", "7"), moved("b", "0"), moved("c", "3", at=NOON_MS + 9 * DAY_MS)])
    ledger.post(ME, [moved("d", "3", at=NOON_MS + 7 * DAY_MS), moved("e", "1", coin="MNT")])
    assert open_counts(ledger.database, ME) == {"USDT": 3, "MNT": 1}
    assert [item[:2] for item in open_items(ledger.database, ME)] == [
        (1, "USDT"), (5, "MNT"), (4, "USDT"), (3, "USDT"),
    ]  # fmt: skip
    # The rate of the first day is too old on the eighth: that item stays open.
    assert value_open_items(ledger, ME, rates=RATES) == Posted(2, 2)
    named = {q.of_seq: q.rate for q in entry_of(ledger.database, ME, seq=6).quotes}
    assert named == {1: Decimal("1.5"), 3: Decimal("1.6")}
    assert open_counts(ledger.database, ME) == {"USDT": 1, "MNT": 1}
    assert [item[0] for item in open_items(ledger.database, ME)] == [5, 4]
    assert value_open_items(ledger, ME, rates=RATES) == Posted(0, 2)
    assert verify_book(ledger.database, ME).fault is None


def test_equity_goes_on_over_days_without_entries(ledger: Ledger) -> None:
    ledger.post(ME, [moved("a", "7"), moved("b", "-2", at=NOON_MS + 2 * DAY_MS)])
    days = equity_history(ledger.database, ME, venue="bybit:main", rates=RATES)
    assert [day.equity for day in days] == [7, 7, 5]
    assert [day.aud for day in days] == [Decimal("10.5"), Decimal("10.5"), Decimal("7.5")]
    assert [day.usd for day in days] == [None, None, None]
    later = equity_history(
        ledger.database, ME, venue="bybit:main", rates=NO_RATES,
        since_ms=NOON_MS + DAY_MS, until_ms=NOON_MS + 4 * DAY_MS,
    )  # fmt: skip
    assert [day.equity for day in later] == [7, 5, 5, 5]

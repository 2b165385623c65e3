"""Parcels named before a sale: found by their beginnings, and refused in one clear sentence."""

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from openalpha.books.accounts import Book
from openalpha.books.effects import effect_draft
from openalpha.books.imports.own_books import own_book
from openalpha.books.ledger import Ledger
from openalpha.books.locks import LockedYear, YearLocks, lock_name
from openalpha.books.naming import checked_lots
from openalpha.books.opening import open_ledger
from openalpha.books.rates import Rate, RateTable
from openalpha.books.selections import selection_draft
from openalpha.books.settings import BooksSettings
from openalpha.books.tax.entity import Method, Treatment
from openalpha.books.tax.entity_year import assess_profile
from openalpha.books.whole import history_of, profile_in
from openalpha.core.clock import ManualClock
from openalpha.core.errors import InputError, OpenAlphaError, UnknownName
from openalpha.core.instruments import Instrument, Kind, StepRule, instrument_id
from openalpha.core.messages import CashEffect, EffectKind, Environment
from tests.fakes.books import DAY_MS, filled

D = Decimal
NOW = 1_783_000_000_000  # 2 July 2026
RATES = RateTable([("USDT", "AUD", Rate(D("1.5"), "test", 0))], carry_ms=2**60)


def spot(base: str) -> Instrument:
    return Instrument(
        instrument_id("bybit_spot", f"{base}USDT"), Kind.SPOT, base, "USDT", "USDT", 2, 3,
        (StepRule(0, D("0.01"), D("0.001")),),
    )  # fmt: skip


@pytest.fixture(params=[Environment.TWIN, Environment.LIVE])
def book(request: pytest.FixtureRequest) -> Book:
    return Book(request.param, "me")


@pytest.fixture
def books(tmp_path: Path, book: Book) -> Iterator[Ledger]:
    """Two purchases of BTC, one of ETH."""
    home = tmp_path / "home"
    found = open_ledger(home, BooksSettings(), clock=ManualClock(NOW), rates=RATES)
    for number, (base, qty, price) in enumerate(
        [("BTC", "0.5", 100), ("BTC", "0.25", 200), ("ETH", "3", 10)], 1
    ):
        trade(found, book, number, base, qty, price)
    yield found
    found.database.close()


def trade(ledger: Ledger, book: Book, number: int, base: str, qty: str, price: int) -> None:
    at, of = NOW - (10 - number) * DAY_MS, spot(base)
    moves = ((2 * number, D(qty), base), (2 * number + 1, -D(qty) * price, "USDT"))
    effects = [
        CashEffect(seq, at, 0, coin, value, EffectKind.TRADE, of.id, number)
        for seq, value, coin in moves
    ]
    drafts = [effect_draft(effect, source="test", venue="bybit:main") for effect in effects]
    ledger.post(book, [filled(number, qty, str(price), instrument=of, at=at), *drafts])


def keys(books: Ledger, book: Book) -> list[str]:
    return [record.key for record in own_book(books.database, book).records]


def test_parcels_named_before_a_sale_are_those_it_uses(books: Ledger, book: Book) -> None:
    first, second, _ = keys(books, book)
    lots = checked_lots(
        books, book, coin="BTC", qty=D("0.5"), lots=[(second[:8], None), (first[:8], None)]
    )
    assert lots == ((second, D("0.25")), (first, D("0.25")))
    trade(books, book, 4, "BTC", "-0.5", 300)
    done = selection_draft("test/fill/4", ts_ms=NOW, source="test", lots=lots, by="order 7")
    books.clock = ManualClock(NOW - 6 * DAY_MS)  # posted with its fill
    books.post(book, [done])
    history = history_of(books, "me", environment=book.environment)
    slices = assess_profile(history.events, profile_in(books, "me")).slices
    assert [piece.lot for piece in slices if piece.asset == "BTC"] == [second, first]


def test_what_cannot_be_named(books: Ledger, book: Book) -> None:
    first, second, other = keys(books, book)
    cases: list[tuple[list[tuple[str, Decimal | None]], type[OpenAlphaError], str]] = [
        ([("feed", None)], UnknownName, "'feed' fits 0 parcels of BTC"),
        ([("", None)], UnknownName, "'' fits 0 parcels"),
        ([(other, None)], UnknownName, "fits 0 parcels of BTC"),
        ([(second, D("0.3"))], InputError, "which holds 0.25 BTC of"),
        ([(first, D(0))], InputError, "0 of parcel"),
        ([(first, D("0.4")), (second, D("0.25"))], InputError, "come to 0.65"),
        ([(first, D("0.1")), (first, D("0.1"))], InputError, "each named once"),
        ([(first, D("0.5")), (second, None)], InputError, "nothing that is left to sell"),
    ]
    for lots, kind, words in cases:
        with pytest.raises(kind, match=words):
            checked_lots(books, book, coin="BTC", qty=D("0.5"), lots=lots)


def test_a_locked_year_takes_no_names(books: Ledger, book: Book) -> None:
    lock = LockedYear(
        2027, Treatment.CAPITAL, Method.FIFO, D(1), Method.FIFO, "Ann", "", "ab", "cd"
    )
    YearLocks(books.database, books.clock).lock(lock_name(book), lock)
    first, *_ = keys(books, book)
    with pytest.raises(InputError, match=r"2026-27 is locked .* cannot be named any more"):
        checked_lots(books, book, coin="BTC", qty=D(1), lots=[(first, None)])

"""Parcels named for a sale on its day: who, when, a hash in the ledger, and the gain they make."""

import json
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from openalpha.books.accounts import Book
from openalpha.books.effects import effect_draft
from openalpha.books.entries import EntryKind
from openalpha.books.imports.own_books import own_book
from openalpha.books.ledger import Ledger
from openalpha.books.opening import open_ledger
from openalpha.books.rates import Rate, RateTable
from openalpha.books.selections import selection_draft
from openalpha.books.settings import BooksSettings
from openalpha.books.tax import Policy, assess
from openalpha.books.trades import entries
from openalpha.books.whole import history_of
from openalpha.cli.border import execute
from openalpha.core.clock import DAY_MS, HOUR_MS, ManualClock, SystemClock
from openalpha.core.errors import InputError
from openalpha.core.instruments import Instrument, Kind, StepRule, instrument_id
from openalpha.core.messages import CashEffect, EffectKind, Environment
from tests.fakes.books import filled

LIVE = Book(Environment.LIVE, "me")
SPOT = Instrument(
    instrument_id("bybit_spot", "BTCAUD"), Kind.SPOT, "BTC", "AUD", "AUD", 2, 3,
    (StepRule(0, Decimal("0.01"), Decimal("0.001")),),
)  # fmt: skip
RATES = RateTable([("BTC", "AUD", Rate(Decimal(90_000), "test", 0))], carry_ms=2**60)


def trade(ledger: Ledger, number: int, qty: str, price: int, *, at: int) -> None:
    amount = Decimal(qty)
    moves = ((2 * number, amount, "BTC"), (2 * number + 1, -amount * price, "AUD"))
    effects = [
        CashEffect(seq, at, 0, coin, value, EffectKind.TRADE, SPOT.id, number)
        for seq, value, coin in moves
    ]
    drafts = [effect_draft(effect, source="test", venue="bybit:main") for effect in effects]
    ledger.post(LIVE, [filled(number, qty, str(price), instrument=SPOT, at=at), *drafts])


@pytest.fixture
def sold(home: Path) -> Any:
    """Two purchases at other prices, long ago and of late, and a sale now."""
    now = SystemClock().now_ms()

    def post(*, sale_at: int = now) -> str:
        books = open_ledger(home, BooksSettings(), clock=ManualClock(now), rates=RATES)
        trade(books, 1, "0.5", 50_000, at=now - 500 * DAY_MS)
        trade(books, 2, "0.5", 100_000, at=now - 20 * DAY_MS)
        trade(books, 3, "-0.5", 90_000, at=sale_at)
        keys = [record.key for record in own_book(books.database, LIVE).records]
        books.database.close()
        return " ".join(keys)

    return post


def gains(home: Path) -> list[Decimal]:
    books = open_ledger(home, BooksSettings(), clock=SystemClock())
    found = assess(history_of(books, "me").events, Policy())
    books.database.close()
    return [piece.gain for piece in found.slices]


def test_named_parcels_are_used_and_recorded(
    home: Path, sold: Callable[..., str], capsys: Any
) -> None:
    _, dear, sale = sold().split()
    assert gains(home) == [Decimal(20_000)], "first in, first out"
    words = ["tax", "select", sale[:8], "--lot", f"{dear[:8]}=0.5", "--by", "me", "--json", "-"]
    assert execute(words) == 0
    assert json.loads(capsys.readouterr().out)["lots"] == [{"parcel": dear, "qty": "0.5"}]
    assert gains(home) == [Decimal(-5_000)]
    books = open_ledger(home, BooksSettings(), clock=SystemClock())
    record = own_book(books.database, LIVE).records[-1]
    books.database.close()
    assert record.chosen is not None
    assert (record.chosen.by, record.chosen.lots) == ("me", ((dear, Decimal("0.5")),))
    assert len(record.chosen.sha256) == 64
    assert execute(words) == 0
    assert execute(["ledger", "verify"]) == 0
    capsys.readouterr()


def test_what_cannot_be_named_is_refused(home: Path, sold: Callable[..., str], capsys: Any) -> None:
    old, dear, sale = sold().split()
    for lots, said in (
        ([f"{old}=0.6"], "holds 0.5 BTC"),
        ([f"{old}=0"], "holds 0.5 BTC"),
        ([f"{old}=x"], "expected an amount"),
        ([f"{sale}=0.1"], "fits 0 parcels"),
        ([f"{old}=0.3", f"{dear}=0.3"], "come to 0.6"),
        ([f"{old}=0.2", f"{old}=0.2"], "each named once"),
    ):
        named = [word for lot in lots for word in ("--lot", lot)]
        assert execute(["tax", "select", sale, *named, "--by", "me"]) == 1
        assert said in " ".join(capsys.readouterr().err.split()), lots
    assert execute(["tax", "select", sale, "--lot", f"{old}=0.1", "--by", " "]) == 1
    assert execute(["tax", "select", "nothing", "--lot", f"{old}=0.1", "--by", "me"]) == 1
    assert gains(home) == [Decimal(20_000)]


def test_a_day_later_it_is_too_late(home: Path, sold: Callable[..., str], capsys: Any) -> None:
    now = SystemClock().now_ms()
    _, dear, sale = sold(sale_at=now - 30 * HOUR_MS).split()
    assert execute(["tax", "select", sale, "--lot", f"{dear}=0.5", "--by", "me"]) == 1
    assert "parcels are named on the day of the sale" in " ".join(capsys.readouterr().err.split())
    books = open_ledger(home, BooksSettings(), clock=SystemClock())
    late = selection_draft(
        "test/fill/3", ts_ms=now, source="test", lots=[(dear, Decimal("0.5"))], by="me"
    )
    books.post(LIVE, [late])
    history = history_of(books, "me")
    books.database.close()
    assert [item.code for item in history.open_items] == ["late_selection"]
    assert gains(home) == [Decimal(20_000)], "the standing method"


@pytest.mark.parametrize(
    ("lots", "by"),
    [([], "me"), ([("a", Decimal(1))], " "), ([("a", Decimal(0))], "me")],
)
def test_an_empty_choice_is_no_entry(lots: list[tuple[str, Decimal]], by: str) -> None:
    with pytest.raises(InputError):
        selection_draft("x", ts_ms=0, source="s", lots=lots, by=by)


def test_a_later_word_replaces_an_earlier_one(home: Path, sold: Callable[..., str]) -> None:
    old, dear, sale = sold().split()
    for parcel in (dear, old):
        assert execute(["tax", "select", sale, "--lot", f"{parcel}=0.5", "--by", "me", "-q"]) == 0
    assert gains(home) == [Decimal(20_000)]
    books = open_ledger(home, BooksSettings(), clock=SystemClock())
    kinds = [entry.kind for entry in entries(books.database, LIVE)]
    books.database.close()
    assert kinds.count(EntryKind.SELECTION) == 2, "the ledger keeps both words"


def test_a_choice_is_taken_back_by_a_correction(home: Path, sold: Callable[..., str]) -> None:
    _, dear, sale = sold().split()
    assert execute(["tax", "select", sale, "--lot", f"{dear}=0.5", "--by", "me", "-q"]) == 0
    books = open_ledger(home, BooksSettings(), clock=SystemClock())
    (chosen,) = (e for e in entries(books.database, LIVE) if e.kind is EntryKind.SELECTION)
    books.database.close()
    words = ["ledger", "correct", str(chosen.seq), "--reason", "the wrong parcel", "-q"]
    assert execute(words) == 0
    assert gains(home) == [Decimal(20_000)], "the standing method again"

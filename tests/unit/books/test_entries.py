"""Entries: what balances, what the hash covers, which account stands against which effect."""

from collections.abc import Callable
from decimal import Decimal

import pytest

from openalpha.books.accounts import Account, Book, Category, contra_of, environment_of
from openalpha.books.effects import effect_draft
from openalpha.books.entries import (
    Entry,
    EntryKind,
    Posting,
    Quote,
    balanced,
    genesis,
    hash_of,
)
from openalpha.books.positions import stored_fill
from openalpha.books.settings import BooksSettings
from openalpha.core.errors import ConfigError, InputError
from openalpha.core.messages import EffectKind, Environment
from tests.fakes.books import effect, filled

CASH = Account("v", Category.CASH, "USDT")
FEE = Account("v", Category.FEE, "USDT")
LINES = (Posting(CASH, Decimal(-1)), Posting(FEE, Decimal(1)))
QUOTES = (Quote("USDT", "AUD", Decimal("1.5"), "mine", 4),)
FILL = stored_fill(filled(1, "2", "3"))
ENTRY = Entry(
    1, "key", EntryKind.FEE, 5, 6, "source", "ref", None, "memo", LINES, QUOTES, FILL, "hash"
)
CHANGES: dict[str, Callable[[Entry], Entry]] = {
    "seq": lambda e: e._replace(seq=2),
    "key": lambda e: e._replace(key="keys"),
    "kind": lambda e: e._replace(kind=EntryKind.FUNDING),
    "event stamp": lambda e: e._replace(ts_ms=7),
    "recorded stamp": lambda e: e._replace(recorded_ms=7),
    "source": lambda e: e._replace(source=""),
    "ref": lambda e: e._replace(ref=""),
    "corrects": lambda e: e._replace(corrects=0),
    "memo": lambda e: e._replace(memo="memo "),
    "order of lines": lambda e: e._replace(postings=LINES[::-1]),
    "an amount": lambda e: e._replace(postings=(Posting(CASH, Decimal("-1.0001")), LINES[1])),
    "an account": lambda e: e._replace(postings=(Posting(FEE, Decimal(-1)), LINES[1])),
    "an instrument": lambda e: e._replace(
        postings=(Posting(CASH._replace(instrument="x"), Decimal(-1)), LINES[1])
    ),
    "no rates": lambda e: e._replace(quotes=()),
    "a rate": lambda e: e._replace(quotes=(QUOTES[0]._replace(rate=Decimal("1.6")),)),
    "whose rate": lambda e: e._replace(quotes=(QUOTES[0]._replace(source="his"),)),
    "which entry is valued": lambda e: e._replace(quotes=(QUOTES[0]._replace(of_seq=1),)),
    "no fill": lambda e: e._replace(fill=None),
    "a price": lambda e: e._replace(fill=FILL._replace(price=Decimal(4))),
    "a multiplier": lambda e: e._replace(fill=FILL._replace(multiplier=Decimal(4))),
}


@pytest.mark.parametrize("what", CHANGES)
def test_the_hash_covers(what: str) -> None:
    changed = CHANGES[what](ENTRY)
    assert hash_of("before", changed) != hash_of("before", ENTRY)


def test_the_hash_covers_what_came_before_but_not_itself_nor_how_a_number_is_written() -> None:
    assert hash_of("other", ENTRY) != hash_of("before", ENTRY)
    assert hash_of("before", ENTRY._replace(hash="")) == hash_of("before", ENTRY)
    same = (Posting(CASH, Decimal("-1.00")), LINES[1])
    assert hash_of("before", ENTRY._replace(postings=same)) == hash_of("before", ENTRY)


def test_each_book_begins_its_own_chain() -> None:
    books = [
        Book(Environment.LIVE, "me"),
        Book(Environment.PAPER, "me"),
        Book(Environment.LIVE, "x"),
    ]
    assert len({genesis(book) for book in books}) == 3


def test_an_entry_balances_in_every_coin() -> None:
    coin = Account("v", Category.CASH, "BTC")
    bad = (*LINES, Posting(coin, Decimal(1)))
    with pytest.raises(InputError, match="out of balance by 1 BTC"):
        balanced(bad, "k")
    good = (*bad, Posting(coin._replace(category=Category.TRADING), Decimal("-1.0")))
    assert balanced(good, "k") == good


@pytest.mark.parametrize("kind", EffectKind)
def test_every_kind_of_effect_is_one_balanced_entry_with_its_amount(kind: EffectKind) -> None:
    draft = effect_draft(effect(3, "-1.234567890123", kind), source="run", venue="v")
    assert draft.key == "run/effect/3"
    assert draft.kind == EntryKind(int(kind))
    assert draft.postings[0] == Posting(CASH, Decimal("-1.234567890123"))
    assert draft.postings[1].account.category is contra_of(kind)
    assert balanced(draft.postings, draft.key)


def test_an_environment_has_a_name() -> None:
    assert environment_of("Live") is Environment.LIVE
    with pytest.raises(InputError, match="'moon' is not an environment; expected one of backtest"):
        environment_of("moon")


@pytest.mark.parametrize(
    "values",
    [{"database_url": "postgresql://me:secret@h/x"}, {"entity": ""}, {"entity": "a/b"}],
)
def test_settings_that_cannot_be_are_refused(values: dict[str, str]) -> None:
    with pytest.raises(ConfigError):
        BooksSettings(**values)

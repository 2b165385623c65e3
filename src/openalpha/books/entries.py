"""What a ledger is made of: balanced entries, chained by hash, that are never changed."""

import hashlib
import json
from collections.abc import Iterable
from decimal import Decimal
from enum import IntEnum
from functools import lru_cache
from typing import NamedTuple

from openalpha.books.accounts import Account, Book, Category
from openalpha.core.errors import InputError
from openalpha.core.instruments import Instrument
from openalpha.core.messages import Fill
from openalpha.store.decimals import checked, decimal_text, exact_sum

__all__ = [
    "Draft",
    "Entry",
    "EntryKind",
    "FillDraft",
    "Posting",
    "Quote",
    "StoredFill",
    "balanced",
    "genesis",
    "hash_of",
]

_FORMAT = "openalpha.ledger/1"
_JSON = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False)
_text = json.encoder.encode_basestring


class EntryKind(IntEnum):
    """Why an entry was made; 0 to 9 as `EffectKind`. The numbers are stored: never renumber.

    FILL is the quantity and cost side of a fill, whose cash is in effects of their own. MARK says
    what positions were worth, VALUATION what an earlier entry was worth; both move nothing.
    CORRECTION names the entry it corrects. SELECTION names the parcels a sale uses up.
    """

    TRANSFER = 0
    FEE = 1
    REALISED_PNL = 2
    FUNDING = 3
    TRADE = 4
    LIQUIDATION_FEE = 5
    INSURANCE = 6
    INTEREST = 7
    REWARD = 8
    ADJUSTMENT = 9
    FILL = 20
    MARK = 21
    VALUATION = 22
    CORRECTION = 23
    SELECTION = 24


class Posting(NamedTuple):
    """One line of an entry: + into the account, - out of it, in its coin."""

    account: Account
    amount: Decimal


class Quote(NamedTuple):
    """What one of a coin was worth in another at a moment.

    Parameters
    ----------
    coin, quote : str
        `rate` of `quote` for one `coin`; for a mark the coin is the instrument.
    rate : Decimal
    source : str
        Who said so; SYNTHETIC begins what was made up.
    ts_ms : int
        The moment the rate is of, UTC ms.
    of_seq : int or None
        The entry it values; None for the entry it stands in.
    """

    coin: str
    quote: str
    rate: Decimal
    source: str
    ts_ms: int
    of_seq: int | None = None


class StoredFill(NamedTuple):
    """A fill as the books keep it; decimals in the instrument's own units.

    `kind` and `multiplier` are the instrument's when it filled: with them the books know what a
    position is worth without asking anybody.
    """

    venue: str
    instrument: str
    kind: int
    multiplier: Decimal
    order_ref: str
    side: int
    leg: int
    price: Decimal
    qty: Decimal
    role: int
    fee: Decimal
    fee_coin: str
    realised_pnl: Decimal
    is_reducing: bool
    reason: int


class Draft(NamedTuple):
    """An entry before it is posted.

    Parameters
    ----------
    key : str
        Tells it from every other entry of its book: posting it twice changes nothing.
    kind : EntryKind
    ts_ms : int
        When it happened, UTC ms.
    source : str
        What it comes from: a run's id, a venue's statement, `manual`.
    postings : tuple of Posting
        Balanced in every coin.
    quotes : tuple of Quote
        Marks and valuations; the AUD value of the entry itself is looked up when it is posted.
    ref : str
        Its place in the source: `effect 17`.
    corrects : int or None
        The entry it corrects or values.
    memo : str
    """

    key: str
    kind: EntryKind
    ts_ms: int
    source: str
    postings: tuple[Posting, ...] = ()
    quotes: tuple[Quote, ...] = ()
    ref: str = ""
    corrects: int | None = None
    memo: str = ""


class FillDraft(NamedTuple):
    """A fill before it is posted: its lines follow from the position it finds.

    Parameters
    ----------
    key, source, ref : str
        As for `Draft`.
    venue : str
        The venue account.
    fill : Fill
    instrument : Instrument
        The rules it traded under.
    cash_decimals : int
        Decimals the venue books the settle coin in.
    """

    key: str
    source: str
    ref: str
    venue: str
    fill: Fill
    instrument: Instrument
    cash_decimals: int


class Entry(NamedTuple):
    """An entry as it stands in a book."""

    seq: int
    key: str
    kind: EntryKind
    ts_ms: int
    recorded_ms: int
    source: str
    ref: str
    corrects: int | None
    memo: str
    postings: tuple[Posting, ...]
    quotes: tuple[Quote, ...]
    fill: StoredFill | None
    hash: str

    def amount_of(self, category: Category, coin: str) -> Decimal:
        """Return what the entry moved on accounts of a category, in a coin."""
        return exact_sum(
            p.amount
            for p in self.postings
            if p.account.category is category and p.account.coin == coin
        )


def balanced(postings: Iterable[Posting], key: str) -> tuple[Posting, ...]:
    """Return the lines of an entry in their plain form.

    Raises
    ------
    InputError
        If they do not add up to zero in every coin, or an amount cannot be held.

    Examples
    --------
    >>> cash, fee = (Account("x", c, "USDT") for c in (Category.CASH, Category.FEE))
    >>> len(balanced([Posting(cash, Decimal(-5)), Posting(fee, Decimal(5))], "a"))
    2
    """
    lines = tuple([Posting(account, checked(amount, key)) for account, amount in postings])
    if len(lines) == 2:
        (one, amount), (other, against) = lines
        if one.coin == other.coin and amount == against.copy_negate():
            return lines
    for coin in {p.account.coin for p in lines}:
        total = exact_sum(p.amount for p in lines if p.account.coin == coin)
        if total:
            raise InputError(f"entry {key} is out of balance by {total} {coin}; it must add to 0")
    return lines


def genesis(book: Book) -> str:
    """Return what the first entry of a book is chained to."""
    text = f"{_FORMAT}\n{book.environment.name}\n{book.entity}"
    return hashlib.sha256(text.encode()).hexdigest()


def hash_of(before: str, entry: Entry) -> str:
    """Return the hash of an entry, over the one before it and all that is kept of it.

    The content is one JSON array, put together here by hand: that takes a third of the time of an
    encoder, and posting spends most of its time on this.

    Parameters
    ----------
    before : str
        Hash of the entry before, or `genesis`.
    entry : Entry
        Its own `hash` is not looked at.
    """
    seq, key, kind, ts_ms, recorded_ms, source, ref, corrects, memo, postings, quotes, fill, _ = (
        entry
    )
    lines = ",".join(f'[{_account_text(a)},"{decimal_text(amount)}"]' for a, amount in postings)
    rates = ",".join(map(_quote_text, quotes))
    text = (
        f"{before}\n[{seq},{_text(key)},{kind:d},{ts_ms},{recorded_ms},{_text(source)},{_text(ref)},"
        f"{_number(corrects)},{_text(memo)},[{lines}],[{rates}],{_fill_text(fill)}]"
    )
    return hashlib.sha256(text.encode()).hexdigest()


@lru_cache(maxsize=4_096)
def _account_text(account: Account) -> str:
    venue, category, coin, instrument = account
    return f"{_text(venue)},{category:d},{_text(coin)},{_text(instrument)}"


def _quote_text(quote: Quote) -> str:
    coin, other, rate, source, ts_ms, of_seq = quote
    value = decimal_text(rate)
    return f'[{_text(coin)},{_text(other)},"{value}",{_text(source)},{ts_ms},{_number(of_seq)}]'


def _fill_text(fill: StoredFill | None) -> str:
    if fill is None:
        return "null"
    plain = [decimal_text(value) if isinstance(value, Decimal) else value for value in fill]
    return _JSON.encode(plain)


def _number(value: int | None) -> str:
    return "null" if value is None else f"{value:d}"

"""Records: one fact of an exchange's file, in coins, with the file and line it came from."""

import hashlib
import json
from dataclasses import dataclass, replace
from decimal import Decimal
from enum import StrEnum
from typing import Any, NamedTuple

from openalpha.store.decimals import decimal_text

__all__ = ["OWN_FAMILY", "Chosen", "Kind", "Move", "Record", "from_text", "keyed", "to_text"]

OWN_FAMILY = "openalpha ledger"
"""The family of records that come from our own ledger and from no file."""


_TO_POOL = ("spot", "unified", "derivatives", "trading", "futures")


class Kind(StrEnum):
    """What a record is. The texts are stored: never renamed."""

    TRADE = "trade"  # coins against coins
    FILL = "fill"  # of a contract; its profit is worked out from all fills
    CONTRACT = "contract"  # money of a contract: profit, funding, fee
    DEPOSIT = "deposit"
    WITHDRAWAL = "withdrawal"
    INTERNAL = "internal"  # between two accounts of one venue
    EARN = "earn"  # principal lent to the venue, or taken back
    INCOME = "income"
    LEG = "leg"  # one side of a conversion whose other side stands elsewhere
    UNKNOWN = "unknown"
    VOID = "void"  # nothing happened: failed, cancelled, a remark of the file


class Move(NamedTuple):
    """A coin and how much of it: + received, - given."""

    coin: str
    amount: Decimal


class Chosen(NamedTuple):
    """Parcels named for a sale: (parcel, quantity) each, who named them, when, and the proof."""

    lots: tuple[tuple[str, Decimal], ...]
    by: str
    recorded_ms: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Record:
    """One fact, as its file states it.

    Parameters
    ----------
    venue, account : str
        Whose file it is, and which account of that venue moved.
    family : str
        The kind of file; the same fact may come in files of several families.
    ts_ms : int
        When it happened, UTC ms; -1 where the file does not say.
    kind : Kind
    moves : tuple of Move
        What came and went, without the fee.
    fees : tuple of Move
        What was paid for it (+) or received as a rebate (-).
    label : str
        The finer word: buy, sell, pnl, funding, liquidation, interest, airdrop, or the row's own.
    contract : str
        The contract or pair, without separators.
    qty, price : Decimal or None
        Of a fill or trade, in the contract's own unit and quote.
    balances : tuple of Move
        What the file says was there afterwards, of each coin it names.
    net : tuple of Move
        What the file says an account changed by, of each coin it names.
    ref : str
        The venue's id of it; the transaction's on the chain for a transfer.
    text : str
        The row itself, where it was not understood, or what was wrong with it.
    chosen : Chosen or None
        Of our own ledger: the parcels named for it.
    """

    venue: str
    account: str
    family: str
    ts_ms: int
    kind: Kind
    moves: tuple[Move, ...] = ()
    fees: tuple[Move, ...] = ()
    label: str = ""
    contract: str = ""
    qty: Decimal | None = None
    price: Decimal | None = None
    balances: tuple[Move, ...] = ()
    net: tuple[Move, ...] = ()
    ref: str = ""
    text: str = ""
    file: str = ""
    line: int = 0
    key: str = ""
    chosen: Chosen | None = None

    @property
    def wallet(self) -> str:
        """Whose coins moved, for the tax engine: accounts that share one pool have one name."""
        account = self.account.split(" ")[0]
        if self.venue == "bybit" and account in _TO_POOL:
            account = "unified"
        return f"{self.venue} {account}".strip()

    @property
    def where(self) -> str:
        """The file and line, or the book and entry, for messages."""
        word = "entry" if self.family == OWN_FAMILY else "line"
        return f"{self.file}, {word} {self.line}"


_TOLD_APART = (
    "venue", "account", "family", "ts_ms", "kind", "moves", "fees", "label", "contract", "qty",
    "price", "balances", "net", "ref", "text",
)  # fmt: skip


def keyed(records: list[Record]) -> list[Record]:
    """Give every record of a file its natural key.

    The key is what the row says; the n-th of equal rows has a key of its own. So the same rows in
    another file, in another order or with other zeros at the end, have the same keys.
    """
    seen: dict[str, int] = {}
    done = []
    for record in records:
        said = json.dumps([_plain(getattr(record, name)) for name in _TOLD_APART])
        seen[said] = seen.get(said, 0) + 1
        digest = hashlib.sha256(f"{said}#{seen[said]}".encode()).hexdigest()[:24]
        done.append(replace(record, key=digest))
    return done


def to_text(record: Record) -> str:
    """Write what a record says, without its key, file and line, as JSON."""
    return json.dumps({name: _plain(getattr(record, name)) for name in _TOLD_APART})


def from_text(text: str, *, key: str, file: str, line: int) -> Record:
    """Read a record back.

    Examples
    --------
    >>> one = Record("bybit", "spot", "x", 5, Kind.INCOME, (Move("BTC", Decimal("0.10")),))
    >>> from_text(to_text(one), key="", file="", line=0) == one
    True
    """
    said: dict[str, Any] = json.loads(text)
    for name in ("moves", "fees", "balances", "net"):
        said[name] = tuple(Move(coin, Decimal(amount)) for coin, amount in said[name])
    for name in ("qty", "price"):
        said[name] = None if said[name] is None else Decimal(said[name])
    said["kind"] = Kind(said["kind"])
    return Record(**said, key=key, file=file, line=line)


def _plain(value: object) -> object:
    if isinstance(value, Decimal):
        return decimal_text(value)
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return str(value) if isinstance(value, Kind) else value

"""Makes a record of each fact of our own ledger: a fill with its cash and fee, or an entry."""

import hashlib
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from openalpha.books.accounts import Account, Book, Category
from openalpha.books.entries import Entry, EntryKind, StoredFill
from openalpha.books.imports.records import OWN_FAMILY, Kind, Move, Record
from openalpha.books.imports.symbols import split_pair
from openalpha.books.writing import HOME
from openalpha.core.instruments import Kind as InstrumentKind
from openalpha.core.messages import Environment
from openalpha.core.reasons import Reason
from openalpha.store.decimals import EXACT, exact_sum

__all__ = ["FEES", "Group", "Maker", "instrument_of", "own_key"]

ZERO = Decimal(0)
FEES = (EntryKind.FEE, EntryKind.LIQUIDATION_FEE)
_FORCED = {
    Reason.LIQUIDATION_PARTIAL: "liquidation",
    Reason.LIQUIDATION_TAKEOVER: "liquidation",
    Reason.DELEVERAGED: "adl",
    Reason.SETTLED: "settlement",
}
_LABELS = {
    EntryKind.FUNDING: "funding",
    EntryKind.REALISED_PNL: "pnl",
    EntryKind.LIQUIDATION_FEE: "fee",
    EntryKind.INSURANCE: "clawback",
    EntryKind.INTEREST: "interest",
}
_Said = dict[str, Any]


def own_key(book: Book, name: str) -> str:
    """Return the key of a fact of a book: a parcel that began with it has this name.

    Examples
    --------
    >>> len(own_key(Book(Environment.LIVE, "me"), "run 1/fill/3"))
    24
    """
    return hashlib.sha256(f"{book}\0{name}".encode()).hexdigest()[:24]


@dataclass(slots=True)
class Group:
    """The entries that state one fact: a fill and its effects, or an entry alone."""

    name: str
    entries: list[Entry] = field(default_factory=list)

    @property
    def first(self) -> Entry:
        """Return the entry it stands at."""
        return self.entries[0]

    @property
    def fill(self) -> StoredFill | None:
        """Return its fill, None where it has none."""
        return next((entry.fill for entry in self.entries if entry.fill is not None), None)

    def cash(self, *kinds: EntryKind) -> list[Move]:
        """Return what cash moved by coin, in entries of some kinds, or of all."""
        sums: dict[str, Decimal] = {}
        for entry in self.entries:
            if kinds and entry.kind not in kinds:
                continue
            for account, amount in entry.postings:
                if account.category is Category.CASH:
                    sums[account.coin] = EXACT.add(sums.get(account.coin, ZERO), amount)
        return [Move(coin, amount) for coin, amount in sums.items() if amount]


@dataclass(frozen=True, slots=True)
class Maker:
    """Makes records of groups of entries."""

    book: Book
    kinds: Mapping[str, InstrumentKind]
    exchanges: Mapping[str, str]

    def records(self, group: Group) -> Iterator[tuple[Record, Group]]:
        """Yield the records of a fact, and of what hangs on it but is a fact of its own."""
        if not group.cash() and not any(_is_cash(p.account) for p in group.first.postings):
            return  # a fill whose money the venue states at another instant, or not at all
        is_trade = any(entry.kind is EntryKind.TRADE for entry in group.entries)
        if group.fill is not None or (is_trade and len(group.entries) > 1):
            parts = [e for e in group.entries if e.kind is EntryKind.INSURANCE]
            rest = [e for e in group.entries if e.kind is not EntryKind.INSURANCE]
            whole = Group(group.name, rest)
            yield self._of_trade(whole), whole
            for entry in parts:
                yield from self.records(Group(entry.key, [entry]))
            return
        if len(group.entries) > 1:  # profit and fee of a contract, stated without a fill
            for entry in group.entries:
                yield from self.records(Group(entry.key, [entry]))
            return
        accounts = {p.account.venue for p in group.first.postings if _is_cash(p.account)}
        for venue in sorted(accounts):
            yield self._alone(group, venue=venue), group

    def _of_trade(self, group: Group) -> Record:
        fill = group.fill
        lines = [posting for entry in group.entries for posting in entry.postings]
        symbol = _symbol(next(filter(None, map(instrument_of, group.entries))))
        fees = tuple(Move(coin, -amount) for coin, amount in group.cash(*FEES))
        said: _Said = {"fees": fees, "contract": symbol}
        if fill is not None:
            said |= {"qty": fill.qty * fill.side, "price": fill.price}
        if fill is not None and fill.kind != InstrumentKind.SPOT:
            money = tuple(group.cash(EntryKind.REALISED_PNL))
            label = _FORCED.get(Reason(fill.reason), "pnl")
            said |= {"kind": Kind.CONTRACT, "moves": money, "label": label}
        else:
            pair = split_pair(symbol)
            costs = (p.account.coin for p in lines if p.account.category is Category.COST)
            said |= _swapped(group.cash(EntryKind.TRADE), next(costs, pair[1] if pair else ""))
        return self._stated(group, lines[0].account.venue, name=group.name, said=said)

    def _alone(self, group: Group, *, venue: str) -> Record:
        entry = group.first
        lines = [p for p in entry.postings if _is_cash(p.account) and p.account.venue == venue]
        moves = tuple([Move(p.account.coin, p.amount) for p in lines])
        name = instrument_of(entry)
        said: _Said = {"moves": moves, "contract": _symbol(name) if name else ""}
        if len(moves) != 1:
            said |= {"kind": Kind.UNKNOWN, "text": _unknown(entry)}
        elif entry.kind is EntryKind.TRANSFER:
            said |= self._transfer(entry, moves[0])
        else:
            said |= self._money(entry, moves[0].amount, name=name)
        own = Group(group.name, [entry._replace(postings=tuple(lines))])
        return self._stated(own, venue, name=f"{group.name}@{venue}", said=said)

    def _transfer(self, entry: Entry, move: Move) -> _Said:
        """Say what a transfer is. A simulated account buys what it opens with, at its AUD value.

        What a real account opens with was there before: an opening balance, as files state one.
        """
        coin, amount = move
        rate = next((q.rate for q in entry.quotes if q.coin == coin and q.quote == HOME), None)
        is_opening = entry.ref == "opening balance" and amount > 0
        if is_opening and self.book.environment is Environment.LIVE:
            return {"kind": Kind.VOID, "moves": (), "label": "opening"}
        if is_opening and rate is not None:
            cost = Move(HOME, -EXACT.multiply(amount, rate))
            return {"kind": Kind.TRADE, "moves": (move, cost), "label": "buy"}
        kind = Kind.DEPOSIT if amount > 0 else Kind.WITHDRAWAL
        is_within = all(_is_cash(line.account) for line in entry.postings)  # both ends are ours
        ref = own_key(self.book, entry.key) if is_within else ""
        return {"kind": kind, "label": "transfer", "ref": ref}

    def _money(self, entry: Entry, amount: Decimal, *, name: str) -> _Said:
        is_contract = self.kinds.get(name, _kind_by_name(name)) not in (None, InstrumentKind.SPOT)
        is_fee = entry.kind is EntryKind.FEE and is_contract
        label = _LABELS.get(entry.kind, "fee" if is_fee else "")
        if amount > 0 and entry.kind in (EntryKind.INTEREST, EntryKind.REWARD):
            return {"kind": Kind.INCOME, "label": label or "reward"}
        if label:
            return {"kind": Kind.CONTRACT, "label": label}
        return {"kind": Kind.UNKNOWN, "text": _unknown(entry)}

    def _stated(self, group: Group, venue: str, *, name: str, said: _Said) -> Record:
        """Make the record, with what it says moved (`net`) and what the cash lines say."""
        where, _, account = venue.partition(":")
        exchange = self.exchanges.get(venue, where)
        if exchange != where:  # a run's account at an exchange
            where, account = exchange, venue
        net, lines = _both(group, said)
        first = group.first
        return Record(
            venue=where,
            account=account,
            family=OWN_FAMILY,
            ts_ms=first.ts_ms,
            file=f"the book {self.book}",
            line=first.seq,
            key=own_key(self.book, name),
            net=net,
            balances=lines,
            **said,
        )


def _swapped(moves: list[Move], paid: str) -> _Said:
    """Say what a spot trade is; the base coin stands first, `paid` is the coin of the price."""
    moves.sort(key=lambda move: move.coin == paid)
    if len(moves) != 2 or (moves[0].amount > 0) == (moves[1].amount > 0):
        text = "a spot trade without its two changes of cash; post them, or settle it"
        return {"kind": Kind.UNKNOWN, "moves": tuple(moves), "text": text}
    base = moves[0].amount
    label = "buy" if base > 0 else "sell"
    return {"kind": Kind.TRADE, "moves": tuple(moves), "label": label, "qty": abs(base)}


def _both(group: Group, said: _Said) -> tuple[tuple[Move, ...], tuple[Move, ...]]:
    """Return by coin what the record says moved, and what the ledger's cash lines say."""
    sums: dict[str, list[Decimal]] = defaultdict(list)
    for coin, amount in said["moves"]:
        sums[coin].append(amount)
    for coin, amount in said.get("fees", ()):
        sums[coin].append(-amount)
    lines = dict(group.cash())
    coins = sorted(coin for coin in {*sums, *lines} if coin in lines or coin != HOME)
    net = tuple([Move(coin, exact_sum(sums.get(coin, ()))) for coin in coins])
    return net, tuple([Move(coin, lines.get(coin, ZERO)) for coin in coins])


def instrument_of(entry: Entry) -> str:
    """Return the instrument an entry speaks of; empty where there is none."""
    if entry.fill is not None:
        return entry.fill.instrument
    named = (line.account.instrument for line in entry.postings if line.account.instrument)
    return next(named, "")


def _unknown(entry: Entry) -> str:
    what = entry.kind.name.lower().replace("_", " ")
    said = f": {entry.memo}" if entry.memo else ""
    return f"{what} of no known meaning for tax{said}; settle it with what it was"


def _is_cash(account: Account) -> bool:
    return account.category is Category.CASH


def _symbol(instrument: str) -> str:
    return re.sub(r"[-/_ ]", "", instrument.partition(":")[2] or instrument).upper()


def _kind_by_name(instrument: str) -> InstrumentKind | None:
    """Tell a contract from a pair by the market's name, where no fill says it."""
    market = instrument.partition(":")[0]
    for kind in InstrumentKind:
        if market.endswith(f"_{kind.name.lower()}"):
            return kind
    return None

"""Turns a book of our own ledger into records, as an exchange's file would state them.

So trades made here and histories imported from elsewhere become one history, by the same rules.
Each record keeps the AUD rates its entries were valued at; none is looked up anew.
"""

import hashlib
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import NamedTuple

from openalpha.books.accounts import Account, Book, Category
from openalpha.books.entries import Entry, EntryKind, StoredFill
from openalpha.books.imports.records import OWN_FAMILY, Kind, Move, Record
from openalpha.books.imports.symbols import split_pair
from openalpha.books.rates import Rate
from openalpha.books.reading import read_entries
from openalpha.books.selections import chosen_of
from openalpha.books.writing import HOME, book_row
from openalpha.core.instruments import Kind as InstrumentKind
from openalpha.core.messages import Environment
from openalpha.core.reasons import Reason
from openalpha.store.database import Database
from openalpha.store.decimals import EXACT, exact_sum

__all__ = ["OwnBook", "own_book", "own_key"]

ZERO = Decimal(0)
_OF_FILL = re.compile(r"fill (\d+)$")
_FORCED = {
    Reason.LIQUIDATION_PARTIAL: "liquidation",
    Reason.LIQUIDATION_TAKEOVER: "liquidation",
    Reason.DELEVERAGED: "adl",
    Reason.SETTLED: "settlement",
}
_FEES = (EntryKind.FEE, EntryKind.LIQUIDATION_FEE)
_OF_TRADES = (*_FEES, EntryKind.TRADE, EntryKind.REALISED_PNL)
_SILENT = (EntryKind.MARK, EntryKind.VALUATION, EntryKind.CORRECTION, EntryKind.SELECTION)


class OwnBook(NamedTuple):
    """What a book says, for the tax history.

    Parameters
    ----------
    records : list of Record
        In order of time; a fill with its cash and its fee is one record.
    rates : mapping of record key to {coin: Rate}
        The rates its entries were valued at, then or later; a coin without one is an open item.
    """

    records: list[Record]
    rates: Mapping[str, Mapping[str, Rate]]


@dataclass(slots=True)
class _Group:
    """The entries that state one fact: a fill and its effects, or an entry alone."""

    name: str
    entries: list[Entry] = field(default_factory=list)

    @property
    def first(self) -> Entry:
        return self.entries[0]

    @property
    def fill(self) -> StoredFill | None:
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


def own_book(database: Database, book: Book, *, venue: str | None = None) -> OwnBook:
    """Read a book as records.

    A corrected entry and its correction cancel out and are left out both. Money of contracts, spot
    trades, income and transfers explain themselves; an adjustment, a fee of no trade and whatever
    else says only that money moved is a record of no known meaning: an open item.

    Parameters
    ----------
    venue : str or None
        One venue account only: a run's id for a backtest.
    """
    with database.reading() as connection:
        row = book_row(connection, book)
        entries = [] if row is None else list(_active(read_entries(connection, row[0])))
    kinds = {e.fill.instrument: InstrumentKind(e.fill.kind) for e in entries if e.fill}
    later: dict[tuple[int | None, str], Rate] = {
        (quote.of_seq, quote.coin): Rate(quote.rate, quote.source, quote.ts_ms)
        for entry in entries
        for quote in entry.quotes
        if quote.of_seq is not None and quote.quote == HOME
    }
    maker = _Maker(book, kinds, _exchanges(book, entries))
    chosen = chosen_of(entries)
    records, rates = [], {}
    for group in _grouped(entries):
        for record, of in maker.records(group):
            if venue is None or any(_is_of(entry, venue) for entry in of.entries):
                named = [chosen[e.key] for e in of.entries if e.key in chosen]
                records.append(replace(record, chosen=named[-1]) if named else record)
                rates[record.key] = _rates(of, later, book)
    return OwnBook(_with_balances(records), rates)


def own_key(book: Book, name: str) -> str:
    """Return the key of a fact of a book: a parcel that began with it has this name.

    Examples
    --------
    >>> len(own_key(Book(Environment.LIVE, "me"), "run 1/fill/3"))
    24
    """
    return hashlib.sha256(f"{book}\0{name}".encode()).hexdigest()[:24]


def _active(entries: Iterable[Entry]) -> Iterator[Entry]:
    """Leave out corrected entries, and corrections; one that was corrected undoes nothing."""
    every = list(entries)
    undone: set[int] = set()
    for entry in reversed(every):
        is_whole = entry.kind is EntryKind.CORRECTION and entry.seq not in undone
        if is_whole and entry.corrects is not None:
            undone.add(entry.corrects)
    return (e for e in every if e.seq not in undone and e.kind is not EntryKind.CORRECTION)


def _grouped(entries: Iterable[Entry]) -> list[_Group]:
    """Put a fill and its effects together: by its number, else by instrument and instant.

    A venue's own statement numbers no fill. Of several trades in one instrument and instant the
    n-th change of each kind and coin belongs to the n-th trade.
    """
    groups: dict[str, _Group] = {}
    seen: dict[tuple[str, EntryKind, str], int] = defaultdict(int)
    for entry in entries:
        if entry.kind in _SILENT:
            continue
        found = _OF_FILL.search(entry.ref)
        instrument = _instrument(entry)
        if found:
            name = f"{entry.source}/fill {found.group(1)}"
        elif instrument and (entry.fill or entry.kind in _OF_TRADES):
            at = f"{entry.source}/{instrument}@{entry.ts_ms}"
            coin = "" if entry.fill else entry.postings[0].account.coin
            seen[at, entry.kind, coin] += 1
            name = f"{at}#{seen[at, entry.kind, coin]}"
        else:
            name = entry.key
        groups.setdefault(name, _Group(name)).entries.append(entry)
    return list(groups.values())


def _instrument(entry: Entry) -> str:
    if entry.fill is not None:
        return entry.fill.instrument
    named = (line.account.instrument for line in entry.postings if line.account.instrument)
    return next(named, "")


def _is_of(entry: Entry, venue: str) -> bool:
    return any(line.account.venue == venue for line in entry.postings)


def _exchanges(book: Book, entries: Iterable[Entry]) -> dict[str, str]:
    """Tell for each live venue account which exchange it is, as imported files call it."""
    found: dict[str, str] = {}
    if book.environment is Environment.LIVE:
        for entry in entries:
            market = _instrument(entry).partition(":")[0]
            for line in entry.postings if market else ():
                found.setdefault(line.account.venue, market.partition("_")[0])
    return found


def _rates(
    group: _Group, later: Mapping[tuple[int | None, str], Rate], book: Book
) -> dict[str, Rate]:
    """Return the rates of a fact; what was made up values no real money."""
    found: dict[str, Rate] = {}
    for entry in group.entries:
        for quote in entry.quotes:
            if quote.quote == HOME and quote.of_seq is None:
                found.setdefault(quote.coin, Rate(quote.rate, quote.source, quote.ts_ms))
        for account, _ in entry.postings:
            rate = later.get((entry.seq, account.coin))
            if rate is not None:
                found.setdefault(account.coin, rate)
    if book.environment is Environment.LIVE:
        found = {coin: rate for coin, rate in found.items() if not rate.is_synthetic}
    return found


def _with_balances(records: Iterable[Record]) -> list[Record]:
    """Add the running balance: what is left is what every cash line of the ledger adds up to."""
    kept: dict[tuple[str, str, str], Decimal] = defaultdict(Decimal)
    done = []
    for record in sorted(records, key=lambda record: (record.ts_ms, record.line)):
        left = []
        for coin, amount in record.balances:  # so far: what the ledger's cash lines moved
            account = (record.venue, record.account, coin)
            kept[account] = EXACT.add(kept[account], amount)
            left.append(Move(coin, kept[account]))
        done.append(replace(record, balances=tuple(left)))
    return done


@dataclass(frozen=True, slots=True)
class _Maker:
    """Makes records of groups of entries."""

    book: Book
    kinds: Mapping[str, InstrumentKind]
    exchanges: Mapping[str, str]

    def records(self, group: _Group) -> Iterator[tuple[Record, _Group]]:
        """Yield the records of a fact, and of what hangs on it but is a fact of its own."""
        if not group.cash() and not any(_is_cash(p.account) for p in group.first.postings):
            return  # a fill whose money the venue states at another instant, or not at all
        is_trade = any(entry.kind is EntryKind.TRADE for entry in group.entries)
        if group.fill is not None or (is_trade and len(group.entries) > 1):
            parts = [e for e in group.entries if e.kind is EntryKind.INSURANCE]
            rest = [e for e in group.entries if e.kind is not EntryKind.INSURANCE]
            whole = _Group(group.name, rest)
            yield self._of_trade(whole), whole
            for entry in parts:
                yield from self.records(_Group(entry.key, [entry]))
            return
        if len(group.entries) > 1:  # profit and fee of a contract, stated without a fill
            for entry in group.entries:
                yield from self.records(_Group(entry.key, [entry]))
            return
        accounts = {p.account.venue for p in group.first.postings if _is_cash(p.account)}
        for venue in sorted(accounts):
            yield self._alone(group, venue=venue), group

    def _of_trade(self, group: _Group) -> Record:
        fill = group.fill
        lines = [posting for entry in group.entries for posting in entry.postings]
        instrument = next(filter(None, map(_instrument, group.entries)))
        fees = tuple(Move(coin, -amount) for coin, amount in group.cash(*_FEES))
        blank = self._blank(group, lines[0].account.venue, name=group.name)
        blank = replace(blank, fees=fees, contract=_symbol(instrument))
        if fill is not None:
            blank = replace(blank, qty=fill.qty * fill.side, price=fill.price)
        if fill is not None and fill.kind != InstrumentKind.SPOT:
            money = tuple(group.cash(EntryKind.REALISED_PNL))
            label = _FORCED.get(Reason(fill.reason), "pnl")
            return _stated(replace(blank, kind=Kind.CONTRACT, moves=money, label=label), group)
        moves = group.cash(EntryKind.TRADE)
        pair = split_pair(_symbol(instrument))
        paid = next((p.account.coin for p in lines if _is_cost(p.account)), pair[1] if pair else "")
        moves.sort(key=lambda move: move.coin == paid)  # the base coin stands first
        if len(moves) != 2 or (moves[0].amount > 0) == (moves[1].amount > 0):
            text = "a spot trade without its two changes of cash; post them, or settle it"
            return _stated(replace(blank, kind=Kind.UNKNOWN, moves=tuple(moves), text=text), group)
        label = "buy" if moves[0].amount > 0 else "sell"
        qty = abs(moves[0].amount)
        trade = replace(blank, kind=Kind.TRADE, moves=tuple(moves), label=label, qty=qty)
        return _stated(trade, group)

    def _alone(self, group: _Group, *, venue: str) -> Record:
        entry = group.first
        lines = [p for p in entry.postings if _is_cash(p.account) and p.account.venue == venue]
        moves = tuple(Move(p.account.coin, p.amount) for p in lines)
        others = [p for p in entry.postings if not (_is_cash(p.account) and p in lines)]
        name = next((p.account.instrument for p in others if p.account.instrument), "")
        blank = self._blank(group, venue, name=f"{group.name}@{venue}")
        blank = replace(blank, moves=moves, contract=_symbol(name) if name else "")
        if len(moves) != 1:
            record = replace(blank, kind=Kind.UNKNOWN, text=_unknown(entry))
        elif entry.kind is EntryKind.TRANSFER:
            record = self._transfer(blank, entry)
        else:
            record = self._money(blank, entry, name)
        return _stated(record, _Group(group.name, [entry._replace(postings=tuple(lines))]))

    def _transfer(self, blank: Record, entry: Entry) -> Record:
        """Return a transfer. A simulated account buys what it opens with, at its AUD value.

        What a real account opens with was there before: an opening balance, as files state one.
        """
        ((coin, amount),) = blank.moves
        is_made_up = self.book.environment is not Environment.LIVE
        rate = next((q.rate for q in entry.quotes if q.coin == coin and q.quote == HOME), None)
        is_opening = entry.ref == "opening balance" and amount > 0
        if is_opening and not is_made_up:
            return replace(blank, kind=Kind.VOID, moves=(), label="opening")
        if is_opening and rate is not None:
            cost = Move(HOME, -EXACT.multiply(amount, rate))
            return replace(blank, kind=Kind.TRADE, moves=(blank.moves[0], cost), label="buy")
        kind = Kind.DEPOSIT if amount > 0 else Kind.WITHDRAWAL
        is_within = all(_is_cash(line.account) for line in entry.postings)  # both ends are ours
        ref = own_key(self.book, entry.key) if is_within else ""
        return replace(blank, kind=kind, label="transfer", ref=ref)

    def _money(self, blank: Record, entry: Entry, name: str) -> Record:
        amount = blank.moves[0].amount
        is_contract = self.kinds.get(name, _kind_by_name(name)) not in (None, InstrumentKind.SPOT)
        label = {
            EntryKind.FUNDING: "funding",
            EntryKind.REALISED_PNL: "pnl",
            EntryKind.LIQUIDATION_FEE: "fee",
            EntryKind.INSURANCE: "clawback",
            EntryKind.INTEREST: "interest",
        }.get(entry.kind, "fee" if entry.kind is EntryKind.FEE and is_contract else "")
        if amount > 0 and entry.kind in (EntryKind.INTEREST, EntryKind.REWARD):
            return replace(blank, kind=Kind.INCOME, label=label or "reward")
        if label:
            return replace(blank, kind=Kind.CONTRACT, label=label)
        return replace(blank, kind=Kind.UNKNOWN, text=_unknown(entry))

    def _blank(self, group: _Group, venue: str, *, name: str) -> Record:
        first = group.first
        where, _, account = venue.partition(":")
        exchange = self.exchanges.get(venue, where)
        if exchange != where:  # a run's account at an exchange
            where, account = exchange, venue
        return Record(
            where,
            account,
            OWN_FAMILY,
            first.ts_ms,
            Kind.VOID,
            file=f"the book {self.book}",
            line=first.seq,
            key=own_key(self.book, name),
        )


def _stated(record: Record, group: _Group) -> Record:
    """Add what the record itself says moved (`net`) and what the ledger's cash lines say."""
    sums: dict[str, list[Decimal]] = defaultdict(list)
    for coin, amount in record.moves:
        sums[coin].append(amount)
    for coin, amount in record.fees:
        sums[coin].append(-amount)
    lines = dict(group.cash())
    coins = sorted(coin for coin in {*sums, *lines} if coin in lines or coin != HOME)
    net = tuple(Move(coin, exact_sum(sums.get(coin, []))) for coin in coins)
    return replace(
        record, net=net, balances=tuple(Move(coin, lines.get(coin, ZERO)) for coin in coins)
    )


def _unknown(entry: Entry) -> str:
    what = entry.kind.name.lower().replace("_", " ")
    said = f": {entry.memo}" if entry.memo else ""
    return f"{what} of no known meaning for tax{said}; settle it with what it was"


def _is_cash(account: Account) -> bool:
    return account.category is Category.CASH


def _is_cost(account: Account) -> bool:
    return account.category is Category.COST


def _symbol(instrument: str) -> str:
    return re.sub(r"[-/_ ]", "", instrument.partition(":")[2] or instrument).upper()


def _kind_by_name(instrument: str) -> InstrumentKind | None:
    """Tell a contract from a pair by the market's name, where no fill says it."""
    market = instrument.partition(":")[0]
    for kind in InstrumentKind:
        if market.endswith(f"_{kind.name.lower()}"):
            return kind
    return None

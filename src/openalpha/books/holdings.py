"""Positions with what they cost and are worth, and profit and loss by instrument."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import NamedTuple

from openalpha.books.accounts import Account, Book, Category
from openalpha.books.balances import kept_balances
from openalpha.books.entries import EntryKind
from openalpha.books.positions import Held, Terms, unrealised, value_of
from openalpha.books.tables import ENTRIES, FILLS, QUOTES, and_, select
from openalpha.books.writing import book_row
from openalpha.core.instruments import Kind
from openalpha.store.database import Connection, Database
from openalpha.store.decimals import EXACT, exact_sum

__all__ = ["Mark", "Pnl", "Position", "latest_marks", "positions", "profit_and_loss", "terms_in"]

_STEP = Decimal(1).scaleb(-18)
_PROFIT = {
    Category.FEE: "fees",
    Category.FUNDING: "funding",
    Category.LIQUIDATION_FEE: "liquidation_fees",
    Category.INSURANCE: "insurance",
    Category.INTEREST: "interest",
    Category.REWARD: "rewards",
}


class Mark(NamedTuple):
    """What an instrument was worth at a moment, and who said so."""

    price: Decimal
    source: str
    ts_ms: int


class Position(NamedTuple):
    """An open position of a venue account.

    Parameters
    ----------
    venue, instrument, coin : str
        `coin` counts cost, value and profit; `/short` behind the instrument is hedge mode's leg.
    qty : Decimal
        Signed.
    entry_price : Decimal
        Average, rounded to 12 decimals; `cost` is exact.
    mark : Mark or None
        The latest the books have: a recorded mark, else the last fill.
    value, unrealised : Decimal or None
    """

    venue: str
    instrument: str
    coin: str
    qty: Decimal
    cost: Decimal
    entry_price: Decimal
    mark: Mark | None
    value: Decimal | None
    unrealised: Decimal | None


@dataclass(frozen=True, slots=True)
class Pnl:
    """Profit and loss of an instrument in one coin: + earned, - paid.

    `realised` is booked by closing fills; for spot what sales brought beyond the average cost. A
    fee that spot takes in the coin bought is a row in that coin, and it is in the average cost of
    what is left: the row of the money coin already bears it.
    """

    venue: str
    instrument: str
    coin: str
    realised: Decimal = Decimal(0)
    unrealised: Decimal = Decimal(0)
    fees: Decimal = Decimal(0)
    funding: Decimal = Decimal(0)
    liquidation_fees: Decimal = Decimal(0)
    insurance: Decimal = Decimal(0)
    interest: Decimal = Decimal(0)
    rewards: Decimal = Decimal(0)

    @property
    def net(self) -> Decimal:
        """All of it together."""
        return exact_sum(
            (self.realised, self.unrealised, self.fees, self.funding, self.liquidation_fees,
             self.insurance, self.interest, self.rewards)
        )  # fmt: skip


def positions(database: Database, book: Book, *, venue: str | None = None) -> list[Position]:
    """Return the open positions of a book, or of one venue account of it."""
    with database.reading() as connection:
        row = book_row(connection, book)
        if row is None:
            return []
        kept = _of_venue(kept_balances(connection, row[0], categories=_HELD), venue)
        return _positions(connection, row[0], kept)


def profit_and_loss(database: Database, book: Book, *, venue: str | None = None) -> list[Pnl]:
    """Return profit and loss by venue account, instrument and coin, open positions at their mark.

    What belongs to no instrument (interest, rewards) stands under an empty one. Transfers and
    adjustments are no profit.
    """
    with database.reading() as connection:
        row = book_row(connection, book)
        if row is None:
            return []
        kept = _of_venue(kept_balances(connection, row[0]), venue)
        held = _positions(connection, row[0], kept)
    return _pnl(kept, held)


_HELD = (Category.POSITION, Category.COST)


def _of_venue(kept: Mapping[Account, Decimal], venue: str | None) -> dict[Account, Decimal]:
    return {key: amount for key, amount in kept.items() if venue in (None, key.venue)}


def _positions(
    connection: Connection, book_id: int, kept: Mapping[Account, Decimal]
) -> list[Position]:
    found = []
    costs = {
        (key.venue, key.instrument): (key.coin, amount)
        for key, amount in kept.items()
        if key.category is Category.COST
    }
    open_ = [key for key in sorted(kept) if key.category is Category.POSITION and kept[key]]
    for key in open_:
        coin, cost = costs[key.venue, key.instrument]
        name = key.instrument.partition("/")[0]
        terms, last = terms_in(connection, book_id, venue=key.venue, instrument=name)
        marks = latest_marks(connection, book_id, venue=key.venue, instruments=[name])
        mark = marks.get(name, last)
        held = Held(kept[key], cost)
        found.append(
            Position(
                key.venue, key.instrument, coin, held.qty, cost, _entry_price(held, terms), mark,
                value_of(terms, held.qty, price=mark.price) if mark else None,
                unrealised(held, terms, price=mark.price) if mark else None,
            )
        )  # fmt: skip
    return found


def _entry_price(held: Held, terms: Terms) -> Decimal:
    """Return the average price of a position: for an inverse contract |Q|·m/|C|."""
    if not held.cost:
        return Decimal(0)
    part = EXACT.multiply(abs(held.qty), terms.multiplier)
    price = abs(held.cost) / part if not terms.is_inverse else part / abs(held.cost)
    return round(price, 12).normalize() if price else price


def terms_in(
    connection: Connection, book_id: int, *, venue: str, instrument: str
) -> tuple[Terms, Mark | None]:
    """Return an instrument's terms as its last fill in the books has them, and that fill's price.

    Inverse values are rounded to 18 decimals, finer than any coin they settle in.
    """
    query = FILLS.select().where(
        FILLS.c.book_id == book_id, FILLS.c.instrument == instrument, FILLS.c.venue == venue
    )
    query = query.order_by(FILLS.c.ts_ms.desc(), FILLS.c.seq.desc()).limit(1)
    row = connection.execute(query).first()
    if row is None:
        return Terms(False, Decimal(1), _STEP), None
    terms = Terms(row.kind == Kind.INVERSE, row.multiplier, _STEP)
    return terms, Mark(row.price, "last fill", row.ts_ms)


def latest_marks(
    connection: Connection,
    book_id: int,
    *,
    venue: str,
    instruments: Iterable[str],
    until_ms: int | None = None,
) -> dict[str, Mark]:
    """Return the last recorded mark of each instrument at or before a moment."""
    found = {}
    for name in instruments:
        query = select(QUOTES).join(
            ENTRIES, and_(ENTRIES.c.book_id == QUOTES.c.book_id, ENTRIES.c.seq == QUOTES.c.seq)
        )
        query = query.where(
            ENTRIES.c.book_id == book_id,
            ENTRIES.c.kind == int(EntryKind.MARK),
            ENTRIES.c.source == venue,
            QUOTES.c.coin == name,
        )
        if until_ms is not None:
            query = query.where(ENTRIES.c.ts_ms <= until_ms)
        row = connection.execute(query.order_by(ENTRIES.c.ts_ms.desc()).limit(1)).first()
        if row is not None:
            found[name] = Mark(row.rate, row.source, row.ts_ms)
    return found


def _pnl(kept: Mapping[Account, Decimal], held: Iterable[Position]) -> list[Pnl]:
    sums: dict[tuple[str, str, str], dict[str, Decimal]] = defaultdict(
        lambda: defaultdict(lambda: Decimal(0))
    )

    def _add(account: Account, name: str, amount: Decimal) -> None:
        row = sums[account.venue, account.instrument.partition("/")[0], account.coin]
        row[name] = EXACT.add(row[name], amount)

    for key, amount in kept.items():
        if key.category in _PROFIT:
            _add(key, _PROFIT[key.category], amount.copy_negate())
        elif key.category is Category.REALISED:
            _add(key, "realised", amount.copy_negate())
        # Spot: money out and in, and what of it is still the cost of what is held.
        elif key.category is Category.TRADING and key._replace(category=Category.COST) in kept:
            _add(key, "realised", amount.copy_negate())
            _add(key, "realised", kept[key._replace(category=Category.COST)])
    for position in held:
        name = position.instrument.partition("/")[0]
        row = sums[position.venue, name, position.coin]
        row["unrealised"] = EXACT.add(row["unrealised"], position.unrealised or Decimal(0))
    return [_row(*key, amounts) for key, amounts in sorted(sums.items()) if any(amounts.values())]


def _row(venue: str, instrument: str, coin: str, amounts: Mapping[str, Decimal]) -> Pnl:
    return Pnl(
        venue,
        instrument,
        coin,
        realised=amounts["realised"],
        unrealised=amounts["unrealised"],
        fees=amounts["fees"],
        funding=amounts["funding"],
        liquidation_fees=amounts["liquidation_fees"],
        insurance=amounts["insurance"],
        interest=amounts["interest"],
        rewards=amounts["rewards"],
    )

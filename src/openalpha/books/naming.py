"""Names the parcels of a sale: checks them against what is held, and shares them out among fills.

A person names them after the sale, on its day (`openalpha tax select`); an order carries them with
it. Both are checked here, and both become the same entry (`selections.selection_draft`).
"""

from collections.abc import Iterable, Sequence
from decimal import Decimal

from openalpha.books.accounts import Book
from openalpha.books.ledger import Ledger
from openalpha.books.locks import YearLocks, lock_name
from openalpha.books.tax.dates import income_year, local_date
from openalpha.books.tax.entity_year import assess_profile
from openalpha.books.tax.parcels import Parcel
from openalpha.books.whole import history_of, profile_in
from openalpha.core.errors import InputError, UnknownName

__all__ = ["checked_lots", "lots_of_fill", "refuse_late"]

ZERO = Decimal(0)
Lots = tuple[tuple[str, Decimal], ...]


def checked_lots(
    books: Ledger,
    book: Book,
    *,
    coin: str,
    qty: Decimal,
    lots: Sequence[tuple[str, Decimal | None]],
    account: str | None = None,
    before: str | None = None,
) -> Lots:
    """Return the parcels named for a sale by their whole keys, each with its quantity.

    The whole book is read: seconds in a large one, so ask before an order is sent, not while one
    is waiting.

    Parameters
    ----------
    coin, qty : str, Decimal
        What is sold, the quantity above 0.
    lots : sequence of (str, Decimal or None)
        Keys of parcels or their beginnings; without a quantity as much as is left to sell.
    account : str or None
        One venue account of a simulated book.
    before : str or None
        Key of the sale, where it was made already: parcels of that moment count, not today's.

    Raises
    ------
    UnknownName
        If a name fits no parcel of that coin that is held, or several.
    InputError
        If the year is locked, a parcel holds less, one is named twice, or more is named than sold.
    """
    _refuse_locked(books, book, books.clock.now_ms(), account or "")
    parcels = _held(books, book, coin, account=account, before=before)
    chosen: list[tuple[str, Decimal]] = []
    rest = qty
    for name, wanted in lots:
        found = {p.id: p for p in parcels if p.id.startswith(name)} if name else {}
        if len(found) != 1:
            shown = ", ".join(f"{p.id[:10]} ({_words(p)})" for p in parcels[:8]) or "none"
            raise UnknownName(
                f"'{name}' fits {len(found)} parcels of {coin} held before the sale; there are "
                f"{shown}"
            )
        ((key, parcel),) = found.items()
        amount = min(parcel.left, max(rest, ZERO)) if wanted is None else wanted
        if not ZERO < amount <= parcel.left:
            said = amount if wanted is not None else "nothing that is left to sell"
            raise InputError(f"{said} of parcel {key[:10]}, which holds {_words(parcel)}")
        chosen.append((key, amount))
        rest -= amount
    if rest < 0 or len({name for name, _ in chosen}) != len(chosen):
        raise InputError(f"the parcels come to {qty - rest}, each named once, but {qty} is sold")
    return tuple(chosen)


def lots_of_fill(lots: Iterable[tuple[str, Decimal]], *, done: Decimal, qty: Decimal) -> Lots:
    """Return what of an order's named parcels belongs to one of its fills, in the order named.

    Parameters
    ----------
    lots : iterable of (str, Decimal)
        The order's, as `checked_lots` returned them.
    done : Decimal
        What earlier fills of the order sold.
    qty : Decimal
        What this one sold.

    Examples
    --------
    >>> lots = [("a", Decimal(2)), ("b", Decimal(3))]
    >>> lots_of_fill(lots, done=Decimal(1), qty=Decimal(3))
    (('a', Decimal('1')), ('b', Decimal('2')))
    """
    found = []
    start = ZERO
    for name, amount in lots:
        part = min(start + amount, done + qty) - max(start, done)
        if part > 0:
            found.append((name, part))
        start += amount
    return tuple(found)


def refuse_late(books: Ledger, book: Book, *, sold_ms: int) -> None:
    """Refuse to name parcels of a sale of an earlier day, or of a locked year.

    Raises
    ------
    InputError
        With the day of the sale and today's.
    """
    _refuse_locked(books, book, sold_ms, "")
    zone = profile_in(books, book.entity).time_zone
    sold, today = local_date(sold_ms, zone), local_date(books.clock.now_ms(), zone)
    if today > sold:
        raise InputError(
            f"the sale was on {sold} and today is {today}: parcels are named on the day of the "
            "sale, so that the record is of that time; the standing method chose"
        )


def _refuse_locked(books: Ledger, book: Book, ts_ms: int, account: str) -> None:
    year = income_year(local_date(ts_ms, profile_in(books, book.entity).time_zone))
    locked = YearLocks(books.database, books.clock).of(lock_name(book, account)).get(year)
    if locked is not None:
        raise InputError(f"{locked.words}; its parcels cannot be named any more")


def _held(
    books: Ledger, book: Book, coin: str, *, account: str | None, before: str | None
) -> list[Parcel]:
    """Return the parcels of a coin that are held now, or were just before a sale."""
    where = book.environment
    history = history_of(books, book.entity, environment=where, account=account)
    events = []
    for event in history.events:
        if event.id == before:
            break
        events.append(event)
    found = assess_profile(events, profile_in(books, book.entity))
    return [p for part in found.parts.values() for p in part.parcels if p.asset == coin]


def _words(parcel: Parcel) -> str:
    day = "an unknown day" if parcel.acquired is None else str(parcel.acquired)
    return f"{parcel.left.normalize():f} {parcel.asset} of {day}"

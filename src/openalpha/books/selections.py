"""Parcels named for a sale when it was made: an entry of the ledger says which, who, and when.

The law leaves the choice to the taxpayer, with records (TD 33). So the choice is an entry of its
own, in the chain like any other: its stamp is when it was recorded, its hash proves that it was not
written later. It moves nothing.
"""

import json
from collections.abc import Iterable, Sequence
from decimal import Decimal

from openalpha.books.entries import Draft, Entry, EntryKind
from openalpha.books.imports.records import Chosen
from openalpha.core.errors import InputError
from openalpha.store.decimals import checked, decimal_text

__all__ = ["chosen_of", "selection_draft"]

_REF = "parcels of "
Lots = Sequence[tuple[str, Decimal]]


def selection_draft(of: str, *, ts_ms: int, source: str, lots: Lots, by: str) -> Draft:
    """Return the entry that names parcels for a sale; posted with the fill, or before its day ends.

    Parameters
    ----------
    of : str
        Key of an entry of the sale: its fill's, or that of a change of cash.
    ts_ms : int
        When the sale was, UTC ms.
    source : str
        The sale's source.
    lots : sequence of (parcel, quantity)
        Keys of the parcels, and how much of each.
    by : str
        Who chose: a person, or the strategy whose order carried them.

    Raises
    ------
    InputError
        If nothing is named, a quantity is not above 0, or nobody chose.

    Examples
    --------
    >>> draft = selection_draft(
    ...     "run/fill/3", ts_ms=5, source="run", lots=[("a" * 24, Decimal("0.5"))], by="me"
    ... )
    >>> draft.ref
    'parcels of run/fill/3'
    """
    if not lots:
        raise InputError("no parcel is named; name at least one with its quantity")
    if not by.strip():
        raise InputError("nobody chose these parcels; say who did")
    said = []
    for name, qty in lots:
        amount = checked(qty, f"the quantity of parcel {name}")
        if amount <= 0:
            raise InputError(f"the quantity of parcel {name} was {qty}, expected one above 0")
        said.append([name, decimal_text(amount)])
    memo = json.dumps({"lots": said, "by": by.strip()})
    return Draft(
        key=f"{of}/parcels/{json.dumps(said)}",
        kind=EntryKind.SELECTION,
        ts_ms=ts_ms,
        source=source,
        ref=f"{_REF}{of}",
        memo=memo,
    )


def chosen_of(entries: Iterable[Entry]) -> dict[str, Chosen]:
    """Return what was chosen by the key of the entry it speaks of; the last word holds."""
    found = {}
    for entry in entries:
        if entry.kind is EntryKind.SELECTION:
            said = json.loads(entry.memo)
            lots = tuple((name, Decimal(qty)) for name, qty in said["lots"])
            of = entry.ref.removeprefix(_REF)
            found[of] = Chosen(lots, said["by"], entry.recorded_ms, entry.hash)
    return found

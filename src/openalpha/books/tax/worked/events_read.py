"""Reads every event of a worked example; a type without a reader makes the example fail by name."""

from collections.abc import Callable, Mapping
from typing import Any

from openalpha.books.tax.amounts import ZERO
from openalpha.books.tax.dates import BOUNDARY
from openalpha.books.tax.events import Acquire
from openalpha.books.tax.worked.fills import FILL_READERS
from openalpha.books.tax.worked.reading import ANY_ASSET, Reading
from openalpha.books.tax.worked.row import HOME_ZONE, Row, Unsupported
from openalpha.books.tax.worked.stated import STATED_READERS
from openalpha.core.errors import InputError

__all__ = ["known_event_types", "read_events"]

_READERS: dict[str, Callable[[Row, Reading], None]] = {**FILL_READERS, **STATED_READERS}


def known_event_types() -> list[str]:
    """List every event type that is understood, in alphabetical order."""
    return sorted(_READERS)


def read_events(
    rows: list[Mapping[str, Any]], *, regime: str = "pre-2027", zone: str = HOME_ZONE
) -> Reading:
    """Read the events of one example.

    Raises
    ------
    Unsupported
        If an event's type is not known; the message names it.
    InputError
        If a field is missing or cannot be read.
    """
    found = Reading(regime=regime, zone=zone)
    for index, fields in enumerate(rows):
        if not isinstance(fields, Mapping):
            raise InputError(f"event {index + 1} is {fields!r}, not an object")
        row = Row(fields, index, zone=zone)
        reader = _READERS.get(row.type)
        if reader is None:
            raise Unsupported(f"unknown event type {row.type!r} (event {row.id})")
        reader(row, found)
    _settle_boundary(found)
    return found


def _settle_boundary(found: Reading) -> None:
    """Give a boundary value without an asset to every asset, and a stated indexed cost a factor."""
    value = found.boundary.pop("*", None)
    assets = {event.asset for event in found.events if isinstance(event, Acquire)}
    if value is not None:
        for asset in assets or {ANY_ASSET}:
            found.boundary.setdefault(asset, value)
    if found.indexed_total is None:
        return
    base = ZERO
    for event in found.events:
        if not isinstance(event, Acquire):
            continue
        known = found.boundary.get(event.asset)
        is_old = event.day is not None and event.day <= BOUNDARY
        if known is not None and known.unit is not None and is_old:
            base += known.unit * event.qty
        else:
            base += (event.cost or ZERO) + event.fee
    if base <= 0:
        raise InputError("an indexed_cost_base needs an acquisition whose cost was indexed")
    found.factor = found.indexed_total / base

"""Costs indexed outright by an example's `index` events, with the gain they lead to."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, NamedTuple

from openalpha.books.tax.amounts import ZERO
from openalpha.books.tax.events import StatedGain
from openalpha.books.tax.indexation import index_factor
from openalpha.books.tax.worked.reading import Reading
from openalpha.books.tax.worked.row import Row, Unsupported, parse_decimal
from openalpha.core.errors import InputError

__all__ = ["IndexedLine", "StatedIndex", "add_indexed_gain", "index_lines", "stated_index"]


_ELEMENTS = {"first": "1", "second": "2", "third": "3", "fourth": "4", "fifth": "5"}


class IndexedLine(NamedTuple):
    """One cost, its factor, and the indexed cost, in AUD."""

    cost: Decimal
    factor: Decimal
    indexed: Decimal


class StatedIndex(NamedTuple):
    """Every indexed and unindexed cost of an example together, and the proceeds, in AUD."""

    indexed: Decimal
    cost: Decimal
    proceeds: Decimal
    has_proceeds: bool


def index_lines(reading: Reading) -> list[IndexedLine]:
    """List the costs of every `index` event, each with its own factor; element 3 has none."""
    found = []
    for row in reading.facts.get("index", []):
        for cost, event_cpi, spent_cpi, is_third in _lines(row):
            factor = Decimal(1) if is_third else index_factor(event_cpi, spent_cpi)
            found.append(IndexedLine(cost, factor, cost * factor))
    return found


def stated_index(reading: Reading) -> StatedIndex | None:
    """Add up the `index` events; None where the example has none."""
    rows = reading.facts.get("index", [])
    if not rows:
        return None
    plain = proceeds = ZERO
    for row in rows:
        value = row.fields.get("unindexed")
        if isinstance(value, Mapping):
            value = list(value.values())
        parts = value if isinstance(value, list) else [] if value is None else [value]
        plain += sum((parse_decimal(p, what=f"event {row.id}: unindexed") for p in parts), ZERO)
        proceeds += row.number("proceeds") or ZERO
    lines = index_lines(reading)
    return StatedIndex(
        sum((line.indexed for line in lines), ZERO) + plain,
        sum((line.cost for line in lines), ZERO) + plain,
        proceeds,
        any("proceeds" in row for row in rows),
    )


def add_indexed_gain(reading: Reading) -> None:
    """Turn `index` events with proceeds into a stated gain; an indexed gain is not discounted."""
    stated = stated_index(reading)
    if stated is None or not stated.has_proceeds:
        return
    row = reading.facts["index"][-1]
    gain = stated.proceeds - stated.indexed
    if gain < 0:
        gain = min(stated.proceeds - stated.cost, ZERO)
    reading.events.append(StatedGain(row.id, row.day(), gain))


def _lines(row: Row) -> list[tuple[Decimal, Decimal, Decimal, bool]]:
    elements = row.fields.get("elements")
    costs = row.fields.get("cost")
    if isinstance(costs, list):
        spent = row.fields.get("cpi_den")
        if isinstance(spent, list) and len(spent) == len(costs):
            costs = [[cost, number] for cost, number in zip(costs, spent, strict=True)]
        elements, costs = costs, None
    if isinstance(elements, Mapping):
        elements = [{"cost": cost, "element": _ELEMENTS.get(e, e)} for e, cost in elements.items()]
    if costs is not None:
        numbers = elements if isinstance(elements, list) else []
        is_third = bool(numbers) and all(str(number) == "3" for number in numbers)
        return [(row.need("cost"), row.need("cpi_num"), row.need("cpi_den"), is_third)]
    if elements is not None and not isinstance(elements, list):
        raise InputError(f"event {row.id}: elements must be a list or an object of costs")
    return [_line(row, element) for element in elements or []]


def _line(row: Row, element: Any) -> tuple[Decimal, Decimal, Decimal, bool]:
    """Read one cost of a list: an object, [cost, cpi_den] or [cost, cpi_num, cpi_den]."""
    what = f"event {row.id}: elements"
    is_third = False
    event_cpi = spent_cpi = None
    if isinstance(element, Mapping):
        part = Row({"id": row.id, "type": "index", **element}, 0)
        cost = part.need("cost", "aud", "amount")
        event_cpi, spent_cpi = part.number("cpi_num"), part.number("cpi_den", "cpi")
        is_third = part.text("element") == "3"
    else:
        values = element if isinstance(element, list) and element else [element]
        numbers = [parse_decimal(value, what=what) for value in values]
        cost = numbers[0]
        spent_cpi = numbers[-1] if len(numbers) > 1 else None
        event_cpi = numbers[1] if len(numbers) > 2 else None
    event_cpi = row.number("cpi_num") if event_cpi is None else event_cpi
    if spent_cpi is None and not isinstance(row.fields.get("cpi_den"), list):
        spent_cpi = row.number("cpi_den")
    if event_cpi is None or spent_cpi is None:
        raise Unsupported(f"{what} lack the index numbers cpi_num and cpi_den")
    return cost, event_cpi, spent_cpi, is_third

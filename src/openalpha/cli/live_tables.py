"""Rows of live runs for the commands `positions`, `orders`, `fills` and `balance`."""

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from openalpha.cli.conventions import Screen
from openalpha.cli.status_page import short_ids

if TYPE_CHECKING:
    from openalpha.trading.run.folder import RunFolder

__all__ = ["book_rows", "fill_rows", "narrowed", "show_rows"]

_WIDTH = 80
_LEAST = 20
"""Room that words take at least; they are folded beyond it."""
_WORDS = frozenset(("in_words", "why"))
_HEADS = {
    "environment": "env",
    "entry_price": "entry",
    "mark_price": "mark",
    "trigger_kind": "kind",
}
_ORDER = (
    "environment", "run", "time", "book", "instrument", "side", "qty", "filled", "price", "limit",
    "trigger", "trigger_kind", "entry_price", "mark_price", "wanted", "id", "order", "reason",
    "in_words",
)  # fmt: skip
_SPARE = ("input", "order", "reason", "run", "rows")
"""Columns that are left out one by one where a row is too wide; `--json` has them."""


def book_rows(status: Mapping[str, Any], what: str) -> Iterator[dict[str, Any]]:
    """Yield the positions or orders of every sub-book of a run."""
    for book in status["books"]:
        for row in book[what]:
            yield {
                "environment": status["environment"],
                "run": status["run"],
                "book": book["name"],
                **row,
            }


def fill_rows(folder: "RunFolder", *, limit: int) -> list[dict[str, Any]]:
    """Return the last fills of a run, oldest first, as its log has them."""
    from collections import deque

    from openalpha.core.clock import format_ms
    from openalpha.core.reasons import Reason
    from openalpha.core.units import from_units
    from openalpha.store.run_log import FrameKind, read
    from openalpha.venue.kernel import layout as at

    plan = folder.plan()
    found: deque[dict[str, Any]] = deque(maxlen=limit)
    for frame in read(folder.log, {FrameKind.NOTE}):
        if b'"exec"' in frame.payload:
            found.append(_of_venue(folder, json.loads(frame.payload), len(found)))
            continue
        if b'"fill"' not in frame.payload:
            continue
        content = json.loads(frame.payload)
        fill, part = content["fill"], plan.strategies[content["book"]]
        instrument = plan.instruments[part.numbers[fill[at.F_INST]]]
        found.append(
            {
                "environment": folder.environment.name.lower(),
                "run": folder.id,
                "book": part.name,
                "n": content["n"],
                "time": format_ms(fill[at.F_TS]),
                "instrument": str(instrument.id),
                "side": "buy" if fill[at.F_QTY] > 0 else "sell",
                "qty": f"{from_units(abs(fill[at.F_QTY]), instrument.qty_decimals):f}",
                "price": f"{from_units(fill[at.F_PRICE], instrument.price_decimals):f}",
                "order": fill[at.F_ORDER],
                "reason": Reason(fill[at.F_REASON]).name.lower(),
            }
        )
    return list(found)


def _of_venue(folder: "RunFolder", content: Mapping[str, Any], n: int) -> dict[str, Any]:
    """Return an execution at a venue as a row."""
    from openalpha.core.clock import format_ms

    return {
        "environment": folder.environment.name.lower(),
        "run": folder.id,
        "book": content["link"].partition("-")[0],
        "n": n,
        "time": format_ms(content["ts"]),
        "instrument": content["instrument"],
        "side": "buy" if content["side"] > 0 else "sell",
        "qty": content["qty"],
        "price": content["price"],
        "order": content["link"],
        "reason": "",
    }


def narrowed(
    rows: Sequence[Mapping[str, Any]], *, keeps: Collection[str] = ()
) -> list[dict[str, Any]]:
    """Return rows as a screen of eighty columns shows them; `--json` has them whole.

    What all rows share is left out, ids are as long as tells them apart, numbers are plain; what is
    told least leaves first where a row is too wide still. `keeps` names what is never left out.
    """
    common = {"is_reduce_only", "created_ms", "n"}
    if {row.get("trigger_kind") for row in rows} <= {"", "none", "stop", None}:
        common.add("trigger_kind")
    places = {(row.get("environment"), row.get("run")) for row in rows}
    if len({place for place, _ in places}) <= 1:
        common.add("environment")
    if len(places) == len({place for place, _ in places}):
        common.add("run")
    common -= set(keeps)
    runs = short_ids(sorted({str(row["run"]) for row in rows if row.get("run")}))
    found = []
    for row in rows:
        one = {name: row[name] for name in sorted(row, key=_place) if name not in common}
        for link in {"id", "order"} & set(one):
            one[link] = _unique(str(one[link]), [str(other[link]) for other in rows])
        if "time" in one:
            one["time"] = str(one["time"])[5:19].replace("T", " ")
        if one.get("run"):
            one["run"] = runs[str(one["run"])]
        if isinstance(one.get("side"), int):
            one["side"] = "buy" if one["side"] > 0 else "sell"
        if "instrument" in one:
            one["instrument"] = str(one["instrument"]).removeprefix("bybit_")
        found.append({name: _plain(value) for name, value in one.items()})
    names = [name for name in found[0] if _says(found, name)] if found else []
    return _within(names, found, spare=[name for name in _SPARE if name not in keeps])


def _within(
    names: list[str], rows: Sequence[Mapping[str, Any]], *, spare: Sequence[str]
) -> list[dict[str, Any]]:
    """Return rows of as many columns as a screen has room for."""
    widths = {
        name: max(len(_HEADS.get(name, name)), *(len(str(row[name] or "")) for row in rows))
        for name in names
    } | dict.fromkeys(_WORDS & set(names), _LEAST)
    for name in spare:
        if name in names and sum(widths[one] + 2 for one in names) > _WIDTH:
            names.remove(name)
    return [{name: row[name] for name in names} for row in rows]


def _says(rows: Sequence[Mapping[str, Any]], name: str) -> bool:
    return any(row.get(name) not in (None, "") for row in rows)


def _place(name: str) -> int:
    return _ORDER.index(name) if name in _ORDER else len(_ORDER)


def _unique(name: str, every: Sequence[str], *, least: int = 12) -> str:
    """Return the beginning of an id that no other has."""
    for length in range(least, len(name)):
        if all(other == name or not other.startswith(name[:length]) for other in every):
            return name[:length]
    return name


def _plain(value: Any) -> Any:
    """Return a number without zeros that say nothing."""
    text = str(value)
    is_number = isinstance(value, str) and text.replace(".", "", 1).lstrip("-").isdigit()
    return text.rstrip("0").rstrip(".") if is_number and "." in text else value


def show_rows(screen: Screen, rows: Sequence[Mapping[str, Any]], *, what: str) -> None:
    """Show rows as a table, or say that there are none; the columns are the rows' keys."""
    from rich.table import Table

    if not rows:
        screen.show(f"There are no {what}.")
        return
    table = Table(title=what.capitalize(), title_justify="left", box=None, pad_edge=False)
    for name in rows[0]:
        table.add_column(_HEADS.get(name, name.replace("_", " ")))
    for row in rows:
        table.add_row(*("" if value is None else str(value) for value in row.values()))
    screen.show(table)

"""Rows of live runs for the commands `positions`, `orders`, `fills` and `balance`."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from openalpha.cli.conventions import Screen

if TYPE_CHECKING:
    from openalpha.trading.run.folder import RunFolder

__all__ = ["book_rows", "fill_rows", "narrowed", "show_rows"]


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


def narrowed(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return rows as a screen of eighty columns shows them; `--json` has them whole.

    What all rows share is left out, ids are as long as tells them apart, numbers are plain.
    """
    common = {"is_reduce_only", "created_ms", "n"} | {
        name for name in ("environment", "run") if len({row.get(name) for row in rows}) <= 1
    }
    if {row.get("trigger_kind") for row in rows} <= {"", "none", "stop", None}:
        common.add("trigger_kind")
    found = []
    for row in rows:
        one = {name: value for name, value in row.items() if name not in common}
        for link in {"id", "order"} & set(one):
            one[link] = _unique(str(one[link]), [str(row[link]) for row in rows])
        if "time" in one:
            one["time"] = str(one["time"])[5:19].replace("T", " ")
        if one.get("run"):
            one["run"] = str(one["run"])[-8:]
        if isinstance(one.get("side"), int):
            one["side"] = "buy" if one["side"] > 0 else "sell"
        one["instrument"] = str(one["instrument"]).removeprefix("bybit_")
        found.append({name: _plain(value) for name, value in one.items()})
    return [
        {
            name: value
            for name, value in row.items()
            if any(other.get(name) not in (None, "") for other in found)
        }
        for row in found
    ]


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
        table.add_column(name.replace("_", " "))
    for row in rows:
        table.add_row(*("" if value is None else str(value) for value in row.values()))
    screen.show(table)

"""Keeps the snapshot of 30 June 2027 with an entity's declarations, and hands it to the law.

A snapshot is never changed or deleted. Another one of the same day is kept beside it with the
reason why it takes its place; the last one is used.
"""

import json
from datetime import date
from decimal import Decimal
from typing import Any

from openalpha.books.declarations import Declarations
from openalpha.books.tax.dates import BOUNDARY
from openalpha.books.tax.gains import Law
from openalpha.books.tax.snapshot import Quote, Snapshot, SnapshotRow, boundary_values, digest_of
from openalpha.books.tax.tables import known_law
from openalpha.core.clock import Clock
from openalpha.core.errors import InputError, LedgerError
from openalpha.store.database import Database
from openalpha.store.decimals import decimal_text

__all__ = ["keep_snapshot", "kept_snapshot", "law_of"]


def keep_snapshot(
    database: Database, entity: str, *, snapshot: Snapshot, clock: Clock, reason: str = ""
) -> bool:
    """Keep a snapshot; return whether it is new.

    Raises
    ------
    InputError
        If another one of that day is kept and no reason is given.
    """
    known = kept_snapshot(database, entity, clock=clock, day=snapshot.day)
    if known is not None and known.sha256 == snapshot.sha256:
        return False
    if known is not None and not reason.strip():
        raise InputError(
            f"a snapshot of {snapshot.day} with hash {known.sha256[:16]} is kept; this one has "
            f"{snapshot.sha256[:16]}: say with --reason why it takes its place, both are kept"
        )
    said = json.dumps(_said(snapshot) | {"reason": reason.strip()})
    return Declarations(database, clock).declare(entity, _topic(snapshot.day), said=said)


def kept_snapshot(
    database: Database, entity: str, *, clock: Clock, day: date = BOUNDARY
) -> Snapshot | None:
    """Return the last snapshot of a day that is kept; None where there is none.

    Raises
    ------
    LedgerError
        If what is kept does not fit its hash.
    """
    word = Declarations(database, clock).last(entity, _topic(day))
    if word is None:
        return None
    said = json.loads(word.said)
    found = Snapshot(
        date.fromisoformat(said["day"]),
        tuple(_row(row) for row in said["rows"]),
        tuple(
            Quote(q["source"], q["asset"], Decimal(q["unit"]), q["ts_ms"]) for q in said["quotes"]
        ),
        said["sha256"],
    )
    if digest_of(found.day, found.rows, quotes=found.quotes) != found.sha256:
        raise LedgerError(f"the snapshot of {day} kept for {entity} does not fit its hash")
    return found


def law_of(database: Database, entity: str, *, clock: Clock) -> Law:
    """Return what the law needs beyond an entity's events: index numbers, boundary values."""
    kept = kept_snapshot(database, entity, clock=clock)
    return known_law(None if kept is None else boundary_values(kept))


def _topic(day: date) -> str:
    return f"snapshot {day.isoformat()}"


def _said(snapshot: Snapshot) -> dict[str, Any]:
    return {
        "day": snapshot.day.isoformat(),
        "rows": [
            {
                "parcel": row.parcel, "asset": row.asset,
                "acquired": None if row.acquired is None else row.acquired.isoformat(),
                "qty": decimal_text(row.qty), "cost": decimal_text(row.cost),
                "unit": decimal_text(row.unit), "source": row.source,
            }
            for row in snapshot.rows
        ],
        "quotes": [
            {"source": q.source, "asset": q.asset, "unit": decimal_text(q.unit), "ts_ms": q.ts_ms}
            for q in snapshot.quotes
        ],
        "sha256": snapshot.sha256,
    }  # fmt: skip


def _row(said: dict[str, Any]) -> SnapshotRow:
    acquired = None if said["acquired"] is None else date.fromisoformat(said["acquired"])
    return SnapshotRow(
        said["parcel"],
        said["asset"],
        acquired,
        Decimal(said["qty"]),
        Decimal(said["cost"]),
        Decimal(said["unit"]),
        said["source"],
    )

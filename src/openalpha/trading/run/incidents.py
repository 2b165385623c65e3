"""Incidents: what a person should look at and settle. Kept as lines that are only ever added.

    <home>/incidents/<environment>.jsonl

Trading in an environment is REDUCING while one is open. Settling one is a line too, with a person's
words; nothing is erased.
"""

import fcntl
import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from openalpha.core.errors import InputError, UnknownName
from openalpha.core.messages import Environment
from openalpha.store.atomic import append_line, storage_errors
from openalpha.store.audit import AuditTrail
from openalpha.store.run_log import canonical_json
from openalpha.trading.orders.side import Incident

__all__ = ["ADVICE", "IncidentBook", "KeptIncident"]

ADVICE = {
    "alert_failed": "look at the address (`openalpha alerts test`): nobody is told of anything",
    "foreign_order": "cancel it at the exchange or leave it; then settle this",
    "foreign_fill": "the position is what the exchange says; settle this if the trade was yours",
    "forced_fill": "the exchange reduced or closed the position itself; look at margin and stops",
    "stopped": "see that the account holds what you want, then settle this",
    "stop_refused": "the position has no stop at the exchange: set one there, or close it",
    "no_stop": "set a stop at the exchange, or close the position: `openalpha order close`",
    "no_take_profit": "close the position by hand where it should end; its stop stands",
    "books_differ": "compare positions with the exchange's page: something traded beside the run",
    "incomplete_answer": "the exchange leaves out what counts; look at its announcements",
    "not_replaced": "the exchange did not take the new stop; the old one stands: check its price",
    "position_differs": "compare the position with the exchange's page; its word was taken",
    "average_price_differs": "compare the entry price with the exchange's page; its word was taken",
    "balance_differs": "compare the exchange's transaction log with `openalpha ledger`",
    "contradiction": "look at the order's history at the exchange; its last word was taken",
    "overfilled": "look at the order's executions at the exchange",
    "unknown_status": "the exchange uses a word nobody has described; look at the order there",
    "vanished": "the exchange took the order and denies it; look for it there by its id",
    "instrument_halted": "look at the exchange's announcement; settle this once it is traded again",
    "strategy_failed": "mend its file and begin a new run; this one only keeps its stops",
    "id_mismatch": "an id of ours names another order at the exchange; stop and look",
}
"""What a person can do, by code."""


@dataclass(frozen=True, slots=True)
class KeptIncident:
    """One incident as it is kept; `settled_ms` is 0 while it is open."""

    id: str
    environment: str
    run_id: str
    code: str
    words: str
    ts_ms: int
    count: int = 1
    settled_ms: int = 0
    note: str = ""

    @property
    def is_open(self) -> bool:
        """Whether nobody has settled it."""
        return self.settled_ms == 0

    @property
    def advice(self) -> str:
        """What a person can do about it."""
        return ADVICE.get(self.code, "look at what it says; then settle it")


@dataclass(frozen=True, slots=True)
class IncidentBook:
    """The incidents of one environment of a home; several processes may add to it.

    Examples
    --------
    >>> import tempfile
    >>> book = IncidentBook(Path(tempfile.mkdtemp()), Environment.TWIN)
    >>> kept = book.add(Incident("vanished", "order a is gone", 5), run_id="r1")
    >>> [one.code for one in book.open_ones()]
    ['vanished']
    >>> book.settle(kept.id, note="looked", now_ms=9).is_open
    False
    """

    home: Path
    environment: Environment

    @property
    def path(self) -> Path:
        """The file."""
        return self.home / "incidents" / f"{self.environment.name.lower()}.jsonl"

    def add(self, incident: Incident, *, run_id: str) -> KeptIncident:
        """Keep an incident; the same one, told again while it is open, is counted, not repeated.

        Raises
        ------
        StorageError
            If the disk refuses.
        """
        digest = hashlib.sha256(f"{run_id}\0{incident.code}\0{incident.words}".encode())
        with self._locked() as handle:
            known = _replayed(handle)
            base = digest.hexdigest()[:8]
            name, number = base, 1
            # Settled and come again, it is another incident.
            while name in known and not known[name].is_open:
                number += 1
                name = f"{base}-{number}"
            line = {
                "id": name,
                "run_id": run_id,
                "code": incident.code,
                "words": incident.words,
                "ts_ms": incident.ts_ms,
                "environment": self.environment.name.lower(),
            }
            _append(handle, line)
            return _replayed(handle)[name]

    def settle(self, incident_id: str, *, note: str, now_ms: int) -> KeptIncident:
        """Settle an incident, with a person's words about it.

        Raises
        ------
        UnknownName
            If there is none of that id.
        InputError
            If it is settled already, or nothing is said about it.
        """
        if not note.strip():
            raise InputError("say in a few words what you found: --note '…'")
        with self._locked() as handle:
            found = _named(_replayed(handle), incident_id)
            if not found.is_open:
                raise InputError(f"incident {found.id} is settled already: {found.note}")
            _append(handle, {"id": found.id, "settled_ms": now_ms, "note": note.strip()})
            settled = _replayed(handle)[found.id]
        name = self.environment.name.lower()
        details = {"incident": settled.id, "code": settled.code, "reason": settled.note}
        AuditTrail(self.home).note("incident.settle", environment=name, **details)
        return settled

    def all(self) -> list[KeptIncident]:
        """Return every incident, oldest first."""
        if not self.path.exists():
            return []
        with self._locked() as handle:
            return list(_replayed(handle).values())

    def changed_ns(self) -> int:
        """Return when a line was added last; 0: none ever was."""
        try:
            return self.path.stat().st_mtime_ns
        except OSError:
            return 0

    def open_ones(self) -> list[KeptIncident]:
        """Return those that nobody has settled: trading is REDUCING while there are any."""
        return [one for one in self.all() if one.is_open]

    def find(self, incident_id: str) -> KeptIncident:
        """Return the incident of an id, or of the beginning of one.

        Raises
        ------
        UnknownName
            If none or several match.
        """
        return _named({one.id: one for one in self.all()}, incident_id)

    @contextmanager
    def _locked(self) -> Iterator[int]:
        with storage_errors(str(self.path)):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            handle = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield handle
        finally:
            os.close(handle)


def _append(handle: int, line: dict[str, Any]) -> None:
    append_line(handle, canonical_json(line), what="the incident")


def _replayed(handle: int) -> dict[str, KeptIncident]:
    """Return the incidents that the lines so far amount to."""
    known: dict[str, KeptIncident] = {}
    content = os.pread(handle, os.fstat(handle).st_size, 0)
    for text in content.splitlines():
        try:
            line = json.loads(text)
        except ValueError:
            continue
        found = known.get(line["id"])
        if found is None:
            known[line["id"]] = KeptIncident(**line)
        elif "settled_ms" in line:
            known[line["id"]] = replace(found, settled_ms=line["settled_ms"], note=line["note"])
        else:
            known[line["id"]] = replace(found, count=found.count + 1)
    return known


def _named(known: dict[str, KeptIncident], incident_id: str) -> KeptIncident:
    if incident_id in known:
        return known[incident_id]
    found = [one for name, one in known.items() if incident_id and name.startswith(incident_id)]
    if len(found) == 1:
        return found[0]
    raise UnknownName(
        f"there is no incident '{incident_id}'; `openalpha incidents list --all` shows them"
        if not found
        else f"'{incident_id}' begins the id of {len(found)} incidents; write more of it"
    )

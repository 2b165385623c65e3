"""The lock after an emergency stop: while it stands, nothing of an environment may trade.

Two things lock: `safety/<environment>/lock.json`, which every emergency stop writes first, and the
file `STOP` in the home, which anybody who can touch a file can make (`STOP.live` for one
environment alone). Only `unlock` removes them. No database, no network: a look costs three `stat`.
"""

import json
import os
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path

from openalpha.core.clock import format_ms
from openalpha.core.errors import InputError
from openalpha.store.atomic import storage_errors, write_bytes
from openalpha.store.audit import AuditTrail

__all__ = [
    "Lock",
    "lock",
    "locked",
    "refuse_if_locked",
    "safety_folder",
    "stop_files",
    "unlock",
]

_FILE = "lock.json"


@dataclass(frozen=True, slots=True)
class Lock:
    """Why an environment is locked, since when and by whom."""

    words: str
    who: str
    ts_ms: int

    def __str__(self) -> str:
        since = f" since {format_ms(self.ts_ms)}" if self.ts_ms else ""
        return f"{self.words} (by {self.who}{since})"


def safety_folder(home: Path, environment: str) -> Path:
    """Return where what keeps an environment safe lies: lock, heartbeats."""
    return home / "safety" / environment


def stop_files(home: Path, environment: str) -> tuple[Path, Path]:
    """Return the files whose mere presence stops an environment."""
    return home / "STOP", home / f"STOP.{environment}"


@cache
def _places(home: Path, environment: str) -> tuple[str, ...]:
    """Return the files that lock, as text: they are looked at before every order."""
    files = (*stop_files(home, environment), safety_folder(home, environment) / _FILE)
    return tuple(map(str, files))


def locked(home: Path, environment: str) -> Lock | None:
    """Return the lock that stands, or None. A lock that cannot be read is a lock.

    Examples
    --------
    >>> locked(Path("nowhere"), "twin") is None
    True
    """
    *stops, place = _places(home, environment)
    for stop in stops:
        if os.path.lexists(stop):
            return Lock(f"the file {stop} is there", "whoever made it", 0)
    if not os.path.lexists(place):
        return None
    path = Path(place)
    try:
        text = path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        return Lock(f"{path} cannot be read ({error.strerror})", "the disk", 0)
    try:
        row = json.loads(text)
        return Lock(str(row["words"]), str(row["who"]), int(row["ts_ms"]))
    except (ValueError, KeyError, TypeError):
        return Lock(f"{path} is there but damaged", "unknown", 0)


def refuse_if_locked(home: Path, environment: str) -> None:
    """Raise unless an environment may trade.

    Raises
    ------
    InputError
        If it is locked.
    """
    found = locked(home, environment)
    if found is not None:
        raise InputError(
            f"{environment} is locked: {found}; when it is safe to trade again run "
            f"`openalpha unlock --env {environment}`"
        )


def lock(home: Path, environment: str, *, why: Lock) -> None:
    """Lock an environment; what locked it first stays the reason.

    In live the arming ends with it: after a stop a person arms anew.

    Raises
    ------
    StorageError
        If the disk refuses.
    """
    folder = safety_folder(home, environment)
    if locked(home, environment) is None or not (folder / _FILE).exists():
        write_bytes(folder / _FILE, json.dumps(asdict(why)).encode())
    (home / "arming" / f"{environment}.json").unlink(missing_ok=True)
    AuditTrail(home).add("lock", environment=environment, reason=why.words, by=why.who)


def unlock(home: Path, environment: str, *, why: Lock) -> Lock | None:
    """Let an environment trade again; return the lock that stood, None if none did.

    Raises
    ------
    InputError
        If a file `STOP` of all environments stands: it locks the others too, so a person removes
        it.
    StorageError
        If the disk refuses; it is then still locked.
    """
    everywhere, own = stop_files(home, environment)
    if os.path.lexists(everywhere):
        raise InputError(
            f"the file {everywhere} stops every environment; remove it by hand, then unlock again"
        )
    found = locked(home, environment)
    if found is None:
        return None
    # Noted first: there is no unlocking that nobody can see.
    AuditTrail(home).add(
        "unlock", environment=environment, was=str(found), reason=why.words, by=why.who
    )
    with storage_errors(str(own)):
        own.unlink(missing_ok=True)
        (safety_folder(home, environment) / _FILE).unlink(missing_ok=True)
    return found

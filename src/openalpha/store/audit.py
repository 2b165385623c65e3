"""The audit trail of a home: who did what to trading, when and why, in one chained file.

    <home>/audit/trail.jsonl      one act a line; each carries the SHA-256 of the line before

Nothing is ever taken out. A line that a crash cut short stays where it is, is no act, and the chain
goes on over it. Whoever can write the file could write all of it anew: `head` kept elsewhere shows
that it was not.
"""

import fcntl
import hashlib
import json
import logging
import os
import pwd
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from openalpha.core.clock import SystemClock
from openalpha.core.errors import OpenAlphaError, StorageError
from openalpha.store.atomic import append_line, storage_errors
from openalpha.store.frames import canonical_json

__all__ = ["Act", "AuditTrail", "Checked", "user_name"]

_log = logging.getLogger(__name__)
_PATIENCE_S, _STEP_S = 1.0, 0.01
_OWN = ("act", "alone", "before", "environment", "seq", "ts_ms", "who")


@dataclass(frozen=True, slots=True)
class Act:
    """One act.

    Parameters
    ----------
    seq : int
        From 1.
    ts_ms : int
        UTC ms.
    who : str
        The system's name of who did it.
    name : str
        What was done: `arm`, `run.stop`, `key.use` …
    environment : str
        Where; empty: everywhere.
    details : mapping
        What about it matters: run, reason, outcome.
    """

    seq: int
    ts_ms: int
    who: str
    name: str
    environment: str
    details: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Checked:
    """What a check of the trail found.

    Parameters
    ----------
    acts : int
    head : str
        SHA-256 of the last line, hexadecimal; empty: there is none.
    faults : tuple of str
        What cannot be but by a hand that changed the file.
    remarks : tuple of str
        Lines cut short by a crash, or written while another process held the file.
    """

    acts: int
    head: str
    faults: tuple[str, ...]
    remarks: tuple[str, ...]


class AuditTrail:
    """The trail of one home; any number of processes may add to it.

    Examples
    --------
    >>> import tempfile
    >>> trail = AuditTrail(Path(tempfile.mkdtemp()))
    >>> trail.add("run.stop", environment="twin", run="r1", reason="enough")
    1
    >>> [(act.name, act.details) for act in trail.acts()]
    [('run.stop', {'reason': 'enough', 'run': 'r1'})]
    >>> trail.check().faults
    ()
    """

    def __init__(self, home: Path) -> None:
        self.path = home / "audit" / "trail.jsonl"

    def add(self, name: str, *, environment: str = "", **details: Any) -> int:
        """Add an act; it is on disk before its number is returned.

        A process that hangs while it holds the file is not waited for beyond a second: the line
        says then that it was written alone.

        Raises
        ------
        StorageError
            If the disk refuses; nothing was added.
        """
        with self._held() as (handle, is_alone):
            last = _last_line(handle)
            row = _read(last)
            seq = (row["seq"] if row else max((act.seq for act in self.acts()), default=0)) + 1
            line: dict[str, Any] = {
                name: value for name, value in details.items() if name not in _OWN
            }
            line |= {
                "act": name,
                "before": _digest(last),
                "environment": environment,
                "seq": seq,
                "ts_ms": SystemClock().now_ms(),
                "who": user_name(),
            }
            if is_alone:
                line["alone"] = True
            append_line(handle, canonical_json(_plain(line)), what=str(self.path))
        return seq

    def note(self, name: str, *, environment: str = "", **details: Any) -> None:
        """Add an act; where the disk refuses only the log says what is lost."""
        try:
            self.add(name, environment=environment, **details)
        except OpenAlphaError as error:
            _log.warning("the audit trail lacks %s %s: %s", name, details, error.message)

    def acts(self) -> Iterator[Act]:
        """Yield every act, oldest first.

        Raises
        ------
        StorageError
            If the file cannot be read.
        """
        for line in self._lines():
            row = _read(line)
            if row is not None:
                details = {key: value for key, value in row.items() if key not in _OWN}
                yield Act(
                    row["seq"], row["ts_ms"], row["who"], row["act"], row["environment"], details
                )

    def check(self, *, head: str = "") -> Checked:
        """Walk the chain.

        Parameters
        ----------
        head : str
            A head an earlier check told: it must be on the way; empty: none is asked for.

        Raises
        ------
        StorageError
            If the file cannot be read.
        """
        faults: list[str] = []
        remarks: list[str] = []
        before, seq, count = b"", 0, 0
        heads = {""}
        for number, line in enumerate(self._lines(), start=1):
            row = _read(line)
            if row is None:
                remarks.append(f"line {number} was cut short")
            elif row["before"] != _digest(before) and not row.get("alone"):
                faults.append(f"line {number} does not follow from the one before it")
            elif row["seq"] != seq + 1 and not row.get("alone"):
                faults.append(f"line {number} is act {row['seq']}, expected {seq + 1}")
            elif row.get("alone"):
                remarks.append(f"line {number} was written while another process held the file")
            if row is not None:
                seq, count = row["seq"], count + 1
            before = line
            heads.add(_digest(line))
        if head not in heads:
            faults.append(f"no line has the hash {head}: what was there then is not there now")
        return Checked(count, _digest(before), tuple(faults), tuple(remarks))

    def _lines(self) -> list[bytes]:
        try:
            content = self.path.read_bytes()
        except FileNotFoundError:
            return []
        except OSError as error:
            raise StorageError(f"{self.path} cannot be read ({error.strerror})") from None
        return content.splitlines()

    @contextmanager
    def _held(self) -> Iterator[tuple[int, bool]]:
        """Yield the open file, and whether it could not be held for ourselves."""
        with storage_errors(str(self.path)):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            handle = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
            try:
                yield handle, not _lock(handle)
            finally:
                os.close(handle)


def user_name() -> str:
    """Return the system's name of who runs this program."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return str(os.getuid())


def _lock(handle: int) -> bool:
    ends = time.monotonic() + _PATIENCE_S
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > ends:
                return False
            time.sleep(_STEP_S)
        else:
            return True


def _last_line(handle: int) -> bytes:
    """Return the last line, whole or cut short; empty: there is none."""
    size = os.fstat(handle).st_size
    length = 4096
    while True:
        content = os.pread(handle, length, max(0, size - length))
        lines = content.splitlines()
        if length >= size or len(lines) > 1:
            return lines[-1] if lines else b""
        length *= 4


def _read(line: bytes) -> dict[str, Any] | None:
    try:
        row = json.loads(line)
        if isinstance(row, dict) and all(name in row for name in _OWN if name != "alone"):
            return row
    except ValueError:
        pass
    return None


def _digest(line: bytes) -> str:
    return hashlib.sha256(line).hexdigest() if line else ""


def _plain(value: Any) -> Any:
    """Return what canonical JSON can hold exactly: numbers with a fraction become text."""
    if isinstance(value, Mapping):
        return {str(name): _plain(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return value if value is None or isinstance(value, str | bool | int) else str(value)

"""One trader an account: a lease that dies with its process, whatever ends it.

The lease is a lock the system takes back when the process ends, by kill -9 too; beside it stands
who holds it, so that a second trader can name the first. It covers the traders of one home; another
installation on the same account shows itself by orders that are none of the run's.
"""

import fcntl
import json
import os
import socket
from dataclasses import asdict, dataclass
from pathlib import Path

from openalpha.core.clock import format_ms
from openalpha.core.errors import InputError
from openalpha.core.messages import Environment
from openalpha.store.atomic import storage_errors

__all__ = ["Holder", "Lease", "holder_of", "take_lease"]


@dataclass(frozen=True, slots=True)
class Holder:
    """Who trades an account: its run, process and machine, and since when."""

    run_id: str
    pid: int
    host: str
    since_ms: int

    @property
    def words(self) -> str:
        """Name it to a person."""
        since = format_ms(self.since_ms)
        return f"run {self.run_id} (process {self.pid} on {self.host}, since {since})"


class Lease:
    """The right to trade one account, until `give_back` or the end of the process."""

    def __init__(self, handle: int, holder: Holder) -> None:
        self._handle = handle
        self.holder = holder

    def give_back(self) -> None:
        """Let another trade the account; safe to repeat."""
        if self._handle >= 0:
            os.ftruncate(self._handle, 0)
            os.close(self._handle)
            self._handle = -1

    def __enter__(self) -> "Lease":
        return self

    def __exit__(self, *_: object) -> None:
        self.give_back()


def take_lease(
    home: Path, environment: Environment, *, account: str, run_id: str, now_ms: int
) -> Lease:
    """Take the right to trade an account.

    Parameters
    ----------
    home : Path
    environment : Environment
    account : str
        What names the account: the venue's uid; for paper the run's own name.
    run_id : str
    now_ms : int

    Raises
    ------
    InputError
        If another process has it; the message names that one.
    StorageError
        If the home cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> home = Path(tempfile.mkdtemp())
    >>> who = {"account": "1001", "run_id": "r1", "now_ms": 1_704_067_200_000}
    >>> with take_lease(home, Environment.TWIN, **who) as lease:
    ...     holder_of(home, Environment.TWIN, account="1001").run_id
    'r1'
    """
    path = _path(home, environment, account)
    with storage_errors(str(path)):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        holder = _read(handle)
        os.close(handle)
        named = "another process" if holder is None else holder.words
        raise InputError(
            f"account {account} of {environment.name.lower()} is traded by {named} already; one "
            "account takes one trader: stop that one first"
        ) from None
    holder = Holder(run_id, os.getpid(), socket.gethostname(), now_ms)
    with storage_errors(str(path)):
        os.ftruncate(handle, 0)
        os.pwrite(handle, json.dumps(asdict(holder)).encode(), 0)
        os.fsync(handle)
    return Lease(handle, holder)


def holder_of(home: Path, environment: Environment, *, account: str) -> Holder | None:
    """Return who trades an account now; None: nobody, whatever the file still says."""
    path = _path(home, environment, account)
    if not path.exists():
        return None
    with storage_errors(str(path)):
        handle = os.open(path, os.O_RDWR)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return _read(handle)
    finally:
        os.close(handle)
    return None


def _read(handle: int) -> Holder | None:
    try:
        return Holder(**json.loads(os.pread(handle, 4096, 0)))
    except (ValueError, TypeError):
        # It has the lock and has not written its name yet.
        return None


def _path(home: Path, environment: Environment, account: str) -> Path:
    kept = "".join(letter for letter in account if letter.isalnum() or letter in "-_")
    return home / "leases" / f"{environment.name.lower()}-{kept}.lock"

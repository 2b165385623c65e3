"""Heartbeats: trader and guardian each write a small file, and each hears when the other is silent.

A beat is told from the one before by its number, and silence is timed by the hearer's own steady
clock: a wall clock that jumps makes nobody dead or alive.
"""

import json
import os
from dataclasses import dataclass
from pathlib import Path

from openalpha.store.atomic import storage_errors
from openalpha.trading.safety.emergency_lock import safety_folder

__all__ = ["Beat", "Heartbeat", "Listener", "read_beat"]

_SIZE = 256
ALIVE, ENDED = "alive", "ended"


@dataclass(frozen=True, slots=True)
class Beat:
    """What a process last said of itself."""

    pid: int
    seq: int
    ts_ms: int
    state: str

    @property
    def has_ended(self) -> bool:
        """Whether it ended of its own accord, and so is not missed."""
        return self.state == ENDED


class Heartbeat:
    """Says that this process is alive; one write into a file that is there already.

    Parameters
    ----------
    home : Path
    environment : str
    role : str
        trader or guardian.

    Raises
    ------
    StorageError
        If the file cannot be made.
    """

    def __init__(self, home: Path, environment: str, *, role: str = "trader") -> None:
        path = _path(home, environment, role)
        self._seq = 0
        with storage_errors(str(path)):
            path.parent.mkdir(parents=True, exist_ok=True)
            self._handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)

    def beat(self, ts_ms: int) -> None:
        """Say it once more.

        Raises
        ------
        StorageError
            If the disk refuses.
        """
        self._say(ts_ms, ALIVE)

    def end(self, ts_ms: int) -> None:
        """Say that this process ends of its own accord, its orders in the state it wants."""
        try:
            self._say(ts_ms, ENDED)
        finally:
            self.close()

    def close(self) -> None:
        """Fall silent, as by a death: whoever listens will miss it; safe to repeat."""
        if self._handle >= 0:
            os.close(self._handle)
            self._handle = -1

    def _say(self, ts_ms: int, state: str) -> None:
        self._seq += 1
        row = {"pid": os.getpid(), "seq": self._seq, "ts_ms": ts_ms, "state": state}
        with storage_errors("the heartbeat"):
            # One size always, in place: no new block is needed, so a full disk does not kill it.
            os.pwrite(self._handle, json.dumps(row).ljust(_SIZE).encode(), 0)


def read_beat(home: Path, environment: str, *, role: str = "trader") -> Beat | None:
    """Return the last beat of a process; None if it never ran here or cannot be read just now."""
    try:
        row = json.loads(_path(home, environment, role).read_bytes())
        return Beat(int(row["pid"]), int(row["seq"]), int(row["ts_ms"]), str(row["state"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None


class Listener:
    """Times another process's silence.

    Parameters
    ----------
    home : Path
    environment : str
    role : str
        Whose beats are listened to.
    """

    def __init__(self, home: Path, environment: str, *, role: str) -> None:
        self._where = (home, environment)
        self._role = role
        self._heard: tuple[int, int] | None = None
        self._since_ms = 0

    def silent_ms(self, steady_ms: int) -> int | None:
        """Return for how long nothing new was heard.

        Parameters
        ----------
        steady_ms : int
            Now, by a clock that never jumps.

        Returns
        -------
        int or None
            None: it never ran, or it ended of its own accord. A beat that was there when the
            listening began counts from that moment.
        """
        beat = read_beat(*self._where, role=self._role)
        if beat is None:
            if self._heard is None:
                return None
        elif beat.has_ended:
            self._heard = None
            return None
        elif (beat.pid, beat.seq) != self._heard:
            self._heard, self._since_ms = (beat.pid, beat.seq), steady_ms
        return steady_ms - self._since_ms


def _path(home: Path, environment: str, role: str) -> Path:
    return safety_folder(home, environment) / f"{role}.beat"

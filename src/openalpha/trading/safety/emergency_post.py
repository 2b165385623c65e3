"""What a trader's process does for safety beside its loop, in one object.

Begun first of all, it watches for signal and STOP file in a thread of its own, beats the heart that
the guardian hears, and tells the loop of locks, of the guardian's silence and of releases.
"""

import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from openalpha.core.errors import StorageError
from openalpha.risk.health import Health
from openalpha.risk.memory import RiskMemory
from openalpha.trading.safety.emergency_lock import locked
from openalpha.trading.safety.emergency_watch import EmergencyWatch
from openalpha.trading.safety.guardian_heartbeat import Heartbeat, Listener

__all__ = ["SafetyPost"]

_BEAT_MS = 500
_SILENCE_STEP_MS = 5_000


class SafetyPost:
    """The safety of one trading process.

    Parameters
    ----------
    home : Path
    environment : str
    act : callable
        The emergency stop, given who stops; it runs in the watching thread.
    steady_ms : callable
        A clock that never jumps, in milliseconds.

    Raises
    ------
    StorageError
        If the home cannot be written.
    """

    def __init__(
        self,
        home: Path,
        environment: str,
        act: Callable[[str], object],
        *,
        steady_ms: Callable[[], int] = lambda: time.monotonic_ns() // 1_000_000,
    ) -> None:
        self._home, self._environment = home, environment
        self._steady_ms = steady_ms
        self._watch = EmergencyWatch(home, environment, act)
        self._heart = Heartbeat(home, environment)
        self._guardian = Listener(home, environment, role="guardian")
        self.memory = RiskMemory(home, environment)
        self._beaten_ms: int | None = None
        self._last = Health()

    def start(self) -> None:
        """Begin. Call it in the main thread before other threads begin."""
        self._watch.start()

    def look(self, now_ms: int) -> Health | None:
        """Beat the heart and look around; call it once a turn of the loop.

        Parameters
        ----------
        now_ms : int
            Wall time, UTC ms, written into the heartbeat.

        Returns
        -------
        Health or None
            What is new since the last look: an input for the tape; None: nothing. A guardian's
            silence is told every five seconds of it, and its end once.

        Raises
        ------
        StorageError
            If a release cannot be read or taken.
        """
        steady_ms = self._steady_ms()
        if self._beaten_ms is not None and steady_ms - self._beaten_ms < _BEAT_MS:
            return None
        self._beaten_ms = steady_ms
        # A heart that cannot be beaten brings the guardian, as it should where the disk is gone.
        with suppress(StorageError):
            self._heart.beat(now_ms)
        lock = locked(self._home, self._environment)
        silent_ms = self._guardian.silent_ms(steady_ms)
        seen = Health(
            "" if lock is None else str(lock),
            None if silent_ms is None else silent_ms // _SILENCE_STEP_MS * _SILENCE_STEP_MS,
            self.memory.take_release(),
        )
        if seen == self._last:
            return None
        self._last = Health(seen.lock, seen.guardian_silent_ms)
        return seen

    def end(self, now_ms: int) -> None:
        """End of one's own accord: the guardian does not miss this process."""
        self._watch.close()
        self._heart.end(now_ms)

    def close(self) -> None:
        """Stop watching and beating; the guardian misses this process unless it ended before."""
        self._watch.close()
        self._heart.close()

"""A thread of the trader that stops it from outside although its loop hangs.

It waits for the signal SIGUSR1 and for a file `STOP` in the home, and then acts in its own thread.
Begin it first of all in the main thread: threads begun before it could swallow the signal.
"""

import os
import signal
import threading
from collections.abc import Callable
from pathlib import Path

from openalpha.trading.safety.emergency_lock import stop_files

__all__ = ["STOP_SIGNAL", "EmergencyWatch"]

STOP_SIGNAL = signal.SIGUSR1


class EmergencyWatch:
    """Watches until something says stop, then calls `act` once.

    Parameters
    ----------
    home : Path
    environment : str
    act : callable
        Given who stopped; runs in the watching thread while the loop may hang.
    poll_s : float
        How often the file is looked for.
    """

    def __init__(
        self,
        home: Path,
        environment: str,
        act: Callable[[str], object],
        *,
        poll_s: float = 0.25,
    ) -> None:
        self._files = stop_files(home, environment)
        self._act = act
        self._poll_s = poll_s
        self._asked = threading.Event()
        self._is_closed = threading.Event()
        self.has_acted = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="emergency", daemon=True)

    def start(self) -> None:
        """Begin to watch. Call it in the main thread, before other threads begin."""
        signal.signal(STOP_SIGNAL, self._on_signal)
        signal.pthread_sigmask(signal.SIG_BLOCK, {STOP_SIGNAL})
        self._thread.start()

    def close(self) -> None:
        """Stop watching; safe to repeat, and where it never began."""
        self._is_closed.set()
        if self._thread.is_alive():
            self._thread.join(timeout=10 * self._poll_s + 1)

    def _on_signal(self, number: int, frame: object) -> None:
        # Reached only when a thread that does not block the signal was given it.
        del number, frame
        self._asked.set()

    def _watch(self) -> None:
        while not self._is_closed.is_set():
            got = signal.sigtimedwait({STOP_SIGNAL}, self._poll_s)
            if got is not None or self._asked.is_set():
                return self._stop("signal SIGUSR1")
            for path in self._files:
                if os.path.lexists(path):
                    return self._stop(f"the file {path.name}")
        return None

    def _stop(self, who: str) -> None:
        self._act(who)
        self.has_acted.set()

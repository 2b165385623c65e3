"""Awake around the close of a bar: whoever is to act on it neither sleeps then nor begins cold.

A processor that slept takes its time to wake up, and has forgotten what it will need. Shortly
before a bar closes all of it is gone through once, and then the bar is awaited without sleep, for
half a second at most.
"""

from collections.abc import Callable

__all__ = ["Vigil"]

_LEAD_MS = 60
_LONGEST_MS = 500
_FRESH_MS = 2


class Vigil:
    """Says when the thread that hears of bars may sleep.

    Parameters
    ----------
    timeframe_ms : int
        Bars close at its multiples.
    now_ms : callable
        Returns the venue's time, UTC ms.
    prepare : callable
        Goes through what will follow from the bar, without doing it; some milliseconds.
    refresh : callable
        Does so again, while the bar is awaited; a millisecond at most.

    Examples
    --------
    >>> now = [60_000 - 160]
    >>> ready = lambda: print("ready")
    >>> vigil = Vigil(60_000, now_ms=lambda: now[0], prepare=ready, refresh=lambda: None)
    >>> vigil.may_sleep_s(), vigil.is_on
    (0.1, False)
    >>> now[0] += 100
    >>> vigil.may_sleep_s(), vigil.is_on
    ready
    (0.0, True)
    >>> vigil.came(0)
    >>> vigil.may_sleep_s(), vigil.is_on
    (60.0, False)
    """

    def __init__(
        self,
        timeframe_ms: int,
        *,
        now_ms: Callable[[], int],
        prepare: Callable[[], object],
        refresh: Callable[[], object],
    ) -> None:
        self._timeframe_ms, self._now_ms = timeframe_ms, now_ms
        self._prepare, self._refresh = prepare, refresh
        self._prepared_ms = self._came_ms = self._fresh_ms = -1
        self.is_on = False

    def may_sleep_s(self) -> float:
        """Return for how long nothing is expected, in seconds; 0: stay awake."""
        now_ms, frame_ms = self._now_ms(), self._timeframe_ms
        close_ms = (now_ms + _LEAD_MS) // frame_ms * frame_ms
        is_near = now_ms < close_ms + _LONGEST_MS
        self.is_on = is_near and self._came_ms < close_ms - frame_ms
        if not self.is_on:
            return (close_ms + frame_ms - _LEAD_MS - now_ms) / 1000
        if self._prepared_ms < close_ms:
            self._prepared_ms = close_ms
            # Too late to get ready once the bar may be here any moment.
            if now_ms < close_ms:
                self._prepare()
                self._fresh_ms = self._now_ms()
        elif now_ms >= self._fresh_ms + _FRESH_MS:
            self._refresh()
            self._fresh_ms = self._now_ms()
        return 0.0

    def came(self, stamp_ms: int) -> None:
        """Take in that the bar which opened at a stamp is here."""
        self._came_ms = max(self._came_ms, stamp_ms)

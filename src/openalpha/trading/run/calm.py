"""A process kept ready to answer at once: garbage waits until it rests, threads give way."""

import gc
import sys
import time

__all__ = ["Calm"]

_SWITCH_S = 0.0005
_ALL_EVERY_S = 600.0
_YOUNG = 700


class Calm:
    """Holds off what would make a loop answer late, and does it when the loop has nothing to do.

    Python looks for garbage whenever enough was made, for many milliseconds where much is alive,
    and lets a busy thread go on for five milliseconds while others wait. Between `begin` and `end`
    it looks for garbage only in `rest`, and threads give way ten times as often.
    """

    def __init__(self) -> None:
        self._switch_s = 0.0
        self._all_at_s = 0.0

    def begin(self) -> None:
        """Take what is alive now for what stays, and look for garbage by oneself from now on."""
        if self._switch_s:
            return
        self._switch_s = sys.getswitchinterval()
        sys.setswitchinterval(_SWITCH_S)
        gc.collect()
        gc.freeze()
        gc.disable()
        self._all_at_s = time.monotonic() + _ALL_EVERY_S

    def rest(self) -> None:
        """Look for garbage; call it where nothing waits, at least every few seconds."""
        if not self._switch_s:
            return
        now_s = time.monotonic()
        if now_s >= self._all_at_s:
            self._all_at_s = now_s + _ALL_EVERY_S
            gc.collect()
        elif gc.get_count()[0] > _YOUNG:
            gc.collect(1)

    def end(self) -> None:
        """Leave it to Python again; safe to repeat."""
        if self._switch_s:
            sys.setswitchinterval(self._switch_s)
            self._switch_s = 0.0
            gc.unfreeze()
            gc.enable()

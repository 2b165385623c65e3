"""How far a venue's clock stands from ours, measured, and a clock that shows the venue's time."""

from collections.abc import Callable
from dataclasses import dataclass

from openalpha.core.clock import Clock
from openalpha.core.errors import VenueUnavailable

__all__ = ["Offset", "OffsetClock", "measure_offset"]


@dataclass(frozen=True, slots=True)
class Offset:
    """What a measurement gave.

    Parameters
    ----------
    offset_ms : int
        Venue's time minus ours.
    uncertainty_ms : int
        The truth lies within the offset ± this.
    """

    offset_ms: int
    uncertainty_ms: int


@dataclass(frozen=True, slots=True)
class OffsetClock:
    """The venue's time, told by our clock and a measured offset."""

    clock: Clock
    offset: Offset

    def now_ms(self) -> int:
        """Return the venue's time in UTC milliseconds."""
        return self.clock.now_ms() + self.offset.offset_ms


def measure_offset(ask_ms: Callable[[], int], clock: Clock, *, samples: int = 3) -> Offset:
    """Ask the venue for its time and keep the answer that came back quickest.

    The venue read its clock somewhere between our asking and its answer's arrival: the middle is
    the estimate, half the round trip its uncertainty.

    Parameters
    ----------
    ask_ms : callable
        Returns the venue's time, UTC ms; errors pass through. One that is not answered after
        another was ends the measurement: what is known by then will do.
    samples : int
        At least 1.

    Examples
    --------
    >>> from openalpha.core.clock import ManualClock
    >>> measure_offset(lambda: 5_000, ManualClock(2_000))
    Offset(offset_ms=3000, uncertainty_ms=0)
    """
    assert samples >= 1
    best: Offset | None = None
    for _ in range(samples):
        before_ms = clock.now_ms()
        try:
            venue_ms = ask_ms()
        except VenueUnavailable:
            if best is None:
                raise
            break
        after_ms = clock.now_ms()
        half = max(0, after_ms - before_ms + 1) // 2
        found = Offset(venue_ms - before_ms - half, half)
        if best is None or found.uncertainty_ms < best.uncertainty_ms:
            best = found
    assert best is not None
    return best

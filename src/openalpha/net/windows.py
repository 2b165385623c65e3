"""A count of requests in a rolling window, shared by every process of one installation.

Venues count what a key does at an endpoint in the last second; here the same count is kept, so the
venue's limit is never reached. Each class must leave a part of the window to those before it.
"""

import math
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from openalpha.core.clock import Clock
from openalpha.net.budget import RESERVED, Priority, Waiting, lock_wait_s, wait_for_room
from openalpha.net.locked import Records, records_in

__all__ = ["WindowBudget", "WindowLimit"]

_LONGEST_NAP_S = 0.5


@dataclass(frozen=True, slots=True)
class WindowLimit:
    """How many requests a rolling window takes.

    Parameters
    ----------
    count : int
        At least 1.
    span_ms : int
        Length of the window.
    """

    count: int
    span_ms: int = 1_000

    def share(self, priority: Priority) -> int:
        """Return how many of the window's requests a class may see used after its own.

        Examples
        --------
        >>> [WindowLimit(10).share(priority) for priority in Priority]
        [10, 9, 8, 6, 5]
        """
        return max(1, self.count - math.ceil(RESERVED[priority] * self.count))


class WindowBudget:
    """One rolling window, kept in a locked file.

    Parameters
    ----------
    folder : Path or Records
        Where the counts live; a folder is created when missing.
    name : str
        Whose window: a key's mark and an endpoint.
    limit : WindowLimit
    clock : Clock
    pause : callable
        Waits a number of seconds.
    """

    def __init__(
        self,
        folder: Path | Records,
        name: str,
        *,
        limit: WindowLimit,
        clock: Clock,
        pause: Callable[[float], object] = time.sleep,
    ) -> None:
        self._records = records_in(folder)
        self._kept = f"window-{re.sub(r'[^A-Za-z0-9.-]', '_', name)}"
        self._name = name
        self._limit = limit
        self._clock = clock
        self._pause = pause

    def take(self, priority: Priority, *, cost: int = 1, wait_at_most_s: float = 10.0) -> None:
        """Take `cost` requests, waiting until the window has room for this class.

        Raises
        ------
        VenueUnavailable
            If it would take longer than `wait_at_most_s`.
        StorageError
            If the file cannot be kept.
        """
        waiting = Waiting(wait_at_most_s, _LONGEST_NAP_S, self._pause)
        wait_for_room(lambda: self._try(priority, cost), waiting, whose=self._name, decimals=1)

    def count(self, *, cost: int) -> tuple[list[int], int]:
        """Count requests that were sent already; waits for nobody who counts just now.

        Returns
        -------
        (list of int, int)
            When requests of the window were sent, by whomever, and the end of a cool-down; UTC ms.

        Raises
        ------
        StorageError
            If the file cannot be kept, or another process holds it.
        """
        with self._records.change(self._kept, wait_at_most_s=0.0) as record:
            stamps, blocked_ms = self._recent(record)
            stamps = (stamps + [self._clock.now_ms()] * cost)[-self._limit.count :]
            record[:] = [blocked_ms, *stamps]
        return stamps, blocked_ms

    def cool_down(self, until_ms: int) -> None:
        """Let nobody use this window before `until_ms`: the venue says it is full."""
        with self._records.change(self._kept) as record:
            stamps, blocked_ms = self._recent(record)
            record[:] = [max(blocked_ms, until_ms), *stamps]

    def _try(self, priority: Priority, cost: int) -> float:
        """Take the requests; return 0, or the seconds to wait before trying again."""
        with self._records.change(self._kept, wait_at_most_s=lock_wait_s(priority)) as record:
            stamps, blocked_ms = self._recent(record)
            now_ms = self._clock.now_ms()
            wait_ms = max(0, blocked_ms - now_ms)
            share = self._limit.share(priority)
            # What must have left the window before there is room; a batch above the share takes it
            # whole.
            surplus = len(stamps) + min(cost, share) - share
            if surplus > 0:
                wait_ms = max(wait_ms, stamps[surplus - 1] + self._limit.span_ms - now_ms)
            if wait_ms <= 0:
                stamps += [now_ms] * min(cost, self._limit.count)
            record[:] = [blocked_ms, *stamps]
        return max(0, wait_ms) / 1000

    def _recent(self, record: list[object]) -> tuple[list[int], int]:
        """Return the stamps still in the window, oldest first, and the end of a cool-down.

        After the clock was set back, stamps of the future beyond one window are forgotten, and so
        is a cool-down longer than any venue orders.
        """
        now_ms = self._clock.now_ms()
        numbers = [item for item in record if type(item) is int]
        blocked_ms = numbers[0] if numbers and len(numbers) == len(record) else 0
        if blocked_ms > now_ms + 600_000:
            blocked_ms = 0
        span_ms = self._limit.span_ms
        recent = (stamp for stamp in numbers[1:] if -span_ms < stamp - now_ms <= span_ms)
        return sorted(recent), blocked_ms

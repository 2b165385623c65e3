"""The shared rate budget: every process of one installation asks here before it sends.

One small file a host in the home, changed under a lock: a bucket of requests that refills with
time. What matters more may empty it further, so data can never starve orders. A file that was
lost or damaged counts as an empty bucket: rather too slow than blocked by the venue.
"""

import math
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import NamedTuple

from openalpha.core.clock import Clock
from openalpha.core.errors import VenueUnavailable
from openalpha.net.locked import Records, records_in

__all__ = [
    "RESERVED", "Waiting", "Priority", "RateBudget", "RateLimit", "lock_wait_s", "wait_for_room",
]  # fmt: skip


class Priority(IntEnum):
    """Who asks; the first matters most."""

    RISK = 0
    ORDERS = 1
    RECONCILE = 2
    DATA = 3
    UI = 4


# The part of a budget each must leave to those before it.
RESERVED = {
    Priority.RISK: 0.0,
    Priority.ORDERS: 0.1,
    Priority.RECONCILE: 0.2,
    Priority.DATA: 0.4,
    Priority.UI: 0.5,
}
_LONGEST_NAP_S = 1.0
_MOST_TOKENS = 100_000


def lock_wait_s(priority: Priority) -> float:
    """Return how long a class waits for another process that holds the file."""
    return 0.2 if priority is Priority.RISK else 5.0


class Waiting(NamedTuple):
    """How long to wait for a budget in all and at a time, and what waits a number of seconds."""

    at_most_s: float
    longest_nap_s: float
    pause: Callable[[float], object]


def wait_for_room(
    attempt: Callable[[], float], waiting: Waiting, *, whose: str, decimals: int
) -> None:
    """Repeat an attempt until it needs no more waiting.

    Parameters
    ----------
    attempt : callable
        Takes from a budget and returns 0, or the seconds after which to try again.
    waiting : Waiting
    whose : str
        Names the budget in the error.
    decimals : int
        Decimals of the seconds the error states.

    Raises
    ------
    VenueUnavailable
        If it would take longer than the waiting.
    """
    waited = 0.0
    while True:
        short_s = attempt()
        if short_s == 0:
            return
        if waited + short_s > waiting.at_most_s:
            raise VenueUnavailable(
                f"the rate budget of {whose} is used up for another {short_s:.{decimals}f} s; "
                "try again then"
            )
        nap_s = min(short_s, waiting.longest_nap_s)
        waiting.pause(nap_s)
        waited += nap_s


@dataclass(frozen=True, slots=True)
class RateLimit:
    """How fast a host may be asked.

    Parameters
    ----------
    per_s : float
        Requests a second in the long run, above 0.
    burst : float
        Requests at once after a pause, at least 10, so that every class's part is a whole request.
    """

    per_s: float
    burst: float

    def __post_init__(self) -> None:
        assert self.per_s > 0
        assert self.burst >= 10


@dataclass(slots=True)
class _Bucket:
    tokens: float
    updated_ms: int
    blocked_until_ms: int


class RateBudget:
    """The budget of one host, shared by all threads and processes that use the same home.

    Parameters
    ----------
    folder : Path or Records
        Where the counts live; a folder is created when missing.
    host : str
    limit : RateLimit
    clock : Clock
    pause : callable
        Waits a number of seconds.
    """

    def __init__(
        self,
        folder: Path | Records,
        host: str,
        *,
        limit: RateLimit,
        clock: Clock,
        pause: Callable[[float], object] = time.sleep,
    ) -> None:
        self._records = records_in(folder)
        self._kept = f"budget-{re.sub(r'[^A-Za-z0-9.-]', '_', host)}"
        self._host = host
        self._limit = limit
        self._clock = clock
        self._pause = pause

    def take(self, priority: Priority, *, wait_at_most_s: float = 60.0) -> None:
        """Take one request from the budget, waiting for it when the bucket is too empty.

        Raises
        ------
        VenueUnavailable
            If it would take longer than `wait_at_most_s`.
        StorageError
            If the file cannot be kept.
        """
        waiting = Waiting(wait_at_most_s, _LONGEST_NAP_S, self._pause)
        wait_for_room(lambda: self._try(priority), waiting, whose=self._host, decimals=0)

    def cool_down(self, until_ms: int) -> None:
        """Let nobody send to the host before `until_ms`: it said so, or it refuses this address."""
        with self._bucket() as bucket:
            bucket.blocked_until_ms = max(bucket.blocked_until_ms, until_ms)

    def _try(self, priority: Priority) -> float:
        """Take one request; return 0, or the seconds to wait before trying again."""
        with self._bucket(lock_wait_s(priority)) as bucket:
            blocked_s = (bucket.blocked_until_ms - bucket.updated_ms) / 1000
            if blocked_s > 0:
                return blocked_s
            left = bucket.tokens - 1 - RESERVED[priority] * self._limit.burst
            if left >= 0:
                bucket.tokens -= 1
                return 0.0
            # Rounded up to whole milliseconds, which is what the clock can see.
            return math.ceil(-left / self._limit.per_s * 1000) / 1000

    @contextmanager
    def _bucket(self, wait_at_most_s: float = 5.0) -> Iterator[_Bucket]:
        with self._records.change(self._kept, wait_at_most_s=wait_at_most_s) as record:
            bucket = self._refilled(record)
            yield bucket
            record[:] = [bucket.tokens, bucket.updated_ms, bucket.blocked_until_ms]

    def _refilled(self, record: list[object]) -> _Bucket:
        now_ms = self._clock.now_ms()
        bucket = _read(record)
        if bucket is None:
            return _Bucket(self._limit.burst * RESERVED[Priority.DATA], now_ms, 0)
        # A clock set back must neither refill nor block for ever.
        if now_ms < bucket.updated_ms:
            bucket.blocked_until_ms -= bucket.updated_ms - now_ms
        passed_s = max(0, now_ms - bucket.updated_ms) / 1000
        # Another program may keep the same bucket with a larger burst: the smaller one holds here.
        bucket.tokens = min(self._limit.burst, bucket.tokens + passed_s * self._limit.per_s)
        bucket.updated_ms = now_ms
        return bucket


def _read(record: list[object]) -> _Bucket | None:
    match record:
        case [float() | int() as tokens, int() as updated_ms, int() as blocked_until_ms] if (
            0 <= tokens <= _MOST_TOKENS
        ):
            return _Bucket(float(tokens), updated_ms, blocked_until_ms)
    return None

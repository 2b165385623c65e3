"""The shared rate budget: every process of one installation asks here before it sends.

One small file a host in the home, changed under a lock: a bucket of requests that refills with
time. What matters more may empty it further, so data can never starve orders. A file that was
lost or damaged counts as an empty bucket: rather too slow than blocked by the venue.
"""

import fcntl
import json
import math
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import IO

from openalpha.core.clock import Clock
from openalpha.core.errors import StorageError, VenueUnavailable

__all__ = ["Priority", "RateBudget", "RateLimit"]


class Priority(IntEnum):
    """Who asks; the first matters most."""

    RISK = 0
    ORDERS = 1
    RECONCILE = 2
    DATA = 3
    UI = 4


# The part of the bucket each must leave to those before it.
_RESERVED = {
    Priority.RISK: 0.0,
    Priority.ORDERS: 0.1,
    Priority.RECONCILE: 0.2,
    Priority.DATA: 0.4,
    Priority.UI: 0.5,
}
_LONGEST_NAP_S = 1.0


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
    folder : Path
        Where the files live; created when missing.
    host : str
    limit : RateLimit
    clock : Clock
    pause : callable
        Waits a number of seconds.
    """

    def __init__(
        self,
        folder: Path,
        host: str,
        *,
        limit: RateLimit,
        clock: Clock,
        pause: Callable[[float], object] = time.sleep,
    ) -> None:
        self._path = folder / f"budget-{re.sub(r'[^A-Za-z0-9.-]', '_', host)}.json"
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
        waited = 0.0
        while True:
            short_s = self._try(priority)
            if short_s == 0:
                return
            if waited + short_s > wait_at_most_s:
                raise VenueUnavailable(
                    f"the rate budget of {self._host} is used up for another {short_s:.0f} s; "
                    "try again then"
                )
            nap_s = min(short_s, _LONGEST_NAP_S)
            self._pause(nap_s)
            waited += nap_s

    def cool_down(self, until_ms: int) -> None:
        """Let nobody send to the host before `until_ms`: it said so, or it refuses this address."""
        with self._bucket() as bucket:
            bucket.blocked_until_ms = max(bucket.blocked_until_ms, until_ms)

    def _try(self, priority: Priority) -> float:
        """Take one request; return 0, or the seconds to wait before trying again."""
        with self._bucket() as bucket:
            blocked_s = (bucket.blocked_until_ms - bucket.updated_ms) / 1000
            if blocked_s > 0:
                return blocked_s
            left = bucket.tokens - 1 - _RESERVED[priority] * self._limit.burst
            if left >= 0:
                bucket.tokens -= 1
                return 0.0
            # Rounded up to whole milliseconds, which is what the clock can see.
            return math.ceil(-left / self._limit.per_s * 1000) / 1000

    @contextmanager
    def _bucket(self) -> Iterator[_Bucket]:
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with self._path.open("a+", encoding="utf-8") as handle:
                fcntl.flock(handle, fcntl.LOCK_EX)
                bucket = self._refilled(handle)
                yield bucket
                handle.seek(0)
                handle.truncate()
                json.dump([bucket.tokens, bucket.updated_ms, bucket.blocked_until_ms], handle)
        except OSError as error:
            raise StorageError(
                f"{self._path} cannot be written ({error.strerror or error}); "
                "free space or permissions"
            ) from None

    def _refilled(self, handle: IO[str]) -> _Bucket:
        now_ms = self._clock.now_ms()
        bucket = _read(handle, self._limit.burst)
        if bucket is None:
            return _Bucket(self._limit.burst * _RESERVED[Priority.DATA], now_ms, 0)
        # A clock set back must neither refill nor block for ever.
        if now_ms < bucket.updated_ms:
            bucket.blocked_until_ms -= bucket.updated_ms - now_ms
        passed_s = max(0, now_ms - bucket.updated_ms) / 1000
        bucket.tokens = min(self._limit.burst, bucket.tokens + passed_s * self._limit.per_s)
        bucket.updated_ms = now_ms
        return bucket


def _read(handle: IO[str], burst: float) -> _Bucket | None:
    handle.seek(0)
    text = handle.read()
    try:
        tokens, updated_ms, blocked_until_ms = json.loads(text)
        bucket = _Bucket(float(tokens), int(updated_ms), int(blocked_until_ms))
    except (ValueError, TypeError):
        return None
    return bucket if 0 <= bucket.tokens <= burst else None

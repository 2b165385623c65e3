"""The rate broker: the one place that says who may send to a venue, and when.

Every process of an installation counts in the same files: what its address sends to a host, and
what a key does at each endpoint. A class that matters less never takes what is reserved for those
before it, so a chart or a download cannot starve a cancel.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from openalpha.core.clock import Clock
from openalpha.core.errors import StorageError
from openalpha.net.budget import Priority, RateBudget, RateLimit
from openalpha.net.locked import Records
from openalpha.net.windows import WindowBudget, WindowLimit

__all__ = ["RateBroker", "Use"]

_LEFT, _LONGEST_BLOCK_MS = 2, 10_000


@dataclass(frozen=True, slots=True)
class Use:
    """What a request takes of one key's window.

    Parameters
    ----------
    name : str
        The window: a mark of the key (never the key) and the endpoint.
    limit : WindowLimit
    cost : int
        Requests it counts as; a batch counts its orders.
    """

    name: str
    limit: WindowLimit
    cost: int = 1


@dataclass(slots=True)
class _Room:
    """What one process knows of a window: when messages were sent, the end of a cool-down."""

    sent: list[int] = field(default_factory=list)
    blocked_ms: int = 0


class RateBroker:
    """Hands out leave to send.

    Parameters
    ----------
    folder : Path or Records
        Where the counts live: one folder an installation, or a server that several share.
    clock : Clock
    limit : RateLimit
        What one address may send to one host.
    pause : callable
        Waits a number of seconds.
    """

    def __init__(
        self,
        folder: Path | Records,
        *,
        clock: Clock,
        limit: RateLimit,
        pause: Callable[[float], object] = time.sleep,
    ) -> None:
        self._folder = folder
        self._clock = clock
        self._limit = limit
        self._pause = pause
        self._rooms: dict[str, _Room] = {}

    def take(
        self,
        host: str,
        priority: Priority,
        *,
        uses: Sequence[Use] = (),
        wait_at_most_s: float = 10.0,
    ) -> None:
        """Return once one request may be sent to a host.

        What has to do with risk goes even where the count cannot be kept (disk full, a stopped
        process holds a lock): better uncounted than not sent.

        Raises
        ------
        VenueUnavailable
            If it would take longer than `wait_at_most_s`.
        StorageError
            If the count cannot be kept.
        """
        try:
            for use in uses:
                self._window(use).take(priority, cost=use.cost, wait_at_most_s=wait_at_most_s)
            self._budget(host).take(priority, wait_at_most_s=wait_at_most_s)
        except StorageError:
            if priority is not Priority.RISK:
                raise

    def may_go(self, priority: Priority, *, uses: Sequence[Use]) -> bool:
        """Say whether a message may go this moment, by what this process knows; asks no file.

        It is to be counted by `went` once it has gone, which tells what the home's other programs
        sent up to then; for what they sent since, two messages of a window are left. Where counts
        are kept on another machine nothing goes this way.
        """
        if not isinstance(self._folder, Path):
            return False
        now_ms = self._clock.now_ms()
        for use in uses:
            room = self._rooms.setdefault(use.name, _Room())
            room.sent = [ts for ts in room.sent if abs(now_ms - ts) < use.limit.span_ms]
            most = use.limit.share(priority) - _LEFT
            is_blocked = 0 < room.blocked_ms - now_ms <= _LONGEST_BLOCK_MS
            if is_blocked or len(room.sent) + use.cost > most:
                return False
        return True

    def went(self, *, uses: Sequence[Use]) -> None:
        """Count a message that has gone."""
        for use in uses:
            room = self._rooms.setdefault(use.name, _Room())
            try:
                room.sent, room.blocked_ms = self._window(use).count(cost=use.cost)
            except StorageError:
                # Nothing goes uncounted for long: what comes next asks the file first.
                room.blocked_ms = self._clock.now_ms() + use.limit.span_ms

    def cool_down(self, host: str, until_ms: int, *, uses: Sequence[Use] = ()) -> None:
        """Note that the venue refuses more until a time: at those windows, or for the host.

        Parameters
        ----------
        uses : sequence of Use
            The windows that are full; empty: this address is refused as a whole.
        """
        try:
            for use in uses:
                self._rooms.setdefault(use.name, _Room()).blocked_ms = until_ms
                self._window(use).cool_down(until_ms)
            if not uses:
                self._budget(host).cool_down(until_ms)
        except StorageError:
            # The next answer of the venue says the same again.
            return

    def _window(self, use: Use) -> WindowBudget:
        return WindowBudget(
            self._folder, use.name, limit=use.limit, clock=self._clock, pause=self._pause
        )

    def _budget(self, host: str) -> RateBudget:
        return RateBudget(
            self._folder, host, limit=self._limit, clock=self._clock, pause=self._pause
        )

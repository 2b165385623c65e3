"""The rate broker: the one place that says who may send to a venue, and when.

Every process of an installation counts in the same files: what its address sends to a host, and
what a key does at each endpoint. A class that matters less never takes what is reserved for those
before it, so a chart or a download cannot starve a cancel.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from openalpha.core.clock import Clock
from openalpha.core.errors import StorageError, VenueUnavailable
from openalpha.net.budget import Priority, RateBudget, RateLimit
from openalpha.net.locked import Records
from openalpha.net.windows import WindowBudget, WindowLimit

__all__ = ["RateBroker", "Use"]


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

    def take_now(self, priority: Priority, *, uses: Sequence[Use]) -> None:
        """Count a message on a socket that is open: in its key's windows, or raise; never waits.

        Raises
        ------
        VenueUnavailable
            If a window has no room now, or the counts are kept on another machine.
        StorageError
            If another process counts this very moment, or the count cannot be kept.
        """
        if not isinstance(self._folder, Path):
            raise VenueUnavailable("the rate budget is kept elsewhere; asking it takes time")
        for use in uses:
            self._window(use).take(priority, cost=use.cost, wait_at_most_s=0.0)

    def cool_down(self, host: str, until_ms: int, *, uses: Sequence[Use] = ()) -> None:
        """Note that the venue refuses more until a time: at those windows, or for the host.

        Parameters
        ----------
        uses : sequence of Use
            The windows that are full; empty: this address is refused as a whole.
        """
        try:
            for use in uses:
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
